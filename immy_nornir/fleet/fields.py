"""The reading kit: shapes that read a YAML node into a typed value, and describe themselves as JSON Schema.

A file's format is written once, as keys with shapes; the reader of the file and the schema for editors both come
from that, so they cannot say different things. A shape that cannot read a node reports every problem below it
and raises `Unreadable`, which the enclosing list or form catches: reading goes on. Not here: any single format.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar, cast

from immy_nornir.fleet.files import Source, did_you_mean
from immy_nornir.model.inventory import Sourced
from immy_nornir.model.places import Place, Problem
from immy_nornir.model.values import Json, SecretRef, Value
from immy_nornir.text.yaml import (
    BOOL,
    FLOAT,
    INT,
    MERGE,
    NULL,
    STR,
    Dialect,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    compose,
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
    """true or false."""

    wants: str = "true or false"

    def read(self, node: Node, source: Source) -> bool:
        """The boolean."""
        if not isinstance(node, ScalarNode) or node.tag != BOOL:
            words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
            meant = words.get(node.value.lower()) if isinstance(node, ScalarNode) else None
            raise refuse(node, source, self.wants, f"write {meant}: these files are YAML 1.2" if meant else "")
        return bool(node.value.lower() == "true")

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


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

    @property
    def wants(self) -> str:
        """All words."""
        return "one of " + ", ".join(self.words)

    def read(self, node: Node, source: Source) -> E:
        """The member; a near miss is named."""
        if isinstance(node, ScalarNode) and node.tag in (STR, BOOL, NULL):
            try:
                return self.words(node.value)
            except ValueError:
                advice = did_you_mean(node.value, [str(word) for word in self.words])
                raise refuse(node, source, self.wants, advice) from None
        raise refuse(node, source, self.wants)

    def schema(self) -> Schema:
        """An enum."""
        return {"enum": [str(word) for word in self.words]}


_REFERENCE = re.compile(r"[a-z][a-z0-9_]*:\S")


@dataclass(frozen=True, slots=True)
class AnyValue:
    """Any YAML value; `{secret: REFERENCE}` and `!vault` become references, never values."""

    wants: str = "a value"

    def read(self, node: Node, source: Source) -> Value:
        """Plain values with references to secrets."""
        if isinstance(node, ScalarNode):
            if node.tag == "!vault":
                return SecretRef(f"vault:{node.value.strip()}", source.place(node))
            return scalar(node, Dialect.OURS)
        if isinstance(node, SequenceNode):
            return [self.read(child, source) for child in node.value]
        if not isinstance(node, MappingNode):
            raise refuse(node, source, self.wants)
        result = {key.value: self.read(child, source) for key, child in pairs(node, source)}
        if set(result) == {"secret"}:
            reference = result["secret"]
            if not isinstance(reference, str) or not _REFERENCE.match(reference):
                # The text is not shown: it may be the secret itself.
                advice = "write env:NAME, file:PATH, command:... or keyring:..., never the secret"
                source.error(node, "'secret:' holds no reference", advice)
                raise Unreadable
            return SecretRef(reference, source.place(node))
        return result

    def schema(self) -> Schema:
        """Anything."""
        return {}


ANY = AnyValue()


@dataclass(frozen=True, slots=True)
class WithPlace:
    """Any value together with the place where it stands."""

    wants: str = "a value"

    def read(self, node: Node, source: Source) -> Sourced:
        """The value and its place."""
        return Sourced(ANY.read(node, source), source.place(node))

    def schema(self) -> Schema:
        """Anything."""
        return {}


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list; with `single`, one value alone is a list of one."""

    shape: Shape[T]
    single: bool = False
    filled: bool = False
    """An empty list is refused."""

    @property
    def wants(self) -> str:
        """The elements' name."""
        return f"{self.shape.wants} or a list of them" if self.single else f"a list (each: {self.shape.wants})"

    def read(self, node: Node, source: Source) -> tuple[T, ...]:
        """All elements that can be read; the others are reported."""
        if not isinstance(node, SequenceNode):
            if not self.single:
                raise refuse(node, source, self.wants)
            return (self.shape.read(node, source),)
        if self.filled and not node.value:
            raise refuse(node, source, "a list with at least one entry")
        result: list[T] = []
        for child in node.value:
            try:
                result.append(self.shape.read(child, source))
            except Unreadable:
                continue
        return tuple(result)

    def schema(self) -> Schema:
        """An array."""
        array: Schema = {"type": "array", "items": self.shape.schema()}
        if self.filled:
            array["minItems"] = 1
        return {"anyOf": [self.shape.schema(), array]} if self.single else array


@dataclass(frozen=True, slots=True)
class MapOf(Generic[T]):
    """A mapping from names (or whole numbers) to one kind of value."""

    shape: Shape[T]
    keys: str = r".+"
    """Regex of the whole key."""
    key_wants: str = "a name"

    @property
    def wants(self) -> str:
        """The values' name."""
        return f"a mapping from {self.key_wants} to {self.shape.wants}"

    def read(self, node: Node, source: Source) -> dict[str, T]:
        """All entries that can be read."""
        if not isinstance(node, MappingNode):
            raise refuse(node, source, self.wants)
        result: dict[str, T] = {}
        for key, child in pairs(node, source):
            if not re.fullmatch(self.keys, key.value):
                source.error(key, f"'{key.value}' stands where {self.key_wants} is wanted")
                continue
            try:
                result[key.value] = self.shape.read(child, source)
            except Unreadable:
                continue
        return result

    def schema(self) -> Schema:
        """An object with one pattern."""
        return {
            "type": "object",
            "patternProperties": {f"^(?:{self.keys})$": self.shape.schema()},
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Either(Generic[T]):
    """One shape for scalars, another for mappings, another for lists."""

    wants: str
    scalars: Shape[T] | None = None
    mappings: Shape[T] | None = None
    lists: Shape[T] | None = None

    def read(self, node: Node, source: Source) -> T:
        """Read by the shape for this kind of node."""
        kinds = {ScalarNode: self.scalars, MappingNode: self.mappings, SequenceNode: self.lists}
        shape = kinds.get(type(node))
        if shape is None:
            raise refuse(node, source, self.wants)
        return shape.read(node, source)

    def schema(self) -> Schema:
        """Any of them."""
        return {"anyOf": [each.schema() for each in (self.scalars, self.mappings, self.lists) if each is not None]}


@dataclass(frozen=True, slots=True)
class Key(Generic[T_co]):
    """One key of a form: its name, the shape of its value, and what it means (shown by editors)."""

    name: str
    shape: Shape[T_co]
    about: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What a form read: typed values by key, with their places."""

    node: Node
    source: Source
    values: Mapping[str, object] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    """Nodes of all keys that stand in the file, also of unreadable ones."""

    def get(self, key: Key[T]) -> T | None:
        """The value, or None when the key is absent or unreadable."""
        return cast("T | None", self.values.get(key.name))

    def take(self, key: Key[T], default: T) -> T:
        """The value, or the default."""
        return cast("T", self.values.get(key.name, default))

    def has(self, key: Key[T]) -> bool:
        """Whether the key stands in the file, readable or not."""
        return key.name in self.nodes

    def place(self, key: Key[T] | None = None) -> Place:
        """Where the key's value stands, or the record."""
        return self.source.place(self.nodes.get(key.name, self.node) if key else self.node)

    def error(self, key: Key[T] | None, message: str, advice: str = "") -> None:
        """Report an error at a key's value, or at the record."""
        self.source.error(self.place(key), message, advice)

    def over(self, base: Record) -> Record:
        """This record with what it does not say taken from another."""
        values = {**{name: base.values[name] for name in base.values if name not in self.nodes}, **self.values}
        return Record(self.node, self.source, values, {**base.nodes, **self.nodes})


@dataclass(frozen=True, slots=True)
class Form:
    """A mapping with known keys; unknown ones are errors with the nearest known name."""

    wants: str
    keys: Sequence[Key[object]]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Keys that a reader may expect, with why they are not there."""

    def read(self, node: Node, source: Source) -> Record:
        """All readable keys; everything else is reported."""
        if not isinstance(node, MappingNode):
            raise refuse(node, source, self.wants)
        known = {key.name: key for key in self.keys}
        values: dict[str, object] = {}
        nodes: dict[str, Node] = {}
        for name, child in pairs(node, source):
            key = known.get(name.value)
            if key is None:
                self._unknown(name, source, known)
                continue
            nodes[key.name] = child
            try:
                values[key.name] = key.shape.read(child, source)
            except Unreadable:
                continue
        for key in self.keys:
            if key.required and key.name not in nodes:
                source.error(node, f"'{key.name}' is missing", f"add '{key.name}:' with {key.shape.wants}")
        return Record(node, source, values, nodes)

    def _unknown(self, name: Node, source: Source, known: Mapping[str, object]) -> None:
        reason = self.refused.get(name.value)
        if reason is not None:
            source.error(name, f"'{name.value}' is not supported yet", reason)
            return
        advice = did_you_mean(name.value, known) or f"known keys: {', '.join(known)}"
        source.error(name, f"unknown key '{name.value}' in {self.wants}", advice)

    def schema(self) -> Schema:
        """An object without other properties."""
        properties: Schema = {}
        for key in self.keys:
            about: Schema = {"description": key.about} if key.about else {}
            properties[key.name] = {**about, **key.shape.schema()}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required: list[Json] = [key.name for key in self.keys if key.required]
        if required:
            schema["required"] = required
        return schema


@dataclass(frozen=True, slots=True)
class Built(Generic[T]):
    """A shape whose value is made from another's; `build` may report more and raise Unreadable."""

    form: Shape[Record]
    build: Callable[[Record], T]

    @property
    def wants(self) -> str:
        """As the form."""
        return self.form.wants

    def read(self, node: Node, source: Source) -> T:
        """Read, then build."""
        return self.build(self.form.read(node, source))

    def schema(self) -> Schema:
        """As the form."""
        return self.form.schema()


def pairs(node: MappingNode, source: Source) -> list[tuple[ScalarNode, Node]]:
    """The entries of a mapping with merge keys applied; keys that are no scalars are reported."""
    own: dict[str, tuple[ScalarNode, Node]] = {}
    merged: dict[str, tuple[ScalarNode, Node]] = {}
    for key, child in node.value:
        if key.tag == MERGE:
            for base in child.value if isinstance(child, SequenceNode) else [child]:
                if isinstance(base, MappingNode):
                    for pair in pairs(base, source):
                        merged.setdefault(pair[0].value, pair)
                else:
                    source.error(base, f"{found(base)} stands where a mapping to merge is wanted")
        elif isinstance(key, ScalarNode):
            own.setdefault(key.value, (key, child))
        else:
            source.error(key, f"{found(key)} stands where a key is wanted")
    return [pair for name, pair in merged.items() if name not in own] + list(own.values())


def problems_in(shape: Shape[object], value: Value, place: Place) -> list[Problem]:
    """What a shape says of a value that does not come from our own files (a variable of the inventory)."""
    problems: list[Problem] = []
    # JSON is YAML: so the value gets nodes without a second reader.
    node, _ = compose(json.dumps(value, default=str), place.file, Dialect.OURS)
    if node is not None:
        with contextlib.suppress(Unreadable):
            shape.read(node, Source(Path(), Path(), place.file, problems))
    return [replace(problem, place=place) for problem in problems]
