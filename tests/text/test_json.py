from __future__ import annotations

import dataclasses
import datetime
import enum
import json as standard
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from immy_nornir.model.values import UnsafeText
from immy_nornir.text import json


class Word(enum.StrEnum):
    ONE = "one"


def canonical(value: object) -> str:
    return standard.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


TEXTS = st.text(st.characters(exclude_categories=[])) | st.sampled_from(["null", "1e-7,", "0.00001]", "e-5", "9" * 20])
NUMBERS = st.integers() | st.floats() | st.floats(-1e-3, 1e-3) | st.builds(lambda e: 10.0**e, st.integers(-30, 30))
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | st.builds(UnsafeText, TEXTS) | st.just(Word.ONE)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(TEXTS, inner) | st.dictionaries(NUMBERS, inner)
    ),
)


@given(VALUES)
@example([1e-05, -1e-05, 1.2e-05, 1e-06, 1e-07, 1e-10, 1e16, 1.0, -0.0, 1e22, 5e-324, 1.7976931348623157e308])
@example({"a": 1e-7, "b": [0.00001]})
@example([2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
@example([None, math.nan, math.inf, -math.inf])
@example({"é": 1, "z": 2, "\U0001f600": 3, "\uffff": 4, "\ud800": 5})
@example("".join(map(chr, range(0x100))) + "\u2028\u2029")
@example({True: 1, 2: None})
@example({Word.ONE: Word.ONE})
def test_what_is_stored_has_the_bytes_of_the_standard_library(value: Any) -> None:
    assert json.stored(value) == canonical(value)


@given(VALUES, st.booleans(), st.booleans())
@example({"b": 1e-7, "a": "\x7f\u00e9", "c": [None, math.nan, [], {}]}, True, False)
def test_several_lines_are_those_of_the_standard_library(value: Any, ascii_only: bool, sort_keys: bool) -> None:
    try:
        right = standard.dumps(value, indent=2, ensure_ascii=ascii_only, sort_keys=sort_keys)
    except TypeError:  # keys of different kinds have no order
        return
    assert json.indented(value, ascii=ascii_only, sort_keys=sort_keys) == right


@given(st.integers(0, 2**64 - 1))
def test_every_float_is_stored_with_the_same_bytes(bits: int) -> None:
    number = struct.unpack("<d", struct.pack("<Q", bits))[0]
    for value in (number, [number], {"a": number, "b": None}, [None, number, 0]):
        assert json.stored(value) == canonical(value)


@dataclasses.dataclass
class Thing:
    a: int


@pytest.mark.parametrize(
    "value", [Thing(1), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), b"x", {1, 2}, object()]
)
def test_what_is_no_json_is_not_stored(value: object) -> None:
    with pytest.raises(TypeError):
        json.stored({"a": value})


def test_a_circle_is_not_stored() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        json.stored(circle)


def nested(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


def test_a_depth_that_one_writer_refuses_and_the_other_takes_is_stored() -> None:
    assert json.stored(nested(400)) == canonical(nested(400))


def same(one: object, another: object) -> bool:
    """Equal in kind too, so that 1 is not 1.0 and NaN is NaN."""
    return repr(one) == repr(another)


@given(VALUES)
def test_a_text_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    for ascii_ in (True, False):
        text = standard.dumps(value, ensure_ascii=ascii_)
        assert same(json.parse(text), standard.loads(text))
    raw = standard.dumps(value).encode()
    assert same(json.parse(raw), standard.loads(raw))


STRANGE = (
    *("18446744073709551616", "-9223372036854775809", "[9223372036854775808]", "1" * 400, "-0"),
    *("1e400", "-1e400", "1e-400", "123456789012345678901234567890.5", "NaN", "[Infinity]"),
    *('"\\ud800"', ' {"a": 1, "a": 2}\n'),
)


@pytest.mark.parametrize("text", STRANGE)
def test_strange_numbers_and_texts_are_read_alike(text: str) -> None:
    assert same(json.parse(text), standard.loads(text))
    assert same(json.parse(text.encode()), standard.loads(text))


@given(st.text(alphabet='[]{}",:0123456789.eE+-tfn\\u \t\n', max_size=12) | st.binary(max_size=12))
@example("\ufeff1")
@example(b"\xef\xbb\xbf1")
@example(b'"\xff"')
@example('"\t"')
@example("[1,]")
def test_what_cannot_be_read_is_the_same_value_error(text: str | bytes) -> None:
    assert outcome(json.parse, text) == outcome(standard.loads, text)


def outcome(read: Callable[[Any], Any], text: str | bytes) -> str:
    try:
        return repr(read(text))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("depth", [500, 1023, 1025, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_no_depth_is_another_error(opening: str, depth: int) -> None:
    text = opening * depth + "1" + ("]" if opening == "[" else "}") * depth
    if depth > 1024:
        with pytest.raises(ValueError, match="deep"):
            json.parse(text)
        return
    value = json.parse(text)
    for _ in range(depth):
        value = value[0] if isinstance(value, list) else value["a"]
    assert value == 1


def test_what_travels_to_powershell_is_ascii() -> None:
    assert json.compact({"b": "é\ud800", "a": [1, 2]}) == '{"b":"\\u00e9\\ud800","a":[1,2]}'


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "1e999", "{", ""])
def test_strict_reading_takes_plain_json_only(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.parse_strict(text)


def test_lines_for_people_keep_the_order_of_keys() -> None:
    assert json.line({"b": "é", "a": 1}) == '{"b": "\\u00e9", "a": 1}'
    assert json.line({"b": "é"}, ascii=False) == '{"b": "é"}'
    assert json.indented({"b": "é", "a": 1}, sort_keys=True) == '{\n  "a": 1,\n  "b": "\\u00e9"\n}'
    assert json.indented({"a": object}, default=lambda _: "x") == '{\n  "a": "x"\n}'
