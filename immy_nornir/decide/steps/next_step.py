"""What a session does next: `next_step(state, now) -> Do | Wait | Note | Finish`; pure.

The session's loop performs what is said here and writes the entries that come of it; nothing else decides. The
order of the cases is the order of the rules: contact, stages, the reboot under way, the action under way, the next
action, post-actions, the reboot at the end.
"""

from __future__ import annotations

from immy_nornir.decide.steps import outcomes
from immy_nornir.decide.steps.execution import current, did_anything, execute, next_action
from immy_nornir.decide.steps.reboots import no_free_time, reboot_under_way, window
from immy_nornir.decide.steps.state import State, meaning_of, resting
from immy_nornir.decide.steps.step import Do, Finish, Note, Perform, Step, Wait
from immy_nornir.model.playbooks import Offline, Reboot, Stage
from immy_nornir.model.record.entries import ActionEnded, Refused, StageFailed
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status, WaitKind

__all__ = ["Do", "Finish", "Note", "Perform", "Step", "Wait", "meaning_of", "next_step"]


_STAGE_WORK = {
    Stage.CONNECT: Do.CONNECT,
    Stage.RESOLVE: Do.RESOLVE,
    Stage.INVENTORY: Do.COLLECT_FACTS,
    Stage.DETECT: Do.DETECT,
    Stage.PLAN: Do.MAKE_PLAN,
    Stage.VERIFY: Do.VERIFY,
}

LOST_PATIENCE_SECONDS = 30 * 60
"""How long a computer that was lost in the middle of a session is waited for."""

CONNECT_TRIES = 3
"""How often a computer that drops the very first connection is asked again."""

REFUSAL_TRIES = 6
"""How often a computer that let the session in before, and refuses it now, is asked in all: about a minute.

More would lock the account where its password was changed in the middle.
"""

_STUMBLES = {"garbled": 3}
"""How often contact may be lost in a row without anything achieved, by kind."""


def next_step(state: State, now: float) -> Step:
    """The one next step of a session; total: every state has one."""
    if state.finished is not None:
        return Finish(state.finished.status, state.finished.message)
    step = _wanted(state, now)
    if not state.connected and _needs_computer(step):
        return _gone(state) if state.reboot_failure and state.lost is not None else _contact(state, now)
    return step


def _gone(state: State) -> Step:
    """The end of a session whose computer did not come back from its reboot: it has been waited for long enough."""
    left = next((one for one in state.actions.values() if one.ended is None), None)
    if left is None:
        return _finish(state)
    outcome = Outcome.FAILED if left.in_progress else Outcome.SKIPPED
    return Note(ActionEnded(left.plan.id, outcome, OutcomeReason.REBOOT_FAILED, state.reboot_failure))


def _wanted(state: State, now: float) -> Step:
    """The next step of a session whose computer answers."""
    if state.failure is not None:
        return _after_failure(state, state.failure, now)
    if state.reboot is not None:
        return reboot_under_way(state, state.reboot, now)
    if state.stop is not None and state.plan is None:
        return _finish(state)
    for stage in state.spec.stages:
        if stage in state.done or stage is Stage.REPORT or (stage is Stage.VERIFY and state.stop is not None):
            continue
        if stage is Stage.EXECUTE:
            step = execute(state, now)
            if step is not None:
                return step
            if not state.acted and not state.reboots and not did_anything(state):
                return _finish(state)
            continue
        return Perform(_STAGE_WORK[stage])
    return _finish(state)


def _needs_computer(step: Step) -> bool:
    """Whether a step acts on the computer, or is an intent that holds for the boot in which it is."""
    match step:
        case Perform(Do.ASK_REBOOT | Do.CHECK_BOOT):
            return False  # they find out themselves whether the computer is there
        case Perform():
            return True
        case Note(durable=durable):
            return durable
        case _:
            return False


# --- contact --------------------------------------------------------------------------------------------------


def _contact(state: State, now: float) -> Step:
    lost = state.lost
    if lost is None:
        return Perform(Do.CONNECT)
    began = Stage.CONNECT in state.done
    away = lost.kind in ("unreachable", "timeout", "dropped")
    apply_later = away and state.spec.options.offline is Offline.APPLY_ON_CONNECT and state.stop is None
    if not began and not apply_later and (lost.kind != "dropped" or state.losses >= CONNECT_TRIES):
        return Finish(Status.MISSED if away else Status.FAILED, f"{lost.kind}: {lost.message}")
    # Looking at a quiet job leaves no entry: only many losses in a row mean that nothing is achieved any more.
    if state.stumbles >= _STUMBLES.get(lost.kind, 40 if state.current else 8):
        return _give_up(state, f"{lost.kind} {state.stumbles} times while {lost.doing}: {lost.message}")
    if lost.kind in ("authentication", "certificate") and state.losses >= REFUSAL_TRIES:
        return _give_up(state, f"{lost.kind} {state.losses} times while {lost.doing}: {lost.message}")
    stopped = state.stop is not None and not state.current
    impatient = stopped or now - state.lost_at >= LOST_PATIENCE_SECONDS
    if impatient and not apply_later:
        what = f" while {state.current} was under way; its result is not known" if state.current else ""
        return _give_up(state, f"lost contact{what}: {lost.message}")
    pause = min(2.0 * 2 ** min(max(state.losses, state.stumbles) - 1, 8), 300.0)
    if resting(state, now, pause):
        deferred = apply_later and (impatient or not began)
        about = f"the computer to answer again: {lost.message}"
        return Wait(WaitKind.CONNECTIVITY, state.checked_at + pause, about, deferred)
    return Perform(Do.CONNECT)


def _give_up(state: State, message: str) -> Note:
    """A session that lost its computer for good; noted, so that its actions can be ended one by one."""
    stage = next((one for one in state.spec.stages if one not in state.done), Stage.CONNECT)
    return Note(StageFailed(stage, message))


# --- execution ------------------------------------------------------------------------------------------------


# --- the end --------------------------------------------------------------------------------------------------


def _after_failure(state: State, failure: StageFailed | Refused, now: float) -> Step:
    """A failed stage ends the session; post-actions that always run are done first where the computer is there."""
    there = isinstance(failure, StageFailed) and state.lost is None and state.reboot is None
    if state.current:
        if there:
            return current(state, state.actions[state.current], now)
        message = f"its result is not known: {failure.message}"
        return Note(ActionEnded(state.current, Outcome.FAILED, OutcomeReason.IN_DOUBT, message))
    left = sorted((one for one in state.actions.values() if one.ended is None), key=lambda one: one.plan.always)
    if left and left[0].plan.always and there and window(state, now) is None:
        return next_action(state, left, now)
    if left:
        return Note(ActionEnded(left[0].plan.id, Outcome.SKIPPED, OutcomeReason.STOPPED, failure.message))
    if state.reboot_failure:
        return _finish(state)
    what = failure.kind if isinstance(failure, Refused) else failure.stage.value
    status = Status.FAILED if state.stop is None else Status.CANCELLED
    return Finish(status, f"{what}: {failure.message}")


def _finish(state: State) -> Finish:
    ended = [one.ended for one in state.actions.values() if one.ended is not None]
    text = outcomes.sentence_of(ended, len(state.actions) - len(ended))
    if state.plan is None:
        text = "facts collected" if Stage.INVENTORY in state.done else "connected"
    if state.unknown:
        text += f"; not found out: {'; '.join(state.unknown[:3])}"
    if state.reboot_failure:
        return Finish(Status.FAILED, f"{state.reboot_failure}; {text}")
    if state.stop is not None:
        return Finish(Status.CANCELLED, f"{state.stop.message}; {text}")
    if (state.owed or state.spec.options.reboot is Reboot.FORCE) and Stage.EXECUTE in state.spec.stages:
        hours = no_free_time(state)
        text += f"; not rebooted: {hours}" if hours else ""
    missing = state.verified.not_converged if state.verified is not None else ()
    if missing:
        text += f"; not converged: {'; '.join(missing[:3])}"
    if state.plan is None and state.unknown:  # finding out was its work
        return Finish(Status.PARTIALLY_PASSED, text)
    return Finish(outcomes.status_of(ended, not_converged=bool(missing)), text)
