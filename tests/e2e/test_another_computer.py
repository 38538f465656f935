"""Customers share 192.168.1.0/24: nothing that acts goes over a new connection before its computer said who it is."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from immy_nornir.decide.detect.identity import identity_mismatch
from immy_nornir.errors import TransportError
from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import ComputerSpec
from immy_nornir.model.facts import Boot, Identity
from immy_nornir.model.protocols import Address
from immy_nornir.model.wire import JobSpec
from immy_nornir.remote.windows.connection import PowerShellConnection
from immy_nornir.remote.winrm.transport import connect
from immy_nornir.session.engine import SystemClock
from tests.e2e.relay import Relay

PASSWORD = "s3cret-Pa55"
WAYS = [{"ansible_winrm_transport": "basic", "immy_allow_plain_basic": True}, {"ansible_winrm_transport": "ntlm"}]


class NoSecrets:
    def reveal(self, reference: Any) -> str:
        raise AssertionError(reference)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    specs = [ComputerSpec(name, address=f"127.0.91.{n}", password=PASSWORD) for n, name in enumerate(("one", "two"), 1)]
    with Lab(specs) as lab:
        yield lab


def moved(relay: Relay, lab: Lab, address: str) -> None:
    """From now on another computer has the address; connections of the first are cut."""
    relay._target = (address, lab.port)
    for one in relay._open:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    time.sleep(0.05)


@pytest.mark.parametrize("settings", WAYS, ids=["basic", "ntlm"])
@pytest.mark.parametrize("effect", ["job", "reboot"])
def test_what_acts_does_not_reach_whoever_took_over_the_address(
    lab: Lab, settings: dict[str, Any], effect: str
) -> None:
    with Relay("127.0.91.1", lab.port) as relay:
        http = {**settings, "ansible_winrm_scheme": "http"}
        address = Address("one", "winrm", "127.0.0.1", relay.port, "immy", PASSWORD, http)
        connection: PowerShellConnection = connect(address, NoSecrets(), SystemClock())
        assert connection.identify().name == "one"
        moved(relay, lab, "127.0.91.2")
        job = JobSpec("s/a/1", "script", {"script": "exit 0", "language": "powershell"})
        with pytest.raises(TransportError):
            connection.start_job(job) if effect == "job" else connection.reboot(Boot(), 1, "a test")
        connection.close()
        assert not [one for one in lab.events("operation", "two") if one["op"] != "identity"]
        again = connect(address, NoSecrets(), SystemClock())
        assert again.identify().name == "two"
        again.close()


def known(uuid: str, source: str, name: str = "PC1") -> Identity:
    return Identity(name, uuid=uuid, uuid_source=source)


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (known("u", "smbios"), True),
        (known("v", "smbios"), False),
        (known("g", "machine_guid"), True),
        (known("g", "machine_guid", "PC2"), False),
        (known("", "", "PC2"), False),
        (known("u", "smbios", "RENAMED"), True),
    ],
)
def test_in_a_session_the_name_counts_where_ids_cannot_be_compared(found: Identity, same: bool) -> None:
    assert (identity_mismatch({}, found, known("u", "smbios")) == "") is same
