"""Several reasons why nothing more began in a session: by which its end is told, and what it left at work."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from immy_nornir.decide.limits import Needs
from immy_nornir.decide.steps.gate import halted
from immy_nornir.decide.steps.room import Room, kept, left_behind, on_its_way
from immy_nornir.model.record.entries import (
    ActionEnded,
    ApprovalDenied,
    ContactLost,
    Entry,
    JobEnded,
    JobIntended,
    JobSeen,
    NotReady,
    Resumed,
    StopAsked,
    TimeOver,
    WindowClosed,
)
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status
from immy_nornir.model.wire import JobResult
from tests.decide.builders import software
from tests.decide.steps.world import Session, act, session

HELD = WindowClosed("held", OutcomeReason.HELD)
CLOSED, OVER, UNREADY, DENIED = WindowClosed("closed"), TimeOver("over"), NotReady("unready"), ApprovalDenied("no")
STOP = StopAsked("cancel", "cancelled by ann")

ENDS: dict[str, tuple[tuple[Entry, ...], Status, EndReason, Status, EndReason]] = {
    # What was found, in this order; the end of a session that had done nothing, and of one that had.
    "held": ((HELD,), Status.MISSED, EndReason.HELD, Status.PARTIALLY_PASSED, EndReason.ACTIONS),
    "held, then over": ((HELD, OVER), Status.MISSED, EndReason.HELD, Status.PARTIALLY_PASSED, EndReason.ACTIONS),
    "closed, then over": ((CLOSED, OVER), Status.MISSED, EndReason.WINDOW, Status.PARTIALLY_PASSED, EndReason.ACTIONS),
    "over": ((OVER,), Status.FAILED, EndReason.TIME_OVER, Status.PARTIALLY_PASSED, EndReason.TIME_OVER),
    "over, then held": ((OVER, HELD), Status.FAILED, EndReason.TIME_OVER, Status.PARTIALLY_PASSED, EndReason.TIME_OVER),
    "unready, then over": ((UNREADY, OVER), Status.MISSED, EndReason.PREFLIGHT, Status.MISSED, EndReason.PREFLIGHT),
    "unready, then held": ((UNREADY, HELD), Status.MISSED, EndReason.PREFLIGHT, Status.MISSED, EndReason.PREFLIGHT),
    "denied": ((DENIED,), Status.CANCELLED, EndReason.NOT_APPROVED, Status.PARTIALLY_PASSED, EndReason.ACTIONS),
    "held, then denied": ((HELD, DENIED), Status.MISSED, EndReason.HELD, Status.PARTIALLY_PASSED, EndReason.ACTIONS),
    "denied, then over": (
        (DENIED, OVER),
        Status.CANCELLED,
        EndReason.NOT_APPROVED,
        Status.PARTIALLY_PASSED,
        EndReason.TIME_OVER,
    ),
    "over, then stopped": ((OVER, STOP), Status.CANCELLED, EndReason.CANCELLED, Status.CANCELLED, EndReason.CANCELLED),
    "stopped, then held": ((STOP, HELD), Status.CANCELLED, EndReason.CANCELLED, Status.CANCELLED, EndReason.CANCELLED),
}
"""The rule: an order to stop tells it wherever it comes; of all else the first, for it left nothing to the others."""


def begun(*, done: bool) -> Session:
    made = session(act("a"), act("b"))
    if done:
        return made.go_until(lambda: made.notes(ActionEnded))
    return made.go_until(lambda: made.state.plan)


@pytest.mark.parametrize("done", [False, True], ids=["nothing done", "something done"])
@pytest.mark.parametrize("name", ENDS)
def test_the_first_reason_tells_the_end(name: str, done: bool) -> None:
    entries, *ends = ENDS[name]
    made = begun(done=done)
    for entry in entries:
        made.append(entry)
    made.go()
    finished = made.state.finished
    assert finished is not None
    assert [finished.status, finished.reason] == (ends[2:] if done else ends[:2])
    assert made.outcomes["b"][1] is not OutcomeReason.IN_DOUBT


def test_the_rest_is_skipped_for_the_reason_that_came_first() -> None:
    reasons: dict[Entry, OutcomeReason] = {
        HELD: OutcomeReason.HELD,
        OVER: OutcomeReason.TIME_OVER,
        UNREADY: OutcomeReason.PREFLIGHT,
    }
    for order in permutations(reasons):
        made = begun(done=False)
        for entry in order:
            made.append(entry)
        end = halted(made.state)
        assert end is not None
        assert end[:2] == (Outcome.SKIPPED, reasons[order[0]])


def test_who_takes_it_up_anew_asks_again() -> None:
    made = begun(done=False)
    for entry in (DENIED, OVER, Resumed("b", 2, "", True)):
        made.append(entry)
    assert made.state.ends == (EndReason.TIME_OVER,)


# --- what is left at work -----------------------------------------------------------------------------------------

JOB, BOOT = "s1/a/1", session().world.identity().boot
INTENT = JobIntended(JOB, ("a",), 1, 0, BOOT)


def given_up(reason: OutcomeReason) -> ActionEnded:
    return ActionEnded("a", Outcome.FAILED, reason)


LEFT: dict[str, tuple[tuple[Entry, ...], bool]] = {
    "left by the deadline of its session": ((INTENT, JobSeen(JOB), given_up(OutcomeReason.TIME_OVER)), True),
    "left by its own deadline": ((INTENT, JobSeen(JOB), given_up(OutcomeReason.DEADLINE)), True),
    "left in doubt": (
        (INTENT, ContactLost("dropped", "x", "start_job a"), given_up(OutcomeReason.IN_DOUBT)),
        True,
    ),
    "at work while somebody stops": ((INTENT, JobSeen(JOB)), True),
    "not one that was not asked for": ((INTENT, given_up(OutcomeReason.TIME_OVER)), False),
    "nor one that could not be started": ((INTENT, given_up(OutcomeReason.COULD_NOT_START)), False),
    "nor one that was ended by the computer": (
        (INTENT, JobEnded(JOB, JobResult(None, "deadline")), given_up(OutcomeReason.DEADLINE)),
        False,
    ),
    "nor one that is lost": ((INTENT, JobEnded(JOB, None), given_up(OutcomeReason.IN_DOUBT)), False),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_at_work_keeps_its_slots_and_no_others(name: str) -> None:
    entries, left = LEFT[name]
    item = software("a", once_at_a_time=True)
    made = session(act("a", definition="d", timeout_seconds=3600.0), definitions={"d": item})
    made.go_until(lambda: made.state.plan)
    for entry in entries:
        made.append(entry)
    room = Room(Needs(), frozenset())
    found = left_behind(made.state, room)
    assert (found is not None) == left
    assert bool(kept(made.state, room, None)) == left
    assert bool(on_its_way(made.state, room)) == left
    if found is not None:
        assert [one.about for one in found.slots] == [f"{item.reference} once at a time in the fleet"]
        assert found.until == pytest.approx(made.world.now + 3600 + 600, abs=60)


def test_what_has_passed_its_own_deadline_is_believed_for_a_day() -> None:
    made = session(act("a", definition="d"), job_seconds=1e9)
    made.go_until(lambda: made.notes(ActionEnded))
    found = left_behind(replace(made.state, definitions={"d": software("a", once_at_a_time=True)}), Room())
    assert found is not None
    assert found.until == pytest.approx(made.world.now + 86400, abs=60)
