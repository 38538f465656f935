"""Words -> rules: `every weekday at 06:30`, `first sunday of the month 03:00`, `Patch Tuesday + 3 days at 22:00`."""

from __future__ import annotations

import difflib
import re
from typing import Final

from immy_nornir.decide.schedules.calendars import (
    ALL_MONTHS,
    DAY_MINUTES,
    DAYS,
    LAST,
    MONTHS,
    Calendar,
    CalendarRule,
    ScheduleError,
)

_EXAMPLES: Final = (
    "write it like 'daily 04:00', 'every weekday at 06:30', 'monday and thursday 22:00', "
    "'first sunday of the month 03:00', 'Patch Tuesday + 3 days at 22:00', 'every 4 hours', or as cron"
)
_SPECIAL: Final = {
    "day": range(7), "days": range(7), "daily": range(7), "weekday": range(5), "weekdays": range(5),
    "weekend": (5, 6), "weekends": (5, 6),
}  # fmt: skip
_ORDINALS: Final = {
    "first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5,
    "last": LAST,
}  # fmt: skip
_CLOCK: Final = re.compile(r"(?:^|[\s,])(?:at\s+|and\s+|,\s*)*(\d{1,2}):(\d{2})$")
_SHIFT: Final = re.compile(r"\s*([+-])\s*(\d{1,3})\s*(days?|weeks?)$")
_AFTER: Final = re.compile(r"^(\d{1,3}|a|one) (days?|weeks?) (after|before) (.+)$")
_OF: Final = re.compile(r"^(.+?) of (?:every |each )?(month|.+)$")
_NUMBER: Final = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")
_EVERY: Final = re.compile(r"^every (?:(\d{1,4}) )?(minutes?|hours?)(?: from (\d{1,2}):(\d{2}))?$")
_MOST_SHIFT: Final = 31
_LONGEST: Final = 300


def parse_words(text: str) -> CalendarRule:
    """The rule that words say. Raises ScheduleError with what there is."""
    if len(text) > _LONGEST:
        raise ScheduleError(f"'{text[:40]}...' is no time of a schedule: more than {_LONGEST} characters", _EXAMPLES)
    said = " ".join(text.lower().replace("\u2013", "-").split())
    said = re.sub(r"\b(?:on )?the \b", "", said)
    said = re.sub(r"\bmidnight\b", "00:00", re.sub(r"\bnoon\b", "12:00", said))
    if said == "hourly":
        said = "every hour"
    if (found := _EVERY.match(said)) is not None:
        return CalendarRule((Calendar(_steps(found, text)),))
    said, times = _times(said, text)
    said, shift = _shift(said, text)
    said = re.sub(r"^(?:every|each|on)\b ?", "", said)
    said = re.sub(r"^(?:every|each)\b ?", "", said)
    return CalendarRule((_calendar(said or "day", times, shift, text),))


def _steps(found: re.Match[str], text: str) -> tuple[int, ...]:
    step = int(found[1] or 1) * (60 if found[2].startswith("hour") else 1)
    start = _minute(found[3], found[4], text) if found[3] else 0
    if step == 0 or DAY_MINUTES % step or start >= step:
        advice = "a step that fills a day, such as 15 minutes or 4 hours, beginning within the first step"
        raise ScheduleError(f"'{text}' does not come at the same times each day", advice)
    return tuple(range(start, DAY_MINUTES, step))


def _times(said: str, text: str) -> tuple[str, tuple[int, ...]]:
    """What stands before the times, and the times."""
    times: set[int] = set()
    while (found := _CLOCK.search(said)) is not None:
        times.add(_minute(found[1], found[2], text))
        said = said[: found.start()].rstrip(" ,")
    said = re.sub(r"(?:^|\s)(?:at|and)$", "", said)
    if not times:
        raise ScheduleError(f"'{text}' says no time of the day", _EXAMPLES)
    return said, tuple(sorted(times))


def _minute(hour: str, minute: str, text: str) -> int:
    if int(hour) > 23 or int(minute) > 59:
        raise ScheduleError(f"{hour}:{minute} in '{text}' is no time of the day", "times go from 00:00 to 23:59")
    return int(hour) * 60 + int(minute)


def _shift(said: str, text: str) -> tuple[str, int]:
    shift = 0
    if (found := _SHIFT.search(said)) is not None:
        shift = int(found[2]) * (7 if found[3].startswith("week") else 1) * (1 if found[1] == "+" else -1)
        said = said[: found.start()]
    elif (found := _AFTER.match(said)) is not None:
        number = 1 if found[1] in ("a", "one") else int(found[1])
        shift = number * (7 if found[2].startswith("week") else 1) * (1 if found[3] == "after" else -1)
        said = found[4]
    if abs(shift) > _MOST_SHIFT:
        raise ScheduleError(f"'{text}' is shifted by {abs(shift)} days", f"at the most by {_MOST_SHIFT}")
    return said, shift


def _calendar(said: str, times: tuple[int, ...], shift: int, text: str) -> Calendar:
    if said == "patch tuesday":
        return Calendar(times, nths=frozenset({(1, 2)}), shift=shift)
    of = _OF.match(said)
    if of is None and said != "monthly":
        days = _weekdays(said, text)
        weekdays = frozenset((day + shift) % 7 for day in days)
        return Calendar(times, weekdays=frozenset() if len(weekdays) == 7 else weekdays)
    which, months = (of[1], of[2]) if of is not None else ("day 1", "month")
    return _monthly(which, times, _months(months, text), shift, text)


def _monthly(which: str, times: tuple[int, ...], months: frozenset[int], shift: int, text: str) -> Calendar:
    """`first and third monday`, `last workday`, `day 1 and 15`, `15th`, `last day`, `weekdays` of some months."""
    if months != ALL_MONTHS and not re.search(r"\d|\b(?:first|second|third|fourth|fifth|last)\b", which):
        days_of_week = _weekdays(which, text)
        return Calendar(times, months, weekdays=frozenset() if len(days_of_week) == 7 else days_of_week, shift=shift)
    days: set[int] = set()
    nths: set[tuple[int, int]] = set()
    workdays: set[int] = set()
    parts = [part for part in re.split(r"\s*(?:,|\band\b)\s*", which) if part]
    for number, part in enumerate(parts):
        words = part.split()
        # `first and third monday`, `second and fourth tuesday`: the day stands at the end.
        noun = words[-1] if len(words) > 1 else next((one.split()[-1] for one in parts[number:] if " " in one), "")
        if words[0] in ("day", "days") or (found := _NUMBER.fullmatch(words[-1])) or part == "last":
            found = _NUMBER.fullmatch(words[-1])
            if found is None and part != "last":
                raise _unknown(part, text)
            if words[0] in _ORDINALS and noun and _NUMBER.fullmatch(noun) is None:
                pass  # `1st and 3rd monday`
            else:
                days.add(_day(found[1], text) if found is not None else LAST)
                continue
        nth = _ORDINALS.get(words[0])
        if nth is None:
            raise _unknown(words[0], text, _ORDINALS)
        if noun in ("", "day", "days"):
            days.add(nth)
        elif noun in ("workday", "weekday", "workdays", "weekdays") and nth in (1, LAST):
            workdays.add(nth)
        else:
            nths.add((_weekday(noun, text), nth))
    if sum(map(bool, (days, nths, workdays))) != 1:
        raise ScheduleError(f"'{which}' in '{text}' are days of several kinds", "make a schedule of each")
    return Calendar(times, months, frozenset(days), frozenset(), frozenset(nths), frozenset(workdays), shift)


def _day(digits: str, text: str) -> int:
    if not 1 <= int(digits) <= 31:
        raise ScheduleError(f"{digits} in '{text}' is no day of a month", "days go from 1 to 31; there is 'last day'")
    return int(digits)


def _months(said: str, text: str) -> frozenset[int]:
    if said in ("month", "months"):
        return ALL_MONTHS
    found = set()
    for word in re.split(r"\s*(?:,|\band\b)\s*", said):
        number = next((at for at, name in enumerate(MONTHS, 1) if len(word) >= 3 and name.startswith(word)), None)
        if number is None:
            raise _unknown(word, text, (*MONTHS, "month"))
        found.add(number)
    return frozenset(found)


def _weekdays(said: str, text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in re.split(r"\s*(?:,|&|\band\b)\s*", said):
        word = re.sub(r"^(?:every|each|on)\s+", "", part)
        if word in _SPECIAL:
            days.update(_SPECIAL[word])
            continue
        first, *rest = (_weekday(one, text) for one in re.split(r"\s*(?:-|\bto\b)\s*", word, maxsplit=1))
        last = rest[0] if rest else first
        days.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(days)


def _weekday(word: str, text: str) -> int:
    name = word.strip().rstrip(".")
    for number, day in enumerate(DAYS):
        if len(name) >= 2 and (day.startswith(name) or f"{day}s" == name):
            return number
    raise _unknown(name, text, (*DAYS, *_SPECIAL))


def _unknown(word: str, text: str, known: object = ()) -> ScheduleError:
    near = difflib.get_close_matches(word, [str(one) for one in known], 1) if word else []  # type: ignore[attr-defined]
    what = f"'{word}' in '{text}' is not understood" if word and word != text else f"'{text}' is no time of a schedule"
    return ScheduleError(what, f"did you mean '{near[0]}'?" if near else _EXAMPLES)
