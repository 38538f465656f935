"""The runner keeps what Nornir promises: processors see whole hosts, and no result is lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from nornir import InitNornir
from nornir.core.task import Result, Task

from immy_nornir.plugins.runner import ImmyRunner
from immy_nornir.session.crew.crew import Crew

from .hosts import ENOUGH, NAMES, Raising, Watching, nornir, parked


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


def test_runs_that_are_given_a_crew_share_its_limits_at_one_time() -> None:
    highest: dict[str, int] = {}
    now: Counter[str] = Counter()
    lock = threading.Lock()
    both = threading.Barrier(2)

    def work(task: Task, wave: str) -> Result:
        with counted(highest, now, "all", lock):
            if task.host.name == NAMES[0]:
                both.wait(ENOUGH)  # each run is at work while the other is
        return Result(host=task.host, result=f"{task.host.name} of {wave}")

    said: dict[str, dict[str, str]] = {}

    def run(wave: str) -> None:
        results = nornir(ImmyRunner(num_workers=99, crew=crew)).run(task=work, wave=wave)
        said[wave] = {name: one[0].result for name, one in results.items()}

    with Crew(2) as crew:
        waves = [threading.Thread(target=run, args=(wave,), daemon=True) for wave in ("first", "second")]
        for one in waves:
            one.start()
        for one in waves:
            one.join(ENOUGH)
    assert said == {wave: {name: f"{name} of {wave}" for name in NAMES} for wave in ("first", "second")}
    assert highest["all"] == 2
