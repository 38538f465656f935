"""Many computers behind one sshd that takes few connections at a time: those that were turned away are asked again."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.lab import Lab
from tests.remote.posix.test_ssh import find_sshd, key, listens
from tests.waiting import eventually

from .fleets import Fleet, write

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="it needs an sshd of its own")]

COMPUTERS = 10


@pytest.fixture
def bastion(tmp_path: Path) -> Iterator[int]:
    """The port of an sshd with a small MaxStartups, whose greeting takes its time as over a distance."""
    sshd = find_sshd()
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key(tmp_path / "server")
    (tmp_path / "authorized").write_text(key(tmp_path / "user"))
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {tmp_path / 'server'}", "PidFile none", "UsePAM no"]
    lines += [f"AuthorizedKeysFile {tmp_path / 'authorized'}", "StrictModes no", "PermitRootLogin yes"]
    lines += ["MaxStartups 2:70:30"]
    (tmp_path / "config").write_text("\n".join(lines) + "\n")
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([sshd, "-D", "-e", "-f", str(tmp_path / "config")], stderr=log) as process,
    ):
        try:
            eventually(lambda: listens(port), "sshd")
            yield port
        finally:
            process.kill()


def test_who_was_turned_away_by_a_crowded_bastion_is_asked_again(tmp_path: Path, bastion: int) -> None:
    hosts = {f"pc{number:02}": {"ansible_host": "127.0.0.1"} for number in range(COMPUTERS)}
    common = {
        "ansible_connection": "ssh",
        "ansible_port": bastion,
        "ansible_user": getpass.getuser(),
        "ansible_ssh_private_key_file": str(tmp_path / "user"),
        "ansible_host_key_checking": False,
        "immy_spool": str(tmp_path / "spool"),
    }
    files = {
        "inventory/hosts.yml": json.dumps({"all": {"hosts": hosts, "vars": common}}),
        "playbooks/all.yml": "- {name: all, hosts: all, maintenance: inventory}\n",
    }
    write(tmp_path, files)
    fleet = Fleet(tmp_path, Lab([], folder=tmp_path / "lab"))
    fleet.immy("run", "playbooks/all.yml", expect=None, timeout=170)
    assert set(fleet.statuses().values()) == {"passed"}
    assert b"MaxStartups" in (tmp_path / "log").read_bytes()  # it did turn some away
