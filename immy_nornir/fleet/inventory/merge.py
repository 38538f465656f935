"""The draft of an inventory -> Computers with merged variables and Groups, by Ansible's precedence.

Weakest first: variables of `all` in the inventory, of groups in the inventory, group_vars/all beside the
sources, beside the playbooks, group_vars of other groups beside the sources, beside the playbooks; then the
computer's own, host_vars beside the sources, beside the playbooks. Mappings are replaced, never merged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from immy_nornir.fleet.inventory.draft import (
    NOTHING,
    ComputerDraft,
    Draft,
    GroupDraft,
    Spots,
    Variables,
    by_precedence,
)
from immy_nornir.fleet.inventory.tenants import Tenants
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.fleet.inventory.vars_folders import VariableFolder
from immy_nornir.model.inventory import Computer, Group, Inventory
from immy_nornir.model.places import Place
from immy_nornir.model.values import Value


class Origins(Mapping[str, Place]):
    """Places of a computer's variables, unpacked when asked for: the groups' are shared between computers."""

    __slots__ = ("_names", "_own", "_shared", "_spots")

    def __init__(self, spots: Spots, shared: Mapping[str, int], names: tuple[str, ...], own: tuple[int, ...]) -> None:
        self._spots = spots
        self._shared = shared
        self._names = names
        self._own = own

    def __getitem__(self, name: str) -> Place:
        if name in self._names:
            return self._spots.place(self._own[self._names.index(name)])
        return self._spots.place(self._shared[name])

    def __iter__(self) -> Iterator[str]:
        yield from self._shared
        yield from (name for name in self._names if name not in self._shared)

    def __len__(self) -> int:
        return len({*self._shared, *self._names})


@dataclass(frozen=True, slots=True)
class _Base:
    """What all computers of the same groups share."""

    groups: tuple[str, ...]
    variables: Variables


class Merger:
    """Merges the variables of one draft; folders are those beside the sources, in order, and beside the playbooks."""

    def __init__(self, draft: Draft, reading: Reading, beside_sources: Sequence[Path], beside: Path | None) -> None:
        self._draft = draft
        read: dict[Path, tuple[VariableFolder, VariableFolder]] = {}

        def folders(parent: Path) -> tuple[VariableFolder, VariableFolder]:
            real = parent.resolve()
            if real not in read:
                read[real] = (
                    VariableFolder(parent / "group_vars", draft, reading),
                    VariableFolder(parent / "host_vars", draft, reading),
                )
            return read[real]

        self._sources = [folders(parent) for parent in beside_sources]
        self._play = [folders(beside)] if beside is not None else []
        self._bases: dict[tuple[int, ...], _Base] = {}
        self._shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._tenants = Tenants(draft)

    def inventory(self) -> Inventory:
        """Everything merged."""
        computers = {name: self._computer(computer) for name, computer in self._draft.computers.items()}
        groups = {
            name: Group(
                name,
                tuple(child.name for child in group.children),
                tuple(group.computers),
                self._all_of(group).over(group.variables).values,
                group.priority,
            )
            for name, group in self._draft.groups.items()
        }
        for group_vars, host_vars in dict.fromkeys((*self._sources, *self._play)):
            group_vars.name_unread(self._draft.groups, "group")
            host_vars.name_unread(self._draft.computers, "computer")
        return Inventory(computers, groups, self._draft.secrets)

    def _all_of(self, group: GroupDraft) -> Variables:
        result = NOTHING
        for group_vars, _ in (*self._sources, *self._play):
            result = group_vars.of(group.name).over(result)
        return result

    def _base(self, computer: ComputerDraft) -> _Base:
        key = tuple(id(group) for group in computer.groups)
        base = self._bases.get(key)
        if base is None:
            base = self._bases[key] = self._new_base(computer)
        return base

    def _new_base(self, computer: ComputerDraft) -> _Base:
        members: set[GroupDraft] = set(computer.groups)
        for group in computer.groups:
            members |= group.ancestors()
        ordered = by_precedence(members)
        everything = self._draft.groups["all"]
        others = [group for group in ordered if group is not everything]
        merged = everything.variables
        for group in others:
            merged = group.variables.over(merged)
        for folders in (self._sources, self._play):
            for group_vars, _ in folders:
                merged = group_vars.of("all").over(merged)
        for folders in (self._sources, self._play):
            for group_vars, _ in folders:
                for group in others:
                    merged = group_vars.of(group.name).over(merged)
        return _Base(tuple(group.name for group in ordered), merged)

    def _computer(self, draft: ComputerDraft) -> Computer:
        base = self._base(draft)
        own = draft.variables
        for folders in (self._sources, self._play):
            for _, host_vars in folders:
                own = host_vars.of(draft.name).over(own)
        variables: Mapping[str, Value] = base.variables.values
        if own.values:
            variables = {**variables, **own.values}
        unread = own.over(Variables(unread=base.variables.unread)).unread
        names = tuple(own.spots)
        origins = Origins(
            self._draft.spots, base.variables.spots, self._shapes.setdefault(names, names), tuple(own.spots.values())
        )
        tenant = self._tenants.of(draft.name, base.groups, variables, origins)
        return Computer(sys.intern(draft.name), tenant, base.groups, variables, origins, unread)
