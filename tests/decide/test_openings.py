"""When windows open and close: days and several spans, every kind of clock change, and the end that each has."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from immy_nornir.decide.times.time_zones import WindowError
from immy_nornir.decide.times.windows import closes_first, opening, opens_at, parse_business_hours

OFFICE = parse_business_hours("mon-fri 08:00-18:00; sat 09:00-12:00")
BERLIN, LORD_HOWE, KATHMANDU = "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"
ST_JOHNS, SAO_PAULO, APIA = "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia"
NIGHTS = "sat 22:00-06:00, sun 00:00-06:00; wed 01:00-04:00"


def _at(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@pytest.mark.parametrize(
    ("window", "zone", "now", "begins", "ends"),
    [
        # Spans that overlap or touch at midnight are one opening; several a day are several.
        (NIGHTS, BERLIN, "2026-11-27T12:00", "2026-11-28T21:00", "2026-11-29T05:00"),
        (NIGHTS, BERLIN, "2026-11-29T04:59:59", "2026-11-28T21:00", "2026-11-29T05:00"),
        (NIGHTS, BERLIN, "2026-11-29T05:00", "2026-12-02T00:00", "2026-12-02T03:00"),
        (NIGHTS, "W. Europe Standard Time", "2026-11-29T05:00", "2026-12-02T00:00", "2026-12-02T03:00"),
        ("sat 20:00-24:00, sun 00:00-06:00", BERLIN, "2026-11-28T20:00", "2026-11-28T19:00", "2026-11-29T05:00"),
        ("daily 01:00-02:00, 03:00-04:00", BERLIN, "2026-11-28T01:00", "2026-11-28T02:00", "2026-11-28T03:00"),
        ("sun 22:00-02:00", BERLIN, "2026-11-30T00:30", "2026-11-29T21:00", "2026-11-30T01:00"),  # over the week's end
        ("mon-sun 00:00-24:00", BERLIN, "2026-11-30T00:30", "2026-11-30T00:30", None),
        # Half hours and quarters.
        (NIGHTS, KATHMANDU, "2026-11-27T12:00", "2026-11-28T16:15", "2026-11-29T00:15"),
        (NIGHTS, ST_JOHNS, "2026-11-27T12:00", "2026-11-29T01:30", "2026-11-29T09:30"),
        # The clock goes forward: a night is an hour shorter; a span in the gap is left out that week.
        (NIGHTS, BERLIN, "2026-03-28T12:00", "2026-03-28T21:00", "2026-03-29T04:00"),
        ("sun 02:15-02:45", BERLIN, "2026-03-28T12:00", "2026-04-05T00:15", "2026-04-05T00:45"),
        ("sun 02:30-04:00", BERLIN, "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("sun 01:00-02:30", BERLIN, "2026-03-28T12:00", "2026-03-29T00:00", "2026-03-29T01:00"),
        # It goes back: an hour longer; of times that come twice the first is meant.
        (NIGHTS, BERLIN, "2026-10-24T12:00", "2026-10-24T20:00", "2026-10-25T05:00"),
        ("sun 02:30-04:00", BERLIN, "2026-10-24T12:00", "2026-10-25T00:30", "2026-10-25T03:00"),
        ("sun 01:00-02:30", BERLIN, "2026-10-24T12:00", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("sun 01:00-02:30", BERLIN, "2026-10-25T01:00", "2026-11-01T00:00", "2026-11-01T01:30"),  # not the second time
        # Half an hour of summer time.
        ("sun 01:00-04:00", LORD_HOWE, "2026-10-03T12:00", "2026-10-03T14:30", "2026-10-03T17:00"),
        ("sun 02:00-02:30", LORD_HOWE, "2026-10-03T12:00", "2026-10-10T15:00", "2026-10-10T15:30"),
        ("sun 01:00-04:00", LORD_HOWE, "2026-04-04T12:00", "2026-04-04T14:00", "2026-04-04T17:30"),
        ("sun 01:00-04:00", ST_JOHNS, "2026-03-08T00:00", "2026-03-08T04:30", "2026-03-08T06:30"),
        ("sun 01:00-04:00", ST_JOHNS, "2026-11-01T00:00", "2026-11-01T03:30", "2026-11-01T07:30"),
        # A midnight that does not exist, and one that comes after the last hour of Saturday was there twice.
        ("sun 00:00-03:00", SAO_PAULO, "2018-11-03T12:00", "2018-11-04T03:00", "2018-11-04T05:00"),
        ("sat 22:00-24:00, sun 00:00-02:00", SAO_PAULO, "2018-11-03T12:00", "2018-11-04T01:00", "2018-11-04T04:00"),
        ("sat 22:00-24:00, sun 00:00-02:00", SAO_PAULO, "2019-02-16T12:00", "2019-02-17T00:00", "2019-02-17T05:00"),
        ("sun 00:00-02:00", SAO_PAULO, "2019-02-16T12:00", "2019-02-17T03:00", "2019-02-17T05:00"),
        # A day that was left out at the date line.
        ("thu 22:00-24:00, fri 00:00-02:00", APIA, "2011-12-29T12:00", "2011-12-30T08:00", "2011-12-30T10:00"),
        # The others.
        ("now", BERLIN, "2026-11-23T10:00", "2026-11-23T10:00", None),
        ("after_hours", BERLIN, "2026-11-23T10:00", "2026-11-23T17:00", "2026-11-24T07:00"),
        ("after_hours", BERLIN, "2026-11-23T20:00", "2026-11-23T20:00", "2026-11-24T07:00"),
        ("after_hours", BERLIN, "2026-11-28T11:00", "2026-11-28T11:00", "2026-11-30T07:00"),  # the weekend
        ("after_hours", BERLIN, "2026-03-28T23:00", "2026-03-28T23:00", "2026-03-30T06:00"),
        ("22:00", BERLIN, "2026-11-23T10:00", "2026-11-23T21:00", "2026-11-24T05:00"),
        ("05:00", BERLIN, "2026-11-23T10:00", "2026-11-24T04:00", "2026-11-24T07:00"),  # until business hours
        ("2026-11-28T22:00/PT4H", BERLIN, "2026-11-28T22:00", "2026-11-28T21:00", "2026-11-29T01:00"),
    ],
)  # fmt: skip
def test_an_opening_begins_and_ends(window: str, zone: str, now: str, begins: str, ends: str | None) -> None:
    found = opening(window, OFFICE, zone, min(_at(now), _at(begins)), _at(now))
    assert found is not None
    assert (found.begins, found.ends) == (_at(begins), math.inf if ends is None else _at(ends))


def test_an_opening_never_lies_in_the_past_and_the_next_one_follows_it() -> None:
    """Through both clock changes: what is open is open to its end, and no opening overlaps the one before."""
    for zone in (BERLIN, LORD_HOWE, ST_JOHNS, SAO_PAULO):
        for window in (NIGHTS, "daily 23:30-00:30, 02:15-02:45", "weekend 00:00-24:00", "05:00", "after_hours"):
            now, end = _at("2018-10-01T00:00"), _at("2019-04-10T00:00")
            for _ in range(1000):
                if now >= end:
                    break
                if _at("2018-11-12T00:00") < now < _at("2019-02-10T00:00"):
                    now = _at("2019-02-10T00:00")
                found = opening(window, OFFICE, zone, now, now)
                assert found is not None
                assert now < found.ends
                assert found.begins < found.ends
                inside = (max(now, found.begins) + found.ends) / 2
                again = opening(window, OFFICE, zone, now, inside)
                assert again is not None
                assert again.ends == found.ends, (window, zone, inside)
                now = found.ends


@pytest.mark.parametrize(
    ("window", "since", "closes"),
    [
        (NIGHTS, "2026-11-27T12:00", "2026-11-29T05:00"),
        (NIGHTS, "2026-11-29T04:00", "2026-11-29T05:00"),
        ("after_hours", "2026-11-23T10:00", "2026-11-24T07:00"),
        ("22:00", "2026-11-23T10:00", "2026-11-24T05:00"),
        ("2026-11-28T22:00/PT4H", "2026-11-23T10:00", "2026-11-29T01:00"),
        ("now", "2026-11-23T10:00", None),
        ("daily 00:00-24:00", "2026-11-23T10:00", None),
    ],
)
def test_the_first_opening_of_a_session_closes(window: str, since: str, closes: str | None) -> None:
    assert closes_first(window, OFFICE, BERLIN, _at(since)) == (None if closes is None else _at(closes))


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("sat 22:00-25:00", "'25:00' is no time of the day"),
        ("sat 22:00-22:00", "has no length"),
        ("mnday 22:00-23:00", "did you mean 'monday'"),
        ("22:00-23:00", "daily 22:00-06:00"),
        ("sat 22:00-23:00 sun", "are no days and hours"),
        ("sat", "days and hours like 'sat 22:00-06:00'"),
        ("x" * 2000 + " 22:00-23:00", "more than 1,000 characters"),
    ],
)
def test_days_and_hours_that_cannot_be_read_say_what_to_write(window: str, said: str) -> None:
    with pytest.raises(WindowError, match=said):
        opens_at(window, None, BERLIN, 0.0)
