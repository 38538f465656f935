"""Schedules + the fleet as its files are now -> which computers each is for, in which parts, and what it would do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.decide.resolve import patterns
from immy_nornir.decide.schedules import occasions, parts_of
from immy_nornir.decide.schedules.members import members_of
from immy_nornir.decide.schedules.work import plays_of
from immy_nornir.errors import ImmyError, UsageError
from immy_nornir.fleet.inventory.load import computer_named
from immy_nornir.model.facts import Facts

if TYPE_CHECKING:
    from immy_nornir.model.control.schedules import Occasion, Schedule
    from immy_nornir.model.inventory import Computer
    from immy_nornir.model.playbooks import Fleet, MaintenanceType, Play, Playbook
    from immy_nornir.model.values import Value
    from immy_nornir.session.engine import Engine

FRESH_SECONDS = 600.0
"""So long it is not asked again which zone computers have reported."""


@dataclass(frozen=True, slots=True)
class Part:
    """One play of a schedule's work."""

    play: Play
    type: MaintenanceType
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What a schedule does, by the files."""

    schedule: Schedule
    plays: tuple[Part, ...]
    parts: Mapping[str, tuple[str, ...]]
    """The computers of each of its parts."""
    options: Mapping[str, str]
    """Its options, as a command line would give them."""

    @property
    def changes(self) -> bool:
        """Whether any of it may change a computer."""
        return any(one.type.executes for one in self.plays)


@dataclass(slots=True)
class Works:
    """What all schedules do; worked out again where the files have changed, and now and then."""

    engine: Engine
    book_of: Callable[[Fleet, Path], Playbook]
    """Reads a playbook of the fleet. Raises: FilesError, UsageError."""
    read_file: Callable[[str], list[str]]
    """The lines of a file that a pattern names with `@`. Raises: UsageError."""
    problems: dict[str, str] = field(default_factory=dict)
    """Schedules that cannot be understood, and why: nothing of them begins."""
    _known: dict[str, Work] = field(default_factory=dict)
    _key: tuple[int, float] | None = None

    def now(self) -> Mapping[str, Work]:
        """By the name of the schedule."""
        key = (self.engine.files, self.engine.clock.monotonic() // FRESH_SECONDS)
        if key != self._key:
            self._known, self.problems = {}, {}
            with self.engine.history.read() as reader:
                facts = {name: Facts({"system": {"time_zone": zone}}) for name, zone in reader.zones().items()}
            for schedule in self.engine.fleet.schedules:
                try:
                    self._known[schedule.name] = self._work(schedule, facts)
                except ImmyError as error:
                    self.problems[schedule.name] = f"schedule {schedule.name}: {error}"
            self._key = key
        return self._known

    def schedules(self) -> Mapping[str, Schedule]:
        """Those of the files, by name."""
        return {one.name: one for one in self.engine.fleet.schedules}

    def occasions(self, schedule: Schedule, after: float, until: float) -> Iterator[Occasion]:
        """When it is due, for all of its parts."""
        return occasions(schedule, self._known[schedule.name].parts, after, until)

    def knows(self, computer: str) -> bool:
        """Whether the inventory has a computer."""
        try:
            self._named(computer)
        except KeyError:
            return False
        return True

    def _named(self, name: str) -> Computer:
        found = computer_named(self.engine.fleet.inventory, name)
        if name not in self.engine.fleet.inventory.computers:
            self.engine.names = {**self.engine.names, name: found}
        return found

    def _work(self, schedule: Schedule, facts: Mapping[str, Facts]) -> Work:
        plays = tuple(self._play(play) for play in self._plays(schedule))
        nothing = Facts({})
        names = dict.fromkeys(name for one in plays for name in one.names)
        members = members_of([self._named(name) for name in names], lambda name: facts.get(name, nothing))
        options = {name: _text(one.value) for name, one in schedule.options.items()}
        return Work(schedule, plays, parts_of(schedule, members), options)

    def _plays(self, schedule: Schedule) -> tuple[Play, ...]:
        """Without the schedule's own options and items, which are as those of a command line: they go with the run."""
        root = Path(self.engine.fleet.root)
        book = self.book_of(self.engine.fleet, root / schedule.playbook) if schedule.playbook else None
        return plays_of(dataclasses.replace(schedule, options={}, items=()), book)

    def _play(self, play: Play) -> Part:
        fleet = self.engine.fleet
        kind = fleet.types.get(play.maintenance)
        if kind is None:
            raise UsageError(f"there is no maintenance type '{play.maintenance}' ({play.place_of('maintenance')})")
        names = patterns.select(fleet.inventory, play.hosts, read_file=self.read_file)
        return Part(play, kind, tuple(names))


def _text(value: Value) -> str:
    """A value as the command line would give it."""
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ",".join(str(one) for one in value)
        case _:
            return str(value)
