"""Nornir's own rules: any runner can maintain, processors see whole hosts, and no result is lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nornir import InitNornir
from nornir.core import Nornir
from nornir.core.configuration import Config, LoggingConfig
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.runners import RunnerPlugin
from nornir.core.state import GlobalState
from nornir.core.task import AggregatedResult, MultiResult, Result, Task
from nornir.plugins.runners import SerialRunner, ThreadedRunner
from nornir_utils.plugins.functions import print_result

from immy_nornir.cli import startup
from immy_nornir.decide.steps.next_step import Wait
from immy_nornir.history.store import Run
from immy_nornir.lab import Knobs
from immy_nornir.model.record.session import WaitKind
from immy_nornir.plugins import running
from immy_nornir.plugins.runner import ImmyRunner
from immy_nornir.plugins.tasks import maintain
from immy_nornir.session.live import LiveSession, Parked
from immy_nornir.session.specs import Asking
from tests.waiting import ENOUGH

from .fleets import PASSWORD, Fleet, fleet, software_files

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


# --- the runner -----------------------------------------------------------------------------------------------


def test_a_task_that_parks_is_started_and_completed_once_for_processors() -> None:
    legs: Counter[str] = Counter()
    lock = threading.Lock()

    def work(task: Task) -> Result:
        with lock:
            legs[task.host.name] += 1
            first = legs[task.host.name] <= 2
        return Result(host=task.host, result=parked(0.05)) if first else Result(host=task.host, result="done")

    watching = Watching()
    results = nornir(ImmyRunner(num_workers=3)).with_processors([watching]).run(task=work)
    assert {name: one[0].result for name, one in results.items()} == dict.fromkeys(NAMES, "done")
    assert set(legs.values()) == {3}
    assert watching.started == watching.completed == dict.fromkeys(NAMES, 1)


def test_parked_hosts_hold_no_worker() -> None:
    legs: list[str] = []

    def work(task: Task) -> Result:
        legs.append(task.host.name)
        return Result(host=task.host, result="done" if legs.count(task.host.name) > 1 else parked(0.5))

    results = nornir(ImmyRunner(num_workers=1)).run(task=work)
    assert len(results) == len(NAMES)
    # The only worker has been with every host before it is with the first of them again.
    assert sorted(legs[: len(NAMES)]) == sorted(legs[len(NAMES) :]) == sorted(NAMES)


def ends_badly(task: Task) -> Result:
    match task.host.name:
        case "h01":
            raise SystemExit(7)
        case "h02":
            raise ValueError("a bug")
        case "h03":
            raise KeyboardInterrupt
        case "h04":
            return Result(host=None, result="whose am I")
        case "h05":
            return None  # type: ignore[return-value]  # what careless tasks do
        case "h06":
            task.run(lambda task: Result(host=task.host, result="sub", failed=True))
            return Result(host=task.host, result="whole")
        case name:
            return Result(host=task.host, result=name)


@pytest.mark.parametrize("processors", [[], [Raising()], [Raising(), Watching()]])
def test_no_result_is_lost(processors: Sequence[Watching]) -> None:
    results = nornir(ImmyRunner(num_workers=2)).with_processors([*processors]).run(task=ends_badly)
    assert set(results) == set(NAMES)
    assert {name for name, one in results.items() if one.failed} == {"h01", "h02", "h03", "h06"}
    assert results["h04"][0].host is not None
    assert results["h04"][0].host.name == "h04"
    assert [one.result for one in results["h11"]] == ["h11"]
    for watching in processors[1:]:
        assert set(watching.completed) == set(NAMES)


@contextmanager
def counted(limits: dict[str, int], now: Counter[str], key: str, lock: threading.Lock) -> Iterator[None]:
    with lock:
        now[key] += 1
        limits[key] = max(limits.get(key, 0), now[key])
    yield
    with lock:
        now[key] -= 1


def test_a_tenant_has_only_so_many_at_work_and_the_others_go_on() -> None:
    highest: dict[str, int] = {}
    now: Counter[str] = Counter()
    lock = threading.Lock()
    begun: Counter[str] = Counter()
    news = threading.Condition()

    def work(task: Task) -> Result:
        of = tenant(task.host.name)
        with counted(highest, now, of, lock), counted(highest, now, "all", lock), news:
            begun[of] += 1
            news.notify_all()
            # Two of the big tenant stay until all of the small one have come, and those come while the two are there.
            assert news.wait_for(lambda: begun["big"] >= 2 and (of == "small" or begun["small"] == 3), ENOUGH)
        return Result(host=task.host)

    def tenant(name: str) -> str:
        return "big" if name < "h09" else "small"

    results = nornir(ImmyRunner(8, per_tenant=2, tenant_of=tenant)).run(task=work)
    assert len(results) == len(NAMES)
    assert not results.failed
    assert highest["big"] <= 2
    assert highest["small"] <= 2
    assert highest["all"] > 2


def test_splay_spreads_the_starts() -> None:
    random.seed(1)
    pauses = [random.uniform(0.0, 1.0) for _ in NAMES]  # noqa: S311 - what the runner will draw
    starts: dict[str, float] = {}

    def work(task: Task) -> Result:
        starts[task.host.name] = time.monotonic()
        return Result(host=task.host)

    random.seed(1)
    began = time.monotonic()
    nornir(ImmyRunner(12, splay=1.0)).run(task=work)
    assert list(starts) != list(NAMES)
    assert set(starts) == set(NAMES)
    assert max(pauses) - min(pauses) > 0.3
    assert all(starts[name] >= began + pause for name, pause in zip(NAMES, pauses, strict=True))


def test_a_stop_of_the_second_degree_waits_for_nobody() -> None:
    level = [0]
    release, ended = threading.Event(), threading.Event()

    def work(task: Task) -> Result:
        if task.host.name == "h00":
            threading.Timer(0.1, lambda: level.__setitem__(0, 2)).start()
            release.wait(ENOUGH)
            ended.set()
        return Result(host=task.host, result="done")

    results = nornir(ImmyRunner(2, stop=lambda: level[0])).run(task=work)
    assert not ended.is_set()
    release.set()
    assert results["h00"].failed
    assert set(results) == set(NAMES)


def test_the_runner_and_the_inventory_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "all: {hosts: {a: {ansible_connection: local}, b: {ansible_connection: local}}}\n"
    )
    made = InitNornir(
        inventory={"plugin": "immy", "options": {"sources": [str(tmp_path)]}},
        runner={"plugin": "immy-runner", "options": {"num_workers": 2, "splay": 0.1}},
        logging={"enabled": False},
    )
    results = made.run(task=lambda task: Result(host=task.host, result=task.host.name.upper()))
    assert {name: one[0].result for name, one in results.items()} == {"a": "A", "b": "B"}
    assert isinstance(made.runner, ImmyRunner)


# --- maintain -------------------------------------------------------------------------------------------------


@contextmanager
def sessions(one: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, LiveSession]]:
    """A script of one's own: an engine, a run and its sessions."""
    monkeypatch.setenv("IMMY_TEST_PASSWORD", PASSWORD)
    loaded, book = startup.load(one.root, (), one.root / "playbooks" / "all.yml")
    assert book is not None
    engine = startup.engine_of(one.root, one.state, loaded, {})
    try:
        [play] = book.plays
        names = sorted(loaded.inventory.computers)
        run = running.PlayRun(play, loaded.types["full"], startup.computers_of(loaded.inventory, names))
        engine.history.begin_run(Run("script1", "a script"))
        assert running.create(engine, "script1", [run], Asking()) == []
        yield run.sessions
    finally:
        engine.history.close()


@pytest.mark.slow
@pytest.mark.parametrize("runner", [SerialRunner(), ThreadedRunner(num_workers=4), ImmyRunner(num_workers=1)])
def test_maintain_runs_under_any_runner(
    tmp_path: Path, runner: RunnerPlugin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = software_files(("alpha", "beta"), ())
    specs: dict[str, dict[str, Any]] = {
        "pc001": {"pending_reboots": ["windows_update"]},
        "pc002": {"exits": {"software/beta": 1603}},
    }
    knobs = Knobs(reboot_seconds=0.2, install_seconds=0.1)
    with fleet(tmp_path, 2, files, knobs=knobs, specs=specs) as one, sessions(one, monkeypatch) as lives:
        watching = Watching()
        made = nornir(runner, tuple(lives)).with_processors([watching])
        results = made.run(task=maintain, sessions=lives)
        assert watching.started == watching.completed == dict.fromkeys(lives, 1)
        assert not results["pc001"].failed
        assert results["pc001"].changed
        assert results["pc001"][0].result["status"] == "passed"
        assert results["pc001"][0].result["reboots"] == 1
        assert results["pc002"].failed
        assert len(one.lab.events("reboot", "pc001")) == 1
        print_result(results)
        said = capsys.readouterr().out
        assert "passed" in said
        assert "1603" in said
    assert one.statuses() == {"pc001": "passed", "pc002": "partially_passed"}
