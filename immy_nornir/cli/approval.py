"""The question before anything changes, and the brakes: for `run`, and for the rest of a run that is taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from immy_nornir.cli import startup
from immy_nornir.errors import UsageError
from immy_nornir.model.record.run import Approved

if TYPE_CHECKING:
    from immy_nornir.model.record.run import Brakes
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.preview import Preview
    from immy_nornir.session.runs import LiveRun


def approve(preview: Preview, brakes: Brakes, *, yes: bool) -> Approved:
    """Ask before anything changes; without somebody to ask, `--yes` is needed.

    Raises: UsageError where a brake is passed or nobody can be asked, click's Exit where the answer is no.
    """
    if not preview.computers:
        return Approved("nobody")
    _hold(preview.changes, preview.reboots, brakes, "this run")
    click.echo(f"This run changes: {preview}.", err=True)
    return Approved(_asked(yes=yes), preview.changes, preview.reboots)


def approve_rest(engine: Engine, run: LiveRun, *, yes: bool) -> None:
    """Hold the rest of a run that was left to its brakes, and ask again where it would now do more than was approved.

    Raises: as `approve`.
    """
    from immy_nornir.session.preview import preview

    state, brakes = run.state, run.state.spec.brakes
    rest = preview(engine, [live.spec for live in run.sessions.values() if live.never_begun])
    done = [name for play in state.spec.plays for wave in play.waves for name in wave]
    with engine.history.read() as reader:
        rows = reader.sessions_of(done, actions=True) if brakes != type(brakes)() else []
    changes = rest.changes + sum(1 for row in rows for one in row.actions if one.attempts)
    reboots = rest.reboots + sum(row.reboots for row in rows)
    _hold(changes, reboots, brakes, f"run {state.spec.id}")
    before = state.approved or Approved("nobody")
    if rest.changes <= before.changes and rest.reboots <= before.reboots:
        return
    click.echo(f"What is left of run {state.spec.id} changes more than was approved: {rest}.", err=True)
    run.append(Approved(_asked(yes=yes), rest.changes, rest.reboots))


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
