"""The lab's own record of what it did: JSON lines, one object for each event, each written by one system call.

Tests of crashes and of doubled effects judge by this file alone, so every effect that a computer executes is in it.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from immy_nornir.text import json

if TYPE_CHECKING:
    from collections.abc import Callable

    from immy_nornir.model.values import Json

Event = dict[str, "Json"]


class Journal:
    """Appends events to a file; usable from every thread."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now
        self._lock = Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, event: str, computer: str, **fields: Json) -> None:
        """Append one event; after `close` it does nothing."""
        line = json.line({"time": round(self._now(), 6), "computer": computer, "event": event, **fields})
        with self._lock:
            if not self._file.closed:
                self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Close the file; may be repeated."""
        with self._lock:
            self._file.close()


def read_events(path: Path) -> list[Event]:
    """All whole events of a journal, oldest first; empty where there is no file."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [json.parse(line) for line in lines[:-1] if line]
