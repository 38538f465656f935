"""Deployments: the rules that say which item should be how on which computers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.inventory import Sourced
from immy_nornir.model.places import Place


class Scope(StrEnum):
    """How narrow a deployment aims; a narrower one wins."""

    COMPUTER = "computer"
    TENANT = "tenant"
    ALL = "all"


SCOPE_RANK: Mapping[Scope, int] = {Scope.COMPUTER: 0, Scope.TENANT: 1, Scope.ALL: 2}


class StateKind(StrEnum):
    """Desired states of software; the ones with a version carry it in `Desired.version`."""

    LATEST = "latest"
    INSTALLED = "installed"
    EXACT = "exact"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    UPDATE_IF_FOUND = "update_if_found"
    ABSENT = "absent"
    IGNORED = "ignored"


class TaskMode(StrEnum):
    """What a task deployment does: set it right, test it, only read it, or nothing."""

    ENFORCE = "enforce"
    AUDIT = "audit"
    MONITOR = "monitor"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of software; `version` stands with exact, at_least and at_most only."""

    kind: StateKind
    version: str | None = None

    def __str__(self) -> str:
        match self.kind:
            case StateKind.EXACT:
                return str(self.version)
            case StateKind.AT_LEAST:
                return f">={self.version}"
            case StateKind.AT_MOST:
                return f"<={self.version}"
            case _:
                return self.kind.value


class Enforcement(StrEnum):
    """When a deployment counts: always, while onboarding, or only when its item is asked for by name."""

    REQUIRED = "required"
    ONBOARDING = "onboarding"
    ADHOC = "adhoc"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One rule, as a file holds it. Exactly one of `state` (software) and `mode` (task) is set."""

    item: str
    target: str
    """A host pattern."""
    place: Place
    scope: Scope = Scope.ALL
    where: str | None = None
    state: Desired | None = None
    mode: TaskMode | None = None
    enforcement: Enforcement = Enforcement.REQUIRED
    params: Mapping[str, Sourced] = field(default_factory=dict)
    priority: int = 0
    instance: str = ""
    note: str = ""
    preflight: bool = False
    """Its task is only looked at, and holds sessions back whose computer is not ready."""

    @property
    def key(self) -> tuple[str, str]:
        """(item, instance): per computer at most one deployment wins for each key."""
        return (self.item, self.instance)
