"""What the next step depends on beside the record: the time, the stop, FREEZE, and this process's contact; pure.

Nothing of it is recorded: a session that is resumed begins with a new contact, and a computer that is only polled
leaves no entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from immy_nornir.decide.steps.room import NO_ROOM_NEEDED, Room
from immy_nornir.decide.steps.state import State
from immy_nornir.model.control.holds import Hold
from immy_nornir.model.record.entries import (
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Interrupted,
    JobIntended,
    JobSeen,
    Noted,
    PendingFound,
    ReadyLooked,
    RebootAsked,
    RebootEnded,
    RebootIntended,
    Resumed,
    Stamped,
    Waiting,
)
from immy_nornir.model.record.order_entries import CancelAsked, JobStopAsked, OrderEntry
from immy_nornir.model.record.question_entries import QuestionAnswered, QuestionIntended, QuestionShown


@dataclass(frozen=True, slots=True)
class Contact:
    """How this process stands with the computer."""

    connected: bool = False
    """It has identified the computer, and the connection is open."""
    checked_at: float = 0.0
    """When the computer was last asked about what is being waited for."""
    stumbles: int = 0
    """Established contacts that were lost since anything was achieved: answering to its name is not enough."""
    ready_at: float = 0.0
    """When it was last looked whether the computer is ready, and found as before."""

    def after(self, before: State, stamped: Stamped) -> Contact:
        """The contact after one more entry of the record, given the state before it."""
        entry, at = stamped.entry, stamped.at
        stumbles = self.stumbles
        if isinstance(entry, ContactLost):
            stumbles += before.lost is None
        elif not isinstance(entry, Waiting | Noted | ContactBack | PendingFound | OrderEntry):
            stumbles = 0
        match entry:
            case Resumed():
                return Contact()
            case Connected() | ContactBack():
                return replace(self, connected=True, stumbles=stumbles)
            case ContactLost() | RebootAsked():
                return replace(self, connected=False, checked_at=at, stumbles=stumbles)
            case JobIntended() | RebootIntended() | QuestionIntended():
                return replace(self, checked_at=0.0, stumbles=stumbles)
            case Detected() | ReadyLooked():
                return replace(self, ready_at=at, stumbles=stumbles)
            case JobSeen() | QuestionShown() | QuestionAnswered():
                return replace(self, checked_at=at, stumbles=stumbles)
            case RebootEnded(identity=identity) if identity is not None:
                back = before.reboot is None or before.reboot.boot.differs(identity.boot)
                return replace(self, connected=self.connected or back, stumbles=stumbles)
            case Interrupted():
                return replace(self, connected=False, stumbles=stumbles)
            case JobStopAsked() | CancelAsked():
                return replace(self, checked_at=0.0, stumbles=stumbles)
            case _:
                return self if stumbles == self.stumbles else replace(self, stumbles=stumbles)

    def looked(self, now: float, *, achieved: bool) -> Contact:
        """The computer was asked and had no news; `achieved` when even that shows that things go on."""
        return replace(self, checked_at=now, stumbles=0 if achieved else self.stumbles)

    def ready_as_before(self, now: float) -> Contact:
        """It was looked whether the computer is ready, and nothing was found that was not known."""
        return replace(self, ready_at=now, stumbles=0)

    def closed(self) -> Contact:
        """The connection is gone."""
        return replace(self, connected=False) if self.connected else self

    def woken(self) -> Contact:
        """The computer was just seen to answer: it is worth looking at once."""
        return replace(self, checked_at=0.0)


NO_CONTACT = Contact()


class Approver(StrEnum):
    """Who says that a session may do what it plans and nobody has approved yet."""

    NOT_NEEDED = "not_needed"
    """All that it plans was approved beforehand, by `--yes`."""
    BRAKES = "brakes"
    """All of it was, as long as the run does not pass its brakes."""
    PERSON = "person"
    """Somebody who is asked when it is planned."""
    ABSENT = "absent"
    """Nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment in which a step is chosen."""

    now: float
    """Seconds since 1970."""
    contact: Contact = NO_CONTACT
    stop: bool = False
    """The operator wants this process to leave its sessions."""
    frozen: str = ""
    """Why nothing may be changed now, with no end in sight; empty when it may."""
    approver: Approver = Approver.NOT_NEEDED
    holds: tuple[Hold, ...] = ()
    """What keeps this computer as it is, now or later: blackouts, freezes that end, holds of the inventory."""
    run_over: str = ""
    """That its run has taken as long as it may; empty while it has not."""
    room: Room = NO_ROOM_NEEDED
    """How it stands with the limits."""

    def resting(self, pause: float) -> bool:
        """Whether the last look is less than a pause ago; a wall clock that was set back ends the pause."""
        return self.contact.checked_at <= self.now < self.contact.checked_at + pause
