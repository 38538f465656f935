"""Windows that come once: nothing new begins after their end; and the zone whose clock they are read by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from immy_nornir.decide.steps.step import Do, Perform
from immy_nornir.model.items import RebootNeed, UpgradeStrategy
from immy_nornir.model.playbooks import ActionType, Offline, Reboot
from immy_nornir.model.record.entries import JobIntended, RebootEnded, RebootIntended, WindowClosed
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status
from tests.decide.builders import software
from tests.decide.steps.world import Session, act, random_faults, resume, session

MONDAY_NOON = datetime(2030, 1, 7, 12, 0, tzinfo=UTC).timestamp()
OPEN = "2030-01-07T11:00/PT1H30M"
"""Open at noon, for half an hour."""
END = MONDAY_NOON + 1800
OVER = "2030-01-07T08:00/2030-01-07T12:00"
AUTO, FORCE = {"reboot": Reboot.AUTOMATIC}, {"reboot": Reboot.FORCE}
CLOSED = (Outcome.SKIPPED, OutcomeReason.WINDOW)
HOURS = "mon-fri 08:00-18:00"


def windowed(window: str, *actions: Any, options: dict[str, Any] | None = None, **more: Any) -> Session:
    spec = {"created_at": MONDAY_NOON, **more.pop("spec", {})}
    return session(*actions, options={"window": window, **(options or {})}, spec=spec, now=MONDAY_NOON, **more)


def end(done: Session) -> tuple[Status, EndReason]:
    assert done.state.finished is not None
    assert all(one.ended is not None for one in done.state.actions.values())
    return done.state.finished.status, done.state.finished.reason


def message(done: Session) -> str:
    assert done.state.finished is not None
    return done.state.finished.message


# --- the end of a window -----------------------------------------------------------------------------------------


def test_what_begins_in_the_window_is_brought_to_its_end_and_nothing_else_begins() -> None:
    actions = act("a"), act("b"), act("c", "b"), act("p", always=True)
    done = windowed(OPEN, *actions, job_seconds=3600.0).go()
    assert done.order == ["a"]
    assert done.outcomes == {
        "a": (Outcome.SUCCESS, OutcomeReason.VERIFIED),
        "b": CLOSED,
        "c": CLOSED,
        "p": CLOSED,
    }
    assert end(done) == (Status.PARTIALLY_PASSED, EndReason.ACTIONS)
    assert f"window {OPEN} closed 2030-01-07 12:30 UTC" in message(done)
    assert done.state.verified is not None


def test_a_session_whose_window_is_over_before_anything_began_is_missed() -> None:
    done = windowed(OVER, act("a"), act("p", always=True)).go()
    assert done.order == []
    assert set(done.outcomes.values()) == {CLOSED}
    assert end(done) == (Status.MISSED, EndReason.WINDOW)
    assert f"window {OVER} closed 2030-01-07 12:00 UTC" in message(done)


def test_a_session_that_waited_for_its_window_and_is_taken_up_too_late_is_missed_without_contact() -> None:
    begun = windowed("2030-01-07T22:00/PT2H", act("a"))
    begun.go_until(lambda: begun.waits)
    begun.world.now = MONDAY_NOON + 86400
    begun.world.reachable = False
    done = resume(begun, begun.entries, begun.world).go()
    assert end(done) == (Status.MISSED, EndReason.WINDOW)


def test_a_session_without_work_passes_whatever_its_window() -> None:
    assert end(windowed(OVER).go()) == (Status.PASSED, EndReason.ACTIONS)


def test_a_reboot_that_is_owed_does_not_come_after_the_end() -> None:
    done = windowed(OPEN, act("a", reboot=RebootNeed.AFTER), options=AUTO, job_seconds=3600.0).go()
    assert done.order == ["a"]
    assert end(done) == (Status.PARTIALLY_PASSED, EndReason.ACTIONS)
    assert "not rebooted: its window closed" in message(done)


@pytest.mark.parametrize("options", [AUTO, FORCE])
def test_no_reboot_begins_a_session_whose_window_is_over(options: dict[str, Any]) -> None:
    done = windowed(OVER, act("a"), options=options, pending=("cbs",)).go()
    assert done.order == []
    assert end(done) == (Status.MISSED, EndReason.WINDOW)


def test_a_forced_reboot_alone_is_missed_too() -> None:
    done = windowed(OVER, options=FORCE).go()
    assert done.order == []
    assert end(done) == (Status.MISSED, EndReason.WINDOW)


def test_what_needs_a_reboot_that_does_not_come_any_more_is_skipped_as_closed() -> None:
    actions = act("a", reboot=RebootNeed.AFTER), act("b", "a")
    done = windowed(OPEN, *actions, options=AUTO, job_seconds=3600.0).go()
    assert done.order == ["a"]
    assert done.outcomes["b"] == CLOSED


def test_a_later_step_of_what_is_begun_comes_after_the_end() -> None:
    """Half an upgrade, the old one removed and no new one, is worse than a late one."""
    item = software("a", upgrade=UpgradeStrategy.UNINSTALL_FIRST)
    action = act("a", kind=ActionType.UPDATE, definition="d")
    done = windowed(OPEN, action, act("b"), definitions={"d": item}, job_seconds=3600.0).go()
    assert done.world.log == ["job s1/a/1", "job s1/a/1.1"]
    assert done.outcomes["b"] == CLOSED


def test_what_is_to_be_tried_again_is_not_tried_after_the_end() -> None:
    done = windowed(OPEN, act("a"), codes={"a": [1618]}, job_seconds=2000.0).go()
    assert done.order == ["a"]
    assert done.outcomes["a"] == CLOSED
    assert end(done)[0] is Status.PARTIALLY_PASSED


def test_a_reboot_that_was_intended_in_the_window_is_not_asked_for_after_its_end() -> None:
    begun = windowed(OPEN, act("a", reboot=RebootNeed.AFTER), options=AUTO)
    begun.go_until(lambda: begun.notes(RebootIntended))
    begun.world.now = END + 60
    done = resume(begun, begun.entries, begun.world).go()
    assert "reboot" not in done.order
    assert done.notes(RebootEnded)[0].message.startswith("not asked for: window")
    assert end(done)[0] is Status.PARTIALLY_PASSED


def test_a_job_that_was_intended_in_the_window_is_not_begun_after_its_end() -> None:
    begun = windowed(OPEN, act("a"))
    begun.go_until(lambda: begun.notes(JobIntended))
    begun.world.now = END + 60
    done = resume(begun, begun.entries, begun.world).go()
    assert done.order == []
    assert end(done)[0] in (Status.PARTIALLY_PASSED, Status.MISSED)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.sampled(15)
def test_nothing_begins_after_the_end_whatever_goes_wrong(seed: int) -> None:
    actions = act("a", reboot=RebootNeed.AFTER), act("b", "a"), act("c"), act("d", "b"), act("z", always=True)
    codes = {"a": [3010], "c": [1618, 0], "b": [1641]}
    begun = windowed(OPEN, *actions, options=AUTO, codes=codes, job_seconds=300.0, faults=random_faults(seed))
    for number in range(3000):
        before = begun.world.now
        begun.go_once(number)
        last = begun.steps[-1]
        if before >= END and isinstance(last, Perform):
            assert last.do not in (Do.START_JOB, Do.ASK_REBOOT, Do.DETERMINE), seed
        if begun.state.finished is not None:
            break
    assert begun.state.finished is not None, seed
    assert len(begun.notes(WindowClosed)) <= 1


@pytest.mark.parametrize(
    ("said", "window", "hours"),
    [
        ("UTC", "2030-01-07T22:00/PT4H", 14),
        ("", "2030-01-07T22:00/PT4H", 26),  # as long as it may be open anywhere
        ("", "2030-01-07T22:00Z/PT4H", 14),
    ],
)
def test_a_computer_that_stays_away_is_waited_for_until_its_window_is_over(said: str, window: str, hours: int) -> None:
    options = {"offline": Offline.APPLY_ON_CONNECT}
    done = windowed(window, act("a"), options=options, spec={"time_zone": said}, reachable=False).go()
    assert end(done) == (Status.MISSED, EndReason.AWAY)
    assert 0 <= done.world.now - (MONDAY_NOON + hours * 3600) <= 600
    assert f"window {window} closed" in message(done)


# --- whose clock -------------------------------------------------------------------------------------------------


def hour(done: Session) -> str:
    return datetime.fromtimestamp(next(iter(done.world.jobs.values())).ends_at - 5, UTC).strftime("%H:%M")


@pytest.mark.parametrize(
    ("said", "reported", "window", "begins"),
    [
        ("", "Eastern Standard Time", "22:00", "03:00"),
        ("", "Asia/Kolkata", "22:00", "16:30"),
        ("", "India Standard Time", "after_hours", "12:30"),
        ("", "UTC", "22:00", "22:00"),
        ("Europe/Berlin", "Eastern Standard Time", "22:00", "21:00"),
        ("Europe/Berlin", None, "2030-01-07T22:00", "21:00"),
        ("", None, "now", "12:00"),
    ],
)
def test_a_window_is_read_by_the_clock_of_the_computer(said: str, reported: Any, window: str, begins: str) -> None:
    done = windowed(window, act("a"), spec={"time_zone": said, "business_hours": HOURS}, time_zone=reported).go()
    assert hour(done) == begins


UNKNOWN = [None, "", "Mars Standard Time", "W. Europe Standard Time_dstoff"]


@pytest.mark.parametrize("reported", UNKNOWN)
@pytest.mark.parametrize("window", ["22:00", "after_hours", "2030-01-07T22:00", "2030-01-07T22:00Z"])
def test_a_window_by_a_clock_that_nobody_knows_is_an_error_with_what_to_do(window: str, reported: Any) -> None:
    done = windowed(window, act("a"), act("p", always=True), spec={"business_hours": HOURS}, time_zone=reported).go()
    assert done.order == []
    assert end(done) == (Status.FAILED, EndReason.STAGE)
    assert "time zone is not known" in message(done)
    assert "set immy_time_zone" in message(done)


@pytest.mark.parametrize("reported", UNKNOWN)
@pytest.mark.parametrize("options", [AUTO, FORCE])
def test_hours_that_hold_reboots_by_a_clock_that_nobody_knows_are_an_error_before_anything_begins(
    options: dict[str, Any], reported: Any
) -> None:
    given = {**options, "reboots_in_business_hours": False}
    spec = {"business_hours": HOURS}
    done = windowed("now", act("a"), options=given, spec=spec, time_zone=reported, pending=("cbs",)).go()
    assert done.order == []
    assert end(done) == (Status.FAILED, EndReason.STAGE)
    assert "business hours, which hold reboots back" in message(done)
    assert "set immy_time_zone" in message(done)


@pytest.mark.parametrize(
    ("options", "hours"),
    [({}, HOURS), (AUTO, HOURS), ({**AUTO, "reboots_in_business_hours": False}, None)],
    ids=["no reboots", "hours that hold nothing", "no hours"],
)
def test_who_needs_no_clock_needs_no_zone(options: dict[str, Any], hours: str | None) -> None:
    done = windowed("now", act("a"), options=options, spec={"business_hours": hours}, time_zone=None).go()
    assert end(done) == (Status.PASSED, EndReason.ACTIONS)


def test_a_forced_reboot_by_a_clock_that_nobody_knows_is_an_error_too() -> None:
    options = {**FORCE, "reboots_in_business_hours": False}
    done = windowed("now", options=options, spec={"business_hours": HOURS}, time_zone=None).go()
    assert done.order == []
    assert end(done) == (Status.FAILED, EndReason.STAGE)
