"""Variables that a command line gives as YAML or JSON, in a file or as they are -> values, as an inventory reads them.

What looks like a secret and stands in clear in a file becomes a reference into that file, so that it reaches no record;
on the command line itself it is refused. Not here: `NAME=VALUE` (cli.extra_vars).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from immy_nornir.errors import UsageError
from immy_nornir.fleet.checks.values import looks_secret
from immy_nornir.fleet.inventory.draft import Draft, Variables
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.fleet.inventory.vars_folders import read_variables
from immy_nornir.fleet.inventory.yaml_files import root_of
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.text.yaml import MappingNode

LINE = "-e"
"""What places on the command line are called."""
_NO_SECRETS = ("_file", "_path", "_age", "_ttl", "_length", "_name")
"""Ends of names that only sound like a secret's."""

Given = tuple[dict[str, Value], Mapping[str, Place], list[Problem]]
"""Variables, their places, and what stops nothing."""


def from_file(path: Path) -> Given:
    """The variables of a file, which may be relative to the working directory. Raises UsageError."""
    if not path.exists():
        raise UsageError(f"there is no file {path} (-e @{path})", "a relative path counts from the working directory")
    if path.is_dir():
        raise UsageError(f"{path} is a folder (-e @{path})", "name a file of variables, in YAML or JSON")
    draft = Draft()
    variables = read_variables(path, draft, Reading(draft))
    values, places, told = _read(draft, variables)
    base = f"vars:{path.absolute()}#" if path.is_file() else ""
    return {name: _referred(value, name, base, f"/{_escaped(name)}") for name, value in values.items()}, places, told


def from_text(text: str) -> Given:
    """The variables of a YAML or JSON text on the command line. Raises UsageError."""
    draft = Draft()
    node, problems, is_json = root_of(text, LINE)
    draft.problems.extend(problems)
    reading = Reading(draft)
    reading.begin(LINE, is_json=is_json)
    if isinstance(node, MappingNode):
        variables = reading.variables(node)
    else:
        variables = Variables()
        if not any(problem.level is Level.ERROR for problem in problems):
            draft.error(Place(LINE), "this is not a mapping of variables", 'write \'{"name": "value"}\'')
    values, places, told = _read(draft, variables)
    for name, value in values.items():
        refuse_clear(name, value)
    return values, places, told


def _read(draft: Draft, variables: Variables) -> Given:
    wrong = sorted({problem for problem in draft.problems if problem.level is Level.ERROR})
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        raise UsageError(f"{wrong[0].place}: {wrong[0].message}{more}", wrong[0].advice)
    places = {name: draft.spots.place(spot) for name, spot in variables.spots.items()}
    return dict(variables.values), places, sorted(set(draft.problems))


def refuse_clear(name: str, value: Value) -> None:
    """Raise UsageError for a secret in clear: a command line is seen by everybody."""
    if isinstance(value, Mapping):
        for inner, child in value.items():
            refuse_clear(inner, child)
    elif isinstance(value, list | tuple):
        for child in value:
            refuse_clear(name, child)
    elif is_clear(name, value):
        raise UsageError(
            f"the value of '{name}' would stand on the command line and in the record",
            f"give a reference: -e '{name}=secret: env:NAME' or -e '{name}=secret: file:PATH'",
        )


def is_clear(name: str, value: Value) -> bool:
    """Whether a single value is a secret in clear, by its name."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    text = str(value)
    return bool(text) and "{{" not in text and looks_secret(name) and not name.endswith(_NO_SECRETS)


def _referred(value: Value, name: str, base: str, pointer: str) -> Value:
    """The value with every secret in clear as a reference by RFC 6901 into its file, `base`."""
    if isinstance(value, Mapping):
        return {key: _referred(child, key, base, f"{pointer}/{_escaped(key)}") for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_referred(child, name, base, f"{pointer}/{number}") for number, child in enumerate(value)]
    if not is_clear(name, value):
        return value
    if not base:
        raise UsageError(
            f"'{name}' is a secret in clear in what can be read only once",
            "name a file that stays, or write {secret: env:NAME} or {secret: file:PATH}",
        )
    return SecretRef(f"{base}{pointer}")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
