"""The reading kit: lists, mappings and forms of shapes, which read YAML and describe themselves as JSON Schema.

A file's format is written once, as keys with shapes; the reader of the file and the schema for editors both come
from that, so they cannot say different things. Every problem below a node is reported. Not here: single values
(`shapes`), and any single format.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar, cast

from immy_nornir.model.inventory import Sourced
from immy_nornir.model.places import Place, Problem
from immy_nornir.model.values import VAULT_HEADER, VAULT_TAGS, Json, SecretRef, Value, vaulted
from immy_nornir.shapes.files import Source, did_you_mean
from immy_nornir.shapes.scalars import Schema, Shape, Unreadable, found, refuse
from immy_nornir.text import json
from immy_nornir.text.references import SCHEMES, NoReferenceError, reference_of
from immy_nornir.text.yaml import (
    MERGE,
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


@dataclass(frozen=True, slots=True)
class AnyValue:
    """Any YAML value; `{secret: REFERENCE}` and `!vault` become references, never values."""

    wants: str = "a value"

    def read(self, node: Node, source: Source) -> Value:
        """Plain values with references to secrets."""
        if isinstance(node, ScalarNode):
            if node.tag in VAULT_TAGS:
                if not node.value.lstrip().startswith(VAULT_HEADER):
                    source.error(node, "this is no text of Ansible's vault", "use ansible-vault encrypt_string")
                    raise Unreadable
                return vaulted(node.value, source.place(node))
            return scalar(node, Dialect.OURS)
        if isinstance(node, SequenceNode):
            return [self.read(child, source) for child in node.value]
        if not isinstance(node, MappingNode):
            raise refuse(node, source, self.wants)
        result = {key.value: self.read(child, source) for key, child in pairs(node, source)}
        if set(result) == {"secret"}:
            try:
                return SecretRef(reference_of(result["secret"]), source.place(node))
            except NoReferenceError as error:
                # The text is not shown: it may be the secret itself.
                source.error(node, f"what stands after 'secret:' {error}", SCHEMES)
                raise Unreadable from None
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
    node, _ = compose(json.line(value, default=str), place.file, Dialect.OURS)
    if node is not None:
        with contextlib.suppress(Unreadable):
            shape.read(node, Source(Path(), Path(), place.file, problems))
    return [replace(problem, place=place) for problem in problems]
