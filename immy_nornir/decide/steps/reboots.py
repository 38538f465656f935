"""When a session may reboot its computer, and what it does while a reboot is under way; pure.

The rules: the option `reboot`, the cap, the window and the business hours. An installer that says it reboots (1641)
is waited for first. Not here: which action needs a reboot (decide.steps.execution).
"""

from __future__ import annotations

from immy_nornir.decide import windows
from immy_nornir.decide.steps.state import RebootState, State, resting
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.errors import ImmyError
from immy_nornir.model.playbooks import Reboot, Stage
from immy_nornir.model.record.entries import RebootEnded, RebootIntended, StageFailed
from immy_nornir.model.record.session import OutcomeReason, WaitKind

SELF_REBOOT_PATIENCE_SECONDS = 10 * 60
"""How long an installer that said it reboots (1641) is given before the session asks for the reboot itself."""


def may_reboot(state: State) -> bool:
    """Whether this session may reboot the computer at all."""
    return state.spec.options.reboot in (Reboot.AUTOMATIC, Reboot.FORCE) and not no_free_time(state)


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


def counting(state: State) -> tuple[str, ...]:
    """The pending-reboot sources that count."""
    ignored = state.spec.options.ignore_pending_reboots
    return tuple(name for name in state.pending if name not in ignored)


def capped(state: State) -> bool:
    """Whether the session has rebooted as often as it may."""
    return state.reboots >= state.spec.options.max_reboots


def no_reboot(state: State) -> tuple[OutcomeReason, str] | None:
    """Why an action cannot have the reboot that it needs."""
    if state.reboot_failure:
        return OutcomeReason.REBOOT_FAILED, f"a reboot has failed: {state.reboot_failure}"
    if state.stop is not None:
        return OutcomeReason.CANCELLED, state.stop.message
    if not may_reboot(state):
        why = no_free_time(state) or f"the option reboot is {state.spec.options.reboot}"
        return OutcomeReason.REBOOTS_SKIPPED, why
    if capped(state):
        return OutcomeReason.REBOOT_FAILED, f"this session has rebooted {state.reboots} times already"
    return None


def window(state: State, now: float) -> Step | None:
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


def reboot_now(state: State, now: float, why: str) -> Step:
    """The intent to reboot, or what it has to wait for."""
    held = window(state, now) or _business_hours(state, now)
    if held is not None:
        return held
    if state.identity is None:
        return Perform(Do.CONNECT)
    return Note(RebootIntended(state.reboots + 1, why, state.identity.boot), durable=True)


def _business_hours(state: State, now: float) -> Wait | None:
    try:
        opens = _free_at(state, now)
    except ImmyError as error:
        # What cannot be worked out holds back; no new intent comes this far.
        return Wait(WaitKind.WINDOW, now + 3600.0, f"the end of business hours, to reboot: {error}", True)
    if now >= opens:
        return None
    about = f"the end of business hours, to reboot: {windows.told(opens, state.spec.time_zone)}"
    return Wait(WaitKind.WINDOW, opens, about, True)


def reboot_at_end(state: State, now: float) -> Step | None:
    """The reboot that is owed or forced when all actions are done."""
    if no_reboot(state) is not None:
        return None
    new = [name for name in counting(state) if name not in state.pending_after_reboot]
    if state.owed or (state.acted and new):
        return reboot_now(state, now, "what was done needs it" if state.owed else f"pending now: {', '.join(new)}")
    if state.spec.options.reboot is Reboot.FORCE and (state.acted or state.reboots == 0):
        return reboot_now(state, now, "the option reboot is force")
    return None


def reboot_under_way(state: State, reboot: RebootState, now: float) -> Step:
    """Ask for it, look whether the boot has changed, or give up."""
    since = now - reboot.asked_at
    pause = 2.0 if since < 60 else 5.0 if since < 300 else 15.0
    minutes = state.spec.options.reboot_timeout_minutes
    # Counted at the last look, not now: a session that was away itself looks once more.
    if state.checked_at - reboot.asked_at >= minutes * 60.0:
        unit = "minute" if minutes == 1 else "minutes"
        why = f"it did not come back from its reboot within {minutes:g} {unit}"
        return Note(RebootEnded(reboot.number, None, why))
    if not reboot.asked and not reboot.by_itself:
        if state.stop is not None and state.identity is not None:
            return Note(RebootEnded(reboot.number, state.identity, "stopped before it was asked for"))
        if state.lost is not None and resting(state, now, pause):
            return Wait(
                WaitKind.REBOOT, state.checked_at + pause, f"the computer to answer, to reboot it: {reboot.why}"
            )
        held = window(state, now) or _business_hours(state, now)  # the intent may be of last night
        if held is not None:
            return held
        return Perform(Do.ASK_REBOOT)
    if reboot.by_itself and not reboot.asked and since >= SELF_REBOOT_PATIENCE_SECONDS and state.identity is not None:
        if no_reboot(state) is None and (window(state, now) or _business_hours(state, now)) is None:
            if state.lost is None or not resting(state, now, pause):
                return Perform(Do.ASK_REBOOT)
        elif state.checked_at - reboot.asked_at >= SELF_REBOOT_PATIENCE_SECONDS:
            return Note(RebootEnded(reboot.number, state.identity, "it did not reboot by itself"))
    if resting(state, now, pause):
        return Wait(WaitKind.REBOOT, state.checked_at + pause, f"the reboot: {reboot.why}")
    return Perform(Do.CHECK_BOOT)
