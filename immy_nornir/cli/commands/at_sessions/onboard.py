"""`immy sessions onboard`: do the onboarding of computers once more."""

from __future__ import annotations

from pathlib import Path

import click

from immy_nornir.cli import completing, options


@click.command()
@click.argument("pattern", metavar="COMPUTERS", shell_complete=completing.patterns)
@options.sources
@options.vault
@click.option(
    "--reboot", type=click.Choice(["skip", "automatic", "prompt", "force"]), help="What to do about needed reboots."
)
@click.option("--window", metavar="WHEN", help="now, after_hours, HH:MM (for a night), or an ISO time or interval.")
@click.option("-o", "--option", "more", multiple=True, metavar="NAME=VALUE", help="Any other option of a session.")
@click.option("--check", is_flag=True, help="Stop after the plan; exit code 4 when changes are pending.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask when everything is planned.")
@click.option("--report/--no-report", default=True, help="Write an HTML report into the state folder.")
@options.form
@click.pass_context
def onboard(ctx: click.Context, /, pattern: str, **given: tuple[Path, ...] | str | bool | None) -> None:
    """Do the onboarding of computers once more, as part of a full maintenance.

    Deployments with `enforcement: onboarding` count, whatever immy_onboarding says and whatever has passed before.
    COMPUTERS is a computer's name, or a pattern.
    """
    from immy_nornir.cli.commands.run import run

    ctx.invoke(run, pattern=pattern, kind="full", onboard=True, **given)
