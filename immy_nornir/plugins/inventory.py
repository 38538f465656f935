"""Inventory -> Nornir's inventory: Ansible's files for any Nornir script.

A whole script:

    from nornir import InitNornir

    nr = InitNornir(
        inventory={"plugin": "immy", "options": {"sources": ["inventory"]}},
        logging={"enabled": False},
    )
    print(list(nr.filter(F(groups__contains="acme") & F(role="laptop")).inventory.hosts))

(with `from nornir.core.filter import F`). Every host has its merged variables in `data`, its tenant there as
`immy_tenant`, all its groups (ancestors too, the strongest first) in `groups`, and connection options under
`immy-winrm`, `immy-ssh` or `immy-local`. References to secrets stay SecretRef values: nothing is revealed here.
Not here: reading the files (`fleet.inventory.load`), opening connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nornir.core.inventory import ConnectionOptions, Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups

from immy_nornir.errors import FilesError
from immy_nornir.fleet.inventory.addresses import SECRET, WINRM, AddressError, address_of
from immy_nornir.fleet.inventory.load import load_inventory
from immy_nornir.fleet.inventory.tenants import TENANT_VARIABLE
from immy_nornir.model import inventory as model
from immy_nornir.model.items import Platform
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.protocols import Address


class ImmyInventory:
    """Nornir's inventory plugin `immy`; options: `sources` (a path or several), `beside` (the playbooks' folder)."""

    def __init__(
        self, sources: str | Path | Sequence[str | Path] = "inventory", beside: str | Path | None = None
    ) -> None:
        listed = [sources] if isinstance(sources, str | Path) else list(sources)
        self._sources = [Path(source).expanduser() for source in listed]
        self._beside = Path(beside).expanduser() if beside is not None else None

    def load(self) -> Inventory:
        """All hosts and groups; raises FilesError with every error of the files and of connection variables."""
        inventory, problems = load_inventory(self._sources, beside=self._beside)
        errors = [problem for problem in problems if problem.level is Level.ERROR]
        if errors:
            raise FilesError(errors)
        addresses: dict[str, Address] = {}
        for computer in inventory.computers.values():
            try:
                addresses[computer.name] = address_of(computer)
            except AddressError as error:
                place = error.place or Place(str(self._sources[0]))
                errors.append(Problem(place, Level.ERROR, error.plain_message, error.advice))
        if errors:
            raise FilesError(errors)
        groups = _groups(inventory)
        defaults = Defaults()
        hosts = Hosts(
            {name: _host(inventory.computers[name], address, groups, defaults) for name, address in addresses.items()}
        )
        return Inventory(hosts=hosts, groups=groups, defaults=defaults)


def _groups(inventory: model.Inventory) -> Groups:
    groups = Groups({name: Group(name, data=dict(group.variables)) for name, group in inventory.groups.items()})
    for group in inventory.groups.values():
        for child in group.children:
            groups[child].groups.append(groups[group.name])
    return groups


def _host(computer: model.Computer, address: Address, groups: Groups, defaults: Defaults) -> Host:
    platform = Platform.WINDOWS.value if address.kind == WINRM else _platform(computer)
    password = address.password if isinstance(address.password, str) else None
    data: dict[str, Any] = dict(computer.variables)
    data[TENANT_VARIABLE] = computer.tenant
    options = ConnectionOptions(
        hostname=_clear(address.host),
        port=address.port,
        username=_clear(address.username),
        password=password,
        platform=platform,
        extras=dict(address.settings),
    )
    return Host(
        computer.name,
        hostname=_clear(address.host),
        port=address.port,
        username=_clear(address.username),
        password=password,
        platform=platform,
        groups=ParentGroups(groups[name] for name in reversed(computer.groups)),
        data=data,
        connection_options={f"immy-{address.kind}": options},
        defaults=defaults,
    )


def _clear(text: str) -> str | None:
    """What is no secret: nothing is revealed here."""
    return text if text and text != SECRET else None


def _platform(computer: model.Computer) -> str | None:
    """What the variables say of an operating system that is reached otherwise than by WinRM."""
    shell = computer.variables.get("ansible_shell_type")
    return Platform.WINDOWS.value if shell in ("powershell", "cmd") else None
