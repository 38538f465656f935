"""The same wire over a real sshd on a free port of this machine, with keys of its own."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.errors import (
    AuthenticationError,
    CertificateError,
    DroppedError,
    GarbledError,
    NoRoomError,
    NotAcceptedError,
    RefusedError,
    TransportError,
    UnreachableError,
)
from immy_nornir.model.protocols import Address
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.model.wire import AnswerStatus, JobState
from immy_nornir.remote import ssh
from immy_nornir.remote.posix.connection import PosixConnection
from tests.waiting import ENOUGH, all_end, eventually

from .conftest import ROOT, SIGKILL, NoSecrets, RealClock, alive, job, script

pytestmark = pytest.mark.slow


def find_sshd() -> str:
    """The path of sshd, installed first where that is ours to do."""
    root = ROOT
    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh")
    places = os.pathsep.join(["/usr/sbin", "/usr/local/sbin", os.environ.get("PATH", "")])
    if shutil.which("sshd", path=places) is None and root and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "openssh-server"]):
            subprocess.run(["apt-get", "-q", *command], check=False, capture_output=True, env=environment, timeout=600)
    found = shutil.which("sshd", path=places)
    if found is None:
        pytest.skip("there is no sshd, and it can be installed as root on a Debian only")
    return found


@dataclasses.dataclass
class Server:
    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    def address(self, **settings: Value) -> Address:
        known = f"-o UserKnownHostsFile={self.folder / 'known_hosts'}"
        base: dict[str, Value] = {
            "ansible_ssh_private_key_file": str(self.folder / "user"),
            "ansible_ssh_common_args": known,
            "immy_spool": str(self.folder / "spool"),
        }
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True, timeout=ENOUGH).stdout.strip()
        return Address("there", "ssh", "127.0.0.1", self.port, user, settings={**base, **settings})

    def connect(self, **settings: Value) -> PosixConnection:
        return ssh.connect(self.address(**settings), NoSecrets(), RealClock())


def key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=ENOUGH)
    return path.with_suffix(".pub").read_text()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    sshd = find_sshd()
    folder = tmp_path_factory.mktemp("sshd")
    if ROOT:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    public = key(folder / "server")
    (folder / "authorized").write_text(key(folder / "user"))
    key(folder / "stranger")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'server'}", "PidFile none"]
    lines += [
        f"AuthorizedKeysFile {folder / 'authorized'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication yes",
    ]
    lines += ["PermitRootLogin yes", "MaxStartups 50", f"Banner {folder / 'banner'}"]
    (folder / "banner").write_text("Unauthorized use is prohibited!\n")
    (folder / "config").write_text("\n".join(lines) + "\n")
    log = (folder / "log").open("wb")
    with subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "config")], stderr=log) as process:
        try:
            eventually(lambda: listens(port), f"sshd, which writes to {folder / 'log'}")
            yield Server(process, folder, port)
        finally:
            process.kill()
    log.close()


def test_reading_and_jobs_over_one_kept_connection(server: Server) -> None:
    connection = server.connect()
    identity = connection.identify()
    assert identity.name
    before = (server.folder / "log").read_text().count("Accepted publickey")
    answers = connection.read([script("printf 'ü\n\n'", "a"), script("sleep 9", "b", timeout=1), script("cat", "c")])
    assert answers["a"].result == "ü\n"
    assert answers["b"].status is AnswerStatus.TIMED_OUT
    spec = job('echo "$IMMY_KEY"; exit 3', secrets={"key": "s3"})
    status = connection.start_job(spec, 10)
    assert (status.state, status.output) == (JobState.FINISHED, "s3\n")
    assert (server.folder / "log").read_text().count("Accepted publickey") == before
    connection.close()
    connection.close()


@pytest.fixture
def short_temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a name short enough for sockets."""
    folder = Path("/tmp") / f"immy-{secrets.token_hex(4)}"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_a_script_that_ends_the_runner_costs_itself_only(server: Server) -> None:
    connection = server.connect()
    text = "kill -9 $(ps -o ppid= -p $PPID); sleep 5"
    answers = connection.read([script("echo 1", "a"), script(text, "bad"), script("echo 2", "z")])
    assert [answers["a"].result, answers["z"].result] == [1, 2]
    assert answers["bad"].status is AnswerStatus.DIED
    connection.close()


def test_closing_leaves_nothing_behind(server: Server, short_temporary: Path) -> None:
    connection = server.connect()
    connection.identify()
    assert list(short_temporary.glob("*/control"))
    there = masters(short_temporary)
    assert there
    connection.close()
    eventually(lambda: not any(alive(pid) for pid in there))
    assert list(short_temporary.iterdir()) == []


def test_a_job_outlives_the_connection(server: Server, tmp_path: Path) -> None:
    connection = server.connect()
    spec = job(f"sleep 1; echo run >>{tmp_path / 'runs'}; echo done")
    connection.start_job(spec)
    connection.close()
    connection = server.connect()
    status = connection.wait_job(spec.job_id, 0, 20)
    assert (status.state, status.output) == (JobState.FINISHED, "done\n")
    assert (tmp_path / "runs").read_text() == "run\n"
    connection.close()


def masters(folder: Path) -> list[int]:
    """The ssh processes whose control socket lies there."""
    said = subprocess.run(
        ["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False, timeout=ENOUGH
    ).stdout
    return [int(word) for word in said.split()]


def test_a_connection_that_breaks_while_it_is_used_is_dropped(
    server: Server, short_temporary: Path, tmp_path: Path
) -> None:
    connection = server.connect()

    def cut() -> None:
        eventually((tmp_path / "runs").exists)
        for pid in masters(short_temporary):
            os.kill(pid, SIGKILL)

    cutter = threading.Thread(target=cut)
    cutter.start()
    waits = f"touch {tmp_path / 'runs'}; while [ ! -e {tmp_path / 'over'} ]; do sleep 0.1; done"
    with pytest.raises((DroppedError, GarbledError)):
        connection.read([script(waits, timeout=120)])
    all_end([cutter])
    (tmp_path / "over").touch()
    connection.close()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ansible_ssh_private_key_file": "stranger"}, AuthenticationError),
        ({"ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null"}, CertificateError),
        ({"port": 1}, UnreachableError),
        ({"host": "no-such-computer.invalid"}, UnreachableError),
        ({"host": "-oProxyCommand=touch x"}, UnreachableError),
        ({"ansible_ssh_extra_args": "'unclosed"}, UnreachableError),
        ({"ansible_become": True, "ansible_become_method": "magic"}, RefusedError),
    ],
)
def test_what_ssh_says_becomes_one_of_our_errors(
    server: Server, change: dict[str, str | int], error: type[TransportError]
) -> None:
    change = dict(change)
    host, port = str(change.pop("host", "127.0.0.1")), int(change.pop("port", server.port))
    if "ansible_ssh_private_key_file" in change:
        change["ansible_ssh_private_key_file"] = str(server.folder / str(change["ansible_ssh_private_key_file"]))
    address = dataclasses.replace(server.address(**change), host=host, port=port)
    with pytest.raises(error):
        ssh.connect(address, NoSecrets(), RealClock()).identify()


def test_host_keys_are_not_checked_where_the_inventory_says_so(server: Server) -> None:
    connection = server.connect(ansible_ssh_common_args="", ansible_host_key_checking="false")
    assert connection.identify().name
    connection.close()


def test_another_host_key_is_never_accepted(server: Server) -> None:
    known = server.folder / "other_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {(server.folder / 'stranger.pub').read_text()}")
    with pytest.raises(CertificateError):
        server.connect(ansible_ssh_common_args=f"-o UserKnownHostsFile={known}").identify()


@pytest.fixture
def password_user() -> Iterator[tuple[str, str]]:
    """A user of this machine with a password."""
    if not ROOT or shutil.which("useradd") is None:
        pytest.skip("only root can make a user with a password")
    # A name of its own: a run that was killed leaves its user behind.
    name, password = f"immy-test-{secrets.token_hex(4)}", f'it\'s $x "{secrets.token_hex(8)}"'
    coded = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=password,
        text=True,
        capture_output=True,
        check=True,
        timeout=ENOUGH,
    )
    subprocess.run(["useradd", "-m", "-s", "/bin/sh", "-p", coded.stdout.strip(), name], check=True, timeout=ENOUGH)
    try:
        yield name, password
    finally:
        # Also where sshd has not quite let the user go.
        subprocess.run(["userdel", "-f", "-r", name], check=False, capture_output=True, timeout=ENOUGH)


class OneSecret:
    def __init__(self, value: str) -> None:
        self.value = value

    def reveal(self, reference: SecretRef) -> str:
        assert reference == SecretRef("env:PASSWORD")
        return self.value


def test_a_password_reaches_ssh_and_no_argument(server: Server, password_user: tuple[str, str]) -> None:
    name, password = password_user
    address = dataclasses.replace(
        server.address(ansible_ssh_private_key_file="", immy_spool=""),
        username=name,
        password=SecretRef("env:PASSWORD"),
    )
    connection = ssh.connect(address, OneSecret(password), RealClock())
    assert connection.read([script("id -un")])["s"].result == name
    seen = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK))
    assert password.encode() not in seen
    home = connection.read([script('echo "$HOME"')])["s"].result
    spec = job("id -un")
    assert connection.start_job(spec, 10).output == f"{name}\n"
    assert Path(f"{home}/.local/state/immy/spool/{spec.job_id.replace('/', '-')}").is_dir()
    connection.close()
    wrong = ssh.connect(address, OneSecret("wrong"), RealClock())
    with pytest.raises(AuthenticationError) as raised:
        wrong.identify()
    assert "wrong" not in str(raised.value)


def test_become_without_a_working_sudo_is_refused(server: Server) -> None:
    connection = server.connect(ansible_become=True, ansible_become_user="no-such-user")
    with pytest.raises(RefusedError):
        connection.identify()
    connection.close()


@pytest.mark.skipif(shutil.which("sudo") is None, reason="there is no sudo")
def test_become_runs_as_another_user(server: Server) -> None:
    connection = server.connect(ansible_become="yes", ansible_become_user="nobody")
    assert connection.read([script("id -un")])["s"].result == "nobody"
    connection.close()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("ssh: connect to host x port 22: Connection refused", NotAcceptedError),
        ("kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 1.2.3.4", DroppedError),
        ("kex_exchange_identification: Connection closed by remote host", DroppedError),
        ("ssh_exchange_identification: Connection closed by remote host", DroppedError),
        ("Not allowed at this time\r\nConnection closed by UNKNOWN port 65535", DroppedError),
        ("banner exchange: Connection to UNKNOWN port 65535: Connection timed out", UnreachableError),
        ("channel 0: open failed: connect failed: Connection refused\r\nstdio forwarding failed", NotAcceptedError),
        ("ssh: connect to host x port 22: Connection timed out", UnreachableError),
        ("ssh: Could not resolve hostname x: Name or service not known", UnreachableError),
        ("root@x: Permission denied (publickey,password).", AuthenticationError),
        ("Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures", AuthenticationError),
        ("@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.", CertificateError),
        ("No ED25519 host key is known for x and you have requested strict checking.", CertificateError),
        ("client_loop: send disconnect: Broken pipe", DroppedError),
        ("Timeout, server x not responding.", DroppedError),
        ("Connection to x closed by remote host.", DroppedError),
        ("", DroppedError),
        ("socket: Too many open files\nssh: connect to host x port 22: failure", NoRoomError),
        ("ssh: Could not resolve hostname x: Too many open files", NoRoomError),
        ("ssh_askpass: fork: Resource temporarily unavailable\nPermission denied (password).", NoRoomError),
        ('Load key "/k": Cannot allocate memory\r\nroot@x: Permission denied (publickey).', NoRoomError),
        ("sh: 1: fork: Resource temporarily unavailable\nConnection to x closed by remote host.", DroppedError),
    ],
)
def test_what_ssh_can_say(said: str, kind: type[TransportError]) -> None:
    assert type(ssh.error_of(said, "x")) is kind
