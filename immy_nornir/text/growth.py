"""What operations of templates would make, before they make it: characters of the result, by their arguments; pure.

For everything whose result can be much longer than what it works on. Each estimate takes what the operation takes; what
cannot be estimated is refused. Raises BudgetError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sized
from typing import Any, Final

from immy_nornir.text.budget import MAX_BITS, MAX_DIGITS, MAX_LENGTH, BudgetError, current

Estimate = Callable[..., int]
MAX_MARKUP: Final = 50_000
"""Longest text for filters that look through it again and again."""
_MAX_PRECISION: Final = 1_000
_CONVERSION: Final = re.compile(r"%(?:\([^()%]*\))?[-#0 +]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?")
_DIGITS: Final = re.compile(r"[0-9]+")


def _length(value: object) -> int:
    return len(value) if isinstance(value, Sized) else 1


def _count(value: object) -> int:
    return abs(value) if isinstance(value, int) else 0


# --- operators -----------------------------------------------------------------------------------------------


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too long. Raises BudgetError."""
    for one in (left, right):
        if isinstance(one, int) and one.bit_length() > MAX_BITS:
            raise BudgetError(f"a number has more than {MAX_DIGITS:,} digits")
    both = isinstance(left, int) and isinstance(right, int)
    if operator == "**" and both and right > 0 and (left.bit_length() - 1) * right > MAX_BITS:
        raise BudgetError(f"a number has more than {MAX_DIGITS:,} digits")
    if operator == "*" and not both:
        for many, times in ((left, right), (right, left)):
            if isinstance(many, str | bytes | list | tuple) and isinstance(times, int):
                current().expect(current().weigh(many) * max(times, 0))
    if operator == "%" and isinstance(left, str | bytes):
        current().expect(formatted(left, right))


def formatted(text: str | bytes, values: Any) -> int:
    """Characters that `text % values` has at most."""
    shape = text if isinstance(text, str) else text.decode("latin-1")
    heaviest = max((current().weigh(one) for one in _arguments(values)), default=0)
    widest = max((_count(one) for one in _arguments(values)), default=0)
    total = len(shape)
    for found in _CONVERSION.finditer(shape):
        # A text of characters that are written as escapes is up to ten times as long.
        total += 10 * heaviest + 400
        for said in found.groups():
            total += widest if said == "*" else width(said or "0")
        if total > MAX_LENGTH:
            break
    return total


def _arguments(values: Any) -> list[Any]:
    if isinstance(values, Mapping):
        return list(values.values()) if isinstance(values, dict) else [values]
    return list(values) if isinstance(values, tuple) else [values]


def width(digits: str) -> int:
    """The number that a format says; more than any result may have where it is long."""
    return int(digits) if len(digits) < 8 else MAX_LENGTH + 1


def spec_width(spec: str) -> int:
    """The largest number in a format's specification."""
    return max(map(width, _DIGITS.findall(spec)), default=0)


# --- filters -------------------------------------------------------------------------------------------------


def _indent(text: Any, width: Any = 4, *_: Any, **__: Any) -> int:
    lines = text.count("\n") + 1 if isinstance(text, str) else 1
    return _length(text) + lines * (len(width) if isinstance(width, str) else _count(width))


def _wordwrap(text: Any, width: Any = 79, _long: Any = True, wrapstring: Any = None, *_: Any, **__: Any) -> int:
    pieces = _length(text) // max(_count(width), 1) + (text.count("\n") if isinstance(text, str) else 0) + 1
    return _markup(text) + pieces * _length(wrapstring)


def _replace(text: Any, old: Any, new: Any, *_: Any, **__: Any) -> int:
    text, old = str(text), str(old)
    return len(text) + (text.count(old) if old else len(text) + 1) * _length(new)


def _tojson(value: Any, indent: Any = None) -> int:
    if _count(indent) > 100 or _length(indent) > 100:
        raise BudgetError("an indentation of more than 100 is not supported")
    return current().weigh(value)


def _round(_value: Any, precision: Any = 0, *_: Any, **__: Any) -> int:
    if _count(precision) > _MAX_PRECISION:
        raise BudgetError(f"a precision of more than {_MAX_PRECISION:,} is not supported")
    return 0


def _markup(text: Any, *_: Any, **__: Any) -> int:
    if current().weigh(text) > MAX_MARKUP:
        raise BudgetError(f"this filter is for texts of at most {MAX_MARKUP:,} characters")
    return _length(text)


def _urlize(text: Any, *more: Any, **named: Any) -> int:
    attributes = sum(map(_length, (*more, *named.values())))
    return _markup(text) * (20 + attributes)


def _sliced(_value: Any, count: Any, *_: Any, **__: Any) -> int:
    return _count(count)


FILTERS: Final[Mapping[str, Estimate]] = {
    "center": lambda text, width=80: _length(text) + _count(width),
    "indent": _indent,
    "join": lambda parts, d="", *_, **__: _length(parts) * _length(d),
    "wordwrap": _wordwrap,
    "replace": _replace,
    "tojson": _tojson,
    "round": _round,
    "striptags": _markup,
    "urlize": _urlize,
    "xmlattr": _markup,
    "title": _markup,
    "pprint": lambda value, *_: 20 * current().weigh(value),
    "batch": _sliced,
    "slice": _sliced,
    "truncate": lambda text, *_, **__: _length(text),
    "format": lambda text, *values, **named: formatted(str(text), named or values),
}
"""By the filter's name what it makes."""


# --- methods of texts and numbers ----------------------------------------------------------------------------


def _padded(text: Any, width: Any = 0, *_: Any) -> int:
    return _length(text) + _count(width)


def _translated(text: Any, table: Any = None, *_: Any) -> int:
    longest = max(map(_length, table.values()), default=1) if isinstance(table, dict) else _length(table)
    return _length(text) * longest


def _tabs(text: Any, tabsize: Any = 8) -> int:
    tabs: int = text.count(b"\t" if isinstance(text, bytes) else "\t")
    return _length(text) + tabs * _count(tabsize)


def _replaced(text: Any, old: Any, new: Any, *_: Any) -> int:
    return _length(text) + (text.count(old) if old else _length(text) + 1) * _length(new)


def _joined(text: Any, parts: Any = ()) -> int:
    return _length(parts) * _length(text) + current().weigh(parts)


METHODS: Final[Mapping[str, Estimate]] = {
    "ljust": _padded,
    "rjust": _padded,
    "center": _padded,
    "zfill": _padded,
    "expandtabs": _tabs,
    "replace": _replaced,
    "join": _joined,
    "translate": _translated,
    "striptags": _markup,
    "unescape": _markup,
    "to_bytes": lambda _number, length=1, *_, **__: _count(length),
}
"""By the method's name what it makes."""
