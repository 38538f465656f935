"""The service's turns: what goes wrong in one of them is said, and ends nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from immy_nornir.decide.agenda import Agenda, Begin
from immy_nornir.errors import HistoryError
from immy_nornir.model.control.schedules import Occasion
from immy_nornir.service.loop import MOST_RUNS, Health, Service, Surroundings
from immy_nornir.session.engine import StopFlag, SystemClock


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("pc001"), "a fault of immy; kept"),
        (OSError(28, "No space left on device"), "No space left"),
        (HistoryError("it cannot be read"), "it cannot be read"),
    ],
)
def test_a_turn_that_fails_is_said_once_and_in_the_health_and_the_next_one_comes(error: Exception, told: str) -> None:
    def now() -> None:
        raise error

    said: list[str] = []
    health: list[Health] = []
    surroundings: dict[str, Any] = {
        "clock": SystemClock(),
        "stop": StopFlag(),
        "unreadable": "",
        "look_at_files": lambda: None,
        "keep_bug": lambda: "kept",
    }
    engine: Any = SimpleNamespace(**surroundings)
    works: Any = SimpleNamespace(now=now, problems={})
    around = Surroundings(("somebody", "here"), lambda: "", said.append, lambda _: None, health.append)
    crew: Any = None
    service = Service(engine, crew, works, around)
    for _ in range(3):
        service.turn()
    service.finish()
    assert len(said) == 1
    assert told in said[0]
    assert [told in one.problems[0] for one in health] == [True] * 3


def test_what_waits_because_so_many_runs_are_at_work_is_told_as_that() -> None:
    said: list[str] = []
    nothing: Any = SimpleNamespace(stop=StopFlag(), clock=SystemClock())
    service = Service(nothing, nothing, nothing, Surroundings(("x", "y"), lambda: "", said.append, lambda _: None))
    busy: Any = SimpleNamespace(runs=[1])
    service.at_work = [busy] * MOST_RUNS
    made = Agenda((Begin(Occasion("nightly", "", 1.0, "2030-01-01 22:00")),), 0.0)
    assert [service._do(made, {}, {}, 0.0) for _ in range(2)] == [False, False]
    assert said == ["nightly, due 2030-01-01 22:00: it is due, and waits: 64 runs are at work, the most at once"]
    assert service._troubles() == {"nightly": "64 runs were at work all the time, the most at once"}
