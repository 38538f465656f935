"""Connections in a second: never more than so many in any, in the order of asking."""

from __future__ import annotations

import pytest

from immy_nornir.session.limits.pace import Pace


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0, 20.0])
def test_in_no_second_more_are_opened_than_allowed_and_everybody_gets_a_turn(rate: float) -> None:
    pace, opened = Pace(), dict[str, float]()
    waiting = {f"s{number}": 0.0 for number in range(40)}
    now = 0.0
    for _ in range(2000):
        if not waiting:
            break
        who = min(waiting, key=lambda one: (waiting[one], int(one[1:])))
        now = max(now, waiting[who])
        seconds = pace.ask(who, rate, now)
        if seconds:
            waiting[who] = now + seconds
        else:
            opened[who] = now
            del waiting[who]
    times = sorted(opened.values())
    span = max(1.0, 1 / rate)
    assert max(sum(1 for other in times if one <= other < one + span) for one in times) <= max(1, rate)
    assert list(opened) == [f"s{number}" for number in range(40)]
    assert times[-1] <= 40 / rate * 1.3 + 2


def test_who_has_left_is_waited_for_by_nobody() -> None:
    pace = Pace()
    assert pace.ask("a", 1, 0.0) == 0
    assert pace.ask("b", 1, 0.0) > 0
    assert pace.ask("c", 1, 0.0) > 1
    pace.forget("b")
    assert pace.ask("c", 1, 1.1) == 0
