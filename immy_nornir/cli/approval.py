"""The question before anything changes, and the brakes: for `run`, and for the rest of a run that is taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from immy_nornir.cli import startup
from immy_nornir.errors import UsageError
from immy_nornir.model.record.run import Approved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from immy_nornir.model.record.run import Brakes
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.preview import Preview
    from immy_nornir.session.runs import LiveRun


def approve(preview: Preview, brakes: Brakes, *, yes: bool) -> Approved:
    """Ask before anything changes; without somebody to ask, `--yes` is needed.

    Raises: UsageError where a brake is passed or nobody can be asked, click's Exit where the answer is no.
    """
    if not preview.changes and not preview.reboots:
        return Approved("nobody")
    _hold(preview.changes, preview.reboots, brakes, "this run")
    click.echo(f"This run changes: {preview}.", err=True)
    return Approved(_asked(yes=yes), preview.changes, preview.reboots)


def approve_rest(engine: Engine, run: LiveRun, *, yes: bool) -> None:
    """Hold the rest of a run that was left to its brakes, and ask again where it would now do more than was approved.

    What was done counts with what is left: of sessions that have a plan its open actions, of others all that may be.
    Raises: as `approve`.
    """
    from immy_nornir.session.preview import preview

    spec = run.state.spec
    lives = [live for live in run.sessions.values() if live.spec.type.executes and not live.spec.check]
    unplanned = preview(engine, [live.spec for live in lives if live.state.plan is None])
    planned = [(live.state, live.state.plan) for live in lives if live.state.plan is not None]
    with engine.history.read() as reader:
        changes, reboots = reader.work_done([name for play in spec.plays for wave in play.waves for name in wave])
    actions = (one for state, _ in planned for one in state.actions.values())
    changes += unplanned.changes + sum(one.plan.to_do and not one.attempt and one.ended is None for one in actions)
    reboots += unplanned.reboots + sum(plan.reboots > state.reboots for state, plan in planned)
    _hold(changes, reboots, spec.brakes, f"run {spec.id}")
    before = run.state.approved or Approved("nobody")
    # Reboots that were planned since come of what was found then, under the same approval.
    if changes <= before.changes and unplanned.reboots <= before.reboots:
        return
    told = f"{changes} actions in all, {unplanned.reboots} computers that may reboot"
    approved = f"{before.changes} and {before.reboots} were approved"
    click.echo(f"Run {spec.id} would now change more than was approved: {told}; {approved}.", err=True)
    run.append(Approved(_asked(yes=yes), changes, unplanned.reboots))


def approve_changed(engine: Engine, lives: Iterable[LiveSession], *, yes: bool) -> None:
    """Ask about sessions that will be planned anew, because the files say otherwise now than when they were planned.

    Raises: as `approve`.
    """
    from immy_nornir.session.preview import preview

    anew = []
    for live in lives:
        if live.spec.type.executes and not live.spec.check and not live.rests:
            why, today = live.compared()
            if why and today is not None and live.state.stop is None:
                anew.append(today)
    planned = preview(engine, anew)
    if not planned.changes and not planned.reboots:
        return
    sessions = f"{len(anew):,} session{'' if len(anew) == 1 else 's'}"
    click.echo(f"The files have changed: {sessions} will be planned anew: {planned}.", err=True)
    _asked(yes=yes)


def _hold(changes: int, reboots: int, brakes: Brakes, what: str) -> None:
    if brakes.max_changes is not None and changes > brakes.max_changes:
        raise UsageError(
            f"{what} may do {changes} actions, and --max-changes is {brakes.max_changes}",
            "narrow it with --limit or --item",
        )
    if brakes.max_reboots is not None and reboots > brakes.max_reboots:
        raise UsageError(f"{what} may reboot {reboots} computers, and --max-reboots is {brakes.max_reboots}")


def _asked(*, yes: bool) -> str:
    if yes:
        return "--yes"
    if not startup.is_terminal():
        raise UsageError("it changes computers, and nobody is here to be asked", "add --yes, or --check to only plan")
    if not click.confirm("Go on?", default=False, err=True):
        click.echo("immy: nothing was run", err=True)
        raise click.exceptions.Exit(2)
    return "the operator"
