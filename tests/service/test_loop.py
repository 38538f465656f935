"""The service's turns: what goes wrong in one of them is said, and ends nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from immy_nornir.errors import HistoryError
from immy_nornir.service.loop import Health, Service, Surroundings
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
