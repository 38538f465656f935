"""Values of files and of computers as text for people: nothing of Python's own spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from immy_nornir.text import json


def plain(value: object) -> str:
    """A value as an operator would write it: text as it is, else as in YAML or JSON; nothing is `nothing`."""
    match value:
        case None:
            return "nothing"
        case Enum():
            return plain(value.value)
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Mapping() | list() | tuple():
            return json.line(value, ascii=False, default=plain)
        case _:
            return str(value)


def counted(number: int, word: str) -> str:
    """A number of things: `1 computer`, `1,200 computers`."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], most: int, between: str = ", ") -> str:
    """The first names, and how many more there are: `a, b, c and 4 more`."""
    return between.join(names[:most]) + and_more(len(names) - most)


def and_more(number: int, what: str = "more") -> str:
    """How many are not named, as the end of a list; nothing where there are none."""
    return f" and {number:,} {what}" if number > 0 else ""
