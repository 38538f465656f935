"""Plain values of files and of the wire, and references to secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from immy_nornir.model.places import Place

VAULT_HEADER: Final = "$ANSIBLE_VAULT"
"""How a text that Ansible's vault has encrypted begins."""
VAULT_TAGS: Final = ("!vault", "!vault-encrypted")
"""Tags of YAML for such a text as a value."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A reference to a secret; it stands wherever the value would, up to the last moment.

    It is `env:NAME`, `file:PATH`, `command:WORDS`, or `vault:MARK` for what Ansible's vault has encrypted.
    """

    reference: str
    place: Place | None = None
    sealed: str = field(default="", compare=False, repr=False)
    """The encrypted text of a `vault:` reference that was read from a file; records do not keep it."""

    def __str__(self) -> str:
        return f"secret: {self.reference}"

    def __repr__(self) -> str:
        return f"SecretRef({self.reference!r})"


def vaulted(text: str, place: Place | None = None) -> SecretRef:
    """The reference to a text that Ansible's vault has encrypted; equal for equal texts, whatever their indentation.

    Its mark is made from the encrypted text, so that it says nothing of the value.
    """
    return SecretRef(f"vault:{_mark(''.join(text.split()))}", place, text)


def vaulted_part(text: str, place: Place, name: str) -> SecretRef:
    """The reference to one value of a file that is encrypted as a whole, by its variable and place in the text."""
    return SecretRef(f"vault:{_mark(f'{text} {place.line} {place.column} {name}')}", place)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class UnsafeText(str):
    """Text that is never a template, whatever braces it has (`!unsafe` in an inventory)."""

    __slots__ = ()


class Names(dict[str, "Value"]):
    """Variables by name, where more may stand in files that could not be read."""

    def __init__(self, known: Mapping[str, Value], lacking: str) -> None:
        """`lacking`: what to say where a name is missing."""
        super().__init__(known)
        self.lacking = lacking


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


def references(value: Value) -> Iterator[SecretRef]:
    """All references to secrets in a value."""
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from references(child)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for child in value:
            yield from references(child)
