"""Whatever stands in a file: problems with places come out, never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest

from immy_nornir.cli.commands.files.lint import problems_of
from immy_nornir.fleet.schema import SHAPES
from immy_nornir.model.places import Level

from .kit import fleet

VALUES = (
    "", "[]", "{}", "1.5", "true", ".nan", "0x1F", "''", "'  '", "[a, b]", "{a: b}", "{secret: x}", "{? [a] : b}",
    "&a [*a]", "!x y", "2024-01-01", "- - x", "{<<: 3}", "{1: 2}", '"\\u0000"', "[{}]", "[[]]", "{a: {b: {c: []}}}",
)  # fmt: skip
FILES = {
    "software": "tasks/software/x/software.yml",
    "task": "tasks/maintenance/x/task.yml",
    "inventory-item": "tasks/inventory/x.yml",
    "deployments": "playbooks/deployments/x.yml",
    "playbook": "playbooks/x.yml",
    "types": "playbooks/types.yml",
    "schedules": "playbooks/schedules.yml",
    "limits": "playbooks/limits.yml",
    "telling": "playbooks/telling.yml",
}


def keys(kind: str) -> list[str]:
    schema = SHAPES[kind][0].schema()
    inner = schema["items"] if schema.get("type") == "array" else schema
    assert isinstance(inner, dict)
    properties = inner["properties"]
    assert isinstance(properties, dict)
    return list(properties)


TURNS = 4
"""All values of a key are taken by so many turns together; each turn takes some of every key."""


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.sampled
def test_any_value_of_any_key_gives_problems_at_most(tmp_path: Path, kind: str, turn: int) -> None:
    listed = SHAPES[kind][0].schema().get("type") == "array"
    for number, key in enumerate(keys(kind)):
        for value in VALUES[(number + turn) % TURNS :: TURNS]:
            root = fleet(tmp_path, {FILES[kind]: f"{'- ' if listed else ''}{key}: {value}\n"})
            for problem in problems_of(root):
                assert problem.message
                assert problem.place.line >= 1


@pytest.mark.parametrize(
    "text", ["\x00", "\ufeff", "---\n---\n", "%YAML 1.1\n---\n- a\n", "\t- a", "? ", "&a", "*a", "a: *b"]
)
def test_any_text_gives_problems_at_most(tmp_path: Path, text: str) -> None:
    problems = problems_of(fleet(tmp_path, dict.fromkeys(FILES.values(), text)))
    assert {problem.level for problem in problems} & {Level.ERROR, Level.WARNING}
