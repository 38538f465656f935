"""What a session does while this machine itself has no room for it: it waits, as long as a lost computer is waited for.

For what is lacking between two operations: what an operation lacks is an entry of its record (operations.attempt).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.decide.steps.next_step import LOST_PATIENCE_SECONDS
from immy_nornir.decide.steps.step import Wait
from immy_nornir.errors import HistoryError, lacking
from immy_nornir.model.record.session import WaitKind
from immy_nornir.session.crew.settled import Parked

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.session.leg import Leg

PAUSE_SECONDS = 2.0


@dataclass(slots=True)
class Cramped:
    """Since when one session has not come on for lack of room."""

    _since: float | None = None

    def over(self) -> None:
        """It has come on."""
        self._since = None

    def parked(self, error: Exception, leg: Leg, state: State | None) -> Parked | None:
        """The wait that an error means; None where it means something else, or was waited for long enough."""
        told, now = lacking(error), leg.engine.clock.now()
        if not told:
            return None
        self._since = now if self._since is None else self._since
        if now - self._since >= LOST_PATIENCE_SECONDS:
            return None
        leg.close()
        wait = Wait(WaitKind.RETRY, now + PAUSE_SECONDS, f"room on this machine: {told}")
        return Parked(wait, None, None if state is None else leg.claim.park(state, wait))


def why_left(error: Exception) -> str:
    """Why a process leaves a session that another may take up; empty for a fault of ours, which ends it."""
    if isinstance(error, HistoryError):
        return f"history: {error.message}"
    told = lacking(error)
    return f"this machine has no room: {told}" if told else ""
