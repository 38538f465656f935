"""Tenants take turns, in their own order, at a cost that does not grow with what is queued."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from immy_nornir.session.crew.turns import Turns, Waiting


def everything(turns: Turns[str]) -> Iterator[str]:
    yield from iter(turns.take, None)


def test_tenants_take_turns_and_each_keeps_its_order() -> None:
    turns: Turns[str] = Turns()
    for one in ("a1", "a2", "a3", "b1", "b2", "c1"):
        turns.put(one[0], one)
    assert list(everything(turns)) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_one_that_is_done_lets_the_next_of_its_tenant_start() -> None:
    turns: Turns[str] = Turns(2)
    for one in ("a1", "a2", "a3", "a4", "b1"):
        turns.put(one[0], one)
    assert list(everything(turns)) == ["a1", "b1", "a2"]
    assert not turns
    turns.done("b")
    assert not turns
    turns.done("a")
    assert list(everything(turns)) == ["a3"]
    turns.done("a")
    turns.done("a")
    assert list(everything(turns)) == ["a4"]


class Counting(str):
    """A tenant that counts how often it is looked at."""

    __slots__ = ()
    looks = 0

    def __hash__(self) -> int:
        Counting.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counting.looks += 1
        return super().__eq__(other)


def looks_of_one_more(queued: int) -> int:
    """What taking one of a small tenant costs, while `queued` of a big one at its limit stand before it."""
    turns: Turns[int] = Turns(1)
    big, small = Counting("big"), Counting("small")
    for number in range(queued):
        turns.put(big, number)
    assert turns.take() == 0
    Counting.looks = 0
    turns.put(small, -1)
    assert turns.take() == -1
    turns.done(small)
    return Counting.looks


@pytest.mark.parametrize("queued", [100, 10_000])
def test_thousands_of_a_tenant_at_its_limit_delay_no_other(queued: int) -> None:
    assert looks_of_one_more(queued) == looks_of_one_more(2)


def test_what_waits_is_handed_out_once() -> None:
    waiting: Waiting[str] = Waiting()
    late, soon, never = waiting.put("late", 9.0), waiting.put("soon", 1.0), waiting.put("never", 5.0)
    assert waiting.next_due() == 1.0
    assert waiting.take(never) == "never"
    assert waiting.take(never) is None
    assert waiting.due(0.5) == []
    assert waiting.due(1.0) == [(soon, "soon")]
    assert waiting.next_due() == 9.0
    assert waiting.held() == [(late, "late")]
    assert waiting.due(99.0) == [(late, "late")]
    assert waiting.next_due() == float("inf")
