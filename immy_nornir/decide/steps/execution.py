"""The next step of execution: which action may start, what an action's job comes to, what is waited for; pure.

The order of actions is the plan's; dependencies, retries and reboots only hold back. Not here: the stages around
execution (decide.steps.next_step); whether this is the time for it (decide.steps.gate).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from immy_nornir.decide.plan.job_steps import steps_of
from immy_nornir.decide.steps import by_hand
from immy_nornir.decide.steps.gate import halted
from immy_nornir.decide.steps.holding import logons
from immy_nornir.decide.steps.holding.approval import may_do
from immy_nornir.decide.steps.job_ids import job_id
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.orders import ordered_reboot, to_stop
from immy_nornir.decide.steps.reboots import capped, counting, may_reboot, no_reboot, reboot_at_end, reboot_now
from immy_nornir.decide.steps.state import State, did_anything, looked_at, meaning_of, rebooted_since
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.decide.steps.under_way import OVERDUE_SECONDS, ActionState, Job
from immy_nornir.model.facts import Boot
from immy_nornir.model.items import ExitMeaning, RebootNeed
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.entries import ActionEnded, JobIntended, RebootIntended, RetryLater
from immy_nornir.model.record.session import Outcome, OutcomeReason, Purpose, WaitKind
from immy_nornir.model.record.words import word

FRESH_SECONDS = 120.0
"""An action whose item was detected longer ago is detected again before it begins: others may have been at it."""


def execute(state: State, moment: Moment) -> Step | None:
    """The next step of execution, or None when it is over."""
    if state.job is not None:
        return current(state, state.job, moment)
    for one in state.actions.values():
        if one.postponed and rebooted_since(state, one) and state.stop is None:
            return Perform(Do.VERIFY_ACTION, one.plan.id)  # before what builds on it may begin
    if (reboot := ordered_reboot(state)) is not None:
        return reboot
    todo = [one for one in state.actions.values() if one.ended is None and not one.plan.always]
    last = [one for one in state.actions.values() if one.ended is None and one.plan.always]
    end = halted(state)
    if end is not None and todo:
        return Note(ActionEnded(todo[0].plan.id, *end))
    if todo:
        if _phase_zero(state):
            return reboot_now(state, f"pending before execution: {', '.join(counting(state))}")
        return next_action(state, todo, moment)
    if last:
        return next_action(state, last, moment)
    return reboot_at_end(state)


def _phase_zero(state: State) -> bool:
    untouched = not did_anything(state) and state.phase == 0
    return may_reboot(state) and untouched and bool(counting(state)) and not capped(state)


def next_action(state: State, candidates: list[ActionState], moment: Moment) -> Step:
    """The first action that may start; else what is waited for: a reboot, a retry, an approval, a logon."""
    now = moment.now
    waits: list[Wait] = []
    unapproved: ActionState | None = None
    needs_reboot: tuple[ActionState, str] | None = None
    for one in candidates:
        hindrance = _hindrance(state, one)
        if isinstance(hindrance, Note):
            return hindrance
        if isinstance(hindrance, _Unfinished):
            continue
        if not may_do(state, one, moment):
            if state.denied:
                return _start(state, one, now)  # which the gate ends
            unapproved = unapproved or one
            continue
        match hindrance:
            case _NeedsReboot(why):
                needs_reboot = needs_reboot or (one, why)
                continue
            case None:
                pass
        step = _not_yet(state, one, moment) or _start(state, one, now)
        if not isinstance(step, Wait):
            return step
        waits.append(step)
    if needs_reboot is not None:
        one, why = needs_reboot
        hindered = no_reboot(state)
        if hindered is not None:
            reason, because = hindered
            return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, reason, f"{why}, and {because}"))
        return reboot_now(state, why)
    if not all(wait.deferred for wait in waits):
        return min((wait for wait in waits if not wait.deferred), key=lambda wait: wait.until)
    if unapproved is not None:
        return _start(state, unapproved, now)  # which the gate holds: what was approved comes before it
    if waits:
        return min(waits, key=lambda wait: wait.until)
    stuck = candidates[0].plan.id
    return Note(ActionEnded(stuck, Outcome.SKIPPED, OutcomeReason.DEPENDENCY, "what it depends on cannot be done"))


def _not_yet(state: State, one: ActionState, moment: Moment) -> Step | None:
    """What an action that nothing else hinders waits for, or what is done about it; None when it may start."""
    if one.retry_at is not None and moment.now < one.retry_at:
        return Wait(WaitKind.RETRY, one.retry_at, "another installation on the computer to end")
    return logons.hindrance(state, one, moment)


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


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """Something that it depends on has not ended."""


@dataclass(frozen=True, slots=True)
class _NeedsReboot:
    """A reboot must come first."""

    why: str


def _hindrance(state: State, one: ActionState) -> Note | _Unfinished | _NeedsReboot | None:
    """What keeps an action from being next; a note ends it."""
    for name in one.plan.after:
        other = state.actions.get(name)
        if other is None:
            continue
        if other.ended is None:
            if other.plan.always and not one.plan.always:
                continue
            return _Unfinished()
        match other.ended.outcome:
            case Outcome.FAILED | Outcome.UNKNOWN | Outcome.SKIPPED | Outcome.CANCELLED if not one.plan.always:
                message = f"{name} {word(other.ended.outcome)}: {other.ended.message}"
                return Note(ActionEnded(one.plan.id, Outcome.SKIPPED, OutcomeReason.DEPENDENCY, message))
            case _:
                pass
    if one.plan.always and not may_reboot(state):
        return _fresh_boot(state, one)  # a post-action runs whatever happened
    owed = next((other.plan.id for other in _builds_on(state, one) if other.reboot_due), None)
    if owed is not None:
        return _NeedsReboot(f"{one.plan.id} needs the reboot after {owed}")
    return _fresh_boot(state, one)


def _fresh_boot(state: State, one: ActionState) -> _NeedsReboot | None:
    return _NeedsReboot(f"{one.plan.id} requires a reboot before it") if _wants_fresh_boot(state, one) else None


def _start(state: State, one: ActionState, now: float) -> Step:
    old = now - looked_at(state, one) > FRESH_SECONDS
    if by_hand.purpose_of(state.spec) is Purpose.BY_HAND:
        return _intend(state, one, one.attempt + 1, one.step)
    if one.plan.type is ActionType.UNDETERMINED or old:
        return Perform(Do.DETERMINE, one.plan.id)
    return _intend(state, one, one.attempt + 1, one.step)


def _intend(state: State, one: ActionState, attempt: int, step: int) -> Note:
    boot = state.identity.boot if state.identity is not None else Boot()
    name = job_id(state.spec.id, one.plan.id, attempt, step)
    return Note(JobIntended(name, (one.plan.id,), attempt, step, boot, by_hand.purpose_of(state.spec)), durable=True)


def current(state: State, job: Job, moment: Moment) -> Step:
    """The job under way, and what its end means for its action."""
    one = state.actions[state.current]
    if not job.over:
        return _stop(state, one, job) or _under_way(one, job, moment)
    if job.purpose is Purpose.BY_HAND:
        return Note(by_hand.ended(state, one, job))
    if job.result is None:
        return Perform(Do.VERIFY_ACTION, one.plan.id)
    code = job.result.exit_code
    match meaning_of(state, one):
        case ExitMeaning.RETRY:
            if one.attempt < state.spec.options.retries:
                at = moment.now + state.spec.options.retry_seconds
                return Note(RetryLater(one.plan.id, at, f"exit code {code}: try again later"))
            message = f"exit code {code} after {one.attempt} attempts"
            return Note(ActionEnded(one.plan.id, Outcome.FAILED, OutcomeReason.RETRIES, message))
        case ExitMeaning.HARD_REBOOT if not rebooted_since(state, one) and not state.reboot_failure:
            why = f"{one.plan.id} rebooted the computer (exit code {code})"
            return Note(RebootIntended(state.reboots + 1, why, job.boot, by_itself=True), durable=True)
        case ExitMeaning.SUCCESS | ExitMeaning.SOFT_REBOOT | ExitMeaning.HARD_REBOOT if job.step + 1 < _step_count(
            state, one
        ):
            return _intend(state, one, one.attempt, job.step + 1)
        case _:
            return Perform(Do.VERIFY_ACTION, one.plan.id)


def _stop(state: State, one: ActionState, job: Job) -> Step | None:
    return Perform(Do.STOP_JOB, one.plan.id) if job.seen and to_stop(state, job) else None


def _under_way(one: ActionState, job: Job, moment: Moment) -> Step:
    if not job.seen:
        return Perform(Do.START_JOB, one.plan.id)
    checked_at = moment.contact.checked_at
    told = checked_at - job.seen_at  # not `now`: nobody may have asked for a night
    if told > one.plan.timeout_seconds + OVERDUE_SECONDS:
        message = f"its job was still running {told / 60:.0f} minutes after it began; it was left on the computer"
        return Note(ActionEnded(one.plan.id, Outcome.FAILED, OutcomeReason.DEADLINE, message))
    age = moment.now - one.began_at
    pause = 1.0 if age < 10 else 3.0 if age < 60 else 5.0 if age < 600 else 20.0
    if moment.resting(pause):
        return Wait(WaitKind.JOB, checked_at + pause, f"the job of {one.plan.id}")
    return Perform(Do.POLL_JOB, one.plan.id)


def _step_count(state: State, one: ActionState) -> int:
    item = state.definitions.get(one.plan.definition)
    return 1 if item is None else len(steps_of(one.plan, item, state.findings.get(one.plan.id)))
