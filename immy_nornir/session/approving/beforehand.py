"""What was approved before anything was looked at, by `--yes` or by a schedule: who approves the rest, and how much.

How somebody is asked is cli.approving; what waits for an answer, session.approving.approvals.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from immy_nornir.decide.steps.moment import Approver
from immy_nornir.model.record.run import Brakes
from immy_nornir.session.approving.approvals import Account
from immy_nornir.session.before.preview import preview

if TYPE_CHECKING:
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.runs import LiveRun

YES = "--yes"
SCHEDULE = "the schedule"
BEFOREHAND = (YES, SCHEDULE)
"""Whose word covers all that a run plans, without a question."""


def approver_beforehand(brakes: Brakes) -> Approver:
    """Who says what sessions may do that were approved beforehand."""
    return Approver.NOT_NEEDED if brakes == Brakes() else Approver.BRAKES


def set_approver(engine: Engine, lives: Iterable[LiveSession], approver: Approver) -> None:
    """Say of sessions that change something who approves what they plan.

    Older ones that are settled before them only do what always follows what was done, if that was approved then.
    """
    known = functools.cache(lambda run_id: was_approved(engine, run_id))  # many sessions are of few runs
    for live in lives:
        if live.spec.type.executes and not live.spec.check:
            live.approver = approver
        older = live.before
        while older is not None:
            older.approver = Approver.NOT_NEEDED if known(older.spec.run_id) else Approver.ABSENT
            older = older.before


def set_settling(engine: Engine, lives: Iterable[LiveSession]) -> None:
    """Say of sessions that are only brought to their end that nobody is asked: what was approved then may follow."""
    known = functools.cache(lambda run_id: was_approved(engine, run_id))
    for live in lives:
        live.approver = Approver.NOT_NEEDED if known(live.spec.run_id) else Approver.ABSENT


def was_approved(engine: Engine, run_id: str) -> bool:
    """Whether all of a run was approved beforehand; of one from before runs were records nobody knows it."""
    state = engine.history.run_of(run_id)
    return state is None or (state.approved is not None and state.approved.by in BEFOREHAND)


def account_of(run: LiveRun) -> Account:
    """A run whose sessions are asked about."""
    spec = run.state.spec
    return Account(spec.id, spec.brakes, list(run.sessions.values()), spec.sessions, run.append)


def more_than_approved(engine: Engine, run: LiveRun, lives: Sequence[LiveSession]) -> str | None:
    """Whether the rest of a run that was approved beforehand would do more than was approved then, as a sentence.

    Empty: it would not; None: it was not approved beforehand. What was done counts, with what may be.
    """
    before = run.state.approved
    if before is None or before.by not in BEFOREHAND:
        return None
    unplanned = preview(engine, [live.spec for live in lives if live.state.plan is None])
    actions = (one for live in lives for one in live.state.actions.values())
    with engine.history.read() as reader:
        begun, _, _ = reader.work_of(run.state.spec.id, run.state.spec.sessions)
    left = sum(one.plan.to_do and not one.attempt and one.ended is None for one in actions)
    changes = len(begun) + unplanned.changes + left
    # Reboots that were planned since come of what was found then, under the same approval.
    if changes <= before.changes and unplanned.reboots <= before.reboots:
        return ""
    told = f"{changes} actions in all, {unplanned.reboots} computers that may reboot"
    return f"would now change more than was approved: {told}; {before.changes} and {before.reboots} were approved"
