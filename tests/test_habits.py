"""Habits of the tests: nothing waits without an end, so that a fault is a failure that says what did not come."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent

LOOPS = {
    "waiting.py:turns": "ends by the clock; all other loops that wait take their turns from it",
    "test_architecture.py:circles": "each turn takes names away",
    "docs/test_readme.py:_not_understood": "each turn takes words away",
    "e2e/relay.py:_accept": "a daemon thread; closing its socket ends it",
    "e2e/relay.py:_pass": "a daemon thread; closing its socket ends it",
    "remote/winrm/test_exchange_limits.py:serve": "a daemon thread; closing its socket ends it",
    "remote/winrm/test_exchange_limits.py:drip": "a daemon thread; an event ends it",
    "remote/winrm/test_exchange_limits.py:drip_headers": "a daemon thread; an event ends it",
    "remote/winrm/test_exchange_limits.py:flood": "a daemon thread; an event ends it",
}
"""Functions that may say `while`, and why each of them ends."""

ENDLESS = re.compile(r"subprocess\.(run|call|check_call|check_output)|itertools\.(count|cycle)")
WAITS = {"wait": 1, "join": 1, "communicate": 2, "wait_for": 2, "acquire": 2}
"""Methods that wait, and the position of their time-out. A `str.join` has an argument where that stands."""


@cache
def functions() -> tuple[tuple[str, ast.AST], ...]:
    """Every node of the tests with the innermost function that it stands in."""
    return tuple(_functions())


def _functions() -> Iterator[tuple[str, ast.AST]]:
    for file in sorted(TESTS.rglob("*.py")):
        name = file.relative_to(TESTS).as_posix()
        yield from _nodes(ast.parse(file.read_text(encoding="utf-8")), name, f"{name}:")


def _nodes(node: ast.AST, file: str, where: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inside = f"{file}:{child.name}" if isinstance(child, ast.FunctionDef) else where
        yield inside, child
        yield from _nodes(child, file, inside)


def waits_without_an_end(call: ast.Call) -> bool:
    """Whether a call may wait for ever."""
    if any(one.arg == "timeout" for one in call.keywords):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name in ENDLESS.pattern and ENDLESS.fullmatch(ast.unparse(call.func)):
        return True
    return name in WAITS and len(call.args) < WAITS[name]


def test_loops_that_wait_take_their_turns_from_one_place() -> None:
    wrong = [f"{where}, line {node.lineno}" for where, node in functions() if isinstance(node, ast.While)]
    assert [one for one in wrong if one.partition(",")[0] not in LOOPS] == []
    assert [name for name in LOOPS if not any(one.startswith(f"{name},") for one in wrong)] == []


def test_nothing_waits_for_a_process_or_a_thread_for_ever() -> None:
    wrong = [
        f"{where}, line {node.lineno}: {ast.unparse(node.func)}"
        for where, node in functions()
        if isinstance(node, ast.Call) and waits_without_an_end(node)
    ]
    assert wrong == []


def test_a_powershell_has_one_door() -> None:
    """Else a test would do one thing with a PowerShell and another without, and be run only once."""
    asks = re.compile(r"environ(\.get\(|\.pop\(|\[)\"IMMY_PWSH\"\]?(?! =)|\"IMMY_PWSH\" (not )?in|getenv")
    found = {one.relative_to(TESTS).as_posix() for one in TESTS.rglob("*.py") if asks.search(one.read_text("utf-8"))}
    assert found - {"test_habits.py"} == {"powershell.py"}
