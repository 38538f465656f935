"""What is left of a session's actions once it has ended: a line each, for exit codes, results and summaries.

A run holds all its sessions to its end; what they did in detail stands in the history. Computers share equal lines.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from immy_nornir.decide.state import State
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record import Outcome


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

    @property
    def sentence(self) -> str:
        """What was to be done, and what became of it."""
        return _sentence(self)


@functools.lru_cache(maxsize=4096)
def _sentence(one: Told) -> str:
    said = f" ({one.message})" if one.outcome is not None and one.message else ""
    return f"{one.type}: {one.outcome or 'not ended'}{said}"


_shared = functools.lru_cache(maxsize=4096)(Told)


def told(state: State) -> tuple[Told, ...]:
    """A line for each action of a session, in the order of its plan."""
    return tuple(
        _shared(
            one.plan.id,
            one.plan.type,
            one.plan.changing,
            one.attempt > 0,
            one.ended.outcome if one.ended is not None else None,
            one.ended.message if one.ended is not None else "",
        )
        for one in state.actions.values()
    )
