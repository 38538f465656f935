"""Every word of the model has a customer's sentence, and says who acts next."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from immy_nornir.errors import TransportError
from immy_nornir.model.plan import Held
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status, WaitKind
from immy_nornir.report import customer_words, words
from immy_nornir.report.customer_words import Next, Told

TABLES = {
    "outcomes": customer_words.OUTCOMES,
    "outcome reasons": customer_words.OUTCOME_REASONS,
    "held": customer_words.HELD,
    "contact": customer_words.CONTACT,
    "ends": customer_words.ENDS,
    "statuses": {status: told for status, (_, told) in customer_words.STATUSES.items()},
    "waits": customer_words.WAITS,
    "planned": customer_words.PLANNED,
}


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (Outcome, customer_words.OUTCOMES),
        (OutcomeReason, customer_words.OUTCOME_REASONS),
        (Held, customer_words.HELD),
        (EndReason, customer_words.ENDS),
        (Status, customer_words.STATUSES),
        (WaitKind, customer_words.WAITS),
        (ActionType, customer_words.ACTIONS),
        (EndReason, words.ENDS),
        (WaitKind, words.WAITS),
        (Next, customer_words.NEXT),
    ],
)
def test_every_word_of_the_model_has_a_customers_sentence(kind: type[StrEnum], known: dict[str, object]) -> None:
    assert set(known) == set(kind)


def test_every_kind_of_failed_contact_has_a_customers_sentence() -> None:
    kinds = {one.kind for one in TransportError.__subclasses__()}
    assert kinds - set(customer_words.CONTACT) == set()
    assert set(customer_words.CONTACT) == set(words.CONTACT)


_JARGON = re.compile(
    r"(?i)reboot|deploy|session|\bscript|exit|detect|inventory|tenant|fleet|converge|compliant|superseded|port\b|_|/"
)


@pytest.mark.parametrize("table", TABLES)
def test_sentences_are_plain_and_ask_exactly_the_one_whose_turn_it_is(table: str) -> None:
    for word, told in TABLES[table].items():
        assert told.text.endswith("."), word
        assert _JARGON.search(told.text + told.please) is None, word
        assert bool(told.please) == (told.next is Next.CUSTOMER), word
        assert not told.please or told.please.startswith("Please "), word


@pytest.mark.parametrize(
    ("outcome", "reason", "turn"),
    [
        ("success", "verified", Next.NOBODY),
        ("success", "reboot_pending", Next.CUSTOMER),
        ("success", "not_converged", Next.NOBODY),
        ("failed", "exit_code", Next.OPERATOR),
        ("failed", "dependency", Next.OPERATOR),
        ("skipped", "dependency", Next.NOBODY),
        ("skipped", "user_context", Next.CUSTOMER),
        ("nothing", "already_so", Next.NOBODY),
        ("not_compliant", "audit", Next.OPERATOR),
        ("put_off", "full_moon", Next.OPERATOR),
    ],
)
def test_an_end_says_who_acts_next(outcome: str, reason: str, turn: Next) -> None:
    assert customer_words.end(outcome, reason, None, "ended").next is turn


@pytest.mark.parametrize(
    ("status", "end_reason", "reason", "waiting", "told"),
    [
        ("passed", "actions", "3 done", "", customer_words.STATUSES[Status.PASSED][1]),
        ("missed", "away", "unreachable: no route", "", customer_words.CONTACT["unreachable"]),
        ("missed", "", "timeout: 10.0.0.1", "", customer_words.CONTACT["timeout"]),
        ("failed", "refused", "authentication: 10.0.0.1", "", customer_words.CONTACT["authentication"]),
        ("missed", "away", "the window is over; unreachable: x", "", customer_words.ENDS[EndReason.AWAY]),
        ("waiting", "", "x", "connectivity: the computer", customer_words.WAITS[WaitKind.CONNECTIVITY]),
        ("waiting", "", "x", "", customer_words.STATUSES[Status.WAITING][1]),
        ("failed", "actions", "1 failed", "", customer_words.STATUSES[Status.FAILED][1]),
        ("failed", "unknown", "", "", customer_words.STATUSES[Status.FAILED][1]),
    ],
)
def test_a_session_is_told_by_its_end(status: str, end_reason: str, reason: str, waiting: str, told: Told) -> None:
    assert customer_words.session(status, end_reason, reason, waiting) == told
