"""pywinrm, unmodified, talks to computers of the lab."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests
import winrm
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError

from immy_nornir.errors import UsageError
from immy_nornir.lab import ComputerSpec, Knobs, Lab
from tests.lab.client import BOOTSTRAP, ask, command_line, encode, frames_of, protocol, run

PC1 = ComputerSpec("pc1", "127.1.0.1", username="admin", password="geheim:1", domain="corp.example", users=("anna",))


@pytest.fixture
def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def test_a_session_runs_a_command_over_basic_and_http() -> None:
    with Lab([PC1], https_port=None) as lab:
        session = winrm.Session(f"http://127.1.0.1:{lab.port}/wsman", (PC1.username, PC1.password), proxy=None)
        response = session.run_cmd("hostname")
        assert (response.status_code, response.std_out) == (0, b"pc1\r\n")
        assert lab.shells() == {}


def test_a_bundle_with_identity_is_answered_by_its_computer() -> None:
    with Lab([PC1], https_port=None) as lab:
        reply = ask(protocol(lab, PC1), ("identity", {}))
        assert [one["id"] for one in reply.frames] == ["o0", "!end"]
        assert reply.result()["name"] == "pc1"
        assert reply.result()["uuid"] == PC1.identity_uuid
        assert reply.result()["boot"]["id"] == "100"
        assert reply.frames[-1]["result"] == {"answered": 1, "untouched": []}


def test_https_is_trusted_by_the_labs_certificate() -> None:
    with Lab([PC1]) as lab:
        client = protocol(
            lab,
            PC1,
            endpoint=f"https://127.1.0.1:{lab.https_port}/wsman",
            transport="ssl",
            ca_trust_path=str(lab.certificate_path),
        )
        assert ask(client, ("identity", {})).result()["name"] == "pc1"


def test_https_is_not_trusted_without_it() -> None:
    with Lab([PC1]) as lab:
        client = protocol(lab, PC1, endpoint=f"https://127.1.0.1:{lab.https_port}/wsman", transport="ssl")
        with pytest.raises(requests.exceptions.SSLError):
            client.open_shell()


@pytest.mark.parametrize("username", ["admin", "CORP\\admin", "admin@corp.example"])
def test_ntlm_seals_the_messages(username: str) -> None:
    spec = replace(PC1, username=username)
    with Lab([spec], https_port=None) as lab:
        client = protocol(lab, spec, transport="ntlm", message_encryption="always")
        big = {"item": "task/x", "purpose": "get", "params": {"text": "ä" * 300_000}}
        assert ask(client, ("identity", {}), ("script", big)).result()["name"] == "pc1"


def test_ntlm_works_over_https_too() -> None:
    with Lab([PC1]) as lab:
        client = protocol(
            lab,
            PC1,
            endpoint=f"https://127.1.0.1:{lab.https_port}/wsman",
            transport="ntlm",
            ca_trust_path=str(lab.certificate_path),
        )
        assert ask(client, ("identity", {})).result()["name"] == "pc1"


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
def test_a_wrong_password_is_refused(transport: str) -> None:
    with Lab([PC1], https_port=None) as lab:
        client = protocol(lab, PC1, transport=transport, password="wrong")
        with pytest.raises(InvalidCredentialsError):
            client.open_shell()
        assert lab.events("auth_refused", "pc1")
        assert "geheim" not in lab.log_path.read_text()


def test_an_unknown_address_resets() -> None:
    with Lab([PC1], https_port=None) as lab, pytest.raises(requests.exceptions.ConnectionError):
        protocol(lab, replace(PC1, address="127.1.0.99")).open_shell()


@pytest.mark.parametrize(("listen", "free"), [(None, True), ("0.0.0.0", False)])  # noqa: S104 - the word of the option
def test_it_listens_at_its_computers_addresses_only(listen: str | None, free: bool) -> None:
    with Lab([PC1], https_port=None, listen=listen) as lab, socket.socket() as other:
        protocol(lab, PC1).open_shell()
        if free:
            other.bind(("127.1.0.99", lab.port))
        else:
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.1.0.99", lab.port))


def test_a_port_that_is_taken_and_an_address_that_is_not_there_are_named() -> None:
    elsewhere = ComputerSpec("pc2", "203.0.113.7")
    with socket.socket() as taken:
        taken.bind(("127.1.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.1.0.1 cannot be had"), Lab([PC1], port=port):
            pass
        with pytest.raises(UsageError, match="is no address of this machine"), Lab([PC1, elsewhere]):
            pass


def test_computers_with_ports_of_their_own_share_an_address(free_ports: tuple[int, int]) -> None:
    specs = [ComputerSpec(f"pc{n}", "127.0.0.1", port=port) for n, port in enumerate(free_ports)]
    with Lab(specs, https_port=None) as lab:
        names = [ask(protocol(lab, spec), ("identity", {})).result()["name"] for spec in specs]
    assert names == ["pc0", "pc1"]


def test_a_receive_without_news_ends_in_the_time_out_fault() -> None:
    with Lab([PC1], https_port=None, knobs=Knobs(powershell_start=30)) as lab:
        client = protocol(lab, PC1, operation_timeout_sec=1)
        shell = client.open_shell()
        command = client.run_command(shell, command_line(BOOTSTRAP), console_mode_stdin=False)
        with pytest.raises(WinRMOperationTimeoutError):
            client.get_command_output_raw(shell, command)
        client.cleanup_command(shell, command)
        client.close_shell(shell)


def test_a_closed_shell_is_not_found() -> None:
    with Lab([PC1], https_port=None) as lab:
        client = protocol(lab, PC1)
        client.close_shell(client.open_shell(), close_session=False)
        with pytest.raises(WSManFaultError) as caught:
            client.run_command("6D2F1C30-0000-0000-0000-000000000000", "hostname")
        assert caught.value.wsman_fault_code == 2150858843


def test_leaked_shells_are_counted_and_limited() -> None:
    with Lab([PC1], https_port=None) as lab:
        client = protocol(lab, PC1)
        for _ in range(30):
            client.open_shell()
        assert lab.shells() == {"pc1": 30}
        with pytest.raises(WSManFaultError) as caught:
            client.open_shell()
        assert caught.value.wsman_fault_code == 2150859173
        client.transport.close_session()


def test_a_command_line_longer_than_cmd_takes_is_refused() -> None:
    with Lab([PC1], https_port=None) as lab:
        stdout, stderr, code = run(protocol(lab, PC1), command_line("x" * 4000))
        assert (stdout, code) == (b"", 1)
        assert b"too long" in stderr


def test_what_a_simulated_computer_cannot_run_fails_with_a_reason() -> None:
    with Lab([PC1], https_port=None) as lab:
        _, stderr, code = run(protocol(lab, PC1), command_line("Get-Process | Sort-Object"))
        assert code == 1
        assert b"simulated" in stderr


def test_output_larger_than_an_envelope_comes_in_parts() -> None:
    value = "".join(f"{n:x}" for n in range(150_000))
    spec = replace(PC1, values={"inventory/big": value})
    with Lab([spec], https_port=None) as lab:
        reply = ask(protocol(lab, spec), ("script", {"purpose": "inventory", "item": "inventory/big"}))
        assert reply.result() == value
        assert len(reply.stdout) > 153_600


def test_a_damaged_request_is_refused_whole() -> None:
    with Lab([PC1], https_port=None) as lab:
        good = encode([{"id": "o0", "op": "identity", "params": {}}], "a" * 32)
        stdout, _, _ = run(protocol(lab, PC1), command_line(BOOTSTRAP), good.replace(b"IMMY1 ", b"IMMY1 9"))
        frames = frames_of(stdout, "a" * 32)
        assert [(one["id"], one["status"]) for one in frames] == [("!bundle", "failed")]
        assert lab.events("operation") == []


@pytest.mark.slow
def test_three_hundred_computers_answer_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # pywinrm asks for no proxy; requests sets the variable for a moment and removes it, which threads do not survive.
    monkeypatch.setenv("no_proxy", "*")
    specs = [ComputerSpec(f"pc{n}", f"127.1.{n // 200}.{n % 200 + 1}") for n in range(300)]
    with Lab(specs, https_port=None) as lab, ThreadPoolExecutor(32) as pool:
        names = list(pool.map(lambda one: ask(protocol(lab, one), ("identity", {})).result()["name"], specs))
        assert names == [one.name for one in specs]
        assert lab.shells() == {}
