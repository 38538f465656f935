"""Playbooks, maintenance types and the options of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.control.holds import Blackout
from immy_nornir.model.control.limits import NO_LIMITS, Limits
from immy_nornir.model.control.schedules import Schedule
from immy_nornir.model.control.telling import Channel
from immy_nornir.model.deployments import Deployment
from immy_nornir.model.inventory import Inventory, Sourced
from immy_nornir.model.items import ItemKind, Library
from immy_nornir.model.places import Place


class Stage(StrEnum):
    """The stages of a session, in the order in which a chain may name them."""

    CONNECT = "connect"
    RESOLVE = "resolve"
    INVENTORY = "inventory"
    DETECT = "detect"
    PLAN = "plan"
    EXECUTE = "execute"
    VERIFY = "verify"
    REPORT = "report"


class ActionType(StrEnum):
    """What can be done about an item."""

    INSTALL = "install"
    UPDATE = "update"
    DOWNGRADE = "downgrade"
    UNINSTALL = "uninstall"
    REPAIR = "repair"
    REINSTALL = "reinstall"
    ENFORCE = "enforce"
    RUN = "run"
    """A command that somebody typed is run; items have no such action."""
    AUDIT = "audit"
    MONITOR = "monitor"
    NONE = "none"
    UNDETERMINED = "undetermined"


CHANGING = frozenset(
    {
        ActionType.INSTALL,
        ActionType.UPDATE,
        ActionType.DOWNGRADE,
        ActionType.UNINSTALL,
        ActionType.REPAIR,
        ActionType.REINSTALL,
        ActionType.ENFORCE,
        ActionType.RUN,
    }
)
"""What changes a computer."""

READING = frozenset({ActionType.AUDIT, ActionType.MONITOR})
"""What looks at a computer on somebody's behalf."""
"""Types of action that change a computer."""


@dataclass(frozen=True, slots=True)
class MaintenanceType:
    """A named chain of stages with the kinds of item it looks at and the kinds of action it may do."""

    name: str
    stages: tuple[Stage, ...]
    looks_at: frozenset[ItemKind]
    does: frozenset[ActionType]
    description: str = ""
    place: Place | None = None

    @property
    def executes(self) -> bool:
        """Whether its sessions may change a computer at all."""
        return Stage.EXECUTE in self.stages


class Reboot(StrEnum):
    """The option `reboot`."""

    SKIP = "skip"
    AUTOMATIC = "automatic"
    PROMPT = "prompt"
    FORCE = "force"


class UserContext(StrEnum):
    """The option `user_context`."""

    CURRENT_USER = "current_user"
    PRIMARY_USER = "primary_user"
    SKIP = "skip"


class Offline(StrEnum):
    """The option `offline`."""

    SKIP = "skip"
    APPLY_ON_CONNECT = "apply_on_connect"


class WindowOver(StrEnum):
    """The option `window_over`: what becomes of work that has not begun when its window closes."""

    CARRY = "carry"
    MISS = "miss"


class OnFailure(StrEnum):
    """The option `on_failure`."""

    CONTINUE = "continue"
    STOP = "stop"


class Preflight(StrEnum):
    """The option `preflight`: how a session ends whose computer is not ready until the deadline; or none is asked."""

    MISSED = "missed"
    FAILED = "failed"
    OFF = "off"


class Otherwise(StrEnum):
    """The options `prompt_silence`, `prompt_refusal` and `prompt_nobody`: what happens where nobody agrees."""

    SKIP = "skip"
    REBOOT = "reboot"


class Absent(StrEnum):
    """The option `primary_user_absent`: what becomes of work of a primary user who is not logged on."""

    SKIP = "skip"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one session, with the origin of each: command line, play, variable (with their place), default."""

    reboot: Reboot = Reboot.SKIP
    user_context: UserContext = UserContext.CURRENT_USER
    window: str = "now"
    """`now`, `after_hours`, `HH:MM`, days and hours (`decide.times`) or an ISO time or interval (`iso_windows`)."""
    window_over: WindowOver = WindowOver.CARRY
    """Whether what is left waits for the next opening; a window that comes once has none."""
    offline: Offline = Offline.SKIP
    on_failure: OnFailure = OnFailure.CONTINUE
    reboots_in_business_hours: bool = True
    max_reboots: int = 5
    """Cap per session."""
    reboot_timeout_minutes: float = 30
    retries: int = 3
    """Attempts of an action whose exit code says 'try again'."""
    retry_seconds: int = 60
    ignore_pending_reboots: tuple[str, ...] = ()
    """Names of pending-reboot sources that do not count."""
    detection_valid_hours: float = 4
    """Actions that begin later than this after their detection are detected and planned again first."""
    session_timeout_minutes: float = 24 * 60
    """How long a session may run, in running time (decide.steps.holding.deadlines)."""
    run_timeout_minutes: float = 7 * 24 * 60
    """How long its run may run; of its sessions' values the smallest holds."""
    preflight: Preflight = Preflight.MISSED
    preflight_minutes: float = 10
    """How often a computer is looked at again that is not ready."""
    preflight_hours: float = 8
    """How long it is waited for."""
    prompt_minutes: float = 15
    """How long people see the question of `reboot: prompt`."""
    prompt_later_minutes: tuple[int, ...] = (15, 60, 240)
    """The times that they may put it off by."""
    prompt_postponements: int = 3
    """How often they may do so in a session."""
    prompt_silence: Otherwise = Otherwise.SKIP
    prompt_refusal: Otherwise = Otherwise.SKIP
    prompt_nobody: Otherwise = Otherwise.REBOOT
    countdown_minutes: float = 10
    """How long logged-on users see a countdown before `automatic` and `force` reboot their computer; 0: none."""
    primary_user_absent: Absent = Absent.SKIP
    primary_user_hours: float = 8
    """How long the logon of the primary user is waited for."""
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Play:
    """One play of a playbook. `options` are as written, not yet merged with the other levels."""

    name: str
    hosts: str
    place: Place
    maintenance: str = "full"
    items: tuple[str, ...] = ()
    """Globs over item references; empty means all."""
    options: Mapping[str, Sourced] = field(default_factory=dict)
    vars: Mapping[str, Sourced] = field(default_factory=dict)
    serial: tuple[str, ...] = ()
    """Wave sizes, `2` or `10%`; the last one repeats. Empty: one wave."""
    max_fail_percentage: float = 100.0
    order: str = "inventory"
    """`inventory`, `reverse_inventory`, `sorted`, `reverse_sorted`, `shuffle`."""
    tags: tuple[str, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Where values stand: of `hosts`, `maintenance`, `items`, and of each single item by what it says."""

    def place_of(self, *names: str) -> Place:
        """Where the first of these stands that has a place; else the play."""
        return next((self.places[name] for name in names if name in self.places), self.place)


@dataclass(frozen=True, slots=True)
class Playbook:
    """A file of plays."""

    file: str
    plays: tuple[Play, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that a fleet repository says, loaded and checked."""

    root: str
    inventory: Inventory
    library: Library = field(default_factory=Library)
    deployments: tuple[Deployment, ...] = ()
    types: Mapping[str, MaintenanceType] = field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()
    half_read: tuple[Schedule, ...] = ()
    """Schedules without a name, or a time that can be read: what else they say is judged with all other errors."""
    blackouts: tuple[Blackout, ...] = ()
    limits: Limits = NO_LIMITS
    channels: tuple[Channel, ...] = ()
    """Who is told what."""
