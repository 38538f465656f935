"""A session in short, for exit codes, results, waves and summaries: its status, and a line for each action.

A run holds all its sessions to its end, and of those that have ended only this; what they did in detail stands in the
history. Computers share equal lines.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from immy_nornir.decide.steps.state import State
from immy_nornir.history.projection import status_of
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import EndReason, Outcome, Status, WaitKind
from immy_nornir.model.record.words import word


@dataclass(frozen=True, slots=True)
class ActionLine:
    """One action in a line."""

    id: str
    type: ActionType
    changing: bool
    """Whether doing it would change the computer."""
    attempted: bool
    outcome: Outcome | None
    """None: it has not ended."""
    message: str
    sentence: str
    """What was to be done, and what became of it."""
    to_do: bool = False
    """The session will do it, or would if it did not only plan."""
    found: str = ""
    version: str = ""
    """That will be there afterwards."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Recap:
    """What is said of a session when the details are gone."""

    status: Status
    message: str
    reason: EndReason | None
    """None: it has not ended."""
    deferred: bool
    """It waits for its window or its computer; nobody stays for it."""
    waits_for: WaitKind | None
    actions: tuple[ActionLine, ...]
    """In the order of the plan."""
    reboots: int
    reboots_planned: int
    wrong: bool
    """Something that was done failed or did not hold; what was skipped on purpose did not, nor what is not known."""
    late: str = ""
    """Why its work may not fit into its window."""
    spent: float = 0.0
    """The seconds that it has run."""


def recap_of(state: State) -> Recap:
    """A session in short, as it is now."""
    status, message = status_of(state)
    lines = tuple(
        _shared(
            one.plan.id,
            one.plan.type,
            one.ended.outcome if one.ended is not None else None,
            one.ended.message if one.ended is not None else "",
            changing=one.plan.changing,
            attempted=one.attempt > 0,
            to_do=one.plan.to_do,
            found=one.plan.found,
            version=one.plan.version or "",
            why=one.plan.why,
        )
        for one in state.actions.values()
    )
    return Recap(
        status,
        message,
        None if state.finished is None else state.finished.reason,
        state.finished is None and state.waiting is not None and state.waiting.deferred,
        None if state.waiting is None else state.waiting.kind,
        lines,
        state.reboots,
        0 if state.plan is None else state.plan.reboots,
        any(one.outcome is Outcome.FAILED for one in lines)
        or bool(state.verified is not None and state.verified.not_converged),
        state.outlook.text if state.outlook is not None and not state.outlook.fits else "",
        state.spent,
    )


@functools.lru_cache(maxsize=4096)
def _shared(
    id_: str, type_: ActionType, outcome: Outcome | None, message: str, *, changing: bool, attempted: bool, **plan: Any
) -> ActionLine:
    said = f" ({message})" if outcome is not None and message else ""
    sentence = f"{word(type_)}: {word(outcome) if outcome is not None else 'not ended'}{said}"
    return ActionLine(id_, type_, changing, attempted, outcome, message, sentence, **plan)
