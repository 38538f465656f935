"""The crew of this process: few threads, many sessions, whatever runs and waves these belong to.

It knows seats, which are functions that are called until they end, and nothing of what is done in them. Threads,
limits of tenants, the probe and the stop belong to the process: all runs that go on at one time share them.
"""

from __future__ import annotations

import functools
import logging
import math
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from immy_nornir.model.protocols import Clock
from immy_nornir.model.record.session import WaitKind
from immy_nornir.session.crew.name_lookup import Names
from immy_nornir.session.crew.probe import Probe
from immy_nornir.session.crew.settled import Parked
from immy_nornir.session.crew.turns import Turns, Waiting
from immy_nornir.session.engine import SystemClock

LATE_SECONDS = 30.0
"""A computer that is silent is looked at now and then all the same: its session keeps a deadline of its own."""
_AT_ONCE = 2
"""From this stop level on, seats in the middle of something are not waited for."""
_GLANCE = 0.2
"""How long the thread that asked for a run waits in one go: signals reach the main thread between two waits only."""
_PROBED = (WaitKind.REBOOT, WaitKind.CONNECTIVITY)
_log = logging.getLogger("immy_nornir.crew")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seat(Generic[T]):
    """One who takes part: called until it answers with anything else than a wait, by one thread at a time."""

    name: str
    work: Callable[[bool], T | Parked]
    """Told whether the computer it waited for was just seen to answer."""
    tenant: str = ""


@dataclass(slots=True)
class _Batch:
    """The seats of one run."""

    left: int
    changed: threading.Condition
    ended: dict[str, Any] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    """Who is to be called as soon as it rests."""
    over: bool = False
    """Nobody waits for it any more: what is left is not begun, and what ends is not kept."""


@dataclass(slots=True)
class _Place:
    """A seat on its way through the crew."""

    seat: Seat[Any]
    batch: _Batch
    woken: bool = False


class Crew:
    """At most `workers` daemon threads, begun when they are needed and kept until the crew is closed."""

    def __init__(
        self,
        workers: int = 32,
        per_tenant: int = 0,
        stop: Callable[[], int] = lambda: 0,
        clock: Clock | None = None,
        names: Names | None = None,
    ) -> None:
        """`per_tenant` 0: no limit; `stop`: its level."""
        self._workers = max(1, workers)
        self._stop = stop
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._probe = Probe(self._answered, self._clock, names)
        self._turns: Turns[_Place] = Turns(per_tenant)
        self._waiting: Waiting[_Place] = Waiting()
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._batches: list[_Batch] = []
        self._threads = 0
        self._idle = 0
        self._alarm = math.inf
        """Until when the idle thread sleeps that looks at what is due next."""
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go, those in the middle of something when that ends; a run that is waited for is left."""
        with self._lock:
            self._over = True
            self._news.notify_all()
            for batch in self._batches:
                batch.changed.notify_all()
        self._probe.close()

    def run(
        self, seats: Sequence[Seat[T]], glance: Callable[[], Iterable[str]] = tuple, splay: float = 0.0
    ) -> dict[str, T]:
        """Call every seat until it ends; what they ended with, by name, in the order in which they ended.

        The first calls are spread over `splay` seconds.

        Several threads may do this at one time. A seat that raised is missing, and so is one that had not ended when
        the stop level reached 2. From level 1 on, whoever waits is called at once, to find out for itself. `glance` is
        called by this thread again and again, and may take its time; the seats that it names are called at once.
        """
        batch = _Batch(len(seats), threading.Condition(self._lock))
        try:
            with self._lock:
                self._batches.append(batch)
                self._begin(seats, batch, splay)
            while self._goes_on(batch):
                self._call_again(batch, glance())
        finally:
            with self._lock:
                self._leave(batch)
        return batch.ended

    def _goes_on(self, batch: _Batch) -> bool:
        with self._lock:
            level = self._stop()
            if not batch.left or self._over or level >= _AT_ONCE:
                return False
            if level > 0:
                self._hand_out()
            batch.changed.wait(_GLANCE)
            return True

    def _call_again(self, batch: _Batch, names: Iterable[str]) -> None:
        wanted = set(names)
        if not wanted:
            return
        with self._lock:
            # Who is not at rest yet, having said a moment ago that it would be, is called when it is.
            batch.called |= wanted
            for number, place in self._waiting.held():
                if place.batch is batch and place.seat.name in batch.called:
                    batch.called.discard(place.seat.name)
                    self._take_back(number)
                    self._turns.put(place.seat.tenant, place)
            self._call()

    # --- all below: under the lock ---

    def _begin(self, seats: Sequence[Seat[T]], batch: _Batch, splay: float) -> None:
        now = self._clock.monotonic()
        for seat in seats:
            place = _Place(seat, batch)
            if splay > 0:
                self._waiting.put(place, now + random.uniform(0.0, splay))  # noqa: S311 - spreading, not secrecy
            else:
                self._turns.put(seat.tenant, place)
        if seats:
            self._call()

    def _leave(self, batch: _Batch) -> None:
        batch.over = True
        self._batches.remove(batch)
        for number, place in self._waiting.held() if batch.left else ():
            if place.batch is batch:
                self._take_back(number)

    def _hand_out(self) -> None:
        for number, place in self._waiting.held():
            self._take_back(number)
            place.woken = False
            self._turns.put(place.seat.tenant, place)
        self._call()

    def _take_back(self, number: int) -> None:
        self._waiting.take(number)
        self._probe.forget(number)

    def _call(self) -> None:
        """One more thread looks what there is to do; whoever finds something calls the next."""
        if not (self._turns or self._waiting.next_due() < self._alarm):
            return
        if self._idle:
            self._news.notify()
        elif self._threads < self._workers:
            thread = threading.Thread(target=self._work, name=f"immy-worker-{self._threads}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads
                if not self._threads:
                    raise
                return
            self._threads += 1

    def _rest(self, now: float) -> None:
        """Sleep until there is news; one of those who sleep does so until the next one is due only."""
        due = self._waiting.next_due()
        looks = due < self._alarm
        if looks:
            self._alarm = due
        self._idle += 1
        self._news.wait(min(due - now, threading.TIMEOUT_MAX) if looks else None)
        self._idle -= 1
        if looks and self._alarm == due:
            self._alarm = math.inf

    def _park(self, place: _Place, parked: Parked) -> None:
        if place.seat.name in place.batch.called:
            place.batch.called.discard(place.seat.name)
            place.woken = False
            self._turns.put(place.seat.tenant, place)
            self._call()
            return
        now = self._clock.monotonic()
        due = now + max(0.0, parked.wait.until - self._clock.now())
        place.woken = parked.wait.kind in _PROBED
        address = parked.address
        if not place.woken or address is None or address.kind == "local":
            number = self._waiting.put(place, due)
            if parked.news is not None and parked.news(functools.partial(self._answered, number)):
                self._take_back(number)
                self._turns.put(place.seat.tenant, place)
                self._call()
            return
        self._probe.watch(self._waiting.put(place, due + LATE_SECONDS), address, due)

    def _settle(self, place: _Place, outcome: Any, error: BaseException | None) -> None:
        batch = place.batch
        if isinstance(outcome, Parked) and not batch.over:
            self._park(place, outcome)
            self._turns.done(place.seat.tenant)
            return
        self._turns.done(place.seat.tenant)
        if batch.over:
            return
        if error is None:
            batch.ended[place.seat.name] = outcome
        batch.left -= 1
        if not batch.left:
            batch.changed.notify_all()

    # --- the threads ---

    def _answered(self, number: int) -> None:
        with self._lock:
            place = self._waiting.take(number)
            if place is not None:
                self._turns.put(place.seat.tenant, place)
                self._call()

    def _take(self) -> _Place | None:
        with self._lock:
            while not self._over:
                now = self._clock.monotonic()
                for number, due in self._waiting.due(now):
                    self._probe.forget(number)
                    self._turns.put(due.seat.tenant, due)
                place = self._turns.take()
                if place is None:
                    self._rest(now)
                elif place.batch.over:
                    self._turns.done(place.seat.tenant)
                else:
                    self._call()
                    return place
        return None

    def _work(self) -> None:
        while self._one():
            pass

    def _one(self) -> bool:
        """Call one seat once; False when the crew is closed. What is at rest here holds nothing of a run."""
        place = self._take()
        if place is None:
            return False
        outcome, error = None, None
        try:
            outcome = place.seat.work(place.woken)
        except BaseException as raised:  # noqa: BLE001 - SystemExit in one seat must not cost the others anything
            error = raised
            _log.warning("%s ended with an error", place.seat.name, exc_info=True)
        with self._lock:
            try:
                self._settle(place, outcome, error)
            except Exception as raised:  # noqa: BLE001 - whoever waits for this run would wait for ever
                _log.warning("%s could not be parked", place.seat.name, exc_info=True)
                self._settle(place, None, raised)
        return True
