"""Lines of cron -> rules: five fields, names, `@daily` and its like.

Meaning as in Vixie's cron: where day of the month and day of the week are both said, one of them is enough; a field
that begins with `*` says nothing there, so `*/2` and a day of the week have to meet. Beyond it, as many others have it:
`L` and `LW` as day of the month, `FRI#2` and `5L` as day of the week, names in any field's lists and ranges.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final

from immy_nornir.decide.schedules.calendars import ALL_MONTHS, LAST, Calendar, CalendarRule, ScheduleError

_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EXAMPLE: Final = "cron has five fields: minute hour day-of-month month day-of-week, such as '30 22 * * mon-fri'"


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """The names of its numbers from `low` on."""


_MINUTE: Final = _Field("minute", 0, 59)
_HOUR: Final = _Field("hour", 0, 23)
_DAY: Final = _Field("day of the month", 1, 31)
_MONTH: Final = _Field(
    "month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
)
_WEEKDAY: Final = _Field("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"))


def is_cron(text: str) -> bool:
    """Whether somebody means cron: a macro, or two fields of numbers and stars at the beginning."""
    return text.startswith("@") or re.match(r"(?:[\d*?][\d*?,/\-]*(?:\s+|$)){2}", text) is not None


def parse_cron(text: str) -> CalendarRule:
    """The rule of one line. Raises ScheduleError."""
    if text.startswith("@"):
        text = _macro(text)
    fields = text.lower().split()
    if len(fields) != 5:
        finest = ": a minute is the finest there is" if len(fields) == 6 else ""
        raise ScheduleError(f"'{text}' has {len(fields)} fields, and cron has five{finest}", _EXAMPLE)
    minutes, hours = _numbers(fields[0], _MINUTE), _numbers(fields[1], _HOUR)
    times = tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes))
    months = _numbers(fields[3], _MONTH)
    days, workdays = _month_days(fields[2])
    weekdays, nths = _week_days(fields[4])
    by_month = Calendar(times, months, days=days) if days else None
    last_workday = Calendar(times, months, workdays=workdays) if workdays else None
    by_week = Calendar(times, months, weekdays=weekdays) if weekdays else None
    by_nth = Calendar(times, months, nths=nths) if nths else None
    if fields[2].startswith("*") or fields[4].startswith("*"):
        return CalendarRule(tuple(_meeting(times, months, (by_month, last_workday), (by_week, by_nth))))
    return CalendarRule(tuple(one for one in (by_month, last_workday, by_week, by_nth) if one is not None))


def _meeting(
    times: tuple[int, ...],
    months: frozenset[int],
    month: tuple[Calendar | None, ...],
    week: tuple[Calendar | None, ...],
) -> list[Calendar]:
    """Calendars in which a day of the month and one of the week meet; a side that says nothing is met by each day."""
    nothing = Calendar(times, months)
    return [
        Calendar(times, months, one.days, other.weekdays, other.nths, one.workdays)
        for one in [each for each in month if each is not None] or [nothing]
        for other in [each for each in week if each is not None] or [nothing]
    ]


def _macro(text: str) -> str:
    known = _MACROS.get(text.lower())
    if known is not None:
        return known
    if text.lower() == "@reboot":
        raise ScheduleError("@reboot is no time: a schedule is due by the clock", "name a time, such as @daily")
    near = difflib.get_close_matches(text.lower(), _MACROS, 1)
    advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(_MACROS)}"
    raise ScheduleError(f"'{text}' is no word of cron", advice)


def _month_days(text: str) -> tuple[frozenset[int], frozenset[int]]:
    if text == "*":
        return frozenset(), frozenset()
    days: set[int] = set()
    workdays: set[int] = set()
    for part in text.split(","):
        if part == "l":
            days.add(LAST)
        elif part == "lw":
            workdays.add(LAST)
        else:
            days |= _part(part, _DAY)
    return frozenset(days), frozenset(workdays)


def _week_days(text: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    if text == "*":
        return frozenset(), frozenset()
    days: set[int] = set()
    nths: set[tuple[int, int]] = set()
    for part in text.split(","):
        if found := re.fullmatch(r"(\w+)#(\d)", part):
            if found[2] not in "12345":
                raise ScheduleError(f"'{part}' in cron's day of the week: a month has five of them at the most")
            nths.add(((_number(found[1], _WEEKDAY) - 1) % 7, int(found[2])))
        elif found := re.fullmatch(r"(\d|[a-z]{3})l", part):
            nths.add(((_number(found[1], _WEEKDAY) - 1) % 7, LAST))
        else:
            days |= {(day - 1) % 7 for day in _part(part, _WEEKDAY)}
    return frozenset(days), frozenset(nths)


def _numbers(text: str, field: _Field) -> frozenset[int]:
    found = frozenset[int]().union(*(_part(part, field) for part in text.split(",")))
    return ALL_MONTHS if field is _MONTH and len(found) == 12 else found


def _part(text: str, field: _Field) -> set[int]:
    """One element of a field's list: `*`, a number, a range, each with a step."""
    span, slash, step = text.partition("/")
    every = 1
    if slash:
        if not re.fullmatch(r"[0-9]{1,3}", step) or int(step) == 0:
            raise ScheduleError(f"'{text}' in cron's {field.name}: after / stands a whole number from 1 on", _EXAMPLE)
        every = int(step)
    if span == "*":
        low, high = field.low, field.high - (field is _WEEKDAY)
    else:
        first, dash, last = span.partition("-")
        low = _number(first, field)
        high = _number(last, field) if dash else (field.high if slash else low)
        if field is _WEEKDAY and dash and high == 0 and low > 0:
            high = 7  # sunday ends a week as well as it begins one
    if high < low:
        advice = f"write it as two: {span.partition('-')[0]}-{field.high},{field.low}-{span.partition('-')[2]}"
        raise ScheduleError(f"'{text}' in cron's {field.name} ends before it begins", advice)
    return set(range(low, high + 1, every))


def _number(text: str, field: _Field) -> int:
    if re.fullmatch(r"[0-9]{1,3}", text) and field.low <= int(text) <= field.high:
        return int(text)
    if text in field.names:
        return field.low + field.names.index(text)
    near = difflib.get_close_matches(text, field.names, 1)
    limits = f"it goes from {field.low} to {field.high}" + (f", or {field.names[0]} ..." if field.names else "")
    raise ScheduleError(f"'{text}' is no {field.name} of cron", f"did you mean '{near[0]}'?" if near else limits)
