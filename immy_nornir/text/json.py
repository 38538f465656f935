"""All JSON text of the package is made and read here; the one owner of orjson and of the standard library's json.

What is stored and hashed keeps the bytes that the standard library gives: orjson does what it writes alike, the rest
falls back. Not here: what the values mean, and which of them an answer may hold.
"""

from __future__ import annotations

import contextlib
import json
import marshal
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

_STORED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_SMALL = re.compile(rb"[0-9]e-[0-9](?:[],}]|\Z)|[:[,-]0\.0000|\A0\.0000")
"""Numbers below a ten-thousandth, which the standard library writes with an exponent of two digits."""
_LONG = re.compile(rb"[0-9]{19}")
_LONG_TEXT = re.compile(r"[0-9]{19}")
"""Integers that may have more than 64 bits, of which orjson makes floats."""


def stored(value: object) -> str:
    """One line without blanks, keys sorted, as it is kept and hashed.

    The bytes are those of the standard library for every value. Raises what that raises: TypeError for what is no
    JSON, ValueError for a circle, RecursionError for what is too deep.
    """
    try:
        raw = orjson.dumps(value, option=_OPTIONS)
    except TypeError:  # integers over 64 bits, keys that are no texts, halves of characters, a great depth
        return _STORED.encode(value)
    if (b"0.0000" in raw or b"e-" in raw) and _SMALL.search(raw) is not None:
        return _STORED.encode(value)
    # What is no number is null to orjson, in silence.
    if b"null" in raw and not _finite(value):
        return _STORED.encode(value)
    return raw.decode()


_NESTED = (dict, list, tuple)
_WITHOUT_FLOATS = frozenset({str, int, bool, type(None)})


def _finite(value: Any) -> bool:
    """Whether no number in it is infinite or none."""
    # The last byte of such a float is one of these, and hardly any other byte is; to look at every value takes three
    # times as long as this copy.
    with contextlib.suppress(ValueError):
        copy = marshal.dumps(value, 4)
        if b"\x7f" not in copy and b"\xff" not in copy:
            return True
    todo: list[Any] = [[value]]
    while todo:
        one = todo.pop()
        for child in one.values() if isinstance(one, dict) else one:
            if type(child) in _WITHOUT_FLOATS:
                continue
            if isinstance(child, _NESTED):
                todo.append(child)
            elif isinstance(child, float) and not math.isfinite(child):
                return False
    return True


def line(
    value: object,
    *,
    ascii: bool = True,  # noqa: A002 - what it says
    default: Callable[[Any], Any] | None = None,
) -> str:
    """One line for people and scripts, keys in their order."""
    return json.dumps(value, ensure_ascii=ascii, default=default)


def compact(value: object) -> str:
    """One line without blanks in ASCII, keys in their order: what travels to PowerShell."""
    return json.dumps(value, separators=(",", ":"))


def indented(
    value: object,
    indent: int = 2,
    *,
    ascii: bool = True,  # noqa: A002 - what it says
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """Several lines for people and scripts."""
    return json.dumps(value, indent=indent, ensure_ascii=ascii, sort_keys=sort_keys, default=default)


def parse(text: str | bytes) -> Any:
    """The value of a JSON text, as the standard library reads it: any integer, `NaN`, halves of characters.

    Raises: ValueError for everything that cannot be read, too great a depth included.
    """
    # Few texts hold so long a row of digits; most that do are hashes.
    long = _LONG_TEXT.search(text) if isinstance(text, str) else _LONG.search(text)
    if long is None:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # what orjson refuses the standard library may read, and says where it cannot
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the text is nested too deep") from None


def parse_strict(text: str) -> Any:
    """The value of a text of plain JSON: `NaN`, infinities and numbers that no float holds are refused.

    Raises: ValueError for everything that cannot be read; RecursionError for too great a depth.
    """
    return json.loads(text, parse_constant=_no_constant, parse_float=_in_range)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _in_range(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is no number that can be held")
    return number
