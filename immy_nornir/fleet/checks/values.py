"""Parameters and variables -> what does not fit an item's declaration, and secrets in clear.

Pure; used by `checks`. Values that look like secrets are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from immy_nornir.decide.holds import ADVICE as HOLD_ADVICE
from immy_nornir.decide.resolve.host_variables import FLAGS, PINS, problem_of
from immy_nornir.decide.resolve.parameters import wrong_value
from immy_nornir.fleet.checks.names import misspelled
from immy_nornir.fleet.playbooks import OPTIONS_FORM
from immy_nornir.model.deployments import Deployment, StateKind, TaskMode
from immy_nornir.model.inventory import Inventory, Sourced
from immy_nornir.model.items import Item, Library, Parameter, ParameterType, Software
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.playbooks import Fleet
from immy_nornir.model.values import Value
from immy_nornir.model.words import ADVICE
from immy_nornir.shapes.files import did_you_mean
from immy_nornir.shapes.forms import problems_in

_SECRET_NAME = re.compile(
    r"(?i)pass(?:word|wd|phrase|code)|(?:^|_)(?:pwd|pass|secret|token|credentials?)(?:$|_)"
    r"|(?:^|_)(?:api|access|private|license|licence|product|activation|auth|encryption|shared)_?key|^key$"
)


def looks_secret(name: str) -> bool:
    """Whether a name says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


def check_params(fleet: Fleet) -> list[Problem]:
    """Parameters of deployments that are not declared, missing, of the wrong type, or secrets in clear."""
    problems: list[Problem] = []
    deployed = frozenset(deployment.item for deployment in fleet.deployments)
    for deployment in fleet.deployments:
        definitions = tuple(fleet.library.items.get(deployment.item, {}).values())
        if not definitions:
            problems.extend(_clear(deployment.params, {}))
            continue
        declared = _declared(definitions, fleet.library, deployed)
        problems.extend(_given(deployment, declared))
        problems.extend(_clear(deployment.params, declared))
        if _brings(deployment):
            problems.extend(_missing(deployment, declared))
    return problems


def _declared(definitions: tuple[Item, ...], library: Library, deployed: frozenset[str]) -> dict[str, Parameter]:
    declared: dict[str, Parameter] = {}
    for item in definitions:
        if isinstance(item, Software) and item.configuration:
            # A configuration task gets the parameters of its software, unless it has a deployment of its own.
            task = library.find(item.configuration, item.platform)
            needed = dict(task.parameters) if task and item.configuration not in deployed else {}
            declared = {**needed, **declared}
        declared.update(item.parameters)
    return declared


def _given(deployment: Deployment, declared: Mapping[str, Parameter]) -> Iterator[Problem]:
    for name, sourced in deployment.params.items():
        place = sourced.place or deployment.place
        parameter = declared.get(name)
        if parameter is None:
            advice = did_you_mean(name, declared) or f"declared are: {', '.join(declared) or 'none'}"
            yield Problem(place, Level.ERROR, f"{deployment.item} has no parameter '{name}'", advice)
            continue
        wrong = wrong_value(parameter, sourced.value)
        if wrong and looks_secret(name):
            wrong = f"does not fit the parameter's type {parameter.type}"
        if wrong:
            declared_at = f"declared at {parameter.place}" if parameter.place else ""
            yield Problem(place, Level.ERROR, f"the value of '{name}' {wrong}", declared_at)


def _brings(deployment: Deployment) -> bool:
    if deployment.mode is TaskMode.IGNORED:
        return False
    return deployment.state is None or deployment.state.kind not in (StateKind.ABSENT, StateKind.IGNORED)


def _missing(deployment: Deployment, declared: Mapping[str, Parameter]) -> Iterator[Problem]:
    for name, parameter in declared.items():
        if parameter.required and name not in deployment.params:
            message = f"{deployment.item} needs the parameter '{name}' ({parameter.type})"
            advice = f"add 'params: {{{name}: ...}}'"
            yield Problem(deployment.place, Level.ERROR, message, advice)


_REFERENCE_ADVICE = "write {secret: env:NAME} or {secret: file:PATH} instead of the value"


def _clear(params: Mapping[str, Sourced], declared: Mapping[str, Parameter]) -> Iterator[Problem]:
    for name, sourced in params.items():
        if sourced.place is None:
            continue
        kind = declared[name].type if name in declared else None
        if _in_clear(sourced.value) and (kind is ParameterType.SECRET or looks_secret(name)):
            # What is declared as a secret would stand in the record in clear.
            level = Level.ERROR if kind is ParameterType.SECRET else Level.WARNING
            yield Problem(sourced.place, level, f"'{name}' holds a secret in clear", _REFERENCE_ADVICE)
        for inner in _clear_inside(sourced.value):
            message = f"'{inner}' in '{name}' holds a secret in clear"
            yield Problem(sourced.place, Level.WARNING, message, _REFERENCE_ADVICE)


def _in_clear(value: Value) -> bool:
    return isinstance(value, str) and bool(value) and "{{" not in value


def _clear_inside(value: Value) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if looks_secret(name) and _in_clear(inner):
                yield name
            yield from _clear_inside(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _clear_inside(inner)


def check_vars(variables: Mapping[str, Sourced]) -> list[Problem]:
    """Secrets in clear, own variables that cannot be read and nearly known names among a play's variables."""
    problems = list(_clear(variables, {}))
    for name, sourced in variables.items():
        if sourced.place is None:
            continue
        if wrong := problem_of(name, sourced.value):
            problems.append(Problem(sourced.place, Level.ERROR, wrong, _OWN_ADVICE[name]))
        problems.extend(_misspelled(name, sourced.place))
    return problems


_OWN_ADVICE = {
    **dict.fromkeys(FLAGS, ADVICE),
    "immy_identity": f"write a uuid, or a map with {', '.join(PINS)}",
    "immy_tags": "write a list of words",
    "immy_hold": HOLD_ADVICE,
}


def check_variables(inventory: Inventory) -> list[Problem]:
    """Secrets in clear, bad `immy_options` and misspelled own variables in the inventory, each once.

    Values of Ansible's own variables were judged by the inventory's reader.
    """
    seen: dict[Place, list[Problem]] = {}
    for computer in inventory.computers.values():
        for name, place in computer.origins.items():
            if place in seen:
                continue
            value = computer.variables.get(name)
            if wrong := problem_of(name, value):
                seen[place] = [Problem(place, Level.ERROR, wrong, _OWN_ADVICE[name])]
            elif name == "immy_options":
                seen[place] = problems_in(OPTIONS_FORM, _without_templates(value), place)
            elif near := list(_misspelled(name, place)):
                seen[place] = near
            elif looks_secret(name) and not name.startswith("ansible_"):
                seen[place] = list(_clear({name: Sourced(value, place)}, {}))
    return [problem for problems in seen.values() for problem in problems]


def _without_templates(value: Value) -> Value:
    # What a template becomes is known only in the session.
    if not isinstance(value, Mapping):
        return value
    return {name: each for name, each in value.items() if not (isinstance(each, str) and "{{" in each)}


def _misspelled(name: str, place: Place) -> Iterator[Problem]:
    near = misspelled(name)
    if near:
        yield Problem(place, Level.WARNING, f"nobody reads a variable '{name}'", near)
