"""Orders from another shell about sessions that a process is at, or nobody. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.values import Value


class OrderKind(StrEnum):
    """What can be ordered of a session."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    REBOOT = "reboot"


@dataclass(frozen=True, slots=True)
class Order:
    """One order for one session; only the session's owner turns it into entries of its record."""

    id: int
    at: float
    """Seconds since 1970."""
    by: str
    """The user that gave it, and the machine."""
    kind: OrderKind
    session_id: str
    reason: str = ""
    arguments: Mapping[str, Value] = field(default_factory=dict)
    answer: str = ""
    """What its owner said to it; empty while it is open."""
    ended_at: float | None = None
