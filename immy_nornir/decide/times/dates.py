"""Dates of blackouts, holds and freezes: `DATE`, `DATE..DATE`, dates with times -> two instants in a zone; pure.

A date as an end means its whole day. Times are those of the wall clock of each computer unless they have an offset. At
clock changes the span is the longer one: a time that comes twice begins at its first and ends at its second.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Final

from immy_nornir.decide.times.iso_windows import parse_iso_window
from immy_nornir.decide.times.time_zones import FIRST_ZONE, LAST_ZONE, WindowError, instant, zone_of
from immy_nornir.model.control.holds import DateSpan

_ADVICE: Final = "write 2026-12-24, 2026-12-24..2027-01-02, or 2026-12-24T18:00..2026-12-27T06:00"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)


def parse_span(text: str) -> DateSpan:
    """A span of dates or times. Raises WindowError with what to write."""
    if "/" in text:
        return _iso(text)
    first, dots, last = (part.strip() for part in text.partition(".."))
    begins, whole = _moment(first, text)
    if not dots:
        if not whole:
            raise WindowError(f"'{text}' is a time without an end", f"write {first}..END, or a date for its whole day")
        return DateSpan(text, begins, _next_day(begins, text))
    ends, whole = _moment(last, text)
    if whole:
        ends = _next_day(ends, text)
    if ends.tzinfo is None:
        ends = ends.replace(tzinfo=begins.tzinfo)
    elif begins.tzinfo is None:
        raise WindowError(f"'{text}': its end has an offset and its beginning none", "give both, or none")
    if ends <= begins:
        raise WindowError(f"'{text}' ends before it begins", f"did you mean {last}..{first}?" if last < first else "")
    return DateSpan(text, begins, ends)


def parse_end(text: str) -> datetime:
    """The end of what is in force already: a date, which means its whole day, or a time. Raises WindowError."""
    ends, whole = _moment(text.strip(), text)
    return _next_day(ends, text) if whole else ends


def between(span: DateSpan, zone: str) -> tuple[float, float]:
    """The first instant of a span and the first one after it; where the zone is empty, wherever it may be so."""
    return (
        _instant(span.begins, zone or FIRST_ZONE, fold=0),
        end_of(span.ends, zone),
    )


def end_of(ends: datetime, zone: str) -> float:
    """The instant of an end; where the zone is empty, the last one that it may be."""
    return _instant(ends, zone or LAST_ZONE, fold=1)


def _instant(moment: datetime, zone: str, fold: int) -> float:
    return moment.timestamp() if moment.tzinfo is not None else instant(moment, zone_of(zone), fold)


def _iso(text: str) -> DateSpan:
    """The form that the option `window` has, too."""
    found = parse_iso_window(text.strip())
    if found is None:
        raise WindowError(f"'{text}' are no dates", _ADVICE)
    ends = found.ends or found.begins + timedelta(days=found.days, seconds=found.seconds)
    if ends <= found.begins:
        raise WindowError(f"'{text}' ends before it begins")
    return DateSpan(text, found.begins, ends)


def _moment(text: str, whole_text: str) -> tuple[datetime, bool]:
    """A date or a time, and whether it is a date."""
    is_date = _DATE.fullmatch(text) is not None
    if not is_date and _TIME.fullmatch(text) is None:
        of = f" in '{whole_text}'" if text != whole_text.strip() else ""
        raise WindowError(f"'{text}' is no date{of}", _ADVICE)
    try:
        if is_date:
            return datetime.combine(date.fromisoformat(text), time()), True
        found = datetime.fromisoformat(text)
        found.timestamp() if found.tzinfo is not None else found.replace(tzinfo=zone_of("UTC")).timestamp()
    except (ValueError, OverflowError) as error:
        raise WindowError(f"there is no '{text}': {error}", _ADVICE) from error
    return found, False


def _next_day(day: datetime, text: str) -> datetime:
    try:
        return day + timedelta(days=1)
    except OverflowError as error:
        raise WindowError(f"'{text}' has no end", _ADVICE) from error
