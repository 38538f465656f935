"""What a session does next: `next_step(state, now) -> Do | Wait | Note | Finish`; pure.

The session's loop performs what is said here and writes the entries that come of it; nothing else decides. The
order of the cases is the order of the rules: contact, stages, the reboot under way, the action under way, the next
action, post-actions, the reboot at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.decide import outcomes, windows
from immy_nornir.decide.names import job_id
from immy_nornir.decide.state import ActionState, RebootState, State, meaning_of
from immy_nornir.decide.work import steps_of
from immy_nornir.errors import ImmyError
from immy_nornir.model.items import ExitMeaning, RebootNeed
from immy_nornir.model.playbooks import ActionType, Offline, OnFailure, Reboot, Stage
from immy_nornir.model.record import (
    ActionEnded,
    ContactLost,
    Entry,
    JobIntended,
    Outcome,
    OutcomeReason,
    RebootEnded,
    RebootIntended,
    Refused,
    RetryLater,
    StageFailed,
    Status,
    WaitKind,
)

__all__ = ["Do", "Finish", "Note", "Perform", "Step", "Wait", "meaning_of", "next_step"]


class Do(StrEnum):
    """Operations of a session; `session/operations.py` performs them."""

    CONNECT = "connect"
    RESOLVE = "resolve"
    COLLECT_FACTS = "collect_facts"
    DETECT = "detect"
    MAKE_PLAN = "make_plan"
    DETERMINE = "determine"
    START_JOB = "start_job"
    POLL_JOB = "poll_job"
    VERIFY_ACTION = "verify_action"
    ASK_REBOOT = "ask_reboot"
    CHECK_BOOT = "check_boot"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Perform:
    """Do something with the computer; `action_id` where it is about one action."""

    do: Do
    action_id: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Park until a time (seconds since 1970) or until the runner sees that it is worth looking."""

    kind: WaitKind
    until: float
    about: str
    deferred: bool = False
    """The run need not stay for it."""


@dataclass(frozen=True, slots=True)
class Note:
    """A decision that only has to be written down; `durable` when an effect follows from it."""

    entry: Entry
    durable: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """The session's end."""

    status: Status
    message: str


Step = Perform | Wait | Note | Finish

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

_STUMBLES = {"garbled": 3}
"""How often contact may be lost in a row without anything achieved, by kind."""

SELF_REBOOT_PATIENCE_SECONDS = 10 * 60
"""How long an installer that said it reboots (1641) is given before the session asks for the reboot itself."""


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
        return _reboot_under_way(state, state.reboot, now)
    if state.stop is not None and state.plan is None:
        return _finish(state)
    for stage in state.spec.stages:
        if stage in state.done or stage is Stage.REPORT or (stage is Stage.VERIFY and state.stop is not None):
            continue
        if stage is Stage.EXECUTE:
            step = _execute(state, now)
            if step is not None:
                return step
            if not state.acted and not state.reboots and not _did_anything(state):
                return _finish(state)
            continue
        return Perform(_STAGE_WORK[stage])
    return _finish(state)


def _did_anything(state: State) -> bool:
    return any(one.attempt for one in state.actions.values())


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
    if state.stumbles >= _STUMBLES.get(lost.kind, 8):
        return _give_up(state, f"{lost.kind} {state.stumbles} times while {lost.doing}: {lost.message}")
    stopped = state.stop is not None and not state.current
    impatient = stopped or now - state.lost_at >= LOST_PATIENCE_SECONDS
    if impatient and not apply_later:
        what = f" while {state.current} was under way; its result is not known" if state.current else ""
        return _give_up(state, f"lost contact{what}: {lost.message}")
    until = state.checked_at + min(2.0 * 2 ** min(max(state.losses, state.stumbles) - 1, 8), 300.0)
    if now < until:
        deferred = apply_later and (impatient or not began)
        return Wait(WaitKind.CONNECTIVITY, until, f"the computer to answer again: {lost.message}", deferred)
    return Perform(Do.CONNECT)


def _give_up(state: State, message: str) -> Note:
    """A session that lost its computer for good; noted, so that its actions can be ended one by one."""
    stage = next((one for one in state.spec.stages if one not in state.done), Stage.CONNECT)
    return Note(StageFailed(stage, message))


# --- execution ------------------------------------------------------------------------------------------------


def _execute(state: State, now: float) -> Step | None:
    """The next step of execution, or None when it is over."""
    if state.current:
        return _current(state, state.actions[state.current], now)
    todo = [one for one in state.actions.values() if one.ended is None and not one.plan.always]
    last = [one for one in state.actions.values() if one.ended is None and one.plan.always]
    halted = _halted(state)
    if halted is not None and todo:
        return Note(ActionEnded(todo[0].plan.id, *halted))
    wants_force = state.spec.options.reboot is Reboot.FORCE and state.stop is None and not state.reboots
    if todo or last or wants_force:
        waiting = _window(state, now)
        if waiting is not None and halted is not None and last:
            # Nothing began that they would have to follow.
            return Note(ActionEnded(last[0].plan.id, *halted)) if not _did_anything(state) else waiting
        if waiting is not None:
            return waiting
    if todo:
        if _phase_zero(state):
            return _reboot(state, now, f"pending before execution: {', '.join(_counting(state))}")
        return _next_action(state, todo, now)
    if last:
        return _next_action(state, last, now)
    return _reboot_at_end(state, now)


def _window(state: State, now: float) -> Step | None:
    """What keeps execution waiting; a window that cannot be worked out never opens, which ends the session."""
    spec = state.spec
    if spec.options.window == "now":
        return None
    start = now if spec.options.window == "after_hours" else spec.created_at
    try:
        hours = windows.parse_business_hours(spec.business_hours) if spec.business_hours is not None else None
        opens = windows.opens_at(spec.options.window, hours, spec.time_zone, start)
    except ImmyError as error:
        return Note(StageFailed(Stage.EXECUTE, f"window {spec.options.window}: {error}"))
    return Wait(WaitKind.WINDOW, opens, f"window {spec.options.window}", True) if now < opens else None


def _halted(state: State) -> tuple[Outcome, OutcomeReason, str] | None:
    """Why no further ordinary action may start."""
    if state.stop is not None:
        return Outcome.CANCELLED, OutcomeReason.CANCELLED, state.stop.message
    if state.reboot_failure:
        return Outcome.SKIPPED, OutcomeReason.REBOOT_FAILED, state.reboot_failure
    if state.spec.options.on_failure is OnFailure.STOP:
        for one in state.actions.values():
            if one.ended is not None and one.ended.outcome is Outcome.FAILED:
                return Outcome.SKIPPED, OutcomeReason.STOPPED, f"stopped after {one.plan.id} failed"
    return None


def _phase_zero(state: State) -> bool:
    untouched = not _did_anything(state) and state.phase == 0
    return _reboots(state) and untouched and bool(_counting(state)) and not _capped(state)


def _reboots(state: State) -> bool:
    """Whether this session may reboot the computer at all."""
    return state.spec.options.reboot in (Reboot.AUTOMATIC, Reboot.FORCE)


def _counting(state: State) -> tuple[str, ...]:
    ignored = state.spec.options.ignore_pending_reboots
    return tuple(name for name in state.pending if name not in ignored)


def _capped(state: State) -> bool:
    return state.reboots >= state.spec.options.max_reboots


def _next_action(state: State, candidates: list[ActionState], now: float) -> Step:
    """The first action that may start; else what is waited for: a reboot, a retry."""
    retries: list[float] = []
    needs_reboot: tuple[ActionState, str] | None = None
    for one in candidates:
        hindrance = _dependencies(state, one)
        if isinstance(hindrance, Note):
            return hindrance
        if hindrance == "wait":
            continue
        if hindrance or _wants_fresh_boot(state, one):
            why = hindrance or f"{one.plan.id} requires a reboot before it"
            needs_reboot = needs_reboot or (one, why)
            continue
        if one.retry_at is not None and now < one.retry_at:
            retries.append(one.retry_at)
            continue
        return _start(state, one)
    if needs_reboot is not None:
        one, why = needs_reboot
        hindered = _no_reboot(state)
        if hindered is not None:
            reason, because = hindered
            return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, reason, f"{why}, and {because}"))
        return _reboot(state, now, why)
    if retries:
        return Wait(WaitKind.RETRY, min(retries), "another installation on the computer to end")
    stuck = candidates[0].plan.id
    return Note(ActionEnded(stuck, Outcome.SKIPPED, OutcomeReason.DEPENDENCY, "what it depends on cannot be done"))


def _no_reboot(state: State) -> tuple[OutcomeReason, str] | None:
    """Why an action cannot have the reboot that it needs."""
    if state.reboot_failure:
        return OutcomeReason.REBOOT_FAILED, f"a reboot has failed: {state.reboot_failure}"
    if state.stop is not None:
        return OutcomeReason.CANCELLED, state.stop.message
    if not _reboots(state):
        return OutcomeReason.REBOOTS_SKIPPED, f"the option reboot is {state.spec.options.reboot}"
    if _capped(state):
        return OutcomeReason.REBOOT_FAILED, f"this session has rebooted {state.reboots} times already"
    return None


def _wants_fresh_boot(state: State, one: ActionState) -> bool:
    """Whether an action wants a reboot before it, and nothing has rebooted since what it builds on was done."""
    if one.plan.reboot is not RebootNeed.BEFORE or one.attempt:
        return False
    return state.phase == 0 or any(other.attempt and other.phase == state.phase for other in _builds_on(state, one))


def _builds_on(state: State, one: ActionState) -> Iterator[ActionState]:
    """The actions that one depends on, also through those that needed nothing done."""
    waiting, seen = list(one.plan.after), set[str]()
    while waiting:
        name = waiting.pop()
        other = state.actions.get(name)
        if other is None or name in seen:
            continue
        seen.add(name)
        yield other
        if not other.attempt:
            waiting.extend(other.plan.after)


def _dependencies(state: State, one: ActionState) -> Note | str:
    """Empty when all are met; `wait`; why a reboot must come first; or the note that skips the action."""
    for name in one.plan.after:
        other = state.actions.get(name)
        if other is None:
            continue
        if other.ended is None:
            if other.plan.always and not one.plan.always:
                continue
            return "wait"
        match other.ended.outcome:
            case Outcome.FAILED | Outcome.SKIPPED | Outcome.CANCELLED if not one.plan.always:
                message = f"{name} {other.ended.outcome}: {other.ended.message}"
                return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, OutcomeReason.DEPENDENCY, message))
            case _:
                pass
    if one.plan.always and not _reboots(state):
        return ""  # a post-action runs whatever happened
    owed = next((other.plan.id for other in _builds_on(state, one) if other.reboot_due), None)
    return f"{one.plan.id} needs the reboot after {owed}" if owed is not None else ""


def _start(state: State, one: ActionState) -> Step:
    if one.plan.type is ActionType.UNDETERMINED:
        return Perform(Do.DETERMINE, one.plan.id)
    return _intend(state, one, one.attempt + 1, one.step)


def _intend(state: State, one: ActionState, attempt: int, step: int) -> Note:
    boot = state.identity.boot if state.identity is not None else None
    name = job_id(state.spec.id, one.plan.id, attempt, step)
    intended = (
        JobIntended(one.plan.id, attempt, name, step)
        if boot is None
        else JobIntended(one.plan.id, attempt, name, step, boot)
    )
    return Note(intended, durable=True)


def _current(state: State, one: ActionState, now: float) -> Step:
    """The action whose job may be on the computer."""
    if not one.over:
        if not one.seen:
            return Perform(Do.START_JOB, one.plan.id)
        age = now - one.began_at
        pause = 1.0 if age < 10 else 3.0 if age < 60 else 5.0 if age < 600 else 20.0
        if now < state.checked_at + pause:
            return Wait(WaitKind.JOB, state.checked_at + pause, f"the job of {one.plan.id}")
        return Perform(Do.POLL_JOB, one.plan.id)
    if one.result is None:
        return Perform(Do.VERIFY_ACTION, one.plan.id)
    meaning = meaning_of(state, one)
    match meaning:
        case ExitMeaning.RETRY:
            if one.attempt < state.spec.options.retries:
                at = now + state.spec.options.retry_seconds
                return Note(RetryLater(one.plan.id, at, f"exit code {one.result.exit_code}: try again later"))
            message = f"exit code {one.result.exit_code} after {one.attempt} attempts"
            return Note(ActionEnded(one.plan.id, Outcome.FAILED, OutcomeReason.RETRIES, message))
        case ExitMeaning.HARD_REBOOT if not _is_new_boot(state, one) and not state.reboot_failure:
            why = f"{one.plan.id} rebooted the computer (exit code {one.result.exit_code})"
            return Note(RebootIntended(state.reboots + 1, why, one.boot, by_itself=True), durable=True)
        case ExitMeaning.SUCCESS | ExitMeaning.SOFT_REBOOT | ExitMeaning.HARD_REBOOT if one.step + 1 < _step_count(
            state, one
        ):
            return _intend(state, one, one.attempt, one.step + 1)
        case _:
            return Perform(Do.VERIFY_ACTION, one.plan.id)


def _is_new_boot(state: State, one: ActionState) -> bool:
    return state.identity is not None and state.identity.boot.differs(one.boot)


def _step_count(state: State, one: ActionState) -> int:
    item = state.definitions.get(one.plan.definition)
    return 1 if item is None else len(steps_of(one.plan, item, state.findings.get(one.plan.id)))


# --- reboots --------------------------------------------------------------------------------------------------


def _reboot(state: State, now: float, why: str) -> Step:
    held = _window(state, now) or _business_hours(state, now)
    if held is not None:
        return held
    if state.identity is None:
        return Perform(Do.CONNECT)
    return Note(RebootIntended(state.reboots + 1, why, state.identity.boot), durable=True)


def _business_hours(state: State, now: float) -> Wait | None:
    spec = state.spec
    if spec.options.reboots_in_business_hours or spec.business_hours is None:
        return None
    try:
        hours = windows.parse_business_hours(spec.business_hours)
        opens = windows.opens_at("after_hours", hours, spec.time_zone, now)
    except ImmyError:
        return None
    return Wait(WaitKind.WINDOW, opens, "the end of business hours, to reboot", True) if now < opens else None


def _reboot_at_end(state: State, now: float) -> Step | None:
    if _no_reboot(state) is not None:
        return None
    new = [name for name in _counting(state) if name not in state.pending_after_reboot]
    if state.owed or (state.acted and new):
        return _reboot(state, now, "what was done needs it" if state.owed else f"pending now: {', '.join(new)}")
    if state.spec.options.reboot is Reboot.FORCE and (state.acted or state.reboots == 0):
        return _reboot(state, now, "the option reboot is force")
    return None


def _reboot_under_way(state: State, reboot: RebootState, now: float) -> Step:
    since = now - reboot.asked_at
    pause = 2.0 if since < 60 else 5.0 if since < 300 else 15.0
    minutes = state.spec.options.reboot_timeout_minutes
    # Counted at the last look, not now: a session that was away itself looks once more.
    if state.checked_at - reboot.asked_at >= minutes * 60.0:
        return Note(RebootEnded(reboot.number, None, f"it did not come back from its reboot within {minutes} minutes"))
    if not reboot.asked and not reboot.by_itself:
        if state.stop is not None and state.identity is not None:
            return Note(RebootEnded(reboot.number, state.identity, "stopped before it was asked for"))
        if state.lost is not None and now < state.checked_at + pause:
            return Wait(
                WaitKind.REBOOT, state.checked_at + pause, f"the computer to answer, to reboot it: {reboot.why}"
            )
        return Perform(Do.ASK_REBOOT)
    if reboot.by_itself and not reboot.asked and since >= SELF_REBOOT_PATIENCE_SECONDS and state.identity is not None:
        if _no_reboot(state) is None and _business_hours(state, now) is None:
            if state.lost is None or now >= state.checked_at + pause:
                return Perform(Do.ASK_REBOOT)
        elif state.checked_at - reboot.asked_at >= SELF_REBOOT_PATIENCE_SECONDS:
            return Note(RebootEnded(reboot.number, state.identity, "it did not reboot by itself"))
    if now < state.checked_at + pause:
        return Wait(WaitKind.REBOOT, state.checked_at + pause, f"the reboot: {reboot.why}")
    return Perform(Do.CHECK_BOOT)


# --- the end --------------------------------------------------------------------------------------------------


def _after_failure(state: State, failure: StageFailed | Refused, now: float) -> Step:
    """A failed stage ends the session; post-actions that always run are done first where the computer is there."""
    there = isinstance(failure, StageFailed) and state.connected and state.reboot is None
    if state.current:
        if there:
            return _current(state, state.actions[state.current], now)
        message = f"its result is not known: {failure.message}"
        return Note(ActionEnded(state.current, Outcome.FAILED, OutcomeReason.IN_DOUBT, message))
    left = sorted((one for one in state.actions.values() if one.ended is None), key=lambda one: one.plan.always)
    if left and left[0].plan.always and there and _window(state, now) is None:
        return _next_action(state, left, now)
    if left:
        return Note(ActionEnded(left[0].plan.id, Outcome.SKIPPED, OutcomeReason.STOPPED, failure.message))
    if state.reboot_failure:
        return _finish(state)
    what = failure.kind if isinstance(failure, Refused) else failure.stage.value
    status = Status.FAILED if state.stop is None else Status.CANCELLED
    return Finish(status, f"{what}: {failure.message}")


def _finish(state: State) -> Finish:
    ended = [one.ended for one in state.actions.values() if one.ended is not None]
    text = outcomes.sentence_of(ended)
    if state.plan is None:
        text = "facts collected" if Stage.INVENTORY in state.done else "connected"
    if state.reboot_failure:
        return Finish(Status.FAILED, f"{state.reboot_failure}; {text}")
    if state.stop is not None:
        return Finish(Status.CANCELLED, f"{state.stop.message}; {text}")
    missing = state.verified.not_converged if state.verified is not None else ()
    if missing:
        text += f"; not converged: {'; '.join(missing[:3])}"
    return Finish(outcomes.status_of(ended, not_converged=bool(missing)), text)
