"""When a session may reboot its computer, and what it does while a reboot is under way; pure.

The rules: the option `reboot` and the cap. An installer that says it reboots (1641) is waited for first. Not here:
which action needs a reboot (decide.steps.execution); whether this is the time for it (decide.steps.gate).
"""

from __future__ import annotations

import math

from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.decide.steps.times import no_free_time
from immy_nornir.decide.steps.under_way import RebootState
from immy_nornir.model.playbooks import Reboot
from immy_nornir.model.record.entries import RebootEnded, RebootInherited, RebootIntended
from immy_nornir.model.record.session import OutcomeReason, Status, WaitKind

SELF_REBOOT_PATIENCE_SECONDS = 10 * 60
"""How long an installer that said it reboots (1641) is given before the session asks for the reboot itself."""


def may_reboot(state: State) -> bool:
    """Whether this session may reboot the computer at all."""
    asks = state.spec.options.reboot is not Reboot.SKIP and not state.questions.refused
    return asks and not no_free_time(state) and not denied(state)


def denied(state: State) -> str:
    """Why it may not reboot though it could: somebody said no; empty where nobody did."""
    return "" if state.approved_reboots else state.denied


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
    if state.closed:
        return state.closed_by, state.closed
    if state.over:
        return OutcomeReason.TIME_OVER, state.over
    if state.unready:
        return OutcomeReason.PREFLIGHT, state.unready
    if why := denied(state):
        return OutcomeReason.NOT_APPROVED, why
    if state.questions.refused:
        return OutcomeReason.REBOOTS_SKIPPED, state.questions.refused
    if not may_reboot(state):
        why = no_free_time(state) or f"the option reboot is {state.spec.options.reboot}"
        return OutcomeReason.REBOOTS_SKIPPED, why
    if capped(state):
        return OutcomeReason.REBOOT_FAILED, f"this session has rebooted {state.reboots} times already"
    return None


def reboot_now(state: State, why: str) -> Step:
    """The intent to reboot."""
    if state.identity is None:
        return Perform(Do.CONNECT)
    return Note(RebootIntended(state.reboots + 1, why, state.identity.boot), durable=True)


def owes(state: State) -> bool:
    """Whether the computer needs a reboot for what this session did, or for what one did whose place it takes."""
    inherited = state.inherited is not None and state.identity is not None
    return state.owed or (inherited and not state.inherited.differs(state.identity.boot))  # type: ignore[union-attr]


def left_owing(state: State) -> RebootInherited | None:
    """The reboot that a superseded session leaves to the one that takes its place."""
    if state.finished is None or state.finished.status is not Status.SUPERSEDED or state.identity is None:
        return None
    return RebootInherited(state.spec.id, state.identity.boot) if owes(state) else None


def reboot_at_end(state: State) -> Step | None:
    """The reboot that is owed or forced when all actions are done."""
    if no_reboot(state) is not None:
        return None
    new = [name for name in counting(state) if name not in state.pending_after_reboot]
    if owes(state) or (state.acted and new):
        return reboot_now(state, "what was done needs it" if owes(state) else f"pending now: {', '.join(new)}")
    if state.spec.options.reboot is Reboot.FORCE and (state.acted or state.reboots == 0):
        return reboot_now(state, "the option reboot is force")
    return None


def reboot_under_way(state: State, reboot: RebootState, moment: Moment) -> Step:
    """Ask for it, look whether the boot has changed, or give up."""
    minutes = state.spec.options.reboot_timeout_minutes
    # Counted at the last look, not now: a session that was away itself looks once more.
    if moment.contact.checked_at - _missed_since(state, reboot) >= minutes * 60.0:
        within = f"{minutes * 60:g} seconds" if minutes < 1 else f"{minutes:g} minute{'' if minutes == 1 else 's'}"
        why = f"it did not come back from its reboot within {within}"
        if not reboot.asked and not reboot.by_itself:
            why = f"lost contact: it did not answer within {within}, to be rebooted"
        return Note(RebootEnded(reboot.number, None, why))
    resting = state.lost is not None and moment.resting(_pause(reboot, moment))
    if not reboot.asked and not reboot.by_itself:
        if (state.stop is not None or state.over) and state.identity is not None:
            return Note(RebootEnded(reboot.number, state.identity, "stopped before it was asked for"))
        if resting:
            about = f"the computer to answer, to reboot it: {reboot.why}"
            return Wait(WaitKind.REBOOT, moment.contact.checked_at + _pause(reboot, moment), about)
        return Perform(Do.ASK_REBOOT)
    overdue = moment.now - reboot.asked_at >= SELF_REBOOT_PATIENCE_SECONDS
    if reboot.by_itself and not reboot.asked and overdue and state.identity is not None and not resting:
        return Perform(Do.ASK_REBOOT)
    return look_for_boot(reboot, moment)


def _missed_since(state: State, reboot: RebootState) -> float:
    """Since when a computer is missed that reboots, or is to: before it is asked, not while it is known to be there."""
    if reboot.asked or (reboot.by_itself and state.lost is not None) or state.identity is None:
        return reboot.asked_at
    return max(reboot.asked_at, state.lost_at) if state.lost is not None else math.inf


def look_for_boot(reboot: RebootState, moment: Moment) -> Step:
    """Look whether the computer is back, after a pause."""
    pause = _pause(reboot, moment)
    if moment.resting(pause):
        return Wait(WaitKind.REBOOT, moment.contact.checked_at + pause, f"the reboot: {reboot.why}")
    return Perform(Do.CHECK_BOOT)


def _pause(reboot: RebootState, moment: Moment) -> float:
    since = moment.now - reboot.asked_at
    return 2.0 if since < 60 else 5.0 if since < 300 else 15.0
