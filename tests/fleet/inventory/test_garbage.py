"""Whatever a file holds, loading gives problems, never an exception."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immy_nornir.decide.resolve.patterns import select
from immy_nornir.errors import PatternError
from immy_nornir.fleet.inventory.load import load_inventory
from tests.samples import examples

_TOKENS = st.sampled_from(
    [
        *("all:", "hosts:", "vars:", "children:", "pc1:", "[web]", "[web:vars]", "[a:children]", "a=1", "\n", "\n  "),
        *(
            "\n    ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "&a",
            "*a",
            "<<: ",
            "!vault ",
            "!unsafe ",
            "!!binary ",
            "'",
            '"',
            "#",
            ";",
        ),
        *(": ", ",", "x[1:3]", "[9:1]", "22:00", "0_", "0x", "~", "secret: ", "\t", "\r", "\x85", "\u2028", "é", "|\n"),
        *(
            "---\n",
            "...\n",
            "? ",
            "!!set ",
            "!!timestamp ",
            "2001-99-99",
            ":2222",
            "\\",
            "ansible_group_priority: ",
            "%",
        ),
    ]
)
_TEXTS = st.lists(_TOKENS, max_size=40).map("".join)


@settings(max_examples=examples(200))
@given(text=_TEXTS, ending=st.sampled_from(["", ".yml", ".ini", ".json"]))
def test_no_text_makes_loading_fail(text: str, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"inventory{ending}"
        path.write_text(text, encoding="utf-8", newline="")
        (Path(folder) / "group_vars").mkdir()
        (Path(folder) / "group_vars" / "all.yml").write_text(text, encoding="utf-8", newline="")
        inventory, problems = load_inventory([path])
    assert "all" in inventory.groups
    assert all(problem.place.file and problem.advice for problem in problems), problems


@settings(max_examples=examples(100))
@given(data=st.binary(max_size=60), ending=st.sampled_from(["", ".yml", ".ini"]))
def test_no_bytes_make_loading_fail(data: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"inventory{ending}"
        path.write_bytes(data)
        load_inventory([path])


@settings(max_examples=examples(200))
@given(pattern=st.text(st.sampled_from("ab1:,!&~*?[]-. @(){}^"), max_size=12))
def test_no_pattern_fails_otherwise_than_with_a_pattern_error(pattern: str) -> None:
    inventory, _ = load_inventory([Path("a1,b1,")])
    with contextlib.suppress(PatternError):
        assert set(select(inventory, pattern)) <= {"a1", "b1", "::1"}


@pytest.mark.parametrize("text", ["[" * 5000, '{"a":' * 5000, "a: " + "[" * 3000 + "]" * 3000, "- " * 3000])
@pytest.mark.parametrize("ending", ["", ".yml", ".json"])
def test_deep_nesting_is_a_problem_too(text: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"inventory{ending}"
    path.write_text(text)
    _, problems = load_inventory([path])
    assert problems
