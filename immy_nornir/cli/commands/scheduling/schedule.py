"""`immy schedule list|preview`: when schedules are due, and what became of them.

The group finds commands in other modules by MORE, so that they know this one and not the other way round.
"""

from __future__ import annotations

import datetime
import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import options, startup, table
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.times import Zone
from immy_nornir.errors import HistoryError, UsageError
from immy_nornir.text import json
from immy_nornir.text.plain import and_more

if TYPE_CHECKING:
    from immy_nornir.decide.schedules import Member
    from immy_nornir.model.control.schedules import KnownOccasion, Occasion, Schedule
    from immy_nornir.model.places import Problem
    from immy_nornir.model.playbooks import Fleet, Play

SCHEMA_VERSION = 1
MORE: Mapping[str, tuple[str, str]] = {
    "export": ("immy_nornir.cli.commands.scheduling.schedule_export", "export"),
    "run": ("immy_nornir.cli.commands.scheduling.schedule_run", "run"),
    "status": ("immy_nornir.cli.commands.scheduling.schedule_run", "status"),
}
"""Commands of other modules: name -> module and attribute."""
_MOST = 10_000
"""Occasions that a preview shows at the most."""
_DAY = 86400.0


class _Group(click.Group):
    """A group that imports the commands of MORE when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *MORE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in MORE:
            module, name = MORE[cmd_name]
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Group)
def schedule() -> None:
    """Begin work by itself: when schedules are due, the service that begins them, and how others can."""


# --- what all of them know ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule with its plays and computers, and its parts."""

    schedule: Schedule
    plays: tuple[Play, ...]
    members: tuple[Member, ...]
    parts: Mapping[str, tuple[str, ...]]

    @property
    def asked(self) -> list[str]:
        """Its parts; where it has no computers one that stands for all of it."""
        return list(self.parts) or [""]

    def tenants(self, part: str) -> list[str]:
        """The tenants of a part's computers."""
        names = set(self.parts.get(part, ()))
        return sorted({one.tenant for one in self.members if one.name in names})


@dataclass(frozen=True, slots=True)
class Known:
    """The schedules of a fleet, with what the history knows of them."""

    root: Path
    fleet: Fleet
    schedules: tuple[Scheduled, ...]
    last: Mapping[str, KnownOccasion]
    counts: Mapping[str, Mapping[Any, int]]


def known_of(ctx: click.Context, sources: Sequence[Path]) -> Known:
    """The fleet's schedules, with what the history knows. Raises FilesError for errors in the files."""
    from immy_nornir.fleet.load import load_scheduled
    from immy_nornir.history.queries import FILE, Reader

    root = startup.root_of(ctx)
    fleet, _ = startup.load(root, sources, scheduled=lambda read: judged(root, read, books=True))
    books = load_scheduled(root, fleet, [])
    try:
        reader = Reader(startup.state_of(ctx, root) / FILE)
    except HistoryError:
        reader = None  # there is none yet, and nothing was done
    try:
        scheduled = tuple(_scheduled(one, fleet, books, reader) for one in fleet.schedules)
        last = reader.last_occasions() if reader is not None else {}
        runs = {one.run_id for one in last.values() if one.run_id}
        counts = {run: reader.statuses_of_runs(run).get(run, {}) for run in runs} if reader is not None else {}
    finally:
        if reader is not None:
            reader.close()
    return Known(root, fleet, scheduled, last, counts)


def judged(root: Path, fleet: Fleet, *, books: bool) -> list[Problem]:
    """What is wrong with the schedules of a fleet, as lint tells it; `books`: and with the playbooks that they name."""
    from immy_nornir.fleet.checks.schedules import check_schedules
    from immy_nornir.fleet.load import load_playbook, playbook_files
    from immy_nornir.model.places import Level

    named, read, problems = {one.playbook for one in fleet.schedules}, [], []
    for file in playbook_files(root):
        book, found = load_playbook(root, file)
        read.append(book)
        problems += found if books and book.file in named else []
    problems += check_schedules(fleet, read, time.time(), read_file=startup.read_lines)
    return [one for one in problems if one.level is Level.ERROR]


def _scheduled(one: Schedule, fleet: Fleet, books: Mapping[str, Any], reader: Any) -> Scheduled:
    from immy_nornir.decide.resolve import patterns
    from immy_nornir.decide.schedules import parts_of
    from immy_nornir.decide.schedules.members import members_of
    from immy_nornir.decide.schedules.work import plays_of

    plays = plays_of(one, books.get(one.playbook))
    selected = (patterns.select(fleet.inventory, play.hosts, None, read_file=startup.read_lines) for play in plays)
    names = dict.fromkeys(name for each in selected for name in each)
    members = members_of(startup.computers_of(fleet.inventory, names), reader.facts if reader is not None else None)
    return Scheduled(one, plays, tuple(members), parts_of(one, members))


def named(known: Sequence[Scheduled], name: str | None) -> list[Scheduled]:
    """The schedule of a name, or all. Raises UsageError, with what is near, where there is none."""
    if name is None:
        return list(known)
    found = [one for one in known if one.schedule.name == name]
    if not found:
        import difflib

        names = [one.schedule.name for one in known]
        near = difflib.get_close_matches(name, names, 1)
        there = f"there are {', '.join(names)}" if names else "write playbooks/schedules.yml"
        raise UsageError(f"there is no schedule '{name}'", f"did you mean '{near[0]}'?" if near else there)
    return found


# --- list ---------------------------------------------------------------------------------------------------------


@schedule.command("list")
@options.sources
@options.vault
@options.form
@click.pass_context
def list_(ctx: click.Context, sources: tuple[Path, ...], form: str) -> None:
    """List the schedules: when each is due next, by its own clock and here, and what became of it last."""
    from immy_nornir.decide.schedules import next_occasion, rule_of

    known, now = known_of(ctx, sources), time.time()
    due = {one.schedule.name: next_occasion(one.schedule, one.asked, now) for one in known.schedules}
    if form == "json":
        listed = [_listed(one, due[one.schedule.name], known) for one in known.schedules]
        say_json(json.indented({"schema_version": SCHEMA_VERSION, "schedules": listed}))
        return
    if not known.schedules:
        say("no schedules: they are written into playbooks/schedules.yml", err=True)
        return
    moments = [one.due_at for one in due.values() if one is not None]
    zone = Zone(moments)
    rows = []
    for one in known.schedules:
        plan, coming = one.schedule, due[one.schedule.name]
        told = "paused" if plan.paused else coming.told if coming is not None else "never"
        here = "" if plan.paused or coming is None else zone.when(coming.due_at)[:16]
        last = f"paused: {plan.paused}" if plan.paused else _became(known.last.get(plan.name), known.counts)
        words = rule_of(plan.when).words
        rows.append((plan.name, words, plan.zone, told, here, str(len(one.members)), last))
    heads = ("NAME", "WHEN", "ZONE", "NEXT", f"HERE ({zone.offset})", "COMPUTERS", "LAST")
    table.show(heads, rows)
    for line in _unknown_zones(known.schedules):
        say(line, err=True)


def _became(last: KnownOccasion | None, counts: Mapping[str, Mapping[Any, int]]) -> str:
    from immy_nornir.model.control.schedules import OccasionState
    from immy_nornir.model.record.status import STATUSES

    if last is None:
        return "none yet"
    told = last.occasion.told
    if last.state is OccasionState.SKIPPED:
        return f"{told}: skipped: {last.reason}"
    found = counts.get(last.run_id, {})
    sessions = ", ".join(f"{found[one]:,} {STATUSES[one]}" for one in STATUSES if found.get(one))
    return (
        f"{told}: run {last.run_id} {'ended' if last.ended else 'has not ended'}{f': {sessions}' if sessions else ''}"
    )


def _unknown_zones(schedules: Sequence[Scheduled]) -> list[str]:
    from immy_nornir.decide.schedules.due import FALLBACK_ZONE
    from immy_nornir.model.control.schedules import OWN_ZONE

    own = (one for one in schedules if one.schedule.zone == OWN_ZONE)
    names = sorted({member.name for one in own for member in one.members if not member.zone})
    if not names:
        return []
    more = and_more(len(names) - 5)
    told = f"nobody knows the zone of {', '.join(names[:5])}{more}"
    return [f"{told}: {FALLBACK_ZONE} is taken until they report one, or immy_time_zone says it"]


def _listed(one: Scheduled, coming: Any, known: Known) -> dict[str, object]:
    from immy_nornir.decide.schedules import rule_of

    plan, last = one.schedule, known.last.get(one.schedule.name)
    return {
        "name": plan.name,
        "when": plan.when,
        "words": rule_of(plan.when).words,
        "zone": plan.zone,
        "place": str(plan.place),
        "paused": plan.paused,
        "computers": len(one.members),
        "tenants": len({each.tenant for each in one.members}),
        "zones_unknown": sum(not each.zone for each in one.members),
        "next": None if coming is None else {"part": coming.part, "due_at": coming.due_at, "told": coming.told},
        "last": None
        if last is None
        else {
            "part": last.occasion.part,
            "due_at": last.occasion.due_at,
            "told": last.occasion.told,
            "state": str(last.state),
            "run": last.run_id,
            "ended": last.ended,
            "reason": last.reason,
            "sessions": {str(name): number for name, number in known.counts.get(last.run_id, {}).items()},
        },
    }


# --- preview ------------------------------------------------------------------------------------------------------


@schedule.command()
@click.argument("name", required=False)
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="So many days.")
@click.option(
    "--from",
    "first",
    metavar="DAY",
    type=click.DateTime(["%Y-%m-%d"]),
    help="From this day on, as 2030-01-31; now if not given.",
)
@options.sources
@options.vault
@options.form
@click.pass_context
def preview(
    ctx: click.Context,
    name: str | None,
    days: int,
    first: datetime.datetime | None,
    sources: tuple[Path, ...],
    form: str,
) -> None:
    """Show every time at which the schedules, or the one called NAME, are due, with what clock changes do to it."""
    from immy_nornir.decide.schedules.due import remarked

    known = known_of(ctx, sources)
    chosen = named(known.schedules, name)
    start = time.time() if first is None else first.timestamp()
    paused = [one.schedule for one in chosen if one.schedule.paused]
    found = sorted(
        (
            (occasion, remark, one)
            for one in chosen
            if not one.schedule.paused
            for occasion, remark in islice(remarked(one.schedule, one.asked, start, start + days * _DAY), _MOST + 1)
        ),
        key=lambda each: (each[0].due_at, each[0].schedule, each[0].part),
    )
    shown = found[:_MOST]
    if form == "json":
        document = {"schema_version": SCHEMA_VERSION, "occasions": [_previewed(*one) for one in shown]}
        more = {"more": len(found) > _MOST, "paused": {one.name: one.paused for one in paused}}
        say_json(json.indented({**document, **more}))
        return
    if shown:
        _show_preview(shown)
    else:
        say(f"nothing is due within {days} days", err=True)
    for plan in paused:
        say(f"'{plan.name}' is paused: {plan.paused}", err=True)
    if len(found) > _MOST:
        say(f"and more: at the most {_MOST:,} are shown; --days asks for fewer", err=True)


def _previewed(occasion: Occasion, remark: str, one: Scheduled) -> dict[str, object]:
    return {
        "schedule": occasion.schedule,
        "part": occasion.part,
        "due_at": occasion.due_at,
        "told": occasion.told,
        "computers": len(one.parts.get(occasion.part, ())),
        "tenants": one.tenants(occasion.part),
        "remark": remark,
    }


def _show_preview(shown: Sequence[tuple[Occasion, str, Scheduled]]) -> None:
    zone = Zone(occasion.due_at for occasion, _, _ in shown)
    rows = [
        (
            occasion.told,
            zone.when(occasion.due_at)[:16],
            occasion.schedule,
            str(len(one.parts.get(occasion.part, ()))),
            ", ".join(tenants) if len(tenants := one.tenants(occasion.part)) < 3 else f"{len(tenants)} tenants",
            remark,
        )
        for occasion, remark, one in shown
    ]
    table.show(("DUE", f"HERE ({zone.offset})", "SCHEDULE", "COMPUTERS", "TENANTS", "REMARK"), rows)
