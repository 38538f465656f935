"""Limits -> problems that their file alone cannot show: groups that are missing, circles of who reboots after whom."""

from __future__ import annotations

import graphlib

from immy_nornir.model.places import Level, Problem
from immy_nornir.model.playbooks import Fleet
from immy_nornir.shapes.files import did_you_mean
from immy_nornir.text.plain import and_more


def check_limits(fleet: Fleet) -> list[Problem]:
    """Every problem of the limits that needs the inventory or several of their groups."""
    groups = fleet.inventory.groups
    problems: list[Problem] = []
    for limit in fleet.limits.groups:
        for name, place in limit.names:
            if name not in groups:
                advice = did_you_mean(name, groups) or "immy inventory graph shows the groups"
                problems.append(Problem(place, Level.ERROR, f"there is no group '{name}' in the inventory", advice))
    return [*problems, *_circle(fleet), *_both(fleet)]


def _circle(fleet: Fleet) -> list[Problem]:
    """Groups that would wait for each other."""
    places = {limit.group: limit.place for limit in fleet.limits.groups}
    try:
        graphlib.TopologicalSorter({one.group: set(one.reboot_after) for one in fleet.limits.groups}).prepare()
    except graphlib.CycleError as error:
        circle = list(reversed(error.args[1]))
        message = f"who reboots after whom goes in a circle: {' after '.join(circle)}"
        place = next(places[one] for one in circle if one in places)
        return [Problem(place, Level.ERROR, message, "remove one of these 'reboot_after'")]
    return []


def _both(fleet: Fleet) -> list[Problem]:
    """Computers that would wait for themselves, or for each other: of both groups, directly or over others."""
    problems = []
    before = {one.group: one.reboot_after for one in fleet.limits.groups}
    for limit in fleet.limits.groups:
        waiting, seen = list(limit.reboot_after), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen or name == limit.group:
                continue
            seen.add(name)
            waiting.extend(before.get(name, ()))
        both = [
            one.name for one in fleet.inventory.computers.values() if limit.group in one.groups and seen & {*one.groups}
        ]
        if both:
            more = and_more(len(both) - 3)
            others = ", ".join(sorted(seen))
            message = f"{', '.join(both[:3])}{more} would wait for itself: of {limit.group} and of {others}"
            problems.append(Problem(limit.place, Level.ERROR, message, "a computer is of one of these groups only"))
    return problems
