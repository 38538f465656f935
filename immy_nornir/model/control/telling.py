"""Who is told what: channels as the fleet's file describes them, events, tickets and messages. Values only.

`decide.runs.telling` says what events and tickets come of the record; `telling` makes messages of them and sends them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.places import Place
from immy_nornir.model.values import SecretRef

SECONDS = 30.0
"""How long a channel may take for one message, unless its file says otherwise."""


class EventKind(StrEnum):
    """What is told."""

    RUN_ENDED = "run_ended"
    COMPUTER_FAILED = "computer_failed"
    PROMPT_UNANSWERED = "prompt_unanswered"
    TICKET_OPENED = "ticket_opened"
    TICKET_STILL = "ticket_still"
    TICKET_RESOLVED = "ticket_resolved"
    WAVE_HALTED = "wave_halted"
    ITEM_HALTED = "item_halted"
    RING_PROMOTED = "ring_promoted"
    RING_HALTED = "ring_halted"
    SCHEDULE_SKIPPED = "schedule_skipped"


TICKETS = frozenset({EventKind.TICKET_OPENED, EventKind.TICKET_STILL, EventKind.TICKET_RESOLVED})
OF_COMPUTERS = TICKETS | {EventKind.RUN_ENDED, EventKind.COMPUTER_FAILED, EventKind.PROMPT_UNANSWERED}
"""Events of a tenant's own computers, which come with the end of a run; all others come as they happen."""


class Audience(StrEnum):
    """Whom a channel tells."""

    OPERATOR = "operator"
    CUSTOMER = "customer"


class Digest(StrEnum):
    """Whether what a run brings is told in one message."""

    RUN = "run"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Channel:
    """One receiver; either `apprise` or `command` is there."""

    name: str
    place: Place
    events: frozenset[EventKind] = frozenset({EventKind.RUN_ENDED})
    apprise: SecretRef | None = None
    """Where the URL is."""
    command: tuple[str, ...] = ()
    environment: Mapping[str, SecretRef] = field(default_factory=dict)
    """Secrets for the command, by the names of the variables that it gets them in."""
    seconds: float = SECONDS
    tenants: tuple[str, ...] = ()
    """Globs; empty: it tells of all tenants, and of the operator's work."""
    audience: Audience = Audience.OPERATOR
    digest: Digest = Digest.RUN
    quiet: str = ""
    """Days and hours in which nothing is sent."""
    zone: str = ""
    """The zone of the quiet hours."""
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Where its values stand, by their names in the file."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as the record has it."""

    kind: EventKind
    key: str
    """Of this one for ever."""
    at: float
    about: str
    """A sentence for the operator."""
    run_id: str = ""
    tenant: str = ""
    computer: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Ticket:
    """Something that goes wrong run after run, for the same reason; without an item it is the computer itself."""

    tenant: str
    computer: str
    item: str
    reason: str

    @property
    def key(self) -> str:
        """The same for ever, and short enough for any ticket system; made of nothing but these four."""
        parts = (self.tenant, self.computer, self.item, self.reason)
        whole = "".join(f"{len(one)}:{one}" for one in parts)  # no name can look like two
        digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
        return f"immy-{digest[:20]}"


class TicketState(StrEnum):
    """What has become of a ticket."""

    OPENED = "opened"
    STILL = "still"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class TicketChange:
    """What a run says of a ticket."""

    ticket: Ticket
    state: TicketState
    session: str = ""
    """The session that it is read off; empty where its computer is gone."""
    why: str = ""
    """Why it is resolved."""

    @property
    def kind(self) -> EventKind:
        """The event that it is."""
        return EventKind(f"ticket_{self.state.value}")


class ToldState(StrEnum):
    """What has become of a message."""

    WAITING = "waiting"
    TOLD = "told"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one channel."""

    key: str
    """Its id: whoever gets two of one id drops one."""
    channel: str
    event: str
    """`digest`, `test`, or an EventKind."""
    title: str
    text: str
    body: str
    """The whole message as JSON, for commands."""
    run_id: str = ""
    tenant: str = ""
    lane: str = ""
    """Messages of one lane arrive in their order; empty: in any."""


@dataclass(frozen=True, slots=True)
class Telling:
    """A message as it is stored, with what became of it."""

    number: int
    message: Message
    at: float
    state: ToldState
    tries: int = 0
    next_at: float = 0.0
    told_at: float | None = None
    outcome: str = ""
    """Why the last try failed, or how it was told."""
