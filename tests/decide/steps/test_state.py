"""The fold over a session's record: what each entry means."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.steps.execution import execute
from immy_nornir.decide.steps.moment import NO_CONTACT, Contact, Moment
from immy_nornir.decide.steps.state import State, fold, fold_all
from immy_nornir.decide.steps.step import Do, Perform
from immy_nornir.decide.steps.under_way import Job
from immy_nornir.model.facts import Boot, Facts, Finding, FindingStatus, Identity
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.plan import Held, Plan
from immy_nornir.model.playbooks import ActionType, Options, Stage
from immy_nornir.model.record.entries import (
    ActionEnded,
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Entry,
    FactsCollected,
    Finished,
    Interrupted,
    JobEnded,
    JobIntended,
    JobSeen,
    Noted,
    PendingFound,
    Planned,
    RebootAsked,
    RebootEnded,
    RebootIntended,
    Resolved,
    Resumed,
    RetryLater,
    Stamped,
    StopAsked,
    Verified,
    Waiting,
)
from immy_nornir.model.record.session import Outcome, OutcomeReason, SessionSpec, Status, WaitKind
from immy_nornir.model.wire import JobResult
from tests.decide.steps.world import act


def boot(number: int, *pending: str) -> Identity:
    return Identity("PC1", uuid="u", boot=Boot(str(number)), pending_reboots=pending)


BEGUN: list[Entry] = [
    Resumed("me", 1),
    Connected(boot(1)),
    Planned(Plan((act("a"), act("b", reboot=RebootNeed.AFTER)))),
]
FIRST = Boot("1")


def after(*entries: Entry, **options: Any) -> State:
    """The state after the beginning and these entries, one a second."""
    spec = SessionSpec("s1", "r1", "PC1", options=Options(**options))
    stamped = [Stamped(number, 1000.0 + number, one) for number, one in enumerate([*BEGUN, *entries], 1)]
    return fold_all(spec, {}, stamped)


def contact(*entries: Entry) -> Contact:
    """How the process that wrote these entries stands with the computer."""
    state, here = State(SessionSpec("s1", "r1", "PC1")), NO_CONTACT
    for number, one in enumerate([*BEGUN, *entries], 1):
        stamped = Stamped(number, 1000.0 + number, one)
        state, here = fold(state, stamped), here.after(state, stamped)
    return here


def under_way(state: State) -> Job:
    assert state.job is not None
    return state.job


def ran(name: str, code: int | None = 0, attempt: int = 1) -> list[Entry]:
    result = None if code is None else JobResult(code)
    job = f"s1/{name}/{attempt}"
    return [JobIntended(job, (name,), attempt, boot=FIRST), JobSeen(job), JobEnded(job, result)]


def ended(name: str, outcome: Outcome = Outcome.SUCCESS, *, owed: bool = False) -> ActionEnded:
    return ActionEnded(name, outcome, OutcomeReason.VERIFIED, reboot_owed=owed)


def test_stages_are_done_by_their_results() -> None:
    state = after(Resolved(()), FactsCollected(Facts()), Detected(()))
    assert state.done == {Stage.CONNECT, Stage.RESOLVE, Stage.INVENTORY, Stage.DETECT, Stage.PLAN}
    state = after(Verified(()))
    assert {Stage.EXECUTE, Stage.VERIFY} <= state.done
    assert after(Finished(Status.PASSED, "")).done == set(Stage)


def test_facts_are_merged_section_by_section() -> None:
    state = after(
        FactsCollected(Facts({"a": 1, "b": 1}, {"a": 1.0, "b": 1.0})), FactsCollected(Facts({"b": 2}, {"b": 2.0}))
    )
    assert state.facts == Facts({"a": 1, "b": 2}, {"a": 1.0, "b": 2.0})


def test_what_needs_nothing_done_has_ended_with_the_plan() -> None:
    actions = (act("n", kind=ActionType.NONE), act("h", held=Held.USER_CONTEXT, held_why="nobody"), act("x"))
    state = after(Planned(Plan(actions)))
    assert [one.ended is not None for one in state.actions.values()] == [True, True, False]


def test_a_job_is_under_way_from_its_intent_to_the_end_of_its_action() -> None:
    assert after(*ran("a")[:1]).serves("a")
    assert after(*ran("a")).serves("a")
    state = after(*ran("a"), ended("a"))
    assert not state.serves("a")
    assert (state.current, state.job) == ("", None)


def test_a_job_of_several_actions_ends_with_the_last_of_them() -> None:
    both = JobIntended("s1/batch/1", ("a", "b"), 1, boot=FIRST)
    state = after(both, JobSeen("s1/batch/1"), JobEnded("s1/batch/1", JobResult(3010)))
    assert [one.attempt for one in state.actions.values()][:2] == [1, 1]
    assert all(state.actions[name].reboot_due for name in ("a", "b"))
    first = after(both, JobEnded("s1/batch/1", JobResult(0)), ended("a"))
    assert (first.serves("b"), first.current) == (True, "b")
    assert execute(first, Moment(2000.0)) == Perform(Do.VERIFY_ACTION, "b")
    again = after(both, JobEnded("s1/batch/1", JobResult(1618)), RetryLater("a", 3000.0, "again"), ended("b"))
    assert (again.job, again.actions["a"].retry_at) == (None, 3000.0)
    assert after(both, JobEnded("s1/batch/1", JobResult(0)), ended("a"), ended("b")).job is None


def test_a_job_that_nobody_intended_is_no_part_of_a_record() -> None:
    with pytest.raises(ValueError, match="not under way"):
        after(*ran("a")[:1], JobEnded("s1/other/1", JobResult(0)))
    assert after(*ran("a")[:1], JobEnded("", JobResult(0))).actions["a"].result == JobResult(0)


def test_output_is_read_on_from_where_it_was() -> None:
    first, again = "s1/a/1", ran("a", attempt=2)[:1]
    assert under_way(after(ran("a")[0], JobSeen(first, "x", 10), JobSeen(first, "y", 25))).offset == 25
    assert under_way(after(ran("a")[0], JobSeen(first, "x", 10), *again)).offset == 0


def test_lost_jobs_are_doubts() -> None:
    state = after(*ran("a", None), RetryLater("a", 1001.0, "again"), *ran("a", None, 2))
    assert (state.actions["a"].doubts, state.actions["a"].attempt) == (2, 2)


def test_an_action_that_is_tried_again_holds_nobody_up() -> None:
    state = after(*ran("a", 1618), RetryLater("a", 2000.0, "again"))
    assert (state.current, state.actions["a"].retry_at, state.job) == ("", 2000.0, None)


@pytest.mark.parametrize(
    ("entries", "due"),
    [
        ([*ran("a"), ended("a")], False),
        ([*ran("a", 3010), ended("a")], True),
        ([*ran("a"), ended("a", owed=True)], True),
        ([*ran("a", 3010), *ran("a")[:1], JobEnded("s1/a/1", JobResult(0)), ended("a")], True),
        ([*ran("a"), PendingFound(("cbs",)), ended("a")], True),
        ([PendingFound(("cbs",)), *ran("a"), ended("a")], False),
        ([*ran("a"), PendingFound(("ignored",)), ended("a")], False),
        ([*ran("a"), ContactBack(boot(1, "cbs")), ended("a")], True),
        ([*ran("a", 3010), ContactBack(boot(2)), ended("a")], False),
        ([*ran("a", 3010), ended("a"), ContactBack(boot(2))], False),
        ([*ran("a", 3010), ended("a"), RebootIntended(1, "", FIRST), RebootEnded(1, boot(2))], False),
        ([*ran("a", 3010), ended("a"), RebootIntended(1, "", FIRST), RebootEnded(1, None)], True),
    ],
    ids=[
        "nothing",
        "3010",
        "the judgement says so",
        "3010 of an earlier step",
        "a source that is new",
        "a source that was there before",
        "a source that is ignored",
        "a source that the next contact shows",
        "a reboot by others before the judgement serves it",
        "a reboot by others afterwards serves it",
        "our reboot serves it",
        "a reboot that failed does not",
    ],
)
def test_a_reboot_is_owed(entries: list[Entry], due: bool) -> None:
    state = after(*entries, ignore_pending_reboots=("ignored",))
    assert state.actions["a"].reboot_due is due
    assert state.owed is due


def test_a_reboot_counts_when_the_boot_has_changed() -> None:
    state = after(RebootIntended(1, "", FIRST), RebootAsked(1), RebootEnded(1, boot(2, "still")))
    assert (state.reboots, state.phase, state.reboot) == (1, 1, None)
    assert state.pending_after_reboot == ("still",)


def test_a_reboot_that_did_not_come_does_not_count() -> None:
    state = after(*ran("a", 1641), RebootIntended(1, "", FIRST, by_itself=True), RebootEnded(1, boot(1)))
    assert (state.reboots, state.phase, state.reboot, state.reboot_failure) == (0, 0, None, "")
    assert state.actions["a"].reboot_due


def test_a_reboot_that_failed_is_remembered() -> None:
    state = after(RebootIntended(1, "", FIRST), RebootAsked(1), RebootEnded(1, None, "it did not come back"))
    assert (state.reboot_failure, state.reboots) == ("it did not come back", 0)


def test_a_boot_nobody_asked_for_is_a_phase_but_not_one_of_our_reboots() -> None:
    state = after(ContactLost("dropped", ""), ContactBack(boot(2)))
    assert (state.phase, state.reboots) == (1, 0)


def test_losses_count_until_the_computer_answers_and_stumbles_until_something_is_achieved() -> None:
    lost = ContactLost("dropped", "")
    state = after(lost, lost, lost)
    assert (state.losses, state.lost_at) == (3, 1004.0)
    assert contact(lost, lost, lost).stumbles == 1
    assert after(lost, lost, ContactBack(boot(1)), lost).losses == 1
    assert contact(lost, lost, ContactBack(boot(1)), lost).stumbles == 2
    assert contact(lost, ContactBack(boot(1)), lost, ContactBack(boot(1)), *ran("a"), lost).stumbles == 1


def test_contact_is_there_after_who_answered_and_gone_with_who_was_asked_to_reboot() -> None:
    asked = RebootIntended(1, "", FIRST), RebootAsked(1)
    assert contact().connected
    assert not contact(*asked).connected
    assert contact(*asked, RebootEnded(1, boot(2))).connected
    assert not contact(*asked, RebootEnded(1, boot(1))).connected
    assert not contact(*asked, RebootEnded(1, None, "it did not come back")).connected
    assert not contact(ContactLost("dropped", "")).connected


def test_a_new_leg_begins_with_patience_and_without_contact() -> None:
    state = after(ContactLost("dropped", ""), Interrupted("stopped"), Resumed("another", 2))
    assert (state.epoch, state.lost, state.losses, state.interrupted) == (2, None, 0, None)
    assert contact(ContactLost("dropped", ""), Interrupted("stopped"), Resumed("another", 2)) == NO_CONTACT


def test_a_wait_is_over_with_the_next_entry() -> None:
    wait = Waiting(WaitKind.WINDOW, 9999.0, "its window")
    assert after(wait).waiting == wait
    assert after(wait, Noted("still")).waiting == wait
    assert after(wait, ContactBack(boot(1))).waiting is None


def test_the_judgement_of_an_action_is_its_newest_finding() -> None:
    old, new = (Finding("a", "", status) for status in (FindingStatus.NOT_FOUND, FindingStatus.FOUND))
    state = after(Detected((old,)), *ran("a"), ActionEnded("a", Outcome.SUCCESS, OutcomeReason.VERIFIED, finding=new))
    assert state.findings["a"] is new


def test_a_stop_is_kept() -> None:
    stop = StopAsked("cancel", "by ana")
    assert after(stop, *ran("a")).stop == stop
