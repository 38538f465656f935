"""An intent that was left by a process that died is of its time: what it announced may not come at noon."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.next_step import next_step
from immy_nornir.decide.steps.step import Do, Perform, Wait
from immy_nornir.model.items import RebootNeed, UpgradeStrategy
from immy_nornir.model.playbooks import ActionType, Reboot
from immy_nornir.model.record.entries import JobIntended, JobSeen, RebootIntended, StopAsked
from immy_nornir.model.record.session import Outcome, Status
from tests.decide.builders import software
from tests.decide.steps.world import Session, act, resume, session

EVENING = datetime(2030, 1, 7, 20, 0, tzinfo=UTC).timestamp()
NEXT_NOON = datetime(2030, 1, 8, 12, 0, tzinfo=UTC).timestamp()
SPEC = {"business_hours": "mon-fri 08:00-18:00", "time_zone": "UTC"}


def cut_after(kind: type[Any], *actions: Any, options: dict[str, Any], at: float = EVENING) -> Session:
    """A session whose process died right after this intent was durable."""
    begun = session(*actions, options=options, spec=SPEC, now=at)
    object.__setattr__(begun.state.spec, "created_at", at)
    return begun.go_until(lambda: begun.notes(kind))


def later(begun: Session, at: float) -> Session:
    begun.world.now = at
    return resume(begun, begun.entries, begun.world)


def times(done: Session) -> list[str]:
    return [datetime.fromtimestamp(job.ends_at - 5, UTC).strftime("%H:%M") for job in done.world.jobs.values()]


@pytest.mark.parametrize("options", [{"reboots_in_business_hours": False}, {"window": "after_hours"}])
def test_a_reboot_that_was_intended_last_night_is_not_asked_for_at_noon(options: dict[str, Any]) -> None:
    given = {"reboot": Reboot.AUTOMATIC, **options}
    begun = cut_after(RebootIntended, act("a", reboot=RebootNeed.AFTER), options=given)
    again = later(begun, NEXT_NOON)
    again.go_until(lambda: "reboot" in again.order)
    assert datetime.fromtimestamp(again.world.now, UTC).strftime("%H") == "18"
    assert again.go().state.finished is not None


def test_a_job_that_was_intended_last_night_is_not_begun_at_noon() -> None:
    begun = cut_after(JobIntended, act("a"), options={"window": "after_hours"})
    assert begun.order == []
    again = later(begun, NEXT_NOON).go()
    assert times(again) == ["18:00"]
    assert again.state.finished is not None
    assert again.state.finished.status is Status.PASSED


def test_a_job_that_was_intended_and_never_begun_is_not_begun_by_the_session_that_is_superseded() -> None:
    begun = cut_after(JobIntended, act("a"), options={})
    again = later(begun, NEXT_NOON)
    again.append(StopAsked("supersede", "superseded by session s2"))
    again.go()
    assert again.order == []
    assert again.state.finished is not None
    assert again.state.finished.status is Status.SUPERSEDED


TWO_STEPS: dict[str, Any] = {"definitions": {"d": software("a", upgrade=UpgradeStrategy.UNINSTALL_FIRST)}}
UPDATE = act("a", kind=ActionType.UPDATE, definition="d")


@pytest.mark.parametrize(("stop", "jobs"), [("supersede", 1), ("cancel", 2)])
def test_only_a_superseded_session_begins_no_later_job_of_what_is_under_way(stop: str, jobs: int) -> None:
    begun = session(UPDATE, **TWO_STEPS)
    begun.go_until(lambda: begun.notes(JobSeen))
    begun.append(StopAsked(stop, "enough"))
    done = begun.go()
    assert done.world.log == ["job s1/a/1", "job s1/a/1.1"][:jobs]
    assert done.outcomes["a"][0] in (Outcome.SUCCESS, Outcome.FAILED)  # what it left is looked at, and recorded


@pytest.mark.parametrize(("stop", "jobs"), [("supersede", 1), ("cancel", 2)])
def test_only_a_superseded_session_does_not_begin_a_later_job_that_was_intended(stop: str, jobs: int) -> None:
    begun = session(UPDATE, **TWO_STEPS)
    begun.go_until(lambda: len(begun.notes(JobIntended)) == 2)
    again = resume(begun, begun.entries, begun.world)
    again.append(StopAsked(stop, "enough"))
    again.go()
    assert again.world.log == ["job s1/a/1", "job s1/a/1.1"][:jobs]


def test_a_job_that_was_intended_long_ago_is_asked_for_before_another_is_begun() -> None:
    begun = cut_after(JobIntended, act("a"), options={})
    begun.world.done.add("a")  # it ran; its folder was swept since
    again = later(begun, EVENING + 30 * 86400).go()
    assert again.order == []
    assert again.state.finished is not None
    assert again.state.finished.status is Status.PASSED


def test_a_wall_clock_that_is_set_back_holds_nothing_up() -> None:
    begun = cut_after(JobIntended, act("a"), options={})
    begun.go_until(lambda: begun.waits)
    state, contact = begun.state, replace(begun.contact, connected=True)
    step = next_step(state, Moment(begun.world.now - 3600, contact))
    assert step == Perform(Do.POLL_JOB, "a")
    assert isinstance(next_step(state, Moment(contact.checked_at, contact)), Wait)
