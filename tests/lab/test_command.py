"""`immy lab up`, `status` and `down`, as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import winrm

from tests.waiting import ENOUGH

pytestmark = pytest.mark.slow
INVENTORY = """
all:
  vars: {ansible_connection: winrm, ansible_user: admin, ansible_password: {secret: "env:LAB_PASSWORD"}}
  children:
    plain:
      vars: {ansible_port: 5985, ansible_winrm_transport: basic}
      hosts:
        pc1: {ansible_host: 127.9.0.1, immy_lab: {users: [anna]}}
        pc2: {ansible_host: 127.9.0.2}
        real: {ansible_host: 192.0.2.7}
    safe:
      vars: {ansible_port: 5986, ansible_winrm_scheme: https, ansible_winrm_transport: basic}
      hosts:
        pc3: {ansible_host: 127.9.0.3}
  hosts:
    here: {ansible_connection: local}
    posix: {ansible_connection: ssh, ansible_host: 127.9.0.9}
"""


def immy(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from immy_nornir.cli.commands.lab import main; main()", *words],
        cwd=folder,
        env={"LAB_PASSWORD": "geheim"},
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )


def test_a_lab_is_up_until_it_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "all.yml").write_text(INVENTORY)
    up = immy(tmp_path, "up", "--port", "0", "--https-port", "0", "--detach")
    try:
        assert (up.returncode, up.stdout) == (0, ""), up.stderr
        status = json.loads(immy(tmp_path, "status", "--format", "json").stdout)
        assert (status["running"], status["computers"], status["up"], status["shells"]) == (True, 3, 3, {})
        plain = winrm.Session(f"http://127.9.0.1:{status['port']}/wsman", ("admin", "geheim"), proxy=None)
        assert plain.run_cmd("hostname").std_out == b"pc1\r\n"
        safe = winrm.Session(
            f"https://127.9.0.3:{status['https_port']}/wsman",
            ("admin", "geheim"),
            transport="ssl",
            ca_trust_path=str(tmp_path / ".immy" / "lab.pem"),
            proxy=None,
        )
        assert safe.run_cmd("hostname").std_out == b"pc3\r\n"
        leaked = plain.protocol.open_shell()
        assert leaked
        assert "pc1: 1 open shell" in immy(tmp_path, "status").stdout
        assert "running already" in immy(tmp_path, "up").stderr
    finally:
        down = immy(tmp_path, "down")
    assert down.returncode == 0
    assert immy(tmp_path, "status").returncode == 1
    assert not any("geheim" in path.read_text() for path in (tmp_path / ".immy").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("inventory", "words"),
    [
        (
            "all: {hosts: {pc1: {ansible_host: 127.9.0.1, ansible_connection: winrm, immy_lab: {usrs: []}}}}",
            "did you mean 'users'",
        ),
        ("all: {hosts: {pc1: {ansible_host: 192.0.2.1, ansible_connection: winrm}}}", "127.0.0.0/8"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(tmp_path: Path, inventory: str, words: str) -> None:
    (tmp_path / "inventory.yml").write_text(inventory)
    up = immy(tmp_path, "up", "-i", "inventory.yml", "--detach")
    assert up.returncode == 2
    assert words in up.stderr
    assert "Traceback" not in up.stderr
