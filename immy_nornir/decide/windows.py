"""Business hours and the option `window` -> instants, in a computer's own time zone; pure, the time is given.

Wall clock times become instants here and nowhere else. At clock changes: a time that does not exist moves to the first
instant that does; of a time that comes twice the first is meant, except for the end of business hours, where the second
one is. Not here: waiting, and which actions have to wait.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from immy_nornir.errors import ImmyError

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
OPEN_HOURS: Final = 8
"""How long a window that is a time of the day stays open: a night."""
_SPAN: Final = r"(\d{1,2}):(\d{2})\s*(?:-|\u2013|to)\s*(\d{1,2}):(\d{2})"
_TIMES: Final = re.compile(_SPAN, re.ASCII)
_CLOSED: Final = re.compile(r"[\s:=]+(?:closed|off)$", re.IGNORECASE)
_EXAMPLE: Final = "write 'mon-fri 08:00-18:00; sat 09:00-12:00', or a mapping like monday-friday: \"08:00-18:00\""


class WindowError(ImmyError):
    """Business hours, a window or a time zone cannot be understood."""


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
            raise WindowError(f"'{value}' are no business hours", _EXAMPLE)
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
        raise WindowError(f"'{value}' are no hours", 'write them as text in quotes, like "08:00-18:00"')
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
    return _end_of_hours(hours, _zone(zone), now) is not None


def may_act_at(window: str, hours: BusinessHours | None, zone: str, since: float, now: float) -> float:
    """When a session made at `since` may next change something: `now` itself while its window is open.

    A time of the day opens for OPEN_HOURS, or until business hours begin, and again on the next day: who comes back
    to a session at noon does not work at noon. An ISO time is a beginning and has no end. Raises WindowError.
    """
    if not _CLOCK.fullmatch(window.strip()):
        return opens_at(window, hours, zone, now if window.strip() == "after_hours" else since)
    opens = opens_at(window, hours, zone, max(since, now - 86400.0))
    while opens <= now:
        if now < _closes_at(opens, hours, _zone(zone)):
            return now
        opens = opens_at(window, hours, zone, opens + 1.0)
    return opens


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
    today's is past; an ISO time, in the zone unless it has an offset, which may be past. Raises WindowError.
    """
    text = window.strip()
    if text == "now":
        return now
    if text == "after_hours":
        return _after_hours(hours, _zone(zone), now)
    if _CLOCK.fullmatch(text):
        return _next_time(text, _zone(zone), now)
    try:
        moment = datetime.fromisoformat(text) if re.match(r"\d{4}-", text) else None
    except ValueError:
        moment = None
    if moment is None:
        near = difflib.get_close_matches(text, ("now", "after_hours"), n=1)
        advice = f"did you mean '{near[0]}'?" if near else "use now, after_hours, HH:MM or a time like 2030-01-31T22:00"
        if text.isdigit():
            advice = 'YAML reads 22:00 without quotes as the number 1320: write "22:00"'
        raise WindowError(f"'{window}' is no window", advice)
    return moment.timestamp() if moment.tzinfo else _instant(moment, _zone(zone))


def _after_hours(hours: BusinessHours | None, zone: ZoneInfo, now: float) -> float:
    if hours is None:
        raise WindowError("after_hours needs business hours, and none are set", "set immy_business_hours")
    moment = now
    while (end := _end_of_hours(hours, zone, moment)) is not None:
        moment = end
        if moment - now > 8 * 86400:
            raise WindowError("the business hours leave no time after hours", "shorten immy_business_hours")
    return moment


def _next_time(text: str, zone: ZoneInfo, now: float) -> float:
    hour, minute = text.split(":")
    minutes = _minutes(hour, minute)
    if minutes == _DAY_MINUTES:
        raise WindowError(f"'{text}' is no time of the day", "midnight is 00:00")
    today = datetime.fromtimestamp(now, zone).date()
    for days in range(4):  # a date may be missing where the zone crossed the date line
        opens = _instant(_wall(today + timedelta(days=days), minutes), zone)
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
                yield _instant(_wall(day, span.start), zone), _instant(_wall(day, span.end), zone, fold=1)


def _wall(day: date, minutes: int) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001 - the zone comes with _instant


def told(moment: float, zone: str) -> str:
    """An instant by the wall clock of a zone, for people; of UTC where there is no such zone."""
    try:
        known = _zone(zone)
    except WindowError:
        known = ZoneInfo("UTC")
    try:
        return datetime.fromtimestamp(moment, known).strftime("%Y-%m-%d %H:%M %Z")
    except (ValueError, OverflowError, OSError):
        return "in a far future"


# --- time zones ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
        advice = f"did you mean '{near[0]}'?" if near else "zones have names like Europe/Berlin"
        raise WindowError(f"there is no time zone '{name}'", advice) from None


def _instant(wall: datetime, zone: ZoneInfo, fold: int = 0) -> float:
    """Seconds since 1970 of a wall clock time; the first existing instant after it when it falls into a gap."""
    early, late = (wall.replace(tzinfo=zone, fold=one).timestamp() for one in (0, 1))
    if early <= late:  # usual, or the time comes twice
        return late if fold else early
    # In a gap (PEP 495) the two readings enclose the change of the clock.
    low, high = late, early
    offset = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = float((low + high) // 2)
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
