"""The built-in maintenance types, and which chains of stages can run."""

from __future__ import annotations

import pytest

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES, problems_of_chain
from immy_nornir.model.items import ItemKind
from immy_nornir.model.playbooks import CHANGING, ActionType, Stage

C, R, I, D, P, E, V, T = Stage  # noqa: E741 - the stages by their first letters


@pytest.mark.parametrize(("name", "changes"), [("full", True), ("resolution", True), ("detection", False)])
def test_only_types_that_execute_may_change(name: str, changes: bool) -> None:
    kind = BUILT_IN_TYPES[name]
    assert bool(kind.does & CHANGING) is changes
    assert kind.executes is changes


def test_full_does_everything() -> None:
    full = BUILT_IN_TYPES["full"]
    assert full.stages == tuple(Stage)
    assert full.does >= CHANGING | {ActionType.AUDIT, ActionType.MONITOR}
    assert full.looks_at == set(ItemKind)


def test_resolution_installs_and_updates_software() -> None:
    kind = BUILT_IN_TYPES["resolution"]
    assert kind.does == {ActionType.INSTALL, ActionType.UPDATE}
    assert kind.looks_at == {ItemKind.SOFTWARE}


def test_inventory_only_collects_facts() -> None:
    kind = BUILT_IN_TYPES["inventory"]
    assert kind.stages == (C, I, T)
    assert not kind.looks_at
    assert not kind.does


@pytest.mark.parametrize("name", BUILT_IN_TYPES)
def test_built_in_chains_can_run(name: str) -> None:
    assert problems_of_chain(BUILT_IN_TYPES[name].stages) == []


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ((C,), []),
        ((C, R, D), []),
        ((C, R, D, P, E, V), []),
        ((), ["begins with 'connect'"]),
        ((R, D), ["begins with 'connect'", "'resolve' needs 'connect'"]),
        ((C, D), ["'detect' needs 'resolve'"]),
        ((C, R, P), ["'plan' needs 'detect'"]),
        ((C, R, D, E, V), ["'execute' needs 'plan'"]),
        ((C, R, D, P, E), ["'execute' needs 'verify' after it"]),
        ((C, R, D, P, V), ["'verify' needs 'execute'"]),
        ((C, D, R), ["'resolve' cannot come after 'detect'"]),
        ((C, R, R), ["'resolve' cannot come after 'resolve'"]),
        ((C, T, R), ["'resolve' cannot come after 'report'"]),
    ],
    ids=lambda value: "-".join(value) or "none" if isinstance(value, tuple) else "",
)
def test_chains(stages: tuple[Stage, ...], expected: list[str]) -> None:
    problems = problems_of_chain(stages)
    assert len(problems) == len(expected)
    for problem, part in zip(problems, expected, strict=True):
        assert part in problem
