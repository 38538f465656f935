"""What keeps a computer as it is: freezes of the history, blackouts of the files, holds of the inventory.

The files are those that the process last read; freezes are read again every few seconds, so that another shell's reach
the sessions under way. What cannot be read holds. Not here: what follows from it (decide.steps.times).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from immy_nornir.decide.detect.facts import known_names
from immy_nornir.decide.holds import VARIABLE, hold_of
from immy_nornir.decide.resolve import host_variables, patterns
from immy_nornir.decide.times.dates import between
from immy_nornir.decide.times.time_zones import WindowError, own_zone, zone_of
from immy_nornir.errors import HistoryError, ImmyError, PatternError
from immy_nornir.model.control.holds import Freeze, Hold, HoldKind
from immy_nornir.model.record.session import WaitKind

if TYPE_CHECKING:
    from immy_nornir.decide.steps.step import Wait
    from immy_nornir.history.store import History
    from immy_nornir.model.control.holds import Blackout
    from immy_nornir.model.inventory import Computer, Inventory
    from immy_nornir.model.playbooks import Fleet
    from immy_nornir.model.protocols import Clock
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.model.values import Value

READ_SECONDS: Final = 3.0
"""How often freezes are read while sessions are under way."""
LOOK_SECONDS: Final = 30.0
"""How often a session that waits for the end of a hold looks whether it was lifted."""
_UNREAD_SECONDS: Final = 10.0
"""When it is tried again where they could not be."""


class Holds:
    """What holds the computers of one process; used by all its threads."""

    __slots__ = ("_blackouts", "_fleet", "_freezes", "_lock", "_reached", "_read_at", "_reading", "_unread")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._read_at: float | None = None
        self._freezes: tuple[Freeze, ...] = ()
        self._unread = ""
        self._fleet: Fleet | None = None
        self._blackouts: Mapping[str, list[Blackout]] = {}
        self._reached: dict[str, frozenset[str] | str] = {}
        """By pattern of a freeze: the computers that it selects now, or why that cannot be said."""

    def of(
        self,
        fleet: Fleet,
        history: History,
        clock: Clock,
        spec: SessionSpec,
        computer: Computer | None,
        reported: object,
    ) -> tuple[Hold, ...]:
        """All holds of a session's computer that are not over; `reported` is the zone that it says it stands in."""
        self._look(history, clock)
        zone, now = _zone(spec.time_zone, reported), clock.now()
        with self._lock:
            if self._fleet is not fleet:
                self._fleet, self._reached, self._blackouts = fleet, {}, blackouts_of(fleet)
            found = [*self._of_freezes(fleet.inventory, spec.computer), *self._of_blackouts(spec.computer, zone)]
        if self._unread:
            found.append(Hold(HoldKind.UNREAD, self._unread, 0.0, now + _UNREAD_SECONDS))
        if (held := _of_inventory(computer, spec.vars, zone)) is not None:
            found.append(held)
        return tuple(one for one in found if one.until is None or now < one.until)

    def _look(self, history: History, clock: Clock) -> None:
        """Read the freezes again where it is time; whoever comes meanwhile goes by those of a moment ago."""
        if not self._reading.acquire(blocking=self._read_at is None):
            return
        try:
            now = clock.monotonic()
            if self._read_at is not None and now - self._read_at < READ_SECONDS:
                return
            try:
                with history.read() as reader:
                    self._freezes, self._unread = tuple(reader.freezes(clock.now())), ""
            except HistoryError as error:
                self._unread = f"freezes cannot be read: {error.message}"
            self._read_at = now
        finally:
            self._reading.release()

    def _of_freezes(self, inventory: Inventory, computer: str) -> Iterator[Hold]:
        for one in self._freezes:
            reached = self._reached.get(one.pattern)
            if reached is None:
                reached = self._reached[one.pattern] = reached_by(inventory, one.pattern)
            if isinstance(reached, str) or computer in reached:
                why = f"; whom it reaches is not known any more: {reached}" if isinstance(reached, str) else ""
                yield Hold(HoldKind.FREEZE, one.reason, 0.0, one.until, f"freeze {one.id} by {one.by}{why}")

    def _of_blackouts(self, computer: str, zone: str) -> Iterator[Hold]:
        for one in self._blackouts.get(computer, ()):
            for span in one.dates:
                yield Hold(HoldKind.BLACKOUT, one.reason, *between(span, zone), str(span.place or one.place))


def reached_by(inventory: Inventory, pattern: str) -> frozenset[str] | str:
    """The computers of a pattern, or why nobody can say which they are."""
    try:
        return frozenset(patterns.select(inventory, pattern))
    except PatternError as error:
        return error.message


def blackouts_of(fleet: Fleet) -> dict[str, list[Blackout]]:
    """The blackouts of each computer; lint and loading refuse patterns that cannot be read."""
    found: dict[str, list[Blackout]] = {}
    for one in fleet.blackouts:
        reached = reached_by(fleet.inventory, one.hosts)
        for name in fleet.inventory.computers if isinstance(reached, str) else reached:
            found.setdefault(name, []).append(one)
    return found


def may_be_lifted(wait: Wait, now: float) -> Wait:
    """A wait as whoever stays for it waits: a hold may end before its time, and nothing else would tell."""
    return replace(wait, until=min(wait.until, now + LOOK_SECONDS)) if wait.kind is WaitKind.HOLD else wait


def _zone(said: str, reported: object) -> str:
    """The zone of a computer; empty where nobody knows it."""
    try:
        zone = own_zone(said, reported)
        zone_of(zone)
    except WindowError:
        return ""
    return zone


def _of_inventory(computer: Computer | None, given: Mapping[str, Value], zone: str) -> Hold | None:
    variables = {} if computer is None else known_names(computer, given)
    if computer is None or VARIABLE not in variables:
        return None
    place = computer.origins.get(VARIABLE)
    told = "" if place is None else str(place)
    try:
        return hold_of(host_variables.own(variables, VARIABLE), zone, told)
    except ImmyError as error:
        return Hold(HoldKind.HOLD, f"it cannot be read: {error.message}", source=f"immy_hold, {told}")
