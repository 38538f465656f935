"""What a computer says of itself, and what detection found for items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.items import Platform
from immy_nornir.model.values import Json


@dataclass(frozen=True, slots=True)
class Boot:
    """The identity of one boot: a counter or id where the system has one, and the boot time (seconds since 1970)."""

    id: str | None = None
    time: float | None = None

    def differs(self, other: Boot) -> bool:
        """Whether `other` is another boot: by id where both have one, else by boot time with a minute's tolerance."""
        if self.id is not None and other.id is not None:
            return self.id != other.id
        if self.time is not None and other.time is not None:
            return abs(self.time - other.time) > 60.0
        return False


class LogonState(StrEnum):
    """Whether a person who is logged on is there."""

    ACTIVE = "active"
    LOCKED = "locked"
    DISCONNECTED = "disconnected"
    """The session is kept, and nobody sees it."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Logon:
    """A person who is logged on, in the best of the sessions that this one has."""

    name: str
    """`DOMAIN\\user` on Windows."""
    state: LogonState = LogonState.UNKNOWN
    desktop: bool = True
    """Whether the session shows windows: one over SSH does not."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person who was logged on with a desktop on one day, in the best state of that day."""

    user: str
    day: str
    """`YYYY-MM-DD` by the computer's own clock; UTC where its zone is not known."""
    at: float = 0.0
    """When that was seen last on that day."""
    state: LogonState = LogonState.UNKNOWN


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer of the first operation of every connection."""

    name: str
    domain: str = ""
    uuid: str = ""
    """SMBIOS UUID, MachineGuid or machine-id, lower case."""
    uuid_source: str = ""
    """`smbios`, `machine_guid`, `machine_id`, `platform_uuid`."""
    platform: Platform = Platform.WINDOWS
    boot: Boot = field(default_factory=Boot)
    pending_reboots: tuple[str, ...] = ()
    """Names of the sources that say a reboot is pending."""
    users: tuple[str, ...] = ()
    """Users logged on now."""
    system: Mapping[str, Json] = field(default_factory=dict)
    """os, version, build, architecture, chassis, role, memory_gb, disk_free_gb, manufacturer, model, time, ..."""
    logons: tuple[Logon, ...] = ()
    """`users`, and how each is there; empty in records of old."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts by section (`system`, `hardware`, `users`, `software`, `inventory`, ...), each with its age."""

    values: Mapping[str, Json] = field(default_factory=dict)
    collected_at: Mapping[str, float] = field(default_factory=dict)
    """Section -> seconds since 1970."""
    sightings: tuple[Sighting, ...] = ()
    """Who was seen logged on, newest first; of what the history knows only."""


class FindingStatus(StrEnum):
    """What detection can say of an item."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    COMPLIANT = "compliant"
    NOT_COMPLIANT = "not_compliant"
    VALUE = "value"
    UNKNOWN = "unknown"
    """It cannot be told: a reading failed, was cut or denied, or has not the form that its kind defines."""
    FAILED = "failed"
    """The definition is wrong: there is nothing to read by. Records from before `unknown` have it for both."""
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Change:
    """One property's value before and after."""

    name: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Finding:
    """What detection found for one item on one computer."""

    item: str
    instance: str
    status: FindingStatus
    version: str | None = None
    """Installed version (software)."""
    available: tuple[Mapping[str, Json], ...] = ()
    """Releases that a versions script or a package manager offered, as maps with at least `version`."""
    unoffered: str = ""
    """Why it is not known which releases are on offer; empty when it is."""
    sound: bool | None = None
    """What the software's own test said; None when there is none."""
    value: Json = None
    """What a task's `get` returned."""
    changes: tuple[Change, ...] = ()
    """Declarative tasks: what would have to change."""
    unread: tuple[str, ...] = ()
    """Declarative tasks: what could not be read, while others of its resources could."""
    message: str = ""
    """Why it is unknown or detection failed, or what was noticed."""
