"""When a session may act and when it may reboot: its window and its business hours as waits; pure.

Asked by the gate alone (decide.steps.gate); `no_free_time` says beforehand that no time will ever come. The times are
those of the computer's own zone, which is known once the computer was spoken to.
"""

from __future__ import annotations

import math

from immy_nornir.decide import windows
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Note, Wait
from immy_nornir.decide.time_zones import own_zone, told
from immy_nornir.errors import ImmyError
from immy_nornir.model.playbooks import Reboot, Stage
from immy_nornir.model.record.entries import StageFailed, WindowClosed
from immy_nornir.model.record.session import WaitKind


def window(state: State, now: float) -> Wait | Note | None:
    """What keeps execution waiting; a window that cannot be worked out never opens, which ends the session.

    So do business hours that hold reboots back, in a zone that nobody knows: nothing begins whose reboot may not come.
    """
    spec = state.spec
    try:
        _zone_for_reboots(state)
    except ImmyError as error:
        return Note(StageFailed(Stage.EXECUTE, f"business hours, which hold reboots back: {error}"))
    if spec.options.window == "now":
        return None
    try:
        zone = _zone(state)
        hours = windows.parse_business_hours(spec.business_hours) if spec.business_hours is not None else None
        opens = windows.may_act_at(spec.options.window, hours, zone, spec.created_at, now)
        closed = windows.closes_at(spec.options.window, zone) if opens == math.inf else None
    except ImmyError as error:
        return Note(StageFailed(Stage.EXECUTE, f"window {spec.options.window}: {error}"))
    if closed is not None:
        return Note(WindowClosed(f"window {spec.options.window} closed {told(closed, zone)}"))
    if now >= opens:
        return None
    about = f"window {spec.options.window}, which opens {told(opens, zone)}"
    return Wait(WaitKind.WINDOW, opens, about, True)


def past(state: State, now: float) -> str:
    """That the session's window, which comes once, is over; empty where it is not, or cannot be worked out.

    Also of a computer that was never spoken to: then it is over wherever the computer may stand.
    """
    spec = state.spec
    try:
        told_past = windows.past(spec.options.window, spec.time_zone, _reported(state), now)
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
    return own_zone(state.spec.time_zone, _reported(state))


def _reported(state: State) -> object:
    """The zone that the computer says it stands in, once it was spoken to."""
    return None if state.identity is None else state.identity.system.get("time_zone")


def _zone_for_reboots(state: State) -> None:
    """Raise WindowError where the session may have to hold a reboot back and nobody knows the zone."""
    if _holds(state) and state.spec.options.reboot in (Reboot.AUTOMATIC, Reboot.FORCE):
        _zone(state)


def _holds(state: State) -> bool:
    return not state.spec.options.reboots_in_business_hours and state.spec.business_hours is not None


def _free_at(state: State, now: float) -> float:
    """When the business hours let a reboot through: `now` where they hold none back. Raises WindowError."""
    if not _holds(state):
        return now
    hours = windows.parse_business_hours(state.spec.business_hours)
    return windows.opens_at("after_hours", hours, _zone(state), now)
