"""Channels -> problems that their file alone cannot show: tenants that are missing, one address for many customers."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection

from immy_nornir.model.control.telling import Audience
from immy_nornir.model.places import Level, Problem
from immy_nornir.model.playbooks import Fleet
from immy_nornir.shapes.files import did_you_mean


def check_channels(fleet: Fleet) -> list[Problem]:
    """Every problem of the channels that needs the inventory."""
    tenants = {one.tenant for one in fleet.inventory.computers.values()}
    problems: list[Problem] = []
    for channel in fleet.channels:
        place = channel.places.get("tenants", channel.place)
        for glob in channel.tenants:
            if not _matching(tenants, glob):
                advice = did_you_mean(glob, tenants) or f"there are {', '.join(sorted(tenants)) or 'none yet'}"
                # A warning: a run with another inventory need not have all tenants.
                problems.append(Problem(place, Level.WARNING, f"'{glob}' is no tenant of the inventory", advice))
        reached = {name for glob in channel.tenants for name in _matching(tenants, glob)}
        if channel.audience is Audience.CUSTOMER and channel.apprise is not None and len(reached) > 1:
            more = f" and {len(reached) - 3} more" if len(reached) > 3 else ""
            shown = ", ".join(sorted(reached)[:3]) + more
            message = f"one address is told of {len(reached)} customers: {shown}"
            advice = "make a channel for each, or use a command, which is told in 'tenant' whose it is"
            problems.append(Problem(place, Level.WARNING, message, advice))
    return problems


def _matching(tenants: Collection[str], glob: str) -> list[str]:
    return [name for name in tenants if fnmatch.fnmatchcase(name, glob)]
