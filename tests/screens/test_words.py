"""One word for one fact: the tables are whole, reports use the same words, and values are written as operators do."""

from __future__ import annotations

import pytest

from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status, WaitKind
from immy_nornir.model.record.words import (
    ACTIONS,
    OUTCOMES,
    REASONS,
    RUNS,
    STATES,
    STATUSES,
    WAITS,
    WAITS_FOR,
    said,
    word,
)
from immy_nornir.model.values import SecretRef
from immy_nornir.report import words as report
from immy_nornir.text.plain import plain


def test_every_fact_has_a_word_without_underscores() -> None:
    for kind, table in ((Status, STATUSES), (Outcome, OUTCOMES), (ActionType, ACTIONS), (WaitKind, WAITS)):
        assert set(table) == set(kind)
    assert set(REASONS) == set(OutcomeReason)
    words = [*STATUSES.values(), *OUTCOMES.values(), *ACTIONS.values(), *WAITS.values(), *REASONS.values()]
    assert [one for one in words if "_" in one or not one] == []


def test_each_fact_has_one_word_on_screens_and_in_reports() -> None:
    assert {one: label for one, (label, _) in report.STATUSES.items()} == STATUSES
    assert dict(report.OUTCOMES) == OUTCOMES
    assert dict(report.ACTIONS) == ACTIONS
    assert dict(report.WAITS) == WAITS_FOR
    assert set(WAITS_FOR) == set(WaitKind)
    assert dict(report.STATES) == STATES
    assert [report.run_word(one) for one in RUNS] == list(RUNS.values())
    assert len(set(STATUSES.values())) == len(STATUSES)
    assert len(set(OUTCOMES.values())) == len(OUTCOMES)


def test_words_of_a_newer_history_are_shown_with_spaces() -> None:
    assert (said("half_done", Outcome), said("success", Outcome)) == ("half done", "done")
    assert word(Status.PARTIALLY_PASSED) == "partially passed"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        (False, "false"),
        ("a b", "a b"),
        (1.5, "1.5"),
        ({"a": 1, "b": None}, '{"a": 1, "b": null}'),
        (["ä", True], '["ä", true]'),
        ((1, 2), "[1, 2]"),
        (Status.PARTIALLY_PASSED, "partially_passed"),
        (SecretRef("env:X"), "secret: env:X"),
        ({"pin": SecretRef("env:X")}, '{"pin": "secret: env:X"}'),
    ],
)
def test_values_are_written_as_an_operator_would(value: object, text: str) -> None:
    assert plain(value) == text
