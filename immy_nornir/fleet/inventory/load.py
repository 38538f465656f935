"""Inventory files -> Inventory, as ansible-core reads the same files.

The way in to a fleet's computers. Sources are read in order into a draft (`inventory_sources`, with a reader
for YAML and one for INI), variables are merged by Ansible's precedence (`inventory_merge`), tenants are
decided (`tenants`). Not here: which computers a pattern selects (`decide.resolve.patterns`), how to reach them
(`addresses`), values of secrets.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

from immy_nornir.decide.resolve.patterns import LOCALHOST
from immy_nornir.fleet.inventory.draft import Draft
from immy_nornir.fleet.inventory.merge import Merger
from immy_nornir.fleet.inventory.sources import SourcesReader
from immy_nornir.fleet.inventory.tenants import tenant_of_variables
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.model.inventory import Computer, Inventory
from immy_nornir.model.places import Place, Problem
from immy_nornir.model.protocols import Vault


def load_inventory(
    sources: Sequence[Path], *, beside: Path | None = None, vault: Vault | None = None
) -> tuple[Inventory, list[Problem]]:
    """All computers and groups of the sources, and every problem of their files, by file and line.

    `beside` is the folder of the playbooks, whose group_vars and host_vars count too. `vault` opens files that are
    encrypted as a whole; those that it does not open are named, and their variables are missing. Reading goes on after
    an error, so the inventory holds what could be read. Raises nothing for bad files.
    """
    was_enabled = gc.isenabled()
    gc.disable()  # nothing of what is built here can be freed: collecting would double the time
    try:
        draft = Draft(vault)
        reading = Reading(draft)
        folders = SourcesReader(draft, reading).read(sources)
        draft.finish()
        inventory = Merger(draft, reading, folders, beside).inventory()
    finally:
        if was_enabled:
            gc.enable()
    return inventory, sorted(set(draft.problems))


def computer_named(inventory: Inventory, name: str) -> Computer:
    """A selected computer; `localhost` is made up when the inventory has none, as Ansible does.

    The made-up one has the variables of `all` and is reached without a network. Raises KeyError for other
    names that the inventory does not have.
    """
    computer = inventory.computers.get(name)
    if computer is not None:
        return computer
    if name not in LOCALHOST:
        raise KeyError(name)
    everything = inventory.groups["all"].variables if "all" in inventory.groups else {}
    variables = {**everything, "ansible_connection": "local"}
    origins: dict[str, Place] = {}
    return Computer(name, tenant_of_variables(variables), ("all",), variables, origins)
