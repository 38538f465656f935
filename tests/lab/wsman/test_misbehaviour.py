"""Every way to go wrong, as pywinrm meets it."""

from __future__ import annotations

import time
from xml.etree.ElementTree import ParseError

import pytest
import requests
from winrm.exceptions import InvalidCredentialsError

from immy_nornir.lab import ComputerSpec, Knobs, Lab, Misbehaviour
from tests.lab.client import ask, protocol
from tests.lab.simulated.test_simulated import wait_for


def computer(*ways: Misbehaviour) -> ComputerSpec:
    return ComputerSpec("pc1", "127.1.0.1", misbehave=ways, values={"task/t": "v"})


@pytest.mark.parametrize(
    ("way", "error"),
    [
        (Misbehaviour.OFF, requests.exceptions.ConnectionError),
        (Misbehaviour.REFUSE_PASSWORD, InvalidCredentialsError),
        (Misbehaviour.HANG, requests.exceptions.ReadTimeout),
        (Misbehaviour.CUT_OFF, requests.exceptions.ChunkedEncodingError),
        (Misbehaviour.GARBAGE, ParseError),
        (Misbehaviour.DROPS, requests.exceptions.ConnectionError),
    ],
)
def test_what_breaks_the_connection_is_an_error(way: Misbehaviour, error: type[Exception]) -> None:
    spec = computer(way)
    with Lab([spec], https_port=None) as lab:
        short = {"read_timeout_sec": 2, "operation_timeout_sec": 1} if way is Misbehaviour.HANG else {}
        client = protocol(lab, spec, **short)
        with pytest.raises(error):
            ask(client, ("identity", {}))


def test_a_refused_password_is_refused_over_ntlm_too() -> None:
    spec = computer(Misbehaviour.REFUSE_PASSWORD)
    with Lab([spec], https_port=None) as lab, pytest.raises(InvalidCredentialsError):
        protocol(lab, spec, transport="ntlm").open_shell()


def test_a_dropping_computer_drops_once() -> None:
    spec = computer(Misbehaviour.DROPS)
    with Lab([spec], https_port=None) as lab:
        with pytest.raises(requests.exceptions.ConnectionError):
            ask(protocol(lab, spec), ("identity", {}))
        assert ask(protocol(lab, spec), ("identity", {})).result()["name"] == "pc1"


def test_an_imposter_is_somebody_else() -> None:
    spec = computer(Misbehaviour.IMPOSTER)
    with Lab([spec], https_port=None) as lab:
        identity = ask(protocol(lab, spec), ("identity", {})).result()
        assert identity["name"] != spec.name
        assert identity["uuid"] != spec.identity_uuid


def test_noise_leaves_the_frames_whole() -> None:
    spec = computer(Misbehaviour.NOISE)
    with Lab([spec], https_port=None) as lab:
        reply = ask(protocol(lab, spec), ("identity", {}))
        assert [one["id"] for one in reply.frames] == ["o0", "!end"]
        assert reply.stdout.startswith(b"WARNING")
        assert reply.stdout.endswith(b"goodbye\r\n")


def test_empty_is_exit_code_0_and_no_output() -> None:
    spec = computer(Misbehaviour.EMPTY)
    with Lab([spec], https_port=None) as lab:
        reply = ask(protocol(lab, spec), ("identity", {}))
        assert (reply.stdout, reply.exit_code) == (b"", 0)


def test_constrained_language_refuses_the_bundle() -> None:
    spec = computer(Misbehaviour.CONSTRAINED)
    with Lab([spec], https_port=None) as lab:
        (only,) = ask(protocol(lab, spec), ("identity", {})).frames
        assert (only["id"], only["status"], only["error"]) == ("!bundle", "failed", "constrained_language")


def test_corrupt_frames_do_not_match_their_checksum() -> None:
    spec = computer(Misbehaviour.CORRUPT)
    with Lab([spec], https_port=None) as lab, pytest.raises((AssertionError, ValueError, EOFError, OSError)):
        ask(protocol(lab, spec), ("identity", {}))


@pytest.mark.parametrize(("way", "op"), [(Misbehaviour.SLOW, "identity"), (Misbehaviour.SLOW_DETECTION, "script")])
def test_slow_ones_take_their_time(way: Misbehaviour, op: str) -> None:
    spec = computer(way)
    with Lab([spec], https_port=None, knobs=Knobs(slow_seconds=0.2)) as lab:
        began = time.monotonic()
        ask(protocol(lab, spec), (op, {"purpose": "get", "item": "task/t"}))
        assert time.monotonic() - began >= 0.2


def test_a_script_slower_than_its_time_out_is_timed_out() -> None:
    spec = computer(Misbehaviour.SLOW_DETECTION)
    with Lab([spec], https_port=None, knobs=Knobs(slow_seconds=5)) as lab:
        reply = ask(
            protocol(lab, spec), ("script", {"purpose": "get", "item": "task/t"}), ("identity", {}), timeout=0.1
        )
        assert [one["status"] for one in reply.frames] == ["timed_out", "ok", "ok"]


def test_reboot_twice_boots_twice() -> None:
    spec = computer(Misbehaviour.REBOOT_TWICE)
    with Lab([spec], https_port=None) as lab:
        ask(protocol(lab, spec), ("reboot", {"delay_seconds": 0.05, "reason": "r", "boot": {"id": "100"}}))
        wait_for(lab, "booted", 2)
        assert ask(protocol(lab, spec), ("identity", {})).result()["boot"]["id"] == "102"


def test_never_back_stays_away() -> None:
    spec = computer(Misbehaviour.NEVER_BACK)
    with Lab([spec], https_port=None, knobs=Knobs(reboot_seconds=0)) as lab:
        ask(protocol(lab, spec), ("reboot", {"delay_seconds": 0.05, "reason": "r", "boot": {"id": "100"}}))
        wait_for(lab, "never_back")
        with pytest.raises(requests.exceptions.ConnectionError):
            ask(protocol(lab, spec), ("identity", {}))


def test_a_reboot_resets_open_connections() -> None:
    spec = computer()
    with Lab([spec], https_port=None, knobs=Knobs(reboot_seconds=60)) as lab:
        client = protocol(lab, spec)
        client.open_shell()
        lab.reboot("pc1")
        wait_for(lab, "reboot")
        with pytest.raises(requests.exceptions.ConnectionError):
            client.open_shell()
