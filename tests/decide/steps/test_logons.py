"""The wait of an action for its user's logon: others go on, the session waits, the deadline skips it."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.model.facts import LogonState
from immy_nornir.model.items import Context
from immy_nornir.model.record.entries import ContactLost, JobIntended, StopAsked
from immy_nornir.model.record.question_entries import LogonAwaited, UsersLooked
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status, WaitKind
from tests.decide.steps.people import People, Person
from tests.decide.steps.world import Session, act, resume, session

HOUR = 3600.0
SKIPPED = (Outcome.SKIPPED, OutcomeReason.USER_CONTEXT)
DONE = (Outcome.SUCCESS, OutcomeReason.VERIFIED)


def awaited(*persons: Person, **more: Any) -> Session:
    """A session of three actions, of which the first runs as ann and the second builds on it."""
    mine = act("a", context=Context.USER, user="CORP\\ann")
    return session(mine, act("b", "a"), act("c"), people=People(list(persons)), **more)


def began(one: Session, action: str) -> float:
    return next(
        (each.at for each in one.entries if isinstance(each.entry, JobIntended) and each.entry.actions == (action,)),
        0.0,
    )


def ann(*states: tuple[float, LogonState | None]) -> Person:
    return Person("CORP\\ann", list(states) or [(0.0, LogonState.ACTIVE)])


def test_who_is_logged_on_is_waited_for_by_nobody() -> None:
    one = awaited(ann((0.0, LogonState.LOCKED))).go()
    assert one.outcomes == {"a": DONE, "b": DONE, "c": DONE}
    assert not one.notes(LogonAwaited)
    assert len(one.notes(UsersLooked)) == 1


def test_others_go_on_and_it_begins_soon_after_the_logon() -> None:
    one = awaited(ann((3 * HOUR, LogonState.ACTIVE)), Person("CORP\\bob")).go()
    assert one.outcomes == {"a": DONE, "b": DONE, "c": DONE}
    assert began(one, "c") < HOUR < began(one, "a")
    assert 0 < began(one, "a") - 3 * HOUR < 400.0
    assert len(one.notes(LogonAwaited)) == 1
    (kind, deferred) = {(wait.kind, wait.deferred) for wait in one.waits if wait.kind is not WaitKind.JOB}.pop()
    assert (kind, deferred) == (WaitKind.LOGON, True)


@pytest.mark.parametrize("hours", [0.01, 1, 8])
def test_at_the_deadline_it_is_skipped_and_never_done_as_somebody_else(hours: float) -> None:
    one = awaited(Person("CORP\\bob"), options={"primary_user_hours": hours}).go()
    assert one.outcomes["a"] == SKIPPED
    assert one.outcomes["b"] == (Outcome.SKIPPED, OutcomeReason.DEPENDENCY)
    assert one.outcomes["c"] == DONE
    ended = one.state.actions["a"].ended
    assert ended is not None
    assert f"CORP\\ann, who did not log on within {hours:g} h" in ended.message
    assert one.world.now - 1000.0 >= hours * HOUR
    assert one.world.now - 1000.0 < hours * HOUR + 400.0
    assert not began(one, "a")


def test_a_computer_that_is_off_meanwhile_is_one_at_which_nobody_is_logged_on() -> None:
    one = awaited(ann((5 * HOUR, LogonState.ACTIVE)))
    one.go_until(lambda: one.state.waiting is not None and one.state.waiting.kind is WaitKind.LOGON)
    one.world.away_until = 5 * HOUR
    one.go()
    assert one.notes(ContactLost)
    assert all(wait.deferred for wait in one.waits if wait.kind is WaitKind.CONNECTIVITY), "no run stays for it"
    assert one.outcomes == {"a": DONE, "b": DONE, "c": DONE}


def test_one_that_stays_off_skips_the_action_at_the_deadline() -> None:
    one = awaited(options={"primary_user_hours": 2})
    one.go_until(lambda: one.state.waiting is not None and one.state.waiting.kind is WaitKind.LOGON)
    one.world.reachable = False
    one.go()
    assert one.outcomes["a"] == SKIPPED
    assert one.world.now < 1000.0 + 3 * HOUR


def test_whoever_takes_it_up_looks_at_once_and_keeps_the_deadline() -> None:
    one = awaited(ann((2 * HOUR, LogonState.ACTIVE)))
    one.go_until(lambda: one.state.waiting is not None and one.state.waiting.kind is WaitKind.LOGON)
    one.world.now = 2 * HOUR
    again = resume(one, one.entries, one.world)
    again.go()
    assert again.outcomes["a"] == DONE
    assert 0 < began(again, "a") - 2 * HOUR < 30.0
    assert len(again.notes(LogonAwaited)) == 1


def test_a_session_that_is_cancelled_waits_for_nobody() -> None:
    one = awaited()
    one.go_until(lambda: one.state.waiting is not None and one.state.waiting.kind is WaitKind.LOGON)
    one.append(StopAsked("cancel", "cancelled by ana"))
    one.go()
    assert one.state.finished is not None
    assert one.state.finished.status is Status.CANCELLED
    assert one.world.now < HOUR


def test_the_wait_is_no_running_time() -> None:
    one = awaited(options={"primary_user_hours": 6, "session_timeout_minutes": 60}).go()
    assert one.outcomes["a"] == SKIPPED
    assert one.state.over == ""
