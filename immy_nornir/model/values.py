"""Plain values of files and of the wire, and references to secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from immy_nornir.model.places import Place


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A reference to a secret, `env:NAME` or `file:PATH`; it stands wherever the value would, up to the last moment."""

    reference: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"secret: {self.reference}"

    def __repr__(self) -> str:
        return f"SecretRef({self.reference!r})"


class UnsafeText(str):
    """Text that is never a template, whatever braces it has (`!unsafe` in an inventory)."""

    __slots__ = ()


_T = TypeVar("_T")


class SameObjects(tuple[_T, ...]):
    """A tuple that equals another one only if it holds the very same objects: a key for what was made from them.

    Whoever keeps the key keeps the objects, so that no other object can take their place.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(tuple(map(id, self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SameObjects) or len(self) != len(other):
            return False
        return all(one is another for one, another in zip(self, other, strict=True))


# What YAML and JSON can hold, plus references to secrets. Containers are read-only by convention.
Value = None | bool | int | float | str | SecretRef | Sequence["Value"] | Mapping[str, "Value"]
# What the wire and the history can hold.
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def texts_of(value: Value) -> Iterator[str]:
    """All texts of a value; no keys, and no references to secrets."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from texts_of(child)
    elif isinstance(value, Sequence):
        for child in value:
            yield from texts_of(child)
