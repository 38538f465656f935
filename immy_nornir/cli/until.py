"""A moment in the future as it is typed: a length of time from now, a time of the day, a date or a time."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from immy_nornir.decide.dates import parse_end
from immy_nornir.decide.time_zones import WindowError
from immy_nornir.errors import UsageError

_LENGTH = re.compile(r"(\d{1,6})\s*(m|min|h|d|w)", re.ASCII)
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_ADVICE = "write 4h, 2d, 18:00, 2027-01-02 (its whole day) or 2027-01-02T18:00"


def read_until(text: str, now: float) -> float:
    """Seconds since 1970; times without an offset are the operator's own. Raises UsageError for one that is past."""
    said = text.strip()
    if (length := _LENGTH.fullmatch(said)) is not None:
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
