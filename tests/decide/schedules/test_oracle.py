"""Due times beside an oracle that shares no code with them: every minute of a year, looked at through zoneinfo.

A minute is due when a rule's wall clock time comes for the first time: it is the wall clock of this minute, or lies
in what the clock has just jumped over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from immy_nornir.decide.schedules import occasions
from immy_nornir.model.control.schedules import Schedule
from immy_nornir.model.places import Place

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
# A Friday that Samoa never had, a change at midnight, one for a month of fasting, and one of two hours.
ODD = (("Pacific/Apia", 2011), ("America/Sao_Paulo", 2018), ("Africa/Casablanca", 2026), ("Antarctica/Troll", 2026))
Wanted = Callable[[datetime], bool]


def _second_tuesday(day: datetime) -> bool:
    return day.weekday() == 1 and 8 <= day.day <= 14


RULES: dict[str, Wanted] = {
    "daily 02:30": lambda at: (at.hour, at.minute) == (2, 30),
    "15,45 0-3 * * *": lambda at: at.minute in (15, 45) and at.hour <= 3,
    "every 20 minutes": lambda at: at.minute % 20 == 0,
    "every weekday at 06:30": lambda at: at.weekday() < 5 and (at.hour, at.minute) == (6, 30),
    "10 2 1-7 * sun": lambda at: (at.hour, at.minute) == (2, 10) and (at.day <= 7 or at.weekday() == 6),
    "10 2 */2 * sun": lambda at: (at.hour, at.minute) == (2, 10) and at.day % 2 == 1 and at.weekday() == 6,
    "Patch Tuesday + 3 days at 22:00": (
        lambda at: (at.hour, at.minute) == (22, 0) and _second_tuesday(at - timedelta(days=3))
    ),
    "last sunday of the month 02:00 and 03:00": (
        lambda at: at.minute == 0 and at.hour in (2, 3) and at.weekday() == 6 and (at + timedelta(7)).month != at.month
    ),
    "FREQ=MONTHLY;BYDAY=1SU,-1SU;BYHOUR=2,3;BYMINUTE=0,59": (
        lambda at: (
            at.hour in (2, 3)
            and at.minute in (0, 59)
            and at.weekday() == 6
            and (at.day <= 7 or (at + timedelta(7)).month != at.month)
        )
    ),
    "DTSTART:20100101T023000 RRULE:FREQ=DAILY;INTERVAL=3": (
        lambda at: (at.hour, at.minute) == (2, 30) and (at.date() - datetime(2010, 1, 1).date()).days % 3 == 0  # noqa: DTZ001
    ),
    "last day of the month 00:00": (
        lambda at: (at.hour, at.minute) == (0, 0) and (at + timedelta(days=1)).month != at.month
    ),
}


def minutes(zone: str, first: datetime, last: datetime) -> Iterator[tuple[float, list[datetime]]]:
    """Each minute with the wall clock times that come with it for the first time."""
    place, seen = ZoneInfo(zone), datetime.min  # noqa: DTZ901 - a wall clock
    begin = first - timedelta(days=2)
    for number in range(int((last - begin).total_seconds()) // 60 + 1):
        at = begin + number * timedelta(minutes=1)
        wall = at.astimezone(place).replace(tzinfo=None, fold=0)
        fresh: list[datetime] = []
        if wall > seen:
            new = 1 if seen == datetime.min else int((wall - seen).total_seconds()) // 60  # noqa: DTZ901
            fresh = [wall - timedelta(minutes=back) for back in reversed(range(new))]
            seen = wall
        if at >= first:
            yield at.timestamp(), fresh


def check(zone: str, first: datetime, last: datetime) -> None:
    wanted: dict[str, list[float]] = {text: [] for text in RULES}
    for at, walls in minutes(zone, first, last):
        for text, holds in RULES.items():
            if any(holds(wall) for wall in walls):
                wanted[text].append(at)
    for text, expected in wanted.items():
        schedule = Schedule("x", Place("playbooks/schedules.yml"), text, zone=zone)
        after = first.timestamp() - 1
        found = [one.due_at for one in occasions(schedule, [""], after, last.timestamp())]
        assert found == expected, (zone, text)
        # In pieces, as a service asks, none is lost or doubled.
        pieces = [after + step * (last.timestamp() - after) / 7 for step in range(8)]
        asked = [one.due_at for low, high in pairwise(pieces) for one in occasions(schedule, [""], low, high)]
        assert asked == expected, (zone, text)


@pytest.mark.parametrize(
    ("zone", "month", "day"),
    [
        ("Europe/Berlin", 3, 28),
        ("Europe/Berlin", 10, 24),
        ("America/New_York", 11, 1),
        ("Australia/Lord_Howe", 4, 4),
        ("Australia/Lord_Howe", 10, 3),
        ("Asia/Kathmandu", 5, 30),
    ],
)
def test_around_clock_changes_due_times_are_those_of_the_oracle(zone: str, month: int, day: int) -> None:
    first = datetime(2026, month, day, tzinfo=UTC)
    check(zone, first, first + timedelta(days=3))


@pytest.mark.parametrize(("zone", "year"), [("Pacific/Apia", 2011)])
def test_a_day_that_a_zone_never_had_is_made_up_for_once(zone: str, year: int) -> None:
    first = datetime(year, 12, 28, tzinfo=UTC)
    check(zone, first, first + timedelta(days=5))


@pytest.mark.soak
@pytest.mark.parametrize(("zone", "year"), [*((zone, 2026) for zone in ZONES), *ODD])
def test_a_year_of_due_times_is_that_of_the_oracle(zone: str, year: int) -> None:
    check(zone, datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 2, tzinfo=UTC))
