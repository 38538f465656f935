"""A generated fleet repository and the lab that stands for its computers, as operators start it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Measured, measure

USER, PASSWORD = "immy", "bench-Passw0rd"
IMMY = (sys.executable, "-m", "immy_nornir")
TENANT_SIZE = 50
USUAL = ("--reply-delay", "0.02", "--powershell-start", "0.6", "--script-seconds", "0.05")
"""The lab's delays that stand for a usual network and usual computers."""

VARIABLES = {"IMMY_BENCH_PASSWORD": PASSWORD}
BASIC = {"ansible_winrm_scheme": "http", "ansible_winrm_transport": "basic", "immy_allow_plain_basic": True}
NTLM = {"ansible_winrm_scheme": "http", "ansible_winrm_transport": "ntlm"}
HTTPS = {
    "ansible_winrm_scheme": "https",
    "ansible_winrm_transport": "basic",
    "ansible_winrm_server_cert_validation": "ignore",
}


def name_of(number: int) -> str:
    """A computer's name."""
    return f"pc{number:05d}"


def address_of(number: int) -> str:
    """A computer's address."""
    return f"127.{90 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True, slots=True)
class World:
    """A fleet's folder; files that end in .yml may hold JSON, which is YAML."""

    root: Path
    port: int
    https_port: int

    def write(self, path: str, content: object) -> None:
        """Write a file of the fleet."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")

    def inventory(
        self,
        count: int,
        reach: Mapping[str, Any] = BASIC,
        *,
        name: str = "inventory/all.yml",
        lab: Mapping[str, Any] | None = None,
        password: object = None,
    ) -> None:
        """Computers in tenants of fifty; `lab` says what they hold, `password` stands where it is no secret."""
        tenants: dict[str, dict[str, Any]] = {}
        for number in range(count):
            tenant = tenants.setdefault(f"tenant{number // TENANT_SIZE:03d}", {"hosts": {}})
            tenant["hosts"][name_of(number)] = {"ansible_host": address_of(number)}
        https = reach.get("ansible_winrm_scheme") == "https"
        every = {
            "ansible_connection": "winrm",
            "ansible_port": self.https_port if https else self.port,
            "ansible_user": USER,
            "ansible_password": password or {"secret": "env:IMMY_BENCH_PASSWORD"},
            "immy_lab": LAB if lab is None else lab,
            **reach,
        }
        self.write(name, {"tenants": {"vars": every, "children": tenants}})

    def run(self, *arguments: str, count: int, workers: int) -> Measured:
        """`immy run ARGUMENTS` with a history of its own; every computer must have passed."""
        state = self.root / ".immy-bench"
        shutil.rmtree(state, ignore_errors=True)
        given = ("run", *arguments, "-f", str(workers), "--yes", "--no-report", "--format", "json")
        done = measure([*IMMY, "--state", str(state), *given], self.root, VARIABLES)
        sessions = json.loads(done.out)["sessions"]
        bad = [one for one in sessions if one["status"] != "passed"]
        assert len(sessions) == count, (len(sessions), count)
        assert not bad, bad[:3]
        return done

    @contextlib.contextmanager
    def lab(self, *knobs: str, https: bool = False) -> Iterator[None]:
        """A lab for the inventory, in a process of its own."""
        ports = ("--port", str(self.port), "--https-port", str(self.https_port if https else 0))
        state = ("--state", str(self.root / ".lab"))
        call([*IMMY, "lab", "up", "--detach", *state, *ports, *knobs, *ONE_SOCKET], self.root)
        try:
            yield
        finally:
            call([*IMMY, "lab", "down", *state], self.root)


ONE_SOCKET = ("--listen", "0.0.0.0")  # noqa: S104 - 10,000 computers are more than a process may have sockets


def call(command: Sequence[str], folder: Path) -> str:
    """Run a command that is not measured."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        env={**os.environ, **VARIABLES},
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


# --- what is deployed: 40 declarative items and 10 scripts ------------------------------------------------------

SOFTWARE, REGISTRY, SERVICES, FILES, SCRIPTS = 20, 12, 4, 4, 10

LAB: dict[str, Any] = {
    "software": [
        {"name": f"Program {number:02d} (x64)", "version": f"{number}.1", "publisher": "Contoso"}
        for number in range(SOFTWARE * 2)
    ],
    "registry": {"HKLM": {rf"SOFTWARE\Bench\S{number:02d}": {"On": 1} for number in range(REGISTRY)}},
    "services": {f"svc{number}": {"state": "running", "startup": "automatic"} for number in range(SERVICES)},
    "files": {rf"C:\bench\{number}.cfg": f"content {number}\n" for number in range(FILES)},
    "compliant": [f"task/script{number}" for number in range(SCRIPTS)],
}


def detection_fleet(world: World) -> None:
    """Fifty deployments that every computer has, all as they should be."""
    rules: list[dict[str, Any]] = []
    for number in range(SOFTWARE):
        body = {"title": f"Program {number}", "detect": {"display_name": f"Program {number:02d}*"}}
        version = {"version": f"{number}.1", "url": f"https://vendor.example/{number}.exe", "sha256": "0" * 64}
        world.write(f"tasks/software/program{number}/software.yml", {**body, "versions": [{**version, "type": "exe"}]})
        rules.append({"item": f"software/program{number}", "target": "tenants", "state": "latest"})
    tasks: dict[str, dict[str, Any]] = {}
    for number in range(REGISTRY):
        value = {"key": rf"HKLM\SOFTWARE\Bench\S{number:02d}", "name": "On", "value": 1}
        tasks[f"registry{number}"] = {"registry": value}
    for number in range(SERVICES):
        tasks[f"service{number}"] = {"service": {"name": f"svc{number}", "state": "running"}}
    for number in range(FILES):
        tasks[f"file{number}"] = {"file": {"path": rf"C:\bench\{number}.cfg", "content": f"content {number}\n"}}
    for number in range(SCRIPTS):
        tasks[f"script{number}"] = {"test": "test.ps1", "set": "set.ps1"}
        world.write(f"tasks/maintenance/script{number}/test.ps1", TEST_SCRIPT)
        world.write(f"tasks/maintenance/script{number}/set.ps1", "param($Params)\nSet-Thing\n")
    for name, body in tasks.items():
        world.write(f"tasks/maintenance/{name}/task.yml", {"title": name, **body})
        rules.append({"item": f"task/{name}", "target": "tenants", "mode": "enforce"})
    world.write("playbooks/deployments/all.yml", rules)


TEST_SCRIPT = """\
param($Params)
# About as long as a usual test.
$found = Get-ItemProperty -Path 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion' -ErrorAction SilentlyContinue
if ($null -eq $found) { return $false }
$services = Get-Service | Where-Object { $_.Status -eq 'Running' }
return ($services.Count -gt 0)
"""


@contextlib.contextmanager
def world_in(folder: Path, name: str) -> Iterator[World]:
    """An empty fleet in a folder of its own."""
    root = folder / name
    root.mkdir()
    yield World(root, free_port(), free_port())
