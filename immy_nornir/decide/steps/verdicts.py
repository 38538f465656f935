"""What the owner of a session makes of an order: the entry that it becomes, or why it is refused; pure.

What follows from the entry is decide.steps.orders, and the gate.
"""

from __future__ import annotations

from immy_nornir.decide.steps.gate import hours
from immy_nornir.decide.steps.holding import preflight
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.orders import job_told
from immy_nornir.decide.steps.reboots import capped
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Note, Wait
from immy_nornir.decide.steps.times import hold
from immy_nornir.model.control.orders import Order, OrderKind
from immy_nornir.model.record.entries import CANCEL, WindowClosed
from immy_nornir.model.record.order_entries import (
    CancelAsked,
    Ordered,
    OrderEntry,
    PauseAsked,
    PauseLifted,
    RebootOrdered,
)


def verdict(state: State, order: Order, moment: Moment) -> OrderEntry | str:
    """The entry that an order becomes, or why it is refused. The session has not ended."""
    ordered = Ordered(order.id, order.by, order.reason)
    match order.kind:
        case OrderKind.CANCEL:
            by = state.stop.by if state.stop is not None and state.stop.kind != CANCEL else ""
            return _successor(by) if by else CancelAsked(ordered, order.how.now or order.how.kill, order.how.kill)
        case OrderKind.PAUSE:
            return _no_pause(state, order.how.until, moment) or PauseAsked(ordered, order.how.until)
        case OrderKind.RESUME:
            return PauseLifted(ordered) if state.pause is not None else "it is not paused"
        case OrderKind.REBOOT:
            return _no_reboot(state, moment, now=order.how.now) or RebootOrdered(ordered, order.how.now)


def _successor(by: str) -> str:
    return f"session {by} takes its place: order that of it"


def _ends(state: State) -> str:
    """Why nothing new begins in a session any more."""
    if state.stop is not None:
        return _successor(state.stop.by) if state.stop.by else "it is being cancelled"
    return "it is about to end: something went wrong" if state.failure is not None else ""


def _changes_nothing(state: State) -> str:
    looks = not state.spec.type.executes or state.spec.check
    return "it only looks, and changes nothing" if looks else ""


def _no_pause(state: State, until: float | None, moment: Moment) -> str:
    over = "the time until which it was to be paused is over" if until is not None and until <= moment.now else ""
    return _ends(state) or _changes_nothing(state) or over


def _no_reboot(state: State, moment: Moment, *, now: bool) -> str:
    if why := _ends(state) or _changes_nothing(state):
        return why
    if state.over or state.unready:
        return f"nothing new begins in it: {state.over or state.unready}"
    if state.reboot is not None:
        return f"it reboots already: {state.reboot.why}"
    if state.job is not None:
        return f"{job_told(state, state.job)}; order it when that has ended"
    if state.pause is not None:
        return f"it is paused by {state.pause.ordered}: resume it first"
    if moment.frozen:
        return moment.frozen
    if capped(state):
        return f"it has rebooted {state.reboots} times already, and max_reboots is {state.spec.options.max_reboots}"
    if state.reboot_failure:
        return f"a reboot has failed: {state.reboot_failure}"
    if why := _held(state, moment):
        return why
    if now or state.identity is None:
        return ""
    held = hours(state, moment)
    if isinstance(held, Wait):
        return f"it would have to wait for {held.about}; --now does not"
    over = held.entry if isinstance(held, Note) else None
    return f"{over.message}; --now does not mind" if isinstance(over, WindowClosed) else ""


def _held(state: State, moment: Moment) -> str:
    """What holds a reboot back that is ordered for now, too."""
    held = hold(state, moment)
    if isinstance(held, Wait):
        return held.about
    if held is not None and isinstance(held.entry, WindowClosed):
        return f"the computer is {held.entry.message}"
    keeps = state.plan is not None and preflight.held(state, moment) is not None
    missing = preflight.unready(state) if keeps else ()
    return f"it would have to wait for {preflight.about(missing)}" if missing else ""
