"""What nobody has approved does not begin; what was approved does not wait for it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from immy_nornir.decide.steps.holding.approval import wanted
from immy_nornir.decide.steps.moment import Approver
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Wait
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.playbooks import ActionType, Reboot
from immy_nornir.model.record.entries import (
    SUPERSEDE,
    ApprovalDenied,
    ApprovalGiven,
    ApprovedAction,
    Determined,
    Entry,
    JobIntended,
    RebootIntended,
    Resumed,
    StopAsked,
)
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status, WaitKind
from tests.decide.steps.test_sessions import every_action_has_an_outcome, random_session
from tests.decide.steps.world import Session, act, session

AUTO = {"reboot": Reboot.AUTOMATIC}
SKIPPED = (Outcome.SKIPPED, OutcomeReason.NOT_APPROVED)
DONE = (Outcome.SUCCESS, OutcomeReason.VERIFIED)


def all_of_it(state: State) -> Entry:
    wants = wanted(state)
    return ApprovalGiven("ana", wants.actions, wants.reboots)


def no(_: State) -> Entry:
    return ApprovalDenied("ana said no")


def asked(begun: Session, answer: Any = all_of_it) -> Session:
    begun.approver, begun.answer = Approver.PERSON, answer
    return begun


def approvals(done: Session) -> list[str]:
    return [one.about for one in done.waits if one.kind is WaitKind.APPROVAL]


def test_a_session_waits_once_for_all_that_it_plans() -> None:
    done = asked(session(act("a", version="1.0"), act("b", "a", reboot=RebootNeed.AFTER), options=AUTO)).go()
    assert approvals(done) == ["somebody to approve 2 actions and a reboot"]
    (given,) = done.notes(ApprovalGiven)
    assert given.actions == (
        ApprovedAction("a", ActionType.INSTALL, "1.0"),
        ApprovedAction("b", ActionType.INSTALL),
    )
    assert done.order == ["a", "b", "reboot"]
    assert done.state.finished is not None
    assert done.state.finished.status is Status.PASSED


def test_a_session_with_nothing_to_do_asks_nobody() -> None:
    done = asked(session(act("a", kind=ActionType.NONE), options=AUTO)).go()
    assert approvals(done) == []


def test_after_a_no_nothing_is_done() -> None:
    done = asked(session(act("a"), act("b"), pending=("cbs",), options=AUTO), no).go()
    assert done.order == []
    assert done.outcomes == {"a": SKIPPED, "b": SKIPPED}
    assert done.state.finished is not None
    assert (done.state.finished.status, done.state.finished.reason) == (Status.CANCELLED, EndReason.NOT_APPROVED)
    assert done.state.finished.message == "ana said no"


def test_what_was_approved_does_not_wait_for_what_was_not() -> None:
    def but_a(state: State) -> Entry:
        if state.approved:
            return ApprovalDenied("ana said no")
        return ApprovalGiven("ana", tuple(one for one in wanted(state).actions if one.id != "a"))

    done = asked(session(act("a"), act("b"), act("c", "a"), act("d")), but_a).go()
    assert done.order == ["b", "d"]
    assert done.outcomes["a"] == SKIPPED
    assert done.outcomes["c"][0] is Outcome.SKIPPED
    assert len(approvals(done)) == 2
    assert done.state.finished is not None
    assert done.state.finished.status is Status.PARTIALLY_PASSED


@pytest.mark.parametrize("says", ["yes", "no"])
def test_a_reboot_that_nobody_could_foresee_is_asked_for_when_it_comes(says: str) -> None:
    def answer(state: State) -> Entry:
        return all_of_it(state) if says == "yes" or not state.approved else no(state)

    done = asked(session(act("a", reboot=RebootNeed.NEVER), codes={"a": [3010]}, options=AUTO), answer).go()
    assert approvals(done) == ["somebody to approve 1 action", "somebody to approve a reboot"]
    assert done.order == (["a", "reboot"] if says == "yes" else ["a"])
    assert done.outcomes["a"] == DONE
    if says == "no":
        assert done.state.finished is not None
        assert "not rebooted: ana said no" in done.state.finished.message


@pytest.mark.parametrize("other", ["another version", "another kind of action"])
def test_what_a_later_detection_finds_otherwise_is_asked_for_again(other: str) -> None:
    found = (
        act("a", version="2.0") if other == "another version" else act("a", kind=ActionType.DOWNGRADE, version="1.0")
    )
    begun = asked(session(act("a", version="1.0"), determined={"a": found}))
    begun.go_until(lambda: begun.state.approved)
    begun.world.now += 3600.0  # detected again before it begins
    done = begun.go()
    assert done.notes(Determined)
    assert len(approvals(done)) == 2
    assert done.order == ["a"]


def test_what_cannot_be_told_yet_is_approved_whatever_it_becomes() -> None:
    todo = act("a", kind=ActionType.UNDETERMINED)
    done = asked(session(todo, determined={"a": act("a", kind=ActionType.ENFORCE)})).go()
    assert len(approvals(done)) == 1
    assert done.order == ["a"]


def test_it_is_asked_before_the_window_opens_and_before_no_other_time() -> None:
    done = asked(session(act("a"), options={"window": "22:00"}, spec={"business_hours": None})).go()
    assert [one.kind for one in done.waits if one.kind in (WaitKind.WINDOW, WaitKind.APPROVAL)] == [
        WaitKind.APPROVAL,
        WaitKind.WINDOW,
    ]
    assert done.order == ["a"]


def test_where_nobody_can_be_asked_it_is_left_for_whoever_can() -> None:
    begun = session(act("a"))
    begun.approver = Approver.ABSENT
    begun.go_until(lambda: begun.waits)
    assert begun.waits == [Wait(WaitKind.APPROVAL, begun.waits[0].until, "somebody to approve 1 action", deferred=True)]
    assert begun.order == []


def test_where_nobody_can_be_asked_what_was_approved_is_done_and_no_more() -> None:
    begun = asked(
        session(act("a"), act("b")), lambda _: ApprovalGiven("ana", (ApprovedAction("b", ActionType.INSTALL),))
    )
    begun.go_until(lambda: begun.state.approved)
    begun.approver = Approver.ABSENT
    begun.go_until(lambda: "b" in begun.outcomes and begun.waits[-1].deferred)
    assert begun.order == ["b"]
    assert begun.outcomes == {"b": DONE}  # the other one is there for whoever can be asked
    done = asked(begun).go()
    assert done.order == ["b", "a"]


def test_what_always_runs_does_not_follow_what_never_began() -> None:
    begun = session(act("a"), act("z", always=True))
    begun.approver = Approver.ABSENT
    begun.go_until(lambda: begun.waits)
    begun.append(StopAsked(SUPERSEDE, "superseded by session s2", "s2"))
    done = begun.go()
    assert done.order == []
    assert every_action_has_an_outcome(done)


def test_another_run_asks_again_about_what_has_not_begun() -> None:
    begun = asked(session(act("a"), act("b")))
    begun.go_until(lambda: "a" in begun.outcomes)
    begun.append(Resumed("another", 2, anew=True))
    done = begun.go()
    assert approvals(done) == ["somebody to approve 2 actions", "somebody to approve 1 action"]


def test_an_approval_that_waits_always_asks_for_something() -> None:
    """A reboot that only a skipped action owes is no plan's; whoever waits for it is asked about it all the same."""
    first, last = act("a", reboot=RebootNeed.NEVER), act("z", "a", always=True, reboot=RebootNeed.NEVER)
    done = asked(session(first, last, codes={"a": [3010, 1618]}, options=AUTO)).go()
    assert all(about != "somebody to approve nothing" for about in approvals(done))


def some_of_it(dice: random.Random) -> Any:
    def answer(state: State) -> Entry:
        wants = wanted(state)
        assert wants, "it waits for nothing"
        given = tuple(one for one in wants.actions if dice.random() < 0.6)
        reboots = wants.reboots and dice.random() < 0.6
        return ApprovalGiven("ana", given, reboots) if given or reboots else ApprovalDenied("ana said no")

    return answer


@pytest.mark.parametrize("block", range(10))
@pytest.mark.sampled(3)
def test_in_any_world_nothing_begins_that_was_not_approved(block: int) -> None:
    for seed in range(block * 40, block * 40 + 40):
        begun = asked(random_session(seed), some_of_it(random.Random(seed)))  # noqa: S311 - repeatable worlds
        approved: set[str] = set()
        reboots = False
        done = begun.go(3000)
        assert every_action_has_an_outcome(done), seed
        for stamped in done.entries:
            match stamped.entry:
                case ApprovalGiven(_, actions, reboot):
                    approved |= {one.id for one in actions}
                    reboots = reboots or reboot
                case JobIntended(actions=actions):
                    assert set(actions) <= approved, seed
                case RebootIntended(by_itself=False):
                    assert reboots, seed
                case _:
                    pass
