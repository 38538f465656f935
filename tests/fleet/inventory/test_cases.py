"""Computers, groups, merged variables and patterns are those of ansible-core, for every case folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.decide.resolve.patterns import select
from immy_nornir.errors import PatternError
from immy_nornir.fleet.inventory.export import ansible_list
from immy_nornir.fleet.inventory.load import load_inventory
from immy_nornir.model.inventory import Inventory
from immy_nornir.model.places import Level, Problem

from .case_files import CASES, PATTERNS, beside, names, sources


def _load(name: str) -> tuple[Inventory, list[Problem]]:
    case = CASES / name
    listed = [Path(source) if "," in source else case / source for source in sources(case)]
    return load_inventory(listed, beside=beside(case))


def _expected(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((CASES / name / "expected.json").read_text("utf-8"))
    return result


@pytest.mark.parametrize("name", names())
def test_a_case_lists_what_ansible_inventory_lists(name: str) -> None:
    inventory, problems = _load(name)
    assert [problem for problem in problems if problem.level is Level.ERROR] == []
    assert json.loads(json.dumps(ansible_list(inventory))) == _expected(name)["list"]


@pytest.mark.parametrize("name", names())
def test_patterns_select_what_ansible_lists_in_its_order(name: str) -> None:
    inventory, _ = _load(name)
    got: dict[str, list[str]] = {}
    for pattern in PATTERNS:
        try:
            got[pattern] = select(inventory, pattern)
        except PatternError:
            continue  # a name that is nothing, where Ansible only warns
    expected = _expected(name)["selected"]
    assert len(got) > 10
    assert got == {pattern: expected[pattern] for pattern in got}
