"""Fleet + computer + facts -> which deployment wins for each item, and why every other one lost; pure.

One function decides for sessions, previews and `immy explain`. Computer scope beats tenant beats all; inside a
scope the higher priority; a tie is an error of that item alone. What the winners ask for (prerequisites,
configuration tasks) is added by `desires_of`. Finding out facts is not done here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from immy_nornir.decide import conditions, patterns
from immy_nornir.decide.conditions import Holds, HoldsNot, Unknown
from immy_nornir.errors import ImmyError
from immy_nornir.model.deployments import SCOPE_RANK, Deployment, Enforcement
from immy_nornir.model.inventory import Computer, Inventory
from immy_nornir.model.playbooks import Fleet
from immy_nornir.model.values import Json, Value

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Lost:
    """A candidate that did not win, and why."""

    deployment: Deployment
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision for one item (and instance) on one computer; `error` when nobody may win."""

    item: str
    instance: str
    winner: Deployment | None
    lost: tuple[Lost, ...] = ()
    error: str = ""
    reads: frozenset[str] = frozenset()
    """Names of the facts that the decision read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session is about: item globs, whether the operator named them, and whether the computer is onboarding."""

    items: tuple[str, ...] = ()
    by_name: bool = False
    onboarding: bool = False

    def selects(self, item: str) -> bool:
        """Whether an item is among what the session is about."""
        return not self.items or any(
            fnmatch.fnmatchcase(item, glob) or fnmatch.fnmatchcase(item.partition("/")[2], glob) for glob in self.items
        )


@dataclass(frozen=True, slots=True)
class Targets:
    """For every computer the deployments whose target names it, grouped by item and instance; made once for a fleet."""

    by_computer: Mapping[str, Mapping[Key, tuple[Deployment, ...]]] = field(default_factory=dict)

    @classmethod
    def of(cls, fleet: Fleet) -> Targets:
        """Expand each target pattern once."""
        members: dict[str, frozenset[str]] = {}
        found: dict[str, dict[Key, list[Deployment]]] = {}
        for deployment in sorted(fleet.deployments, key=_rank):
            names = members.get(deployment.target)
            if names is None:
                names = members[deployment.target] = frozenset(_members(fleet.inventory, deployment.target))
            for name in names:
                found.setdefault(name, {}).setdefault(deployment.key, []).append(deployment)
        return cls({name: {key: tuple(some) for key, some in keys.items()} for name, keys in found.items()})

    def of_computer(self, name: str) -> Mapping[Key, tuple[Deployment, ...]]:
        """Candidates of one computer, strongest first."""
        return self.by_computer.get(name, {})


def _members(inventory: Inventory, target: str) -> list[str]:
    try:
        return patterns.select(inventory, target)
    except ImmyError:
        return []  # lint reports targets that name nothing


def _rank(deployment: Deployment) -> tuple[int, int]:
    return (SCOPE_RANK[deployment.scope], -deployment.priority)


def choose(
    candidates: Mapping[Key, Sequence[Deployment]],
    computer: Computer,
    facts: Mapping[str, Json],
    asked: Asked,
    variables: Mapping[str, Value] | None = None,
) -> dict[Key, Choice]:
    """Exactly one choice for each item and instance that has a candidate; in a stable order.

    `candidates` are strongest first (see Targets); `variables` are the computer's with those of the play over them.
    """
    known = computer.variables if variables is None else variables
    return {
        key: _choose(key, some, known, facts, asked)
        for key, some in sorted(candidates.items())
        if asked.selects(key[0])
    }


def _choose(
    key: Key, candidates: Sequence[Deployment], variables: Mapping[str, Value], facts: Mapping[str, Json], asked: Asked
) -> Choice:
    winner: Deployment | None = None
    lost: list[Lost] = []
    reads: set[str] = set()
    for candidate in candidates:
        why = _why_not(candidate, variables, facts, asked, reads)
        if why:
            lost.append(Lost(candidate, why))
        elif winner is None:
            winner = candidate
        elif _rank(candidate) == _rank(winner):
            error = (
                f"{winner.place} and {candidate.place} both want {key[0]} with scope {winner.scope} and priority "
                f"{winner.priority}; give one of them a higher priority or a narrower target"
            )
            lost += [Lost(winner, "ties with another"), Lost(candidate, "ties with another")]
            return Choice(*key, None, tuple(lost), error, frozenset(reads))
        elif candidate.scope is not winner.scope:
            lost.append(Lost(candidate, f"scope {winner.scope} beats {candidate.scope}"))
        else:
            lost.append(Lost(candidate, f"priority {winner.priority} beats {candidate.priority}"))
    return Choice(*key, winner, tuple(lost), "", frozenset(reads))


def _why_not(
    deployment: Deployment,
    variables: Mapping[str, Value],
    facts: Mapping[str, Json],
    asked: Asked,
    reads: set[str],
) -> str:
    match deployment.enforcement:
        case Enforcement.ADHOC | Enforcement.OPTIONAL if not asked.by_name:
            return f"its enforcement is {deployment.enforcement}: it counts only when its item is asked for with --item"
        case Enforcement.ONBOARDING if not asked.onboarding:
            return "it counts only while immy_onboarding is true"
        case _:
            pass
    if deployment.where is None:
        return ""
    try:
        verdict = conditions.evaluate(deployment.where, variables, facts)
    except ImmyError as error:
        return f"its condition cannot be read: {error.message}"
    reads.update(verdict.reads)
    match verdict:
        case Holds():
            return ""
        case HoldsNot():
            return f"its condition does not hold: {deployment.where}"
        case Unknown(names=names):
            return f"its condition reads what is not known: {', '.join(sorted(names))}"
