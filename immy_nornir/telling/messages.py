"""What a run brought, and what happens in between -> messages for one channel, in its reader's words; pure.

For a tenant's channel the report is narrowed to that tenant (`report.narrow`), and the words are those of reports: what
no report for that tenant shows is in no message. Free text loses known secrets and becomes harmless here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from immy_nornir.model.control.telling import (
    TICKETS,
    Audience,
    Channel,
    Digest,
    Event,
    EventKind,
    Message,
    TicketChange,
)
from immy_nornir.model.values import Json
from immy_nornir.report import words
from immy_nornir.report.customer import CustomerReport, customer_report
from immy_nornir.report.model import Report
from immy_nornir.telling import wording
from immy_nornir.text import json
from immy_nornir.text.harmless import harmless

SCHEMA_VERSION = 1
DIGEST = "digest"
TEST = "test"
_LISTED = 30
"""So many lines of a kind stand in a text; the JSON has all."""

Clean = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class News:
    """What the ended sessions of one run brought, for one scope: a tenant, or all."""

    report: Report
    number: int
    """Which telling of this run and scope it is, from 1: sessions that waited end later."""
    events: Sequence[Event] = ()
    changes: Sequence[TicketChange] = ()
    tenant: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What the ids of its messages end with."""
        return f"{self.report.run.id}/{self.tenant or 'all'}/{self.number}"


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a message: lines of its text, and what the JSON has of it."""

    head: str = ""
    lines: Sequence[str] = ()
    fields: Mapping[str, Json] = field(default_factory=dict)


def messages_of(channel: Channel, news: News, at: float, clean: Clean) -> list[Message]:
    """The messages that a channel gets of a run; none where nothing came of what it is told."""
    writer = _Writer(channel, news, at, clean)
    return [*writer.digest()] if channel.digest is Digest.RUN else [*writer.each()]


def message_of(channel: Channel, event: Event, tenant: str, at: float, clean: Clean) -> Message:
    """The message of an event that is no computer's own; for a tenant's channel without anything but that it was."""
    title, text = wording.of_work(event, tenant)
    key = f"{event.key}/{tenant}" if tenant else event.key
    part = _Part(harmless(clean(text)), (), {"text_of_event": clean(text)} if not tenant else {})
    about = _About(channel, event.kind.value, key, event.run_id, tenant, at)
    return _message(about, title, [part], clean)


def test_message(channel: Channel, key: str, at: float) -> Message:
    """A message that says that it is a test."""
    about = _About(channel, TEST, key, "", "", at)
    text = "This is a test. Whoever reads it is told what happens on the computers."
    return _message(about, f"a test of the channel {channel.name}", [_Part(text)], lambda said: said)


@dataclass(frozen=True, slots=True)
class _About:
    """The head of a message."""

    channel: Channel
    event: str
    key: str
    run_id: str
    tenant: str
    at: float
    lane: str = ""


class _Writer:
    """Writes the messages of one run for one channel and scope."""

    def __init__(self, channel: Channel, news: News, at: float, clean: Clean) -> None:
        self._channel, self._news, self._at, self._clean = channel, news, at, clean
        self._events = [one for one in news.events if one.kind in channel.events]
        self._changes = [one for one in news.changes if one.kind in channel.events]
        self._computers = wording.computers_of(news.report)
        self._customer = customer_report(news.report) if channel.audience is Audience.CUSTOMER else None

    def digest(self) -> Iterator[Message]:
        """All of it in one."""
        ended = self._is_of_run()
        if not (ended or self._events or self._changes):
            return
        parts = [self._ended()] if ended else []
        if self._events:
            parts.append(self._of_events(self._events))
        if self._changes:
            parts.append(self._tickets(self._changes))
        yield self._made(DIGEST, self._news.mark, wording.title(self._news.report, self._customer), parts)

    def each(self) -> Iterator[Message]:
        """Each by itself."""
        if self._is_of_run():
            title = wording.title(self._news.report, self._customer)
            key = f"{EventKind.RUN_ENDED.value}/{self._news.mark}"
            yield self._made(EventKind.RUN_ENDED.value, key, title, [self._ended()])
        seen: dict[str, int] = {}
        for event in self._events:
            key = f"{event.kind.value}/{event.computer}/{self._news.mark}"
            seen[key] = seen.get(key, 0) + 1  # several plays may have failed on one computer
            key += f"/{seen[key]}" if seen[key] > 1 else ""
            title = wording.title_of_event(event, customer=self._customer is not None)
            yield self._made(event.kind.value, key, title, [self._of_events([event])])
        for change in self._changes:
            key = f"{change.ticket.key}/{change.state.value}/{self._news.mark}"
            title = wording.title_of_ticket(change, self._news.titles, customer=self._customer is not None)
            yield self._made(change.kind.value, key, title, [self._tickets([change])])

    def _is_of_run(self) -> bool:
        """Whether the end of the run is told: of a tenant whose computers are gone there is none."""
        return EventKind.RUN_ENDED in self._channel.events and self._news.report.totals.sessions > 0

    def _made(self, event: str, key: str, title: str, parts: Sequence[_Part]) -> Message:
        lane = (self._news.tenant or "*") if set(self._channel.events) & TICKETS else ""
        about = _About(self._channel, event, key, self._news.report.run.id, self._news.tenant, self._at, lane)
        return _message(about, title, parts, self._clean)

    # --- parts ---

    def _ended(self) -> _Part:
        if self._customer is not None:
            return _of_customer(self._customer)
        report = self._news.report
        head, run = wording.ended(report), report.run
        rows = wording.attention(report)
        fields: dict[str, Json] = {
            "status": run.status,
            "playbook": run.playbook,
            "totals": {"computers": report.totals.computers, **dict(report.totals.by_status)},
            "computers": [
                {"tenant": one.tenant, "computer": one.computer, "status": one.status, "text": self._clean(one.text)}
                for one in rows
            ],
        }
        lines = [f"{one.computer}: {one.label}: {self._clean(one.text)}" for one in rows]
        return _Part(head, lines, fields)

    def _of_events(self, events: Sequence[Event]) -> _Part:
        told = [(one, self._told_event(one)) for one in events]
        listed: list[Json] = [
            {
                "event": one.kind.value,
                "tenant": one.tenant,
                "computer": one.computer,
                "text": self._clean(text),
                "at": words.iso(one.at),
            }
            for one, text in told
        ]
        # A digest with the end of the run has them in its list of computers.
        alone = EventKind.RUN_ENDED not in self._channel.events or self._channel.digest is Digest.NONE
        shown = [(one, text) for one, text in told if alone or one.kind is not EventKind.COMPUTER_FAILED]
        head = words.count(len(shown), "event") if len(shown) > 1 else ""
        return _Part(head, [f"{one.computer}: {self._clean(text)}" for one, text in shown], {"events": listed})

    def _told_event(self, event: Event) -> str:
        narrow = bool(self._news.tenant)
        return wording.of_event(event, self._computers, customer=self._customer is not None, narrow=narrow)

    def _tickets(self, changes: Sequence[TicketChange]) -> _Part:
        customer = self._customer is not None
        lines, listed = [], list[Json]()
        for change in changes:
            told = wording.of_ticket(change, self._computers, self._news.titles, customer=customer)
            what = f", {told.what}" if told.what else ""
            lines.append(f"{told.state}: {change.ticket.computer}{what}: {self._clean(told.text)}")
            listed.append({**told.fields, "text": self._clean(told.text)})
        return _Part("", lines, {"tickets": listed})


def _of_customer(report: CustomerReport) -> _Part:
    lines = []
    for heading, matters in report.turns():
        for one in matters:
            about = [*one.what[:3], *([f"and {len(one.what) - 3} more"] if one.what[3:] else [])]
            where = ", ".join(one.computers[:5]) + (f" and {len(one.computers) - 5} more" if one.computers[5:] else "")
            lines.append(f"{heading}: {', '.join([where, *about])}: {' '.join(filter(None, (one.text, one.please)))}")
    fields: dict[str, Json] = {
        "status": report.status,
        "counts": dict(report.counts),
        "computers_total": len(report.computers),
        "computers_in_order": report.in_order,
        "matters": [
            {
                "next": one.next.value,
                "please": one.please,
                "text": one.text,
                "what": list(one.what),
                "computers": list(one.computers),
            }
            for one in report.matters
        ],
    }
    return _Part(wording.in_order(report), lines, fields)


def _message(about: _About, title: str, parts: Sequence[_Part], clean: Clean) -> Message:
    # A customer need not know what it was that we did it with.
    whose = "" if about.channel.audience is Audience.CUSTOMER else "immy: "
    shown_title = harmless(clean(f"{whose}{title}"), 200)
    text: list[str] = []
    fields: dict[str, Json] = {}
    for part in parts:
        text += [harmless(part.head)] if part.head else []
        text += [f"- {harmless(line)}" for line in part.lines[:_LISTED]]
        text += [f"- and {len(part.lines) - _LISTED:,} more"] if len(part.lines) > _LISTED else []
        fields |= part.fields
    whole = "\n".join([*text, f"Reference: {harmless(about.key)}"])
    channel = about.channel
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "id": about.key,
        "event": about.event,
        "channel": channel.name,
        "for": channel.audience.value,
        "tenant": about.tenant or None,
        "run": about.run_id or None,
        "at": words.iso(about.at),
        "title": shown_title,
        "text": whole,
        **fields,
    }
    body = json.line(document, ascii=False)
    return Message(
        about.key, channel.name, about.event, shown_title, whole, body, about.run_id, about.tenant, about.lane
    )
