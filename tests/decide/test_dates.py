"""Dates of blackouts and holds: what is read, the instants in zones with every kind of clock change, what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from immy_nornir.decide.holds import hold_of, in_force, sentence
from immy_nornir.decide.times.dates import between, end_of, parse_end, parse_span
from immy_nornir.decide.times.time_zones import WindowError
from immy_nornir.model.control.holds import Hold, HoldKind

BERLIN = "Europe/Berlin"


def _at(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@pytest.mark.parametrize(
    ("text", "zone", "begins", "ends"),
    [
        ("2026-12-24", BERLIN, "2026-12-23T23:00", "2026-12-24T23:00"),
        ("2026-12-24..2027-01-02", BERLIN, "2026-12-23T23:00", "2027-01-02T23:00"),
        ("2026-12-24 .. 2026-12-24", "Asia/Kathmandu", "2026-12-23T18:15", "2026-12-24T18:15"),
        ("2026-12-24..2027-01-02", "America/St_Johns", "2026-12-24T03:30", "2027-01-03T03:30"),
        ("2026-12-24T18:00..2026-12-27T06:00", BERLIN, "2026-12-24T17:00", "2026-12-27T05:00"),
        ("2026-12-24T18:00..2026-12-27", BERLIN, "2026-12-24T17:00", "2026-12-27T23:00"),
        ("2026-12-24T18:00Z..2026-12-27T06:00Z", BERLIN, "2026-12-24T18:00", "2026-12-27T06:00"),
        ("2026-12-24T18:00+05:30..2026-12-27T06:00", BERLIN, "2026-12-24T12:30", "2026-12-27T00:30"),
        ("2026-12-24T18:00/PT4H", BERLIN, "2026-12-24T17:00", "2026-12-24T21:00"),
        # Days of 23 and 25 hours; what comes twice is held both times, what is left out once.
        ("2026-03-29", BERLIN, "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-10-25", BERLIN, "2026-10-24T22:00", "2026-10-25T23:00"),
        ("2026-10-25T02:30..2026-10-25T02:45", BERLIN, "2026-10-25T00:30", "2026-10-25T01:45"),
        ("2026-03-29T02:30..2026-03-29T04:00", BERLIN, "2026-03-29T01:00", "2026-03-29T02:00"),
        ("2026-04-05", "Australia/Lord_Howe", "2026-04-04T13:00", "2026-04-05T13:30"),
        # Midnights that do not exist, and one after an hour that comes twice.
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00", "2018-11-05T02:00"),
        ("2018-11-03", "America/Sao_Paulo", "2018-11-03T03:00", "2018-11-04T03:00"),
        ("2019-02-16", "America/Sao_Paulo", "2019-02-16T02:00", "2019-02-17T03:00"),
        # A zone that nobody knows: from where the day begins first to where it ends last.
        ("2026-12-24", "", "2026-12-23T10:00", "2026-12-25T12:00"),
    ],
)
def test_dates_are_meant_by_the_clock_of_the_computer(text: str, zone: str, begins: str, ends: str) -> None:
    assert between(parse_span(text), zone) == (_at(begins), _at(ends))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-12-24..2026-12-20", "ends before it begins .did you mean 2026-12-20..2026-12-24"),
        ("2026-12-24T18:00..2026-12-24T18:00", "ends before it begins"),
        ("2026-13-01", "there is no '2026-13-01'"),
        ("2026-02-29", "there is no '2026-02-29'"),
        ("24.12.2026", "'24.12.2026' is no date"),
        ("2026-12-24-2027-01-02", "is no date"),
        ("2026-12-24..", "'' is no date in"),
        ("..2026-12-24", "'' is no date in"),
        ("2026-12-24T18:00", "is a time without an end"),
        ("2026-12-24T25:00..2026-12-25", "there is no '2026-12-24T25:00'"),
        ("2026-12-24T18:00..2026-12-25T06:00Z", "its beginning none"),
        ("2026-12-24/x", "no end of a window"),
        ("9999-12-31", "has no end"),
        ("christmas", "is no date"),
        ("", "is no date"),
    ],
)
def test_dates_that_cannot_be_read_say_what_to_write(text: str, said: str) -> None:
    with pytest.raises(WindowError, match=said):
        parse_span(text)


def test_a_date_as_an_end_means_its_whole_day() -> None:
    assert end_of(parse_end("2027-01-02"), BERLIN) == _at("2027-01-02T23:00")
    assert end_of(parse_end("2027-01-02T08:00"), BERLIN) == _at("2027-01-02T07:00")
    assert end_of(parse_end("2027-01-02"), "") == _at("2027-01-03T12:00")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"until": "2027-01-02", "reason": "year's end"}, "held until 2027-01-03 00:00 CET: year's end (immy_hold, x)"),
        ({"reason": "for the court"}, "held: for the court (immy_hold, x)"),
        ({"until": None, "reason": "for the court"}, "held: for the court (immy_hold, x)"),
        # What cannot be read holds.
        ({"until": "soon", "reason": "?"}, "held: it cannot be read: 'soon' is no date (immy_hold, x)"),
        ({"until": "2027-01-02"}, "held: it cannot be read: immy_hold gives no reason (immy_hold, x)"),
        ("yes", "held: it cannot be read: immy_hold is no map: 'yes' (immy_hold, x)"),
        ({"till": 1, "reason": "x"}, "held: it cannot be read: immy_hold knows no 'till' (immy_hold, x)"),
        ({}, "held: it cannot be read: immy_hold gives no reason (immy_hold, x)"),
        (None, None), ("", None), (False, None),
    ],
)  # fmt: skip
def test_a_hold_of_the_inventory_is_told(value: object, told: str | None) -> None:
    hold = hold_of(value, BERLIN, "x")  # type: ignore[arg-type]  # what files may hold
    assert (None if hold is None else sentence(hold, BERLIN)) == told


def test_of_several_holds_the_last_to_end_counts() -> None:
    holds = [
        Hold(HoldKind.BLACKOUT, "a", 10.0, 20.0),
        Hold(HoldKind.BLACKOUT, "b", 15.0, 30.0),
        Hold(HoldKind.HOLD, "c", 40.0),
    ]
    found = [in_force(holds, now) for now in (9.0, 10.0, 16.0, 20.0, 30.0, 50.0)]
    assert [one.reason if one else None for one in found] == [None, "a", "b", "b", None, "c"]
