"""Versions: a table of real ones, and the laws of a total order."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immy_nornir.decide.versions import SCHEMES, VersionSchemeError, compare, key, newest, satisfies
from immy_nornir.model.deployments import Desired, StateKind
from tests.samples import examples

CASES: dict[str, list[str]] = json.loads((Path(__file__).parent / "cases" / "versions.json").read_text("utf-8"))
ROWS = [(scheme, row) for scheme, rows in CASES.items() for row in rows]


@pytest.mark.parametrize(("scheme", "row"), ROWS, ids=[f"{scheme}: {row}" for scheme, row in ROWS])
def test_real_versions(scheme: str, row: str) -> None:
    """A row is a chain: `a < b = c < d`, where every pair is compared both ways."""
    chain: list[tuple[int, str]] = []
    rank = 0
    for number, part in enumerate(row.split(" | ")):
        if number:
            rank += part.startswith("< ")
        chain.append((rank, part[2:] if number else part))
    for rank_a, a in chain:
        for rank_b, b in chain:
            expected = (rank_a > rank_b) - (rank_a < rank_b)
            assert compare(a, b, scheme) == expected, (a, b)


_WORDS = st.sampled_from(
    re.split(r"\|", "1|2|10|0|08|.|-|_|,|+|~|:|u|a|b|rc|beta|sp|H|v|x64|(|)| |windows|alpha|dev|é|20241131|/")
)
_VERSIONS = st.one_of(st.lists(_WORDS, max_size=7).map("".join), st.text(max_size=8))


@settings(max_examples=examples(400))
@given(st.sampled_from(SCHEMES), _VERSIONS, _VERSIONS, _VERSIONS)
def test_a_total_order(scheme: str, a: str, b: str, c: str) -> None:
    assert compare(a, a, scheme) == 0
    assert compare(a, b, scheme) == -compare(b, a, scheme)
    if compare(a, b, scheme) <= 0 and compare(b, c, scheme) <= 0:
        assert compare(a, c, scheme) <= 0
    if compare(a, b, scheme) == 0:
        assert compare(a, c, scheme) == compare(b, c, scheme)
    assert isinstance(hash(key(a, scheme)), int)


@given(st.lists(st.integers(0, 10**20), min_size=1, max_size=5), st.integers(0, 3))
def test_numbers_compare_as_numbers_and_missing_ones_are_zero(numbers: list[int], zeros: int) -> None:
    text = ".".join(map(str, numbers))
    assert compare(text, text + ".0" * zeros) == 0
    assert compare(text, f"v{text.replace('.', ', ')}") == 0
    assert compare(text, text + ".1") == -1


def test_a_number_of_any_length_is_read() -> None:
    assert compare("9" * 6000, "1" + "0" * 6000) == -1


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("piece", [" ", "-", "1 -", "a", "1.", "x86 ", "service ", "~", ".", "(", "1a"])
def test_versions_of_any_kind_are_read_in_linear_time(scheme: str, piece: str) -> None:
    began = time.process_time()
    key(piece * 20_000 + "x", scheme)
    assert time.process_time() - began < 2


def test_newest() -> None:
    assert newest(["1.9", "1.10", "1.10.0", "1.2"]) == "1.10"
    assert newest([]) is None
    assert newest(["01.02.2024", "31.01.2024"], "date") == "01.02.2024"


@pytest.mark.parametrize(
    ("version", "desired", "expected"),
    [
        ("24.08.00.0", Desired(StateKind.EXACT, "24.08"), True),
        ("24.09", Desired(StateKind.EXACT, "24.08"), False),
        ("24.09", Desired(StateKind.AT_LEAST, "24.08"), True),
        ("24.08 beta", Desired(StateKind.AT_LEAST, "24.08"), False),
        ("24.07", Desired(StateKind.AT_MOST, "24.08"), True),
        ("24.09", Desired(StateKind.AT_MOST, "24.08"), False),
        (None, Desired(StateKind.AT_MOST, "24.08"), False),
        (None, Desired(StateKind.ABSENT), True),
        ("1", Desired(StateKind.ABSENT), False),
        ("1", Desired(StateKind.INSTALLED), True),
        (None, Desired(StateKind.INSTALLED), False),
        (None, Desired(StateKind.LATEST), False),
        (None, Desired(StateKind.UPDATE_IF_FOUND), True),
        (None, Desired(StateKind.IGNORED), True),
    ],
)
def test_satisfies(version: str | None, desired: Desired, expected: bool) -> None:
    assert satisfies(version, desired) is expected


def test_an_unknown_scheme_is_an_error_with_advice() -> None:
    with pytest.raises(VersionSchemeError, match="did you mean 'semver'"):
        compare("1", "2", "semvr")
