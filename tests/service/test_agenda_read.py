"""What a turn of the service reads of the history: little, and a run of long ago all the same."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from immy_nornir.decide.agenda import Begin, Skip, Todo, Watch, Watched, rule_of
from immy_nornir.history.agenda_rows import Written
from immy_nornir.history.store import FILE, History
from immy_nornir.model.control.schedules import Occasion, Overlap, Schedule
from immy_nornir.model.places import Place
from immy_nornir.model.record.run import RunSpec
from immy_nornir.service.loop import AtWork, Service, Surroundings
from immy_nornir.session.engine import StopFlag
from tests.history import sample

HOUR = 3600.0
START = 1_800_000_000.0 // HOUR * HOUR
HOURLY = Schedule("hourly", Place("playbooks/schedules.yml", 1), "hourly", start_within=HOUR / 2)
OTHER = replace(HOURLY, name="other", overlap=Overlap.QUEUE)


@dataclass
class Clock(sample.StillClock):
    passed: float = 0.0

    def now(self) -> float:
        return START + self.passed

    def monotonic(self) -> float:
        return 100.0 + self.passed


def hours(schedule: Schedule, after: float, until: float) -> Iterator[Occasion]:
    for number in range(int(after // HOUR), int(until // HOUR) + 1):
        if after < number * HOUR <= until:
            yield Occasion(schedule.name, "", number * HOUR, f"{number}")


class Watching(History):
    """The history, with what the turns were given of it."""

    read_by_turns: list[Written]

    def agenda(self, *asked: Any) -> Written:
        written = super().agenda(*asked)
        self.read_by_turns.append(written)
        return written


@dataclass
class World:
    clock: Clock
    history: Watching
    service: Service

    def turn(self, hours_later: float) -> tuple[Todo, ...]:
        """the turns until then; what the last of them did."""
        for passed in range(int(self.clock.passed) + 200, int(hours_later * HOUR) + 1, 200):
            self.clock.passed = float(passed)
            made = self.service.turn()
        return made.todo


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two hourly schedules whose runs began at START, and are at work; nobody begins others here."""
    clock = Clock()
    history = Watching(tmp_path, clock)
    history.read_by_turns = []
    schedules = {one.name: one for one in (HOURLY, OTHER)}
    works: dict[str, Any] = {
        "now": lambda: {name: SimpleNamespace(schedule=one, changes=False) for name, one in schedules.items()},
        "schedules": lambda: schedules,
        "occasions": hours,
        "problems": {},
    }
    engine: Any = SimpleNamespace(
        clock=clock,
        stop=StopFlag(),
        history=history,
        unreadable="",
        look_at_files=lambda: None,
        frozen=lambda _: "",
    )
    crew: Any = None
    around = Surroundings(("somebody", "here"), lambda: "", lambda _: None, lambda _: None)
    service = Service(engine, crew, SimpleNamespace(**works), around)  # type: ignore[arg-type]
    for name, one in schedules.items():
        history.watch(name, Watch(rule_of(one), START - 1000 * HOUR))
        for number in range(1, 40):
            history.skip(Occasion(name, "", START - number * HOUR), "long ago")
        occasion = Occasion(name, "", START, "now")
        history.begin_run(RunSpec(f"run-{name}", "immy service"), (), occasion)
        run: Any = SimpleNamespace(state=SimpleNamespace(spec=RunSpec(f"run-{name}", "immy service")), sessions={})
        # A thread that lives as long as this test: its run is at work.
        service.at_work.append(AtWork(threading.main_thread(), [run], [], occasion))
    yield World(clock, history, service)
    history.close()


def test_a_run_at_work_for_longer_than_an_occasion_may_wait_keeps_the_next_ones_waiting(world: World) -> None:
    """Of the first schedule each is skipped with the run's name, of the second it waits until it is too late."""
    for number in (1, 2, 5):
        todo = world.turn(float(number))
        assert [(one.occasion.schedule, one.why) for one in todo if isinstance(one, Skip)] == [
            ("hourly", "the one before is still at work (run run-hourly)")
        ]
        assert not any(isinstance(one, Begin | Watched) for one in todo)
    late = [one for one in world.turn(5.8) if isinstance(one, Skip)]
    assert late == []
    with world.history.read() as reader:
        told = {
            one.occasion.due_at: one.reason for one in reader.occasions(START + 1) if one.occasion.schedule == "other"
        }
    assert set(told.values()) == {"nobody was there to begin it within 30 min"}
    assert len(told) == 5


def test_a_turn_reads_what_may_still_matter_and_the_first_one_everything(world: World) -> None:
    world.turn(2.5)
    first, *_, last = world.history.read_by_turns
    assert len(first.known) == 80
    assert {one.run_id for one in last.known if one.run_id} == {"run-hourly", "run-other"}
    assert len(last.known) < 8


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM occasions o LEFT JOIN runs r ON r.id=o.run_id WHERE o.due_at>=1",
        "SELECT * FROM occasions o LEFT JOIN runs r ON r.id=o.run_id WHERE o.run_id IN ('a') AND o.run_id<>''",
        "SELECT id, superseded_by FROM sessions WHERE superseded_by IS NOT NULL",
    ],
)
def test_what_is_asked_for_again_and_again_is_found_by_an_index(tmp_path: Path, question: str) -> None:
    History(tmp_path, Clock()).close()
    connection = sqlite3.connect(tmp_path / FILE)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}")]
    connection.close()
    assert not any(one.startswith("SCAN") and "INDEX" not in one for one in plan), plan
