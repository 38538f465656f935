"""Who approves what sessions plan: for `run`, and for what is taken up again; how it is asked is cli.answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from immy_nornir.cli import startup
from immy_nornir.errors import UsageError
from immy_nornir.model.record.run import Approved, Brakes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from immy_nornir.decide.steps.moment import Approver
    from immy_nornir.session.approvals import Account
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.preview import Preview
    from immy_nornir.session.runs import LiveRun


def approve(preview: Preview, *, yes: bool, quiet: bool = False) -> Approved | None:
    """What is approved before anything is looked at: all of it by `--yes`; else it is asked about when it is planned.

    Raises: UsageError where nobody can be asked.
    """
    if not preview.changes and not preview.reboots:
        return None
    if not (yes and quiet):
        click.echo(f"This run changes: {preview}.", err=True)
    if yes:
        return Approved("--yes", preview.changes, preview.reboots)
    _need_somebody()
    click.echo("Nothing is changed before you have seen the plan and said yes.", err=True)
    return None


def approver_of(*, yes: bool, brakes: Brakes) -> Approver:
    """Who says that a session may do what it plans."""
    from immy_nornir.decide.steps.moment import Approver

    if yes:
        return Approver.NOT_NEEDED if brakes == Brakes() else Approver.BRAKES
    return Approver.PERSON if startup.is_terminal() else Approver.ABSENT


def set_approver(lives: Iterable[LiveSession], approver: Approver) -> None:
    """Say of sessions that change something who approves what they plan."""
    for live in lives:
        if live.spec.type.executes and not live.spec.check:
            live.approver = approver


def account_of(run: LiveRun) -> Account:
    """A run whose sessions are asked about."""
    from immy_nornir.session.approvals import Account

    spec = run.state.spec
    ids = [one for play in spec.plays for wave in play.waves for one in wave]
    return Account(spec.id, spec.brakes, list(run.sessions.values()), ids, run.append)


# --- what is taken up again -----------------------------------------------------------------------------------


def approve_rest(engine: Engine, run: LiveRun, *, yes: bool) -> None:
    """Say who approves the rest of a run that was left: nobody has to where `--yes` has, and it would not do more.

    Raises: UsageError where somebody would have to be asked, and nobody can be.
    """
    lives = _acting(run.sessions.values())
    covered = yes or _is_covered(engine, run, lives)
    set_approver(lives, approver_of(yes=covered, brakes=run.state.spec.brakes))
    _refuse_changed(engine, lives, yes=yes)
    if not covered:
        _refuse_unapproved(engine, lives, yes=yes)


def approve_alone(engine: Engine, lives: Sequence[LiveSession], *, yes: bool) -> list[Account]:
    """Say who approves what sessions do that go on by themselves; the accounts of their runs.

    Raises: as `approve_rest`.
    """
    from immy_nornir.session.approvals import Account

    acting = _acting(lives)
    accounts = []
    for run_id in dict.fromkeys(live.spec.run_id for live in acting):
        ours = [live for live in acting if live.spec.run_id == run_id]
        state = engine.history.run_of(run_id)
        brakes = Brakes() if state is None else state.spec.brakes
        # Of a run from before runs were records nobody knows who approved it.
        covered = yes or state is None or (state.approved is not None and state.approved.by == "--yes")
        set_approver(ours, approver_of(yes=covered, brakes=brakes))
        if not covered:
            _refuse_unapproved(engine, ours, yes=yes)
        accounts.append(Account(run_id, brakes, ours))
    _refuse_changed(engine, acting, yes=yes)
    return accounts


def _acting(lives: Iterable[LiveSession]) -> list[LiveSession]:
    return [live for live in lives if live.spec.type.executes and not live.spec.check and not live.rests]


def _is_covered(engine: Engine, run: LiveRun, lives: Sequence[LiveSession]) -> bool:
    """Whether the `--yes` of a run covers its rest: what was done, with what may be, is not more than it was then."""
    from immy_nornir.session.preview import preview

    before = run.state.approved
    if before is None or before.by != "--yes":
        return False
    unplanned = preview(engine, [live.spec for live in lives if live.state.plan is None])
    actions = (one for live in lives for one in live.state.actions.values())
    with engine.history.read() as reader:
        changes, _ = reader.work_done(run.state.spec.id, account_of(run).sessions)
    changes += unplanned.changes + sum(one.plan.to_do and not one.attempt and one.ended is None for one in actions)
    # Reboots that were planned since come of what was found then, under the same approval.
    if changes <= before.changes and unplanned.reboots <= before.reboots:
        return True
    told = f"{changes} actions in all, {unplanned.reboots} computers that may reboot"
    approved = f"{before.changes} and {before.reboots} were approved"
    click.echo(f"Run {run.state.spec.id} would now change more than was approved: {told}; {approved}.", err=True)
    return False


def _refuse_changed(engine: Engine, lives: Iterable[LiveSession], *, yes: bool) -> None:
    """Tell of sessions that will be planned anew, because the files say otherwise now than when they were planned."""
    from immy_nornir.session.preview import preview

    anew = []
    for live in lives:
        why, today = live.compared()
        if why and today is not None and live.state.stop is None:
            anew.append(today)
    planned = preview(engine, anew)
    if not planned.changes and not planned.reboots:
        return
    sessions = f"{len(anew):,} session{'' if len(anew) == 1 else 's'}"
    click.echo(f"The files have changed: {sessions} will be planned anew: {planned}.", err=True)
    if not yes:
        _need_somebody()


def _refuse_unapproved(engine: Engine, lives: Sequence[LiveSession], *, yes: bool) -> None:
    """Where nobody can be asked, refuse what nobody has approved: it would only be looked at, and left again."""
    from immy_nornir.decide.steps import approval
    from immy_nornir.session.preview import preview

    unplanned = preview(engine, [live.spec for live in lives if live.state.plan is None])
    wants = any(live.state.stop is None and not live.state.denied and approval.wanted(live.state) for live in lives)
    if not yes and (unplanned.changes or unplanned.reboots or wants):
        _need_somebody()


def _need_somebody() -> None:
    if not startup.is_terminal():
        raise UsageError("it changes computers, and nobody is here to be asked", "add --yes, or --check to only plan")
