"""How long a session and its run may take: what counts as running time, and what the end of it means."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.runs.run_state import RunState, fold_run
from immy_nornir.decide.steps.holding import deadlines
from immy_nornir.decide.steps.moment import Approver, Moment
from immy_nornir.decide.steps.next_step import next_step
from immy_nornir.decide.steps.state import fold_all
from immy_nornir.decide.steps.step import Finish, Note
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.playbooks import Offline, Reboot, Stage
from immy_nornir.model.record.entries import (
    ContactBack,
    ContactLost,
    Entry,
    Interrupted,
    JobIntended,
    RebootIntended,
    Resumed,
    StageFailed,
    Stamped,
    StopAsked,
    TimeOver,
    Waiting,
)
from immy_nornir.model.record.run import RunSpec, RunStamped, WaveEnded
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, SessionSpec, Status, WaitKind
from tests.decide.steps.world import Session, World, act, resume, session

SHORT = {"session_timeout_minutes": 10}
TOLD = "its time is over: it has run for 10 minutes (session_timeout_minutes)"


def waiting(kind: WaitKind) -> Entry:
    return Waiting(kind, 9e9, "something")


IDENTITY = World(session().world.plan).identity()

COUNTS: dict[str, tuple[list[tuple[float, Entry]], float]] = {
    "work": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.JOB)), (300, waiting(WaitKind.JOB))], 400),
    "a reboot": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.REBOOT))], 400),
    "another try": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.RETRY))], 400),
    "not a window": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.WINDOW))], 100),
    "not a computer that is off": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.CONNECTIVITY))], 100),
    "not lost contact": ([(0, Resumed("a", 1)), (100, ContactLost("dropped", "x")), (300, ContactBack(IDENTITY))], 200),
    "not an answer": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.APPROVAL)), (300, Resumed("b", 2))], 200),
    "not a pause": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.PAUSE))], 100),
    "not room": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.SLOT))], 100),
    "not brakes": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.BRAKES))], 100),
    "not the time with nobody at it": ([(0, Resumed("a", 1)), (100, Interrupted("x")), (300, Resumed("b", 2))], 200),
    "not the time after a kill": ([(0, Resumed("a", 1)), (100, waiting(WaitKind.JOB)), (300, Resumed("b", 2))], 200),
    "not the time before it began": ([(300, Resumed("a", 1))], 100),
    "not a clock that was set back": ([(300, Resumed("a", 1)), (100, waiting(WaitKind.JOB))], 300),
}


@pytest.mark.parametrize("name", COUNTS)
def test_only_running_time_counts(name: str) -> None:
    entries, seconds = COUNTS[name]
    stamped = [Stamped(number, at, entry) for number, (at, entry) in enumerate(entries, 1)]
    assert deadlines.spent(fold_all(SessionSpec("s", "r", "pc"), {}, stamped), 400.0) == seconds


def hanging(*more: Any, **given: Any) -> Session:
    """A session whose job never ends; nobody looks after it, and its action may take a week."""
    options = {**SHORT, "reboot": Reboot.AUTOMATIC, **given.pop("options", {})}
    return session(act("a", timeout_seconds=7 * 86400), *more, options=options, job_seconds=1e9, **given)


def test_a_job_that_nobody_looks_after_is_left_and_named_and_nothing_new_begins() -> None:
    begun = hanging(act("b"), act("z", always=True))
    begun.go_until(lambda: begun.state.over)
    begun.world.job_seconds = 5
    begun.go()
    assert begun.outcomes == {
        "a": (Outcome.FAILED, OutcomeReason.TIME_OVER),
        "b": (Outcome.SKIPPED, OutcomeReason.TIME_OVER),
        "z": (Outcome.SUCCESS, OutcomeReason.VERIFIED),
    }
    assert begun.order == ["a", "z"]
    ended = begun.state.actions["a"].ended
    assert ended is not None
    assert ended.message == f"{TOLD}; its job was still at work, and was left on the computer"
    finished = begun.state.finished
    assert finished is not None
    assert (finished.status, finished.reason) == (Status.PARTIALLY_PASSED, EndReason.TIME_OVER)
    assert finished.message.startswith(TOLD)
    assert len(begun.notes(TimeOver)) == 1


def test_what_always_runs_keeps_its_own_deadline_after_it() -> None:
    begun = hanging(act("z", always=True, timeout_seconds=600)).go()
    assert begun.outcomes["z"] == (Outcome.FAILED, OutcomeReason.DEADLINE)
    assert begun.state.finished is not None
    assert begun.state.finished.status is Status.FAILED


def test_what_was_done_before_counts_and_no_reboot_is_asked_for_any_more() -> None:
    begun = session(
        act("a", reboot=RebootNeed.AFTER), act("b"), options={**SHORT, "reboot": Reboot.AUTOMATIC}, job_seconds=400
    ).go()
    assert begun.outcomes == {
        "a": (Outcome.SUCCESS, OutcomeReason.VERIFIED),
        "b": (Outcome.FAILED, OutcomeReason.TIME_OVER),
    }
    assert not begun.notes(RebootIntended)
    assert begun.state.finished is not None
    assert begun.state.finished.status is Status.PARTIALLY_PASSED
    assert f"not rebooted: {TOLD}" in begun.state.finished.message


def test_a_reboot_that_is_asked_for_is_waited_for() -> None:
    begun = session(
        act("a", reboot=RebootNeed.AFTER),
        act("b", "a"),
        options={**SHORT, "reboot": Reboot.AUTOMATIC},
        away_seconds=900,
    ).go()
    assert begun.order == ["a", "reboot"]
    assert begun.outcomes["b"] == (Outcome.SKIPPED, OutcomeReason.TIME_OVER)


def test_a_session_that_never_comes_to_a_plan_fails() -> None:
    def fault(world: World, step: object) -> list[Entry] | None:  # noqa: ARG001 - the form of a fault
        world.now += 120
        return None

    begun = session(act("a"), options={"session_timeout_minutes": 4}, faults=fault).go()
    assert [one.reason for one in begun.notes(StageFailed)] == [EndReason.TIME_OVER]
    assert begun.state.finished is not None
    assert (begun.state.finished.status, begun.state.finished.reason) == (Status.FAILED, EndReason.TIME_OVER)
    assert begun.order == []


def test_years_in_front_of_a_window_or_weeks_in_front_of_an_answer_end_nothing() -> None:
    begun = session(act("a"), options={**SHORT, "window": "2030-01-01T22:00"}).go()
    assert begun.state.finished is not None
    assert begun.state.finished.status is Status.PASSED
    off = session(act("a"), options={**SHORT, "offline": Offline.APPLY_ON_CONNECT}, reachable=False)
    off.go_until(lambda: off.world.now > 1e6, 100_000)
    off.world.reachable = True
    off.go()
    assert off.state.finished is not None
    assert off.state.finished.status is Status.PASSED


def test_who_takes_it_up_goes_on_with_the_time_that_was_spent() -> None:
    begun = hanging()
    begun.go_until(lambda: deadlines.spent(begun.state, begun.world.now) > 500)
    begun.append(Interrupted("stopped"))
    begun.world.now += 86400
    again = resume(begun, begun.entries, begun.world)
    spent, since = again.state.spent, again.world.now
    assert 500 < spent < 600
    again.go()
    over = next(one.at for one in again.entries if isinstance(one.entry, TimeOver))
    assert over - since < 600 - spent + 30


@pytest.mark.parametrize("block", range(6))
def test_wherever_the_run_is_over_nothing_new_begins_and_the_session_ends(block: int) -> None:
    """A job may still be created where its intent stood before; an always-action begins only after something did."""
    for stop in range(block * 8, block * 8 + 8):
        begun = session(
            act("a", reboot=RebootNeed.AFTER),
            act("b", "a"),
            act("z", always=True),
            options={"reboot": Reboot.AUTOMATIC},
            codes={"a": [1618, 3010], "b": [1641]},
        )
        begun.go_until(lambda begun=begun, stop=stop: len(begun.steps) >= stop or begun.state.finished)  # type: ignore[misc]
        number = len(begun.entries)
        begun.run_over = "its run has run for 1 minute"
        begun.go()
        later = [one.entry for one in begun.entries[number:]]
        assert not [one for one in later if isinstance(one, JobIntended) and one.actions != ("z",)], stop
        assert not [one for one in later if isinstance(one, RebootIntended) and not one.by_itself], stop


def test_nobody_is_asked_about_what_always_runs_when_the_time_is_over() -> None:
    begun = session(act("a"), act("z", always=True))
    begun.approver = Approver.PERSON
    begun.go_until(lambda: begun.state.waiting)
    begun.run_over = "its run has run for 1 minute"
    begun.go()
    assert {reason for _, reason in begun.outcomes.values()} <= {OutcomeReason.TIME_OVER, OutcomeReason.NOT_APPROVED}


def test_a_session_that_is_stopped_or_has_failed_is_not_ended_twice() -> None:
    for entry in (StopAsked("cancel", "by ana"), StageFailed(Stage.DETECT, "no")):
        begun = session(act("a"))
        begun.append(entry)
        step = next_step(begun.state, Moment(begun.world.now + 1e7, begun.contact, run_over="over"))
        assert isinstance(step, Finish | Note)
        assert not isinstance(step, Note) or not isinstance(step.entry, TimeOver)


def test_a_run_counts_of_each_wave_its_longest_session() -> None:
    state = RunState(RunSpec("r", "run"))
    for number, seconds in enumerate((100.0, 50.0)):
        state = fold_run(state, RunStamped(number + 1, 9e9, WaveEnded(0, number, 2, 0, seconds)))
    assert deadlines.run_spent(state.spent, [[10.0, 30.0], []]) == 180.0
    assert deadlines.run_over(3.0, 179.9) == ""
    assert deadlines.run_over(3.0, 180.0) == "its run has run for 3 minutes (run_timeout_minutes)"


def test_when_it_will_be_over_is_known_while_it_runs() -> None:
    begun = hanging()
    begun.go_until(lambda: begun.state.job is not None)
    now: float = begun.world.now
    at = deadlines.ends_at(begun.state, now)
    assert at is not None
    assert at == pytest.approx(now + 600 - deadlines.spent(begun.state, now))
    begun.append(waiting(WaitKind.WINDOW))
    assert deadlines.ends_at(begun.state, now) is None
