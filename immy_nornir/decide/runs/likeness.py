"""What many computers said, put together where it is the same, then where it is alike; pure.

Alike are texts that are equal once what differs between any two computers is masked: names, numbers, ids, columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LONGEST = 200_000
"""Of longer texts only so much is masked; the rest has to be equal."""
_MASKS = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<id>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "#"),
    (re.compile(r"[ \t]{2,}|-{3,}|={3,}"), " "),
)


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended on one computer."""

    computer: str
    status: str
    """Of the session, for people."""
    exit_code: int | None
    text: str
    names: tuple[str, ...] = ()
    """Other names of the computer, that its output may hold."""
    why: str = ""
    """Of what did not end well."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Computers that ended in the same way and said alike."""

    groups: tuple[tuple[Said, ...], ...]
    """Those of each said the very same; most computers first."""

    @property
    def first(self) -> Said:
        """One that stands for all."""
        return self.groups[0][0]

    @property
    def count(self) -> int:
        """How many computers."""
        return sum(map(len, self.groups))


def put_together(said: Iterable[Said]) -> list[Alike]:
    """Computers by likeness, most computers first; in the order in which they came where there are as many."""
    alike: dict[tuple[object, ...], dict[str, list[Said]]] = {}
    for one in said:
        text = normal(one.text)
        key = (one.status, one.exit_code, masked(one.why, one), masked(text, one))
        alike.setdefault(key, {}).setdefault(text, []).append(one)
    found = [Alike(tuple(sorted(map(tuple, same.values()), key=len, reverse=True))) for same in alike.values()]
    return sorted(found, key=lambda one: -one.count)


def normal(text: str) -> str:
    """A text without what nobody sees: kinds of line ends, spaces at the ends of lines, empty lines around it."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def masked(text: str, one: Said) -> str:
    """A text with marks in the place of names, numbers and ids."""
    head, tail = text[:_LONGEST], text[_LONGEST:]
    names = sorted({name for name in (one.computer, *one.names) if len(name) > 1}, key=len, reverse=True)
    if names:
        any_of = "|".join(map(re.escape, names))
        head = re.sub(rf"(?<!\w)(?:{any_of})(?!\w)", "<name>", head, flags=re.IGNORECASE)
    for mask, mark in _MASKS:
        head = mask.sub(mark, head)
    return head + tail


def differing(alike: Alike) -> frozenset[int]:
    """The numbers of the lines, from 0, in which computers that said alike differ."""
    texts: Sequence[Sequence[str]] = [normal(group[0].text).split("\n") for group in alike.groups]
    first = texts[0]
    return frozenset(
        number
        for number, line in enumerate(first)
        if any(len(other) <= number or other[number] != line for other in texts[1:])
    )
