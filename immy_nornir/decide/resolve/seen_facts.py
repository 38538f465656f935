"""The facts that a resolution reads: noted while it reads them, and laid over newer ones when it is repeated; pure.

A session that is taken up asks the files again with what was known when it was planned: else free disk space, which
never stays the same, would make every plan an old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from immy_nornir.model.values import Json


class SeenFacts(Mapping[str, Json]):
    """Facts that note which of them are asked for, those that are not there included."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values
        self._read: dict[str, Json | SeenFacts] = {}
        self._whole = False

    def __getitem__(self, name: str) -> Json:
        value = self._values.get(name)
        if isinstance(value, dict):
            inner = self._read.get(name)
            if not isinstance(inner, SeenFacts):
                inner = self._read[name] = SeenFacts(value)
            return inner  # type: ignore[return-value]  # a map of Json, for whoever only reads it
        self._read[name] = value
        if name not in self._values:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        self._whole = True
        return iter(self._values)

    def __len__(self) -> int:
        self._whole = True
        return len(self._values)

    def read(self) -> dict[str, Json]:
        """What was asked for, by name; None for what was not there."""
        if self._whole:
            return dict(self._values)
        return {name: one.read() if isinstance(one, SeenFacts) else one for name, one in self._read.items()}


def as_seen(facts: Mapping[str, Json], seen: Mapping[str, Json]) -> dict[str, Json]:
    """Facts of today, with what was read of them once as it was then."""
    found = dict(facts)
    for name, value in seen.items():
        now = found.get(name)
        found[name] = as_seen(now, value) if isinstance(value, dict) and isinstance(now, dict) else value
    return found
