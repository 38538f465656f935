"""What comes between the intent of a job and its start: what was never asked for is taken back, else it is in doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from immy_nornir.decide.plan.commands import COMMAND_TYPE
from immy_nornir.decide.steps.holding.approval import asked
from immy_nornir.decide.steps.moment import Approver
from immy_nornir.decide.steps.next_step import next_step
from immy_nornir.decide.steps.step import Do, Note, Perform
from immy_nornir.model.control.holds import Hold, HoldKind
from immy_nornir.model.deployments import TaskMode
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import ItemKind
from immy_nornir.model.plan import Desire
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import (
    ApprovalGiven,
    ContactBack,
    ContactLost,
    Detected,
    Entry,
    Interrupted,
    JobEnded,
    JobIntended,
    JobSeen,
    JobWithdrawn,
    Noted,
    Outdated,
    ReadyLooked,
    Resolved,
    Resumed,
    StageFailed,
    StopAsked,
)
from immy_nornir.model.record.order_entries import CancelAsked, Ordered, PauseAsked, PauseLifted
from immy_nornir.model.record.session import ByHand, EndReason, Outcome, OutcomeReason, Status, WaitKind
from immy_nornir.model.wire import JobResult
from tests.decide.steps.world import Session, World, act, resume, session

BY = Ordered(1, "ann@desk", "")


def intended(*, by_hand: bool = False) -> Session:
    """A session between the intent of its only job and the start."""
    given: dict[str, Any] = {"kind": COMMAND_TYPE, "spec": {"by_hand": ByHand(("x",))}} if by_hand else {}
    begun = session(act("a"), **given)
    return begun.go_until(lambda: begun.notes(JobIntended))


def cancelled(begun: Session) -> None:
    begun.append(CancelAsked(BY))


def stopped_at_once(begun: Session) -> None:
    begun.append(CancelAsked(BY, now=True))


def superseded(begun: Session) -> None:
    begun.append(StopAsked("supersede", "the files say otherwise", "s2"))


def paused(begun: Session) -> None:
    begun.append(PauseAsked(BY))


def held(begun: Session) -> None:
    begun.holds = (Hold(HoldKind.FREEZE, "no", 0.0, begun.world.now + 3600),)


def held_for_good(begun: Session) -> None:
    begun.holds = (Hold(HoldKind.HOLD, "no", 0.0, None),)


def frozen(begun: Session) -> None:
    begun.frozen = "the fleet is frozen"


def over(begun: Session) -> None:
    begun.run_over = "its run has run for 1 minute"


def lost(begun: Session) -> None:
    begun.append(ContactLost("unreachable", "no answer", "connect"))
    begun.append(StageFailed(Stage.EXECUTE, "lost contact: no answer", EndReason.LOST))


COMES: dict[str, tuple[Callable[[Session], None], tuple[Outcome, OutcomeReason] | None]] = {
    # What comes, and how the action ends by it; None: it does not.
    "an order to cancel": (cancelled, (Outcome.CANCELLED, OutcomeReason.CANCELLED)),
    "one to stop at once": (stopped_at_once, (Outcome.CANCELLED, OutcomeReason.CANCELLED)),
    "a session in its place": (superseded, (Outcome.CANCELLED, OutcomeReason.CANCELLED)),
    "a pause": (paused, None),
    "a hold that ends": (held, None),
    "a hold without an end": (held_for_good, (Outcome.SKIPPED, OutcomeReason.HELD)),
    "a freeze": (frozen, None),
    "the end of its time": (over, (Outcome.SKIPPED, OutcomeReason.TIME_OVER)),
    "lost contact": (lost, (Outcome.SKIPPED, OutcomeReason.STOPPED)),
}


@pytest.mark.parametrize("by_hand", [False, True], ids=["planned", "by hand"])
@pytest.mark.parametrize("name", COMES)
def test_what_was_never_asked_for_is_known_not_to_run(name: str, by_hand: bool) -> None:
    begun, (come, ends) = intended(by_hand=by_hand), COMES[name]
    come(begun)
    begun.go_until(lambda: begun.waits or begun.notes(Interrupted) or begun.state.finished)
    assert begun.notes(JobEnded) == []
    assert len(begun.notes(JobWithdrawn)) == 1
    assert begun.outcomes == ({} if ends is None else {"a": ends})
    assert begun.order == []
    assert begun.state.actions["a"].attempt == 0
    assert "not known" not in str(begun.entries[-1].entry)


@pytest.mark.parametrize("by_hand", [False, True], ids=["planned", "by hand"])
def test_what_was_taken_back_is_begun_once_when_it_may_be(by_hand: bool) -> None:
    begun = intended(by_hand=by_hand)
    paused(begun)
    begun.go_until(lambda: begun.waits)
    begun.append(PauseLifted(BY))
    begun.go()
    assert begun.order == ["a"]
    assert begun.state.finished is not None
    assert begun.state.finished.status is Status.PASSED


def test_the_operator_leaves_nothing_in_doubt_that_was_not_asked_for() -> None:
    begun = intended()
    step = next_step(begun.state, replace(begun.moment, stop=True))
    assert isinstance(step, Note)
    assert isinstance(step.entry, JobWithdrawn)
    begun.append(step.entry)
    step = next_step(begun.state, replace(begun.moment, stop=True))
    assert isinstance(step, Note)
    assert step.entry == Interrupted("stopped by the operator between two steps")


DOUBTS: dict[str, list[Entry]] = {
    "its start was cut off": [ContactLost("dropped", "cut off", "start_job a")],
    "another process was at it": [Resumed("another", 2)],
    "an operation fell over": [Noted("a fault of immy")],
    "an operation fell over for good": [StageFailed(Stage.EXECUTE, "a fault of immy", EndReason.CRASHED)],
    "it was seen": [JobSeen("s1/a/1")],
    "it has ended": [JobEnded("s1/a/1", JobResult(0))],
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_may_have_been_asked_for_is_never_taken_back(name: str) -> None:
    begun = intended()
    for entry in DOUBTS[name]:
        begun.append(entry)
    assert begun.state.job is not None
    assert not begun.state.job.unsent
    cancelled(begun)
    begun.go_until(lambda: begun.state.finished)
    assert begun.notes(JobWithdrawn) == []


def test_a_command_that_may_have_been_asked_for_stays_in_doubt() -> None:
    begun = intended(by_hand=True)
    begun.append(ContactLost("dropped", "cut off", "start_job a"))
    begun.append(ContactBack(begun.world.identity()))
    cancelled(begun)
    begun.go()
    assert begun.outcomes["a"] == (Outcome.FAILED, OutcomeReason.IN_DOUBT)
    assert Perform(Do.POLL_JOB, "a") in begun.steps


# --- an intent of long ago, and whether the computer is ready -----------------------------------------------------

GATE = Desire("task/quiet", kind=ItemKind.TASK, mode=TaskMode.ENFORCE, preflight=True)


def found(status: FindingStatus) -> tuple[Finding, ...]:
    return (Finding("task/quiet", "", status=status, message="a call"),)


@pytest.mark.parametrize("hours", [0.1, 3, 72])
def test_an_intent_of_before_asks_whether_the_computer_is_ready_before_its_job_starts(hours: float) -> None:
    asked: list[float] = []
    """When it was asked; the first two times of another process the answer is no."""

    def quiet(world: World, step: Perform) -> list[Entry] | None:
        if step.do is Do.RESOLVE:
            return [Resolved((GATE,))]
        if step.do not in (Do.DETECT, Do.LOOK_READY):
            return None
        asked.append(world.now)
        findings = found(FindingStatus.NOT_COMPLIANT if len(asked) in (2, 3) else FindingStatus.COMPLIANT)
        if step.do is Do.DETECT:
            return [Detected(findings)]
        return [] if len(asked) == 3 else [ReadyLooked(findings)]  # as it was: no entry

    begun = session(act("a"), faults=quiet)
    begun.go_until(lambda: begun.notes(JobIntended))
    begun.world.now += hours * 3600
    again = resume(begun, begun.entries, begun.world).go()
    assert again.order == ["a"]
    assert len(asked) == 4
    assert [one.kind for one in again.waits].count(WaitKind.PREFLIGHT) == 2
    assert 0 < again.world.jobs["s1/a/2"].ends_at - asked[-1] < 60


def test_whoever_waits_for_an_answer_writes_nothing_while_nothing_changes() -> None:
    begun = session(act("a"), faults=gated)
    begun.approver = Approver.PERSON
    begun.go_until(lambda: begun.waits)
    number, hour = len(begun.entries), begun.world.now + 3600
    begun.go_until(lambda: begun.world.now > hour + 5 * 3600)
    assert {one.kind for one in begun.waits} == {WaitKind.APPROVAL}
    assert len(begun.entries) == number
    begun.answer = lambda state: ApprovalGiven("ann", asked(state).actions, reboots=True)
    begun.go()
    assert begun.order == ["a"]
    assert begun.steps.count(Perform(Do.DETECT)) == 2  # right before it begins, with what keeps it from beginning


def gated(_: World, step: Perform) -> list[Entry] | None:
    match step.do:
        case Do.RESOLVE:
            return [Resolved((GATE,))]
        case Do.DETECT:
            return [Detected(found(FindingStatus.COMPLIANT))]
        case Do.LOOK_READY:
            return []
        case _:
            return None


def test_what_was_detected_again_is_asked_as_well() -> None:
    begun = intended()
    begun.append(Outdated("long ago"))
    assert begun.go().order == ["a"]
