"""A run's state, folded from the entries of its record; pure, like that of a session (decide.steps.state)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from immy_nornir.model.copies import replace
from immy_nornir.model.record.run import (
    Approved,
    RunEnded,
    RunHalted,
    RunLeft,
    RunSpec,
    RunStamped,
    RunTakenUp,
    WaveBegan,
    WaveEnded,
)


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything that the next wave depends on, but for how its sessions stand."""

    spec: RunSpec
    entries: int = 0
    approved: Approved | None = None
    began: Mapping[int, int] = field(default_factory=dict)
    """How many waves of a play have begun, by the play's number: they begin and end in order."""
    ended: Mapping[int, int] = field(default_factory=dict)
    halted: Mapping[int | None, str] = field(default_factory=dict)
    """Why no further wave begins, by the play's number; None: of the whole run."""
    spent: float = 0.0
    """The seconds that the waves that are over have run (decide.steps.holding.deadlines)."""
    left: str = ""
    """Why the process that was at it has left it."""
    finished: RunEnded | None = None

    def why_halted(self, play: int) -> str:
        """Why no further wave of a play begins; empty when one may."""
        return self.halted.get(None) or self.halted.get(play, "")


def fold_run(state: RunState, stamped: RunStamped) -> RunState:
    """The state after one more entry."""
    state = replace(state, entries=stamped.seq)
    match stamped.entry:
        case Approved() as approved:
            return replace(state, approved=approved)
        case RunTakenUp():
            return replace(state, left="", finished=None)
        case WaveBegan(play, wave):
            return replace(state, began={**state.began, play: wave + 1})
        case WaveEnded(play, wave, seconds=seconds):
            return replace(state, ended={**state.ended, play: wave + 1}, spent=state.spent + seconds)
        case RunHalted(play, why):
            return replace(state, halted={**state.halted, play: why})
        case RunLeft(why):
            return replace(state, left=why)
        case RunEnded() as ended:
            return replace(state, finished=ended)
        case _ as never:
            assert_never(never)


def fold_run_all(spec: RunSpec, entries: Iterable[RunStamped]) -> RunState:
    """The state after all entries of a record."""
    state = RunState(spec)
    for stamped in entries:
        state = fold_run(state, stamped)
    return state
