"""Small fleets in a folder of their own, with a lab of their own on free ports, driven by `immy` as processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from immy_nornir.lab import ComputerSpec, Knobs, Lab
from immy_nornir.model.values import Json
from tests import warm
from tests.waiting import ENOUGH, eventually

PASSWORD = "L4b-Secret-Passw0rd"
IMMY = warm.IMMY
SOFTWARE = ("alpha", "beta", "gamma")

BOOK = """
- name: all
  hosts: tenants
  maintenance: full
  options: {reboot: automatic, offline: skip}
"""


def write(root: Path, files: Mapping[str, str]) -> None:
    """Files of a fleet."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def software_files(names: Sequence[str] = SOFTWARE, reboots: Sequence[str] = ("beta",)) -> dict[str, str]:
    """Software that a package manager installs, deployed to all tenants; some need a reboot after it."""
    files = {
        f"tasks/software/{name}/software.yml": f"winget: Vendor.{name}\n"
        f"reboot: {'after' if name in reboots else 'never'}\n"
        for name in names
    }
    rules = "".join(f"- {{item: software/{name}, target: tenants, state: latest}}\n" for name in names)
    return {**files, "playbooks/deployments/all.yml": rules, "playbooks/all.yml": BOOK}


@dataclass
class Fleet:
    """A fleet's folder with its lab; `immy` runs there."""

    root: Path
    lab: Lab
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.root / ".immy"

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        """Start `immy` in a process group of its own, its streams into files beside the fleet."""
        number = len(list(self.root.glob("out-*.txt")))
        environment = {**os.environ, "IMMY_TEST_PASSWORD": PASSWORD, **self.environment}
        with (self.root / f"out-{number}.txt").open("wb") as out, (self.root / f"err-{number}.txt").open("wb") as err:
            streams = {"stdout": out, "stderr": err, "stdin": subprocess.DEVNULL, **more}
            return warm.Popen([*IMMY, *arguments], cwd=self.root, env=environment, start_new_session=True, **streams)

    def immy(self, *arguments: str, expect: int | None = 0, timeout: float = ENOUGH) -> str:
        """Run `immy` to its end; its standard output. A wrong exit code fails with both streams."""
        environment = {**os.environ, "IMMY_TEST_PASSWORD": PASSWORD, **self.environment}
        done = warm.run([*IMMY, *arguments], cwd=self.root, env=environment, timeout=timeout)
        said = f"{done.stdout}\n{done.stderr}"
        assert expect is None or done.returncode == expect, f"exit code {done.returncode}\n{said}"
        assert "Traceback" not in said
        assert "bug of immy" not in said, said + (self.state / "bug.log").read_text()
        self.said = done.stderr
        return done.stdout

    said: str = ""

    def sessions(self, *arguments: str) -> list[dict[str, Any]]:
        """`immy sessions list` from another process, newest first."""
        document = json.loads(self.immy("sessions", "list", "-n", "5000", "--format", "json", *arguments))
        listed: list[dict[str, Any]] = document["sessions"]
        return listed

    def show(self, session: str) -> dict[str, Any]:
        """`immy sessions show` from another process."""
        document: dict[str, Any] = json.loads(self.immy("sessions", "show", session, "--format", "json"))
        return document

    def log(self, session: str) -> list[dict[str, Any]]:
        """`immy sessions log` from another process."""
        return [json.loads(line) for line in self.immy("sessions", "log", session, "--format", "json").splitlines()]

    def statuses(self) -> dict[str, str]:
        """The newest session's status by computer."""
        return {one["computer"]: one["status"] for one in reversed(self.sessions())}

    def installs(self) -> Counter[tuple[str, str]]:
        """How often an installer began, by computer and item, as the lab saw it."""
        return Counter((str(one["computer"]), str(one["item"])) for one in self.lab.events("installer_started"))

    def sql(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the history's file itself."""
        connection = sqlite3.connect(f"file:{self.state / 'history.db'}?mode=ro", uri=True)
        try:
            return connection.execute(question).fetchall()
        finally:
            connection.close()

    def until(self, kind: str) -> None:
        """Wait until some session has an entry of a kind."""
        question = f"SELECT 1 FROM entries WHERE kind='{kind}'"  # noqa: S608 - a word of ours
        there = self.state / "history.db"

        def has_come() -> bool:
            try:
                return there.exists() and bool(self.sql(question))
            except sqlite3.OperationalError:  # it is being made
                return False

        eventually(has_come, f"an entry {kind}")


@contextmanager
def fleet(
    root: Path,
    computers: int | Sequence[str],
    files: Mapping[str, str] | None = None,
    *,
    knobs: Knobs | None = None,
    specs: Mapping[str, Mapping[str, Any]] | None = None,
    variables: Mapping[str, Mapping[str, Json]] | None = None,
    tenants: int = 1,
    common: Mapping[str, Json] | None = None,
) -> Iterator[Fleet]:
    """A fleet of lab computers; `specs` and `variables` by computer, `common` for all."""
    names = [f"pc{number:03}" for number in range(1, computers + 1)] if isinstance(computers, int) else list(computers)
    addresses = {name: f"127.7.{number // 200}.{number % 200 + 1}" for number, name in enumerate(names)}
    packages = {
        "winget": {f"Vendor.{name}": {"installed": None, "candidate": "1.0"} for name in (*SOFTWARE, "delta", "omega")}
    }
    machines = [
        ComputerSpec(name, addresses[name], password=PASSWORD, **{"packages": packages, **(specs or {}).get(name, {})})
        for name in names
    ]
    with Lab(machines, https_port=None, knobs=knobs, folder=root / "lab") as lab:
        groups = {
            f"tenant{number}": {
                "hosts": {
                    name: {"ansible_host": addresses[name], **(variables or {}).get(name, {})}
                    for name in names[number::tenants]
                }
            }
            for number in range(tenants)
        }
        every = {
            "ansible_connection": "winrm",
            "ansible_port": lab.port,
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "basic",
            "immy_allow_plain_basic": True,
            "ansible_user": "immy",
            "ansible_password": {"secret": "env:IMMY_TEST_PASSWORD"},
            **(common or {}),
        }
        inventory = {"all": {"children": {"tenants": {"children": groups, "vars": every}}}}
        write(root, {"inventory/hosts.yml": json.dumps(inventory), **(software_files() if files is None else files)})
        yield Fleet(root, lab)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process, so that nothing of it can say a last word."""
    process.send_signal(signal.SIGKILL)
    process.wait(ENOUGH)
