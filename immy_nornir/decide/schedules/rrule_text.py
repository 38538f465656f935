"""Text of RFC 5545 -> recurrences: `FREQ=...` or `RRULE:FREQ=...`, and a `DTSTART:`, on lines or split by blanks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from immy_nornir.decide.schedules.calendars import DAYS, MONTHS, ScheduleError, clock, listed
from immy_nornir.decide.schedules.recurrence import EPOCH, MOST_COUNT, Recurrence

_FREQS: Final = {
    "YEARLY": "year",
    "MONTHLY": "month",
    "WEEKLY": "week",
    "DAILY": "day",
    "HOURLY": "hour",
    "MINUTELY": "minute",
}
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_EXAMPLE: Final = "such as 'FREQ=MONTHLY;BYDAY=2TU;BYHOUR=22;BYMINUTE=0'"
_LONGEST: Final = 1_000
_MOST_INTERVAL: Final = 100_000


def is_rrule(text: str) -> bool:
    """Whether somebody means a rule of RFC 5545."""
    return re.match(r"\s*(?:RRULE|DTSTART|FREQ|EXDATE|RDATE|EXRULE)\b", text, re.IGNORECASE) is not None


def parse_rrule(text: str) -> Recurrence:
    """The rule that the text says. Raises ScheduleError."""
    if len(text) > _LONGEST:
        raise ScheduleError(f"'{text[:40]}...' is no rule: more than {_LONGEST:,} characters", _EXAMPLE)
    start, rule = None, ""
    for line in text.upper().split():
        name, colon, value = line.partition(":")
        if not colon:
            name, value = "RRULE", line
        if name == "RRULE" and not rule:
            rule = value
        elif name.split(";")[0] == "DTSTART" and start is None:
            start = _start(name, value)
        else:
            raise ScheduleError(
                f"'{line}' has no place in a schedule", "one RRULE, and one DTSTART before it, are read"
            )
    if not rule:
        raise ScheduleError(f"'{text}' has no RRULE", _EXAMPLE)
    return _rule(text, _parts(rule), start)


def _start(name: str, value: str) -> datetime:
    if name not in {"DTSTART", "DTSTART;VALUE=DATE"}:
        raise ScheduleError(
            f"'{name}' names a zone of its own", "say it with 'zone:', and write DTSTART:20260105T220000"
        )
    start = _moment("DTSTART", value)
    if start.tzinfo is not None:
        raise ScheduleError(
            "DTSTART is in UTC (its Z), and rules go by the wall clock", "leave the Z out, and say 'zone:'"
        )
    return start


def _moment(name: str, value: str) -> datetime:
    found = re.fullmatch(r"(\d{8})(?:T(\d{4})(\d{2})?(Z?))?", value, re.ASCII)
    try:
        if found is None:
            raise ValueError
        moment = datetime.strptime(found[1] + (found[2] or "0000"), "%Y%m%d%H%M")  # noqa: DTZ007 - a wall clock
    except ValueError:
        raise ScheduleError(f"{name}={value} is no time", "write it like 20260131T220000") from None
    if not 1970 <= moment.year <= 9000:
        raise ScheduleError(f"{name}={value} is no time of this age", "years go from 1970 to 9000")
    if (found[3] or "00") != "00" and name == "DTSTART":
        raise ScheduleError(f"{name}={value} has seconds: a minute is the finest there is")
    return moment.replace(tzinfo=UTC) if found[4] else moment


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in filter(None, rule.split(";")):
        name, sign, value = part.partition("=")
        if not sign or not value:
            raise ScheduleError(f"'{part}' is not NAME=VALUE", _EXAMPLE)
        if name in parts:
            raise ScheduleError(f"{name} stands twice in the rule", "put the values into one list")
        if name not in _READERS:
            near = difflib.get_close_matches(name, _READERS, 1)
            advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(_READERS)}"
            raise ScheduleError(f"'{name}' is no part of a rule", advice)
        parts[name] = value
    return parts


def _numbers(low: int, high: int, *, negative: bool = False) -> Callable[[str, str], frozenset[int]]:
    def read(name: str, value: str) -> frozenset[int]:
        found = set()
        for one in value.split(","):
            digits = one.removeprefix("-" if negative else "").removeprefix("+" if negative else "")
            if not re.fullmatch(r"[0-9]{1,5}", digits) or not low <= int(digits) <= high:
                also = f" or -{high} to -{max(low, 1)}" if negative else ""
                raise ScheduleError(f"{name}={value}: '{one}' is none of {low} to {high}{also}")
            found.add(-int(digits) if one.startswith("-") else int(digits))
        return frozenset(found)

    return read


def _by_day(name: str, value: str) -> frozenset[tuple[int, int]]:
    found = set()
    for one in value.split(","):
        match = re.fullmatch(r"([+-]?[0-9]{1,2})?([A-Z]{2})", one)
        if match is None or match[2] not in _WEEKDAYS or (match[1] and not 1 <= abs(int(match[1])) <= 53):
            raise ScheduleError(f"{name}={value}: '{one}' is no day", "days are MO TU WE TH FR SA SU, 2TU, -1FR")
        found.add((_WEEKDAYS.index(match[2]), int(match[1] or 0)))
    return frozenset(found)


def _word(known: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in known:
            near = difflib.get_close_matches(value, known, 1)
            near_one = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(known)}"
            raise ScheduleError(f"{name}={value} is not known", near_one)
        return value

    return read


_READERS: Final[Mapping[str, Callable[[str, str], object]]] = {
    "FREQ": _word((*_FREQS, "SECONDLY")),
    "INTERVAL": _numbers(1, 99_999),
    "COUNT": _numbers(1, MOST_COUNT),
    "UNTIL": _moment,
    "BYSECOND": _numbers(0, 59),
    "BYMINUTE": _numbers(0, 59),
    "BYHOUR": _numbers(0, 23),
    "BYDAY": _by_day,
    "BYMONTHDAY": _numbers(1, 31, negative=True),
    "BYYEARDAY": _numbers(1, 366, negative=True),
    "BYWEEKNO": _numbers(1, 53, negative=True),
    "BYMONTH": _numbers(1, 12),
    "BYSETPOS": _numbers(1, 366, negative=True),
    "WKST": _word(_WEEKDAYS),
}


def _set(read: Mapping[str, object], name: str) -> frozenset[int]:
    found = read.get(name)
    return found if isinstance(found, frozenset) else frozenset()


def _one(read: Mapping[str, object], name: str) -> int | None:
    found = _set(read, name)
    if len(found) > 1:
        raise ScheduleError(f"{name} is one number")
    return next(iter(found), None)


def _rule(text: str, parts: Mapping[str, str], start: datetime | None) -> Recurrence:
    read = {name: _READERS[name](name, value) for name, value in parts.items()}
    freq = str(read.get("FREQ", ""))
    if not freq:
        raise ScheduleError(f"'{text}' has no FREQ", _EXAMPLE)
    _refuse(freq, read, parts)
    if start is None and ("COUNT" in read or _one(read, "INTERVAL") not in (None, 1)):
        raise ScheduleError(
            "a rule with COUNT, or with an INTERVAL over 1, has to say where it begins", "add DTSTART:20260105T220000"
        )
    until = read.get("UNTIL")
    if isinstance(until, datetime) and "T" not in parts["UNTIL"]:
        until = until.replace(hour=23, minute=59)
    days = read.get("BYDAY")
    pairs: frozenset[tuple[int, int]] = days if isinstance(days, frozenset) else frozenset()
    rule = Recurrence(
        text="",
        words="",
        freq=freq,
        start=start or EPOCH,
        interval=_one(read, "INTERVAL") or 1,
        count=_one(read, "COUNT"),
        until=until if isinstance(until, datetime) else None,
        months=_set(read, "BYMONTH"),
        weeks=_set(read, "BYWEEKNO"),
        year_days=_set(read, "BYYEARDAY"),
        month_days=_set(read, "BYMONTHDAY"),
        weekdays=frozenset(day for day, nth in pairs if nth == 0),
        nths=frozenset((day, nth) for day, nth in pairs if nth),
        hours=_set(read, "BYHOUR"),
        minutes=_set(read, "BYMINUTE"),
        positions=_set(read, "BYSETPOS"),
        week_start=_WEEKDAYS.index(parts["WKST"]) if "WKST" in parts else 0,
    )
    whole = _with_defaults(rule, said=start is not None)
    return replace(whole, text=" ".join(text.split()), words=_words(whole))


def _refuse(freq: str, read: Mapping[str, object], parts: Mapping[str, str]) -> None:
    if freq == "SECONDLY" or _set(read, "BYSECOND") - {0}:
        raise ScheduleError(
            "a schedule is due once a minute at the most, at second 0", "use FREQ=MINUTELY, and no BYSECOND"
        )
    if "COUNT" in read and "UNTIL" in read:
        raise ScheduleError("COUNT and UNTIL exclude each other (RFC 5545)", "leave one of them out")
    only = {
        "BYWEEKNO": ("YEARLY",),
        "BYYEARDAY": ("YEARLY", "HOURLY", "MINUTELY"),
        "BYSETPOS": ("YEARLY", "MONTHLY", "WEEKLY", "DAILY"),
    }
    for name, freqs in only.items():
        if name in read and freq not in freqs:
            raise ScheduleError(f"{name} has no meaning with FREQ={freq}", f"it goes with {', '.join(freqs)}")
    if freq == "WEEKLY" and "BYMONTHDAY" in read:
        raise ScheduleError("BYMONTHDAY has no meaning with FREQ=WEEKLY (RFC 5545)", "use FREQ=MONTHLY or FREQ=DAILY")
    if "BYWEEKNO" in read and "BYDAY" not in read:
        raise ScheduleError("BYWEEKNO does not say which day of the week", "add BYDAY, such as BYDAY=MO")
    numbered = any(character.isdigit() for character in parts.get("BYDAY", ""))
    if numbered and (freq not in ("YEARLY", "MONTHLY") or "BYWEEKNO" in read):
        raise ScheduleError(f"BYDAY={parts['BYDAY']}: numbered days go with FREQ=MONTHLY and YEARLY, without BYWEEKNO")
    if "BYSETPOS" in read and not any(name.startswith("BY") for name in read if name != "BYSETPOS"):
        raise ScheduleError("BYSETPOS picks from what another BY... part gives, and there is none", _EXAMPLE)


def _with_defaults(rule: Recurrence, *, said: bool) -> Recurrence:
    """What the rule leaves open is as in DTSTART, but time and day have to be said somewhere."""
    days = rule.weeks or rule.year_days or rule.month_days or rule.weekdays or rule.nths
    timed = rule.freq in ("HOURLY", "MINUTELY")
    if not said and not timed and not rule.hours:
        raise ScheduleError("the rule says no time of the day", "add BYHOUR=22;BYMINUTE=0, or a DTSTART")
    if not said and not days and rule.freq in ("YEARLY", "MONTHLY", "WEEKLY"):
        raise ScheduleError("the rule says no day", "add BYDAY or BYMONTHDAY, or a DTSTART")
    if not days and rule.freq == "YEARLY":
        rule = replace(
            rule, months=rule.months or frozenset({rule.start.month}), month_days=frozenset({rule.start.day})
        )
    elif not days and rule.freq == "MONTHLY":
        rule = replace(rule, month_days=frozenset({rule.start.day}))
    elif not days and rule.freq == "WEEKLY":
        rule = replace(rule, weekdays=frozenset({rule.start.weekday()}))
    every = frozenset(range(24)), frozenset(range(60))
    return replace(
        rule,
        hours=rule.hours or (every[0] if timed else frozenset({rule.start.hour})),
        minutes=rule.minutes or (every[1] if rule.freq == "MINUTELY" else frozenset({rule.start.minute})),
    )


def _words(rule: Recurrence) -> str:
    """The rule for people: short, and the text itself says the rest."""
    unit = _FREQS[rule.freq]
    told = f"every {unit}" if rule.interval == 1 else f"every {rule.interval} {unit}s"
    on = [DAYS[day] for day in sorted(rule.weekdays)] + [f"{_nth(nth)} {DAYS[day]}" for day, nth in sorted(rule.nths)]
    on += [f"day {day}" if day > 0 else f"day {-day} from the end" for day in sorted(rule.month_days)]
    on += [f"day {day} of the year" for day in sorted(rule.year_days)]
    told += f" on {listed(on)}" if on else ""
    told += f" in week {listed([str(one) for one in sorted(rule.weeks)])}" if rule.weeks else ""
    told += f" in {listed([MONTHS[one - 1] for one in sorted(rule.months)])}" if rule.months else ""
    if rule.freq not in ("HOURLY", "MINUTELY"):
        times = [clock(hour * 60 + minute) for hour in sorted(rule.hours) for minute in sorted(rule.minutes)]
        told += f" at {listed(times)}" if len(times) <= 6 else f" at {len(times)} times from {times[0]} to {times[-1]}"
    elif rule.freq == "HOURLY":
        told += f" at minute {listed([str(one) for one in sorted(rule.minutes)])}"
    if rule.freq in ("HOURLY", "MINUTELY") and len(rule.hours) < 24:
        told += f" in the hours {listed([str(one) for one in sorted(rule.hours)])}"
    told += f", of each {unit} number {listed([str(one) for one in sorted(rule.positions)])}" if rule.positions else ""
    told += f", {rule.count} times from {rule.start:%Y-%m-%d %H:%M}" if rule.count else ""
    return told + (f", until {rule.until:%Y-%m-%d %H:%M}{' UTC' if rule.until.tzinfo else ''}" if rule.until else "")


def _nth(number: int) -> str:
    names = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
    return names.get(number, f"number {number}")
