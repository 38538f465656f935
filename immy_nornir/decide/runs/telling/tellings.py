"""An entry of the record -> the events that are told of it; the one place that says which entries tell anything.

Pure. A new kind of event is a case of a match here, with the entry's class in SESSION_KINDS or RUN_KINDS: entries of
other classes are not even read. Tickets come of whole sessions (`tickets`), the end of a run of its sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from immy_nornir.model.control.schedules import KnownOccasion
from immy_nornir.model.control.telling import Event, EventKind
from immy_nornir.model.record.entries import Entry, Finished, Stamped
from immy_nornir.model.record.question_entries import QuestionEnded
from immy_nornir.model.record.run import RunHalted, RunStamped
from immy_nornir.model.record.session import Status
from immy_nornir.model.record.words import word
from immy_nornir.text.plain import counted

SESSION_KINDS: tuple[type[Entry], ...] = (Finished, QuestionEnded)
"""Entries of sessions that tell something; they are read when their session has ended."""
RUN_KINDS: tuple[type[object], ...] = (RunHalted,)
"""Entries of runs that tell something; they are read as they come."""


@dataclass(frozen=True, slots=True)
class SessionAbout:
    """Whose an entry is."""

    session: str
    run_id: str
    tenant: str
    computer: str
    failed_items: Sequence[str] = ()


def tellings_of(about: SessionAbout, stamped: Stamped) -> tuple[Event, ...]:
    """What is told of an entry of a session."""

    def event(kind: EventKind, sentence: str) -> tuple[Event, ...]:
        key = f"{kind.value}/{about.session}/{stamped.seq}"
        return (Event(kind, key, stamped.at, sentence, about.run_id, about.tenant, about.computer, about.session),)

    match stamped.entry:
        # As for waves: what is unknown, and a computer that is off, is no failure.
        case Finished(Status.FAILED, message):
            return event(EventKind.COMPUTER_FAILED, f"{word(Status.FAILED)}: {message}")
        case Finished(Status.PARTIALLY_PASSED, message) if about.failed_items:
            return event(EventKind.COMPUTER_FAILED, f"{counted(len(about.failed_items), 'item')} failed: {message}")
        case QuestionEnded(silent=silent) if silent:
            return event(EventKind.PROMPT_UNANSWERED, f"not rebooted: {', '.join(silent)} did not answer")
        case _:
            return ()


def tellings_of_run(run_id: str, stamped: RunStamped) -> tuple[Event, ...]:
    """What is told of an entry of a run."""
    match stamped.entry:
        case RunHalted(_, why):
            key = f"{EventKind.WAVE_HALTED.value}/{run_id}/{stamped.seq}"
            return (Event(EventKind.WAVE_HALTED, key, stamped.at, f"no further wave begins: {why}", run_id),)
        case _:
            return ()


def tellings_of_occasion(known: KnownOccasion) -> tuple[Event, ...]:
    """What is told of an occasion of a schedule that never begins."""
    one = known.occasion
    part = f" ({one.part})" if one.part else ""
    key = f"{EventKind.SCHEDULE_SKIPPED.value}/{one.schedule}/{one.part}/{one.due_at:.0f}"
    due = f", due {one.told}" if one.told else ""
    about = f"{one.schedule}{part}{due}: {known.reason}"
    tenant = next((each.removeprefix("tenant=") for each in one.part.split(",") if each.startswith("tenant=")), "")
    return (Event(EventKind.SCHEDULE_SKIPPED, key, known.at, about, tenant=tenant),)
