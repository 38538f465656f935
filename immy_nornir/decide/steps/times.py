"""When a session may act and when it may reboot: its window and its business hours as waits; pure.

Asked by the gate alone (decide.steps.gate); `no_free_time` says beforehand that no time will ever come.
"""

from __future__ import annotations

from immy_nornir.decide import windows
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Note, Wait
from immy_nornir.errors import ImmyError
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import StageFailed
from immy_nornir.model.record.session import WaitKind


def window(state: State, now: float) -> Wait | Note | None:
    """What keeps execution waiting; a window that cannot be worked out never opens, which ends the session."""
    spec = state.spec
    if spec.options.window == "now":
        return None
    try:
        hours = windows.parse_business_hours(spec.business_hours) if spec.business_hours is not None else None
        opens = windows.may_act_at(spec.options.window, hours, spec.time_zone, spec.created_at, now)
    except ImmyError as error:
        return Note(StageFailed(Stage.EXECUTE, f"window {spec.options.window}: {error}"))
    if now >= opens:
        return None
    about = f"window {spec.options.window}, which opens {windows.told(opens, spec.time_zone)}"
    return Wait(WaitKind.WINDOW, opens, about, True)


def business_hours(state: State, now: float) -> Wait | None:
    """What keeps a reboot waiting."""
    try:
        opens = _free_at(state, now)
    except ImmyError as error:
        # What cannot be worked out holds back; no new intent comes this far.
        return Wait(WaitKind.WINDOW, now + 3600.0, f"the end of business hours, to reboot: {error}", True)
    if now >= opens:
        return None
    about = f"the end of business hours, to reboot: {windows.told(opens, state.spec.time_zone)}"
    return Wait(WaitKind.WINDOW, opens, about, True)


def no_free_time(state: State) -> str:
    """Why the business hours, which hold reboots back, never let one through; empty where they do, or hold none."""
    try:
        _free_at(state, state.spec.created_at)
    except ImmyError as error:
        return f"reboots are held back in business hours, and {error}"
    return ""


def _free_at(state: State, now: float) -> float:
    """When the business hours let a reboot through: `now` where they hold none back. Raises WindowError."""
    spec = state.spec
    if spec.options.reboots_in_business_hours or spec.business_hours is None:
        return now
    hours = windows.parse_business_hours(spec.business_hours)
    return windows.opens_at("after_hours", hours, spec.time_zone, now)
