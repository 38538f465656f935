"""The fold over a session's record: what each entry means."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.steps.state import State, fold_all
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


def ran(name: str, code: int | None = 0, attempt: int = 1) -> list[Entry]:
    result = None if code is None else JobResult(code)
    return [JobIntended(name, attempt, f"s1/{name}/{attempt}", boot=FIRST), JobSeen(name), JobEnded(name, result)]


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


def test_a_job_is_in_progress_from_its_intent_to_the_end_of_its_action() -> None:
    assert after(*ran("a")[:1]).actions["a"].in_progress
    assert after(*ran("a")).actions["a"].in_progress
    state = after(*ran("a"), ended("a"))
    assert not state.actions["a"].in_progress
    assert state.current == ""


def test_output_is_read_on_from_where_it_was() -> None:
    state = after(ran("a")[0], JobSeen("a", "x", 10), JobSeen("a", "y", 25))
    assert state.actions["a"].offset == 25
    assert after(ran("a")[0], JobSeen("a", "x", 10), *ran("a", attempt=2)[:1]).actions["a"].offset == 0


def test_lost_jobs_are_doubts() -> None:
    state = after(*ran("a", None), RetryLater("a", 1001.0, "again"), *ran("a", None, 2))
    assert (state.actions["a"].doubts, state.actions["a"].attempt) == (2, 2)


def test_an_action_that_is_tried_again_holds_nobody_up() -> None:
    state = after(*ran("a", 1618), RetryLater("a", 2000.0, "again"))
    assert (state.current, state.actions["a"].retry_at, state.actions["a"].in_progress) == ("", 2000.0, False)


@pytest.mark.parametrize(
    ("entries", "due"),
    [
        ([*ran("a"), ended("a")], False),
        ([*ran("a", 3010), ended("a")], True),
        ([*ran("a"), ended("a", owed=True)], True),
        ([*ran("a", 3010), *ran("a")[:1], JobEnded("a", JobResult(0)), ended("a")], True),
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
    assert (state.reboots, state.phase, state.reboot, state.connected) == (1, 1, None, True)
    assert state.pending_after_reboot == ("still",)


def test_a_reboot_that_did_not_come_does_not_count() -> None:
    state = after(*ran("a", 1641), RebootIntended(1, "", FIRST, by_itself=True), RebootEnded(1, boot(1)))
    assert (state.reboots, state.phase, state.reboot, state.reboot_failure) == (0, 0, None, "")
    assert state.actions["a"].reboot_due


def test_a_reboot_that_failed_is_remembered() -> None:
    state = after(RebootIntended(1, "", FIRST), RebootAsked(1), RebootEnded(1, None, "it did not come back"))
    assert (state.reboot_failure, state.reboots, state.connected) == ("it did not come back", 0, False)


def test_a_boot_nobody_asked_for_is_a_phase_but_not_one_of_our_reboots() -> None:
    state = after(ContactLost("dropped", ""), ContactBack(boot(2)))
    assert (state.phase, state.reboots) == (1, 0)


def test_losses_count_until_the_computer_answers_and_stumbles_until_something_is_achieved() -> None:
    lost = ContactLost("dropped", "")
    state = after(lost, lost, lost)
    assert (state.losses, state.stumbles, state.lost_at) == (3, 1, 1004.0)
    state = after(lost, lost, ContactBack(boot(1)), lost)
    assert (state.losses, state.stumbles) == (1, 2)
    state = after(lost, ContactBack(boot(1)), lost, ContactBack(boot(1)), *ran("a"), lost)
    assert state.stumbles == 1


def test_a_new_leg_begins_with_patience_and_without_contact() -> None:
    state = after(ContactLost("dropped", ""), Interrupted("stopped"), Resumed("another", 2))
    assert (state.epoch, state.connected, state.lost, state.losses, state.interrupted) == (2, False, None, 0, None)


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
