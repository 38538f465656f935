"""Moments and lengths of time on screens and as they are typed: the operator's local time, its offset said once.

A screen makes one `Zone` of all its moments. JSON has seconds since 1970 or ISO in UTC, and reports are in UTC: they
are read elsewhere. What a computer does by its own clock, such as its window, is told in its own zone, which is named.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from immy_nornir.errors import UsageError


def offset_of(at: float) -> str:
    """The operator's offset from UTC at a moment, such as `UTC+02:00`."""
    text = time.strftime("%z", time.localtime(at))
    return f"UTC{text[:3]}:{text[3:5]}"


class Zone:
    """How the moments of one screen are written: those of one offset without it, others each with its own."""

    def __init__(self, moments: Iterable[float | None]) -> None:
        offsets = {offset_of(at) for at in moments if at is not None}
        self._shared = len(offsets) <= 1
        self.offset = next(iter(offsets), "") if self._shared else "local"
        """What is said once: the offset, or that each moment has its own."""

    def when(self, at: float | None) -> str:
        """A moment; empty when there is none."""
        if at is None:
            return ""
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        return text if self._shared else f"{text} {offset_of(at)}"


def clock(seconds: float) -> str:
    """A length of time for columns: `0:07`, `12:05`, `3:07:00`."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


_LASTS = re.compile(r"(\d{1,6})\s*(m|min|h|d|w)", re.ASCII)
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_ADVICE = "write 4h, 2d, 18:00, 2027-01-02 (its whole day) or 2027-01-02T18:00"


def read_until(text: str, now: float) -> float:
    """Seconds since 1970; times without an offset are the operator's own. Raises UsageError for one that is past."""
    from immy_nornir.decide.times.dates import parse_end  # lists and logs do without
    from immy_nornir.decide.times.time_zones import WindowError

    said = text.strip()
    if (length := _LASTS.fullmatch(said)) is not None:
        return now + int(length[1]) * _SECONDS[length[2]]
    try:
        if (clock := _CLOCK.fullmatch(said)) is not None:
            today = datetime.fromtimestamp(now)  # noqa: DTZ006 - the operator's own clock
            ends = today.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
            ends += timedelta(days=1) if ends.timestamp() <= now else timedelta()
        else:
            ends = parse_end(said)
        until = ends.timestamp()
    except WindowError as error:
        raise UsageError(f"--until: {error.message}", _ADVICE) from error
    except (OverflowError, ValueError, OSError) as error:
        raise UsageError(f"--until: '{text}' is no time here: {error}", _ADVICE) from error
    if until <= now:
        raise UsageError(f"--until: {text} is past ({time.strftime('%Y-%m-%d %H:%M', time.localtime(now))} now)")
    return until
