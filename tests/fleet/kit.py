"""Fleets in temporary folders, and a small JSON Schema validator with the keywords that our schemas use."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immy_nornir.cli.commands.files.lint import problems_of
from immy_nornir.model.places import Problem

INVENTORY = """
tenants:
  children:
    red: {hosts: {r1: {immy_business_hours: "mon-fri 08:00-18:00"}, r2: }}
    blue: {hosts: {b1: , b2: }}
laptops: {hosts: {r2: , b2: }}
"""


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return root


def fleet(root: Path, files: Mapping[str, str]) -> Path:
    """A fleet with a small inventory and these files."""
    return write(root, {"inventory/computers.yml": INVENTORY, **files})


def lines(problems: list[Problem]) -> list[str]:
    """Problems as lint shows them; most fleets here hold only what their test is about, so no deployments are none."""
    return [str(problem) for problem in problems if not problem.message.startswith("there are no deployments")]


def lint(root: Path, files: Mapping[str, str]) -> list[str]:
    """All problems of a fleet made of these files."""
    return lines(problems_of(fleet(root, files)))


def violations(value: object, schema: Mapping[str, Any], path: str = "$") -> list[str]:
    """What a JSON Schema validator would report, for the keywords that our schemas use."""
    unknown = set(schema) - {
        "$schema", "title", "description", "type", "properties", "additionalProperties", "required", "items", "anyOf",
        "enum", "pattern", "patternProperties", "minimum", "maximum", "minItems",
    }  # fmt: skip
    assert not unknown, f"the validator does not know {unknown}"
    found: list[str] = []
    several = [violations(value, each, path) for each in schema.get("anyOf", ())]
    if several and all(several):
        found.append(f"{path}: none of anyOf: {several}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is not in {schema['enum']}")
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        return [*found, f"{path}: {value!r} is no {kind}"]
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            found.append(f"{path}: {value} is out of bounds")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            found.append(f"{path}: too short")
        for index, each in enumerate(value):
            found += violations(each, schema.get("items", {}), f"{path}[{index}]")
    if isinstance(value, dict):
        found += _object(value, schema, path)
    return found


def _object(value: Mapping[Any, object], schema: Mapping[str, Any], path: str) -> list[str]:
    found = [f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value]
    for key, each in value.items():
        name = key if isinstance(key, str) else json.dumps(key)
        shapes = [inner for regex, inner in schema.get("patternProperties", {}).items() if re.search(regex, name)]
        shapes += [schema["properties"][name]] if name in schema.get("properties", {}) else []
        if not shapes and schema.get("additionalProperties", True) is False:
            found.append(f"{path}: unknown key {name}")
        for shape in shapes:
            found += violations(each, shape, f"{path}.{name}")
    return found


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str, "integer": int, "number": (int, float), "array": list, "object": dict,
    }  # fmt: skip
    return kind in kinds and isinstance(value, kinds[kind])
