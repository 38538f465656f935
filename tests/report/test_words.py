"""Every word of the history has a sentence for people, and times read the same everywhere."""

from __future__ import annotations

from enum import StrEnum

import pytest

from immy_nornir.errors import TransportError
from immy_nornir.model.plan import Held, Reason
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status
from immy_nornir.report import words


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (Status, words.STATUSES),
        (Outcome, words.OUTCOMES),
        (OutcomeReason, words.OUTCOME_REASONS),
        (Held, words.HELD),
        (Reason, words.REASONS),
        (ActionType, words.ACTIONS),
    ],
)
def test_every_word_of_the_model_has_its_english(kind: type[StrEnum], known: dict[str, object]) -> None:
    assert set(known) == set(kind)


def test_every_kind_of_failed_contact_has_its_english() -> None:
    kinds = {one.kind for one in TransportError.__subclasses__()}
    assert kinds - set(words.CONTACT) == set()


def test_words_of_a_newer_history_are_shown_without_underscores() -> None:
    assert words.status_word("half_asleep") == "half asleep"
    assert words.end_sentence("success", "new_reason", None, "ended") == "new reason"
    assert words.outcome_word("put_off") == "put off"


@pytest.mark.parametrize(
    ("outcome", "reason", "held", "status", "text"),
    [
        ("left", "not_this_type", "not_this_type", "ended", "There is work, but sessions of this type do not do it"),
        (None, None, "not_this_type", "planned", "There is work, but sessions of this type do not do it"),
        ("success", "reboot_pending", None, "ended", "Done; a reboot is still needed"),
        (None, None, None, "planned", "Planned, not done."),
        (None, None, None, "retry", "It will be tried again."),
    ],
)
def test_ends_and_what_is_held_are_plain_sentences(
    outcome: str | None, reason: str | None, held: str | None, status: str, text: str
) -> None:
    assert words.end_sentence(outcome, reason, held, status).startswith(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0.0 s"),
        (-3.0, "0.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (59.6, "1 min"),
        (61.0, "1 min 1 s"),
        (3600.0, "1 h"),
        (7_265.0, "2 h 1 min"),
        (90_000.0, "1 d 1 h"),
    ],
)
def test_lengths_of_time_have_two_units(seconds: float | None, text: str) -> None:
    assert words.took(seconds) == text


def test_moments_are_utc_whatever_the_system_says() -> None:
    assert words.iso(1_795_411_200.0) == "2026-11-23T05:20:00Z"
    assert words.when(1_795_411_200.0) == "23 Nov 2026, 05:20:00 UTC"
    assert (words.iso(None), words.when(None)) == ("", "-")


def test_counts_have_their_noun() -> None:
    assert words.count(1, "computer") == "1 computer"
    assert words.count(1214, "computer") == "1,214 computers"
    assert words.count(2, "more session", "more sessions") == "2 more sessions"
