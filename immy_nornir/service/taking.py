"""Sessions that waited, or that a killed service left -> what goes on now, and who approves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from immy_nornir.decide.holds import in_force
from immy_nornir.decide.steps.moment import Approver
from immy_nornir.model.control.schedules import START_WITHIN_SECONDS
from immy_nornir.model.record.entries import StopAsked
from immy_nornir.model.record.run import Brakes
from immy_nornir.model.record.session import EndReason, Status, WaitKind
from immy_nornir.session.approving.beforehand import approver_beforehand, more_than_approved, set_approver, was_approved
from immy_nornir.session.taking.taking_up import left_runs, newest_runs

if TYPE_CHECKING:
    from immy_nornir.history.agenda_rows import Left
    from immy_nornir.model.control.schedules import Schedule
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.runs import LiveRun

CANCEL = "cancel"


def is_held(engine: Engine, left: Left, schedules: Mapping[str, Schedule], now: float) -> bool:
    """Whether a session that is taken up now would only write down that it is held, once more.

    What is under way on its computer is looked at all the same; so is what ends because its night is over.
    """
    kind = left.deferred.kind
    if kind not in _HELD:
        return False
    state = engine.stored(left.deferred.id)
    if state is None or state.finished is not None or state.stop is not None or state.cancel is not None:
        return False
    if state.job is not None or state.reboot is not None:
        return False
    if state.pause is not None:
        return state.pause.until is None or now < state.pause.until
    if not kind and state.spec.options.window == "now" and _is_over(left, schedules, now):
        return False
    frozen, holds = engine.held(state, "")
    held = in_force(holds, now)
    return bool(frozen) or (kind == WaitKind.HOLD and held is not None and held.until is not None)


_HELD = ("", WaitKind.HOLD, WaitKind.PAUSE)
"""Waits that somebody lifts, and what was left, which a freeze without an end does."""


def take(
    engine: Engine, left: Sequence[Left], busy: set[str], schedules: Mapping[str, Schedule], now: float
) -> tuple[list[LiveRun], list[LiveSession]]:
    """Runs that go on, and sessions that go on by themselves.

    `busy` are runs that this process is at: their sessions go on by themselves. Nobody is there to be asked: what was
    approved goes on, the rest waits for an operator. What was to begin in a night that is over does not begin at noon.
    """
    with engine.history.read() as reader:
        rows = {row.id: row for row in reader.sessions_of([one.deferred.id for one in left])}
    listed = [rows[one.deferred.id] for one in left if one.deferred.id in rows]
    runs, alone = left_runs(engine, listed, in_waves=True, at_work=busy)
    over = {one.deferred.id: one for one in left if _is_over(one, schedules, now)}
    for live in (*alone, *(live for run in runs for live in run.sessions.values())):
        if live.id in over:
            _end(live, over[live.id])
    for run in runs:
        _approve(engine, run)
    for spec, run_id, ours in newest_runs(engine, [live for live in alone if not live.rests]):
        approver = approver_beforehand(Brakes() if spec is None else spec.brakes)
        set_approver(engine, ours, approver if was_approved(engine, run_id) else Approver.ABSENT)
    return runs, [live for live in alone if not live.rests]


def _approve(engine: Engine, run: LiveRun) -> None:
    lives = [live for live in run.sessions.values() if not live.rests]
    more = more_than_approved(engine, run, lives)
    brakes = run.state.spec.brakes
    # Brakes count the same sets as they did then; without them nobody says that more is too much.
    covered = more is not None and (not more or brakes != Brakes())
    set_approver(engine, lives, approver_beforehand(brakes) if covered else Approver.ABSENT)


def _is_over(one: Left, schedules: Mapping[str, Schedule], now: float) -> bool:
    """Whether a session's occasion is longer ago than it may begin late."""
    if one.occasion_due_at is None:
        return False
    schedule = schedules.get(one.schedule)
    late = START_WITHIN_SECONDS if schedule is None else schedule.start_within + schedule.splay
    return now - one.occasion_due_at > late


def _end(live: LiveSession, left: Left) -> None:
    """End what holds no window of its own: nothing new begins, what is under way is looked at and recorded."""
    spec = live.spec
    if live.rests or not spec.type.executes or spec.check or spec.options.window != "now" or left.deferred.kind:
        return
    why = f"the time of {left.schedule} is over: it was left unfinished"
    if live.never_begun:
        live.end(Status.MISSED, why, EndReason.WINDOW)
    elif live.begin() is None and live.state.stop is None:
        live.append(StopAsked(CANCEL, why))
