"""Windows of time: tables over zones with every kind of clock change."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest

from immy_nornir.decide.times.time_zones import WindowError, own_zone, told, zone_of
from immy_nornir.decide.times.windows import (
    BusinessHours,
    Span,
    closes_at,
    in_business_hours,
    may_act_at,
    opens_at,
    parse_business_hours,
    past,
)
from immy_nornir.decide.times.windows_zones import WINDOWS_ZONES

OFFICE = parse_business_hours("mon-fri 08:00-18:00; sat 09:00-12:00")
NIGHT = parse_business_hours({"daily": "22:00-06:00"})
BERLIN, NEW_YORK, KOLKATA, LORD_HOWE = "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"


def _at(text: str) -> float:
    """An instant given in UTC, or with its offset."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"monday-friday": "08:00-18:00", "saturday": "09:00-12:00"}, OFFICE.spans),
        ("Mon-Fri: 8:00 - 18:00, SAT 09:00-12:00", OFFICE.spans),
        ("weekdays 08:00-18:00\nsaturday 09:00 to 12:00\nsun closed", OFFICE.spans),
        (["mon-fri 08:00-18:00", {"sat": ["09:00-12:00"]}], OFFICE.spans),
        ({"mon": "08:00-12:00, 13:00-17:00", "tue": None}, (Span(0, 480, 720), Span(0, 780, 1020))),
        ("sun-mon 22:00-06:00", (Span(0, 1320, 1800), Span(6, 1320, 1800))),
        ("mon,wed 00:00-24:00", (Span(0, 0, 1440), Span(2, 0, 1440))),
        ({}, ()),
    ],
    ids=str,
)
def test_business_hours_are_read(value: object, expected: tuple[Span, ...]) -> None:
    assert parse_business_hours(value).spans == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "are empty"),
        ("08:00-18:00", "mon-fri 08:00-18:00"),
        ("mon 8-18", "'mon 8-18' are no business hours"),
        ({"mnday": "08:00-09:00"}, "did you mean 'monday'"),
        ({"mon": "25:00-26:00"}, "'25:00' is no time"),
        ({"mon": "08:00-08:00"}, "has no length"),
        ({"mon": 480}, "in quotes"),
        ({"mnday": "08:00-09:00", "tue": "x"}, "'x' are no hours"),
        (5, "'5' are no business hours"),
    ],
    ids=str,
)
def test_bad_business_hours_are_errors_with_advice(value: object, said: str) -> None:
    with pytest.raises(WindowError, match=said):
        parse_business_hours(value)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "inside"),
    [
        (OFFICE, BERLIN, "2026-11-23T07:00", True),  # Monday 08:00
        (OFFICE, BERLIN, "2026-11-23T06:59:59", False),
        (OFFICE, BERLIN, "2026-11-23T17:00", False),  # the end is outside
        (OFFICE, NEW_YORK, "2026-11-23T07:00", False),
        (OFFICE, KOLKATA, "2026-11-23T02:30", True),  # half an hour off
        (OFFICE, KOLKATA, "2026-11-23T02:29", False),
        (OFFICE, KOLKATA, "2026-11-22T08:00", False),  # Sunday
        (NIGHT, BERLIN, "2026-11-23T04:00", True),  # since yesterday
        (NIGHT, BERLIN, "2026-11-23T05:00", False),
        (NIGHT, BERLIN, "2026-11-23T21:00", True),
        (parse_business_hours("fri 22:00-06:00"), BERLIN, "2026-11-28T03:00", True),
        (parse_business_hours("sat 22:00-06:00"), BERLIN, "2026-11-28T03:00", False),
        # 02:00-03:00 does not exist on 2026-03-29 in Berlin, and comes twice on 2026-10-25.
        (parse_business_hours("sun 02:15-04:00"), BERLIN, "2026-03-29T01:00", True),
        (parse_business_hours("sun 02:15-04:00"), BERLIN, "2026-03-29T00:59", False),
        (parse_business_hours("sun 01:00-02:30"), BERLIN, "2026-10-25T01:29", True),
        (parse_business_hours("sun 01:00-02:30"), BERLIN, "2026-10-25T01:30", False),
    ],
)
def test_business_hours_by_the_wall_clock(hours: BusinessHours, zone: str, now: str, inside: bool) -> None:
    assert in_business_hours(hours, zone, _at(now)) is inside


@pytest.mark.parametrize(
    ("window", "zone", "now", "opens"),
    [
        ("now", BERLIN, "2026-11-23T10:00", "2026-11-23T10:00"),
        ("after_hours", BERLIN, "2026-11-23T10:00", "2026-11-23T17:00"),
        ("after_hours", BERLIN, "2026-11-23T20:00", "2026-11-23T20:00"),
        ("after_hours", NEW_YORK, "2026-11-23T20:00", "2026-11-23T23:00"),
        ("after_hours", BERLIN, "2026-11-28T08:30", "2026-11-28T11:00"),
        ("22:00", BERLIN, "2026-11-23T10:00", "2026-11-23T21:00"),
        ("22:00", BERLIN, "2026-11-23T21:00", "2026-11-23T21:00"),
        ("22:00", BERLIN, "2026-11-23T21:00:01", "2026-11-24T21:00"),
        ("9:00", KOLKATA, "2026-11-23T10:00", "2026-11-24T03:30"),
        ("02:30", BERLIN, "2026-03-28T23:00", "2026-03-29T01:00"),  # a gap: 03:00 is the first instant
        ("02:30", BERLIN, "2026-03-29T01:00:01", "2026-03-30T00:30"),
        ("02:30", BERLIN, "2026-10-24T23:00", "2026-10-25T00:30"),  # twice: the first
        ("02:30", BERLIN, "2026-10-25T00:45", "2026-10-26T01:30"),
        ("02:30", NEW_YORK, "2026-03-08T05:00", "2026-03-08T07:00"),
        ("01:30", NEW_YORK, "2026-11-01T04:00", "2026-11-01T05:30"),
        ("02:15", LORD_HOWE, "2026-10-03T12:00", "2026-10-03T15:30"),  # half an hour is missing: 02:30
        ("01:45", LORD_HOWE, "2026-04-04T12:00", "2026-04-04T14:45"),  # half an hour comes twice
        ("2026-11-23T22:00", BERLIN, "2026-11-23T10:00", "2026-11-23T21:00"),
        ("2026-11-23 22:00", NEW_YORK, "2026-11-23T10:00", "2026-11-24T03:00"),
        ("2026-11-23T22:00Z", NEW_YORK, "2026-11-23T10:00", "2026-11-23T22:00"),
        ("2026-11-23T22:00+05:30", NEW_YORK, "2026-11-23T10:00", "2026-11-23T16:30"),
        ("2026-03-29T02:30", BERLIN, "2026-03-01T10:00", "2026-03-29T01:00"),
        ("2020-01-01T00:00Z", BERLIN, "2026-11-23T10:00", "2020-01-01T00:00"),
    ],
)
def test_a_window_opens(window: str, zone: str, now: str, opens: str) -> None:
    assert opens_at(window, OFFICE, zone, _at(now)) == _at(opens)


def test_an_instant_is_told_by_the_clock_of_its_zone() -> None:
    assert told(_at("2026-11-23T21:00"), BERLIN) == "2026-11-23 22:00 CET"
    assert told(_at("2026-11-23T21:00"), "Europe/Berlni") == "2026-11-23 21:00 UTC"
    assert told(1e18, BERLIN) == "in a far future"


@pytest.mark.parametrize(
    ("window", "now", "acts"),
    [
        ("22:00", "2026-11-23T10:00", "2026-11-23T21:00"),
        ("22:00", "2026-11-23T21:00", "2026-11-23T21:00"),
        ("22:00", "2026-11-24T04:59", "2026-11-24T04:59"),
        ("22:00", "2026-11-24T05:00", "2026-11-24T21:00"),  # eight hours are over
        ("22:00", "2026-12-15T11:00", "2026-12-15T21:00"),  # weeks later, at noon
        ("22:00", "2026-12-15T21:30", "2026-12-15T21:30"),
        ("05:00", "2026-11-24T06:59", "2026-11-24T06:59"),
        ("05:00", "2026-11-24T07:00", "2026-11-25T04:00"),  # business hours begin at 08:00 in Berlin
        ("05:00", "2026-11-29T11:59", "2026-11-29T11:59"),  # not on a Sunday
        ("12:00", "2026-11-24T15:00", "2026-11-24T15:00"),  # whoever opens at work means it
        ("after_hours", "2026-11-24T10:00", "2026-11-24T17:00"),
        ("2026-11-23T22:00", "2026-11-23T20:59:59", "2026-11-23T21:00"),
        ("2026-11-23T22:00", "2026-11-24T04:59:59", "2026-11-24T04:59:59"),
        ("2026-11-23T22:00", "2026-11-24T05:00", None),  # eight hours are over, and there is no next night
        ("2026-11-23T22:00", "2026-11-30T10:00", None),
        ("2026-11-23T22:00/PT1H", "2026-11-23T21:59:59", "2026-11-23T21:59:59"),
        ("2026-11-23T22:00/PT1H", "2026-11-23T22:00", None),
        ("2026-11-23T02:00/P1D", "2026-11-23T20:00", "2026-11-23T20:00"),  # before the session was made
    ],
)
def test_a_time_of_the_day_opens_for_a_night_and_an_iso_window_once(window: str, now: str, acts: str | None) -> None:
    since = _at("2026-11-23T09:00")
    assert may_act_at(window, OFFICE, BERLIN, since, _at(now)) == (math.inf if acts is None else _at(acts))


@pytest.mark.parametrize(
    ("window", "zone", "closes"),
    [
        ("2026-11-28T22:00", BERLIN, "2026-11-29T05:00"),
        ("2026-11-28T22:00/PT4H", BERLIN, "2026-11-29T01:00"),
        ("2026-11-28T22:00/PT90M", KOLKATA, "2026-11-28T18:00"),
        ("2026-11-28T22:00/PT1H30M15S", KOLKATA, "2026-11-28T18:00:15"),
        ("2026-11-28T22:00/2026-11-29T02:00", BERLIN, "2026-11-29T01:00"),
        ("2026-11-28 22:00 / 2026-11-29 02:00", BERLIN, "2026-11-29T01:00"),
        ("2026-11-28T22:00/2026-11-29T02:00", NEW_YORK, "2026-11-29T07:00"),
        ("2026-11-28T22:00Z/PT4H", NEW_YORK, "2026-11-29T02:00"),
        ("2026-11-28T22:00+05:30/2026-11-29T02:00", NEW_YORK, "2026-11-28T20:30"),  # the offset holds for both
        ("2026-11-28T22:00+05:30/2026-11-29T02:00Z", NEW_YORK, "2026-11-29T02:00"),
        ("2026-11-28T22:00/P1W", BERLIN, "2026-12-05T21:00"),
        # Hours are elapsed time, whatever the clocks do meanwhile; an end and days are of the wall clock.
        ("2026-03-28T22:00", BERLIN, "2026-03-29T05:00"),  # 07:00 there
        ("2026-10-24T22:00", BERLIN, "2026-10-25T04:00"),  # 05:00 there
        ("2026-03-28T22:00/PT8H", BERLIN, "2026-03-29T05:00"),
        ("2026-03-28T22:00/2026-03-29T06:00", BERLIN, "2026-03-29T04:00"),
        ("2026-10-24T22:00/2026-10-25T06:00", BERLIN, "2026-10-25T05:00"),
        ("2026-03-28T22:00/P1D", BERLIN, "2026-03-29T20:00"),  # 23 hours
        ("2026-10-24T22:00/P1D", BERLIN, "2026-10-25T21:00"),  # 25 hours
        ("2026-10-24T22:00/P1DT1H", BERLIN, "2026-10-25T22:00"),
        ("2026-03-28T22:00/2026-03-29T02:30", BERLIN, "2026-03-29T01:00"),  # a gap: 03:00 is the first instant
        ("2026-03-29T02:30/PT1H", BERLIN, "2026-03-29T02:00"),
        ("2026-10-24T22:00/2026-10-25T02:30", BERLIN, "2026-10-25T00:30"),  # twice: the first
        ("2026-10-25T02:30/PT1H", BERLIN, "2026-10-25T01:30"),
        ("2026-10-03T22:00/2026-10-04T02:15", LORD_HOWE, "2026-10-03T15:30"),  # half an hour is missing: 02:30
        ("2026-04-04T22:00/2026-04-05T01:45", LORD_HOWE, "2026-04-04T14:45"),  # half an hour comes twice
        ("2026-03-08T01:00/PT2H", NEW_YORK, "2026-03-08T08:00"),
        ("2026-11-28T22:00/PT4H", "W. Europe Standard Time", "2026-11-29T01:00"),
        ("now", BERLIN, None),
        ("after_hours", BERLIN, None),
        ("22:00", BERLIN, None),
    ],
)
def test_an_iso_window_closes_for_good(window: str, zone: str, closes: str | None) -> None:
    assert closes_at(window, zone) == (None if closes is None else _at(closes))


@pytest.mark.parametrize(
    ("window", "said", "reported", "over"),
    [
        ("2026-11-28T22:00/PT4H", BERLIN, None, "2026-11-29T01:00"),
        ("2026-11-28T22:00/PT4H", "", "Eastern Standard Time", "2026-11-29T07:00"),
        ("2026-11-28T22:00/PT4H", "", None, "2026-11-29T14:00"),  # on the last island too
        ("2026-11-28T22:00/PT4H", "Mars", None, "2026-11-29T14:00"),
        ("2026-11-28T22:00Z/PT4H", "", None, "2026-11-29T02:00"),
    ],
)
def test_a_window_is_past_when_it_has_closed_where_the_computer_may_stand(
    window: str, said: str, reported: object, over: str
) -> None:
    assert past(window, said, reported, _at(over) - 1) == ""
    assert past(window, said, reported, _at(over)).startswith("closed 2026-11-29")


@pytest.mark.parametrize("window", ["now", "after_hours", "22:00"])
def test_a_window_that_opens_again_is_never_past(window: str) -> None:
    assert past(window, "", None, 1e12) == ""


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("2026-11-28T22:00/", "no end of a window"),
        ("2026-11-28T22:00/02:00", "write it like"),
        ("2026-11-28T22:00/PT", "is no duration"),
        ("2026-11-28T22:00/PT0H", "is no duration"),
        ("2026-11-28T22:00/P1M", "is no duration"),
        ("2026-11-28T22:00/-PT1H", "no end of a window"),
        ("2026-11-28T22:00/2026-11-28T22:00", "ends before it has begun"),
        ("2026-11-28T22:00/2026-11-27T23:00", "ends before it has begun"),
        ("2026-11-28T22:00/2026-11-29T02:00Z", "its beginning none"),
        ("2026-03-29T02:10/2026-03-29T02:50", "ends before it has begun"),  # no such time in Berlin
        ("9999-12-31T22:00/P9W", "is no window"),
        ("PT4H/2026-11-28T22:00", "is no window"),
    ],
)
def test_an_iso_window_without_a_time_in_it_is_an_error(window: str, said: str) -> None:
    with pytest.raises(WindowError, match=said):
        opens_at(window, None, BERLIN, 0.0)


def test_every_name_of_windows_leads_to_a_zone_of_the_iana_database() -> None:
    assert len(WINDOWS_ZONES) > 130
    assert set(WINDOWS_ZONES.values()) <= available_timezones()
    assert not set(WINDOWS_ZONES) & (available_timezones() - {"UTC"})


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("W. Europe Standard Time", BERLIN),
        ("w. europe standard time", BERLIN),
        ("GMT Standard Time", "Europe/London"),
        ("Eastern Standard Time", NEW_YORK),
        ("India Standard Time", "Asia/Calcutta"),
        ("Lord Howe Standard Time", LORD_HOWE),
        ("Nepal Standard Time", "Asia/Katmandu"),
        ("UTC", "Etc/UTC"),
        (BERLIN, BERLIN),
    ],
)
def test_a_zone_by_windows_name_is_that_of_cldr(name: str, zone: str) -> None:
    for moment in ("2026-01-15T12:00", "2026-07-15T12:00"):
        given = datetime.fromtimestamp(_at(moment), zone_of(name))
        assert given.utcoffset() == datetime.fromtimestamp(_at(moment), zone_of(zone)).utcoffset()


@pytest.mark.parametrize(
    ("said", "reported", "zone"),
    [
        (BERLIN, "Eastern Standard Time", BERLIN),
        ("", "Eastern Standard Time", "Eastern Standard Time"),
        ("", KOLKATA, KOLKATA),
    ],
)
def test_what_the_inventory_says_of_a_zone_comes_before_what_the_computer_reports(
    said: str, reported: object, zone: str
) -> None:
    assert own_zone(said, reported) == zone


@pytest.mark.parametrize("reported", [None, "", 5, "Mars Standard Time", "W. Europe Standard Time_dstoff"])
def test_a_zone_that_nobody_knows_is_an_error_that_says_what_to_do(reported: object) -> None:
    with pytest.raises(WindowError, match="the computer's time zone is not known") as raised:
        own_zone("", reported)
    assert "immy_time_zone" in str(raised.value)


def test_after_hours_passes_spans_that_touch() -> None:
    hours = parse_business_hours("mon 08:00-12:00, 12:00-17:00, 16:00-20:00")
    assert opens_at("after_hours", hours, BERLIN, _at("2026-11-23T08:00")) == _at("2026-11-23T19:00")


@pytest.mark.parametrize(
    ("window", "hours", "zone", "said"),
    [
        ("after_hours", None, BERLIN, "immy_business_hours"),
        ("after_hours", parse_business_hours("daily 00:00-24:00"), BERLIN, "no time after hours"),
        ("22:00", None, "Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("22:00", None, "", "there is no time zone ''"),
        ("22:00", None, "../etc/passwd", "there is no time zone"),
        ("22:00", None, "Europe", "there is no time zone"),
        ("24:00", None, BERLIN, "midnight is 00:00"),
        ("22:60", None, BERLIN, "no time of the day"),
        ("1320", None, BERLIN, "without quotes"),
        ("after hours", None, BERLIN, "did you mean 'after_hours'"),
        ("2026-13-01T00:00", None, BERLIN, "no window"),
    ],
)
def test_what_cannot_be_understood_is_an_error_with_advice(
    window: str, hours: BusinessHours | None, zone: str, said: str
) -> None:
    with pytest.raises(WindowError, match=said):
        opens_at(window, hours, zone, _at("2026-11-23T10:00"))


@pytest.mark.skipif(sys.platform == "win32", reason="limits are what POSIX has")
def test_a_zone_that_this_machine_has_no_room_to_read_is_not_taken_for_one_that_there_is_not() -> None:
    from tests.scarcity import no_descriptors

    ZoneInfo.clear_cache()
    zone_of.cache_clear()
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        zone_of("Pacific/Chatham")
    assert zone_of("Pacific/Chatham").key == "Pacific/Chatham"
