"""Sessions that nobody is at, taken over by the process of whoever orders something of them.

It becomes their owner, writes the order into their record, and lets them go again: what is paused rests, what is
cancelled is brought to its end by whoever is given (plugins.batches). Nothing else of them goes on here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from immy_nornir.decide.steps.gate import left_open
from immy_nornir.decide.steps.orders import paused
from immy_nornir.decide.steps.step import Wait
from immy_nornir.errors import HistoryError
from immy_nornir.model.orders import OrderKind, OrderState
from immy_nornir.model.record.entries import Interrupted, Waiting
from immy_nornir.session.live import LiveSession
from immy_nornir.session.orders import take_in

if TYPE_CHECKING:
    from immy_nornir.session.engine import Engine

_NOBODY = "nobody is at it, so nothing would reboot: take it up first (immy sessions resume)"


def take_over(engine: Engine, ids: Sequence[str]) -> list[LiveSession]:
    """Write the open orders of these sessions into their records; those that are to be brought to their end.

    Where another process was quicker, or works on the computer, the orders stay open: its owner answers them.
    """
    found: list[LiveSession] = []
    for name in ids:
        with contextlib.suppress(HistoryError):
            live = _taken_over(engine, name)
            found += [live] if live is not None else []
    return found


def _taken_over(engine: Engine, name: str) -> LiveSession | None:
    for order in engine.history.orders_of(name):
        if order.kind is OrderKind.REBOOT:  # hours later nobody would expect it any more
            engine.history.answer_order(order.id, OrderState.REFUSED, _NOBODY)
    engine.history.flush()
    state = engine.stored(name)
    if state is None or state.finished is not None or not engine.history.orders_of(name):
        return None
    live = LiveSession(engine, state)
    with live.seat:
        if live.begin() is not None:
            return None
        take_in(live)
        after = live.state_now
        if after is None or after.cancel is not None:
            return None if after is None else live
        _rest(live)
    return None


def _rest(live: LiveSession) -> None:
    """Leave a session with nobody at it, as it was found: what it waits for, and its job, go on waiting and at work."""
    state = live.state
    held = paused(state, live.moment)
    if isinstance(held, Wait) and state.job is None and state.reboot is None:
        live.append(Waiting(held.kind, held.until, held.about, deferred=True))
        live.defer()
        return
    live.append(Interrupted(f"nobody goes on with it{left_open(state)}"))
    live.engine.history.release([live.computer])
