"""Computers + what is known of them -> members of schedules: whose they are, and by which clock they live. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from immy_nornir.decide.detect.facts import known_names
from immy_nornir.decide.resolve import host_variables
from immy_nornir.decide.schedules.due import Member
from immy_nornir.decide.times.time_zones import WindowError, own_zone, zone_of
from immy_nornir.errors import ImmyError
from immy_nornir.model.facts import Facts
from immy_nornir.model.inventory import Computer
from immy_nornir.text import templates


def members_of(computers: Iterable[Computer], seen: Callable[[str], Facts] | None = None) -> list[Member]:
    """Members with their zones: what `immy_time_zone` says, else what a computer reported last, else none.

    `seen` gives a computer's last known facts, and is asked only where the inventory says nothing.
    """
    return [Member(one.name, one.tenant, _zone(one, seen)) for one in computers]


def _zone(computer: Computer, seen: Callable[[str], Facts] | None) -> str:
    said = computer.variables.get("immy_time_zone")
    if isinstance(said, str) and templates.is_template(said):
        try:
            said = host_variables.own(known_names(computer, {}), "immy_time_zone")
        except ImmyError:
            said = None
    system = seen(computer.name).values.get("system") if seen is not None and not said else None
    reported = system.get("time_zone") if isinstance(system, Mapping) else None
    try:
        return zone_of(own_zone(said if isinstance(said, str) else "", reported)).key
    except WindowError:
        return ""
