"""What one session has of the limits in this process, and was refused; used by one thread at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from immy_nornir.decide.steps.room import Room, kept, left_behind
from immy_nornir.decide.steps.step import Do, Take, Wait
from immy_nornir.model.record.entries import (
    ActionEnded,
    Entry,
    JobEnded,
    JobSeen,
    JobWithdrawn,
    RebootEnded,
    RetryLater,
)
from immy_nornir.model.record.session import WaitKind

if TYPE_CHECKING:
    from immy_nornir.decide.limits import Needs
    from immy_nornir.decide.steps.state import State
    from immy_nornir.model.protocols import Clock
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.session.limits.limiter import Limiter

_BRIEF_SECONDS = 10.0
"""A turn to connect that comes so soon is not worth an entry."""
_FREES = (ActionEnded, JobWithdrawn, RetryLater, RebootEnded)


class Surroundings(Protocol):
    """What it needs of the process that it is in."""

    limiter: Limiter
    clock: Clock
    files: int
    """How often the files were read again."""

    def needs_of(self, spec: SessionSpec) -> Needs:
        """What a session needs by the limits of the files as they were read last."""
        ...


@dataclass(slots=True)
class Claim:
    """It begins with nothing, in every process anew."""

    engine: Surroundings
    spec: SessionSpec
    room: Room = field(default_factory=Room)
    _files: int = -1
    """By which reading of the files its needs are known."""
    _asked: bool = False
    _settled: bool = False

    def now(self) -> Room:
        """What it needs by the files of the moment, and has."""
        if self._files != self.engine.files:
            self._files = self.engine.files
            self.room = replace(self.room, needs=self.engine.needs_of(self.spec))
        return self.room

    def look(self) -> None:
        """Whatever it was refused, it is asked for again."""
        if self._asked:
            self.engine.limiter.awake(self.spec.id)
            self.room = replace(self.room, refused="", pacing=False)

    def take(self, step: Take) -> None:
        """Ask for slots, or for a turn to connect. Raises HistoryError."""
        limiter, self._asked = self.engine.limiter, True
        if step.connect:
            rate = self.room.needs.connections_per_second
            seconds = limiter.turn(self.spec.id, rate)
            told = f"its turn: at most {rate:g} connections a second" if seconds else ""
            until = self.engine.clock.now() + seconds
            self.room = replace(self.room, may_connect=not seconds, refused=told, until=until, pacing=bool(seconds))
            return
        held, why, until = limiter.take(self.spec.id, self.spec.computer, step)
        self.room = replace(self.room, held=held, refused=why, until=until, pacing=False)

    def performed(self, do: Do) -> None:
        """A turn to connect is used up."""
        if self.room.may_connect and do in (Do.CONNECT, Do.CHECK_BOOT, Do.ASK_REBOOT):
            self.room = replace(self.room, may_connect=False)

    def after(self, state: State, entry: Entry) -> None:
        """Give back what has come to its end, what was left on this computer by a session before it as well.

        A computer begins no job of a session while one of another is at work there.
        """
        begun = isinstance(entry, JobSeen) or (isinstance(entry, JobEnded) and entry.result is not None)
        if begun and not self._settled:
            self._settled = True
            self.engine.limiter.settled(self.spec.id, self.spec.computer)
        if self.room.held and isinstance(entry, _FREES):
            held = self.engine.limiter.keep(self.spec.id, kept(state, self.room, None))
            self.room = replace(self.room, held=held)

    def park(self, state: State, wait: Wait) -> Callable[[Callable[[], None]], bool] | None:
        """Give back what is not needed while it waits; how to be called when a slot it waits for is its own."""
        if not self._asked:
            return None
        waits = wait.kind is WaitKind.SLOT and wait.about == self.room.refused
        if not self.brief(wait):
            keep = kept(state, self.room, wait)
            held = self.engine.limiter.keep(self.spec.id, keep, waiting=waits and not self.room.pacing)
            self.room = replace(self.room, held=held)
        if not waits or self.room.pacing:
            return None
        return functools.partial(self.engine.limiter.when_free, self.spec.id)

    def brief(self, wait: Wait) -> bool:
        """Whether it only waits for its turn to connect, which comes in a moment."""
        return (
            self.room.pacing and wait.kind is WaitKind.SLOT and wait.until - self.engine.clock.now() <= _BRIEF_SECONDS
        )

    def leave(self, state: State | None = None) -> None:
        """Give everything back but what is at work on the computer still."""
        if self._asked:
            self._asked = False
            self.engine.limiter.leave(self.spec.id, None if state is None else left_behind(state, self.room))
            self.room = replace(self.room, held=frozenset(), refused="", may_connect=False)
