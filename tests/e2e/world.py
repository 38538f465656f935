"""A fleet repository in a folder of the test, a lab for its computers, and `immy` as a process over both.

What a test says of a computer comes from the lab (its log, its registry and files), never from our history alone.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import ComputerSpec, Knobs
from tests import warm
from tests.waiting import ENOUGH

USER, PASSWORD = "immy", "the lab's pass word"
FULL = ("--yes", "--no-report")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote to standard output."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass(slots=True)
class Fleet:
    """A fleet repository with a state folder beside it."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, content: object) -> Path:
        """Write a file of the fleet: text as it is, anything else as YAML."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False), "utf-8")
        return file

    def immy(self, *arguments: str, timeout: float = ENOUGH, stdin: str | None = None) -> Done:
        """Run a command in the fleet's folder."""
        environment = {**os.environ, "IMMY_E2E_PASSWORD": PASSWORD, **self.variables}
        command = [*warm.IMMY, "-C", str(self.root), *arguments]
        done = warm.run(command, timeout=timeout, stdin=stdin or "", env=environment)
        assert "Traceback" not in done.stderr, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments: str, timeout: float = ENOUGH) -> Run:
        """`immy run ... --yes`, with its sessions."""
        done = self.immy("run", *arguments, *FULL, "--format", "json", timeout=timeout)
        assert done.out.startswith("{"), done
        rows = self.immy("sessions", "list", "--run", done.json["run"], "-n", "500", "--format", "json").json[
            "sessions"
        ]
        return Run(self, done, {row["computer"]: row for row in rows})


@dataclass(slots=True)
class Run:
    """A run that has ended."""

    fleet: Fleet
    done: Done
    rows: dict[str, dict[str, Any]]
    _shown: dict[str, dict[str, Any]] = field(default_factory=dict)

    def status(self, computer: str) -> str:
        """A session's status."""
        return str(self.rows[computer]["status"])

    def reason(self, computer: str) -> str:
        """A session's reason."""
        return str(self.rows[computer]["reason"])

    def session(self, computer: str) -> dict[str, Any]:
        """Everything that `immy sessions show` says of a session."""
        if computer not in self._shown:
            shown = self.fleet.immy("sessions", "show", self.rows[computer]["id"], "--format", "json")
            self._shown[computer] = shown.json
        return self._shown[computer]

    def actions(self, computer: str) -> dict[str, dict[str, Any]]:
        """A session's actions by id, in their order."""
        return {one["id"]: one for one in self.session(computer)["session"]["actions"]}

    def outcomes(self, computer: str) -> dict[str, tuple[str, str, str | None]]:
        """(type, outcome, reason) of every action."""
        return {k: (a["type"], a["outcome"], a["outcome_reason"]) for k, a in self.actions(computer).items()}


def spec(name: str, number: int, **fields: Any) -> ComputerSpec:
    """A computer of the lab at an address of its own."""
    return ComputerSpec(
        name, address=f"127.77.{number // 200}.{number % 200 + 1}", username=USER, password=PASSWORD, **fields
    )


def inventory(
    lab: Lab, computers: Iterable[ComputerSpec], more: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """An inventory of these computers of a lab: Basic over http, allowed by name; `more` variables by computer."""
    hosts = {one.name: {"ansible_host": one.address, **(more or {}).get(one.name, {})} for one in computers}
    reach = {
        "ansible_connection": "winrm",
        "ansible_port": lab.port,
        "ansible_winrm_scheme": "http",
        "ansible_winrm_transport": "basic",
        "immy_allow_plain_basic": True,
        "ansible_user": USER,
        "ansible_password": {"secret": "env:IMMY_E2E_PASSWORD"},
    }
    return {"tenants": {"children": {"acme": {"hosts": hosts, "vars": reach}}}}


@contextlib.contextmanager
def up(
    folder: Path,
    computers: Sequence[ComputerSpec],
    files: Mapping[str, object],
    more: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    knobs: Knobs | None = None,
    powershell: Sequence[str] | None = None,
) -> Iterator[tuple[Fleet, Lab]]:
    """A lab that is up, and the fleet that reaches its computers."""
    quick = Knobs(reboot_seconds=0.3, hard_reboot_delay=0.1)
    with Lab(computers, knobs=knobs or quick, powershell=powershell) as lab:
        fleet = Fleet(folder)
        fleet.write("inventory/computers.yml", inventory(lab, computers, more))
        for path, content in files.items():
            fleet.write(path, content)
        yield fleet, lab


def snapshot(lab: Lab, name: str) -> str:
    """Everything that a simulated computer holds, as text that compares."""
    state: Any = lab.computers[name].machine
    held = state.state
    return json.dumps(
        {
            "registry": held.registry.content(),
            "services": held.services,
            "files": held.files,
            "packages": [[*key, value] for key, value in sorted(held.packages.items())],
            "compliant": sorted(held.compliant),
            "versions": held.versions,
            "pending": held.pending,
            "boot": held.boot_id,
        },
        sort_keys=True,
        default=repr,
    )


def operations(lab: Lab, computer: str | None = None) -> list[dict[str, Any]]:
    """Operations that computers executed, by the lab's log."""
    return [dict(one) for one in lab.events("operation", computer)]


def jobs(lab: Lab, computer: str | None = None) -> list[tuple[str, str]]:
    """(item, kind of job's action) of every job that computers began, in order, by the lab's log."""
    return [(str(one["item"]), str(one["action"])) for one in lab.events("installer_started", computer)]


def software(name: str, **fields: Any) -> dict[str, Any]:
    """A definition of software that is found by its display name `Title of NAME`, with versions 1.0 and 2.0."""
    versions = [
        {
            "version": one,
            "url": f"https://vendor.example/{name.replace(' ', '-')}-{one}.exe",
            "sha256": "0" * 64,
            "type": "exe",
        }
        for one in ("1.0", "2.0")
    ]
    return {"title": name, "detect": {"display_name": f"{name}*"}, "versions": versions, **fields}


def registry_task(name: str, **fields: Any) -> dict[str, Any]:
    """A task that declares one registry value."""
    return {"title": name, "registry": {"key": rf"HKLM\SOFTWARE\E2E\{name}", "name": "On", "value": 1}, **fields}
