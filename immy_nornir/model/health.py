"""What was found when a computer was looked over: one line for each thing, with what to type. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.facts import Identity
from immy_nornir.model.values import Json


class Health(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARNING = "warning"
    """Sessions work, and something is worth looking at."""
    PROBLEM = "problem"
    """Sessions do not work, or end badly, until it is mended."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    check: str
    health: Health
    found: str
    advice: str = ""
    """What to type, or to do; empty where nothing has to be done."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What a computer that lets us in said of itself, in one reading request."""

    identity: Identity
    told: Mapping[str, Json] = field(default_factory=dict)
    """The answer of the probe (`remote/doctor/scripts`), by name; what could not be read is not there, or None."""
    asked_at: float = 0.0
    """Our time when it was asked."""
    heard_at: float = 0.0
    """Our time when it had answered."""
    pinned: Mapping[str, str] = field(default_factory=dict)
    """What is known of the machine that it has to be."""
    kind: str = "winrm"
    """The kind of its connection."""
    becomes: bool = False
    """What is done there is done as another user (ansible_become)."""
