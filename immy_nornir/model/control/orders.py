"""Orders from another shell about sessions that a process is at, or nobody. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class OrderKind(StrEnum):
    """What can be ordered of a session."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    REBOOT = "reboot"


class OrderState(StrEnum):
    """What became of an order."""

    OPEN = "open"
    """Nobody has answered yet."""
    DONE = "done"
    """It stands in the session's record, or there was nothing left to do for it."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class How:
    """How an order is meant."""

    now: bool = False
    """cancel: the job under way is stopped; reboot: whatever window and business hours say."""
    kill: bool = False
    """cancel: installers and package managers are stopped, too."""
    until: float | None = None
    """pause: when it ends by itself, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order for one session; only the session's owner turns it into an entry of its record."""

    id: int
    at: float
    """Seconds since 1970."""
    by: str
    """The user that gave it, and the machine."""
    kind: OrderKind
    session_id: str
    reason: str = ""
    how: How = field(default_factory=How)
    state: OrderState = OrderState.OPEN
    answer: str = ""
    """What its owner said to it."""
    ended_at: float | None = None
