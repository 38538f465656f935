"""Schedules as the fleet's files describe them, and the occasions that come of them. Values only.

`decide.schedules` says when a schedule's occasions are due, `decide.agenda` what becomes of them now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from immy_nornir.model.inventory import Sourced
from immy_nornir.model.places import Place

OWN_ZONE = "computer"
"""The zone of a schedule that is due at each computer's own time."""
START_WITHIN_SECONDS = 2 * 3600.0


class Overlap(StrEnum):
    """What becomes of an occasion whose schedule is still at work on the one before."""

    SKIP = "skip"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work that begins by itself: when, on which computers, what, and how much of it."""

    name: str
    place: Place
    when: str
    """As written: cron, an RFC 5545 rule, or words."""
    zone: str = OWN_ZONE
    """A name of the time zone database, or `computer` for each computer's own."""
    playbook: str = ""
    """Relative to the fleet's folder; empty where `hosts` and `maintenance` say what is done."""
    hosts: str = ""
    """A pattern; with a playbook it takes the place of its plays' hosts where it is not empty."""
    maintenance: str = "full"
    items: tuple[str, ...] = ()
    options: Mapping[str, Sourced] = field(default_factory=dict)
    splay: float = 0.0
    """Seconds over which the starts of one occasion are spread."""
    stagger: float = 0.0
    """Seconds over which the tenants are spread: each has its own occasion, always at the same place in that time."""
    first: date | None = None
    last: date | None = None
    """The first and the last day, in its zone."""
    paused: str = ""
    """Why nothing of it begins; empty: it is not paused."""
    overlap: Overlap = Overlap.SKIP
    start_within: float = START_WITHIN_SECONDS
    """How late an occasion may begin, in seconds."""
    max_changes: int | None = None
    max_reboots: int | None = None
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Where its values stand, by their names in the file."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """One time at which a schedule is due; its key for ever is schedule, part and due time."""

    schedule: str
    part: str
    """Which of its computers: `zone=NAME`, `tenant=NAME`, both with a comma between, or empty for all."""
    due_at: float
    """Seconds since 1970."""
    told: str = ""
    """The due time by the wall clock of its zone, for people."""


class OccasionState(StrEnum):
    """What became of an occasion."""

    BEGAN = "began"
    """Its run is stored; whether that one has ended stands there."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class KnownOccasion:
    """An occasion about which something was written down; it never becomes anything else."""

    occasion: Occasion
    state: OccasionState
    at: float
    run_id: str = ""
    reason: str = ""
    """Why it was skipped."""
    ended: bool = False
    """Its run has ended."""
