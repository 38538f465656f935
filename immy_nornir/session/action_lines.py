"""What is left of a session's actions once it has ended: a line each, for exit codes, results and summaries.

A run holds all its sessions to its end; what they did in detail stands in the history. Computers share equal lines.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from immy_nornir.decide.steps.state import State
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import Outcome


@dataclass(frozen=True, slots=True)
class Told:
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


@functools.lru_cache(maxsize=4096)
def _shared(
    id_: str, type_: ActionType, outcome: Outcome | None, message: str, *, changing: bool, attempted: bool
) -> Told:
    said = f" ({message})" if outcome is not None and message else ""
    return Told(id_, type_, changing, attempted, outcome, message, f"{type_}: {outcome or 'not ended'}{said}")


def told(state: State) -> tuple[Told, ...]:
    """A line for each action of a session, in the order of its plan."""
    return tuple(
        _shared(
            one.plan.id,
            one.plan.type,
            one.ended.outcome if one.ended is not None else None,
            one.ended.message if one.ended is not None else "",
            changing=one.plan.changing,
            attempted=one.attempt > 0,
        )
        for one in state.actions.values()
    )
