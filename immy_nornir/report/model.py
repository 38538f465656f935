"""A run's report as values: what `build` makes and `render` shows.

Nothing here formats or asks anything. Words that come from the history (types of action, reasons, outcomes) stay the
plain strings that they are there, so that a report of an older or newer history can still be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.model.record.session import Outcome, Status

SCHEMA_VERSION = 1

UNFINISHED = "unfinished"
"""Key in counts, beside the outcomes: actions without an outcome (only planned, running, waiting for another try)."""


@dataclass(frozen=True, slots=True)
class RunPart:
    """What was started, by whom, when; times are seconds since 1970."""

    id: str
    command: str
    playbook: str
    fleet: str
    commit: str
    user: str
    machine: str
    status: str
    note: str
    started_at: float
    ended_at: float | None
    seconds: float | None
    """None while the run has not ended."""


@dataclass(frozen=True, slots=True)
class JobPart:
    """One try of an action, with everything that it wrote (control characters as escapes)."""

    id: str
    attempt: int
    step: int
    state: str
    exit_code: int | None
    error: str
    seconds: float | None
    output: str
    began_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class ActionPart:
    """One item's work: what was found, is wanted and became of it; why this action, and why this end."""

    id: str
    item: str
    type: str
    reason: str
    why: str
    """The sentence that the plan gave."""
    found: str
    desired: str
    after: str
    """What was found afterwards; empty where nothing was looked at again."""
    version: str | None
    deployment: str
    held: str | None
    planned_phase: int
    phase: int | None
    attempts: int
    status: str
    """planned, running, retry or ended."""
    outcome: str | None
    outcome_reason: str | None
    message: str
    text: str
    """The end as one sentence for people, from `words`."""
    reboot_owed: bool
    began_at: float | None
    ended_at: float | None
    seconds: float | None
    jobs: tuple[JobPart, ...] = ()
    title: str = ""
    """The item's title, where its definition is known and says more than the id."""

    @property
    def quiet(self) -> bool:
        """Whether there was nothing to do, so that a line for all of its kind is enough."""
        return self.outcome == Outcome.NOTHING

    @property
    def bad(self) -> bool:
        """Whether a reader should look at it: failed, skipped or cancelled."""
        return self.outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.SKIPPED, Outcome.CANCELLED)


@dataclass(frozen=True, slots=True)
class RebootPart:
    """One reboot: why, and how it ended (`rebooted`, a message, or nothing yet)."""

    why: str
    outcome: str


@dataclass(frozen=True, slots=True)
class SessionPart:
    """One session of a computer; times are seconds since 1970."""

    id: str
    computer: str
    tenant: str
    type: str
    play: str
    status: Status
    reason: str
    text: str
    """The reason; where there is none, what the status means."""
    stage: str
    waiting: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    seconds: float | None
    reboots: int
    counts: Mapping[str, int]
    """Outcome, or UNFINISHED -> number of actions; zeros are left out."""
    actions: tuple[ActionPart, ...] = ()
    reboot_list: tuple[RebootPart, ...] = ()
    end_reason: str = ""
    """Why it ended, a word of EndReason; empty while it has not, and for old records."""
    anchor: str = ""
    """Unique in the report; says nothing."""

    @property
    def bad_actions(self) -> tuple[ActionPart, ...]:
        """Actions that failed, were skipped or were cancelled."""
        return tuple(one for one in self.actions if one.bad)

    @property
    def reboot_owed(self) -> bool:
        """Whether something is done that still needs a reboot; who takes a session's place is owed it instead."""
        return self.status is not Status.SUPERSEDED and any(one.reboot_owed for one in self.actions)


@dataclass(frozen=True, slots=True)
class ComputerPart:
    """One computer of the run; `status` is the worst of its sessions (a playbook with several plays makes several)."""

    name: str
    status: Status
    sessions: tuple[SessionPart, ...]
    system: str = ""
    """Operating system with its version, as the computer last told."""
    serial: str = ""
    seen_at: float | None = None
    """When it last answered, in this run or another; None where it never did."""
    primary_user: str = ""
    """Whose it is, where that is known."""

    @property
    def known(self) -> bool:
        """Whether anything is known of the machine."""
        return bool(self.system or self.serial or self.seen_at is not None)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over computers, sessions and actions; the maps hold only what is there, in a fixed order."""

    computers: int = 0
    sessions: int = 0
    actions: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict)
    """Status -> computers, the worst first."""
    by_outcome: Mapping[str, int] = field(default_factory=dict)
    """Outcome, or UNFINISHED -> actions."""
    reboots: int = 0
    reboots_owed: int = 0
    """Computers with something done that still needs a reboot."""


@dataclass(frozen=True, slots=True)
class TenantPart:
    """One tenant with its computers by name."""

    name: str
    totals: Totals
    computers: tuple[ComputerPart, ...]
    title: str = ""
    """The name as people write it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason that several sessions share; `item` is empty where the session itself failed."""

    item: str
    """Items with the same reason on the same computers stand together: `software/a, software/b`."""
    outcome: str
    text: str
    example: str
    """The message of the first of them."""
    computers: tuple[str, ...]
    title: str = ""
    """The items' titles; the ids where there are none."""


@dataclass(frozen=True, slots=True)
class CardLine:
    """What one reason kept from being done: the items, and the reason where it is not told above already."""

    outcome: str
    names: tuple[str, ...]
    text: str
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    """Sessions that need attention for the same reasons, told once."""

    sessions: tuple[SessionPart, ...]
    lines: tuple[CardLine, ...]

    @property
    def first(self) -> SessionPart:
        """The session that stands for all of them."""
        return self.sessions[0]


@dataclass(frozen=True, slots=True)
class Report:
    """One run, for people and programs."""

    run: RunPart
    generated_at: float
    totals: Totals
    tenants: tuple[TenantPart, ...]
    attention: tuple[SessionPart, ...] = ()
    """Failed, partially passed, interrupted and missed sessions, in this order."""
    cards: tuple[Card, ...] = ()
    """The same, with those together that have the same reasons."""
    unfinished: tuple[SessionPart, ...] = ()
    """Sessions that run, wait or have not begun."""
    causes: tuple[Cause, ...] = ()
    """Reasons that more than one computer has, the most frequent first."""
    not_compliant: tuple[Cause, ...] = ()
    """What audits found, by item."""
    owed: tuple[str, ...] = ()
    """Computers with something done that still needs a reboot."""
    weak_secrets: tuple[str, ...] = ()
    """Computers with a secret that is short or a common word, and so masked only as a whole word."""
    only_tenant: str = ""
    """The one tenant that the report was narrowed to; empty for the whole run.

    Then everything that is the operator's (command, playbook, fleet, commit, user, machine, note) is empty, and times
    and status are those of the tenant's sessions.
    """
    schema_version: int = SCHEMA_VERSION
