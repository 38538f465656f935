"""Fleet + computer + facts -> which deployment wins for each item, and why every other one lost; pure.

One function decides for sessions, previews and `immy explain`. Computer scope beats tenant beats all; inside a
scope the higher priority; a tie is an error of that item alone. What the winners ask for (prerequisites,
configuration tasks) is added by `desires_of`. Finding out facts is not done here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from immy_nornir.decide.resolve import conditions, patterns
from immy_nornir.decide.resolve.conditions import Holds, HoldsNot, Unknown
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
    """The decision for one item (and instance) on one computer.

    `error` says why nobody may win, `unknown` why it cannot be told who does.
    """

    item: str
    instance: str
    winner: Deployment | None
    lost: tuple[Lost, ...] = ()
    error: str = ""
    reads: frozenset[str] = frozenset()
    """Names of the facts that the decision read."""
    unknown: str = ""
    undecided: tuple[Lost, ...] = ()
    """Of an unknown choice: those that may win, strongest first, each with what it depends on."""


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

    def names(self, item: str) -> bool:
        """Whether the operator named an item; preflights are chosen in every session, also where others are named."""
        return self.by_name and self.selects(item)


class Candidates(dict[Key, tuple[Deployment, ...]]):
    """Deployments by item and instance, strongest first; computers share them, and what is the same for all of them."""

    def __init__(self, deployments: Sequence[Deployment] = ()) -> None:
        keys: dict[Key, list[Deployment]] = {}
        for deployment in deployments:
            keys.setdefault(deployment.key, []).append(deployment)
        super().__init__((key, tuple(keys[key])) for key in sorted(keys))
        self._settled: dict[Asked, dict[Key, Choice | None]] = {}

    def settled(self, asked: Asked) -> Mapping[Key, Choice | None]:
        """What is selected; the choices that ask nothing of a computer are made already."""
        if asked not in self._settled:
            self._settled[asked] = {
                key: None if any(one.where is not None for one in some) else _choose(key, some, {}, {}, asked)
                for key, some in self.items()
                if asked.selects(key[0]) or any(one.preflight for one in some)
            }
        return self._settled[asked]


_NONE = Candidates()


@dataclass(frozen=True, slots=True)
class Targets:
    """For every computer the deployments whose target names it, grouped by item and instance; made once for a fleet."""

    by_computer: Mapping[str, Candidates] = field(default_factory=dict)

    @classmethod
    def of(cls, fleet: Fleet) -> Targets:
        """Expand each target pattern once."""
        members: dict[str, list[str]] = {}
        numbers: dict[str, list[int]] = {}
        ranked = sorted(fleet.deployments, key=_rank)
        for number, deployment in enumerate(ranked):
            names = members.get(deployment.target)
            if names is None:
                names = members[deployment.target] = _members(fleet.inventory, deployment.target)
            for name in names:
                numbers.setdefault(name, []).append(number)
        # Most computers have the candidates of many others: they share them.
        shared: dict[tuple[int, ...], Candidates] = {}
        found: dict[str, Candidates] = {}
        for name, its in numbers.items():
            same = tuple(its)
            if same not in shared:
                shared[same] = Candidates([ranked[number] for number in its])
            found[name] = shared[same]
        return cls(found)

    def of_computer(self, name: str) -> Candidates:
        """Candidates of one computer, strongest first."""
        return self.by_computer.get(name, _NONE)


def _members(inventory: Inventory, target: str) -> list[str]:
    try:
        return patterns.select(inventory, target)
    except ImmyError:
        return []  # lint reports targets that name nothing


def _rank(deployment: Deployment) -> tuple[int, int]:
    return (SCOPE_RANK[deployment.scope], -deployment.priority)


def choose(
    candidates: Candidates,
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
        key: _choose(key, candidates[key], known, facts, asked) if made is None else made
        for key, made in candidates.settled(asked).items()
    }


def _choose(
    key: Key, candidates: Sequence[Deployment], variables: Mapping[str, Value], facts: Mapping[str, Json], asked: Asked
) -> Choice:
    best: list[Deployment] = []
    lost: list[Lost] = []
    open_: list[tuple[Deployment, Unknown | ImmyError]] = []
    reads: set[str] = set()
    for candidate in candidates:
        verdict = _counts(candidate, variables, facts, asked, reads)
        if isinstance(verdict, str):
            lost.append(Lost(candidate, verdict))
        elif best and _rank(candidate) != _rank(best[0]):
            lost.append(Lost(candidate, _beaten(candidate, best[0])))
        elif verdict is None:
            best.append(candidate)
        else:
            open_.append((candidate, verdict))
    return _settled(key, best, lost, open_, frozenset(reads))


def _beaten(candidate: Deployment, winner: Deployment) -> str:
    if candidate.scope is not winner.scope:
        return f"scope {winner.scope} beats {candidate.scope}"
    return f"priority {winner.priority} beats {candidate.priority}"


def _settled(
    key: Key,
    best: Sequence[Deployment],
    lost: Sequence[Lost],
    open_: Sequence[tuple[Deployment, Unknown | ImmyError]],
    reads: frozenset[str],
) -> Choice:
    """The choice between the strongest that count, and those of which it cannot be told: all of them are as strong."""
    wrong = [(one, error.message) for one, error in open_ if isinstance(error, ImmyError)]
    if wrong:
        said = [Lost(one, f"its condition cannot be read: {message}") for one, message in wrong]
        others = [Lost(one, f"nobody wins while the condition of {wrong[0][0].place} cannot be read") for one in best]
        others += [Lost(one, _not_known(why)) for one, why in open_ if isinstance(why, Unknown)]
        return Choice(*key, None, (*said, *others, *lost), f"{wrong[0][0].place}: {said[0].why}", reads)
    narrower = [one for one, _ in open_ if not best or _rank(one) != _rank(best[0])]
    if len(best) > 1 and not narrower:
        beaten = [Lost(one, _not_known(why)) for one, why in open_ if isinstance(why, Unknown)]
        return _tied(key, best, (*beaten, *lost), reads)
    if open_:
        may = [Lost(one, _not_known(why)) for one, why in open_ if isinstance(why, Unknown)]
        may += [Lost(one, "it counts if nothing stronger does") for one in best]
        names = sorted({name for _, why in open_ if isinstance(why, Unknown) for name in why.names})
        places = _listed([str(one.deployment.place) for one in may])
        what = f"not known: {', '.join(names)}; which deployment counts depends on it: {places}"
        return Choice(*key, None, tuple(lost), "", reads, what, tuple(may))
    return Choice(*key, best[0] if best else None, tuple(lost), "", reads)


def _tied(key: Key, best: Sequence[Deployment], lost: Sequence[Lost], reads: frozenset[str]) -> Choice:
    places = [str(one.place) for one in best]
    tied = [
        Lost(one, f"ties with {_listed([place for place in places if place != str(one.place)] or ['another'])}")
        for one in best
    ]
    error = (
        f"{_listed(places)} {'both' if len(best) == 2 else 'all'} want {key[0]} with scope {best[0].scope} and "
        f"priority {best[0].priority}; give one of them a higher priority or a narrower target"
    )
    return Choice(*key, None, (*tied, *lost), error, reads)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _not_known(verdict: Unknown) -> str:
    return f"its condition reads what is not known: {', '.join(sorted(verdict.names))}"


def _counts(
    deployment: Deployment,
    variables: Mapping[str, Value],
    facts: Mapping[str, Json],
    asked: Asked,
    reads: set[str],
) -> str | Unknown | ImmyError | None:
    """None when a candidate counts; why it does not; or why that cannot be told."""
    match deployment.enforcement:
        case Enforcement.ADHOC | Enforcement.OPTIONAL if not asked.names(deployment.item):
            return f"its enforcement is {deployment.enforcement}: it counts only when its item is asked for with --item"
        case Enforcement.ONBOARDING if not asked.onboarding:
            return "it counts only in onboarding: while immy_onboarding is true, until its items have passed"
        case _:
            pass
    if deployment.where is None:
        return None
    try:
        verdict = conditions.evaluate(deployment.where, variables, facts)
    except ImmyError as error:
        return error
    reads.update(verdict.reads)
    match verdict:
        case Holds():
            return None
        case HoldsNot():
            return f"its condition does not hold: {deployment.where}"
        case Unknown():
            return verdict
