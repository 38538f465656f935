"""What was ordered of a session from other shells: what a pause holds, what may be stopped, how it is told; pure.

What then begins, or does not, is decided where everything else is: by the gate (decide.steps.gate) and by the execution
of what is planned (decide.steps.execution). Not here: whether an order is taken in (`verdicts`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from immy_nornir.decide.plan.job_kinds import kind_of
from immy_nornir.decide.plan.job_steps import steps_of
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.reboots import capped, reboot_now
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Note, Step, Wait
from immy_nornir.decide.steps.under_way import Job
from immy_nornir.model.control.job_kinds import KILLED, KINDS, STOPPED, JobKind
from immy_nornir.model.record.entries import Entry
from immy_nornir.model.record.order_entries import (
    CancelAsked,
    PauseAsked,
    PauseLifted,
    RebootOrdered,
)
from immy_nornir.model.record.session import OutcomeReason, WaitKind

PAUSE_PATIENCE_SECONDS = 30 * 60.0
"""How long the waves of a run wait for a session that is paused; then it is deferred, and they go on without it."""
_LOOK_AGAIN_SECONDS = 3600.0
_FOREVER = "immy sessions resume lifts it"


# --- a pause --------------------------------------------------------------------------------------------------


def paused(state: State, moment: Moment) -> Wait | Note | None:
    """What a pause makes of anything that would begin: a wait, or a note that it is over; None where nothing holds."""
    pause = state.pause
    if pause is None or state.stop is not None:
        return None
    if pause.until is not None and moment.now >= pause.until:
        return Note(PauseLifted())
    patient = state.paused_at + PAUSE_PATIENCE_SECONDS
    deferred = moment.now >= patient
    looks = (moment.now + _LOOK_AGAIN_SECONDS if deferred else patient, pause.until)
    return Wait(WaitKind.PAUSE, min(one for one in looks if one is not None), _pause_told(pause), deferred)


def _pause_told(pause: PauseAsked) -> str:
    until = f"until {at(pause.until)}" if pause.until is not None else _FOREVER
    return f"paused by {pause.ordered} ({until})"


# --- a reboot -------------------------------------------------------------------------------------------------


def ordered_reboot(state: State) -> Step | None:
    """The reboot that was ordered, where nothing forbids it any more."""
    order = state.reboot_order
    if order is None or state.stop is not None or state.reboot_failure or capped(state):
        return None
    if state.over or state.unready:
        return None
    if state.closed and (not order.now or state.closed_by is OutcomeReason.HELD):
        return None
    return reboot_now(state, f"ordered by {order.ordered}")


def waits_for_nothing(state: State) -> bool:
    """Whether the reboot that comes was ordered whatever window and business hours say."""
    return state.reboot_order is not None and state.reboot_order.now


# --- the job under way ----------------------------------------------------------------------------------------


def kind_of_job(state: State, job: Job) -> JobKind:
    """What the job under way runs; what nobody can tell is taken for an installer."""
    name = next(iter(job.actions), "")
    one = state.actions.get(name)
    item = None if one is None else state.definitions.get(one.plan.definition)
    if one is None or item is None:
        return JobKind.INSTALLER
    steps = steps_of(one.plan, item, state.findings.get(name))
    return kind_of(item, steps[job.step]) if job.step < len(steps) else JobKind.INSTALLER


def to_stop(state: State, job: Job) -> bool:
    """Whether the computer is to be told now to end the job under way."""
    cancel = state.cancel
    return cancel is not None and not job.stop_asked and not job.over and _may_stop(state, job, cancel)


def _may_stop(state: State, job: Job, cancel: CancelAsked) -> bool:
    kind = kind_of_job(state, job)
    return cancel.now and (kind in STOPPED or (cancel.kill and kind in KILLED))


def was_stopped(state: State) -> str:
    """Who ended the job that is under way, by an order; empty where nobody did."""
    asked = state.job is not None and state.job.stop_asked and state.cancel is not None
    return f"stopped by {state.cancel.ordered}" if asked and state.cancel is not None else ""


def job_told(state: State, job: Job) -> str:
    """The job under way, what it runs, and when it ends at the latest: the computer ends it at its time-out."""
    name = state.current or job.id
    one = state.actions.get(name)
    if job.over or one is None:
        return f"the job of {name} has ended and is looked at"
    latest = (job.seen_at or job.intended_at) + one.plan.timeout_seconds
    return f"the job of {name} runs {KINDS[kind_of_job(state, job)]} and ends at {at(latest)} at the latest"


# --- how it is told -------------------------------------------------------------------------------------------


def at(moment: float) -> str:
    """A moment as it stands in records and answers, which are read elsewhere, too."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def answer_to(state: State, entry: Entry) -> str:
    """What the owner says to an order, given the state after its entry."""
    match entry:
        case CancelAsked():
            return _cancel_answer(state, entry)
        case PauseAsked() if state.job is not None:
            return f"paused after the action under way: {job_told(state, state.job)}"
        case PauseAsked():
            return "paused"
        case PauseLifted():
            return "goes on"
        case RebootOrdered():
            return "reboots between two actions"
        case _:
            return ""


def _cancel_answer(state: State, cancel: CancelAsked) -> str:
    job = state.job
    if job is None:
        return "cancelling: waits for the reboot under way" if state.reboot is not None else "cancelling"
    if job.over or not cancel.now:
        return f"cancelling: {job_told(state, job)}"
    if _may_stop(state, job, cancel):
        return f"cancelling: the job of {state.current} is stopped as soon as its computer answers"
    kind = kind_of_job(state, job)
    advice = "; --kill-installer stops it" if kind in KILLED else ""
    return f"cancelling, and not stopped: {job_told(state, job)}{advice}"


def told(state: State, about: str) -> str:
    """What a session waits for or is at, with what was ordered of it, where something was; `about` may be empty."""
    if state.finished is not None:
        return about
    if state.cancel is not None:
        said = f"cancelling, by {state.cancel.ordered}"
    elif state.pause is not None:
        said = _pause_told(state.pause)
    elif state.reboot_order is not None:
        said = f"a reboot was ordered by {state.reboot_order.ordered}"
    else:
        return about
    if about == said or (state.waiting is not None and state.waiting.kind is WaitKind.PAUSE):
        return said
    if not about:
        return said
    return f"{said}; waits for {about}" if state.waiting is not None else f"{said}; {about}"
