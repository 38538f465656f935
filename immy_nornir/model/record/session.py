"""A session's words and what it was asked to do: statuses, waits, outcomes, its unchanging spec. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.inventory import DEFAULT_TENANT
from immy_nornir.model.items import Context
from immy_nornir.model.playbooks import MaintenanceType, Options, Stage
from immy_nornir.model.record.status import TERMINAL as TERMINAL  # noqa: PLC0414 - one of this module's words
from immy_nornir.model.record.status import Status as Status  # noqa: PLC0414 - one of this module's words
from immy_nornir.model.values import Value


class WaitKind(StrEnum):
    """What a parked session waits for."""

    JOB = "job"
    REBOOT = "reboot"
    WINDOW = "window"
    CONNECTIVITY = "connectivity"
    RETRY = "retry"
    PAUSE = "pause"
    SLOT = "slot"
    """Limits leave no room for it now, or this machine does not."""
    PREFLIGHT = "preflight"
    """Its computer is not ready."""
    APPROVAL = "approval"
    """Somebody is to say that it may do what it plans."""
    BRAKES = "brakes"
    """The brakes of its run are to say so."""
    TURN = "turn"
    """An earlier wave of its run waits for its time."""
    HOLD = "hold"
    """Nothing is changed on its computer for a time: a blackout, a freeze, a hold of the inventory."""
    PROMPT = "prompt"
    """People on the computer are to answer, or have put off what they were asked about."""
    LOGON = "logon"
    """Its primary user is to log on."""


class Outcome(StrEnum):
    """How an action ended."""

    SUCCESS = "success"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It cannot be told whether there is something to do; nothing was done."""
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    NOT_COMPLIANT = "not_compliant"
    """An audit found it so; nothing was to be changed."""
    LEFT = "left"
    """There is work, left for another maintenance type."""
    NOTHING = "nothing"
    """There was nothing to do."""


class OutcomeReason(StrEnum):
    """Why an action ended as it did."""

    VERIFIED = "verified"
    ALREADY_SO = "already_so"
    REBOOT_PENDING = "reboot_pending"
    EXIT_CODE = "exit_code"
    NOT_CONVERGED = "not_converged"
    DEADLINE = "deadline"
    IN_DOUBT = "in_doubt"
    REBOOTS_SKIPPED = "reboots_skipped"
    DEPENDENCY = "dependency"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    NOT_THIS_TYPE = "not_this_type"
    USER_CONTEXT = "user_context"
    DETECTION_FAILED = "detection_failed"
    UNDECIDED = "undecided"
    WRONG_DEFINITION = "wrong_definition"
    CONFLICT = "conflict"
    NO_METHOD = "no_method"
    COULD_NOT_START = "could_not_start"
    AUDIT = "audit"
    MONITOR = "monitor"
    IGNORED = "ignored"
    NOT_APPLICABLE = "not_applicable"
    RETRIES = "retries"
    REBOOT_FAILED = "reboot_failed"
    BUSY = "busy"
    """Another session is at work on the computer."""
    WINDOW = "window"
    """Its window, which comes once, closed before it was done."""
    NOT_APPROVED = "not_approved"
    """Nobody has said that it may be done."""
    HELD = "held"
    """The inventory holds its computer as it is, and says no end."""
    TIME_OVER = "time_over"
    """Its session, or the run, had taken as long as it may."""
    PREFLIGHT = "preflight"
    """The computer was not ready until the deadline."""
    RAN = "ran"
    """A command by hand ended well; nobody knows what it was to bring about."""


class EndReason(StrEnum):
    """Why a session ended, for programs; its message is for people."""

    UNKNOWN = "unknown"
    """A record from before ends had codes."""
    ACTIONS = "actions"
    """It came to its end; what became of its actions says how."""
    AWAY = "away"
    """The computer did not answer."""
    REFUSED = "refused"
    """Another computer, a refused password or certificate, garbage."""
    LOST = "lost"
    """Contact was lost for good in the middle."""
    STAGE = "stage"
    """A stage could not be done."""
    REBOOT = "reboot"
    """A reboot failed, or never ended."""
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXCLUDED = "excluded"
    """The computer is excluded from maintenance."""
    HALTED = "halted"
    """Its wave never came: too much went wrong before."""
    BUSY = "busy"
    """Another session was at work on the computer."""
    WINDOW = "window"
    """Its window, which comes once, closed before anything was done."""
    HELD = "held"
    """The inventory holds its computer as it is, and says no end."""
    NOT_APPROVED = "not_approved"
    """Somebody said no to what it would have done, or a brake of its run did."""
    TIME_OVER = "time_over"
    """It, or its run, took longer than it may."""
    PREFLIGHT = "preflight"
    """The computer was not ready until the deadline."""
    CRASHED = "crashed"
    """A bug of ours."""


class Purpose(StrEnum):
    """What a job is for; questions to users, searches, batches and commands by hand get their own words."""

    ACT = "act"
    """It does the work of its actions."""
    BY_HAND = "by_hand"
    """It runs what somebody typed, once, whatever comes of it."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """A command that somebody typed. Its words are data: no script text is ever made of them."""

    words: tuple[str, ...] = ()
    """One: a line of its shell. Several: a program with its arguments. With a script: the script's arguments."""
    script: str | None = None
    name: str = ""
    """The script's file, for people."""
    shell: str = ""
    """`sh`, `powershell`, `cmd`; empty: that of the computer."""
    context: Context = Context.SYSTEM
    timeout_seconds: int = 600


class Part(StrEnum):
    """What of an item's life is tried."""

    ALL = "all"
    REQUIREMENTS = "requirements"
    DETECT = "detect"
    DOWNLOAD = "download"
    INSTALL = "install"
    UNINSTALL = "uninstall"


@dataclass(frozen=True, slots=True)
class Trial:
    """One item that is tried out, as if a deployment aimed it at the computer."""

    item: str
    part: Part = Part.ALL
    params: Mapping[str, Value] = field(default_factory=dict)
    """Over those of its deployment there."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What one session was asked to do; never changes after its creation."""

    id: str
    run_id: str
    computer: str
    tenant: str = DEFAULT_TENANT
    type: MaintenanceType = field(
        default_factory=lambda: MaintenanceType("full", (Stage.CONNECT,), frozenset(), frozenset())
    )
    options: Options = field(default_factory=Options)
    items: tuple[str, ...] = ()
    """Globs over item references that select items; empty: all."""
    asked_items: bool = False
    """Whether the items were named by the operator (`--item`): then ad hoc and optional deployments count."""
    play: str = ""
    vars: Mapping[str, Value] = field(default_factory=dict)
    """Variables of the play and the command line, over the inventory's."""
    pinned_identity: Mapping[str, str] = field(default_factory=dict)
    """name, domain, uuid that the computer must have, where known."""
    business_hours: Value = None
    time_zone: str = ""
    """As the inventory says it; empty: the computer's own, as it reports it."""
    onboarding: bool = False
    check: bool = False
    """Plan only."""
    created_at: float = 0.0
    by_hand: ByHand | None = None
    """The command that it runs instead of maintaining items."""
    trial: Trial | None = None
    """The item that it tries out instead of what deployments say."""
    only: tuple[str, ...] = ()
    """Of its items only these, with their prerequisites: what a rerun narrows the old one's own arguments by."""
    rerun_of: str = ""
    """The session that it repeats."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The chain of this session: the type's, without what changes when only checking."""
        if not self.check:
            return self.type.stages
        return tuple(s for s in self.type.stages if s not in (Stage.EXECUTE, Stage.VERIFY))
