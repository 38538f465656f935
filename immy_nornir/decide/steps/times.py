"""When a session may act and when it may reboot: its window, what holds its computer, its business hours; pure.

Asked by the gate alone (decide.steps.gate); `no_free_time` says beforehand that no time will ever come. The times are
those of the computer's own zone, which is known once the computer was spoken to.
"""

from __future__ import annotations

import math

from immy_nornir.decide import holds
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.state import State, did_anything, reported_zone
from immy_nornir.decide.steps.step import Note, Wait
from immy_nornir.decide.times import windows
from immy_nornir.decide.times.time_zones import own_zone, told
from immy_nornir.errors import ImmyError
from immy_nornir.model.control.holds import Hold, HoldKind
from immy_nornir.model.playbooks import Reboot, Stage, WindowOver
from immy_nornir.model.record.entries import StageFailed, WindowClosed
from immy_nornir.model.record.session import OutcomeReason, SessionSpec, WaitKind


def window(state: State, moment: Moment) -> Wait | Note | None:
    """What keeps execution waiting: a window, or a hold of the computer; what never lets it begin ends the session.

    So do a window that cannot be worked out, and business hours that hold reboots back in a zone that nobody knows:
    nothing begins whose reboot may not come. What has no end is not waited for.
    """
    try:
        _zone_for_reboots(state)
    except ImmyError as error:
        return Note(StageFailed(Stage.EXECUTE, f"business hours, which hold reboots back: {error}"))
    held = holds.in_force(moment.holds, moment.now)
    if held is not None and (held.until is None or at_once_or_never(state.spec)):
        return hold(state, moment)
    said = state.spec.options.window
    try:
        closed = _closed_for_good(state)
        if closed is not None and moment.now >= closed:
            return Note(WindowClosed(f"window {said} closed {told(closed, _zone(state))}{_missed(state)}"))
        opens, by = _next_time(state, moment)
    except ImmyError as error:
        return Note(StageFailed(Stage.EXECUTE, f"window {said}: {error}"))
    if opens <= moment.now:
        return None
    return _wait(state, held, by, opens, closed)


def at_once_or_never(spec: SessionSpec) -> bool:
    """Whether it was typed to be done now, with nobody having said that it may wait: a hold refuses it."""
    typed = spec.by_hand is not None or spec.trial is not None
    return typed and spec.options.window == "now" and spec.options.window_over is WindowOver.MISS


def hold(state: State, moment: Moment) -> Wait | Note | None:
    """What a hold of the computer makes of an effect, whatever its window says."""
    held = holds.in_force(moment.holds, moment.now)
    if held is None:
        return None
    about = holds.sentence(held, told_zone(state))
    if held.until is None or at_once_or_never(state.spec):
        return Note(WindowClosed(about, OutcomeReason.HELD))
    return Wait(WaitKind.HOLD, held.until, f"the computer is {about}", held.kind is not HoldKind.UNREAD)


def _wait(state: State, held: Hold | None, by: Hold | None, opens: float, closed: float | None) -> Wait:
    """The wait for the next time: of the window, unless something holds the computer now."""
    zone, name = told_zone(state), f"window {state.spec.options.window}"
    until = opens if closed is None else min(opens, closed)
    if held is None:
        begun = did_anything(state) or state.reboots > 0
        which = f"{name}, which has closed: the rest is carried to" if begun else f"{name}, which opens"
        off = f"; before that it is {holds.sentence(by, zone)}" if by is not None else ""
        return Wait(WaitKind.WINDOW, until, f"{which} {told(until, zone)}{off}", True)
    after = ""
    if until < opens:
        after = f"; {name} closes before, {told(until, zone)}"
    elif held.until is not None and held.until < opens:
        then = f"for {name}, which opens {told(opens, zone)}"
        after = f"; then {holds.sentence(by, zone) if by is not None and state.spec.options.window == 'now' else then}"
    about = f"the computer is {holds.sentence(held, zone)}{after}"
    # Whether anything is frozen is asked again in a moment: nobody has to come back for that.
    return Wait(WaitKind.HOLD, until, about, held.kind is not HoldKind.UNREAD)


def _next_time(state: State, moment: Moment) -> tuple[float, Hold | None]:
    """When the window is open and nothing holds the computer, and the last hold that put that off."""
    spec, opens, by = state.spec, moment.now, None
    zone = "" if spec.options.window == "now" else _zone(state)
    hours = windows.parse_business_hours(spec.business_hours) if _needs_hours(spec) else None
    for _ in range(_MOST):
        found = windows.opening(spec.options.window, hours, zone, spec.created_at, opens)
        if found is None:  # a window that comes once ends before the hold does
            return (math.inf if by is None or by.until is None else by.until), by
        opens = max(opens, found.begins)
        held = holds.in_force(moment.holds, opens)
        if held is None or held.until is None:
            return opens, by
        opens, by = held.until, held
    return opens, by


_MOST = 1_000
"""Holds that are stepped over to tell when it goes on; looked at again then."""


def _needs_hours(spec: SessionSpec) -> bool:
    return spec.business_hours is not None and spec.options.window != "now"


def _closed_for_good(state: State) -> float | None:
    """When the window closes and is not waited for again; None where it is, or does not end."""
    spec = state.spec
    if spec.options.window == "now":
        return None
    if spec.options.window_over is not WindowOver.MISS:
        return windows.closes_at(spec.options.window, _zone(state))
    hours = windows.parse_business_hours(spec.business_hours) if _needs_hours(spec) else None
    return windows.closes_first(spec.options.window, hours, _zone(state), spec.created_at)


def _missed(state: State) -> str:
    """Why a window that comes again is not waited for."""
    again = windows.closes_at(state.spec.options.window, _zone(state)) is None
    return ", and what had not begun is not carried to the next one (window_over: miss)" if again else ""


def told_zone(state: State) -> str:
    """The zone that times are told in: the computer's, where it is known."""
    try:
        return _zone(state)
    except ImmyError:
        return "UTC"


def past(state: State, now: float) -> str:
    """That the session's window, which is waited for once, is over; empty where it is not, or cannot be worked out.

    Also of a computer that was never spoken to: then it is over wherever the computer may stand.
    """
    spec = state.spec
    try:
        told_past = windows.past(spec.options.window, spec.time_zone, reported_zone(state), now)
        if not told_past and spec.options.window_over is WindowOver.MISS:
            closed = _closed_for_good(state)
            told_past = f"closed {told(closed, _zone(state))}" if closed is not None and now >= closed else ""
    except ImmyError:
        return ""
    return f"window {spec.options.window} {told_past}" if told_past else ""


def business_hours(state: State, now: float) -> Wait | None:
    """What keeps a reboot waiting."""
    try:
        opens = _free_at(state, now)
        zone = _zone(state) if opens > now else ""
    except ImmyError as error:
        # What cannot be worked out holds back; no new intent comes this far.
        return Wait(WaitKind.WINDOW, now + 3600.0, f"the end of business hours, to reboot: {error}", True)
    if now >= opens:
        return None
    about = f"the end of business hours, to reboot: {told(opens, zone)}"
    return Wait(WaitKind.WINDOW, opens, about, True)


def no_free_time(state: State) -> str:
    """Why the business hours, which hold reboots back, never let one through; empty where they do, or hold none.

    Also where the zone is not known: that is an error of the session (`window`), no lack of time.
    """
    try:
        _zone_for_reboots(state)
    except ImmyError:
        return ""
    try:
        _free_at(state, state.spec.created_at)
    except ImmyError as error:
        return f"reboots are held back in business hours, and {error}"
    return ""


def _zone(state: State) -> str:
    """The name of the computer's zone. Raises WindowError where nobody knows it."""
    return own_zone(state.spec.time_zone, reported_zone(state))


def _zone_for_reboots(state: State) -> None:
    """Raise WindowError where the session may have to hold a reboot back and nobody knows the zone."""
    if _holds(state) and state.spec.options.reboot is not Reboot.SKIP:
        _zone(state)


def _holds(state: State) -> bool:
    return not state.spec.options.reboots_in_business_hours and state.spec.business_hours is not None


def _free_at(state: State, now: float) -> float:
    """When the business hours let a reboot through: `now` where they hold none back. Raises WindowError."""
    if not _holds(state):
        return now
    hours = windows.parse_business_hours(state.spec.business_hours)
    return windows.opens_at("after_hours", hours, _zone(state), now)
