"""The order of actions: dependencies, then class, place, freshness, priority and name."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immy_nornir.decide.plan.order import CycleError, OrderKey, sort
from immy_nornir.model.items import OrderClass, OrderPlace
from tests.samples import examples

P, S, C, Z = OrderClass
FIRST, NORMAL, LAST = OrderPlace
Edges = dict[str, set[str]]

TABLE: list[tuple[str, list[OrderKey], Edges, dict[str, str], str]] = [
    ("classes", [OrderKey("z", Z), OrderKey("c", C), OrderKey("s", S), OrderKey("p", P)], {}, {}, "p s c z"),
    ("places", [OrderKey("l", S, LAST), OrderKey("n"), OrderKey("f", S, FIRST)], {}, {}, "f n l"),
    ("fresh before priority", [OrderKey("a", priority=9), OrderKey("b", fresh=True)], {}, {}, "b a"),
    ("higher priority first", [OrderKey("a"), OrderKey("b", priority=5)], {}, {}, "b a"),
    ("then the name", [OrderKey("2", name="b"), OrderKey("1", name="c"), OrderKey("3", name="a")], {}, {}, "3 2 1"),
    ("dependencies before classes", [OrderKey("p", P), OrderKey("z", Z)], {"p": {"z"}}, {}, "z p"),
    ("a dependency moves up, not its dependent down", list(map(OrderKey, "abz")), {"a": {"z"}}, {}, "z a b"),
    ("unknown ids are ignored", [OrderKey("a")], {"a": {"gone"}, "gone": {"a"}}, {}, "a"),
    ("a follower right behind", [*map(OrderKey, "ab"), OrderKey("ca", C)], {}, {"ca": "a"}, "a ca b"),
    ("its needs before its leader", [*map(OrderKey, "ab"), OrderKey("ca", C)], {"ca": {"b"}}, {"ca": "a"}, "b a ca"),
    (
        "behind what keeps it from its leader",
        [*map(OrderKey, "abx"), OrderKey("ca", C)],
        {"ca": {"b"}, "b": {"a"}},
        {"ca": "a"},
        "a b ca x",
    ),
    ("a leader that needs its follower", [OrderKey("a"), OrderKey("ca", C)], {"a": {"ca"}}, {"ca": "a"}, "ca a"),
    (
        "followers of followers",
        [*map(OrderKey, "az"), OrderKey("b", C), OrderKey("c", C)],
        {},
        {"b": "a", "c": "b"},
        "a b c z",
    ),
    ("a leader that is not there", [OrderKey("a"), OrderKey("ca", C)], {}, {"ca": "gone"}, "a ca"),
]


@pytest.mark.parametrize(
    ("actions", "edges", "follows", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_order(actions: list[OrderKey], edges: Edges, follows: dict[str, str], expected: str) -> None:
    assert sort(actions, edges, follows) == expected.split()
    assert sort(actions[::-1], edges, follows) == expected.split(), "the order of the input does not matter"


def test_a_cycle_is_named_in_words() -> None:
    with pytest.raises(CycleError, match="a needs b, b needs c, c needs a") as caught:
        sort(list(map(OrderKey, "abcd")), {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert caught.value.ids == ("a", "b", "c")


def test_an_action_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(CycleError, match="a needs a"):
        sort([OrderKey("a")], {"a": {"a"}})


def test_a_long_chain_is_no_problem() -> None:
    names = [f"{number:04}" for number in range(3000)]
    edges = {one: {other} for one, other in itertools.pairwise(names)}
    assert sort([OrderKey(name) for name in names], edges) == names[::-1]


_KEYS = st.lists(
    st.builds(
        OrderKey,
        id=st.sampled_from("abcdefgh"),
        order_class=st.sampled_from(OrderClass),
        order=st.sampled_from(OrderPlace),
        fresh=st.booleans(),
        priority=st.integers(-1, 1),
        name=st.sampled_from("xy"),
    ),
    unique_by=lambda key: key.id,
)
_NAMES = st.sampled_from("abcdefgh")


@settings(max_examples=examples(300))
@given(_KEYS, st.sets(st.tuples(_NAMES, _NAMES)), st.dictionaries(_NAMES, _NAMES), st.randoms(use_true_random=False))
def test_every_sort_is_complete_stable_and_keeps_dependencies(
    keys: list[OrderKey], pairs: set[tuple[str, str]], follows: dict[str, str], chance: object
) -> None:
    edges: Edges = {}
    for one, other in pairs:
        if one != other:
            edges.setdefault(max(one, other), set()).add(min(one, other))  # no cycles
    got = sort(keys, edges, follows)
    assert sorted(got) == sorted(key.id for key in keys)
    place = {one: number for number, one in enumerate(got)}
    assert all(place[a] < place[b] for b in place for a in edges.get(b, ()) if a in place)
    shuffled = list(keys)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert sort(shuffled, edges, follows) == got
    if not follows and not edges:
        assert got == [key.id for key in sorted(keys, key=lambda key: key.rank)]
