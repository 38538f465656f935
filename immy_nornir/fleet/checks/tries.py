"""Conditions and templates tried on the computers that they are for -> what a session could not work out.

What rests on facts stays open here: they are known in a session only. Computers whose variables are the same in all
that a text names are tried once. Used by `checks`. Not here: what a condition says by itself (`rules`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from immy_nornir.decide.detect.facts import GIVEN_NAMES, known_names
from immy_nornir.decide.resolve import conditions
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.checks.names import OWN_VARIABLES
from immy_nornir.fleet.checks.rules import Targets
from immy_nornir.model.inventory import Computer, Inventory, Sourced
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.playbooks import Fleet, Play
from immy_nornir.model.values import SecretRef, UnsafeText, Value
from immy_nornir.text import templates
from immy_nornir.text.templates import TemplateError

_NAME = re.compile(r"[A-Za-z_]\w*")
_HALF_OPEN = re.compile(r"(?<!\{)\{\s*[A-Za-z_][\w.]*\s*\}\}")
_UNDEFINED = "-e and a play's vars can set it, or write '| default(...)'"


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error, the first computer that it comes up on, and how many more there are."""

    error: ImmyError
    computer: str
    more: int

    def __str__(self) -> str:
        return f"on {self.computer}" + (f" and {self.more} more" if self.more else "")


@dataclass(frozen=True, slots=True)
class _Reached:
    """The computers of a target, looked up when they are needed: few rules have conditions or templates."""

    inventory: Inventory
    targets: Targets
    target: str

    def __iter__(self) -> Iterator[Computer]:
        return (self.inventory.computers[name] for name in sorted(self.targets.reached(self.target)))


def check_tries(fleet: Fleet, targets: Targets, plays: Iterable[Play]) -> list[Problem]:
    """Conditions without a yes or a no, and templates that cannot be read or that name what a computer has not."""
    plays = tuple(plays)
    given = frozenset(name for play in plays for name in play.vars)
    problems: list[Problem] = []
    for deployment in fleet.deployments:
        reached = _Reached(fleet.inventory, targets, deployment.target)
        needs = {item.requirements.where: item.place for item in fleet.library.items.get(deployment.item, {}).values()}
        for where, place in ((deployment.where, deployment.place), *needs.items()):
            problems.extend(_condition(where, place, reached))
        problems.extend(_templates(deployment.params, deployment.place, reached, given))
    for by_platform in fleet.library.items.values():
        for item in by_platform.values():
            defaults = {name: Sourced(one.default, one.place) for name, one in item.parameters.items()}
            problems.extend(_templates(defaults, item.place, (), given))
    for play in plays:
        problems.extend(_templates(play.vars, play.place, (), given))
    problems.extend(_own_variables(fleet.inventory, given))
    return problems


def _condition(where: str | None, place: Place, reached: Iterable[Computer]) -> Iterator[Problem]:
    if where is None:
        return
    try:
        conditions.check(where)
    except ImmyError:
        return  # reported by itself

    def attempt(variables: Mapping[str, Value]) -> object:
        return conditions.evaluate(where, variables, {})

    for failure in _failures(reached, where, attempt):
        yield Problem(place, Level.ERROR, f"{failure}: {failure.error.message}", failure.error.advice)


def _templates(
    values: Mapping[str, Sourced], otherwise: Place, reached: Iterable[Computer], given: Collection[str]
) -> Iterator[Problem]:
    for name, sourced in values.items():
        place = sourced.place or otherwise
        for text in _texts(sourced.value):
            if _HALF_OPEN.search(text):
                advice = "a template begins with '{{' and ends with '}}'"
                yield Problem(place, Level.WARNING, f"'{name}' holds half a template", advice)
            if templates.is_template(text):
                yield from _template(name, text, place, reached, given)


def _template(
    name: str, text: str, place: Place, reached: Iterable[Computer], given: Collection[str]
) -> Iterator[Problem]:
    try:
        templates.check(text)
    except TemplateError as error:
        yield Problem(place, Level.ERROR, f"'{name}' cannot be expanded: {error.message}", error.advice)
        return

    def attempt(variables: Mapping[str, Value]) -> object:
        return templates.expand(text, variables)

    for failure in _failures(reached, text, attempt):
        wrong = failure.error
        asked = wrong.name if isinstance(wrong, TemplateError) else None
        if asked is not None and asked in given:
            continue
        advice = wrong.advice if asked is None or "did you mean" in wrong.advice else _UNDEFINED
        yield Problem(place, Level.WARNING, f"'{name}' cannot be expanded {failure}: {wrong.message}", advice)


def _own_variables(inventory: Inventory, given: Collection[str]) -> Iterator[Problem]:
    """Templates in variables of immy's own: what decides about a computer, or holds it back."""
    by_value: dict[tuple[str, int], tuple[Value, Place, list[Computer]]] = {}
    for computer in inventory.computers.values():
        for name in OWN_VARIABLES:
            value = computer.variables.get(name)
            if isinstance(value, str | Mapping | list | tuple) and name in computer.origins:
                key = (name, id(value))
                if key not in by_value:
                    by_value[key] = (value, computer.origins[name], [])
                by_value[key][2].append(computer)
    for (name, _), (value, place, computers) in by_value.items():
        yield from _templates({name: Sourced(value, place)}, place, computers, given)


def _texts(value: Value) -> Iterator[str]:
    match value:
        case UnsafeText() | SecretRef():
            return
        case str():
            yield value
        case Mapping():
            for child in value.values():
                yield from _texts(child)
        case list() | tuple():
            for child in value:
                yield from _texts(child)
        case _:
            return


def _failures(
    computers: Iterable[Computer], text: str, attempt: Callable[[Mapping[str, Value]], object]
) -> Iterator[_Failure]:
    """The errors of an attempt with each computer's variables, each once."""
    words = sorted(set(_NAME.findall(text)))
    differs = not GIVEN_NAMES.isdisjoint(words)
    tried: dict[tuple[object, ...], ImmyError | None] = {}
    met: dict[str, list[str]] = {}
    errors: dict[str, ImmyError] = {}
    for computer in computers:
        key = (computer.name if differs else "", *(id(computer.variables.get(word)) for word in words))
        if key not in tried:
            try:
                attempt(known_names(computer, {}))
                tried[key] = None
            except ImmyError as error:
                tried[key] = error
        found = tried[key]
        if found is not None:
            errors.setdefault(found.message, found)
            met.setdefault(found.message, []).append(computer.name)
    for message, names in met.items():
        yield _Failure(errors[message], names[0], len(names) - 1)
