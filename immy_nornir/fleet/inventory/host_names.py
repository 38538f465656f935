"""Names of computers as inventories write them, with ranges and ports -> names; exactly Ansible's rules.

Used by the readers of YAML and INI inventories. What a name may look like is in `decide.resolve.patterns`.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

from immy_nornir.decide.resolve.patterns import split_port

_PLAIN = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$", re.ASCII)


MAX_NAMES = 1_000_000
"""How many computers an inventory may have."""
_WIDEST = 100
"""Digits of a range's bound."""
_LONGEST = 300
"""A DNS name has at most 253 characters; a range is written with a few more."""
_SHOWN = 100


class BadNameError(ValueError):
    """A name or range of computers that cannot be read; the text says why."""


class TooManyNamesError(BadNameError):
    """A range has more computers than an inventory may have."""


def expand(text: str, most: int = MAX_NAMES) -> tuple[list[str], int | None]:
    """The computers that one entry of an inventory means, in order, and their port.

    Raises: BadNameError; TooManyNamesError where there are more than `most`, before they are made.
    """
    if len(text) > _LONGEST:
        raise BadNameError(f"the name '{text[:_SHOWN]}...' has more than {_LONGEST} characters")
    if most and _PLAIN.match(text):
        return [text], None
    split = split_port(text)
    name, port = split if split is not None else (text, None)
    ranges = _ranges(name)
    count = math.prod(one.count for one in ranges if not isinstance(one, str))
    if count > min(most, MAX_NAMES):
        if count > MAX_NAMES:
            raise TooManyNamesError(f"the range '{name:.{_SHOWN}}' has more than {MAX_NAMES:,} computers")
        raise TooManyNamesError("here the inventory has named its computers too often")
    names = [""]
    for one in ranges:
        names = [f"{head}{part}" for head in names for part in ([one] if isinstance(one, str) else one)]
    return names, port


def _ranges(text: str) -> list[str | _Range]:
    """The text in pieces: what stands in it, and the elements of its ranges."""
    pieces: list[str | _Range] = []
    rest = text
    while "[" in rest:
        head, _, rest = rest.partition("[")
        inside, closed, rest = rest.partition("]")
        if not closed or "|" in text:
            raise BadNameError(f"the range in '{text:.{_SHOWN}}' is not closed by ']'")
        pieces += [head, _range(inside, text[:_SHOWN])]
    return [*pieces, rest]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of a range as texts, made when they are asked for."""

    first: int
    last: int
    step: int
    width: int

    @property
    def count(self) -> int:
        return max(0, (self.last - self.first) // self.step + 1)

    def __iter__(self) -> Iterator[str]:
        return (str(number).zfill(self.width) for number in range(self.first, self.last + 1, self.step))


@dataclass(frozen=True, slots=True)
class _Letters:
    """The letters of a range."""

    letters: str

    @property
    def count(self) -> int:
        return len(self.letters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.letters)


_Range = _Numbers | _Letters


def _range(inside: str, whole: str) -> _Range:
    bounds = inside.split(":")
    if len(inside) > _WIDEST:
        raise BadNameError(f"the range in '{whole}' has bounds of more than {_WIDEST} characters")
    if len(bounds) not in (2, 3):
        raise BadNameError(f"the range [{inside}] in '{whole}' is not begin:end or begin:end:step")
    begin, end = bounds[0] or "0", bounds[1]
    if not end:
        raise BadNameError(f"the range [{inside}] in '{whole}' has no end")
    width = len(begin) if begin[0] == "0" and len(begin) > 1 else 0
    if width and width != len(end):
        raise BadNameError(f"begin and end of the range [{inside}] in '{whole}' are not equally long")
    try:
        step = int(bounds[2]) if len(bounds) == 3 else 1
        if step < 1:
            raise BadNameError(f"the step of the range [{inside}] in '{whole}' is not above zero")
        first, last = string.ascii_letters.find(begin), string.ascii_letters.find(end)
        if first >= 0 and last >= 0:
            if first > last:
                raise BadNameError(f"the range [{inside}] in '{whole}' ends before it begins")
            return _Letters(string.ascii_letters[first : last + 1 : step])
        return _Numbers(int(begin), int(end), step, width)
    except BadNameError:
        raise
    except ValueError:
        raise BadNameError(
            f"the range [{inside}] in '{whole}' has bounds that are neither numbers nor letters"
        ) from None
