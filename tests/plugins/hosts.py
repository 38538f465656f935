"""Hosts without computers, processors that count, and waits: what tests of Nornir's plugins share."""

from __future__ import annotations

import threading
import time
from collections import Counter

from nornir.core import Nornir
from nornir.core.configuration import Config, LoggingConfig
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.runners import RunnerPlugin
from nornir.core.state import GlobalState
from nornir.core.task import AggregatedResult, MultiResult, Task

from immy_nornir.decide.steps.step import Wait
from immy_nornir.model.record.session import WaitKind
from immy_nornir.session.crew.settled import Parked

ENOUGH = 60.0
"""Seconds after which something that a test waits for will not come."""
NAMES = tuple(f"h{number:02}" for number in range(12))


def nornir(runner: RunnerPlugin, names: tuple[str, ...] = NAMES) -> Nornir:
    hosts = Hosts({name: Host(name=name) for name in names})
    inventory = Inventory(hosts=hosts, groups=Groups(), defaults=Defaults())
    return Nornir(
        inventory=inventory, runner=runner, config=Config(logging=LoggingConfig(enabled=False)), data=GlobalState()
    )


# ruff: noqa: ARG002 - the signatures are Nornir's


class Watching:
    """A processor that counts."""

    def __init__(self) -> None:
        self.started: Counter[str] = Counter()
        self.completed: Counter[str] = Counter()
        self.lock = threading.Lock()

    def task_started(self, task: Task) -> None: ...

    def task_completed(self, task: Task, result: AggregatedResult) -> None: ...

    def task_instance_started(self, task: Task, host: Host) -> None:
        with self.lock:
            self.started[host.name] += 1

    def task_instance_completed(self, task: Task, host: Host, results: MultiResult) -> None:
        with self.lock:
            self.completed[host.name] += 1

    def subtask_instance_started(self, task: Task, host: Host) -> None: ...

    def subtask_instance_completed(self, task: Task, host: Host, result: MultiResult) -> None: ...


class Raising(Watching):
    """A processor that raises at every start and end."""

    def task_instance_started(self, task: Task, host: Host) -> None:
        raise RuntimeError("I am a bad processor")

    def task_instance_completed(self, task: Task, host: Host, results: MultiResult) -> None:
        raise SystemExit(3)


def parked(seconds: float) -> Parked:
    return Parked(Wait(WaitKind.JOB, time.time() + seconds, "a test"))
