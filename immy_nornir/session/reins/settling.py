"""Which session of this process settles what was left on a computer: those of later runs come behind it.

Runs of one process may share computers. What one of them is to settle first is held by that run alone, and whoever
comes later waits: two would write one record, or begin beside a job that is still at work. Not here: what is settled
before what (session.taking.taking_up).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary

from immy_nornir.model.record.session import SessionSpec
from immy_nornir.session.reins.orders import Addressee, in_turn


class Settler(Addressee, Protocol):
    """A session of this process, as far as its place on its computer goes (session.live)."""

    spec: SessionSpec


@dataclass(slots=True)
class Settling:
    """The sessions of one process that go on with what was left; may be asked by several threads."""

    _first: WeakValueDictionary[str, Settler] = field(default_factory=WeakValueDictionary)
    """By computer, the earliest of them."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, live: Settler) -> None:
        """A session has older ones of its computer to settle, or was itself left."""
        with self._lock:
            if not _settles(self._first.get(live.spec.computer)):
                self._first[live.spec.computer] = live

    def ahead_of(self, live: Settler) -> str:
        """The session that settles what was left on this one's computer, where that is an earlier one; else empty.

        Only an earlier one is waited for, so that no two wait for each other.
        """
        with self._lock:
            first = self._first.get(live.spec.computer)
        if first is None or not _settles(first) or live.id in {one.id for one in in_turn(first)}:
            return ""
        return first.id if (first.spec.created_at, first.id) < (live.spec.created_at, live.id) else ""


def _settles(live: Settler | None) -> bool:
    """Until it has its computer: from then on nobody else begins there anyway."""
    return live is not None and not live.rests and (live.before is not None or not live.owns)
