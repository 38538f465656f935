"""Schedules -> jobs: one for each part, with the command that does its work and the times that can be written down.

Times are calendars where days, weekdays and months say all of them; else the single times of a year, which have to be
exported again.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from immy_nornir.decide.schedules import occasions, rule_of
from immy_nornir.decide.schedules.calendars import DAY_MINUTES, LAST, Calendar, CalendarRule
from immy_nornir.decide.schedules.due import delay_of, zone_of_part
from immy_nornir.model.control.schedules import Occasion, Schedule
from immy_nornir.text.plain import plain

YEAR_DAYS: Final = 366
_MOST_MOMENTS: Final = 400
MOST_TRIGGERS: Final = 48
"""Of a task of Windows."""
_LONGEST_LIMIT: Final = 6_000
"""Characters of the computers' names in one command; Windows takes 32,767 for the whole of it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One part of a schedule as others can start it."""

    name: str
    """For files and units."""
    title: str
    words: tuple[str, ...]
    """The command; a secret is in none of them."""
    zone: str
    schedule: Schedule
    calendars: tuple[Calendar, ...] = ()
    """By the clock of the zone, of times, months, days and weekdays only; empty: `moments` are its times."""
    moments: tuple[Occasion, ...] = ()
    coming: tuple[Occasion, ...] = ()
    """The next ones, as many as one task of Windows takes."""
    remarks: tuple[str, ...] = ()
    refused: str = ""
    """Why nothing right can be written."""


def jobs_of(
    schedule: Schedule,
    parts: Mapping[str, Sequence[str]],
    program: Sequence[str],
    now: float,
    more: Sequence[str] = (),
    groups: Mapping[str, Collection[str]] | None = None,
) -> list[Job]:
    """The jobs of a schedule, one for each part; `program` runs immy, and `more` are words for its end.

    `groups` of the schedule's computers say a part by a name where one of them holds exactly its computers.
    """
    named = {frozenset(names): group for group, names in sorted((groups or {}).items(), reverse=True)}
    jobs = []
    for part in sorted(parts) or [""]:
        zone = zone_of_part(schedule, part).key
        name = slug(f"{schedule.name} {part.replace('zone=', '').replace('tenant=', '')}".strip())
        title = f"immy: {schedule.name}{f' ({part})' if part else ''}"
        names = parts.get(part, ()) if len(parts) > 1 else ()
        group = named.get(frozenset(names), "") if names else ""
        limit = group or ",".join(names)
        job = Job(name, title, (*words_of(schedule, program, limit), *more), zone, schedule)
        if schedule.paused:
            job = dataclasses.replace(job, refused=f"it is paused: {schedule.paused}")
        elif len(limit) > _LONGEST_LIMIT:
            job = dataclasses.replace(job, refused=f"it has {len(parts[part]):,} computers, too many for a command")
        elif limit and not group:
            told = "its computers are those of the day of the export: they do not follow the files"
            job = dataclasses.replace(job, remarks=(told,))
        jobs.append(_timed(job, part, now))
    return jobs


def _timed(job: Job, part: str, now: float) -> Job:
    schedule = job.schedule
    calendars = _calendars(schedule, int(delay_of(schedule, part)) // 60)
    if calendars and schedule.first is None and schedule.last is None:
        coming = islice(occasions(schedule, [part], now, now + 5 * YEAR_DAYS * 86400.0), MOST_TRIGGERS)
        return dataclasses.replace(job, calendars=calendars, coming=tuple(coming))
    found = tuple(islice(occasions(schedule, [part], now, now + YEAR_DAYS * 86400.0), _MOST_MOMENTS + 1))
    if len(found) > _MOST_MOMENTS:
        return dataclasses.replace(
            job, refused=f"it has more than {_MOST_MOMENTS} times a year that follow no calendar"
        )
    if not found:
        return dataclasses.replace(job, refused="it does not come within a year")
    told = "its times are written down one by one, for a year: export again before that is over"
    return dataclasses.replace(job, moments=found, coming=found[:MOST_TRIGGERS], remarks=(*job.remarks, told))


def unlike(jobs: Sequence[Job]) -> list[Job]:
    """Each with a name of its own."""
    seen: dict[str, int] = {}
    found = []
    for job in jobs:
        seen[job.name] = number = seen.get(job.name, 0) + 1
        found.append(job if number == 1 else dataclasses.replace(job, name=f"{job.name}-{number}"))
    return found


def slug(name: str) -> str:
    """A name as files, units and tasks may have it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "schedule"


def words_of(schedule: Schedule, program: Sequence[str], limit: str = "") -> tuple[str, ...]:
    """The command that does what an occasion of the schedule does."""
    words = [*program, "run"]
    if schedule.playbook:
        words += [schedule.playbook, *(["--on", schedule.hosts] if schedule.hosts else [])]
    else:
        words += ["--on", schedule.hosts, "--type", schedule.maintenance]
        words += [word for item in schedule.items for word in ("--item", item)]
    words += ["--limit", limit] if limit else []
    for name, said in schedule.options.items():
        value = said.value
        text = ",".join(map(str, value)) if isinstance(value, list | tuple) else plain(value)
        text = text.lower() if isinstance(value, bool) else text
        words += ["-o", f"{name}={text}"]
    for option, value in (("--max-changes", schedule.max_changes), ("--max-reboots", schedule.max_reboots)):
        words += [option, str(value)] if value is not None else []
    words += ["--splay", f"{schedule.splay:.0f}"] if schedule.splay else []
    return (*words, "--yes", "--quiet")


# --- calendars ----------------------------------------------------------------------------------------------------


def _calendars(schedule: Schedule, delay: int) -> tuple[Calendar, ...]:
    """The rule's calendars, later by minutes, without shifts and numbered weekdays; none where that cannot be said."""
    rule = rule_of(schedule.when)
    if not isinstance(rule, CalendarRule):
        return ()
    found: list[Calendar] = []
    for one in rule.calendars:
        for days in range(delay // DAY_MINUTES, delay // DAY_MINUTES + 2):
            times = tuple(each for at in one.times if 0 <= (each := at + delay - days * DAY_MINUTES) < DAY_MINUTES)
            if times:
                plain_ones = _without_shift(dataclasses.replace(one, times=times, shift=one.shift + days))
                if not plain_ones:
                    return ()
                found += plain_ones
    return tuple(found)


def _without_shift(one: Calendar) -> list[Calendar]:
    """The same days said by days of the month and of the week; none where they cannot say it."""
    if one.workdays or LAST in one.days or any(nth == LAST for _, nth in one.nths):
        return []
    bare = dataclasses.replace(one, shift=0, nths=frozenset())
    if one.nths:
        found = []
        for weekday, nth in sorted(one.nths):
            days = frozenset(range(7 * nth - 6 + one.shift, 7 * nth + one.shift + 1))
            if one.days or one.weekdays or min(days) < 1 or max(days) > (28 if one.shift else 31 + 4):
                return []
            here = frozenset(day for day in days if day <= 31)
            found.append(dataclasses.replace(bare, days=here, weekdays=frozenset({(weekday + one.shift) % 7})))
        return found
    if not one.shift:
        return [bare]
    if len(one.months) < 12:
        return []
    days = frozenset(day + one.shift for day in one.days)
    if days and (min(days) < 1 or max(days) > 28 or max(one.days) > 28):
        return []
    return [dataclasses.replace(bare, days=days, weekdays=frozenset((day + one.shift) % 7 for day in one.weekdays))]


def by_hours(times: Iterable[int]) -> list[tuple[list[int], list[int]]]:
    """Times of a day as products of hours and minutes."""
    hours: dict[int, list[int]] = {}
    for at in sorted(times):
        hours.setdefault(at % 60, []).append(at // 60)
    found: dict[tuple[int, ...], list[int]] = {}
    for minute, some in hours.items():
        found.setdefault(tuple(some), []).append(minute)
    return [(list(some), sorted(minutes)) for some, minutes in found.items()]
