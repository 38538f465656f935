"""Whether work fits into its window, by how long it took before: a warning, and never more than that; pure.

What was never timed stays unknown: an estimate then says that it is one of the rest.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from immy_nornir.decide import holds
from immy_nornir.decide.times import windows
from immy_nornir.decide.times.windows import BusinessHours
from immy_nornir.model.control.holds import Hold
from immy_nornir.model.plan import Outlook
from immy_nornir.text.plain import counted

LAST: Final = 5
"""How many of the newest durations are looked at: their median, so that one that hung says nothing."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long work will take, and by what that is known."""

    seconds: float
    by: str


def by_sessions(durations: Sequence[float]) -> Estimate | None:
    """By the work of earlier sessions of the same computer and type; None where there was none."""
    if not durations:
        return None
    last = "its last session" if len(durations) == 1 else f"its last {len(durations)} sessions"
    return Estimate(statistics.median(durations), f"by {last}")


def by_actions(items: Iterable[str], known: Mapping[str, Sequence[float]]) -> Estimate | None:
    """By earlier actions for the same items on any computer; None where no item was ever worked on."""
    wanted = list(items)
    timed = [statistics.median(known[one]) for one in wanted if known.get(one)]
    if not timed:
        return None
    unknown = len(wanted) - len(timed)
    rest = f", and {counted(unknown, 'action')} of which nobody knows it" if unknown else ""
    return Estimate(sum(timed), f"by what such actions took before{rest}")


def outlook(
    estimate: Estimate | None, window: str, hours: BusinessHours | None, zone: str, now: float, kept: Iterable[Hold]
) -> Outlook | None:
    """An estimate beside the time that the next opening leaves; None where nothing was ever timed.

    Raises: WindowError where the window cannot be worked out.
    """
    if estimate is None:
        return None
    known, length = list(kept), math.inf
    found = windows.opening(window, hours, zone, now, now)
    if found is not None:
        begins = max(now, found.begins)
        while (hold := holds.in_force(known, begins)) is not None:
            if hold.until is None or hold.until >= found.ends:
                break  # it is held all the time, which is told elsewhere
            begins = hold.until
        cut = holds.next_after(known, begins)
        length = min(found.ends, cut.begins if cut is not None else math.inf) - begins
    lasts = lasting(estimate.seconds)
    said = f"{lasts if lasts == _SHORT else f'about {lasts}'} {estimate.by}"
    if length > _FOREVER:
        return Outlook(said, True)
    fits = estimate.seconds <= length
    return Outlook(f"{said}; window {window} is open for {lasting(length)}{'' if fits else ': it may not fit'}", fits)


_FOREVER: Final = 30 * 86400.0
"""Nobody plans with an end so far away: a blackout of another year, for instance."""
_SHORT: Final = "less than a minute"


def lasting(seconds: float) -> str:
    """A length of time as people plan with it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return _SHORT
    if minutes < 100:
        return f"{minutes} min"
    hours = seconds / 3600
    return f"{hours:.1f} h".replace(".0 h", " h") if hours < 48 else f"{hours / 24:.1f} days".replace(".0 ", " ")
