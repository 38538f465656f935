"""Which of the computers that deferred sessions wait for answer now; one probing thread (session.crew.probe)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from immy_nornir.errors import ImmyError
from immy_nornir.session.crew.probe import Probe

if TYPE_CHECKING:
    from immy_nornir.history.agenda_rows import Left
    from immy_nornir.session.engine import Engine


FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 600.0
"""A port that takes connections is no proof that its computer can be worked with: it is asked ever more rarely."""


class Answers:
    """Watches computers by the sessions that wait for them; `news` is set when one of them answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._probe = Probe(self._heard, engine.clock)
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._sessions: dict[int, str] = {}
        self._answered: set[str] = set()
        self._pauses: dict[str, tuple[float, float]] = {}
        """From when on a session that was taken up, and waits again, is watched; and how long that was put off."""
        self._last = 0
        self.news = threading.Event()

    @property
    def count(self) -> int:
        """How many are waited for."""
        return len(self._numbers)

    @property
    def probed(self) -> frozenset[str]:
        """The sessions whose computers are asked."""
        return frozenset(self._numbers)

    def watch(self, left: Sequence[Left]) -> None:
        """Watch these and no others; one that has answered is not asked again until it was taken up."""
        wanted = {one.deferred.id: one.computer for one in left}
        with self._lock:
            for session in [one for one in self._numbers if one not in wanted]:
                number = self._numbers.pop(session)
                self._sessions.pop(number, None)
                self._answered.discard(session)
                self._probe.forget(number)
            old = self._engine.clock.monotonic() - LONGEST_PAUSE_SECONDS  # one that is being worked on may wait again
            self._pauses = {name: one for name, one in self._pauses.items() if name in wanted or one[0] > old}
            new = [(session, computer) for session, computer in wanted.items() if session not in self._numbers]
        for session, computer in new:
            self._begin(session, computer)

    def _begin(self, session: str, computer: str) -> None:
        try:
            address = self._engine.address_of(self._engine.computer(computer))
        except (ImmyError, KeyError):
            return  # whoever takes it up says what is wrong with it
        if address.kind == "local":
            return
        with self._lock:
            self._last += 1
            self._numbers[session], self._sessions[self._last] = self._last, session
            number = self._last
        at, _ = self._pauses.get(session, (0.0, 0.0))
        self._probe.watch(number, address, max(at, self._engine.clock.monotonic()))

    def _heard(self, number: int) -> None:
        with self._lock:
            session = self._sessions.get(number)
            if session is not None:
                self._answered.add(session)
        self.news.set()

    def taken(self) -> frozenset[str]:
        """Those that have answered since this was asked last; they are watched anew if they still wait then."""
        with self._lock:
            found = frozenset(self._answered)
            for session in found:
                self._sessions.pop(self._numbers.pop(session, 0), None)
                _, before = self._pauses.get(session, (0.0, FIRST_PAUSE_SECONDS / 2))
                pause = min(2 * before, LONGEST_PAUSE_SECONDS)
                self._pauses[session] = self._engine.clock.monotonic() + pause, pause
            self._answered.clear()
        return found

    def close(self) -> None:
        """Ask nobody any more."""
        self._probe.close()
