"""Computers, groups and tenants as the inventory's files describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.model.places import Place
from immy_nornir.model.values import Value

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


@dataclass(frozen=True, slots=True)
class Inventory:
    """All computers and groups, in the order of the files; `all` and `ungrouped` are groups too."""

    computers: Mapping[str, Computer] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
