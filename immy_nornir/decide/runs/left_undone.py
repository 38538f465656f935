"""What of an ended session a rerun of its failures is about; pure."""

from __future__ import annotations

from collections.abc import Iterator

from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.under_way import ActionState
from immy_nornir.model.record.session import Outcome, OutcomeReason

_UNDONE = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.CANCELLED)
_HELD_UP = (
    OutcomeReason.DEPENDENCY,
    OutcomeReason.STOPPED,
    OutcomeReason.REBOOT_FAILED,
    OutcomeReason.BUSY,
    OutcomeReason.WINDOW,
)
"""Skipped for these it was not skipped on purpose."""


def left_undone(state: State) -> tuple[str, ...]:
    """The items that failed, were held up by what failed, or are not as they should be, in the plan's order.

    An item that was there only for another one is repeated by that other one.
    """
    missing = state.verified.not_converged if state.verified is not None else ()
    found: dict[str, None] = {}
    for name, one in state.actions.items():
        if _undone(one) or any(sentence.startswith(f"{name}: ") for sentence in missing):
            found.update(dict.fromkeys(asking_for(state, one)))
    return tuple(found)


def asking_for(state: State, one: ActionState) -> Iterator[str]:
    """The deployed items because of which an item was in a session: itself, where it has a deployment."""
    waiting, seen = [one.plan], {one.plan.id}
    while waiting:
        plan = waiting.pop()
        if plan.deployment or not plan.requested_by:
            yield plan.item
            continue
        for request in plan.requested_by:
            other = state.actions.get(request.by)
            if other is not None and other.plan.id not in seen:
                seen.add(other.plan.id)
                waiting.append(other.plan)


def _undone(one: ActionState) -> bool:
    if one.ended is None:
        return True
    return one.ended.outcome in _UNDONE or (one.ended.outcome is Outcome.SKIPPED and one.ended.reason in _HELD_UP)
