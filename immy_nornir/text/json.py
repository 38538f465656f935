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
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
# A pattern that begins with plain characters is found many times quicker than one that begins with a choice.
_EXPONENT = re.compile(rb"e-[0-9](?:[],}\n]|\Z)")
"""Numbers below a ten-thousandth, which the standard library writes with an exponent of two digits."""
MAX_DEPTH = 100
"""How many levels the answer of a computer may have."""
_INDENT = 2
_STEP = 4
_LONG = re.compile(rb"[0-9]{19}")
_LONG_TEXT = re.compile(r"[0-9]{19}")
"""Integers that may have more than 64 bits, of which orjson makes floats."""
_TRACE = re.compile(rb"[0-9]{4}")
_TRACE_TEXT = re.compile(r"[0-9]{4}")
"""What such an integer leaves in every fourth character."""


def stored(value: object) -> str:
    """One line without blanks, keys sorted, as it is kept and hashed.

    The bytes are those of the standard library for every value. Raises what that raises: TypeError for what is no
    JSON, ValueError for a circle, RecursionError for what is too deep.
    """
    raw = _alike(value, _OPTIONS | orjson.OPT_SORT_KEYS)
    return _STORED.encode(value) if raw is None else raw.decode()


def _alike(value: object, options: int) -> bytes | None:
    """What orjson makes of it, where the standard library makes the same; None where it would not."""
    try:
        raw = orjson.dumps(value, option=options)
    except TypeError:  # integers over 64 bits, keys that are no texts, halves of characters, a great depth
        return None
    if b"0.0000" in raw or (b"e-" in raw and _EXPONENT.search(raw) is not None):
        return None
    # What is no number is null to orjson, in silence.
    return None if b"null" in raw and not _finite(value) else raw


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
    indent: int = _INDENT,
    *,
    ascii: bool = True,  # noqa: A002 - what it says
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """Several lines for people and scripts; the bytes are those of the standard library."""
    # The standard library makes lines character by character in Python: a summary of a thousand computers took seconds.
    if indent == _INDENT:
        raw = _alike(value, _OPTIONS | orjson.OPT_INDENT_2 | (orjson.OPT_SORT_KEYS if sort_keys else 0))
        if raw is not None and not (ascii and (not raw.isascii() or b"\x7f" in raw)):
            return raw.decode()
    return json.dumps(value, indent=indent, ensure_ascii=ascii, sort_keys=sort_keys, default=default)


def parse(text: str | bytes) -> Any:
    """The value of a JSON text, as the standard library reads it: any integer, `NaN`, halves of characters.

    Raises: ValueError for everything that cannot be read, too great a depth included.
    """
    if not _holds_long(text):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # what orjson refuses the standard library may read, and says where it cannot
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the text is nested too deep") from None


def parse_answer(text: str | bytes) -> Any:
    """The value of a JSON text that a computer sent: at most 100 levels deep.

    Raises: ValueError for everything that cannot be read, too great a depth and too long numbers included.
    """
    value = parse(text)
    opening = (text.count("["), text.count("{")) if isinstance(text, str) else (text.count(b"["), text.count(b"{"))
    # Few answers have so many brackets that they could be too deep.
    if sum(opening) > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        raise ValueError(f"the text is nested deeper than {MAX_DEPTH} levels")
    return value


def is_deeper(value: Any, most: int) -> bool:
    """Whether lists and maps are nested in more levels than `most`; any depth is looked at without recursion."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _holds_long(text: str | bytes) -> bool:
    """Whether a row of 19 digits is in it; few texts hold one, and most that do are hashes."""
    if isinstance(text, str):
        return _TRACE_TEXT.search(text[::_STEP]) is not None and _LONG_TEXT.search(text) is not None
    return _TRACE.search(text[::_STEP]) is not None and _LONG.search(text) is not None


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
