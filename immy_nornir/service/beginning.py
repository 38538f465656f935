"""An occasion -> a stored run, and the work on it until it has settled; nobody is there to be asked anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from immy_nornir.history.store import new_id
from immy_nornir.model.record.run import Approved, Brakes, Pace, RunSpec
from immy_nornir.plugins import batches
from immy_nornir.session.approving.approvals import Account, Approvals, No, Question
from immy_nornir.session.approving.beforehand import SCHEDULE, account_of, approver_beforehand, set_approver
from immy_nornir.session.before.preview import preview
from immy_nornir.session.before.specs import Asking
from immy_nornir.session.runs import LiveRun, PlayRun, begin_run
from immy_nornir.session.taking import taking_up

if TYPE_CHECKING:
    from immy_nornir.model.control.schedules import Occasion
    from immy_nornir.service.works import Work
    from immy_nornir.session.crew.crew import Crew
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession


def begin(engine: Engine, work: Work, occasion: Occasion, pace: Pace, who: tuple[str, str], commit: str) -> LiveRun:
    """Store a run of an occasion with all its sessions; nothing has begun yet.

    Raises: UsageError for options and windows that no session can have; HistoryError, for an occasion that has begun
    before too: nothing is stored then.
    """
    schedule = work.schedule
    names = set(work.parts.get(occasion.part, ()))
    plays = [
        PlayRun(one.play, one.type, [engine.computer(name) for name in one.names if name in names])
        for one in work.plays
    ]
    plays = [one for one in plays if one.computers]
    asking = Asking(work.options, schedule.items)
    run_id = new_id(engine.clock.now())
    taking_up.make_specs(engine, run_id, plays, asking)
    planned = preview(engine, [spec for one in plays for spec in one.specs])
    brakes = Brakes(schedule.max_changes, schedule.max_reboots)
    fresh, _ = taking_up.make_sessions(engine, plays)
    user, machine = who
    part = f", {occasion.part}" if occasion.part else ""
    spec = RunSpec(
        run_id,
        f"immy schedule run: {schedule.name}{part}, due {occasion.told}",
        schedule.playbook,
        engine.fleet.root,
        commit,
        user,
        machine,
        options=asking.options,
        items=asking.items,
        pace=dataclasses.replace(pace, splay=schedule.splay),
        brakes=brakes,
    )
    set_approver(engine, [live for one in plays for live in one.sessions.values()], approver_beforehand(brakes))
    approved = Approved(SCHEDULE, planned.changes, planned.reboots) if planned.changes or planned.reboots else None
    run = begin_run(engine, spec, plays, fresh, approved, occasion)
    taking_up.end_excluded(plays, fresh)
    return run


def go(
    engine: Engine,
    runs: Sequence[LiveRun],
    alone: Sequence[LiveSession],
    pace: Pace,
    crew: Crew,
    say: Callable[[str], None],
    *,
    fresh: bool,
) -> None:
    """Work on runs and sessions until each has settled or is deferred; called by a thread of their own."""

    def ask(question: Question) -> No:
        say(f"{question.about}: stopped by its brakes: {question.over}")
        return No(question.over)

    accounts = [account_of(run) for run in runs]
    if alone:
        accounts += taking_up_accounts(engine, alone)
    approvals = Approvals(engine, accounts, ask)
    if fresh:
        batches.execute(engine, runs[0], dataclasses.replace(runs[0].state.spec.pace, wait=False), approvals, crew)
    else:
        batches.resume(engine, runs, alone, pace, approvals, crew)


def taking_up_accounts(engine: Engine, alone: Sequence[LiveSession]) -> list[Account]:
    """Accounts of sessions that go on by themselves, by the newest run that each is of."""
    return [
        Account(run_id, Brakes() if spec is None else spec.brakes, ours, () if spec is None else spec.sessions)
        for spec, run_id, ours in taking_up.newest_runs(engine, alone)
    ]
