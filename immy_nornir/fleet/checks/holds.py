"""Blackouts and holds of the inventory -> patterns that reach nobody, holds without an end, dates that are past."""

from __future__ import annotations

from collections.abc import Iterator

from immy_nornir.decide.holds import VARIABLE, read_hold, says_nothing
from immy_nornir.decide.times.dates import between, end_of
from immy_nornir.decide.times.time_zones import told
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.checks.rules import Targets
from immy_nornir.model.inventory import Inventory
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.playbooks import Fleet
from immy_nornir.model.values import Value


def check_blackouts(fleet: Fleet, targets: Targets) -> list[Problem]:
    """Patterns of blackouts that cannot be read or reach nobody."""
    return [problem for one in fleet.blackouts for problem in targets.problem(one.hosts, one.hosts_place)]


def check_holds(inventory: Inventory) -> list[Problem]:
    """Holds that nobody has said an end of: they are easily forgotten."""
    found = []
    for place, value in _holds(inventory):
        try:
            ends, _ = read_hold(value)
        except ImmyError:
            continue  # told elsewhere
        if ends is None:
            advice = "add 'until: DATE'"
            found.append(
                Problem(place, Level.NOTE, "immy_hold has no end: nothing is changed until it is gone", advice)
            )
    return found


def past_holds(fleet: Fleet, now: float) -> list[Problem]:
    """Blackouts and holds that are over wherever a computer may stand."""
    found = []
    for one in fleet.blackouts:
        for span in one.dates:
            _, ends = between(span, "")
            if ends <= now:
                what = f"the blackout {span.text} is past: it ended {told(ends, 'UTC')} at the latest"
                found.append(Problem(span.place or one.place, Level.NOTE, what, "remove it"))
    for place, value in _holds(fleet.inventory):
        try:
            until, _ = read_hold(value)
        except ImmyError:
            continue
        if until is not None and end_of(until, "") <= now:
            found.append(Problem(place, Level.NOTE, "immy_hold is past: it holds nothing any more", "remove it"))
    return found


def _holds(inventory: Inventory) -> Iterator[tuple[Place, Value]]:
    """Each hold once."""
    seen: set[Place] = set()
    for computer in inventory.computers.values():
        place = computer.origins.get(VARIABLE)
        value = computer.variables.get(VARIABLE)
        if place is not None and place not in seen and not says_nothing(value):
            seen.add(place)
            yield place, value
