"""The limits of this process: one table for all sessions of all its runs, and the part that all processes share.

Reboots of groups and items that go on once at a time are counted in the history too, so that they hold over all
processes of it; every other limit is the process's own. No call waits, but for the history.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from immy_nornir.decide.steps.room import AFTER, Left
from immy_nornir.decide.steps.step import Take
from immy_nornir.model.protocols import Clock
from immy_nornir.session.limits.pace import Pace
from immy_nornir.session.limits.table import Table, listed

LOOK_AGAIN_SECONDS = 3600.0
"""Whoever gives a slot back wakes who gets it; this only bounds how long that one sleeps."""
ELSEWHERE_SECONDS = 3.0
"""How often it is looked whether another process has given a slot back."""


class Shared(Protocol):
    """The slots that all processes of a history share."""

    def take_slots(self, session: str, computer: str, most: Mapping[str, int], *, force: bool) -> str:
        """Empty when all of them are the session's now; else who has one. Raises HistoryError."""
        ...

    def keep_slots(self, session: str, keys: Collection[str]) -> None:
        """Give back all but these."""
        ...

    def leave_slots(self, session: str, computer: str, keys: Collection[str], until: float) -> None:
        """Give back all but these, which are used until then by what was left on the computer."""
        ...

    def settle_slots(self, session: str, computer: str) -> None:
        """Give back what sessions but this one left on the computer."""
        ...


class Limiter:
    """Every method may be called from any thread."""

    def __init__(self, shared: Shared, clock: Clock) -> None:
        self._shared = shared
        self._clock = clock
        self._lock = threading.Lock()
        self._table = Table()
        self._pace = Pace()
        self._names: dict[str, str] = {}
        """Session -> its computer, for people."""
        self._calls: dict[str, Callable[[], None]] = {}
        """Who is to be called when what it waits for is its own."""
        self._elsewhere: dict[str, set[str]] = {}
        """Session -> slots of it that the history knows of."""
        self._refused: set[str] = set()
        """Sessions that have all they need here, and that another process keeps waiting."""
        self._left: dict[str, float] = {}
        """Sessions that have gone, and until when slots that are this process's alone count as theirs."""

    def take(self, who: str, computer: str, step: Take) -> tuple[frozenset[str], str, float]:
        """What it has now, and where it has not all that it asked for: why, and when to ask again.

        Raises HistoryError where only the history could say whether it may.
        """
        now = self._clock.now()
        self._forget_left(lambda name, until: until <= now or self._names[name] == computer)
        with self._lock:
            self._names[who] = computer
            if not self._table.ask(who, step.slots, step.after, force=step.by_force):
                return self._own(who), self._why(who), min(now + LOOK_AGAIN_SECONDS, *self._left.values(), math.inf)
            known = self._elsewhere.get(who, set())
            new = {slot.key: slot.most for slot in step.slots if slot.shared and slot.key not in known}
        if new:
            there = self._shared.take_slots(who, computer, new, force=step.by_force)
            with self._lock:
                if there:
                    self._refused.add(who)
                    slot = next(slot for slot in step.slots if slot.key in new)
                    return self._own(who), f"a slot: {slot.about}; {there}", now + ELSEWHERE_SECONDS
                self._refused.discard(who)
                self._elsewhere.setdefault(who, set()).update(new)
        with self._lock:
            held = self._own(who)
        return held | {AFTER} if step.after else held, "", 0.0

    def turn(self, who: str, rate: float) -> float:
        """0 when it may open a connection now; else in how many seconds it is worth asking again."""
        with self._lock:
            return self._pace.ask(who, rate, self._clock.monotonic())

    def keep(self, who: str, keys: Collection[str] = (), *, waiting: bool = False) -> frozenset[str]:
        """Give back all slots but these; one that waits for some and has just got them keeps them. What it has then."""
        with self._lock:
            if waiting and not self._table.waits(who):
                return self._own(who)
            if not waiting:
                self._refused.discard(who)
            calls = self._woken(self._table.keep(who, keys))
            gone = self._elsewhere.get(who, set()) - self._table.held(who)
            if gone:
                self._elsewhere[who] -= gone
            held = self._own(who)
        if gone:
            self._shared.keep_slots(who, held)
        _call(calls)
        return held

    def when_free(self, who: str, call: Callable[[], None]) -> bool:
        """Have `call` called once when what it waits for is its own; True when it is already, and nothing is called."""
        with self._lock:
            if self._table.waits(who) or who in self._refused:
                self._calls[who] = call
                return False
            return True

    def awake(self, who: str) -> None:
        """It looks for itself now."""
        with self._lock:
            self._calls.pop(who, None)

    def leave(self, who: str, left: Left | None = None) -> None:
        """It has ended here, or waits for something that comes much later: it has nothing but what it left at work."""
        with self._lock:
            if who not in self._names:
                return
            computer = self._names.pop(who)
            self._calls.pop(who, None)
            shared = bool(self._elsewhere.pop(who, None)) or who in self._refused
            self._refused.discard(who)
            self._pace.forget(who)
            mine = [] if left is None else [one.key for one in left.slots if not one.shared]
            woken = self._table.keep(who, mine) if mine else self._table.leave(who)
            if left is not None and mine:
                self._names[who], self._left[who] = computer, left.until
            calls = self._woken(woken)
        everybodys = [] if left is None else [one.key for one in left.slots if one.shared]
        if left is not None and everybodys:
            self._shared.leave_slots(who, computer, everybodys, left.until)
        elif shared:
            self._shared.keep_slots(who, ())
        _call(calls)

    def settled(self, who: str, computer: str) -> None:
        """Nothing of others is at work on a computer: it has begun a job of this session."""
        self._forget_left(lambda name, _: self._names[name] == computer)
        self._shared.settle_slots(who, computer)

    def _forget_left(self, gone: Callable[[str, float], bool]) -> None:
        with self._lock:
            woken: list[str] = []
            for name in [name for name, until in self._left.items() if gone(name, until)]:
                del self._left[name], self._names[name]
                woken += self._table.leave(name)
            calls = self._woken(woken)
        _call(calls)

    def come(self, seat: str, groups: Iterable[str]) -> None:
        """A session is here, or begins later, for whose group the reboots of others wait."""
        with self._lock:
            self._table.come(seat, groups)

    def go(self, seat: str) -> None:
        """It is done in this process."""
        with self._lock:
            calls = self._woken(self._table.go(seat))
        _call(calls)

    # --- under the lock ---

    def _own(self, who: str) -> frozenset[str]:
        """What it has, but for what the history has not said yes to."""
        held = self._table.held(who)
        return held - (self._table.shared(who) - self._elsewhere.get(who, set()))

    def _woken(self, names: Iterable[str]) -> list[Callable[[], None]]:
        return [call for name in names if (call := self._calls.get(name)) is not None]

    def _why(self, who: str) -> str:
        group, slot, there = self._table.why(who)
        if group:
            return f"{group}, which come first: {listed([name.partition('/')[2] for name in there])} not done yet"
        if slot is None:
            return "a slot"
        named = [f"{self._names[one]} (session {one})" for one in there if one in self._names]
        if len(named) < slot.most:
            return f"a slot: {slot.about}; others wait for it longer"
        return f"a slot: {slot.about}; taken by {listed(named)}"


def _call(calls: Iterable[Callable[[], None]]) -> None:
    """Outside of the lock: whoever is called takes one of its own."""
    for call in calls:
        call()
