"""What a sample has in it."""

from __future__ import annotations

import itertools

from tests.samples import each_value, evenly


def test_a_sample_of_a_product_has_every_value_and_few_cases() -> None:
    cases = [{"a": a, "b": b, "c": c} for a, b, c in itertools.product(range(5), "xy", (True, False))]
    kept = [cases[number] for number in each_value(cases)]
    assert len(kept) == 5
    assert {pair for case in kept for pair in case.items()} == {pair for case in cases for pair in case.items()}


def test_a_sample_of_a_table_reaches_from_its_first_case_to_its_last() -> None:
    assert evenly(9, 3) == {0, 4, 8}
    assert evenly(2, 3) == {0, 1}
    assert evenly(7, 1) == {0}
