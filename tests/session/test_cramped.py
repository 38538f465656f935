"""A session waits where this machine has no room for it, and is left to others where that lasts."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import cast

from immy_nornir.decide.steps.next_step import LOST_PATIENCE_SECONDS
from immy_nornir.errors import HistoryError
from immy_nornir.model.record.session import WaitKind
from immy_nornir.session.cramped import PAUSE_SECONDS, Cramped, why_left
from immy_nornir.session.leg import Leg

FULL = OSError(errno.EMFILE, "Too many open files")


class _Leg(SimpleNamespace):
    """What is asked of a leg."""

    time = 1000.0
    closed = 0

    @property
    def engine(self) -> SimpleNamespace:
        return SimpleNamespace(clock=SimpleNamespace(now=lambda: self.time))

    def close(self) -> None:
        self.closed += 1


def test_a_lack_is_waited_for_with_nothing_held_and_patience_counts_from_the_first() -> None:
    leg, cramped = _Leg(), Cramped()
    asked = cast("Leg", leg)
    parked = cramped.parked(FULL, asked, None)
    assert parked is not None
    assert (parked.wait.kind, parked.wait.until) == (WaitKind.RETRY, leg.time + PAUSE_SECONDS)
    assert "Too many open files" in parked.wait.about
    assert leg.closed == 1
    leg.time += LOST_PATIENCE_SECONDS - 1
    assert cramped.parked(FULL, asked, None) is not None
    leg.time += 1
    assert cramped.parked(FULL, asked, None) is None
    cramped.over()
    assert cramped.parked(FULL, asked, None) is not None


def test_other_errors_are_not_waited_for() -> None:
    assert Cramped().parked(KeyError("a bug"), cast("Leg", _Leg()), None) is None


def test_only_a_bug_ends_a_session() -> None:
    assert why_left(KeyError("a bug")) == ""
    assert why_left(FULL) == "this machine has no room: Too many open files"
    assert why_left(HistoryError("it is locked")) == "history: it is locked"
