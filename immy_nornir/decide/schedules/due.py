"""Schedules + their computers -> parts, and the occasions of each part in the order of their due times; pure.

A rule is read by the wall clock of the part's zone. A time that a clock change skips is due at the first instant that
exists after it, one that comes twice at the first of the two, and what falls together is due once. Nothing drifts:
each time is worked out from the rule, none from the one before. A span of time costs as much as its days and occasions.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from immy_nornir.decide.schedules.rules import over_at, rule_of
from immy_nornir.decide.times.time_zones import instant, told, zone_of
from immy_nornir.model.control.schedules import OWN_ZONE, Occasion, Schedule

FALLBACK_ZONE: Final = "UTC"
"""The zone of a computer that names none and has not reported one yet."""
FAR_DAYS: Final = 366 * 41
"""What does not come in so many days never comes: a Monday that is a 29 February is 40 years away at the most."""
_ZONE, _TENANT = "zone=", "tenant="
_LOWEST, _HIGHEST = date(1970, 1, 2), date(9990, 1, 1)


@dataclass(frozen=True, slots=True)
class Member:
    """A computer of a schedule; `zone` is empty where nobody knows it."""

    name: str
    tenant: str
    zone: str = ""


def parts_of(schedule: Schedule, members: Iterable[Member]) -> dict[str, tuple[str, ...]]:
    """Part -> its computers, in the order given: by zone where each has its own, by tenant where they are staggered."""
    found: dict[str, list[str]] = {}
    for one in members:
        words = []
        if schedule.zone == OWN_ZONE:
            words.append(_ZONE + zone_of(one.zone or FALLBACK_ZONE).key)
        if schedule.stagger:
            words.append(_TENANT + one.tenant)
        found.setdefault(",".join(words), []).append(one.name)
    return {part: tuple(names) for part, names in found.items()}


def zone_of_part(schedule: Schedule, part: str) -> ZoneInfo:
    """The zone by whose clock a part is due. Raises WindowError."""
    if schedule.zone != OWN_ZONE:
        return zone_of(schedule.zone)
    zone = part.partition(f",{_TENANT}")[0].removeprefix(_ZONE) if part.startswith(_ZONE) else ""
    return zone_of(zone or FALLBACK_ZONE)


def tenant_of_part(part: str) -> str:
    """The tenant of a part; empty where it has those of several."""
    return part.removeprefix(_TENANT) if part.startswith(_TENANT) else part.partition(f",{_TENANT}")[2]


def delay_of(schedule: Schedule, part: str) -> float:
    """How long after the rule's time a part is due: the same in each run, on each machine; in whole minutes."""
    tenant = tenant_of_part(part)
    if not schedule.stagger or not tenant:
        return 0.0
    unit = 60 if schedule.stagger >= 120 else 1
    places = max(1, math.ceil(schedule.stagger / unit))
    digest = hashlib.sha256(f"{schedule.name}\n{tenant}".encode("utf-8", "surrogatepass")).digest()
    return float(int.from_bytes(digest[:8], "big") % places * unit)


def occasions(schedule: Schedule, parts: Iterable[str], after: float, until: float) -> Iterator[Occasion]:
    """What is due after one instant, up to and with another, in the order of due times and then of parts.

    Pausing is not asked here. Raises ScheduleError, WindowError where the schedule cannot be understood.
    """
    return (one for one, _ in remarked(schedule, parts, after, until))


def remarked(schedule: Schedule, parts: Iterable[str], after: float, until: float) -> Iterator[tuple[Occasion, str]]:
    """The same, each with what a clock change does to it, for people; empty where none does."""
    streams = [_of_part(schedule, part, after, until) for part in sorted(set(parts))]
    return heapq.merge(*streams, key=lambda one: (one[0].due_at, one[0].part))


def next_occasion(schedule: Schedule, parts: Iterable[str], after: float) -> Occasion | None:
    """The next one; None where it never comes again (within 41 years, after which nothing new begins)."""
    return next(occasions(schedule, parts, after, after + FAR_DAYS * 86400.0), None)


def _of_part(schedule: Schedule, part: str, after: float, until: float) -> Iterator[tuple[Occasion, str]]:
    zone, delay = zone_of_part(schedule, part), delay_of(schedule, part)
    rule = rule_of(schedule.when)
    over = over_at(rule)
    # A date may be missing where a zone crossed the date line, and its times are due on the next day.
    first = max(_day(after - delay, zone) - timedelta(days=2), schedule.first or _LOWEST)
    last = min(_day(until - delay, zone) + timedelta(days=1), schedule.last or _HIGHEST)
    before = -math.inf
    for wall in rule.walls(first, last):
        at = instant(wall, zone)
        if over is not None and at > over:
            return
        if at <= before:
            continue
        before, due = at, at + delay
        if due > until:
            return
        if due > after:
            yield Occasion(schedule.name, part, due, told(due, zone.key)), _remark(wall, at, zone)


def _remark(wall: datetime, at: float, zone: ZoneInfo) -> str:
    early, late = (wall.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if early == late:
        return ""
    there = f"{wall:%Y-%m-%d %H:%M} in {zone.key}"
    if early < late:
        return f"{there} comes twice, and it is due at the first"
    return f"{there} does not exist, and it is due at {datetime.fromtimestamp(at, zone):%H:%M}"


def _day(at: float, zone: ZoneInfo) -> date:
    """The day of an instant, kept where dates can be worked with."""
    low, high = (datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() for day in (_LOWEST, _HIGHEST))
    return datetime.fromtimestamp(min(max(at, low), high), zone).date()
