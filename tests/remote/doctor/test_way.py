"""What stands between us and a computer: names, ports, certificates, host keys; real sockets, a real sshd."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab.wsman.certificate import make_certificate
from immy_nornir.model.health import Health, Line
from immy_nornir.model.protocols import Address
from immy_nornir.remote import ssh
from immy_nornir.remote.doctor import ssh_way, way
from immy_nornir.remote.doctor.examine import Surroundings, examine
from immy_nornir.remote.winrm.endpoint import Endpoint, trust_of
from tests.remote.posix.conftest import NoSecrets, RealClock
from tests.remote.posix.test_ssh import Server, key, server

__all__ = ["server"]
DAY = 86400.0


def test_a_name_that_is_not_there_and_a_port_where_nothing_listens() -> None:
    (name,) = way.way("nowhere.invalid", 5985, "set it up").lines
    assert (name.check, name.health) == ("name", Health.PROBLEM)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        _, closed = way.way("127.0.0.1", port, "set it up").lines
        assert (closed.health, closed.found) == (
            Health.PROBLEM,
            f"{port} is refused: 127.0.0.1 is on, and nothing listens there",
        )
        assert closed.advice.startswith("set it up")
        free.listen()
        assert way.way("127.0.0.1", port, "").is_open


@contextmanager
def serving(folder: Path, now: float) -> Iterator[tuple[int, Path]]:
    """A TLS server with a certificate as of some time."""
    path = make_certificate(folder, ["127.0.0.1"], now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(20):
                try:
                    with listening.accept()[0] as one, context.wrap_socket(one, server_side=True):
                        pass
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], path
        listening.shutdown(socket.SHUT_RDWR)


def judged(port: int, host: str = "127.0.0.1", **more: Any) -> Line:
    endpoint = Endpoint(host, "", (), "", "", **more)
    (line,) = way.certificate(endpoint, host, port, trust_of(endpoint), time.time())
    return line


def test_a_certificate_is_judged_as_a_session_would(tmp_path: Path) -> None:
    with serving(tmp_path, time.time()) as (port, path):
        trusted = judged(port, ca=str(path))
        assert (trusted.health, "signed by itself" in trusted.found) == (Health.OK, True)
        unknown = judged(port)
        assert (unknown.health, unknown.found[:40]) == (Health.PROBLEM, "nobody that is trusted has signed it (fo")
        pin = unknown.advice.rpartition(" ")[2]
        assert judged(port, pin=pin).health is Health.OK
        assert judged(port, pin="0" * 64).health is Health.PROBLEM
        assert judged(port, validate=False).health is Health.WARNING
        assert judged(port, host="localhost", ca=str(path)).health is Health.OK


@pytest.mark.parametrize(
    ("age", "health", "found"),
    [
        (3700, Health.PROBLEM, "it has expired"),
        (3640, Health.WARNING, "it ends in"),
        (-5, Health.PROBLEM, "it is not valid yet"),
    ],
)
def test_a_certificate_of_another_time(tmp_path: Path, age: float, health: Health, found: str) -> None:
    with serving(tmp_path, time.time() - age * DAY) as (port, path):
        line = judged(port, ca=str(path))
        assert line.health is health
        assert line.found.startswith(found)


def test_a_certificate_for_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def found(host: str, *more: Any, **named: Any) -> Any:
        return known("127.0.0.1" if host == "pc.example" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with serving(tmp_path, time.time()) as (port, path):
        line = judged(port, host="pc.example", ca=str(path))
        assert (line.health, line.found.partition(" (")[0]) == (Health.PROBLEM, "it is for another name")


def test_a_port_that_speaks_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as one:
                one.sendall(b"HTTP/1.1 400 no\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        line = judged(listening.getsockname()[1])
        assert (line.health, line.advice) == (Health.PROBLEM, "is this port https? ansible_winrm_scheme")


SAID = {
    "Your account has expired; please contact your system administrator.\nConnection closed by 10.0.0.1 port 22": (
        "Your account has expired; please contact your system administrator.",
        "usermod",
    ),
    "WARNING: Your password has expired.\nPassword change required but no TTY available.": (
        "WARNING: Your password has expired.",
        "change it",
    ),
    "User ann not allowed because account is locked": ("User ann not allowed because account is locked", "passwd"),
    "Received disconnect: Too many authentication failures": (
        "Received disconnect: Too many authentication failures",
        "ansible_ssh_private_key_file",
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_what_the_other_side_says_of_a_login_is_shown(said: str) -> None:
    found, advice = SAID[said]
    line = ssh_way.failed(ssh_way.Route("pc", 22), said)
    assert line is not None
    assert (line.check, line.found) == ("login", found)
    assert advice in line.advice
    assert ssh_way.failed(ssh_way.Route("pc", 22), "Permission denied (publickey).") is None


# --- ssh ------------------------------------------------------------------------------------------------------


def looked(address: Address) -> dict[str, Line]:
    around = Surroundings(lambda one: ssh.connect(one, NoSecrets(), RealClock()), NoSecrets(), RealClock())
    return {one.check: one for one in examine(address, {}, around)}


@pytest.mark.slow
def test_a_computer_over_ssh_from_its_name_to_its_time_zone(server: Server, tmp_path: Path) -> None:
    well = looked(server.address())
    assert {one.health for one in well.values()} <= {Health.OK, Health.WARNING}
    assert list(well)[:5] == ["name", "port", "host key", "login", "identity"]

    known = tmp_path / "known"
    known.touch()
    other = {"ansible_ssh_common_args": f"-o UserKnownHostsFile={known}"}
    unknown = looked(server.address(**other))["host key"]
    assert unknown.health is Health.PROBLEM
    assert "not known yet: SHA256:" in unknown.found
    assert f"ssh-keyscan -p {server.port} 127.0.0.1 >> ~/.ssh/known_hosts" in unknown.advice

    known.write_text(f"[127.0.0.1]:{server.port} {key(tmp_path / 'another')}")
    changed = looked(server.address(**other))["host key"]
    assert changed.health is Health.PROBLEM
    assert "it has changed, it is SHA256:" in changed.found
    assert f"{known}, line 1" in changed.found
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in changed.advice

    unchecked = looked(server.address(ansible_host_key_checking=False, **other))
    assert unchecked["host key"].health is Health.WARNING
    refused = looked(server.address(ansible_ssh_private_key_file=str(server.folder / "stranger")))
    assert refused["login"].health is Health.PROBLEM
    assert "ermission denied" in refused["login"].found
    assert "identity" not in refused
