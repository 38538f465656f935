"""Computers that are reached at one address -> a warning where nothing says which machine each of them has to be."""

from __future__ import annotations

from collections.abc import Iterable

from immy_nornir.fleet.inventory.addresses import LOCAL
from immy_nornir.model.inventory import Computer
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.protocols import Address
from immy_nornir.text.plain import and_more

_TOLD = 3
_HOSTS = ("ansible_host", "ansible_winrm_host", "ansible_psrp_host", "ansible_ssh_host", "ansible_connection")


def shared_addresses(reached: Iterable[tuple[Computer, Address]]) -> list[Problem]:
    """One warning for each address with several computers of which one at least has no `immy_identity`.

    Work for one of them would be done on the machine of the other. Ports count: behind one address there may be many.
    """
    by_address: dict[tuple[str, str, int], list[Computer]] = {}
    for computer, address in reached:
        by_address.setdefault((address.kind, address.host.lower(), address.port), []).append(computer)
    problems = []
    for (kind, host, port), computers in by_address.items():
        unpinned = [one for one in computers if not one.variables.get("immy_identity")]
        if len(computers) < 2 or not unpinned:
            continue
        names = ", ".join(one.name for one in computers[:_TOLD])
        more = and_more(len(computers) - _TOLD)
        where = "are this machine" if kind == LOCAL else f"are reached at one address, {host}:{port}"
        which = unpinned[-1]
        message = f"{names}{more} {where}, and {which.name} has no immy_identity"
        advice = "correct the address, or set immy_identity to the name or uuid that each of them must have"
        problems.append(Problem(_place(which), Level.WARNING, message, advice))
    return problems


def _place(computer: Computer) -> Place:
    """Where the address stands, or else any variable of the computer."""
    places = [computer.origins[name] for name in _HOSTS if name in computer.origins]
    return next(iter(places), next(iter(computer.origins.values()), Place("inventory")))
