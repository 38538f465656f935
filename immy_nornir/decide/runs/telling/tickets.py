"""The sessions of a run -> which tickets open, go on, and are resolved; pure, with the tickets that are open before.

A ticket is (tenant, computer, item, reason). It is opened by the first session in which the item, or the computer,
fails with that reason; it is resolved by one in which it passes, fails for another reason, or is wanted no more. What
tells neither leaves it as it is: an item that is unknown, skipped, left or only audited, a computer that is off.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from immy_nornir.model.control.telling import Ticket, TicketChange, TicketState
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status

PASSED = "it is as it should be"
OTHER = "it fails for another reason now"
UNWANTED = "it is not wanted there any more"
GONE = "the computer is not in the inventory any more"

_CAME_TO_AN_END = (Status.PASSED, Status.PARTIALLY_PASSED)
_NOT_WANTED = (OutcomeReason.IGNORED, OutcomeReason.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class ItemSeen:
    """How an item ended in a session."""

    item: str
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What an ended session says."""

    session: str
    tenant: str
    computer: str
    status: Status
    end_reason: str
    contact: str = ""
    """The kind of failed contact, where one ended it."""
    items: Sequence[ItemSeen] = ()
    judged: frozenset[str] = frozenset()
    """Kinds of items of which it had all that are wanted there: what it did not have is not wanted."""


def changes_of(
    before: Collection[Ticket], seen: Sequence[Seen], computers: Collection[tuple[str, str]] | None = None
) -> list[TicketChange]:
    """What the sessions of one run, oldest first, make of the tickets that are open; sorted.

    `computers` are all (tenant, computer) of the fleet, where they are known. A ticket that opens and is resolved in
    one run is none.
    """
    standing: dict[tuple[str, str], set[Ticket]] = {}
    for ticket in before:
        standing.setdefault((ticket.tenant, ticket.computer), set()).add(ticket)
    touched: dict[Ticket, tuple[str, str]] = {}
    """Session and reason of what was said of each last."""
    for one in seen:
        its = standing.setdefault((one.tenant, one.computer), set())
        for ticket, why in _resolved(its, one):
            its.discard(ticket)
            touched[ticket] = one.session, why
        for ticket in _failing(one):
            its.add(ticket)
            touched[ticket] = one.session, ""
    ran = {(one.tenant, one.computer) for one in seen}
    for whose in standing.keys() - ran - set(computers) if computers is not None else ():
        touched |= dict.fromkeys(standing.pop(whose), ("", GONE))
    known = set(before)
    changes = []
    for ticket, (session, why) in sorted(touched.items()):
        if ticket in standing.get((ticket.tenant, ticket.computer), ()):
            state = TicketState.STILL if ticket in known else TicketState.OPENED
            changes.append(TicketChange(ticket, state, session))
        elif ticket in known:
            changes.append(TicketChange(ticket, TicketState.RESOLVED, session, why))
    return changes


def _failing(one: Seen) -> list[Ticket]:
    """The tickets that a session gives reason for."""
    found = [
        Ticket(one.tenant, one.computer, item.item, item.reason or Outcome.FAILED.value)
        for item in one.items
        if item.outcome == Outcome.FAILED
    ]
    if own := _own_reason(one):
        found.append(Ticket(one.tenant, one.computer, "", own))
    return found


def _own_reason(one: Seen) -> str:
    """Why the computer itself failed; empty where it did not."""
    if one.status is not Status.FAILED or one.end_reason == EndReason.ACTIONS:
        return ""
    if not one.end_reason or one.end_reason == EndReason.UNKNOWN:  # of old, when items failed too
        return "" if any(item.outcome == Outcome.FAILED for item in one.items) else "failed"
    return one.contact or one.end_reason


def _resolved(its: Collection[Ticket], one: Seen) -> list[tuple[Ticket, str]]:
    """The open tickets of its computer that a session ends, with the reason."""
    if one.end_reason == EndReason.EXCLUDED:
        return [(ticket, UNWANTED) for ticket in its]
    own = _own_reason(one)
    ended = one.status in _CAME_TO_AN_END or (one.status is Status.FAILED and one.end_reason == EndReason.ACTIONS)
    items = {item.item: item for item in one.items}
    found: list[tuple[Ticket, str]] = []
    for ticket in its:
        if not ticket.item:
            why = PASSED if ended else OTHER if own and own != ticket.reason else ""
        elif (item := items.get(ticket.item)) is not None:
            why = _of_item(item, ticket.reason)
        else:
            kind = ticket.item.partition("/")[0]
            why = UNWANTED if ended and kind in one.judged else ""
        if why:
            found.append((ticket, why))
    return found


def _of_item(item: ItemSeen, reason: str) -> str:
    if item.outcome == Outcome.FAILED:
        return OTHER if (item.reason or Outcome.FAILED.value) != reason else ""
    if item.reason in _NOT_WANTED:
        return UNWANTED
    return PASSED if item.outcome in (Outcome.SUCCESS, Outcome.NOTHING) else ""
