"""Business hours and the option `window` -> instants, in a computer's own time zone; pure, the time is given.

Days and hours of a window are written as business hours are. At clock changes: a time that does not exist moves to the
first instant that does (decide.times.time_zones); of a time that comes twice the first is meant, except for the end of
business hours, where the second one is. Not here: waiting, and which actions have to wait.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from immy_nornir.decide.times.iso_windows import OPEN_HOURS, parse_iso_window
from immy_nornir.decide.times.time_zones import LAST_ZONE, WindowError, instant, own_zone, told, zone_of
from immy_nornir.text.plain import plain

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_MINUTES: Final = 24 * 60
_SPECIAL: Final[Mapping[str, tuple[int, ...]]] = {
    "daily": tuple(range(7)),
    "everyday": tuple(range(7)),
    "weekdays": tuple(range(5)),
    "weekend": (5, 6),
    "weekends": (5, 6),
}
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}", re.ASCII)
_SPAN: Final = r"(\d{1,2}):(\d{2})\s*(?:-|\u2013|to)\s*(\d{1,2}):(\d{2})"
_TIMES: Final = re.compile(_SPAN, re.ASCII)
_LONGEST: Final = 1_000
_CLOSED: Final = re.compile(r"[\s:=]+(?:closed|off)$", re.IGNORECASE)
_FORMS: Final = "use now, after_hours, HH:MM, days and hours like 'sat 22:00-06:00', or a time like 2030-01-31T22:00"
_DAILY: Final = "write 'daily 22:00-06:00', or 'sat 22:00-06:00, sun 00:00-06:00; wed 01:00-04:00'"
_EXAMPLE: Final = "write 'mon-fri 08:00-18:00; sat 09:00-12:00', or a mapping like monday-friday: \"08:00-18:00\""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Hours of one weekday (0 is Monday), in minutes from its midnight; `end` beyond 1440 lies in the next day."""

    weekday: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """The hours of a week in which people work, by the wall clock."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """One time that a window is open, in seconds since 1970; infinity: it does not end."""

    begins: float
    ends: float


# --- reading ---------------------------------------------------------------------------------------------------


def parse_business_hours(value: object) -> BusinessHours:
    """Business hours from a mapping of days to hours, or from text; days may be ranges, hours may cross midnight.

    Several hours of a day are a list or separated by commas. Raises WindowError with everything that is wrong.
    """
    match value:
        case BusinessHours():
            return value
        case Mapping():
            entries = [(str(days), hours) for days, hours in value.items()]
        case str():
            entries = _entries(value)
        case list() | tuple():
            return BusinessHours(tuple(sorted({span for one in value for span in parse_business_hours(one).spans})))
        case _:
            raise WindowError(f"'{plain(value)}' are no business hours", _EXAMPLE)
    problems: list[str] = []
    spans: set[Span] = set()
    for days, hours in entries:
        try:
            times = _times(hours)
            spans.update(Span(day, start, end) for day in _days(days) for start, end in times)
        except WindowError as error:
            problems.append(str(error))
    if problems:
        raise WindowError("; ".join(problems), "" if len(problems) == 1 else _EXAMPLE)
    return BusinessHours(tuple(sorted(spans)))


def _entries(text: str) -> list[tuple[str, object]]:
    """Text as pairs of days and hours: the days stand before their hours and hold for all hours up to the next days."""
    if len(text) > _LONGEST:
        raise WindowError(f"'{text[:40]}...' are no business hours: more than {_LONGEST:,} characters", _EXAMPLE)
    entries: list[tuple[str, object]] = []
    for segment in filter(None, (part.strip(" ,") for part in re.split(r"[;\n]", text))):
        if closed := _CLOSED.search(segment):
            entries.append((segment[: closed.start()], None))
            continue
        days, end = "", 0
        for found in _TIMES.finditer(segment):
            days = segment[end : found.start()].strip(" ,:=\t") or days
            entries.append((days, found[0]))
            end = found.end()
        if not days or segment[end:].strip():
            raise WindowError(f"'{segment}' are no business hours", _EXAMPLE)
    if not entries:
        raise WindowError("business hours are empty", _EXAMPLE)
    return entries


def _days(text: str) -> list[int]:
    if len(text) > _LONGEST:
        raise WindowError(f"'{text[:40]}...' are no days of the week", _EXAMPLE)
    found: list[int] = []
    for part in re.split(r"[,&]|\band\b", text.strip().lower()):
        word = part.strip()
        if word.replace(" ", "") in _SPECIAL:
            found.extend(_SPECIAL[word.replace(" ", "")])
            continue
        first, *rest = [_day(name) for name in re.split(r"\s*(?:-|\u2013|\bto\b)\s*", word, maxsplit=1)]
        last = rest[0] if rest else first
        found.extend((first + step) % 7 for step in range((last - first) % 7 + 1))
    return found


def _day(text: str) -> int:
    name = text.strip().rstrip(".")
    for number, day in enumerate(DAYS):
        if len(name) >= 2 and day.startswith(name):
            return number
    near = difflib.get_close_matches(name, (*DAYS, *(day[:3] for day in DAYS)), n=1)
    raise WindowError(
        f"'{text}' is no day of the week", f"did you mean '{near[0]}'?" if near else "days are mon ... sun"
    )


def _times(value: object) -> list[tuple[int, int]]:
    if isinstance(value, list | tuple):
        return [span for one in value for span in _times(one)]
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "closed", "off", "none")):
        return []
    if not isinstance(value, str):
        raise WindowError(f"'{plain(value)}' are no hours", 'write them as text in quotes, like "08:00-18:00"')
    found: list[tuple[int, int]] = []
    for part in value.split(","):
        match = _TIMES.fullmatch(part.strip())
        if match is None:
            raise WindowError(f"'{part.strip()}' are no hours", "write them like 08:00-18:00")
        start, end = (_minutes(hour, minute) for hour, minute in (match.group(1, 2), match.group(3, 4)))
        if start in {end, _DAY_MINUTES}:
            raise WindowError(f"'{part.strip()}' has no length", "the whole day is 00:00-24:00")
        found.append((start, end if end > start else end + _DAY_MINUTES))
    return found


def _minutes(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > _DAY_MINUTES:
        raise WindowError(f"'{hour}:{minute}' is no time of the day", "times go from 00:00 to 24:00")
    return total


# --- deciding --------------------------------------------------------------------------------------------------


def in_business_hours(hours: BusinessHours, zone: str, now: float) -> bool:
    """Whether `now` (seconds since 1970) lies in the business hours of that zone. Raises WindowError."""
    return _end_of_hours(hours, zone_of(zone), now) is not None


def opening(window: str, hours: BusinessHours | None, zone: str, since: float, now: float) -> Opening | None:
    """The opening of a window that `now` lies in, else the next one, for a session made at `since`; None: none comes.

    After hours it is open until the next business hours begin; a time of the day opens for OPEN_HOURS, or until
    business hours begin, and again on the next day: who comes back to a session at noon does not work at noon. Spans
    that touch are one opening. An ISO window comes once. Raises WindowError.
    """
    text = window.strip()
    if text == "now":
        return Opening(now, math.inf)
    where = zone_of(zone)
    iso = parse_iso_window(text)
    if iso is not None:
        begins, ends = iso.between(where)
        return None if now >= ends else Opening(max(begins, since), ends)
    if text == "after_hours":
        begins = _after_hours(hours, where, now)
        return Opening(begins, _next_start(hours, where, begins))
    if is_weekly(text):
        return _weekly_opening(weekly(text), where, now)
    begins = opens_at(window, hours, zone, max(since, now - 86400.0))
    while now >= (ends := _closes_at(begins, hours, where)):
        begins = opens_at(window, hours, zone, begins + 1.0)
    return Opening(begins, ends)


def may_act_at(window: str, hours: BusinessHours | None, zone: str, since: float, now: float) -> float:
    """When a session made at `since` may next change something: `now` itself while its window is open.

    Infinity where that time never comes. Raises WindowError.
    """
    found = opening(window, hours, zone, since, now)
    return math.inf if found is None else max(now, found.begins)


def closes_at(window: str, zone: str) -> float | None:
    """When a window closes for good, in seconds since 1970; None for one that opens again. Raises WindowError."""
    iso = parse_iso_window(window.strip())
    return None if iso is None else iso.between(zone_of(zone))[1]


def closes_first(window: str, hours: BusinessHours | None, zone: str, since: float) -> float | None:
    """When the first opening ends of a session made at `since`; None for one without an end. Raises WindowError."""
    closes = closes_at(window, zone)
    if closes is not None:
        return closes
    found = opening(window, hours, zone, since, since)
    return None if found is None or found.ends == math.inf else found.ends


@lru_cache(maxsize=1024)
def weekly(text: str) -> BusinessHours:
    """A window of days and hours, such as `sat 22:00-06:00, sun 00:00-06:00; wed 01:00-04:00`. Raises WindowError."""
    try:
        found = parse_business_hours(text)
    except WindowError as error:
        advice = _DAILY if error.advice in ("", _EXAMPLE) else error.advice
        raise WindowError(f"'{text}' is no window: {_said_of_windows(error.message)}", advice) from error
    if not found.spans:
        raise WindowError(f"'{text}' is no window: it never opens", _DAILY)
    return found


def _said_of_windows(message: str) -> str:
    return message.replace("are no business hours", "are no days and hours").replace("business hours are", "it is")


def is_weekly(text: str) -> bool:
    """Whether a window says from when to when, for days of the week."""
    return parse_iso_window(text.strip()) is None and _TIMES.search(text) is not None


def _weekly_opening(spans: BusinessHours, zone: ZoneInfo, now: float) -> Opening:
    """The first that has not ended, what touches it included: a window does not close at midnight to open again."""
    today = datetime.fromtimestamp(now, zone).date()
    found = next((one for one in _openings_about(spans, zone, today) if one.ends > now), None)
    if found is None:  # a time that the clock skips each week would be one: there is none
        raise WindowError("the window never opens", _DAILY)
    return Opening(now, math.inf) if found.ends - now > _WEEK else found


@lru_cache(maxsize=1024)
def _openings_about(spans: BusinessHours, zone: ZoneInfo, today: date) -> tuple[Opening, ...]:
    days = (today + timedelta(days=number) for number in range(-_LOOK_BACK, _LOOK_AHEAD))
    joined: list[Opening] = []
    for begins, ends in sorted(one for day in days for one in _of_day(spans, zone, day) if one[0] < one[1]):
        if joined and begins <= joined[-1].ends:
            joined[-1] = Opening(joined[-1].begins, max(ends, joined[-1].ends))
        else:
            joined.append(Opening(begins, ends))
    return tuple(joined)


_LOOK_BACK: Final = 2
_LOOK_AHEAD: Final = 16
"""Days: this week's and the next one's, for a span that a clock change leaves out."""
_WEEK: Final = 8 * 86400.0


def _of_day(spans: BusinessHours, zone: ZoneInfo, day: date) -> Iterator[tuple[float, float]]:
    for span in spans.spans:
        if span.weekday == day.weekday():
            yield instant(_wall(day, span.start), zone), instant(_wall(day, span.end), zone)


def past(window: str, said: str, reported: object, now: float) -> str:
    """That a window has closed for good, for people; empty where it has not, or opens again.

    Where neither the inventory nor the computer tells its zone: that it has closed wherever the computer may stand.
    Raises WindowError for what is no window.
    """
    if window in ("now", "after_hours") or is_weekly(window):
        return ""
    try:
        zone, where = own_zone(said, reported), ""
        closes = closes_at(window, zone)
    except WindowError:
        zone, where = "UTC", ", wherever it stands"
        closes = closes_at(window, LAST_ZONE)
    return f"closed {told(closes, zone)}{where}" if closes is not None and now >= closes else ""


def _closes_at(opens: float, hours: BusinessHours | None, zone: ZoneInfo) -> float:
    end = opens + OPEN_HOURS * 3600.0
    if hours is None or _end_of_hours(hours, zone, opens) is not None:  # whoever opens at work means it
        return end
    today = datetime.fromtimestamp(opens, zone).date()
    days = (today, today + timedelta(days=1))
    starts = [start for day in days for start, _ in _intervals(hours, zone, day) if opens < start < end]
    return min(starts, default=end)


def opens_at(window: str, hours: BusinessHours | None, zone: str, now: float) -> float:
    """When a window opens, in seconds since 1970: `now` itself when it is open already.

    `now`; `after_hours` (the end of the business hours that `now` lies in); `HH:MM` in the zone, tomorrow's when
    today's is past; days and hours; the beginning of an ISO window (decide.times.iso_windows), which may be past.
    Raises WindowError.
    """
    text = window.strip()
    if text == "now":
        return now
    if text == "after_hours":
        return _after_hours(hours, zone_of(zone), now)
    if _CLOCK.fullmatch(text):
        return _next_time(text, zone_of(zone), now)
    if is_weekly(text):
        return max(now, _weekly_opening(weekly(text), zone_of(zone), now).begins)
    iso = parse_iso_window(text)
    if iso is None:
        near = difflib.get_close_matches(text, ("now", "after_hours"), n=1)
        advice = f"did you mean '{near[0]}'?" if near else _FORMS
        if text.isdigit():
            advice = 'YAML reads 22:00 without quotes as the number 1320: write "22:00"'
        raise WindowError(f"'{window}' is no window", advice)
    return iso.between(zone_of(zone))[0]


def _after_hours(hours: BusinessHours | None, zone: ZoneInfo, now: float) -> float:
    if hours is None:
        raise WindowError("after_hours needs business hours, and none are set", "set immy_business_hours")
    moment = now
    while (end := _end_of_hours(hours, zone, moment)) is not None:
        moment = end
        if moment - now > 8 * 86400:
            raise WindowError("the business hours leave no time after hours", "shorten immy_business_hours")
    return moment


def _next_start(hours: BusinessHours | None, zone: ZoneInfo, moment: float) -> float:
    """When the next business hours begin; infinity where none do."""
    today = datetime.fromtimestamp(moment, zone).date()
    days = (today + timedelta(days=number) for number in range(-1, 9))
    starts = (start for day in days for start, _ in _of_day(hours or BusinessHours(()), zone, day))
    return min((start for start in starts if start > moment), default=math.inf)


def _next_time(text: str, zone: ZoneInfo, now: float) -> float:
    hour, minute = text.split(":")
    minutes = _minutes(hour, minute)
    if minutes == _DAY_MINUTES:
        raise WindowError(f"'{text}' is no time of the day", "midnight is 00:00")
    today = datetime.fromtimestamp(now, zone).date()
    for days in range(4):  # a date may be missing where the zone crossed the date line
        opens = instant(_wall(today + timedelta(days=days), minutes), zone)
        if opens >= now:
            return opens
    return now


def _end_of_hours(hours: BusinessHours, zone: ZoneInfo, now: float) -> float | None:
    """The latest end of the spans that `now` lies in, None outside of all."""
    today = datetime.fromtimestamp(now, zone).date()
    ends = [end for start, end in _intervals(hours, zone, today) if start <= now < end]
    return max(ends, default=None)


def _intervals(hours: BusinessHours, zone: ZoneInfo, today: date) -> Iterator[tuple[float, float]]:
    for day in (today - timedelta(days=1), today):
        for span in hours.spans:
            if span.weekday == day.weekday():
                yield instant(_wall(day, span.start), zone), instant(_wall(day, span.end), zone, fold=1)


def _wall(day: date, minutes: int) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001 - the zone comes with instant
