"""Tickets: opened by the first failure with a reason, still while it lasts, resolved by what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from immy_nornir.decide.runs.telling.tickets import GONE, OTHER, PASSED, UNWANTED, ItemSeen, Seen, changes_of
from immy_nornir.model.control.telling import Ticket, TicketChange, TicketState
from immy_nornir.model.record.session import Status

ZIP, CODE = "software/7zip", "exit_code"
OPEN = Ticket("acme", "pc1", ZIP, CODE)
OWN = Ticket("acme", "pc1", "", "authentication")
BOTH = frozenset({"software", "task"})


def seen(
    *items: tuple[str, str | None, str | None],
    status: Status = Status.PARTIALLY_PASSED,
    end: str = "actions",
    contact: str = "",
    judged: frozenset[str] = BOTH,
) -> Seen:
    return Seen("run-1", "acme", "pc1", status, end, contact, [ItemSeen(*one) for one in items], judged)


FAILED, DONE = (ZIP, "failed", CODE), (ZIP, "success", "verified")
REFUSED = seen(status=Status.FAILED, end="refused", contact="authentication")
OFF = seen(status=Status.MISSED, end="away", contact="unreachable")
PASSES = seen(status=Status.PASSED)

CASES: dict[str, tuple[set[Ticket], list[Seen], dict[Ticket, str]]] = {
    "the first failure opens": (set(), [seen(FAILED)], {OPEN: "opened"}),
    "the next one with the same reason is still": ({OPEN}, [seen(FAILED)], {OPEN: "still"}),
    "success resolves": ({OPEN}, [seen(DONE)], {OPEN: PASSED}),
    "nothing to do resolves": ({OPEN}, [seen((ZIP, "nothing", "already_so"))], {OPEN: PASSED}),
    "another reason resolves the one and opens the other": (
        {OPEN},
        [seen((ZIP, "failed", "not_converged"))],
        {OPEN: OTHER, replace(OPEN, reason="not_converged"): "opened"},
    ),
    "what is ignored by now is wanted no more": ({OPEN}, [seen((ZIP, "nothing", "ignored"))], {OPEN: UNWANTED}),
    "what a whole session does not have is wanted no more": ({OPEN}, [PASSES], {OPEN: UNWANTED}),
    "a session of some items says nothing of the others": ({OPEN}, [replace(PASSES, judged=frozenset())], {}),
    "a session that never came so far says nothing": ({OPEN}, [REFUSED], {OWN: "opened"}),
    "unknown says neither": ({OPEN}, [seen((ZIP, "unknown", "detection_failed"))], {}),
    "skipped says neither": ({OPEN}, [seen((ZIP, "skipped", "dependency"))], {}),
    "an audit says neither": ({OPEN}, [seen((ZIP, "not_compliant", "audit"))], {}),
    "not begun says neither": ({OPEN}, [seen((ZIP, None, None), status=Status.CANCELLED, end="cancelled")], {}),
    "a computer that is off is no failure": (set(), [OFF], {}),
    "and leaves open what was": ({OPEN, OWN}, [OFF], {}),
    "a computer that refuses is one": (set(), [REFUSED], {OWN: "opened"}),
    "it is resolved when a session comes to its end, whatever its items did": (
        {OWN},
        [seen(FAILED, status=Status.FAILED)],
        {OWN: PASSED, OPEN: "opened"},
    ),
    "another own reason takes its place": (
        {OWN},
        [seen(status=Status.FAILED, end="reboot")],
        {OWN: OTHER, replace(OWN, reason="reboot"): "opened"},
    ),
    "on a computer that is excluded nothing is wanted": (
        {OPEN, OWN},
        [seen(status=Status.CANCELLED, end="excluded")],
        {OPEN: UNWANTED, OWN: UNWANTED},
    ),
    "failed and mended within one run is none": (set(), [seen(FAILED), seen(DONE)], {}),
    "mended and failed again is still": ({OPEN}, [seen(DONE), seen(FAILED)], {OPEN: "still"}),
    "two plays that fail open it once": (set(), [seen(FAILED), seen(FAILED)], {OPEN: "opened"}),
    "a failure of old, without a reason of its own": (
        set(),
        [seen(status=Status.FAILED, end="")],
        {replace(OWN, reason="failed"): "opened"},
    ),
    "other computers' tickets stay": ({replace(OPEN, computer="pc2")}, [seen(DONE)], {}),
    "so do those of another tenant's computer of the same name": ({replace(OPEN, tenant="b")}, [seen(DONE)], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_sessions_make_of_tickets(name: str) -> None:
    before, sessions, expected = CASES[name]
    found = {one.ticket: one.why or one.state.value for one in changes_of(before, sessions)}
    assert found == expected


def test_a_computer_that_left_the_fleet_leaves_no_ticket_behind() -> None:
    moved = replace(OPEN, tenant="b")
    known = {("acme", "pc1"), ("b", "pc2")}
    assert changes_of({OPEN, moved}, [], known) == [TicketChange(moved, TicketState.RESOLVED, "", GONE)]
    assert changes_of({OPEN, moved}, [], None) == []


def test_the_key_is_of_these_four_and_of_nothing_else() -> None:
    assert OPEN.key == Ticket("acme", "pc1", ZIP, CODE).key
    assert OPEN.key.isascii()
    others = [Ticket("acme", "pc1", "", CODE), Ticket("a", "cmepc1", ZIP, CODE), replace(OPEN, reason="exit_codes")]
    assert len({OPEN.key, *(one.key for one in others)}) == 4
