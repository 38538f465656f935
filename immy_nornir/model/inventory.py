"""Computers, groups and tenants as the inventory's files describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.model.places import Place, Problem
from immy_nornir.model.values import Names, SecretRef, Value

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Sourced:
    """A value with the place where it was written (None: built in or computed)."""

    value: Value
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group: its own variables (not merged), its child groups and direct computers, in the files' order."""

    name: str
    children: tuple[str, ...] = ()
    computers: tuple[str, ...] = ()
    variables: Mapping[str, Value] = field(default_factory=dict)
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Computer:
    """One machine: `groups` are all its groups, ancestors included; `variables` are merged by Ansible's precedence."""

    name: str
    tenant: str = DEFAULT_TENANT
    groups: tuple[str, ...] = ()
    variables: Mapping[str, Value] = field(default_factory=dict)
    origins: Mapping[str, Place] = field(default_factory=dict)
    """Place of every top-level variable that won."""
    unread: tuple[Problem, ...] = ()
    """Encrypted files that could not be read, with the reason: their variables are missing here."""

    def names(self, before: Mapping[str, Value], after: Mapping[str, Value]) -> dict[str, Value]:
        """The variables between others; Names where encrypted files may hold more."""
        found = {**before, **self.variables, **after}
        return Names(found, self.lacking) if self.unread else found

    @property
    def lacking(self) -> str:
        """What to say, and to try, where a variable is missing; empty where all files were read."""
        said = dict.fromkeys(f"{one.place.file}: {one.message}; {one.advice}" for one in self.unread)
        return f"it may stand in an encrypted file ({'; '.join(said)})" if said else ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All computers and groups, in the order of the files; `all` and `ungrouped` are groups too."""

    computers: Mapping[str, Computer] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    """Every reference to a secret that its files hold, by its text."""
