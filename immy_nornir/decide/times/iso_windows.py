"""The option `window` as an ISO 8601 time or interval: `BEGIN`, `BEGIN/END` or `BEGIN/DURATION` -> two instants; pure.

BEGIN and END are wall clock times of the computer, or instants where BEGIN has an offset (END then has the same, unless
it says another). Without an end a window is open for OPEN_HOURS. Hours, minutes and seconds of a duration are elapsed
time; its days and weeks are days of the wall clock, which a clock change makes longer or shorter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from immy_nornir.decide.times.time_zones import WindowError, instant

OPEN_HOURS: Final = 8
"""How long a window stays open that does not say its end: a night."""
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,7})S)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class IsoWindow:
    """A window that comes once."""

    text: str
    begins: datetime
    ends: datetime | None = None
    """None: by the days and seconds after the beginning."""
    days: int = 0
    seconds: float = OPEN_HOURS * 3600.0

    def between(self, zone: ZoneInfo) -> tuple[float, float]:
        """Its beginning and its end in a zone. Raises WindowError where there is no time between them."""
        try:
            begin = _moment(self.begins, zone)
            if self.ends is not None:
                end = _moment(self.ends, zone)
            else:
                days = timedelta(days=self.days)
                end = (_moment(self.begins + days, zone) if self.days else begin) + self.seconds
        except (OverflowError, ValueError, OSError) as error:
            raise WindowError(f"'{self.text}' is no window: {error}") from error
        if end <= begin:
            raise WindowError(f"'{self.text}' is no window: it ends before it has begun")
        return begin, end


def _moment(time: datetime, zone: ZoneInfo) -> float:
    return time.timestamp() if time.tzinfo is not None else instant(time, zone)


def parse_iso_window(text: str) -> IsoWindow | None:
    """A window that begins with a date; None where the text is no ISO time or interval. Raises WindowError."""
    begin, slash, end = (part.strip() for part in text.partition("/"))
    begins = _time(begin)
    if begins is None:
        return None
    if not slash:
        return IsoWindow(text, begins)
    if end.startswith("P"):
        found = _DURATION.fullmatch(end)
        parts = {name: int(value or 0) for name, value in found.groupdict().items()} if found is not None else {}
        if not any(parts.values()):
            advice = "write it like PT4H, PT90M or P1D"
            raise WindowError(f"'{end}' is no duration of a window", advice)
        days = parts["weeks"] * 7 + parts["days"]
        return IsoWindow(text, begins, None, days, parts["hours"] * 3600.0 + parts["minutes"] * 60.0 + parts["seconds"])
    ends = _time(end)
    if ends is None:
        raise WindowError(f"'{end}' is no end of a window", "write it like 2030-02-01T02:00, or PT4H for its length")
    if begins.tzinfo is None and ends.tzinfo is not None:
        raise WindowError(f"'{text}' is no window: its end has an offset and its beginning none", "give both, or none")
    return IsoWindow(text, begins, ends if ends.tzinfo is not None else ends.replace(tzinfo=begins.tzinfo))


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if re.match(r"\d{4}-", text) else None
    except ValueError:
        return None
