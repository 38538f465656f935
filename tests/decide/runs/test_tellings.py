"""Which entries of the record tell anything, and when a message is sent, tried again, or given up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from immy_nornir.decide.runs.telling.sending import MOST_TRIES, RETRIES, due_of, next_try, quiet_until
from immy_nornir.decide.runs.telling.tellings import (
    RUN_KINDS,
    SESSION_KINDS,
    SessionAbout,
    tellings_of,
    tellings_of_occasion,
    tellings_of_run,
)
from immy_nornir.model.control.schedules import KnownOccasion, Occasion, OccasionState
from immy_nornir.model.control.telling import Channel, Message, Telling, ToldState
from immy_nornir.model.places import Place
from immy_nornir.model.record.entries import Entry, Finished, Stamped
from immy_nornir.model.record.question_entries import QuestionEnded, Verdict
from immy_nornir.model.record.run import RunEnded, RunHalted, RunStamped
from immy_nornir.model.record.session import EndReason, Status
from tests.history import sample

ABOUT = SessionAbout("run-7", "run", "acme", "pc1")
BAD = SessionAbout("run-7", "run", "acme", "pc1", ["software/a"])


@pytest.mark.parametrize(
    ("about", "status", "told"),
    [
        (ABOUT, Status.FAILED, "failed: why"),
        (BAD, Status.PARTIALLY_PASSED, "1 item failed: why"),
        (ABOUT, Status.PARTIALLY_PASSED, ""),
        (ABOUT, Status.MISSED, ""),
        (ABOUT, Status.PASSED, ""),
        (ABOUT, Status.CANCELLED, ""),
    ],
)
def test_a_computer_failed_where_it_fails_its_wave(about: SessionAbout, status: Status, told: str) -> None:
    events = tellings_of(about, Stamped(9, 5.0, Finished(status, "why", EndReason.ACTIONS)))
    assert [(one.about, one.computer, one.tenant, one.at) for one in events] == (
        [(told, "pc1", "acme", 5.0)] if told else []
    )


def test_a_question_that_nobody_answered_is_told_and_a_refusal_is_none() -> None:
    silent = QuestionEnded(1, Verdict.REFUSED, "ann did not answer", silent=("ann",))
    [event] = tellings_of(ABOUT, Stamped(7, 5.0, silent))
    assert (event.key, event.about) == ("prompt_unanswered/run-7/7", "not rebooted: ann did not answer")
    assert tellings_of(ABOUT, Stamped(7, 5.0, QuestionEnded(1, Verdict.REFUSED, "ann said no"))) == ()


def test_a_halt_and_a_skipped_occasion_have_keys_of_their_own() -> None:
    [halted] = tellings_of_run("run", RunStamped(3, 1.0, RunHalted(None, "2 of 4 failed")))
    assert (halted.key, halted.about) == ("wave_halted/run/3", "no further wave begins: 2 of 4 failed")
    assert tellings_of_run("run", RunStamped(4, 1.0, RunEnded())) == ()
    occasion = Occasion("weekly", "zone=UTC,tenant=acme", 60.0, "Sunday 04:00")
    [skipped] = tellings_of_occasion(KnownOccasion(occasion, OccasionState.SKIPPED, 9.0, reason="paused"))
    assert (skipped.key, skipped.tenant) == ("schedule_skipped/weekly/zone=UTC,tenant=acme/60", "acme")
    assert skipped.about == "weekly (zone=UTC,tenant=acme), due Sunday 04:00: paused"


def test_entries_of_kinds_that_are_not_read_tell_nothing() -> None:
    """Else a case of the match would be written, and never be asked."""
    assert set(SESSION_KINDS) <= set(get_args(Entry))
    for of_run in sample.RUN_ENTRIES:
        assert isinstance(of_run, RUN_KINDS) or tellings_of_run("run", RunStamped(1, 1.0, of_run)) == ()
    for entry in sample.ENTRIES:
        if not isinstance(entry, SESSION_KINDS):
            assert tellings_of(BAD, Stamped(1, 1.0, entry)) == ()


def test_a_message_is_tried_for_a_day_and_then_given_up() -> None:
    times, now = [], 0.0
    for tries in range(1, MOST_TRIES):
        again = next_try(tries, now)
        assert again is not None
        times.append(again - now)
        now = again
    assert times == list(RETRIES)
    assert 20 * 3600 < now < 26 * 3600
    assert next_try(MOST_TRIES, now) is None


@pytest.mark.parametrize(
    ("lanes", "sent"),
    [
        (["", "!", ""], [1, 3]),
        (["a", "a!", "a", "b", ""], [1, 4, 5]),
        (["*!", "a", "*", ""], [4]),
        (["a!", "*", "b", ""], [3, 4]),
    ],
)
def test_behind_a_message_that_waits_nothing_of_its_tickets_overtakes_it(lanes: list[str], sent: list[int]) -> None:
    waiting = [
        Telling(
            number,
            Message("k", "c", "digest", "", "", "", lane=lane.rstrip("!")),
            0.0,
            ToldState.WAITING,
            next_at=99.0 if lane.endswith("!") else 0.0,
        )
        for number, lane in enumerate(lanes, 1)
    ]
    assert [one.number for one in due_of(waiting[::-1], 10.0)] == sent


def test_quiet_hours_end_at_their_own_clock() -> None:
    channel = Channel("c", Place("f"), quiet="daily 22:00-07:00", zone="Europe/Berlin")
    night, day = (datetime(2026, 1, 10, hour, 30, tzinfo=UTC).timestamp() for hour in (23, 9))
    assert quiet_until(channel, night) == datetime(2026, 1, 11, 6, tzinfo=UTC).timestamp()
    assert quiet_until(channel, day) == 0.0
    assert quiet_until(Channel("c", Place("f")), night) == 0.0
