"""Ways to a Windows computer: which are taken, which are refused before a password leaves, and what a listener sees."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from immy_nornir.lab.lab import Lab
from tests.e2e import world
from tests.e2e.relay import Relay

PLAIN = (b"CommandLine", b"EncodedCommand")
WAYS = (
    "trusted", "pinned", "pinned-wrongly", "untrusted", "not-validated", "basic-http", "basic-http-allowed", "ntlm",
    "ntlm-wrong-password",
)  # fmt: skip
REFUSED = {
    "pinned-wrongly": ("failed", "certificate"),
    "untrusted": ("failed", "certificate is not trusted"),
    "basic-http": ("failed", "immy_allow_plain_basic"),
    "ntlm-wrong-password": ("failed", "user or password was refused"),
}


def _variables(lab: Lab) -> dict[str, dict[str, Any]]:
    certificate = ssl.PEM_cert_to_DER_cert(lab.certificate_path.read_text().split("-----BEGIN PRIVATE")[0])
    https = {"ansible_winrm_scheme": "https", "ansible_port": lab.https_port, "ansible_winrm_transport": "basic"}
    http = {"ansible_winrm_scheme": "http", "ansible_port": lab.port}
    pin = hashlib.sha256(certificate).hexdigest()
    return {
        "trusted": {**https, "ansible_winrm_ca_trust_path": str(lab.certificate_path)},
        "pinned": {**https, "immy_certificate_sha256": pin},
        "pinned-wrongly": {**https, "immy_certificate_sha256": "0" * 64},
        "untrusted": https,
        "not-validated": {**https, "ansible_winrm_server_cert_validation": "ignore"},
        "basic-http": {**http, "ansible_winrm_transport": "basic", "immy_allow_plain_basic": False},
        "basic-http-allowed": {**http, "ansible_winrm_transport": "basic", "immy_allow_plain_basic": True},
        "ntlm": {**http, "ansible_winrm_transport": "ntlm"},
        "ntlm-wrong-password": {**http, "ansible_winrm_transport": "ntlm", "ansible_password": "not it"},
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[world.Run, Lab, dict[str, Relay]]]:
    """One full run; the computers that are reached over http are behind relays."""
    computers = [world.spec(way, number) for number, way in enumerate(WAYS)]
    files: dict[str, object] = {
        "tasks/maintenance/setting/task.yml": world.registry_task("setting"),
        "playbooks/deployments/all.yml": [{"item": "task/setting", "target": "tenants", "mode": "enforce"}],
    }
    with contextlib.ExitStack() as stack:
        fleet, lab = stack.enter_context(world.up(tmp_path_factory.mktemp("wire"), computers, files))
        more, relays = _variables(lab), {}
        for one in computers:
            if more[one.name]["ansible_winrm_scheme"] == "http":
                relays[one.name] = relay = stack.enter_context(Relay(one.address, lab.port))
                more[one.name] |= {"ansible_host": "127.0.0.1", "ansible_port": relay.port}
        document = world.inventory(lab, computers, more)
        del document["tenants"]["children"]["acme"]["vars"]["immy_allow_plain_basic"]
        fleet.write("inventory/computers.yml", document)
        yield fleet.run("--on", "tenants"), lab, relays


@pytest.mark.parametrize("way", [way for way in WAYS if way not in REFUSED])
def test_a_way_that_is_safe_or_allowed_by_name_brings_a_whole_session(ran: Any, way: str) -> None:
    run, lab, _ = ran
    assert run.status(way) == "passed", run.reason(way)
    assert world.jobs(lab, way) == [("task/setting", "")]


@pytest.mark.parametrize("way", REFUSED)
def test_a_way_that_is_not_is_refused_and_nothing_of_ours_runs(ran: Any, way: str) -> None:
    run, lab, _ = ran
    status, words = REFUSED[way]
    assert run.status(way) == status
    assert words in run.reason(way), run.reason(way)
    assert world.operations(lab, way) == []


def test_no_password_leaves_for_a_computer_that_is_refused(ran: Any) -> None:
    _, lab, relays = ran
    assert relays["basic-http"].seen == b""
    for way in ("untrusted", "pinned-wrongly"):
        assert lab.events("request", way) == []


def test_over_ntlm_a_listener_reads_neither_password_nor_what_is_done(ran: Any) -> None:
    _, _, relays = ran
    seen = relays["ntlm"].seen
    assert b"application/HTTP-SPNEGO-session-encrypted" in seen
    assert world.PASSWORD.encode() not in seen
    assert all(word not in seen for word in PLAIN)


def test_basic_over_http_is_readable_which_is_why_it_has_to_be_allowed(ran: Any) -> None:
    _, _, relays = ran
    seen = relays["basic-http-allowed"].seen
    assert base64.b64encode(f"{world.USER}:{world.PASSWORD}".encode()) in seen
    assert PLAIN[0] in seen
