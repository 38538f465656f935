"""`immy sessions cancel|pause|reboot`: orders for sessions that another process is at, or nobody."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from immy_nornir.cli import options, startup
from immy_nornir.cli.approving.choice import Chosen
from immy_nornir.cli.approving.orders import Wish, order, until_of
from immy_nornir.model.control.orders import How, OrderKind


def _order(
    ctx: click.Context,
    kind: OrderKind,
    how: How,
    *,
    names: tuple[str, ...],
    run_id: str | None,
    tenant: str | None,
    everything: bool,
    **more: Any,
) -> None:
    wish = Wish(kind, how, more["reason"], more["yes"], more["wait"], more["form"], more["sources"])
    root = startup.root_of(ctx)
    ctx.exit(order(root, startup.state_of(ctx, root), Chosen(names, run_id, tenant, everything), wish))


@click.command()
@options.choosing
@click.option("--now", is_flag=True, help="Stop the job under way too, unless it installs something.")
@click.option("--kill-installer", "kill", is_flag=True, help="Stop installers and package managers, too.")
@options.ordering
@options.sources
@options.vault
@options.form
@click.pass_context
def cancel(ctx: click.Context, /, now: bool, kill: bool, **given: Any) -> None:
    """Cancel sessions: nothing new begins after the action under way; what always runs afterwards still does.

    Updates of the system, drivers and firmware are never stopped: it is said when they end at the latest.
    """
    _order(ctx, OrderKind.CANCEL, How(now or kill, kill), **given)


@click.command()
@options.choosing
@click.option("--until", metavar="TIME", help="Until when: 90m, 2h, 14:30 here, or 2030-02-01T14:30.")
@options.ordering
@options.sources
@options.vault
@options.form
@click.pass_context
def pause(ctx: click.Context, /, until: str | None, **given: Any) -> None:
    """Hold sessions before their next action, until `sessions resume` or the time that is given."""
    end = None if until is None else until_of(until, time.time())
    _order(ctx, OrderKind.PAUSE, How(until=end), **given)


@click.command()
@options.choosing
@click.option("--now", is_flag=True, help="Whatever its window and its business hours say.")
@options.ordering
@options.sources
@options.vault
@options.form
@click.pass_context
def reboot(ctx: click.Context, /, now: bool, sources: tuple[Path, ...], **given: Any) -> None:
    """Reboot computers in their sessions, between two actions; counts as a reboot of the session.

    Refused while a job runs, while the fleet is frozen, and where nobody is at the session.
    """
    _order(ctx, OrderKind.REBOOT, How(now), sources=sources, **given)
