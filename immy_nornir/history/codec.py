"""Values of the model <-> JSON for the history and for plan files; the one owner of cattrs.

Classes of a union carry their name in `is`; values that equal a field's default are left out. Old records stay
readable: unknown keys are ignored, missing ones get their default.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import cattrs
from cattrs.strategies import configure_tagged_union

from immy_nornir.model.items import Detection, Item, Resource, TaskBody
from immy_nornir.model.places import Place
from immy_nornir.model.plan import Desire, Request, RequestKind
from immy_nornir.model.record.entries import Entry, Resolved
from immy_nornir.model.record.run import RunEntry
from immy_nornir.model.values import SameObjects, SecretRef, Value
from immy_nornir.text import json


@functools.cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(omit_if_default=True, prefer_attrib_converters=False)
    converter.register_unstructure_hook_func(_is_free, _plain)
    converter.register_structure_hook_func(_is_free, lambda value, _: _rich(value))
    converter.register_unstructure_hook(SecretRef, _plain)
    converter.register_structure_hook(SecretRef, lambda value, _: _rich(value))
    converter.register_structure_hook_func(_is_mapping, lambda value, kind: _mapping(converter, value, kind))
    converter.register_structure_hook_func(
        _is_set, lambda value, kind: frozenset(converter.structure(one, kind.__args__[0]) for one in value)
    )
    converter.register_unstructure_hook_func(_is_set, sorted)
    converter.register_structure_hook(Request, lambda value, _: _request(value))
    for union in (Detection, Resource, TaskBody, Item, Entry, RunEntry):
        configure_tagged_union(union, converter, tag_name="is")
    return converter


_SCALARS = {type(None), bool, int, float, str}


def _is_free(kind: Any) -> bool:
    """Whether a type is `Value` or `Json`, whose forward references make them unequal to themselves."""
    return set(getattr(kind, "__args__", ())) >= _SCALARS


def _is_mapping(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is Mapping


def _is_set(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is frozenset


def _mapping(converter: cattrs.Converter, value: Mapping[str, Any], kind: Any) -> dict[Any, Any]:
    of_key, of_value = kind.__args__
    return {_key(of_key, key): converter.structure(child, of_value) for key, child in value.items()}


def _key(kind: Any, key: str) -> Any:
    return kind(key)


def _plain(value: Value) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    # Nearly all values are these: asking abstract classes takes longer than the copy itself.
    if kind is dict:
        return {key: child if type(child) in _SCALARS else _plain(child) for key, child in value.items()}  # type: ignore[union-attr]
    if kind is list:
        return [child if type(child) in _SCALARS else _plain(child) for child in value]  # type: ignore[union-attr]
    if isinstance(value, SecretRef):
        return {"$secret": value.reference}
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(child) for child in value]
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and "$secret" in value:
            return SecretRef(value["$secret"])
        return {key: _rich(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_rich(child) for child in value]
    return value


def _request(value: Any) -> Request:
    """A request; old records hold what operators read of it."""
    if isinstance(value, str):
        kind, _, by = value.partition(" of ")
        return Request(RequestKind(kind), by)
    return Request(RequestKind(value["kind"]), value["by"])


def dump(value: object, kind: Any = None) -> Any:
    """A value of the model as JSON data; `kind` where the value stands for a union."""
    return _converter().unstructure(value, unstructure_as=kind)


def load(data: object, kind: Any) -> Any:
    """JSON data as a value of the model."""
    return _converter().structure(data, kind)


def line(data: object) -> str:
    """JSON data as one line, keys in a stable order."""
    return json.stored(data)


def text(value: object, kind: Any = None) -> str:
    """A value as one line of JSON, keys in a stable order."""
    return line(dump(value, kind))


def entry_text(entry: Entry) -> str:
    """One entry of a record as JSON."""
    if not isinstance(entry, Resolved):
        return text(entry, Entry)
    # Computers that share all their desires share what is written of them.
    desires = _desires_text(SameObjects(entry.desires))
    return (
        f'{desires}"facts":{line(dump(entry.facts, Value))},{_IS_RESOLVED}' if entry.facts else desires + _IS_RESOLVED
    )


_IS_RESOLVED = '"is":"Resolved"}'


@functools.lru_cache(maxsize=64)
def _desires_text(desires: Sequence[Desire]) -> str:
    """An entry's text up to what is not the same for all computers with these desires."""
    return text(Resolved(tuple(desires)), Entry).removesuffix(_IS_RESOLVED)


def resolves_to(entry: str, desires: Sequence[Desire]) -> bool:
    """Whether the text of a `Resolved` tells of exactly these desires."""
    return entry.startswith(_desires_text(SameObjects(desires)))


def entry_from(data: str) -> Entry:
    """An entry from its JSON, in the form of any version."""
    entry: Entry = load(_today(json.parse(data)), Entry)
    return entry


def _today(data: Any) -> Any:
    """An entry of the first version, where a job was an action's, in the form of today."""
    if isinstance(data, dict) and "action_id" in data and data.get("is") in ("JobIntended", "JobSeen", "JobEnded"):
        action = data.pop("action_id")
        # The job that an entry of old tells of is the one under way.
        return {**data, "actions": [action]} if data["is"] == "JobIntended" else {**data, "job_id": ""}
    return data


def run_entry_text(entry: RunEntry) -> str:
    """One entry of a run's record as JSON."""
    return text(entry, RunEntry)


def run_entry_from(data: str) -> RunEntry:
    """An entry of a run's record from its JSON."""
    entry: RunEntry = load(json.parse(data), RunEntry)
    return entry


_REMEMBERED = 10_000
_fingerprints: dict[int, tuple[Item, str]] = {}
"""By identity: sessions share the library's items, and items are never changed."""


def fingerprint(item: Item) -> str:
    """Content hash of a definition; equal definitions have equal hashes on every machine."""
    known = _fingerprints.get(id(item))
    if known is not None and known[0] is item:
        return known[1]
    digest = hashlib.sha256(text(_without_places(item), Item).encode()).hexdigest()[:32]
    if len(_fingerprints) >= _REMEMBERED:
        _fingerprints.clear()
    _fingerprints[id(item)] = (item, digest)
    return digest


def _without_places(value: Any) -> Any:
    """A definition without the places of its parts in files: a line that moves makes no other definition."""
    if isinstance(value, Place):
        return Place("")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: _without_places(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    if isinstance(value, Mapping):
        return {key: _without_places(child) for key, child in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_without_places(child) for child in value)
    return value


_SHORT = 4000


def pack(data: str) -> bytes:
    """Text, compressed; quickly rather than well, since every session writes some."""
    raw = data.encode("utf-8", "replace")  # halves of characters stand in names of files
    if len(raw) > _SHORT:
        return zlib.compress(raw, 1)
    # Most texts are short, and clearing the memory for a large window takes six times as long as compressing them.
    packer = zlib.compressobj(1, zlib.DEFLATED, 12, 5)
    return packer.compress(raw) + packer.flush()


pack_shared = functools.lru_cache(maxsize=64)(pack)
"""`pack` for texts that are the same for many computers."""


def unpack(data: bytes) -> str:
    """Text from `pack`."""
    return zlib.decompress(data).decode()


def shown(value: Value) -> Any:
    """A value for people and JSON: secrets as their references."""
    if isinstance(value, SecretRef):
        return str(value)
    if isinstance(value, Mapping):
        return {key: shown(child) for key, child in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shown(child) for child in value]
    return value
