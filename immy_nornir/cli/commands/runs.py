"""`immy runs list|show`: what commands did together, readable while they go on."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import click

from immy_nornir.cli import completing, options, screens, startup
from immy_nornir.cli.commands.report import run_named
from immy_nornir.cli.door import say, say_json
from immy_nornir.model.record.status import Status
from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.history.queries import Reader

SCHEMA_VERSION = 1
_SHOWN = 20


@click.group()
def runs() -> None:
    """Look at runs: the sessions that one command started together."""


def _reader(ctx: click.Context) -> Reader:
    from immy_nornir.history.queries import FILE, Reader

    return Reader(startup.state_of(ctx, startup.root_of(ctx)) / FILE)


@runs.command("list")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@options.form
@click.pass_context
def list_(ctx: click.Context, limit: int, form: str) -> None:
    """List runs, newest first, with what became of their computers."""
    with _reader(ctx) as reader:
        rows, counts = reader.runs(limit), reader.statuses_of_runs()
    if form == "json":
        listed = [{**dataclasses.asdict(row), "sessions": counts.get(row.id, {})} for row in rows]
        say_json(json.indented({"schema_version": SCHEMA_VERSION, "runs": listed}))
    elif rows:
        screens.show_runs(rows, counts, time.time())
    else:
        say("no runs", err=True)


@runs.command()
@click.argument("run", required=False, shell_complete=completing.runs)
@options.form
@click.pass_context
def show(ctx: click.Context, run: str | None, form: str) -> None:
    """Show one run: who began it, how far it is, what did not pass, and which command comes next.

    RUN is an id, or its beginning; without it, the newest run is shown.
    """
    from immy_nornir.history.queries import Asked

    with _reader(ctx) as reader:
        row = run_named(reader, None if run == "last" else run)
        state, counts = reader.run_state(row.id), reader.statuses_of_runs(row.id).get(row.id, {})
        others = [one for one in Status if one is not Status.PASSED]
        bad = reader.sessions(Asked(row.id, statuses=others, limit=None if form == "json" else _SHOWN))
    if form == "json":
        plays = [] if state is None else [dataclasses.asdict(one) for one in state.spec.plays]
        told = {"run": dataclasses.asdict(row), "plays": plays, "sessions": counts}
        say_json(json.indented({"schema_version": SCHEMA_VERSION, **told}))
        return
    for line in screens.of_run(row, state, counts, bad, time.time()):
        say(line)
    left = sum(number for status, number in counts.items() if status is not Status.PASSED) - len(bad)
    if left > 0:
        say(f"  and {left:,} more: {startup.command(f'sessions list --run {row.id}')}")
    for line in startup.next_commands(counts.get(Status.INTERRUPTED, 0), counts.get(Status.WAITING, 0)):
        say(line)
