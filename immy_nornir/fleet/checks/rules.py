"""Deployments against the inventory and each other -> targets that reach nobody, ties, shadowed rules.

Pure. Near-linear in computers and deployments: targets are expanded once, and only rules for one item are
compared. Used by `checks`. Not here: which deployment wins in a session (`decide.resolve.winning_deployments`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from immy_nornir.decide.detect.facts import GIVEN_NAMES, NAMES, SECTIONS
from immy_nornir.decide.resolve import conditions, patterns
from immy_nornir.decide.resolve.conditions import ConditionError, HoldsNot, Unknown
from immy_nornir.errors import PatternError
from immy_nornir.fleet.checks.names import OWN_VARIABLES
from immy_nornir.model.deployments import SCOPE_RANK, Deployment, Enforcement
from immy_nornir.model.inventory import Inventory
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.playbooks import Fleet, Play
from immy_nornir.shapes.files import did_you_mean
from immy_nornir.text.plain import and_more

TIE = "ties with"


class Targets:
    """What patterns reach, each expanded once; `read_file` gives the lines of files that they name with `@`."""

    def __init__(self, inventory: Inventory, read_file: patterns.ReadFile | None = None) -> None:
        self._inventory = inventory
        self._read_file = read_file
        self._reached: dict[str, frozenset[str]] = {}
        self._problems: dict[str, tuple[Level, str, str] | None] = {}

    def reached(self, pattern: str) -> frozenset[str]:
        """The computers that a pattern reaches; none when it cannot be read."""
        self._expand(pattern)
        return self._reached[pattern]

    def problem(self, pattern: str, place: Place) -> Iterator[Problem]:
        """What is wrong with a pattern that stands at a place."""
        self._expand(pattern)
        found = self._problems[pattern]
        if found is not None:
            yield Problem(place, *found)

    def _expand(self, pattern: str) -> None:
        if pattern in self._reached:
            return
        self._reached[pattern] = frozenset()
        self._problems[pattern] = None
        try:
            unknown = patterns.unknown(self._inventory, pattern, read_file=self._read_file)
            if unknown:
                self._problems[pattern] = self._unknown(unknown, pattern)
                return
            self._reached[pattern] = frozenset(patterns.select(self._inventory, pattern, read_file=self._read_file))
        except PatternError as error:
            self._problems[pattern] = (Level.ERROR, error.message, error.advice)
            return
        if not self._reached[pattern]:
            message, advice = (
                f"the pattern '{pattern}' reaches no computer",
                "immy inventory list PATTERN shows what does",
            )
            self._problems[pattern] = (Level.WARNING, message, advice)

    def _unknown(self, names: Sequence[str], pattern: str) -> tuple[Level, str, str]:
        known = [*self._inventory.groups, *self._inventory.computers]
        advice = did_you_mean(names[0], known) or "immy inventory graph shows groups and computers"
        listed = ", ".join(f"'{name}'" for name in names)
        return Level.ERROR, f"{listed} in the pattern '{pattern}' is neither a group nor a computer", advice


def variables_of(inventory: Inventory, plays: Iterable[Play]) -> frozenset[str]:
    """All names that a condition may find on some computer: variables of the inventory and of plays, and given ones."""
    names = {"immy_tenant", *GIVEN_NAMES, *OWN_VARIABLES}
    for computer in inventory.computers.values():
        names.update(computer.variables)
    for play in plays:
        names.update(play.vars)
    return frozenset(names)


def check_rules(fleet: Fleet, targets: Targets, variables: Collection[str]) -> list[Problem]:
    """Problems of targets and conditions, ties (errors), and rules that others shadow (notes)."""
    problems: list[Problem] = []
    by_key: dict[tuple[str, str], list[Deployment]] = {}
    for deployment in fleet.deployments:
        problems.extend(targets.problem(deployment.target, deployment.place))
        problems.extend(condition_problems(deployment.where, deployment.place, fleet.library.inventory, variables))
        by_key.setdefault(deployment.key, []).append(deployment)
    for rules in by_key.values():
        if len(rules) > 1:
            problems.extend(_ties(rules, fleet.inventory, targets))
            problems.extend(_shadows(rules, targets))
    return problems


_FACT = re.compile(r"facts\.(\w+)(?:\.(\w+)|\['([^']*)'\])?")


def condition_problems(
    where: str | None, place: Place, inventory: Collection[str], variables: Collection[str]
) -> Iterator[Problem]:
    """What is wrong with a condition that stands at a place.

    `inventory` are the library's inventory items by name, `variables` as from `variables_of`. A fact or a variable that
    no computer ever has is a warning: what rests on it alone never holds.
    """
    if where is None:
        return
    try:
        conditions.check(where)
    except ConditionError as error:
        yield Problem(place, Level.ERROR, error.message, error.advice)
        return
    try:
        reads = conditions.evaluate(where, {}, {section: {} for section in SECTIONS}).reads
    except ConditionError:
        return  # it needs values to be computed
    for path in sorted(reads):
        named = _FACT.match(path)
        if named is None:
            yield from _no_variable(path, where, place, variables)
            continue
        item = named[2] or named[3]
        known, asked = (inventory, item) if named[1] == "inventory" and item else (NAMES | SECTIONS, named[1])
        if asked not in known:
            advice = did_you_mean(asked, known) or f"there are {', '.join(sorted(known)) or 'no inventory items'}"
            yield Problem(place, Level.WARNING, f"no computer has a fact '{path}', which this condition reads", advice)


def _no_variable(name: str, where: str, place: Place, variables: Collection[str]) -> Iterator[Problem]:
    if name in variables or not name.isidentifier() or re.search(r"\bdefined\b|\bdefault\b", where):
        return
    advice = did_you_mean(name, variables) or "facts are called facts.NAME; -e and a play's vars can set it"
    yield Problem(place, Level.WARNING, f"no computer has a variable '{name}', which this condition reads", advice)


def _rank(deployment: Deployment) -> tuple[int, int]:
    return (SCOPE_RANK[deployment.scope], -deployment.priority)


def _ties(rules: Iterable[Deployment], inventory: Inventory, targets: Targets) -> Iterator[Problem]:
    by_rank: dict[tuple[int, int], list[Deployment]] = {}
    for rule in rules:
        by_rank.setdefault(_rank(rule), []).append(rule)
    for equals in by_rank.values():
        everybody: set[str] = set()
        for index, rule in enumerate(equals):
            reached = targets.reached(rule.target)
            if not everybody.isdisjoint(reached):
                yield from _tie(rule, equals[:index], inventory, targets)
            everybody |= reached


def is_tie(problem: Problem) -> bool:
    """Whether a problem is a tie: an error that costs one item of a session, not the run."""
    return problem.message.startswith(TIE)


def _tie(rule: Deployment, others: Sequence[Deployment], inventory: Inventory, targets: Targets) -> Iterator[Problem]:
    for other in others:
        both = targets.reached(rule.target) & targets.reached(other.target)
        computer = next((name for name in sorted(both) if _both_may_apply(rule, other, inventory, name)), None)
        if computer is None:
            continue
        instance = f" (instance {rule.instance})" if rule.instance else ""
        more = and_more(len(both) - 1)
        yield Problem(
            rule.place,
            Level.ERROR,
            f"{TIE} {other.place}: both deploy {rule.item}{instance} to {computer}{more}, with scope {rule.scope} "
            f"and priority {rule.priority}",
            "give one of them a higher priority or a narrower target",
        )


def _both_may_apply(one: Deployment, other: Deployment, inventory: Inventory, name: str) -> bool:
    """Whether both conditions may hold; two different ones over unknown facts are taken to exclude each other."""
    verdicts: list[conditions.Verdict | None] = []
    computer = inventory.computers.get(name)
    for rule in (one, other):
        if rule.where is None or computer is None:
            verdicts.append(None)
            continue
        try:
            verdicts.append(conditions.evaluate(rule.where, computer.variables, {}))
        except ConditionError:
            return False  # reported by itself
    if any(isinstance(verdict, HoldsNot) for verdict in verdicts):
        return False
    open_ones = [verdict for verdict in verdicts if isinstance(verdict, Unknown)]
    return len(open_ones) < 2 or one.where == other.where


def _shadows(rules: list[Deployment], targets: Targets) -> Iterator[Problem]:
    ranked = sorted(rules, key=_rank)
    for index, rule in enumerate(ranked):
        reached = targets.reached(rule.target)
        stronger = [
            other
            for other in ranked[:index]
            if _rank(other) < _rank(rule)
            and other.enforcement in (Enforcement.REQUIRED, rule.enforcement)
            and not reached.isdisjoint(targets.reached(other.target))
        ]
        if not stronger:
            continue
        lost = frozenset[str]().union(*(targets.reached(other.target) & reached for other in stronger))
        more = and_more(len(stronger) - 1)
        always = all(other.where is None for other in stronger)
        extent = "all its" if len(lost) == len(reached) else f"{len(lost)} of its {len(reached)}"
        yield Problem(
            rule.place,
            Level.NOTE,
            f"{'is' if always else 'may be'} shadowed on {extent} computers by {stronger[0].place}{more}",
            f"immy explain {min(lost)} {rule.item} shows who wins",
        )
