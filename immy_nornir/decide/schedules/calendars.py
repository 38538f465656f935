"""Days and times of a calendar -> wall clock times; what cron lines and words come down to. Pure.

All conditions of one `Calendar` hold together; a rule may be a union of several. To look through a span of days costs
as much as the span is long, whatever the rule: one that never comes costs no more than another.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, Protocol

from immy_nornir.errors import ImmyError

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
DAY_MINUTES: Final = 24 * 60
LAST: Final = -1
"""The last one, of days of a month and of weekdays in it."""
ALL_MONTHS: Final = frozenset(range(1, 13))


class ScheduleError(ImmyError):
    """A rule of a schedule cannot be understood."""


class Rule(Protocol):
    """When something is due, by the wall clock."""

    @property
    def words(self) -> str:
        """The rule for people."""
        ...

    def walls(self, first: date, last: date) -> Iterator[datetime]:
        """Its wall clock times of these days, both included, in their order, each once; in whole minutes."""
        ...


@dataclass(frozen=True, slots=True)
class Calendar:
    """Times of the days on which all conditions hold; an empty set is no condition."""

    times: tuple[int, ...]
    """Minutes from midnight, sorted."""
    months: frozenset[int] = ALL_MONTHS
    days: frozenset[int] = frozenset()
    """Of the month: 1 to 31, LAST."""
    weekdays: frozenset[int] = frozenset()
    """0 is Monday."""
    nths: frozenset[tuple[int, int]] = frozenset()
    """Weekdays of the month by number: (1, 2) is the second Tuesday, (4, LAST) the last Friday."""
    workdays: frozenset[int] = frozenset()
    """1: the first day of the month that is none of a weekend; LAST: the last one."""
    shift: int = 0
    """So many days later, or earlier, than the day that meets the conditions."""

    def holds(self, day: date) -> bool:
        """Whether it has times on a day."""
        try:
            base = day - timedelta(days=self.shift) if self.shift else day
        except OverflowError:
            return False
        if base.month not in self.months:
            return False
        if self.weekdays and base.weekday() not in self.weekdays:
            return False
        length = calendar.monthrange(base.year, base.month)[1]
        if self.days and base.day not in self.days and not (LAST in self.days and base.day == length):
            return False
        if self.nths and self.nths.isdisjoint(_nths(base, length)):
            return False
        return not self.workdays or any(base.day == _workday(base, length, one) for one in self.workdays)


def _nths(day: date, length: int) -> tuple[tuple[int, int], ...]:
    weekday = day.weekday()
    nth = (weekday, (day.day + 6) // 7)
    return (nth, (weekday, LAST)) if day.day + 7 > length else (nth,)


def _workday(day: date, length: int, which: int) -> int:
    if which == LAST:
        return length - max(0, (day.weekday() + length - day.day) % 7 - 4)
    first = (day.weekday() - day.day + 1) % 7
    return 1 + (7 - first if first > 4 else 0)


@dataclass(frozen=True, slots=True)
class CalendarRule:
    """A union of calendars."""

    calendars: tuple[Calendar, ...]

    @property
    def words(self) -> str:
        """All calendars for people."""
        return ", and ".join(words_of(one) for one in self.calendars)

    def walls(self, first: date, last: date) -> Iterator[datetime]:
        """As Rule."""
        for number in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(number)
            minutes = {minute for one in self.calendars if one.holds(day) for minute in one.times}
            for minute in sorted(minutes):
                yield wall(day, minute)


def wall(day: date, minute: int) -> datetime:
    """A time of a day by the wall clock; which zone's is told elsewhere."""
    return datetime(day.year, day.month, day.day, minute // 60, minute % 60)  # noqa: DTZ001


# --- for people ---------------------------------------------------------------------------------------------------


def words_of(one: Calendar) -> str:
    """A calendar in words that the reader of words reads as the same, but for many times a day."""
    days, times = f"{_days_told(one)}{_shift_told(one.shift)}", times_told(one.times)
    return times.strip() if days == "every day" and times.startswith(" every") else f"{days}{times}"


def _days_told(one: Calendar) -> str:
    parts: list[str] = []
    of = "of the month"
    if one.months != ALL_MONTHS:
        of = f"of {listed([MONTHS[number - 1] for number in sorted(one.months)])}"
    if one.nths:
        by_day: dict[int, list[int]] = {}
        for weekday, nth in sorted(one.nths, key=lambda each: (each[1] == LAST, each[1], each[0])):
            by_day.setdefault(weekday, []).append(nth)
        told = [f"{listed([ordinal(nth) for nth in nths])} {DAYS[day]}" for day, nths in by_day.items()]
        parts.append(f"{listed(told)} {of}")
    if one.workdays:
        told = ["first" if which == 1 else "last" for which in sorted(one.workdays, reverse=True)]
        parts.append(f"{listed(told)} workday {of}")
    if one.days:
        numbers = [str(day) for day in sorted(one.days) if day != LAST]
        told = [f"{'day' if len(numbers) == 1 else 'days'} {listed(numbers)}"] if numbers else []
        parts.append(f"{listed([*told, *(['last day'] if LAST in one.days else [])])} {of}")
    if one.weekdays:
        parts.insert(0, weekdays_told(one.weekdays))
    if not parts:
        return "every day" if one.months == ALL_MONTHS else f"every day {of}"
    whole = " that is ".join(parts)
    return whole if one.months == ALL_MONTHS or of in whole else f"{whole} {of}"


def weekdays_told(days: frozenset[int]) -> str:
    """Days of the week."""
    if len(days) == 7:
        return "every day"
    if days == frozenset(range(5)):
        return "every weekday"
    return f"every {listed([DAYS[day] for day in sorted(days)])}"


def _shift_told(shift: int) -> str:
    days = abs(shift)
    return f" {'+' if shift > 0 else '-'} {days} day{'' if days == 1 else 's'}" if shift else ""


def times_told(times: Sequence[int]) -> str:
    """Times of a day, as they follow its name."""
    if len(times) <= 6:
        return f" at {listed([clock(one) for one in times])}"
    steps = {later - one for one, later in pairwise(times)}
    if len(steps) == 1 and (times[-1] - times[0] + (step := steps.pop())) == DAY_MINUTES and times[0] < step:
        start = f" from {clock(times[0])}" if times[0] else ""
        if step == 1:
            return " every minute"
        unit = "hour" if step == 60 else f"{step // 60} hours" if step % 60 == 0 else f"{step} minutes"
        return f" every {unit}{start}"
    return f" at {len(times)} times from {clock(times[0])} to {clock(times[-1])}"


def clock(minute: int) -> str:
    """A time of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def ordinal(number: int) -> str:
    """First, second, ..., last."""
    return ("last", "zeroth", "first", "second", "third", "fourth", "fifth")[number + 1]


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
