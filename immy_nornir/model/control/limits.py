"""How much may go on at one time: limits as the fleet's file says them, and the slots that come of them. Values only.

`decide.limits` says which slots a computer's session needs for what; `session.limits` hands them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.model.places import Place

HEAVY_MB = 200.0
"""From this size of a download on it counts as heavy, unless the file says otherwise."""


class Per(StrEnum):
    """Over whom a group's limits count: all of its computers, or those of each tenant or site for themselves."""

    FLEET = "fleet"
    TENANT = "tenant"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """The limits of one group of computers; 0 is no limit."""

    group: str
    place: Place
    computers: int = 0
    """Of its computers at once."""
    max_rebooting: int = 0
    """Of its computers that reboot at once."""
    reboot_after: tuple[str, ...] = ()
    """Groups whose computers are done, in this process, before one of these reboots."""
    per: Per = Per.FLEET
    names: tuple[tuple[str, Place], ...] = ()
    """Where the names of groups stand."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The fleet's limits; 0 is no limit."""

    computers: int = 0
    per_tenant: int = 0
    per_site: int = 0
    connections_per_second: float = 0.0
    downloads_per_site: int = 0
    heavy_mb: float = HEAVY_MB
    groups: tuple[GroupLimit, ...] = ()


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the places that a limit has."""

    key: str
    """What is counted; equal for all that share a limit."""
    most: int
    """How many places there are."""
    about: str
    """The limit, for people."""
    shared: bool = False
    """It holds over all processes of one history."""
