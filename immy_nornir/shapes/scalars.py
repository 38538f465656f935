"""Shapes of single values: how a YAML scalar is read into a typed value, and what it is as JSON Schema.

The lower half of the reading kit; `fields` builds lists, mappings and forms of them. A shape that cannot read a
node reports the problem and raises `Unreadable`, which the enclosing list or form catches: reading goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from immy_nornir.model.values import Json
from immy_nornir.model.words import NO, YES, yes_or_no
from immy_nornir.shapes.files import Source, did_you_mean
from immy_nornir.text.yaml import (
    BOOL,
    FLOAT,
    INT,
    NULL,
    STR,
    Dialect,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    scalar,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=StrEnum)
Schema = dict[str, Json]


class Unreadable(Exception):  # noqa: N818 - control flow inside this package: the problem is reported already
    """A node could not be read; what was wrong is in the source's problems."""


class Shape(Protocol[T_co]):
    """Reads one kind of value; `wants` is how messages call it."""

    @property
    def wants(self) -> str:
        """The value as a reader of messages knows it: 'text', 'a list of ...'."""
        ...

    def read(self, node: Node, source: Source) -> T_co:
        """The node's value; raises Unreadable after reporting."""
        ...

    def schema(self) -> Schema:
        """The same as JSON Schema (draft 2020-12)."""
        ...


def found(node: Node) -> str:
    """What a node is, for messages."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    kinds = {BOOL: f"the boolean {node.value}", INT: f"the number {node.value}", FLOAT: f"the number {node.value}"}
    if node.tag == NULL:
        return "nothing"
    if node.tag.startswith("!"):
        return f"a value with the tag {node.tag}"
    return kinds.get(node.tag, f"'{node.value}'")


def refuse(node: Node, source: Source, wants: str, advice: str = "") -> Unreadable:
    """Report that a node is not what is wanted; raise what this returns."""
    source.error(node, f"{found(node)} stands where {wants} is wanted", advice)
    return Unreadable()


@dataclass(frozen=True, slots=True)
class Text:
    """Text; numbers and booleans are refused with the advice to quote them."""

    wants: str = "text"
    pattern: str | None = None
    """A regex that the whole text must match; `wants` then says what that is."""
    empty: bool = False

    def read(self, node: Node, source: Source) -> str:
        """The text as written."""
        if isinstance(node, ScalarNode) and node.tag in (INT, FLOAT, BOOL):
            raise refuse(node, source, self.wants, f'quote it: "{node.value}"')
        if not isinstance(node, ScalarNode) or node.tag != STR:
            raise refuse(node, source, self.wants)
        text: str = node.value
        if not text.strip() and not self.empty:
            source.error(node, f"empty text stands where {self.wants} is wanted")
            raise Unreadable
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            raise refuse(node, source, self.wants)
        return text

    def schema(self) -> Schema:
        """A string."""
        schema: Schema = {"type": "string"}
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        elif not self.empty:
            schema["pattern"] = r"\S"
        return schema


TEXT = Text()
VERSION = Text('a version in quotes, such as "24.08"')


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false, or another word for yes or no."""

    wants: str = "true or false"

    def read(self, node: Node, source: Source) -> bool:
        """The boolean; in YAML 1.2 `yes` is a text, and means the same here as everywhere."""
        read = yes_or_no(node.value) if isinstance(node, ScalarNode) and node.tag in (BOOL, INT, STR) else None
        if read is None:
            raise refuse(node, source, self.wants)
        return read

    def schema(self) -> Schema:
        """A boolean, or one of the words."""
        words = "|".join("".join(f"[{letter.upper()}{letter}]" for letter in word) for word in (*YES, *NO))
        pattern = rf"^\s*(?:{words})\s*$"
        number: Schema = {"type": "integer", "minimum": 0, "maximum": 1}
        return {"anyOf": [{"type": "boolean"}, number, {"type": "string", "pattern": pattern}]}


FLAG = Flag()


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole if so said, within limits."""

    wants: str = "a number"
    whole: bool = False
    minimum: float | None = None
    maximum: float | None = None

    def read(self, node: Node, source: Source) -> float:
        """The number; an int where the file has one."""
        if not isinstance(node, ScalarNode) or node.tag not in ((INT,) if self.whole else (INT, FLOAT)):
            quoted = isinstance(node, ScalarNode) and node.tag == STR and re.fullmatch(r"[-+]?\d+(\.\d+)?", node.value)
            raise refuse(node, source, self.wants, "write it without quotes" if quoted else "")
        value = scalar(node, Dialect.OURS)
        if not isinstance(value, int | float) or value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
            raise refuse(node, source, self.wants)
        low = self.minimum is not None and value < self.minimum
        if low or (self.maximum is not None and value > self.maximum):
            limits = f"at least {self.minimum:g}" if low else f"at most {self.maximum:g}"
            raise refuse(node, source, f"{self.wants} of {limits}")
        return value

    def schema(self) -> Schema:
        """A number or an integer."""
        schema: Schema = {"type": "integer" if self.whole else "number"}
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        return schema


WHOLE = Number("a whole number", whole=True)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Duration:
    """A time such as `90s`, `30m`, `2h`, or a number of seconds; read as seconds."""

    wants: str = "a time such as 90s, 30m or 2h, or a number of seconds"

    def read(self, node: Node, source: Source) -> int:
        """Whole seconds, at least one."""
        if isinstance(node, ScalarNode) and node.tag in (INT, STR):
            match = re.fullmatch(r"(\d{1,9})\s*([smhd]?)", node.value.strip())
            seconds = int(match[1]) * _UNITS[match[2] or "s"] if match else 0
            if seconds > 0:
                return seconds
        raise refuse(node, source, self.wants)

    def schema(self) -> Schema:
        """A string with a unit, or whole seconds."""
        return {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^\s*0*[1-9]\d*\s*[smhd]?\s*$"},
            ]
        }


DURATION = Duration()


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One word of an enumeration."""

    words: type[E]
    later: tuple[E, ...] = ()
    """Members that are not supported yet."""

    @property
    def wants(self) -> str:
        """All words."""
        return "one of " + ", ".join(word for word in self.words if word not in self.later)

    def read(self, node: Node, source: Source) -> E:
        """The member; a near miss is named."""
        if isinstance(node, ScalarNode) and node.tag in (STR, BOOL, NULL):
            try:
                word = self.words(node.value)
            except ValueError:
                advice = did_you_mean(node.value, [str(word) for word in self.words])
                raise refuse(node, source, self.wants, advice) from None
            if word in self.later:
                source.error(node, f"'{word}' is not supported yet", f"use {self.wants}")
                raise Unreadable
            return word
        raise refuse(node, source, self.wants)

    def schema(self) -> Schema:
        """An enum."""
        return {"enum": [str(word) for word in self.words if word not in self.later]}
