"""Blackouts, freezes and holds at the gate, with and without windows; windows that come again, carried or missed."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from immy_nornir.decide.steps.step import Note, Perform
from immy_nornir.model.control.holds import Hold, HoldKind
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.playbooks import Offline, Reboot, WindowOver
from immy_nornir.model.record.entries import Interrupted, JobIntended
from immy_nornir.model.record.session import ByHand, EndReason, Outcome, OutcomeReason, Status, Trial, WaitKind
from tests.decide.steps.test_gate import ACTS, eventful
from tests.decide.steps.world import Session, act, random_faults, session

MONDAY_NOON = datetime(2030, 1, 7, 12, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0
WEEK = "mon 12:00-13:00, tue 01:00-02:00"
MISS = {"window_over": WindowOver.MISS}


def blackout(begins: float, hours: float, reason: str = "year's end") -> Hold:
    start = MONDAY_NOON + begins * HOUR
    return Hold(HoldKind.BLACKOUT, reason, start, start + hours * HOUR, "file:3:1")


def at(window: str, *actions: Any, options: dict[str, Any] | None = None, **more: Any) -> Session:
    spec = {"created_at": MONDAY_NOON, "time_zone": "UTC", **more.pop("spec", {})}
    more = {"now": MONDAY_NOON, **more}
    return session(*actions, options={"window": window, **(options or {})}, spec=spec, **more)


def held(begun: Session, *holds: Hold) -> Session:
    begun.holds = holds
    return begun


def end(done: Session) -> tuple[Status, EndReason]:
    assert done.state.finished is not None
    assert all(one.ended is not None for one in done.state.actions.values())
    return done.state.finished.status, done.state.finished.reason


def message(done: Session) -> str:
    assert done.state.finished is not None
    return done.state.finished.message


def test_in_a_blackout_nothing_begins_and_afterwards_everything_does() -> None:
    done = held(at("now", act("a")), blackout(-1, 5)).go()
    (wait,) = [one for one in done.waits if one.kind is WaitKind.HOLD]
    assert (wait.until, wait.deferred) == (MONDAY_NOON + 4 * HOUR, True)
    assert wait.about == "the computer is blacked out until 2030-01-07 16:00 UTC: year's end (file:3:1)"
    assert end(done) == (Status.PASSED, EndReason.ACTIONS)


@pytest.mark.parametrize("word", [{"by_hand": ByHand(("x",))}, {"trial": Trial("task/a")}])
@pytest.mark.parametrize("frozen", [True, False])
def test_what_was_typed_to_be_done_now_is_refused_and_not_left_for_later(word: dict[str, Any], frozen: bool) -> None:
    begun = at("now", act("a"), options=MISS, spec=word)
    if frozen:
        begun.frozen = "the fleet is frozen"
    else:
        held(begun, blackout(-1, 5))
    done = begun.go()
    assert (end(done), done.waits) == ((Status.MISSED, EndReason.HELD), [])
    assert ("the fleet is frozen" if frozen else "blacked out until 2030-01-07 16:00 UTC") in message(done)
    waits = held(at("now", act("a"), spec=word), blackout(-1, 5)).go()
    assert waits.waits[0].kind is WaitKind.HOLD
    assert end(waits) == (Status.PASSED, EndReason.ACTIONS)


def test_what_is_under_way_when_a_blackout_begins_ends_and_the_rest_waits() -> None:
    actions = act("a", reboot=RebootNeed.AFTER), act("b", "a"), act("p", always=True)
    begun = held(at("now", *actions, options={"reboot": Reboot.AUTOMATIC}, job_seconds=HOUR), blackout(0.5, 24))
    begun.go_until(lambda: any(one.kind is WaitKind.HOLD for one in begun.waits))
    assert begun.order == ["a"]
    done = begun.go()
    assert done.order == ["a", "reboot", "b", "p"]
    assert end(done) == (Status.PASSED, EndReason.ACTIONS)


@pytest.mark.parametrize(
    ("window", "holds", "expected", "about"),
    [
        # (hours after Monday noon at which it begins)
        ("after_hours", [], 6, "window after_hours, which opens 2030-01-07 18:00 UTC"),
        ("after_hours", [blackout(5, 3)], 8, "window after_hours, which opens 2030-01-07 20:00 UTC; before that it is"),
        ("22:00", [blackout(9, 10)], 34, "opens 2030-01-08 22:00 UTC; before that it is blacked out until"),
        ("22:00", [blackout(-2, 12.5)], 10.5, "blacked out until 2030-01-07 22:30 UTC: year's end"),
        ("22:00", [blackout(-2, 5)], 10, "; then for window 22:00, which opens 2030-01-07 22:00 UTC"),
        ("tue 01:00-02:00", [blackout(13, 1)], 24 * 7 + 13, "before that it is blacked out until 2030-01-08 02:00"),
        (
            "now",
            [blackout(-1, 2), blackout(1, 2)],
            3,
            "UTC: year's end (file:3:1); then blacked out until 2030-01-07 15:00",
        ),
    ],
)
def test_windows_and_blackouts_are_worked_out_together(
    window: str, holds: list[Hold], expected: float, about: str
) -> None:
    done = held(at(window, act("a"), spec={"business_hours": "mon-fri 08:00-18:00"}), *holds).go()
    assert about in done.waits[0].about
    begins = next(one.at for one in done.entries if isinstance(one.entry, JobIntended))
    assert 0 <= begins - MONDAY_NOON - expected * HOUR < 60  # to connect, and to look again
    assert end(done) == (Status.PASSED, EndReason.ACTIONS)


def test_a_window_that_comes_once_and_lies_in_a_blackout_is_missed_and_says_so_before() -> None:
    done = held(at("2030-01-07T11:00/PT2H", act("a")), blackout(-1, 48)).go()
    assert "closes before, 2030-01-07 13:00 UTC" in done.waits[0].about
    assert done.waits[0].until == MONDAY_NOON + HOUR
    assert end(done) == (Status.MISSED, EndReason.WINDOW)


@pytest.mark.parametrize("options", [{}, {"window": "22:00"}, {"reboot": Reboot.FORCE}])
def test_a_hold_without_an_end_is_not_waited_for(options: dict[str, Any]) -> None:
    begun = at("now", act("a"), act("p", always=True), options=options)
    done = held(begun, Hold(HoldKind.HOLD, "evidence", source="immy_hold")).go()
    assert (done.order, done.waits) == ([], [])
    assert set(done.outcomes.values()) == {(Outcome.SKIPPED, OutcomeReason.HELD)}
    assert end(done) == (Status.MISSED, EndReason.HELD)
    assert "held: evidence (immy_hold)" in message(done)


def test_a_hold_that_comes_in_the_middle_ends_what_is_under_way_and_skips_the_rest() -> None:
    begun = at("now", act("a", reboot=RebootNeed.AFTER), act("b"), options={"reboot": Reboot.AUTOMATIC})
    begun.go_until(lambda: begun.notes(JobIntended) and begun.world.log)
    done = held(begun, Hold(HoldKind.HOLD, "evidence")).go()
    assert done.order == ["a"]
    assert end(done) == (Status.PARTIALLY_PASSED, EndReason.ACTIONS)
    assert "not rebooted: its computer is held" in message(done)


def test_a_session_without_work_passes_whatever_holds_its_computer() -> None:
    for hold in (blackout(-1, 9), Hold(HoldKind.HOLD, "evidence"), Hold(HoldKind.FREEZE, "x", 0.0, MONDAY_NOON + 9)):
        assert end(held(at("now"), hold).go()) == (Status.PASSED, EndReason.ACTIONS)


def test_freezes_that_cannot_be_read_are_waited_for_by_whoever_is_there() -> None:
    begun = held(at("now", act("a")), Hold(HoldKind.UNREAD, "no such table", 0.0, MONDAY_NOON + 10))
    begun.go_until(lambda: begun.waits)
    assert (begun.waits[0].kind, begun.waits[0].deferred) == (WaitKind.HOLD, False)
    assert "taken for frozen" in begun.waits[0].about


@pytest.mark.parametrize("block", range(3))
@pytest.mark.sampled(1)
def test_nothing_begins_in_a_blackout_wherever_it_comes(block: int) -> None:
    dice = random.Random(block)  # noqa: S311 - repeatable moments
    for seed in range(block * 30, block * 30 + 30):
        begun, comes = eventful(seed), dice.randint(0, 40)
        for number in range(400):
            if number == comes:
                now = begun.world.now
                begun.holds = (Hold(HoldKind.BLACKOUT, "x", now, now + 30 * 86400),)
            begun.go_once(number)
            last, (hold, *_) = begun.steps[-1], begun.holds or (None,)
            if hold is not None and hold.until is not None and begun.world.now < hold.until:
                acts = isinstance(last, Perform) and last.do in ACTS
                later = begun.state.job is not None  # of an action that is under way
                assert not acts or later, seed
                intends = isinstance(last, Note) and isinstance(last.entry, JobIntended) and not last.entry.step
                assert not intends, seed
            if begun.state.finished is not None:
                break
        assert begun.state.finished is not None, seed
        assert not begun.notes(Interrupted)


# --- windows that come again ------------------------------------------------------------------------------------------


def test_what_is_left_when_the_window_closes_is_carried_to_the_next_one() -> None:
    done = at(WEEK, act("a"), act("b"), now=MONDAY_NOON + 0.9 * HOUR, job_seconds=0.5 * HOUR).go()
    (wait,) = [one for one in done.waits if one.kind is WaitKind.WINDOW]
    assert wait.about == f"window {WEEK}, which has closed: the rest is carried to 2030-01-08 01:00 UTC"
    assert wait.deferred
    assert done.order == ["a", "b"]
    assert end(done) == (Status.PASSED, EndReason.ACTIONS)


@pytest.mark.parametrize(
    ("window", "now", "closes"),
    [
        (WEEK, 0.9, "2030-01-07 13:00 UTC"),
        ("12:00", 7.9, "2030-01-07 20:00 UTC"),
        ("after_hours", 19.9, "2030-01-08 08:00 UTC"),
    ],
)
def test_what_is_left_when_the_window_closes_is_missed_where_that_is_asked_for(
    window: str, now: float, closes: str
) -> None:
    spec = {"business_hours": "mon-fri 08:00-18:00"}
    more: dict[str, Any] = {"now": MONDAY_NOON + now * HOUR, "job_seconds": 0.5 * HOUR, "spec": spec}
    done = at(window, act("a"), act("b"), act("p", always=True), options=MISS, **more).go()
    assert done.order == ["a"]
    assert done.outcomes["b"] == done.outcomes["p"] == (Outcome.SKIPPED, OutcomeReason.WINDOW)
    assert end(done) == (Status.PARTIALLY_PASSED, EndReason.ACTIONS)
    told = f"window {window} closed {closes}, and what had not begun is not carried to the next one (window_over: miss)"
    assert told in message(done)


def test_a_window_that_was_missed_by_a_day_is_missed() -> None:
    begun = at("22:00", act("a"), options=MISS)
    begun.go_until(lambda: begun.waits)
    begun.world.now = MONDAY_NOON + 40 * HOUR
    assert end(begun.go()) == (Status.MISSED, EndReason.WINDOW)


def test_a_computer_that_stays_away_is_waited_for_as_long_as_its_window_is() -> None:
    options = {"offline": Offline.APPLY_ON_CONNECT, **MISS}
    done = at("22:00", act("a"), options=options, reachable=False).go()
    assert end(done) == (Status.MISSED, EndReason.AWAY)
    assert "window 22:00 closed 2030-01-08 06:00 UTC" in message(done)


@pytest.mark.parametrize("seed", range(12))
def test_an_intent_is_written_in_an_opening_and_out_of_every_blackout(seed: int) -> None:
    over = random.Random(seed).choice(list(WindowOver))  # noqa: S311 - repeatable
    actions = act("a"), act("b", reboot=RebootNeed.AFTER), act("c", "b"), act("d")
    options = {"reboot": Reboot.AUTOMATIC, "window_over": over}
    window = "daily 12:00-13:00, 22:00-02:00"
    begun = at(window, *actions, options=options, job_seconds=1500.0, faults=random_faults(seed))
    holds = [blackout(hour, 1) for hour in (0.5, 11, 30, 37)]
    done = held(begun, *holds).go()
    for one in done.entries:
        if isinstance(one.entry, JobIntended) and not one.entry.step:
            clock = datetime.fromtimestamp(one.at, UTC).hour
            assert clock in (12, 22, 23, 0, 1), seed
            assert not any(hold.begins <= one.at < (hold.until or 0.0) for hold in holds), seed
