"""Which cases of a large table or product `make test` runs: those that differ in kind; `make soak` runs all.

`@pytest.mark.sampled` on a product runs every value of every argument at least once, together with as many new values
of others as there are. `@pytest.mark.sampled(n)` runs n cases from the first to the last, evenly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

import pytest
from hypothesis import settings


def examples(number: int) -> int:
    """How many examples a property has that deserves so many where another has a hundred."""
    return max(1, number * settings().max_examples // 100)


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The cases that only full counts run, of all tests that are sampled."""
    tables: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled"):
            tables[item.nodeid.partition("[")[0]].append(item)
    return [item for table in tables.values() for item in _left_out(table)]


def _left_out(table: Sequence[pytest.Item]) -> list[pytest.Item]:
    marker = table[0].get_closest_marker("sampled")
    assert marker is not None
    if marker.args:
        kept = evenly(len(table), marker.args[0])
    else:
        kept = each_value([{name: repr(one) for name, one in _arguments(item).items()} for item in table])
    return [item for number, item in enumerate(table) if number not in kept]


def _arguments(item: pytest.Item) -> Mapping[str, object]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def evenly(length: int, number: int) -> set[int]:
    """Positions from the first to the last."""
    number = min(number, length)
    return {round(one * (length - 1) / max(1, number - 1)) for one in range(number)}


def each_value(cases: Sequence[Mapping[str, Hashable]]) -> set[int]:
    """Positions of few cases that have every value of every argument among them."""
    missing = {pair for case in cases for pair in case.items()}
    kept = set()
    for _ in cases:
        best = max(range(len(cases)), key=lambda number: len(missing & cases[number].items()))
        if not missing & cases[best].items():
            break
        kept.add(best)
        missing -= cases[best].items()
    return kept
