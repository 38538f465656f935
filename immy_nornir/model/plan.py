"""Desires (what resolution pinned) and plans (what will be done, with a reason for everything)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.deployments import Desired, Scope, TaskMode
from immy_nornir.model.facts import Change
from immy_nornir.model.items import Context, ItemKind, OrderClass, OrderPlace, RebootNeed, Release
from immy_nornir.model.playbooks import CHANGING, ActionType
from immy_nornir.model.values import Value


@dataclass(frozen=True, slots=True)
class Outlook:
    """How long work may take by what it took before, beside its window; nothing is refused for it."""

    text: str
    fits: bool


class RequestKind(StrEnum):
    """As what one item asks for another."""

    PREREQUISITE = "prerequisite"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class Request:
    """That a desire asks for the item of another; as a text it is what operators read."""

    kind: RequestKind
    by: str
    """Id of the desire that asks."""

    def __str__(self) -> str:
        return f"{self.kind} of {self.by}"


@dataclass(frozen=True, slots=True)
class Desire:
    """What one computer should have of one item, pinned for a whole session.

    `definition` is the content hash of the item's definition for this platform. `error` says why the item cannot be
    decided at all (a tie, no definition for the platform, a template that fails); such a desire fails alone. What is
    only `unknown` does not fail: nothing is done for it.
    """

    item: str
    instance: str = ""
    kind: ItemKind = ItemKind.SOFTWARE
    definition: str = ""
    desired: Desired | None = None
    mode: TaskMode | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> where its value came from."""
    deployment: str = ""
    """file:line of the winning deployment; empty for what only another item asks for."""
    scope: Scope = Scope.ALL
    priority: int = 0
    requested_by: tuple[Request, ...] = ()
    onboarding: bool = False
    """Its winner counts only while the computer is onboarding; it comes before everything else."""
    preflight: bool = False
    """Nothing begins on the computer before it is so; it is only looked at."""
    not_applicable: str = ""
    unknown: str = ""
    """Why it cannot be told what holds for the item here: a condition rests on what is not known."""
    error: str = ""

    @property
    def id(self) -> str:
        """The action's id in a session: the item, with the instance where there is one."""
        return f"{self.item}#{self.instance}" if self.instance else self.item


class Reason(StrEnum):
    """Why an action has its type."""

    SOFTWARE_MISSING = "software_missing"
    UPDATE_AVAILABLE = "update_available"
    UP_TO_DATE = "up_to_date"
    NOT_FOUND = "not_found"
    OLDER_VERSION_REQUIRED = "older_version_required"
    SOFTWARE_DETECTED = "software_detected"
    TEST_FAILED = "test_failed"
    NO_APPLICABLE_VERSION = "no_applicable_version"
    IGNORED = "ignored"
    NOT_COMPLIANT = "not_compliant"
    COMPLIANT = "compliant"
    AUDIT = "audit"
    MONITOR = "monitor"
    NOT_APPLICABLE = "not_applicable"
    DETECTION_FAILED = "detection_failed"
    """It is not known how it is on the computer."""
    UNDECIDED = "undecided"
    """It is not known which rule holds, or whether the computer meets the item's requirements."""
    WRONG_DEFINITION = "wrong_definition"
    WAITS_FOR_SOFTWARE = "waits_for_software"
    NOT_NEEDED = "not_needed"
    CONFLICT = "conflict"
    OFFLINE = "offline"
    BY_HAND = "by_hand"
    """Somebody typed it."""


class Held(StrEnum):
    """Why a session will not do an action that there is."""

    NOT_THIS_TYPE = "not_this_type"
    """Left for a type that does this kind of action."""
    REBOOT_SKIPPED = "reboot_skipped"
    USER_CONTEXT = "user_context"
    DEPENDENCY = "dependency"
    NO_METHOD = "no_method"
    UNKNOWN = "unknown"
    """It is not known whether there is anything to do."""


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One item's work in one session."""

    id: str
    item: str
    instance: str
    kind: ItemKind
    type: ActionType
    reason: Reason
    why: str
    """The reason as a sentence."""
    definition: str = ""
    desired: str = ""
    found: str = ""
    version: str | None = None
    """The pinned version that will be there afterwards."""
    release: Release | None = None
    after: tuple[str, ...] = ()
    """Ids of actions that must have ended well before."""
    follows: str = ""
    """Id of the software whose configuration task this is."""
    order_class: OrderClass = OrderClass.SOFTWARE
    place: OrderPlace = OrderPlace.NORMAL
    reboot: RebootNeed = RebootNeed.NEVER
    context: Context = Context.SYSTEM
    always: bool = False
    fresh: bool = False
    """New or changed for this computer since its last session."""
    held: Held | None = None
    held_why: str = ""
    phase: int = 0
    params: Mapping[str, Value] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    requested_by: tuple[Request, ...] = ()
    deployment: str = ""
    timeout_seconds: int = 3600
    user: str = ""
    """The primary user, where it runs as that one and the logon may be waited for."""

    @property
    def changing(self) -> bool:
        """Whether doing it changes the computer (an undetermined one may)."""
        return self.type in CHANGING or self.type is ActionType.UNDETERMINED

    @property
    def to_do(self) -> bool:
        """Whether this session will do it."""
        return self.changing and self.held is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to one computer: all actions in order, no-ops included; plain data."""

    actions: tuple[PlannedAction, ...] = ()
    phases: tuple[tuple[str, ...], ...] = ()
    """Ids of the actions to do, between reboots; phase 0 is empty when a reboot comes first."""
    reboots: int = 0
    """Planned reboots."""

    def find(self, action_id: str) -> PlannedAction:
        """The action of an id; raises KeyError."""
        for action in self.actions:
            if action.id == action_id:
                return action
        raise KeyError(action_id)
