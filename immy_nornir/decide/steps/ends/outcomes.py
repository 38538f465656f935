"""How actions and sessions end: outcomes of what needs nothing done, and a session's status; pure."""

from __future__ import annotations

from collections.abc import Iterable

from immy_nornir.decide.plan.actions import Decision
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.plan import Held, PlannedAction, Reason
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.entries import ActionEnded
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status

_HELD: dict[Held, tuple[Outcome, OutcomeReason]] = {
    Held.NOT_THIS_TYPE: (Outcome.LEFT, OutcomeReason.NOT_THIS_TYPE),
    Held.REBOOT_SKIPPED: (Outcome.SKIPPED, OutcomeReason.REBOOTS_SKIPPED),
    Held.USER_CONTEXT: (Outcome.SKIPPED, OutcomeReason.USER_CONTEXT),
    Held.DEPENDENCY: (Outcome.SKIPPED, OutcomeReason.DEPENDENCY),
    Held.NO_METHOD: (Outcome.FAILED, OutcomeReason.NO_METHOD),
    Held.UNKNOWN: (Outcome.UNKNOWN, OutcomeReason.DETECTION_FAILED),
}

_SAID: dict[Reason, OutcomeReason] = {
    Reason.DETECTION_FAILED: OutcomeReason.DETECTION_FAILED,
    Reason.UNDECIDED: OutcomeReason.UNDECIDED,
    Reason.WRONG_DEFINITION: OutcomeReason.WRONG_DEFINITION,
    Reason.CONFLICT: OutcomeReason.CONFLICT,
}

_QUIET: dict[Reason, OutcomeReason] = {
    Reason.IGNORED: OutcomeReason.IGNORED,
    Reason.NOT_APPLICABLE: OutcomeReason.NOT_APPLICABLE,
}


def reason_of(decision: Decision) -> OutcomeReason:
    """Why an action ends whose item cannot be judged."""
    return _SAID.get(decision.reason, OutcomeReason.DETECTION_FAILED)


def immediate(action: PlannedAction, finding: Finding | None) -> ActionEnded | None:
    """The end of an action that needs nothing done by this session; None for one that is to be done."""
    if action.to_do:
        return None
    if action.held is not None:
        outcome, reason = _HELD[action.held]
        reason = _SAID.get(action.reason, reason)
        return ActionEnded(action.id, outcome, reason, action.held_why, action.found)
    match action.type:
        case ActionType.AUDIT:
            good = finding is not None and finding.status is FindingStatus.COMPLIANT
            outcome = Outcome.NOTHING if good else Outcome.NOT_COMPLIANT
            return ActionEnded(action.id, outcome, OutcomeReason.AUDIT, action.why, action.found)
        case ActionType.MONITOR:
            return ActionEnded(action.id, Outcome.NOTHING, OutcomeReason.MONITOR, action.why, action.found)
        case _:
            reason = _QUIET.get(action.reason, OutcomeReason.ALREADY_SO)
            return ActionEnded(action.id, Outcome.NOTHING, reason, action.why, action.found)


def looked_at(action: PlannedAction, decision: Decision, finding: Finding) -> ActionEnded:
    """The end of what is only looked at, by what was seen last."""
    if decision.unknown or decision.error:
        return ActionEnded(action.id, Outcome.UNKNOWN, reason_of(decision), decision.why, finding=finding)
    good = finding.status is FindingStatus.COMPLIANT
    outcome = Outcome.NOTHING if good else Outcome.NOT_COMPLIANT
    return ActionEnded(action.id, outcome, OutcomeReason.AUDIT, decision.why, decision.found, finding)


def status_of(ended: Iterable[ActionEnded], *, not_converged: bool = False) -> Status:
    """Passed: nothing failed, was skipped or is unknown; failed: something did, and nothing is as it should be.

    Else partially passed: what is only unknown is neither.
    """
    outcomes = {one.outcome for one in ended}
    if not outcomes & {Outcome.FAILED, Outcome.SKIPPED, Outcome.UNKNOWN} and not not_converged:
        return Status.PASSED
    if Outcome.FAILED in outcomes and not outcomes & {Outcome.SUCCESS, Outcome.NOTHING}:
        return Status.FAILED
    return Status.PARTIALLY_PASSED


def sentence_of(ended: Iterable[ActionEnded], planned: int = 0) -> str:
    """What a session did, in one line: counts, then the names and reasons of what failed, is unknown or was skipped."""
    all_ended = list(ended)
    counts = [
        (Outcome.SUCCESS, "done"),
        (Outcome.FAILED, "failed"),
        (Outcome.UNKNOWN, "unknown"),
        (Outcome.SKIPPED, "skipped"),
        (Outcome.CANCELLED, "cancelled"),
        (Outcome.NOT_COMPLIANT, "not compliant"),
        (Outcome.LEFT, "left"),
        (Outcome.NOTHING, "nothing to do"),
    ]
    parts = [f"{planned} would be done"] if planned else []
    for outcome, word in counts:
        number = sum(1 for one in all_ended if one.outcome is outcome)
        if number:
            parts.append(f"{number} {word}")
    reasons: dict[str, list[str]] = {}
    for one in all_ended:
        if one.outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.SKIPPED):
            reasons.setdefault(one.message, []).append(one.action_id)
    tail = "; ".join(
        f"{', '.join(names[:3])}{' ...' if names[3:] else ''}: {why}" for why, names in [*reasons.items()][:3]
    )
    text = ", ".join(parts) or "nothing deployed"
    return f"{text} ({tail})" if tail else text
