"""Plain values of files and of the wire, and references to secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


# What YAML and JSON can hold, plus references to secrets. Containers are read-only by convention.
Value = None | bool | int | float | str | SecretRef | Sequence["Value"] | Mapping[str, "Value"]
# What the wire and the history can hold.
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
