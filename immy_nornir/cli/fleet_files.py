"""The fleet's files while sessions are under way: whether they have changed since they were read, and read again.

A run may wait for a night: what it does then must be what the files say then. Not here: what a change means for a
session (session.before.inputs).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.errors import UsageError

if TYPE_CHECKING:
    from immy_nornir.decide.resolve.winning_deployments import Targets
    from immy_nornir.model.playbooks import Fleet, Play, Playbook
    from immy_nornir.model.record.run import RunSpec

_FOLDERS = ("playbooks", "tasks")
_BESIDE = ("group_vars", "host_vars")
_Stamp = tuple[tuple[str, int, int], ...]


class FleetFiles:
    """The files of one fleet, as they were when it was read."""

    def __init__(
        self,
        root: Path,
        sources: Sequence[Path],
        fleet: Fleet,
        load: Callable[[], Fleet],
        load_book: Callable[[Fleet, Path], Playbook],
    ) -> None:
        """`load` reads the fleet, `load_book` a playbook of it; they raise FilesError for errors in the files."""
        self._root = root
        self._sources = list(sources)
        self._fleet = fleet
        self._load = load
        self._load_book = load_book
        self._stamp = self._now()
        self._books: dict[str, tuple[_Stamp, Playbook]] = {}

    def reload(self) -> tuple[Fleet, Targets] | None:
        """The fleet as its files are now; None where they are as they were. Raises FilesError, UsageError."""
        from immy_nornir.decide.resolve.winning_deployments import Targets

        stamp = self._now()
        if stamp == self._stamp:
            return None
        self._fleet = self._load()
        self._stamp = stamp
        return self._fleet, Targets.of(self._fleet)

    def play_of(self, run: RunSpec, name: str) -> Play | None:
        """A play of a run as its playbook has it now; None where the run had none.

        Raises: FilesError for errors in the files, UsageError where the playbook or the play is gone.
        """
        if not run.playbook:
            return None
        path = next((one for one in (Path(run.playbook), self._root / run.playbook) if one.exists()), None)
        if path is None:
            raise UsageError(f"the playbook {run.playbook} is gone")
        known = self._books.get(run.playbook)
        stamp = tuple(_stamped(path))
        if known is None or known[0] != stamp:
            known = self._books[run.playbook] = (stamp, self._load_book(self._fleet, path))
        found = next((one for one in known[1].plays if one.name == name), None)
        if found is None:
            raise UsageError(f"the play '{name}' of {run.playbook} is gone")
        return found

    def _now(self) -> _Stamp:
        places = [self._root / one for one in _FOLDERS]
        for source in self._sources or [self._root / "inventory"]:
            places.append(source)
            if not source.is_dir():
                places += [source.parent / one for one in _BESIDE]
        return tuple(sorted(one for place in places for one in _stamped(place)))


def _stamped(place: Path) -> Iterator[tuple[str, int, int]]:
    """Every file of a place with its time and size; what cannot be looked at counts as not there."""
    try:
        if not place.is_dir():
            status = place.stat()
            yield str(place), status.st_mtime_ns, status.st_size
            return
        with os.scandir(place) as entries:
            inner = [Path(one.path) for one in entries if not one.name.startswith(".") and one.name != "__pycache__"]
    except OSError:
        return
    for one in inner:
        yield from _stamped(one)
