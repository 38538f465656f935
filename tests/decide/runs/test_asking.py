"""When a wave is asked about: all together, and not held up for ever by one that hangs."""

from __future__ import annotations

import pytest

from immy_nornir.decide.runs.asking import PATIENCE_SECONDS, Gathering


def asked_at(total: int, unplanned: list[int], step: float = 10.0) -> float | None:
    """When it would be asked, with so many unplanned at each look; the last number stays for ever."""
    gathering, now = Gathering(), 1000.0
    for turn in range(1000):
        left = unplanned[min(turn, len(unplanned) - 1)]
        gathering = gathering.after(total, left, now)
        if gathering.is_over(left, now):
            return now - 1000.0
        now += step
    return None


@pytest.mark.parametrize(
    ("total", "unplanned", "at"),
    [
        (10, [0], 0.0),
        (10, [5, 3, 0], 20.0),
        (100, [50, 5], 10.0 + PATIENCE_SECONDS),
        (100, [5, 50, 5], 20.0 + PATIENCE_SECONDS),
        (100, [6], None),
        (10, [1], None),
        (20, [1], PATIENCE_SECONDS),
        (1, [1, 0], 10.0),
    ],
    ids=[
        "all are planned",
        "at once when the last one is",
        "five minutes after 95 % are",
        "counted anew when files change and many plan again",
        "not while more than 5 % are on their way",
        "of ten one is more than 5 %",
        "of twenty it is not",
        "a single one",
    ],
)
def test_it_is_asked(total: int, unplanned: list[int], at: float | None) -> None:
    assert asked_at(total, unplanned) == at
