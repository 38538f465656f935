"""Conditions over variables and facts, in three values, with what they read."""

from __future__ import annotations

import pytest

from immy_nornir.decide.resolve.conditions import (
    ConditionError,
    Holds,
    HoldsNot,
    Unknown,
    check,
    evaluate,
)

FACTS = {
    "chassis": "laptop",
    "memory_gb": 16,
    "model": None,
    "software": {"7-Zip": {"version": "24.08"}, "values": {"version": "1"}},
    "users": ["ada", "bob"],
    "tricky": "{{ 1 / 0 }}",
}
VARIABLES = {
    "groups": ["berlin", "laptops"],
    "small": "{{ facts.memory_gb < 8 }}",
    "size": 3,
    "broken": "{{ nowhere }}",
}
ZIP = "facts.software['7-Zip']"


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("facts.chassis == 'laptop'", {"facts.chassis"}),
        ("'berlin' in groups", {"groups"}),
        (f"{ZIP} is defined", {ZIP}),
        (f"{ZIP}.version == '24.08'", {f"{ZIP}.version"}),
        (f"{ZIP} is defined and {ZIP}.version != '1'", {f"{ZIP}.version"}),
        ("'7-Zip' in facts.software", {ZIP}),
        ("facts.software.values.version == '1'", {"facts.software.values.version"}),
        ("'ada' in facts.users", {"facts.users"}),
        ("facts.memory_gb > 8 and not size == 4", {"facts.memory_gb", "size"}),
        ("not small", {"small", "facts.memory_gb"}),
        ("facts.chassis == 'laptop' or facts.never_read", {"facts.chassis"}),
        ("facts.unknown == 1 or size == 3", {"facts.unknown", "size"}),
        ("{{ size == 3 }}", {"size"}),
        ("facts.tricky == '{{ 1 / 0 }}'", {"facts.tricky"}),
        ("facts.software | length == 2", {"facts.software"}),
        ("(facts.model | default('none')) == 'none'", {"facts.model"}),
        ("absent is not defined", set()),
    ],
)
def test_it_holds(text: str, reads: set[str]) -> None:
    assert evaluate(text, VARIABLES, FACTS) == Holds(frozenset(reads))


@pytest.mark.parametrize(
    "text",
    [
        "facts.chassis == 'desktop'",
        "'munich' in groups",
        "facts.software['8-Zip'] is defined",
        "facts.unknown == 1 and size == 4",
        "size == 4 and facts.unknown == 1",
        "not (facts.unknown == 1 or size == 3)",
    ],
)
def test_it_holds_not(text: str) -> None:
    assert isinstance(evaluate(text, VARIABLES, FACTS), HoldsNot)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("facts.unknown == 1", ("facts.unknown",)),
        ("facts.unknown != 1", ("facts.unknown",)),
        ("not facts.unknown == 1", ("facts.unknown",)),
        ("facts.model != 'x'", ("facts.model",)),
        ("facts.software['8-Zip'].version == '1'", ("facts.software['8-Zip']",)),
        ("facts.packages['x'] is defined", ("facts.packages",)),
        ("facts.a == 1 and facts.b == 1", ("facts.a", "facts.b")),
        ("facts.a == 1 or size == 4", ("facts.a",)),
        ("undefined_name == 1", ("undefined_name",)),
        ("broken == 1", ("nowhere",)),
    ],
)
def test_what_rests_on_the_unknown_is_unknown_and_named(text: str, names: tuple[str, ...]) -> None:
    verdict = evaluate(text, VARIABLES, FACTS)
    assert isinstance(verdict, Unknown)
    assert verdict.names == names
    assert verdict.reads >= set(names)


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("facts.a ==", 10, "column 11"),
        ("  facts.a === 3", 12, "column 13"),
        ("size = 3", 5, "column 6"),
        ("size == 'x", 8, "column 9"),
        ("size is defned", 8, "did you mean 'defined'"),
        ("size | uper == 'X'", 7, "did you mean 'upper'"),
        (" ", None, "nothing stands there"),
    ],
)
def test_a_syntax_error_says_the_text_and_the_position(text: str, position: int | None, said: str) -> None:
    with pytest.raises(ConditionError, match=said) as caught:
        check(text)
    assert (caught.value.text, caught.value.position) == (text, position)
    with pytest.raises(ConditionError):
        evaluate(text, {}, {})


def test_known_values_that_cannot_be_compared_are_an_error() -> None:
    with pytest.raises(ConditionError, match="not supported between"):
        evaluate("facts.chassis > 3", {}, FACTS)
