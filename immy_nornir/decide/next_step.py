"""What a session does next: `next_step(state, now) -> Do | Wait | Note | Finish`; pure.

The session's loop performs what is said here and writes the entries that come of it; nothing else decides. The
order of the cases is the order of the rules: contact, stages, the reboot under way, the action under way, the next
action, post-actions, the reboot at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.decide import outcomes, windows
from immy_nornir.decide.names import job_id
from immy_nornir.decide.state import ActionState, State
from immy_nornir.decide.work import steps_of
from immy_nornir.errors import ImmyError
from immy_nornir.model.items import DEFAULT_EXIT_CODES, ExitMeaning, RebootNeed
from immy_nornir.model.playbooks import ActionType, Offline, OnFailure, Reboot, Stage
from immy_nornir.model.record import (
    ActionEnded,
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

SELF_REBOOT_PATIENCE_SECONDS = 10 * 60
"""How long an installer that said it reboots (1641) is given before the session asks for the reboot itself."""


def next_step(state: State, now: float) -> Step:
    """The one next step of a session; total: every state has one."""
    if state.finished is not None:
        return Finish(state.finished.status, state.finished.message)
    if state.failure is not None:
        return _after_failure(state, now)
    if state.reboot is not None:
        return _reboot_under_way(state, now)
    if state.stop is not None and state.plan is None:
        return _finish(state)
    if not state.connected and _needs_contact(state, now):
        return _contact(state, now)
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


def _needs_contact(state: State, now: float) -> bool:
    """Whether the next thing needs the computer: a session that waits for its window or a retry is left alone."""
    if Stage.PLAN not in state.done or Stage.EXECUTE not in state.spec.stages:
        return not _all_done(state)
    step = _execute(state, now)
    return step is None or isinstance(step, Perform)


def _all_done(state: State) -> bool:
    return all(stage in state.done for stage in state.spec.stages if stage is not Stage.REPORT)


# --- contact --------------------------------------------------------------------------------------------------


def _contact(state: State, now: float) -> Step:
    lost = state.lost
    if lost is None:
        return Perform(Do.CONNECT)
    began = Stage.CONNECT in state.done
    apply_later = state.spec.options.offline is Offline.APPLY_ON_CONNECT
    if not began and lost.kind != "dropped" and not apply_later:
        status = Status.MISSED if lost.kind in ("unreachable", "timeout") else Status.FAILED
        return Finish(status, f"{lost.kind}: {lost.message}")
    patience = LOST_PATIENCE_SECONDS if began else 120.0
    if now - state.lost_at >= patience and not apply_later:
        what = f" while {state.current} was under way; its result is not known" if state.current else ""
        return Finish(Status.FAILED, f"lost contact{what}: {lost.message}")
    if began and state.stumbles >= (3 if lost.kind == "garbled" else 8) and lost.kind not in ("unreachable", "timeout"):
        return Finish(Status.FAILED, f"{lost.kind} {state.stumbles} times while {lost.doing}: {lost.message}")
    pause = min(2.0 * 2 ** min(state.losses - 1, 6), 300.0)
    until = state.checked_at + pause
    if now < until:
        return Wait(WaitKind.CONNECTIVITY, until, f"the computer to answer again: {lost.message}")
    return Perform(Do.CONNECT)


# --- execution ------------------------------------------------------------------------------------------------


def _execute(state: State, now: float) -> Step | None:
    """The next step of execution, or None when it is over."""
    if state.current:
        return _current(state, state.actions[state.current], now)
    todo = [one for one in state.actions.values() if one.ended is None and not one.plan.always]
    last = [one for one in state.actions.values() if one.ended is None and one.plan.always]
    wants_force = state.spec.options.reboot is Reboot.FORCE and not state.stop
    if todo or last or (wants_force and not state.reboots):
        waiting = _window(state, now)
        if waiting is not None:
            return waiting
    halted = _halted(state)
    if halted is not None and todo:
        outcome, reason, message = halted
        return Note(ActionEnded(todo[0].plan.id, outcome, reason, message))
    if todo:
        if _phase_zero(state):
            return _reboot(state, now, f"pending before execution: {', '.join(state.pending)}")
        return _next_action(state, todo, now)
    if last:
        return _next_action(state, last, now)
    return _reboot_at_end(state, now)


def _window(state: State, now: float) -> Wait | None:
    spec = state.spec
    if spec.options.window == "now":
        return None
    start = now if spec.options.window == "after_hours" else spec.created_at
    try:
        hours = windows.parse_business_hours(spec.business_hours) if spec.business_hours is not None else None
        opens = windows.opens_at(spec.options.window, hours, spec.time_zone, start)
    except ImmyError:
        return Wait(WaitKind.WINDOW, now + 86400.0, f"window {spec.options.window}, which cannot be worked out")
    return Wait(WaitKind.WINDOW, opens, f"window {spec.options.window}") if now < opens else None


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
    wanted = state.spec.options.reboot in (Reboot.AUTOMATIC, Reboot.FORCE)
    untouched = not state.acted and state.reboots == 0
    return wanted and untouched and bool(_counting(state)) and not _capped(state)


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
        if hindrance or (one.plan.reboot is RebootNeed.BEFORE and state.phase == 0):
            why = hindrance or f"{one.plan.id} requires a reboot before it"
            needs_reboot = needs_reboot or (one, why)
            continue
        if one.retry_at is not None and now < one.retry_at:
            retries.append(one.retry_at)
            continue
        return _start(state, one)
    if needs_reboot is not None:
        one, why = needs_reboot
        if state.spec.options.reboot is Reboot.SKIP:
            return Note(
                ActionEnded(
                    one.plan.id, Outcome.SKIPPED, OutcomeReason.REBOOTS_SKIPPED, f"{why}, and the option reboot is skip"
                )
            )
        if _capped(state):
            message = f"{why}, and this session has rebooted {state.reboots} times already"
            return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, OutcomeReason.REBOOT_FAILED, message))
        return _reboot(state, now, why)
    if retries:
        return Wait(WaitKind.RETRY, min(retries), "another installation on the computer to end")
    stuck = candidates[0].plan.id
    return Note(ActionEnded(stuck, Outcome.SKIPPED, OutcomeReason.DEPENDENCY, "what it depends on cannot be done"))


def _dependencies(state: State, one: ActionState) -> Note | str:
    """Empty when all are met; `wait`; why a reboot must come first; or the note that skips the action."""
    owed = ""
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
            case _ if other.reboot_due and other.ended.reboot_owed:
                owed = f"{one.plan.id} needs the reboot after {name}"
            case _:
                pass
    return owed


def _start(state: State, one: ActionState) -> Step:
    if one.plan.type is ActionType.UNDETERMINED:
        return Perform(Do.DETERMINE, one.plan.id)
    return _intend(state, one, one.attempt + 1, 0)


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
        case ExitMeaning.HARD_REBOOT if (
            state.identity is not None and not state.identity.boot.differs(one.boot) and not state.reboot_failure
        ):
            why = f"{one.plan.id} rebooted the computer (exit code {one.result.exit_code})"
            return Note(RebootIntended(state.reboots + 1, why, one.boot, by_itself=True), durable=True)
        case ExitMeaning.SUCCESS | ExitMeaning.SOFT_REBOOT | ExitMeaning.HARD_REBOOT if one.step + 1 < _step_count(
            state, one
        ):
            return _intend(state, one, one.attempt, one.step + 1)
        case _:
            return Perform(Do.VERIFY_ACTION, one.plan.id)


def meaning_of(state: State, one: ActionState) -> ExitMeaning:
    """What the last job's exit code means for its item."""
    if one.result is None or one.result.exit_code is None:
        return ExitMeaning.FAILED
    item = state.definitions.get(one.plan.definition)
    codes = DEFAULT_EXIT_CODES if item is None else item.exit_codes
    return codes.get(one.result.exit_code, ExitMeaning.FAILED)


def _step_count(state: State, one: ActionState) -> int:
    item = state.definitions.get(one.plan.definition)
    return 1 if item is None else len(steps_of(one.plan, item, state.findings.get(one.plan.id)))


# --- reboots --------------------------------------------------------------------------------------------------


def _reboot(state: State, now: float, why: str) -> Step:
    held = _business_hours(state, now)
    if held is not None:
        return held
    boot = state.identity.boot if state.identity is not None else None
    if boot is None:
        return Perform(Do.CONNECT)
    return Note(RebootIntended(state.reboots + 1, why, boot), durable=True)


def _business_hours(state: State, now: float) -> Wait | None:
    spec = state.spec
    if spec.options.reboots_in_business_hours or spec.business_hours is None:
        return None
    try:
        hours = windows.parse_business_hours(spec.business_hours)
        opens = windows.opens_at("after_hours", hours, spec.time_zone, now)
    except ImmyError:
        return None
    return Wait(WaitKind.WINDOW, opens, "the end of business hours, to reboot") if now < opens else None


def _reboot_at_end(state: State, now: float) -> Step | None:
    option = state.spec.options.reboot
    if option not in (Reboot.AUTOMATIC, Reboot.FORCE) or state.reboot_failure or state.stop is not None:
        return None
    new = [name for name in _counting(state) if name not in state.pending_after_reboot]
    if state.owed or (state.acted and new):
        if _capped(state):
            return None
        return _reboot(state, now, "what was done needs it" if state.owed else f"pending now: {', '.join(new)}")
    if option is Reboot.FORCE and (state.acted or state.reboots == 0) and not _capped(state):
        return _reboot(state, now, "the option reboot is force")
    return None


def _reboot_under_way(state: State, now: float) -> Step:
    reboot = state.reboot
    assert reboot is not None  # noqa: S101 - the caller looked
    patience = state.spec.options.reboot_timeout_minutes * 60.0
    if now - reboot.intended_at >= patience:
        minutes = state.spec.options.reboot_timeout_minutes
        return Note(RebootEnded(reboot.number, None, f"it did not come back from its reboot within {minutes} minutes"))
    impatient = reboot.by_itself and now - reboot.intended_at >= SELF_REBOOT_PATIENCE_SECONDS
    if not reboot.asked and (not reboot.by_itself or impatient):
        return Perform(Do.ASK_REBOOT)
    age = now - reboot.intended_at
    pause = 2.0 if age < 60 else 5.0 if age < 300 else 15.0
    if now < state.checked_at + pause:
        return Wait(WaitKind.REBOOT, state.checked_at + pause, f"the reboot: {reboot.why}")
    return Perform(Do.CHECK_BOOT)


# --- the end --------------------------------------------------------------------------------------------------


def _after_failure(state: State, now: float) -> Step:
    """A failed stage ends the session; post-actions that always run are done first where the computer is there."""
    failure = state.failure
    if isinstance(failure, StageFailed) and state.plan is not None and state.connected and not state.current:
        todo = next((one for one in state.actions.values() if one.ended is None and not one.plan.always), None)
        if todo is not None:
            ended = ActionEnded(todo.plan.id, Outcome.SKIPPED, OutcomeReason.STOPPED, failure.message)
            return Note(ended)
        last = [one for one in state.actions.values() if one.ended is None]
        if last:
            return _next_action(state, last, now)
    if state.current and state.connected and isinstance(failure, StageFailed):
        return _current(state, state.actions[state.current], now)
    match failure:
        case Refused(kind, message):
            return Finish(Status.FAILED, f"{kind}: {message}")
        case StageFailed(stage, message):
            return Finish(Status.FAILED, f"{stage}: {message}")
        case None:
            return _finish(state)


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
