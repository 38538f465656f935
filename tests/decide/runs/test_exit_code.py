"""The exit code by what became of sessions."""

from __future__ import annotations

import pytest

from immy_nornir.decide.runs.exit_code import Became, exit_code
from immy_nornir.model.record.session import EndReason, Status

FINE = Became(Status.PASSED, EndReason.ACTIONS)
AWAY = Became(Status.MISSED, EndReason.AWAY)
WAITS = Became(Status.WAITING, None, deferred=True)
FAILED = Became(Status.FAILED, EndReason.REFUSED)
LEFT = Became(Status.INTERRUPTED, None)
DENIED = Became(Status.CANCELLED, EndReason.NOT_APPROVED)
PLANNED = Became(Status.PASSED, EndReason.ACTIONS, pending=True)
OUTSIDE = [
    Became(Status.FAILED, EndReason.EXCLUDED),
    Became(Status.MISSED, EndReason.HELD),
    Became(Status.SUPERSEDED, EndReason.SUPERSEDED),
]


@pytest.mark.parametrize(
    ("sessions", "code"),
    [
        ([], 0),
        ([FINE, *OUTSIDE], 0),
        ([FINE, PLANNED], 0),
        ([FINE, WAITS], 5),
        ([FINE, Became(Status.CREATED, None, elsewhere=True)], 5),
        ([FINE, WAITS, AWAY], 6),
        ([FINE, WAITS, AWAY, FAILED], 1),
        ([FINE, Became(Status.MISSED, EndReason.WINDOW)], 1),
        ([FINE, Became(Status.PARTIALLY_PASSED, EndReason.ACTIONS)], 1),
        ([FINE, DENIED], 2),
        ([Became(Status.PASSED, EndReason.ACTIONS, did=True), DENIED], 1),
        ([FAILED, DENIED, AWAY, WAITS, LEFT], 130),
    ],
)
def test_of_several_it_is_the_first_of_130_2_1_6_5_0(sessions: list[Became], code: int) -> None:
    assert exit_code(sessions, check=False) == code


def test_changes_that_are_pending_count_where_it_was_only_checked() -> None:
    assert exit_code([FINE, PLANNED], check=True) == 4
    assert exit_code([FINE], check=True) == 0
    assert exit_code([PLANNED, WAITS], check=True) == 5
