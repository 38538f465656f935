"""Schedules against the fleet, its playbooks and the calendar -> problems. Pure; the time is given.

Kept apart from `checks.fleet`: a run by hand does not wait for a schedule that is mended later.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from immy_nornir.decide.resolve.patterns import ReadFile
from immy_nornir.decide.schedules.due import FALLBACK_ZONE, Member, next_occasion, parts_of, remarked
from immy_nornir.decide.schedules.members import members_of
from immy_nornir.decide.schedules.work import changes, option_of, plays_of
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.checks.fleet import check_play
from immy_nornir.fleet.checks.rules import Targets
from immy_nornir.model.control.schedules import OWN_ZONE, Schedule
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.playbooks import Fleet, Offline, Play, Playbook
from immy_nornir.shapes.files import did_you_mean
from immy_nornir.text.plain import and_more

_YEAR = 366 * 86400.0
_LONG_AGO = 20 * _YEAR


def check_schedules(
    fleet: Fleet, playbooks: Iterable[Playbook], now: float, *, read_file: ReadFile | None = None
) -> list[Problem]:
    """Every problem of the fleet's schedules; `playbooks` are all of the fleet, `now` is seconds since 1970."""
    books = {one.file: one for one in playbooks}
    targets = Targets(fleet.inventory, read_file)
    problems: list[Problem] = []
    for schedule in fleet.schedules:
        problems += _of_schedule(schedule, fleet, books, targets, now)
    for schedule in fleet.half_read:
        problems += _named(schedule, fleet, books, targets)
    return sorted(set(problems))


def _of_schedule(
    schedule: Schedule, fleet: Fleet, books: Mapping[str, Playbook], targets: Targets, now: float
) -> Iterator[Problem]:
    yield from _named(schedule, fleet, books, targets)
    plays = plays_of(schedule, books.get(schedule.playbook))
    names = dict.fromkeys(name for play in plays for name in sorted(targets.reached(play.hosts)))
    computers = [fleet.inventory.computers[name] for name in names if name in fleet.inventory.computers]
    members = members_of(computers)
    if changes(plays, fleet.types):
        yield from _switched_on(schedule, plays, fleet, targets)
        yield from _together(schedule, members)
    if schedule.paused:
        yield Problem(_place(schedule, "paused"), Level.NOTE, f"'{schedule.name}' is paused: {schedule.paused}")
    yield from _zones(schedule, members)
    yield from _calendar(schedule, list(parts_of(schedule, members)) or [""], now)


def _named(schedule: Schedule, fleet: Fleet, books: Mapping[str, Playbook], targets: Targets) -> Iterator[Problem]:
    """What can be judged whenever it is due: the playbook, plays and items that it names, and its brakes."""
    yield from _playbook(schedule, books)
    plays = plays_of(schedule, books.get(schedule.playbook)) if schedule.playbook or schedule.hosts else ()
    for play in plays:
        # Items are judged below, and what its playbook says by itself is told there.
        own = not schedule.playbook or schedule.hosts or schedule.options
        if own:
            yield from check_play(replace(play, items=()), fleet, targets)
    yield from _items(schedule, fleet)
    if changes(plays, fleet.types):
        yield from _brakes(schedule)


def _place(schedule: Schedule, *names: str) -> Place:
    return next((schedule.places[name] for name in names if name in schedule.places), schedule.place)


def _playbook(schedule: Schedule, books: Mapping[str, Playbook]) -> Iterator[Problem]:
    if schedule.playbook and schedule.playbook not in books:
        near = f"playbooks/{schedule.playbook}" in books or f"playbooks/{schedule.playbook}.yml" in books
        advice = did_you_mean(schedule.playbook, books, 0.3 if near else 0.6) or f"there are {', '.join(sorted(books))}"
        message = f"there is no playbook '{schedule.playbook}'"
        yield Problem(_place(schedule, "playbook"), Level.ERROR, message, advice)


def _items(schedule: Schedule, fleet: Fleet) -> Iterator[Problem]:
    known = fleet.library.items
    for glob in schedule.items:
        if not any(fnmatch.fnmatchcase(one, glob) or fnmatch.fnmatchcase(one.partition("/")[2], glob) for one in known):
            advice = did_you_mean(glob, known) or "items are called software/NAME and task/NAME"
            place = _place(schedule, f"items {glob}", "items")
            yield Problem(place, Level.ERROR, f"'{glob}' names no item of the library", advice)


# --- what changes computers ---------------------------------------------------------------------------------------


def _brakes(schedule: Schedule) -> Iterator[Problem]:
    pairs = {"max_changes": schedule.max_changes, "max_reboots": schedule.max_reboots}
    missing = [name for name, value in pairs.items() if value is None]
    if missing:
        name = f"'{schedule.name}'" if schedule.name else "it"
        message = f"{name} changes computers, and does not say {' and '.join(missing)}"
        advice = "say how much nobody has to be asked about; immy schedule preview counts its computers"
        yield Problem(schedule.place, Level.ERROR, message, advice)


def _switched_on(schedule: Schedule, plays: Sequence[Play], fleet: Fleet, targets: Targets) -> Iterator[Problem]:
    """A computer that is switched on at nine must not be changed and rebooted at nine."""
    for play in plays:
        if not changes((play,), fleet.types):
            continue
        computers = (fleet.inventory.computers.get(name) for name in sorted(targets.reached(play.hosts)))
        wrong = [
            one.name
            for one in computers
            if one is not None
            and option_of(play, one, "offline") == Offline.APPLY_ON_CONNECT
            and option_of(play, one, "window") in (None, "now")
        ]
        if wrong:
            place = _place(schedule, "options") if not play.options else schedule.place
            for name in ("offline", "window"):
                said = schedule.options.get(name)
                place = said.place if said is not None and said.place is not None else place
            message = (
                f"offline: apply_on_connect with window: now changes {_listed(wrong)} at the moment when somebody "
                "switches it on"
            )
            advice = "use window: after_hours or a time, or offline: skip"
            yield Problem(place, Level.ERROR, message, advice)


def _together(schedule: Schedule, members: Sequence[Member]) -> Iterator[Problem]:
    if schedule.stagger or schedule.splay:
        return
    tenants = {one.name: one.tenant for one in members}
    most = max(
        (sorted({tenants[name] for name in names}) for names in parts_of(schedule, members).values()),
        key=len,
        default=[],
    )
    if len(most) > 1:
        where = "" if schedule.zone != OWN_ZONE else " (their computers have the same zone)"
        message = f"{len(most)} tenants start together{where}: {_listed(most)}"
        yield Problem(_place(schedule, "when"), Level.WARNING, message, "add 'stagger: 2h', or 'splay: 30m'")


# --- zones and times ----------------------------------------------------------------------------------------------


def _zones(schedule: Schedule, members: Sequence[Member]) -> Iterator[Problem]:
    unknown = [one.name for one in members if not one.zone] if schedule.zone == OWN_ZONE else []
    if unknown:
        message = f"no immy_time_zone says when '{schedule.name}' is due for {_listed(unknown)}"
        advice = f"it goes by the zone that a computer reported last, before that by {FALLBACK_ZONE}"
        yield Problem(_place(schedule, "zone"), Level.NOTE, message, advice)


def _calendar(schedule: Schedule, parts: Sequence[str], now: float) -> Iterator[Problem]:
    place = _place(schedule, "when")
    try:
        if next_occasion(schedule, parts, now) is None:
            over = next_occasion(schedule, parts, now - _LONG_AGO) is not None
            message = f"'{schedule.name}' is over: it does not come again" if over else f"'{schedule.name}' never comes"
            yield Problem(place, Level.WARNING, message, "remove it, or change 'when', 'first' or 'last'")
            return
        found = _clock_changes(schedule, parts, now)
    except ImmyError:
        return  # zones that nobody knows are told where they stand
    if found:
        more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
        message = f"the clock changes when '{schedule.name}' is due: {'; '.join(found[:2])}{more}"
        yield Problem(place, Level.WARNING, message, "choose a time that each day has once, such as 04:00")


def _clock_changes(schedule: Schedule, parts: Sequence[str], now: float) -> list[str]:
    """What clock changes do to it within a year, by zones; nothing of a rule that comes more often than each hour."""
    by_zone = {part.partition(",tenant=")[0]: part for part in parts}
    found: list[str] = []
    for part in by_zone.values():
        last = -_YEAR
        for one, remark in islice(remarked(schedule, [part], now, now + _YEAR), _MOST):
            often, last = one.due_at - last <= 3600.0, one.due_at
            if remark and not often:
                found.append(remark)
    return list(dict.fromkeys(found))


_MOST = 24 * 366


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + and_more(len(names) - 3)
