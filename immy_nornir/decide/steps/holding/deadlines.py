"""How long a session and its run may take, and what the end of that time means; pure.

Only running time counts: not the days in which a session waits for its window, its computer, somebody's answer, room or
a pause, nor those in which no process is at it. When it is over nothing new begins, the job under way is left and
named, what always runs still does, and the session ends. Passes the gate like all that acts (decide.steps.gate).
"""

from __future__ import annotations

from collections.abc import Iterable

from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Note
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import ActionEnded, JobWithdrawn, StageFailed, TimeOver
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason


def spent(state: State, now: float) -> float:
    """The seconds that a session has run, up to now."""
    return state.spent + (max(0.0, now - state.at) if state.running else 0.0)


def ends_at(state: State, now: float) -> float | None:
    """When a session that runs on without a wait is over; None while it does not run."""
    if not state.running:
        return None
    return now + state.spec.options.session_timeout_minutes * 60.0 - spent(state, now)


def end(state: State, moment: Moment) -> Note | None:
    """What is written down because the time is over: that it is, or the end of the job under way; None while it is not.

    What always runs, and began after it, goes on to its own deadline.
    """
    if state.failure is not None or state.stop is not None or state.verified is not None:
        return None
    if not state.over:
        message = moment.run_over or _over(state, moment)
        if not message:
            return None
        if state.plan is None:
            stage = next((one for one in state.spec.stages if one not in state.done), Stage.CONNECT)
            return Note(StageFailed(stage, message, EndReason.TIME_OVER))
        return Note(TimeOver(message))
    job = state.job
    if job is None or job.over or not state.current or state.actions[state.current].plan.always:
        return None
    if job.unsent:
        return Note(JobWithdrawn(job.id, state.over))
    left = "its job was still at work, and was left on the computer"
    told = left if job.seen else "whether its job was begun is not known"
    return Note(ActionEnded(state.current, Outcome.FAILED, OutcomeReason.TIME_OVER, f"{state.over}; {told}"))


def _over(state: State, moment: Moment) -> str:
    minutes = state.spec.options.session_timeout_minutes
    if spent(state, moment.now) < minutes * 60.0:
        return ""
    return f"its time is over: it has run for {_said(minutes)} (session_timeout_minutes)"


def run_spent(ended: float, waves: Iterable[Iterable[float]]) -> float:
    """The seconds that a run has run: of each wave those of its longest session.

    `ended` are those of the waves that are over, `waves` the running times of the sessions of those that are not.
    """
    return ended + sum(max(wave, default=0.0) for wave in waves)


def run_over(minutes: float, seconds: float) -> str:
    """That a run's time is over; empty while it is not."""
    return "" if seconds < minutes * 60.0 else f"its run has run for {_said(minutes)} (run_timeout_minutes)"


def _said(minutes: float) -> str:
    return f"{minutes:g} minute" + ("" if minutes == 1 else "s")
