"""Ends of what needs nothing done, and a session's status."""

from __future__ import annotations

import pytest

from immy_nornir.decide.steps.ends.outcomes import immediate, sentence_of, status_of
from immy_nornir.model.plan import Held, Reason
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.entries import ActionEnded
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status
from tests.decide.builders import compliant
from tests.decide.steps.world import act

S, F, K, N, L, A, U = (
    Outcome.SUCCESS,
    Outcome.FAILED,
    Outcome.SKIPPED,
    Outcome.NOTHING,
    Outcome.LEFT,
    Outcome.NOT_COMPLIANT,
    Outcome.UNKNOWN,
)


def _ended(*outcomes: Outcome) -> list[ActionEnded]:
    return [ActionEnded(f"a{number}", one, OutcomeReason.VERIFIED, "because") for number, one in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("outcomes", "converged", "status"),
    [
        ((), True, Status.PASSED),
        ((S, N, L), True, Status.PASSED),
        ((A, S), True, Status.PASSED),
        ((S,), False, Status.PARTIALLY_PASSED),
        ((K,), True, Status.PARTIALLY_PASSED),
        ((S, K), True, Status.PARTIALLY_PASSED),
        ((S, F), True, Status.PARTIALLY_PASSED),
        ((N, F), True, Status.PARTIALLY_PASSED),
        ((F,), True, Status.FAILED),
        ((F, K), True, Status.FAILED),
        ((U,), True, Status.PARTIALLY_PASSED),
        ((S, U, N), True, Status.PARTIALLY_PASSED),
        ((U, F), True, Status.FAILED),
    ],
)
def test_status(outcomes: tuple[Outcome, ...], converged: bool, status: Status) -> None:
    assert status_of(_ended(*outcomes), not_converged=not converged) is status


def test_the_sentence_counts_and_names_what_failed() -> None:
    assert sentence_of([]) == "nothing deployed"
    assert sentence_of(_ended(S, S, F)) == "2 done, 1 failed (a2: because)"
    assert sentence_of(_ended(S, U)) == "1 done, 1 unknown (a1: because)"


HELD = [
    (Held.NOT_THIS_TYPE, Reason.SOFTWARE_MISSING, Outcome.LEFT, OutcomeReason.NOT_THIS_TYPE),
    (Held.REBOOT_SKIPPED, Reason.SOFTWARE_MISSING, Outcome.SKIPPED, OutcomeReason.REBOOTS_SKIPPED),
    (Held.USER_CONTEXT, Reason.SOFTWARE_MISSING, Outcome.SKIPPED, OutcomeReason.USER_CONTEXT),
    (Held.DEPENDENCY, Reason.SOFTWARE_MISSING, Outcome.SKIPPED, OutcomeReason.DEPENDENCY),
    (Held.NO_METHOD, Reason.NO_APPLICABLE_VERSION, Outcome.FAILED, OutcomeReason.NO_METHOD),
    (Held.NO_METHOD, Reason.WRONG_DEFINITION, Outcome.FAILED, OutcomeReason.WRONG_DEFINITION),
    (Held.UNKNOWN, Reason.DETECTION_FAILED, Outcome.UNKNOWN, OutcomeReason.DETECTION_FAILED),
    (Held.UNKNOWN, Reason.UNDECIDED, Outcome.UNKNOWN, OutcomeReason.UNDECIDED),
    (Held.NO_METHOD, Reason.CONFLICT, Outcome.FAILED, OutcomeReason.CONFLICT),
]


@pytest.mark.parametrize(("held", "reason", "outcome", "why"), HELD)
def test_what_is_held_ends_with_its_reason(held: Held, reason: Reason, outcome: Outcome, why: OutcomeReason) -> None:
    ended = immediate(act("a", held=held, held_why="because", reason=reason), None)
    assert ended is not None
    assert (ended.outcome, ended.reason, ended.message) == (outcome, why, "because")


@pytest.mark.parametrize("held", Held)
def test_every_way_of_being_held_has_an_end(held: Held) -> None:
    assert immediate(act("a", held=held), None) is not None


def test_what_is_to_be_done_has_no_end_yet() -> None:
    assert immediate(act("a"), None) is None
    assert immediate(act("a", kind=ActionType.UNDETERMINED), None) is None


@pytest.mark.parametrize(
    ("kind", "reason", "yes", "outcome", "why"),
    [
        (ActionType.AUDIT, Reason.AUDIT, True, Outcome.NOTHING, OutcomeReason.AUDIT),
        (ActionType.AUDIT, Reason.AUDIT, False, Outcome.NOT_COMPLIANT, OutcomeReason.AUDIT),
        (ActionType.MONITOR, Reason.MONITOR, True, Outcome.NOTHING, OutcomeReason.MONITOR),
        (ActionType.NONE, Reason.UP_TO_DATE, True, Outcome.NOTHING, OutcomeReason.ALREADY_SO),
        (ActionType.NONE, Reason.IGNORED, True, Outcome.NOTHING, OutcomeReason.IGNORED),
        (ActionType.NONE, Reason.NOT_APPLICABLE, True, Outcome.NOTHING, OutcomeReason.NOT_APPLICABLE),
    ],
)
def test_what_changes_nothing_ends_at_once(
    kind: ActionType,
    reason: Reason,
    yes: bool,
    outcome: Outcome,
    why: OutcomeReason,
) -> None:
    ended = immediate(act("a", kind=kind, reason=reason), compliant("task/a", yes))
    assert ended is not None
    assert (ended.outcome, ended.reason) == (outcome, why)
