"""What the readers of inventory files build: groups and computers with their own variables and places.

Follows Ansible's rules of building (who is a child of whom, what is ungrouped). Not here: reading files,
merging variables (`inventory_merge`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from immy_nornir.decide.resolve.patterns import LOCALHOST
from immy_nornir.errors import SecretError
from immy_nornir.fleet.inventory.host_names import MAX_NAMES
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.protocols import Vault
from immy_nornir.model.values import SecretRef, Value

UNREAD = "this file is left out"
"""How the problem of an encrypted file begins that could not be read; it stops nothing but what needs the file."""
_COLUMN_BITS = 12
_LINE_BITS = 32


MAX_ENTRIES = 5 * MAX_NAMES
"""How often computers may be named in all groups together."""


MAX_ABOVE = 1_000
"""How many groups may be above one."""


class Spots:
    """Places packed into one int each: a fleet has many."""

    __slots__ = ("_indexes", "files")

    def __init__(self) -> None:
        self.files: list[str] = []
        self._indexes: dict[str, int] = {}

    def base(self, file: str) -> int:
        """What to add to a line and column of this file."""
        index = self._indexes.get(file)
        if index is None:
            index = self._indexes[file] = len(self.files)
            self.files.append(file)
        return index << (_COLUMN_BITS + _LINE_BITS)

    def place(self, spot: int) -> Place:
        """The place behind a packed int."""
        return Place(
            self.files[spot >> (_COLUMN_BITS + _LINE_BITS)],
            (spot >> _COLUMN_BITS) & ((1 << _LINE_BITS) - 1),
            spot & ((1 << _COLUMN_BITS) - 1),
        )


def spot(base: int, line: int, column: int) -> int:
    """Packs a line and column, both from 1; columns beyond 4095 are shortened."""
    return base | line << _COLUMN_BITS | min(column, (1 << _COLUMN_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Variables:
    """Variables of one mapping with the packed place of each key; both read-only and shared."""

    values: Mapping[str, Value] = field(default_factory=dict)
    spots: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[Problem, ...] = ()
    """Encrypted files whose variables would belong to them, with why they could not be read."""

    def over(self, below: Variables) -> Variables:
        """Both, where these win."""
        if not below.values and not below.unread:
            return self
        if not self.values and not self.unread:
            return below
        unread = (*below.unread, *(one for one in self.unread if one not in below.unread))
        return Variables({**below.values, **self.values}, {**below.spots, **self.spots}, unread)


NOTHING = Variables()


@dataclass(slots=True, eq=False)
class GroupDraft:
    """A group while files are read."""

    name: str
    children: list[GroupDraft] = field(default_factory=list)
    parents: list[GroupDraft] = field(default_factory=list)
    computers: dict[str, ComputerDraft] = field(default_factory=dict)
    variables: Variables = NOTHING
    priority: int = 1
    depth: int = 0

    def ancestors(self) -> set[GroupDraft]:
        """All groups above."""
        found: set[GroupDraft] = set()
        waiting = list(self.parents)
        while waiting:
            group = waiting.pop()
            if group not in found:
                found.add(group)
                waiting.extend(group.parents)
        return found


@dataclass(slots=True, eq=False)
class ComputerDraft:
    """A computer while files are read."""

    name: str
    groups: list[GroupDraft] = field(default_factory=list)
    variables: Variables = NOTHING
    spot: int | None = None
    """Where it was last named."""


class Draft:
    """Everything read so far, and the problems met."""

    def __init__(self, vault: Vault | None = None) -> None:
        self.vault = vault
        self.secrets: dict[str, SecretRef] = {}
        """All references to secrets, by their text."""
        self.groups: dict[str, GroupDraft] = {}
        self.computers: dict[str, ComputerDraft] = {}
        self.spots = Spots()
        self.problems: list[Problem] = []
        self.localhost: str | None = None
        self._entries = 0
        self._full = False
        self.group("all")
        self.group("ungrouped")
        self.add_child("all", "ungrouped", Place(""))

    def error(self, place: Place, message: str, advice: str) -> None:
        """Record what stops a command."""
        self.problems.append(Problem(place, Level.ERROR, message, advice))

    def warning(self, place: Place, message: str, advice: str) -> None:
        """Record what an operator should look at."""
        self.problems.append(Problem(place, Level.WARNING, message, advice))

    def opened(self, text: str, file: str) -> str | Problem:
        """The plain text of a file that is encrypted as a whole, or why there is none; that stops nothing."""
        try:
            if self.vault is not None:
                return self.vault.open(text)
            what = f"{UNREAD}: it is encrypted with Ansible's vault"
            problem = Problem(Place(file), Level.WARNING, what, "immy opens it with --vault-password-file PATH")
        except SecretError as error:
            problem = Problem(Place(file), Level.WARNING, f"{UNREAD}: {error.message}", error.advice)
        self.problems.append(problem)
        return problem

    @property
    def room(self) -> int:
        """How many computers may still be named, those that are named again counting too."""
        return max(MAX_ENTRIES - self._entries, 0)

    def overflow(self, place: Place, message: str) -> None:
        """Record that an inventory has too many names, once, and give them up: nothing can be done with a part."""
        if not self._full:
            self._full = True
            self._entries = MAX_ENTRIES
            self.error(place, message, "write fewer names, or split the fleet")
            self.computers.clear()
            for group in self.groups.values():
                group.computers.clear()

    def group(self, name: str) -> GroupDraft:
        """The group of this name, created when new."""
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = GroupDraft(name)
        return group

    def add_child(self, parent: str, child: str, place: Place) -> None:
        """Put a group under a group; a loop is a problem."""
        above, below = self.groups[parent], self.groups[child]
        if child == "all":
            self.error(
                place, f"the group 'all' cannot be below '{parent}'", "'all' holds everything; name another group"
            )
        elif above is below:
            self.error(place, f"the group '{child}' is a child of itself", "remove it from its own children")
        elif len(over := above.ancestors()) > MAX_ABOVE:
            self.error(place, f"more than {MAX_ABOVE:,} groups are above '{child}'", "write fewer levels of groups")
        elif below in over:
            self.error(
                place,
                f"the group '{child}' cannot be below '{parent}': '{parent}' is already below '{child}'",
                "break the circle of children",
            )
        elif below not in above.children:
            above.children.append(below)
            below.parents.append(above)

    def add_computers(
        self, names: Sequence[str], port: int | None, group: str, variables: Variables, at: int | None = None
    ) -> None:
        """Add computers to a group; a port counts where the computer is first named, as in Ansible."""
        owner = self.groups[group]
        self._entries += len(names)
        if len(self.computers) + len(names) > MAX_NAMES:
            new = sum(name not in self.computers for name in names)
            if len(self.computers) + new > MAX_NAMES:
                place = self.spots.place(at) if at is not None else Place("")
                self.overflow(place, f"here the inventory has more than {MAX_NAMES:,} computers")
                return
        for name in names:
            computer = self.computers.get(name)
            if computer is None:
                computer = self.computers[name] = ComputerDraft(name)
                if port:
                    computer.variables = Variables({"ansible_port": port})
                if self.localhost is None and name in LOCALHOST:
                    self.localhost = name
            computer.spot = at
            if name not in owner.computers:
                owner.computers[name] = computer
                computer.groups.append(owner)
            if not variables.values and not variables.unread:
                continue
            if name in self.groups:  # Ansible gives these variables to the group of the same name
                self.set_group_variables(self.groups[name], variables)
            else:
                computer.variables = variables.over(computer.variables)

    def set_group_variables(self, group: GroupDraft, variables: Variables) -> None:
        """Variables of a group; `ansible_group_priority` is taken out."""
        priority = variables.values.get("ansible_group_priority")
        if "ansible_group_priority" in variables.values:
            try:
                group.priority = int(priority)  # type: ignore[arg-type]  # what is no number is caught below
            except (TypeError, ValueError):
                at = variables.spots.get("ansible_group_priority")
                self.error(
                    self.spots.place(at) if at is not None else Place(""),
                    f"ansible_group_priority of the group '{group.name}' is not a whole number",
                    "write for example ansible_group_priority: 10",
                )
            variables = Variables(
                {name: value for name, value in variables.values.items() if name != "ansible_group_priority"},
                variables.spots,
                variables.unread,
            )
        group.variables = variables.over(group.variables)

    def finish(self) -> None:
        """Ansible's rules after the last file: everything is below `all`, who has no group is in `ungrouped`."""
        for group in list(self.groups.values()):
            if group.name != "all" and not group.parents:
                self.add_child("all", group.name, Place(""))
        everything, ungrouped = self.groups["all"], self.groups["ungrouped"]
        for computer in self.computers.values():
            others = [group for group in computer.groups if group is not everything and group is not ungrouped]
            if ungrouped in computer.groups:
                if others:
                    computer.groups.remove(ungrouped)
                    del ungrouped.computers[computer.name]
            elif not others:
                ungrouped.computers[computer.name] = computer
                computer.groups.append(ungrouped)
        self._set_depths()
        for name in self.groups.keys() & self.computers.keys():
            at = self.computers[name].spot
            self.warning(
                self.spots.place(at) if at is not None else Place(""),
                f"'{name}' is a group and a computer; variables written for the computer go to the group",
                "rename one of them",
            )

    def _set_depths(self) -> None:
        """The longest way from `all`: a group deeper down wins."""
        waiting_for = {group: len(group.parents) for group in self.groups.values()}
        ready = [group for group, count in waiting_for.items() if not count]
        while ready:
            group = ready.pop()
            for child in group.children:
                child.depth = max(child.depth, group.depth + 1)
                waiting_for[child] -= 1
                if not waiting_for[child]:
                    ready.append(child)


def by_precedence(groups: Iterator[GroupDraft] | set[GroupDraft]) -> list[GroupDraft]:
    """From the weakest to the strongest."""
    return sorted(groups, key=lambda group: (group.depth, group.priority, group.name))
