"""The next step of execution: which action may start, what an action's job comes to, what is waited for; pure.

The order of actions is the plan's; dependencies, retries and reboots only hold back. Not here: the stages around
execution (decide.steps.next_step).
"""

from __future__ import annotations

from collections.abc import Iterator

from immy_nornir.decide.plan.job_steps import steps_of
from immy_nornir.decide.steps.job_ids import job_id
from immy_nornir.decide.steps.reboots import (
    capped,
    counting,
    may_reboot,
    no_reboot,
    reboot_at_end,
    reboot_now,
    window,
)
from immy_nornir.decide.steps.state import ActionState, State, meaning_of, rebooted_since, resting
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.model.items import ExitMeaning, RebootNeed
from immy_nornir.model.playbooks import ActionType, OnFailure, Reboot
from immy_nornir.model.record.entries import ActionEnded, JobIntended, RebootIntended, RetryLater
from immy_nornir.model.record.session import Outcome, OutcomeReason, WaitKind

OVERDUE_SECONDS = 600.0
"""How long after its own time-out a job may still be asked for: the computer ends it at the time-out, if it can."""


FORGOTTEN_SECONDS = 24 * 3600
"""From this age of an intent on, a computer that does not know its job may have done and forgotten it."""


def did_anything(state: State) -> bool:
    """Whether a job of any action was intended."""
    return any(one.attempt for one in state.actions.values())


def execute(state: State, now: float) -> Step | None:
    """The next step of execution, or None when it is over."""
    if state.current:
        return current(state, state.actions[state.current], now)
    for one in state.actions.values():
        if one.postponed and rebooted_since(state, one) and state.stop is None:
            return Perform(Do.VERIFY_ACTION, one.plan.id)  # before what builds on it may begin
    todo = [one for one in state.actions.values() if one.ended is None and not one.plan.always]
    last = [one for one in state.actions.values() if one.ended is None and one.plan.always]
    halted = _halted(state)
    if halted is not None and todo:
        return Note(ActionEnded(todo[0].plan.id, *halted))
    wants_force = state.spec.options.reboot is Reboot.FORCE and state.stop is None and not state.reboots
    if todo or last or wants_force:
        waiting = window(state, now)
        if waiting is not None and halted is not None and last:
            # Nothing began that they would have to follow.
            return Note(ActionEnded(last[0].plan.id, *halted)) if not did_anything(state) else waiting
        if waiting is not None:
            return waiting
    if todo:
        if _phase_zero(state):
            return reboot_now(state, now, f"pending before execution: {', '.join(counting(state))}")
        return next_action(state, todo, now)
    if last:
        return next_action(state, last, now)
    return reboot_at_end(state, now)


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
    untouched = not did_anything(state) and state.phase == 0
    return may_reboot(state) and untouched and bool(counting(state)) and not capped(state)


def next_action(state: State, candidates: list[ActionState], now: float) -> Step:
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
        hindered = no_reboot(state)
        if hindered is not None:
            reason, because = hindered
            return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, reason, f"{why}, and {because}"))
        return reboot_now(state, now, why)
    if retries:
        return Wait(WaitKind.RETRY, min(retries), "another installation on the computer to end")
    stuck = candidates[0].plan.id
    return Note(ActionEnded(stuck, Outcome.SKIPPED, OutcomeReason.DEPENDENCY, "what it depends on cannot be done"))


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
    if one.plan.always and not may_reboot(state):
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


def current(state: State, one: ActionState, now: float) -> Step:
    """The action whose job may be on the computer."""
    if not one.over:
        if not one.seen:
            return Perform(Do.START_JOB if _may_start(state, one, now) else Do.POLL_JOB, one.plan.id)
        told = state.checked_at - one.seen_at  # not `now`: nobody may have asked for a night
        if told > one.plan.timeout_seconds + OVERDUE_SECONDS:
            message = f"its job was still running {told / 60:.0f} minutes after it began; it was left on the computer"
            return Note(ActionEnded(one.plan.id, Outcome.FAILED, OutcomeReason.DEADLINE, message))
        age = now - one.began_at
        pause = 1.0 if age < 10 else 3.0 if age < 60 else 5.0 if age < 600 else 20.0
        if resting(state, now, pause):
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
        case ExitMeaning.HARD_REBOOT if not rebooted_since(state, one) and not state.reboot_failure:
            why = f"{one.plan.id} rebooted the computer (exit code {one.result.exit_code})"
            return Note(RebootIntended(state.reboots + 1, why, one.boot, by_itself=True), durable=True)
        case ExitMeaning.SUCCESS | ExitMeaning.SOFT_REBOOT | ExitMeaning.HARD_REBOOT if one.step + 1 < _step_count(
            state, one
        ):
            return _intend(state, one, one.attempt, one.step + 1)
        case _:
            return Perform(Do.VERIFY_ACTION, one.plan.id)


def _may_start(state: State, one: ActionState, now: float) -> bool:
    """Whether a job that was intended may still be created: its session may have been away since.

    A later step of what is begun always may. Otherwise its computer is only asked for it, and one that does not know it
    is looked at again in its time.
    """
    if one.step:
        return True
    fresh = now - one.intended_at < FORGOTTEN_SECONDS
    return fresh and (state.stop is None or one.plan.always) and window(state, now) is None


def _step_count(state: State, one: ActionState) -> int:
    item = state.definitions.get(one.plan.definition)
    return 1 if item is None else len(steps_of(one.plan, item, state.findings.get(one.plan.id)))
