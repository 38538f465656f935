"""`immy schedule`: temporary group."""

from __future__ import annotations

import click

from immy_nornir.cli.commands import schedule_run


@click.group()
def schedule() -> None:
    """Begin work by itself: what is due when, and the service that does it."""


schedule.add_command(schedule_run.run)
schedule.add_command(schedule_run.status)
