"""Names of time zones -> zones, and wall clock times -> instants; pure.

Names are those of the IANA database, or Windows' own, by CLDR (`windows_zones`). At clock changes: a time that
does not exist moves to the first instant that does; of a time that comes twice the caller says which is meant.
"""

from __future__ import annotations

import difflib
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from immy_nornir.decide.times.windows_zones import WINDOWS_ZONES
from immy_nornir.errors import ImmyError, lacking

FIRST_ZONE: Final = "Etc/GMT-14"
"""The zone in which a time of the day comes first of all."""
LAST_ZONE: Final = "Etc/GMT+12"
"""The zone in which a time of the day comes last of all."""
_NO_CHANGES: Final = "_dstoff"
"""What `tzutil` puts after the name where a computer does not follow the clock changes of its zone."""
_FOLDED: Final = {name.lower(): zone for name, zone in WINDOWS_ZONES.items()}


class WindowError(ImmyError):
    """Business hours, a window or a time zone cannot be understood."""


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """A zone by its IANA name, or by Windows' name of it. Raises WindowError with what is near."""
    iana = _FOLDED.get(name.lower(), name)
    try:
        return ZoneInfo(iana)
    except (KeyError, ValueError, OSError) as error:
        if lacking(error):
            raise
    if name.endswith(_NO_CHANGES):
        raise WindowError(f"'{name}' is a clock that ignores the changes of its zone, which no time zone here does")
    near = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
    advice = f"did you mean '{near[0]}'?" if near else "zones have names like Europe/Berlin"
    raise WindowError(f"there is no time zone '{name}'", advice)


def own_zone(said: str, reported: object) -> str:
    """The name of a computer's zone: what the inventory says, else what the computer reports.

    Raises WindowError with what to do where neither tells one.
    """
    if said:
        return said
    advice = "set immy_time_zone, such as Europe/Berlin"
    if not isinstance(reported, str) or not reported:
        raise WindowError("the computer's time zone is not known: it reports none", advice)
    try:
        zone_of(reported)
    except WindowError as error:
        raise WindowError(f"the computer's time zone is not known: {error.message}", advice) from None
    return reported


def instant(wall: datetime, zone: ZoneInfo, fold: int = 0) -> float:
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


def told(moment: float, zone: str) -> str:
    """An instant by the wall clock of a zone, for people; of UTC where there is no such zone."""
    try:
        known = zone_of(zone)
    except WindowError:
        known = ZoneInfo("UTC")
    try:
        return datetime.fromtimestamp(moment, known).strftime("%Y-%m-%d %H:%M %Z")
    except (ValueError, OverflowError, OSError):
        return "in a far future"
