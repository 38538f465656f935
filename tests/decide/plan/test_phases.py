"""Phases: the fewest reboots, proven against every possible cut of small graphs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence

import pytest

from immy_nornir.decide.plan.phases import Cut, PhaseInput, count_reboots, cut, recut
from immy_nornir.model.items import RebootNeed

N, IF, B, A = RebootNeed
Edges = Mapping[str, frozenset[str]]


def _inputs(**needs: RebootNeed) -> list[PhaseInput]:
    return [PhaseInput(name, need) for name, need in needs.items()]


TABLE: list[tuple[str, list[PhaseInput], dict[str, set[str]], bool, Cut, int]] = [
    ("nothing declared is one phase", _inputs(a=N, b=IF), {}, False, [("a", "b")], 0),
    ("no actions need no phase", [], {}, False, [], 0),
    ("no actions need no phase even when pending", [], {}, True, [], 0),
    ("pending makes phase 0", _inputs(a=N), {}, True, [(), ("a",)], 1),
    ("before alone boots first", _inputs(a=B), {}, False, [(), ("a",)], 1),
    ("before is served by a pending one", _inputs(a=B), {}, True, [(), ("a",)], 1),
    ("before after its dependency", _inputs(a=N, b=B), {"b": {"a"}}, False, [("a",), ("b",)], 1),
    ("after at the end", _inputs(a=N, b=A), {}, False, [("a", "b")], 1),
    ("after before its dependent", _inputs(a=A, b=N), {"b": {"a"}}, False, [("a",), ("b",)], 1),
    ("after and before share one", _inputs(a=A, b=B), {"b": {"a"}}, False, [("a",), ("b",)], 1),
    ("several share one", _inputs(a=A, b=A, c=B, d=B), {}, False, [("a", "b"), ("c", "d")], 1),
    ("the order is kept where it is free", _inputs(a=A, b=N, c=N), {"b": {"a"}}, False, [("a",), ("b", "c")], 1),
    ("moved only to save a reboot", _inputs(a=A, b=N, c=A), {"b": {"a"}}, False, [("a", "c"), ("b",)], 1),
    ("through an action that is not there", _inputs(a=A, b=N), {"b": {"x"}, "x": {"a"}}, False, [("a",), ("b",)], 1),
    ("edges to nowhere are ignored", _inputs(a=N), {"a": {"nowhere"}}, False, [("a",)], 0),
    ("a chain", _inputs(a=A, b=A, c=A), {"b": {"a"}, "c": {"b"}}, False, [("a",), ("b",), ("c",)], 3),
]


@pytest.mark.parametrize(
    ("ordered", "edges", "pending", "expected", "reboots"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_phases(
    ordered: list[PhaseInput], edges: dict[str, set[str]], pending: bool, expected: Cut, reboots: int
) -> None:
    assert cut(ordered, edges, pending) == expected
    assert count_reboots(expected, ordered) == reboots


def test_after_a_reboot_the_first_phase_is_freshly_booted() -> None:
    assert recut(_inputs(b=B, c=N), {"b": frozenset({"a"})}) == [("b", "c")]
    assert recut(_inputs(a=N, b=B), {"b": frozenset({"a"})}) == [("a",), ("b",)]
    assert recut([], {}) == []


def _valid(phase: Mapping[str, int], ordered: Sequence[PhaseInput], edges: Edges, pending: bool, booted: bool) -> bool:
    need = {one.id: one.need for one in ordered}
    for one in ordered:
        if phase[one.id] < 1 and (pending or (one.need is B and not booted)):
            return False
        for a in edges.get(one.id, frozenset()):
            gap = need[a] is A or one.need is B
            if phase[one.id] < phase[a] + gap:
                return False
    return True


def _cost(phase: Mapping[str, int], ordered: Sequence[PhaseInput]) -> int:
    last = max(phase.values(), default=0)
    return last + any(one.need is A and phase[one.id] == last for one in ordered)


def _fewest(ordered: Sequence[PhaseInput], edges: Edges, pending: bool, booted: bool = False) -> int:
    names = [one.id for one in ordered]
    phases = (
        dict(zip(names, numbers, strict=True))
        for numbers in itertools.product(range(len(names) + 2), repeat=len(names))
    )
    return min(_cost(phase, ordered) for phase in phases if _valid(phase, ordered, edges, pending, booted))


def _graphs(count: int) -> Iterator[dict[str, frozenset[str]]]:
    names = "abcde"[:count]
    pairs = [(b, a) for b in names for a in names if a < b]
    for chosen in itertools.product((False, True), repeat=len(pairs)):
        yield {b: frozenset(a for (c, a), taken in zip(pairs, chosen, strict=True) if taken and c == b) for b in names}


def _check(ordered: Sequence[PhaseInput], edges: Edges, pending: bool) -> None:
    for booted in (False, True):
        if booted and pending:
            continue
        got = recut(ordered, edges) if booted else cut(ordered, edges, pending)
        phase = {one: number for number, ids in enumerate(got) for one in ids}
        assert sorted(phase) == [one.id for one in ordered], "every action stands once"
        assert all(list(ids) == sorted(ids) for ids in got), "the given order holds inside a phase"
        assert _valid(phase, ordered, edges, pending, booted)
        assert count_reboots(got, ordered) == _fewest(ordered, edges, pending, booted), (ordered, edges, got)


def test_the_fewest_reboots_for_every_graph_of_up_to_three_actions() -> None:
    for count in (1, 2, 3):
        for edges in _graphs(count):
            for needs in itertools.product(RebootNeed, repeat=count):
                ordered = [PhaseInput(name, need) for name, need in zip("abc", needs, strict=False)]
                _check(ordered, edges, False)
                _check(ordered, edges, True)


def test_the_fewest_reboots_for_sampled_graphs_of_four_and_five_actions() -> None:
    chance = random.Random(20)  # noqa: S311 - a repeatable sample
    for count, samples in ((4, 120), (5, 12)):
        graphs = list(_graphs(count))
        for _ in range(samples):
            needs = [chance.choice(list(RebootNeed)) for _ in range(count)]
            ordered = [PhaseInput(name, need) for name, need in zip("abcde", needs, strict=False)]
            _check(ordered, chance.choice(graphs), chance.random() < 0.3)


@pytest.mark.soak
@pytest.mark.parametrize("count", [4, 5])
def test_the_fewest_reboots_for_every_graph(count: int) -> None:
    # `never` and `if_needed` ask for the same: one of them is enough here.
    for edges in _graphs(count):
        for needs in itertools.product((N, B, A), repeat=count):
            ordered = [PhaseInput(name, need) for name, need in zip("abcde", needs, strict=False)]
            got = cut(ordered, edges, False)
            phase = {one: number for number, ids in enumerate(got) for one in ids}
            assert _valid(phase, ordered, edges, False, False)
            assert count_reboots(got, ordered) == _fewest_below(count_reboots(got, ordered), ordered, edges)


def _fewest_below(bound: int, ordered: Sequence[PhaseInput], edges: Edges) -> int:
    """The fewest, looking only at cuts that could be cheaper than `bound`."""
    names = [one.id for one in ordered]
    for numbers in itertools.product(range(bound), repeat=len(names)):
        phase = dict(zip(names, numbers, strict=True))
        if _cost(phase, ordered) < bound and _valid(phase, ordered, edges, False, False):
            return _cost(phase, ordered)
    return bound
