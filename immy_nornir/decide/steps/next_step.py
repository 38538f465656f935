"""What a session does next: `next_step(state, moment) -> Perform | Wait | Note | Finish`; pure.

The session's loop performs what is said here and writes the entries that come of it; nothing else decides. The
order of the cases is the order of the rules: contact, stages, the reboot under way, the job under way, the next
action, post-actions, the reboot at the end. Whatever would act on the computer passes the gate (decide.steps.gate).
"""

from __future__ import annotations

import hashlib

from immy_nornir.decide.steps.ends import outcomes
from immy_nornir.decide.steps.execution import current, execute, next_action
from immy_nornir.decide.steps.gate import effect_of, left_open, may_begin, withdrawal
from immy_nornir.decide.steps.holding import asking, deadlines, logons
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.reboots import denied, owes, reboot_under_way
from immy_nornir.decide.steps.room import for_contact, on_its_way
from immy_nornir.decide.steps.state import State, did_anything
from immy_nornir.decide.steps.step import Do, Finish, Note, Perform, Step, Wait
from immy_nornir.decide.steps.times import no_free_time, past
from immy_nornir.errors import NoRoomError
from immy_nornir.model.playbooks import Offline, Preflight, Reboot, Stage
from immy_nornir.model.record.entries import (
    SUPERSEDE,
    ActionEnded,
    ContactLost,
    Interrupted,
    RebootIntended,
    Refused,
    StageFailed,
    StopAsked,
)
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason, Status, WaitKind

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

CONNECT_TRIES = 4
"""How often a computer is asked in all at a first contact that fails in a way that is of a moment: about 8 seconds.

A bastion takes few at a time (MaxStartups of sshd: 10), a service restarts, all shells of a user are taken.
"""

TYPED_TRIES = 2
"""The same where somebody typed a command and waits for its answer, and the port is closed: about 3 seconds."""

REFUSAL_TRIES = 6
"""How often a computer that let the session in before, and refuses it now, is asked in all: about a minute.

More would lock the account where its password was changed in the middle.
"""

_DONE = (Outcome.SUCCESS, Outcome.FAILED)
_STUMBLES = {"garbled": 3}
"""How often contact may be lost in a row without anything achieved, by kind."""


def next_step(state: State, moment: Moment) -> Step:
    """The one next step of a session; total: every state has one."""
    if state.finished is not None:
        return Finish(state.finished.status, state.finished.message, state.finished.reason)
    step = on_its_way(state, moment.room) or _possible(state, moment)
    if moment.stop and not isinstance(step, Finish):
        if (back := withdrawal(state, "the operator stops")) is not None:
            return back
        return Note(Interrupted(f"stopped by the operator{left_open(state, step)}"))
    return step


def _possible(state: State, moment: Moment) -> Step:
    """What is wanted, unless the gate is closed for it or the computer has to be reached first."""
    step = deadlines.end(state, moment) or _wanted(state, moment)
    effect = effect_of(state, step)
    if effect is not None:
        step = may_begin(state, effect, moment, _why(step)) or step
    step = asking.instead(state, step, moment) or step
    if not moment.contact.connected and _needs_computer(step):
        step = _gone(state) if state.reboot_failure and state.lost is not None else _contact(state, moment)
    return for_contact(moment.room, step, connected=moment.contact.connected) or step


def _why(step: Step) -> str:
    """What a reboot is for, where the step intends one."""
    match step:
        case Note(RebootIntended(why=why)):
            return why
        case _:
            return ""


def _gone(state: State) -> Step:
    """The end of a session whose computer did not come back from its reboot: it has been waited for long enough."""
    left = next((one for one in state.actions.values() if one.ended is None), None)
    if left is None:
        return _finish(state)
    outcome = Outcome.FAILED if state.serves(left.plan.id) else Outcome.SKIPPED
    return Note(ActionEnded(left.plan.id, outcome, OutcomeReason.REBOOT_FAILED, state.reboot_failure))


def _wanted(state: State, moment: Moment) -> Step:
    """The next step of a session whose computer answers."""
    if state.failure is not None:
        return _after_failure(state, state.failure, moment)
    if state.reboot is not None:
        return reboot_under_way(state, state.reboot, moment)
    if state.stop is not None and state.plan is None:
        return _finish(state)
    for stage in state.spec.stages:
        if stage in state.done or stage is Stage.REPORT or (stage is Stage.VERIFY and _stopped_early(state)):
            continue
        if stage is Stage.EXECUTE:
            step = execute(state, moment)
            if step is not None:
                return step
            if not state.acted and not state.reboots and not did_anything(state):
                return _finish(state)
            continue
        return Perform(_STAGE_WORK[stage])
    return _finish(state)


def _stopped_early(state: State) -> bool:
    """Whether nothing is looked at again before the end."""
    return state.stop is not None or bool(state.over)


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


def _contact(state: State, moment: Moment) -> Step:
    lost = state.lost
    if lost is None:
        return Perform(Do.CONNECT)
    if lost.kind == NoRoomError.kind:
        return _make_room(state, lost, moment)
    began = Stage.CONNECT in state.done
    away = lost.kind in ("unreachable", "timeout", "dropped")
    absent = away and logons.awaiting(state, moment.now)
    apply_later = away and (absent or state.spec.options.offline is Offline.APPLY_ON_CONNECT)
    apply_later = apply_later and not _stopped_early(state)
    if not began and apply_later and (over := past(state, moment.now)):  # what it would wait for does not come
        return Finish(Status.MISSED, f"{over}; {lost.kind}: {lost.message}", EndReason.AWAY)
    passing = lost.passing or lost.kind == "dropped"  # records of old do not say it
    if not began and not apply_later and (not passing or state.losses >= _tries(state, lost)):
        reason = EndReason.AWAY if away else EndReason.REFUSED
        return Finish(Status.MISSED if away else Status.FAILED, f"{lost.kind}: {lost.message}", reason)
    # Looking at a quiet job leaves no entry: only many losses in a row mean that nothing is achieved any more.
    if not absent and moment.contact.stumbles >= _STUMBLES.get(lost.kind, 40 if state.current else 8):
        return _give_up(state, f"{lost.kind} {moment.contact.stumbles} times while {lost.doing}: {lost.message}")
    if lost.kind in ("authentication", "certificate") and state.losses >= REFUSAL_TRIES:
        return _give_up(state, f"{lost.kind} {state.losses} times while {lost.doing}: {lost.message}")
    stopped = _stopped_early(state) and not state.current
    to_settle = away and state.cancel is not None and bool(state.current)
    # Counted at the last look, not now: meanwhile it may have waited for something else.
    impatient = stopped or moment.contact.checked_at - state.lost_at >= LOST_PATIENCE_SECONDS
    if impatient and not apply_later and not to_settle:
        under_way = state.job is not None and not state.job.unsent
        what = f" while {state.current} was under way; its result is not known" if under_way else ""
        return _give_up(state, f"lost contact{what}: {lost.message}")
    pause = _pause(state, max(state.losses, moment.contact.stumbles), first=not began and not apply_later)
    if moment.resting(pause):
        deferred = (apply_later and (impatient or not began or absent)) or (to_settle and impatient)
        about = f"the computer to answer again: {lost.message}"
        if not began and not apply_later:  # for a moment: nobody has to see it answer before it is asked again
            return Wait(WaitKind.RETRY, moment.contact.checked_at + pause, about)
        until = moment.contact.checked_at + pause
        until = min(until, state.questions.awaited_until) if absent else until
        return Wait(WaitKind.CONNECTIVITY, until, about, deferred)
    return Perform(Do.CONNECT)


def _tries(state: State, lost: ContactLost) -> int:
    """How often a computer is asked in all; one that turns us away for others' sake is worth its time to everybody."""
    typed = state.spec.by_hand is not None or state.spec.trial is not None
    return TYPED_TRIES if typed and lost.kind == "unreachable" else CONNECT_TRIES


def _make_room(state: State, lost: ContactLost, moment: Moment) -> Step:
    """What this machine lacks is waited for, and says nothing of the computer."""
    if moment.now - state.lost_at >= LOST_PATIENCE_SECONDS:
        return Note(Interrupted(f"{lost.message}{left_open(state)}"))
    pause = _pause(state, state.losses, first=False)
    if moment.resting(pause):
        return Wait(WaitKind.SLOT, moment.contact.checked_at + pause, lost.message)
    return Perform(Do.CONNECT)


def _pause(state: State, tries: int, *, first: bool) -> float:
    """Before the next try, longer each time and other for each session: who failed together does not come together.

    Not by chance, so that the same record and moment have the same next step.
    """
    digest = hashlib.blake2b(f"{state.spec.id}/{tries}".encode(), digest_size=4).digest()
    spread, longer = int.from_bytes(digest) / 2**32, 2.0 ** min(tries - 1, 8)
    return 0.75 * longer * (1 + spread) if first else min(2.0 * longer, 300.0) * (1 + spread / 4)


def _give_up(state: State, message: str) -> Note:
    """A session that lost its computer for good; noted, so that its actions can be ended one by one."""
    stage = next((one for one in state.spec.stages if one not in state.done), Stage.CONNECT)
    return Note(StageFailed(stage, message, EndReason.LOST))


# --- the end --------------------------------------------------------------------------------------------------


def _after_failure(state: State, failure: StageFailed | Refused, moment: Moment) -> Step:
    """A failed stage ends the session; post-actions that always run are done first where the computer is there."""
    there = isinstance(failure, StageFailed) and state.lost is None and state.reboot is None
    if state.job is not None:
        if not state.actions[state.current].plan.always and (back := withdrawal(state, failure.message)) is not None:
            return back
        if there:
            return current(state, state.job, moment)
        message = f"its result is not known: {failure.message}"
        return Note(ActionEnded(state.current, Outcome.FAILED, OutcomeReason.IN_DOUBT, message))
    left = sorted((one for one in state.actions.values() if one.ended is None), key=lambda one: one.plan.always)
    if left and left[0].plan.always and there:
        return next_action(state, left, moment)
    if left:
        return Note(ActionEnded(left[0].plan.id, Outcome.SKIPPED, OutcomeReason.STOPPED, failure.message))
    if state.reboot_failure:
        return _finish(state)
    if state.stop is not None:
        return Finish(*_stopped(state.stop, _said(failure)))
    reason = EndReason.REFUSED if isinstance(failure, Refused) else failure.reason
    done = any(one.ended is not None and one.ended.outcome in _DONE for one in state.actions.values())
    # Nothing was done to a computer that another session has.
    return Finish(Status.MISSED if reason is EndReason.BUSY and not done else Status.FAILED, _said(failure), reason)


def _said(failure: StageFailed | Refused) -> str:
    return f"{failure.kind if isinstance(failure, Refused) else failure.stage}: {failure.message}"


def _stopped(stop: StopAsked, text: str) -> tuple[Status, str, EndReason]:
    if stop.kind == SUPERSEDE:
        return Status.SUPERSEDED, text, EndReason.SUPERSEDED
    return Status.CANCELLED, text, EndReason.CANCELLED


def _closed(state: State) -> str:
    return "its computer is held" if state.closed_by is OutcomeReason.HELD else "its window closed"


def _finish(state: State) -> Finish:
    ended = [one.ended for one in state.actions.values() if one.ended is not None]
    text = outcomes.sentence_of(ended, len(state.actions) - len(ended))
    if state.plan is None:
        text = "facts collected" if Stage.INVENTORY in state.done else "connected"
    if state.unknown:
        text += f"; not found out: {'; '.join(state.unknown[:3])}"
    if state.reboot_failure:
        return Finish(Status.FAILED, f"{state.reboot_failure}; {text}", EndReason.REBOOT)
    if state.stop is not None:
        return Finish(*_stopped(state.stop, f"{state.stop.message}; {text}"))
    forced = state.spec.options.reboot is Reboot.FORCE and not state.reboots
    if (owes(state) or forced) and Stage.EXECUTE in state.spec.stages:
        why = _closed(state) if state.closed else denied(state) or state.over or no_free_time(state)
        why = why or state.questions.refused
        text += f"; not rebooted: {why}" if why else ""
    if state.reboot_order is not None:
        text += f"; the reboot that was ordered by {state.reboot_order.ordered.by} was not done"
    missing = state.verified.not_converged if state.verified is not None else ()
    if missing:
        text += f"; not converged: {'; '.join(missing[:3])}"
    if state.plan is None and state.unknown:  # finding out was its work
        return Finish(Status.PARTIALLY_PASSED, text, EndReason.ACTIONS)
    status = outcomes.status_of(ended, not_converged=bool(missing))
    return _ended_by(state, status, text) or Finish(status, text, EndReason.ACTIONS)


def _ended_by(state: State, status: Status, text: str) -> Finish | None:
    """How a session ends that something kept from going on; None where nothing did.

    Of several the first tells, for it did it: what came later found nothing to hold back any more.
    """
    none = not did_anything(state) and not state.reboots
    for why in state.ends:
        match why:
            case EndReason.PREFLIGHT:
                failed = state.spec.options.preflight is Preflight.FAILED
                return Finish(Status.FAILED if failed else Status.MISSED, state.unready, why)
            case EndReason.NOT_APPROVED if none:
                return Finish(Status.CANCELLED, state.denied, why)
            case EndReason.TIME_OVER:
                some = status is not Status.FAILED and did_anything(state)
                return Finish(Status.PARTIALLY_PASSED if some else Status.FAILED, f"{state.over}; {text}", why)
            case EndReason.HELD | EndReason.WINDOW:
                if none:
                    return Finish(Status.MISSED, f"{state.closed}; {text}", why)
                status = Status.PARTIALLY_PASSED if status is Status.PASSED else status
                return Finish(status, f"{state.closed}; {text}", EndReason.ACTIONS)
    return None
