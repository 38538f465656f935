"""Recurrence rules of RFC 5545 (section 3.3.10) -> rules; by the wall clock, in whole minutes.

Each period of the rule's frequency (a year, month, week or day) gives its times, of which BYSETPOS picks. Periods are
counted from DTSTART and reached without walking there, so that an old DTSTART and a rule that never comes cost nothing;
libraries walk, some to the year 9999. Refused are seconds, which are too often, EXDATE and RDATE, and what the RFC
forbids or leaves open (BYWEEKNO or BYYEARDAY outside of YEARLY, BYWEEKNO without BYDAY).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final

from immy_nornir.decide.schedules.calendars import DAY_MINUTES, wall

EPOCH: Final = datetime(1970, 1, 5)  # noqa: DTZ001 - a wall clock
"""A Monday: where rules begin that say no DTSTART."""
MOST_COUNT: Final = 10_000
_MOST_DAYS: Final = 366 * 100
"""COUNT is looked for in so many days at the most."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One rule, checked and with its defaults filled in."""

    text: str
    words: str
    freq: str
    start: datetime = EPOCH
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    """The last wall clock time that may be; with a time zone (UTC) an instant, which `due` compares."""
    months: frozenset[int] = frozenset()
    weeks: frozenset[int] = frozenset()
    year_days: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    nths: frozenset[tuple[int, int]] = frozenset()
    """Days of the week by number, negative from the end."""
    hours: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    positions: frozenset[int] = frozenset()
    week_start: int = 0

    def walls(self, first: date, last: date) -> Iterator[datetime]:
        """As calendars.Rule."""
        first = max(first, self.start.date())
        if self.until is not None:
            last = min(last, self.until.date() + timedelta(days=1) if self.until.tzinfo else self.until.date())
        if self.count is not None:
            yield from (one for one in _counted(self) if first <= one.date() <= last)
            return
        yield from (one for one in self._all(first, last) if one.date() >= first)

    def _all(self, first: date, last: date) -> Iterator[datetime]:
        """Without COUNT: from the beginning of the period that `first` lies in."""
        naive_until = self.until if self.until is not None and self.until.tzinfo is None else None
        for low, high in self._periods(first, last):
            times = [
                wall(day, minute) for day in _days(low, high) if self._day(day, low) for minute in self._times(day)
            ]
            if self.positions:
                times = [times[at] for at in sorted({*self._picked(len(times))})]
            for one in times:
                if one >= self.start and one.date() <= last and (naive_until is None or one <= naive_until):
                    yield one

    def _picked(self, number: int) -> Iterator[int]:
        for position in self.positions:
            at = position - 1 if position > 0 else number + position
            if 0 <= at < number:
                yield at

    def _periods(self, first: date, last: date) -> Iterator[tuple[date, date]]:
        """First and last day of every period that counts and touches the days."""
        start = self.start.date()
        if self.freq in ("YEARLY", "MONTHLY"):
            months = 12 if self.freq == "YEARLY" else 1
            origin, begin, end = ((one.year * 12 + one.month - 1) // months for one in (start, first, last))
            for number in range(begin + (origin - begin) % self.interval, end + 1, self.interval):
                year, month = divmod(number * months, 12)
                length = calendar.monthrange(year, month + months)[1]
                yield date(year, month + 1, 1), date(year, month + months, length)
            return
        size = 7 if self.freq == "WEEKLY" else 1
        step = self.interval if self.freq in ("WEEKLY", "DAILY") else 1
        # Ordinal 1 is a Monday.
        origin, begin, end = (
            (one.toordinal() - 1 - self.week_start * (size == 7)) // size for one in (start, first, last)
        )
        for number in range(begin + (origin - begin) % step, end + 1, step):
            low = number * size + 1 + self.week_start * (size == 7)
            yield date.fromordinal(max(1, low)), date.fromordinal(low + size - 1)

    def _day(self, day: date, low: date) -> bool:
        """Whether a day of the period that begins at `low` has times."""
        if self.months and day.month not in self.months:
            return False
        length = calendar.monthrange(day.year, day.month)[1]
        if self.month_days and self.month_days.isdisjoint((day.day, day.day - length - 1)):
            return False
        if self.year_days:
            number, year = day.timetuple().tm_yday, 365 + calendar.isleap(day.year)
            if self.year_days.isdisjoint((number, number - year - 1)):
                return False
        if self.weeks and self.weeks.isdisjoint(_weeks_of(day, self.week_start)):
            return False
        if not (self.weekdays or self.nths) or day.weekday() in self.weekdays:
            return True
        if self.freq == "YEARLY" and not self.months:
            at, size = day.timetuple().tm_yday, 365 + calendar.isleap(low.year)
        else:
            at, size = day.day, length
        nths = ((day.weekday(), (at + 6) // 7), (day.weekday(), -((size - at) // 7 + 1)))
        return not self.nths.isdisjoint(nths)

    def _times(self, day: date) -> tuple[int, ...]:
        if self.freq not in ("HOURLY", "MINUTELY") or self.interval == 1:
            return _minutes(self.hours, self.minutes)
        unit = 60 if self.freq == "HOURLY" else 1
        passed = (day - self.start.date()).days * DAY_MINUTES // unit - (
            self.start.hour if unit == 60 else self.start.hour * 60 + self.start.minute
        )
        return tuple(one for one in _minutes(self.hours, self.minutes) if (passed + one // unit) % self.interval == 0)


@lru_cache(maxsize=256)
def _minutes(hours: frozenset[int], minutes: frozenset[int]) -> tuple[int, ...]:
    return tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes))


@lru_cache(maxsize=64)
def _counted(rule: Recurrence) -> tuple[datetime, ...]:
    first = rule.start.date()
    last = date.fromordinal(min(first.toordinal() + _MOST_DAYS, date(9990, 1, 1).toordinal()))
    return tuple(islice(rule._all(first, last), rule.count))  # noqa: SLF001 - the class's own other half


def _days(low: date, high: date) -> Iterator[date]:
    return (date.fromordinal(number) for number in range(low.toordinal(), high.toordinal() + 1))


def _weeks_of(day: date, start: int) -> Iterator[int]:
    """The number of a day's week within the day's own year, from its beginning and from its end; none in another's.

    As others read the RFC: the days around a new year belong to week 1 or 52 of the year in which the week mostly lies.
    """
    monday = day.toordinal() - (day.weekday() - start) % 7
    year = date.fromordinal(monday + 3).year
    first = date(year, 1, 4).toordinal()
    first -= (date.fromordinal(first).weekday() - start) % 7
    after = date(year + 1, 1, 4).toordinal()
    after -= (date.fromordinal(after).weekday() - start) % 7
    number, size = (monday - first) // 7 + 1, (after - first) // 7
    yield number
    yield number - size - 1


def as_instant(until: datetime | None) -> float | None:
    """When a rule is over, where that is said in UTC."""
    return until.astimezone(UTC).timestamp() if until is not None and until.tzinfo else None
