"""WinRM against the lab: every way in, every way in which it goes wrong, one shell, nothing left open."""

from __future__ import annotations

import gc
import hashlib
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from immy_nornir.errors import (
    AuthenticationError,
    CertificateError,
    DroppedError,
    GarbledError,
    RefusedError,
    TransportError,
    UnreachableError,
    UsageError,
)
from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import ComputerSpec, Misbehaviour
from immy_nornir.model.protocols import Address
from immy_nornir.model.values import SecretRef
from immy_nornir.model.wire import AnswerStatus, Read, ReadOperation
from immy_nornir.remote.windows.connection import PowerShellConnection
from immy_nornir.remote.winrm.transport import connect
from tests.waiting import eventually

PASSWORD = "s3cret-Pa55"
BAD = {
    Misbehaviour.REFUSE_PASSWORD: AuthenticationError,
    Misbehaviour.CUT_OFF: TransportError,
    Misbehaviour.GARBAGE: GarbledError,
    Misbehaviour.CORRUPT: GarbledError,
    Misbehaviour.EMPTY: GarbledError,
    Misbehaviour.CONSTRAINED: RefusedError,
    Misbehaviour.OFF: TransportError,
    Misbehaviour.CROWDED: DroppedError,
}
SPECS = [
    ComputerSpec("good", address="127.0.7.1", password=PASSWORD),
    ComputerSpec("noisy", address="127.0.7.2", password=PASSWORD, misbehave=(Misbehaviour.NOISE,)),
    *(
        ComputerSpec(bad.value, address=f"127.0.7.{10 + index}", password=PASSWORD, misbehave=(bad,))
        for index, bad in enumerate(BAD)
    ),
]
PLAIN: dict[str, Any] = {"ansible_winrm_transport": "basic", "immy_allow_plain_basic": True}


class RealClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Vault:
    def reveal(self, reference: SecretRef) -> str:
        assert reference.reference == "env:X"
        return PASSWORD


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(SPECS) as lab:
        yield lab


def _connect(
    lab: Lab, name: str, *, https: bool = False, password: Any = PASSWORD, **settings: Any
) -> PowerShellConnection:
    spec = next(spec for spec in SPECS if spec.name == name)
    port = lab.https_port if https else lab.port
    settings.setdefault("ansible_winrm_scheme", "https" if https else "http")
    address = Address(name, "winrm", spec.address, port or 0, spec.username, password, settings)
    return connect(address, Vault(), RealClock())


def _pin(lab: Lab) -> str:
    der = ssl.PEM_cert_to_DER_cert("-----BEGIN CERT" + lab.certificate_path.read_text().split("-----BEGIN CERT", 1)[1])
    return hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("way", ["basic", "ntlm", "default", "ignored", "trusted", "pinned", "https-ntlm", "listed"])
def test_every_way_in_answers(lab: Lab, way: str) -> None:
    https = way in {"ignored", "trusted", "pinned", "https-ntlm"}
    settings: dict[str, Any] = {
        "basic": PLAIN,
        "ntlm": {"ansible_winrm_transport": "ntlm"},
        "ignored": {"ansible_winrm_server_cert_validation": "ignore"},
        "trusted": {"ansible_winrm_ca_trust_path": str(lab.certificate_path)},
        "pinned": {"immy_certificate_sha256": ":".join(_pin(lab)[i : i + 2] for i in range(0, 64, 2)).upper()},
        "https-ntlm": {"ansible_winrm_server_cert_validation": "ignore", "ansible_winrm_transport": ["ntlm"]},
        "listed": {"ansible_winrm_transport": "ntlm,basic", "immy_allow_plain_basic": "yes"},
    }.get(way, {})
    connection = _connect(lab, "good", https=https, password=SecretRef("env:X"), **settings)
    try:
        assert connection.identify().name == "good"
        answers = connection.read([ReadOperation(str(index), Read.SOFTWARE) for index in range(3)])
        assert [answer.status for answer in answers.values()] == [AnswerStatus.OK] * 3
        assert lab.shells()["good"] == 1
    finally:
        connection.close()
    assert "good" not in lab.shells()


@pytest.mark.parametrize("settings", [PLAIN, {"ansible_winrm_transport": "ntlm"}], ids=["basic", "ntlm"])
def test_a_connection_that_is_closed_holds_no_socket(lab: Lab, settings: dict[str, Any]) -> None:
    gc.collect()
    gc.disable()  # many sessions collect rarely: what only garbage lets go stays open for minutes
    try:
        before = lab.status()["connections"]
        connections = [_connect(lab, "good", **settings) for _ in range(3)]
        for connection in connections:
            connection.identify()
            connection.close()
        eventually(lambda: lab.status()["connections"] == before, "the end of the sockets")
    finally:
        gc.enable()


def test_a_request_larger_than_a_send_arrives_whole(lab: Lab) -> None:
    connection = _connect(lab, "good", **PLAIN)
    text = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=400_000))  # noqa: S311 - it only must not compress well
    operation = ReadOperation("r", Read.REGISTRY, {"values": [{"key": f"HKLM\\{text}", "name": "x"}]})
    assert connection.read([operation])["r"].status is AnswerStatus.OK
    connection.close()


@pytest.mark.parametrize(("name", "error"), [(bad.value, error) for bad, error in BAD.items()])
def test_misbehaving_computers_are_outcomes_without_secrets(lab: Lab, name: str, error: type[TransportError]) -> None:
    connection = _connect(lab, name, **PLAIN)
    with pytest.raises(error) as caught:
        connection.identify()
    connection.close()
    text = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert PASSWORD not in text
    assert PASSWORD not in repr(connection)


def test_noise_does_not_disturb(lab: Lab) -> None:
    connection = _connect(lab, "noisy", **PLAIN)
    assert connection.identify().name == "noisy"
    connection.close()


def test_a_kept_connection_that_died_is_replaced(lab: Lab) -> None:
    connection = _connect(lab, "good", ansible_winrm_transport="ntlm")
    before = connection.identify().boot
    lab.reboot("good")

    def is_back() -> bool:
        with suppress(UnreachableError, DroppedError):
            return connection.identify().boot.differs(before)
        return False

    eventually(is_back, "the computer with its next boot")
    connection.close()


def test_certificates_are_checked(lab: Lab) -> None:
    for settings in ({}, {"immy_certificate_sha256": "0" * 64}):
        with pytest.raises(CertificateError):
            _connect(lab, "good", https=True, **settings).identify()


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"ansible_winrm_transport": "basic"}, RefusedError, "immy_allow_plain_basic"),
        ({"ansible_winrm_transport": "ntml"}, UsageError, "ntml"),
        ({"ansible_winrm_scheme": "ftp"}, UsageError, "http or https"),
        ({"ansible_winrm_server_cert_validation": "no"}, UsageError, "validate or ignore"),
        ({"ansible_winrm_operation_timeout_sec": 30, "ansible_winrm_read_timeout_sec": 20}, UsageError, "larger"),
        ({"ansible_winrm_read_timeout_sec": "soon"}, UsageError, "number of seconds"),
        ({"immy_certificate_sha256": "abc"}, UsageError, "64 hexadecimal"),
    ],
)
def test_connection_variables_that_cannot_be_say_what_to_try(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    address = Address("pc", "winrm", "127.0.7.1", 5985, "u", "p", settings)
    with pytest.raises(error, match=words):
        connect(address, Vault(), RealClock())


def test_nobody_there_is_unreachable(lab: Lab) -> None:
    address = Address("pc", "winrm", "127.0.7.1", 1, "u", PASSWORD, {"ansible_winrm_server_cert_validation": "ignore"})
    with pytest.raises(UnreachableError, match=r"127\.0\.7\.1"):
        connect(address, Vault(), RealClock()).identify()
    # Whose id was garbage cannot be deleted.
    assert set(lab.shells()) <= {Misbehaviour.GARBAGE.value}
