"""What computers said, put together: the same, alike, or different."""

from __future__ import annotations

import pytest

from immy_nornir.decide.runs.likeness import Said, differing, put_together


def said(computer: str, text: str, code: int | None = 0, status: str = "passed", why: str = "") -> Said:
    return Said(computer, status, code, text, (), why)


@pytest.mark.parametrize(
    ("one", "other", "groups"),
    [
        ("same\n", "same\r\n\r\n", [[2]]),
        ("ends \nhere", "ends\nhere\n", [[2]]),
        ("I am PC-A.", "I am pc-b.", [[1, 1]]),
        ("up 3 days, 10:22", "up 120 days, 9:01", [[1, 1]]),
        ("disk   1 GB", "disk 100 GB", [[1, 1]]),
        ("id 0f8fad5b-d9cb-469f-a165-70867728950e", "id 7c9e6679-7425-40de-944b-e07fc1f90ae7", [[1, 1]]),
        ("mac 00:1b:44:11:3a:b7", "mac 00:1b:44:11:3a:ff", [[1, 1]]),
        ("running", "stopped", [[1], [1]]),
        ("xpc-ax", "xpc-bx", [[1], [1]]),
        ("", "\n", [[2]]),
    ],
)
def test_texts_that_differ_in_names_and_numbers_alone_are_alike(one: str, other: str, groups: list[list[int]]) -> None:
    found = put_together([said("pc-a", one), said("pc-b", other)])
    assert [[len(group) for group in alike.groups] for alike in found] == groups


@pytest.mark.parametrize("other", [said("b", "x", 3), said("b", "x", 0, "failed"), said("b", "x", 0, why="in doubt")])
def test_who_ended_otherwise_did_not_say_the_same(other: Said) -> None:
    assert len(put_together([said("a", "x"), other])) == 2


def test_most_computers_come_first_and_the_lines_that_differ_are_known() -> None:
    texts = ["other", "head\nfree 1\nend", "head\nfree 2\nend", "head\nfree 1\nend"]
    first, last = put_together(said(f"pc{number}", text) for number, text in enumerate(texts))
    assert (first.count, first.first.computer, differing(first)) == (3, "pc1", frozenset({1}))
    assert (last.count, differing(last)) == (1, frozenset())
