"""Sentences of messages, for operators and for customers; what a report says is taken from the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.decide.runs.telling.tickets import PASSED
from immy_nornir.model.control.telling import Event, EventKind, TicketChange, TicketState
from immy_nornir.model.record.session import Outcome, Status
from immy_nornir.model.values import Json
from immy_nornir.report import customer_words, words
from immy_nornir.report.customer import CustomerReport
from immy_nornir.report.model import ActionPart, ComputerPart, Report, SessionPart

_STATES = {TicketState.OPENED: "opened", TicketState.STILL: "still", TicketState.RESOLVED: "resolved"}
_FOR_CUSTOMERS = {TicketState.OPENED: "New", TicketState.STILL: "Still open", TicketState.RESOLVED: "Resolved"}
_RESOLVED = "It is in order now."
_NO_MATTER = "This is no open matter any more."
_WORK: Mapping[EventKind, tuple[str, str]] = {
    EventKind.WAVE_HALTED: ("the rest of a run was halted", "No further wave of the run begins."),
    EventKind.ITEM_HALTED: (
        "an item is held back",
        "An item failed on the first computers, and nobody else begins it.",
    ),
    EventKind.RING_PROMOTED: ("a release goes on to the next ring", "A release goes on to the next ring."),
    EventKind.RING_HALTED: ("a release is held back", "A release does not go on to the next ring."),
    EventKind.SCHEDULE_SKIPPED: ("a schedule was skipped", "A maintenance that was due was not begun."),
}
"""Of the operator's work: a title, and what a tenant's channel is told of it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A computer that needs a look."""

    tenant: str
    computer: str
    status: str
    label: str
    text: str


def title(report: Report, customer: CustomerReport | None) -> str:
    """What came of a run, in one line."""
    if customer is not None:
        return f"Maintenance of {customer.customer}: {_some_in_order(customer)}"
    whose = f"{report.only_tenant}: " if report.only_tenant else ""
    return f"{whose}run {report.run.id}: {_statuses(report)}"


def _some_in_order(customer: CustomerReport) -> str:
    return f"{customer.in_order:,} of {words.count(len(customer.computers), 'computer')} in order"


def _statuses(report: Report) -> str:
    said = ", ".join(f"{number:,} {words.status_word(status)}" for status, number in report.totals.by_status.items())
    return said or "no computers"


def ended(report: Report) -> str:
    """How a run ended, for operators."""
    playbook = f" of {report.run.playbook}" if report.run.playbook else ""
    note = f"; {report.run.note}" if report.run.note else ""
    return (
        f"Run {report.run.id}{playbook}: {words.count(report.totals.computers, 'computer')}: {_statuses(report)}{note}"
    )


def in_order(customer: CustomerReport) -> str:
    """How a run ended, for customers."""
    return f"Maintenance of {customer.customer}: {_some_in_order(customer)}."


def attention(report: Report) -> list[Row]:
    """The computers that need a look."""
    return [
        Row(one.tenant, one.computer, one.status.value, words.status_word(one.status), one.text)
        for one in report.attention
    ]


# --- events -----------------------------------------------------------------------------------------------------------


def of_work(event: Event, tenant: str) -> tuple[str, str]:
    """Title and text of an event of the operator's own work."""
    about, plain = _WORK.get(event.kind, (words.plain(event.kind.value), ""))
    if tenant:
        return f"{tenant}: {about}", plain
    run = f"run {event.run_id}: " if event.run_id else ""
    return f"{run}{about}", f"{run}{event.about}"


def title_of_event(event: Event, *, customer: bool) -> str:
    """The title of a message about one event of a computer."""
    if event.kind is EventKind.COMPUTER_FAILED:
        return f"{event.computer}: {'the maintenance was not completed' if customer else 'failed'}"
    return f"{event.computer}: {words.plain(event.kind.value)}"


def computers_of(report: Report) -> dict[str, ComputerPart]:
    """The computers of a report by their names."""
    return {one.name: one for tenant in report.tenants for one in tenant.computers}


def of_event(event: Event, computers: Mapping[str, ComputerPart], *, customer: bool, narrow: bool) -> str:
    """What is told of an event of a computer; `narrow`: to somebody who sees one tenant only."""
    part = _session(computers, event.computer)
    if event.kind is EventKind.COMPUTER_FAILED and part is not None:
        if customer:
            return _customers_session(part)
        return f"{words.status_word(part.status)}: {part.text}"
    if narrow:
        return {EventKind.PROMPT_UNANSWERED: "Nobody answered the question on the screen."}.get(
            event.kind, words.plain(event.kind.value)
        )
    return event.about


def _customers_session(part: SessionPart) -> str:
    return customer_words.session(part.status, part.end_reason, part.reason, part.waiting).text


def _session(computers: Mapping[str, ComputerPart], name: str) -> SessionPart | None:
    """The worst session of a computer."""
    part = computers.get(name)
    return None if part is None else next(one for one in part.sessions if one.status is part.status)


# --- tickets ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToldTicket:
    """A ticket in words."""

    state: str
    what: str
    text: str
    fields: Mapping[str, Json] = field(default_factory=dict)


def title_of_ticket(change: TicketChange, titles: Mapping[str, str], *, customer: bool) -> str:
    """The title of a message about one ticket."""
    state = (_FOR_CUSTOMERS if customer else _STATES)[change.state]
    what = _what(change, titles, customer=customer)
    return f"{state}: {change.ticket.computer}" + (f": {what}" if what else "")


def _what(change: TicketChange, titles: Mapping[str, str], *, customer: bool) -> str:
    ticket = change.ticket
    if not ticket.item:
        return ""
    known = titles.get(ticket.item.partition("#")[0], "")
    return words.item_title(ticket.item, known) if customer else words.item_name(ticket.item, known)


def of_ticket(
    change: TicketChange, computers: Mapping[str, ComputerPart], titles: Mapping[str, str], *, customer: bool
) -> ToldTicket:
    """A change of a ticket in the reader's words; customers see no ids but the ticket's own key."""
    ticket, what = change.ticket, _what(change, titles, customer=customer)
    text = _of_ticket(change, computers, customer=customer)
    state = (_FOR_CUSTOMERS if customer else _STATES)[change.state]
    fields: dict[str, Json] = {"key": ticket.key, "state": change.state.value, "computer": ticket.computer}
    if customer:
        return ToldTicket(state, what, text, {**fields, "what": what})
    more: dict[str, Json] = {"tenant": ticket.tenant, "item": ticket.item, "reason": ticket.reason, "title": what}
    # How it fails says why by itself.
    about = f"{words.plain(ticket.reason)}: {text}" if change.state is TicketState.RESOLVED else text
    return ToldTicket(state, what, about, fields | more)


def _of_ticket(change: TicketChange, computers: Mapping[str, ComputerPart], *, customer: bool) -> str:
    if change.state is TicketState.RESOLVED:
        if customer:
            return _RESOLVED if change.why == PASSED else _NO_MATTER
        return change.why
    ticket = change.ticket
    if ticket.item:
        action = _action(computers, ticket.computer, ticket.item)
        if action is None:
            return "It failed."
        if customer:
            return customer_words.end(action.outcome, action.outcome_reason, action.held, action.status).text
        return action.message or action.text
    part = _session(computers, ticket.computer)
    if part is None or part.status is not Status.FAILED:
        return customer_words.STATUSES[Status.FAILED][1].text if customer else "It failed."
    return _customers_session(part) if customer else part.text


def _action(computers: Mapping[str, ComputerPart], name: str, item: str) -> ActionPart | None:
    part = computers.get(name)
    sessions = () if part is None else part.sessions
    found = [action for one in sessions for action in one.actions if action.id == item]
    return next((one for one in found if one.outcome == Outcome.FAILED), found[-1] if found else None)
