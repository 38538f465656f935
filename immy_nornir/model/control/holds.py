"""What keeps a computer as it is for a time: blackouts of the files, freezes of the history, holds of the inventory.

Values only; `decide.holds` says which of them is in force, `session.reins.holds` gathers those of a computer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from immy_nornir.model.places import Place


class HoldKind(StrEnum):
    """Who says that nothing is changed."""

    FREEZE = "freeze"
    """`immy freeze`, from any shell."""
    HOLD = "hold"
    """The variable `immy_hold` of the inventory."""
    BLACKOUT = "blackout"
    """`playbooks/blackouts.yml`."""
    UNREAD = "unread"
    """Whether anything is frozen could not be read."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why nothing begins on one computer, and when; the end is not part of it."""

    kind: HoldKind
    reason: str
    begins: float = 0.0
    """Seconds since 1970."""
    until: float | None = None
    """None: nobody has said an end."""
    source: str = ""
    """Whose word it is, or where it stands."""


@dataclass(frozen=True, slots=True)
class DateSpan:
    """From one date or time to another, as written: by the wall clock of each computer, or with offsets."""

    text: str
    begins: datetime
    ends: datetime
    """The first moment after it."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Blackout:
    """Dates at which nothing begins on the computers of a pattern."""

    hosts: str
    dates: tuple[DateSpan, ...]
    reason: str
    place: Place
    hosts_place: Place


@dataclass(frozen=True, slots=True)
class Freeze:
    """What `immy freeze` stored."""

    id: int
    at: float
    by: str
    """The user that gave it, and the machine."""
    pattern: str
    until: float | None
    """None: until somebody lifts it."""
    reason: str
    lifted_at: float | None = None
    lifted_by: str = ""

    def holds(self, now: float) -> bool:
        """Whether it is in force."""
        return self.lifted_at is None and (self.until is None or now < self.until)
