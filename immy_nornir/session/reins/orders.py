"""Orders from other shells for the sessions of this process: found together, taken in by whoever is in the session.

One question to the history about once a second for all sessions of this process, asked by the threads that wait for
batches (session.crew). A session takes an order in between two steps, so that nothing is decided beside it; one that is
parked, or whose turn has not come, takes it in here. What comes of it is decide.steps.orders.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self
from weakref import WeakValueDictionary

from immy_nornir.decide.steps.orders import answer_to
from immy_nornir.decide.steps.verdicts import verdict
from immy_nornir.errors import HistoryError
from immy_nornir.model.control.orders import Order, OrderState
from immy_nornir.model.record.order_entries import CancelAsked
from immy_nornir.model.record.session import EndReason, Status

if TYPE_CHECKING:
    from immy_nornir.decide.steps.moment import Moment
    from immy_nornir.decide.steps.state import State
    from immy_nornir.history.store import History
    from immy_nornir.model.protocols import Clock
    from immy_nornir.model.record.entries import Entry

LOOK_SECONDS = 1.0


class Addressee(Protocol):
    """A session of this process, as far as orders care (session.live)."""

    before: Self | None
    inbox: tuple[Order, ...]
    seat: threading.Lock

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def rests(self) -> bool:
        """Whether nothing more comes of it in this process."""
        ...

    @property
    def never_begun(self) -> bool:
        """Whether no process ever owned it."""
        ...

    @property
    def owns(self) -> bool:
        """Whether this process owns its computer for it."""
        ...

    @property
    def state_now(self) -> State | None:
        """Its state; None where it has settled here."""
        ...

    @property
    def moment(self) -> Moment:
        """What its next step depends on beside its record."""
        ...

    def append(self, entry: Entry, *, durable: bool = False) -> None:
        """Write an entry of its record."""
        ...

    def end(self, status: Status, message: str, reason: EndReason) -> None:
        """End it from outside."""
        ...


@dataclass(slots=True)
class Orders:
    """The orders of one process; `look` may be called by several threads."""

    _lives: WeakValueDictionary[str, Addressee] = field(default_factory=WeakValueDictionary)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked_at: float = float("-inf")
    _to_call: set[str] = field(default_factory=set)
    """Sessions that took orders in while they were parked, and have not been called yet."""

    def enlist(self, live: Addressee) -> None:
        """Let a session of this process have its orders."""
        with self._lock:
            self._lives[live.id] = live

    def is_here(self, session: str) -> bool:
        """Whether this process goes on with a session."""
        with self._lock:
            live = self._lives.get(session)
        return live is not None and not live.rests

    def look(self, history: History, clock: Clock) -> None:
        """Hand out what was ordered, where it is time to look; a history that cannot be read now waits."""
        if not self._is_time(clock.monotonic()):
            return
        try:
            found = history.my_orders()
        except HistoryError:
            return
        by_session: dict[str, list[Order]] = {}
        for one in found:
            by_session.setdefault(one.session_id, []).append(one)
        called = {live.id for live, orders in self._those_of(by_session) if hand_over(live, orders, history)}
        with self._lock:
            self._to_call |= called

    def to_call(self, sessions: Mapping[str, Addressee]) -> list[str]:
        """The computers, of these by computer, whose sessions have to be called."""
        if not self._to_call:
            return []
        found = []
        with self._lock:
            for computer, live in sessions.items():
                mine = self._to_call.intersection(one.id for one in in_turn(live))
                self._to_call -= mine
                found += [computer] if mine else []
        return found

    def _is_time(self, now: float) -> bool:
        with self._lock:
            due = now - self._looked_at >= LOOK_SECONDS
            if due:
                self._looked_at = now
            return due

    def _those_of(self, orders: dict[str, list[Order]]) -> list[tuple[Addressee, list[Order]]]:
        with self._lock:
            return [(live, some) for name, some in orders.items() if (live := self._lives.get(name)) is not None]


def in_turn(live: Addressee) -> Iterator[Addressee]:
    """A session and the older ones that are settled before it."""
    one: Addressee | None = live
    while one is not None:
        yield one
        one = one.before


def hand_over(live: Addressee, orders: Iterable[Order], history: History) -> bool:
    """Give a session its orders; whether it has to be called now. Whoever is in it takes them in after this step."""
    if live.rests:
        return False
    live.inbox = tuple(orders)
    if not live.seat.acquire(blocking=False):
        return False
    try:
        take_in(live, history)
    except HistoryError:
        return False  # it finds out itself when it is called
    finally:
        live.seat.release()
    return True


def take_in(live: Addressee, history: History) -> None:
    """Turn the orders of a session into entries of its record, or refuse them. Raises: HistoryError.

    Only whoever holds the session's seat may ask for it.
    """
    orders, live.inbox = live.inbox, ()
    for order in orders:
        state = live.state_now
        if state is None or state.finished is not None:  # its end answers what is open
            return
        if order.id in state.orders:
            _take_in_again(state, order, history)
            continue
        said = verdict(state, order, live.moment)
        if isinstance(said, str):
            history.answer_order(order.id, OrderState.REFUSED, said)
            continue
        live.append(said, durable=live.owns)
        if isinstance(said, CancelAsked) and live.never_begun:
            live.end(Status.CANCELLED, f"cancelled by {said.ordered}", EndReason.CANCELLED)


def _take_in_again(state: State, order: Order, history: History) -> None:
    """Answer an order that stands in the record, and whose answer went another way than its entry: by the journal."""
    said = "" if state.cancel is None else answer_to(state, state.cancel)
    history.answer_order(order.id, OrderState.DONE, said or "taken in")
