"""`playbooks/schedules.yml` -> schedules. What needs the rest of the fleet is judged by `checks.schedules`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from immy_nornir.decide.schedules.rules import rule_of
from immy_nornir.decide.times.time_zones import zone_of
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.deployments import PATTERN, joined
from immy_nornir.fleet.playbooks import PLAY_OPTIONS
from immy_nornir.model.control.schedules import OWN_ZONE, START_WITHIN_SECONDS, Overlap, Schedule
from immy_nornir.model.places import Place
from immy_nornir.shapes.files import Source
from immy_nornir.shapes.forms import Built, Form, Key, ListOf, Record
from immy_nornir.shapes.scalars import DURATION, TEXT, Choice, Number, Schema, Text, Unreadable, refuse
from immy_nornir.text.yaml import Node, ScalarNode, SequenceNode

DAY = 86400.0
_DATE = r"\d{4}-\d\d-\d\d"


@dataclass(frozen=True, slots=True)
class CheckedText:
    """Text that something else understands: `check` raises an ImmyError, which says what is wrong and what to try."""

    wants: str
    check: Callable[[str], object]
    pattern: str = r"\S"
    """For editors only."""

    def read(self, node: Node, source: Source) -> str:
        """The text as written."""
        text = Text(self.wants).read(node, source)
        try:
            self.check(text)
        except ImmyError as error:
            source.error(node, error.message, error.advice)
            raise Unreadable from None
        return text

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string", "pattern": self.pattern}


_WHEN = CheckedText(
    "a time such as 'daily 04:00', 'Patch Tuesday + 3 days at 22:00', '30 22 * * mon-fri' or an RRULE", rule_of
)
"""Cron, a rule of RFC 5545, or words."""


@dataclass(frozen=True, slots=True)
class _Zone:
    """A name of the time zone database, or `computer`."""

    wants: str = "a time zone such as Europe/Berlin, or 'computer'"

    def read(self, node: Node, source: Source) -> str:
        text = Text(self.wants).read(node, source)
        if text != OWN_ZONE:
            try:
                zone_of(text)
            except ImmyError as error:
                near = error.advice if text[:1].lower() != "c" else f"{error.advice} or 'computer'?"
                source.error(node, error.message, near)
                raise Unreadable from None
        return text

    def schema(self) -> Schema:
        return {"type": "string", "pattern": r"\S"}


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of the calendar."""

    wants: str = "a day such as 2030-01-31"

    def read(self, node: Node, source: Source) -> date:
        if isinstance(node, ScalarNode) and re.fullmatch(_DATE, node.value, re.ASCII):
            try:
                return date.fromisoformat(node.value)
            except ValueError:
                pass
        raise refuse(node, source, self.wants)

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{_DATE}$"}


ONE_LINE = Text("a name in one line, up to 80 characters", r"[^\s\x00-\x1f\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f]{0,79})")
_LIMIT = Number("a whole number", whole=True, minimum=0)

NAME = Key("name", ONE_LINE, "What it is called; its occasions are known by it for ever.", required=True)
WHEN = Key("when", _WHEN, "When it is due: cron, a rule of RFC 5545, or words (docs/schedules.md).", required=True)
ZONE = Key("zone", _Zone(), "By which clock: `computer` (default: each computer's own), or such as Europe/Berlin.")
PLAYBOOK = Key("playbook", TEXT, "What is done: a playbook such as playbooks/weekly.yml.")
HOSTS = Key("hosts", PATTERN, "Pattern of computers and groups; with a playbook instead of its plays' own.")
MAINTENANCE = Key("maintenance", TEXT, "Without a playbook: the maintenance type; full if not said.")
ITEMS = Key("items", ListOf(TEXT, single=True), "Without a playbook: globs over items; all if not said.")
SPLAY = Key("splay", DURATION, "The starts of one occasion are spread over so long.")
STAGGER = Key("stagger", DURATION, "The tenants are spread over so long: each has its own occasion, at its own time.")
FIRST = Key("first", _Day(), "The first day, in its zone.")
LAST = Key("last", _Day(), "The last day, in its zone.")
PAUSED = Key("paused", TEXT, "Why nothing of it begins; remove the key to go on.")
OVERLAP = Key("overlap", Choice(Overlap), "While the one before is at work: skip (default), or queue.")
WITHIN = Key("start_within", DURATION, "How late it may begin (2h); later it is skipped, and told.")
CHANGES = Key("max_changes", _LIMIT, "Most actions of one occasion; has to be said where computers are changed.")
REBOOTS = Key("max_reboots", _LIMIT, "Most computers that may reboot in one occasion; as max_changes.")

_KEYS: tuple[Key[object], ...] = (
    NAME, WHEN, ZONE, PLAYBOOK, HOSTS, MAINTENANCE, ITEMS, PLAY_OPTIONS, SPLAY, STAGGER, FIRST, LAST, PAUSED, OVERLAP,
    WITHIN, CHANGES, REBOOTS,
)  # fmt: skip
_LONGEST: dict[Key[int], float] = {SPLAY: DAY, STAGGER: 7 * DAY, WITHIN: 7 * DAY}


def _schedule(record: Record) -> Schedule:
    _judge(record)
    name, when = record.take(NAME, ""), record.take(WHEN, "")
    hosts, most, reboots = record.get(HOSTS), record.get(CHANGES), record.get(REBOOTS)
    schedule = Schedule(name=name, place=record.place(), when=when)
    return replace(
        schedule,
        zone=record.take(ZONE, schedule.zone),
        playbook=record.take(PLAYBOOK, ""),
        hosts=joined(hosts) if hosts else "",
        maintenance=record.take(MAINTENANCE, schedule.maintenance),
        items=record.take(ITEMS, ()),
        options=record.take(PLAY_OPTIONS, {}),
        splay=float(record.take(SPLAY, 0)),
        stagger=float(record.take(STAGGER, 0)),
        first=record.get(FIRST),
        last=record.get(LAST),
        paused=record.take(PAUSED, ""),
        overlap=record.take(OVERLAP, schedule.overlap),
        start_within=float(record.take(WITHIN, int(START_WITHIN_SECONDS))),
        max_changes=None if most is None else int(most),
        max_reboots=None if reboots is None else int(reboots),
        places=dict(_places(record)),
    )


def _judge(record: Record) -> None:
    """What contradicts itself."""
    if record.has(PLAYBOOK):
        for key in (MAINTENANCE, ITEMS):
            if record.has(key):
                advice = "remove it, or name 'hosts' instead of the playbook"
                record.error(key, f"'{key.name}' goes with 'hosts' alone; a playbook's plays have their own", advice)
    elif not record.has(HOSTS):
        record.error(None, "nothing says what is done", "add 'playbook:', or 'hosts:' and 'maintenance:'")
    first, last = record.get(FIRST), record.get(LAST)
    if first is not None and last is not None and last < first:
        record.error(LAST, f"the last day, {last}, comes before the first, {first}")
    for lasting, most in _LONGEST.items():
        if (said := record.get(lasting)) is not None and said > most:
            longest = f"{most / DAY:.0f} days" if most > DAY else "a day"
            record.error(lasting, f"'{lasting.name}' is longer than {longest}")


def _places(record: Record) -> Iterator[tuple[str, Place]]:
    """Where its values stand, and each item."""
    for name, node in record.nodes.items():
        yield name, record.source.place(node)
        if name == ITEMS.name and isinstance(node, SequenceNode):
            for child in node.value:
                if isinstance(child, ScalarNode):
                    yield f"{name} {child.value}", record.source.place(child)


SCHEDULES = ListOf(Built(Form("a schedule", _KEYS), _schedule), filled=True)


def read_schedules(node: Node, source: Source) -> tuple[Schedule, ...]:
    """All schedules of the file, in its order; of two with one name the first.

    Those that are read in half have no name or no time: nobody may take them for schedules.
    """
    try:
        read = SCHEDULES.read(node, source)
    except Unreadable:
        return ()
    found: dict[str, Schedule] = {}
    half: list[Schedule] = []
    for one in read:
        if not (one.name and one.when):
            half.append(one)
            continue
        first = found.setdefault(one.name, one)
        if first is not one:
            place = one.places.get("name", one.place)
            source.error(place, f"the schedule '{one.name}' stands twice", f"the first is at {first.place}")
    return (*found.values(), *half)
