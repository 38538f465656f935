"""`immy computers accept`: what an operator says of single computers, kept in the record."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from immy_nornir.cli import completing, options, startup
from immy_nornir.cli.door import say, say_json
from immy_nornir.errors import UsageError
from immy_nornir.text import json

SCHEMA_VERSION = 1


@click.group()
def computers() -> None:
    """Say something of single computers."""


@computers.command()
@click.argument("computer", shell_complete=completing.computers)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays in the record.")
@options.sources
@options.form
@click.pass_context
def accept(ctx: click.Context, computer: str, reason: str, sources: tuple[Path, ...], form: str) -> None:
    """Accept that another machine has a computer's name: it was replaced, or its board was.

    What it was known by stays in the record; the machine that answers next is known from then on.
    """
    root = startup.root_of(ctx)
    fleet, _ = startup.load(root, sources, checked=False)
    found = fleet.inventory.computers.get(computer)
    if found is None:
        near = difflib.get_close_matches(computer, fleet.inventory.computers, 3)
        raise UsageError(f"there is no computer '{computer}'", f"did you mean {' or '.join(near)}?" if near else "")
    if not reason.strip():
        raise UsageError("the reason is empty", "--reason 'its board was replaced, ticket 4711'")
    if found.variables.get("immy_identity") is not None:
        place = found.origins.get("immy_identity")
        raise UsageError(
            f"the inventory pins {computer}: immy_identity{f' ({place})' if place else ''}", "change it there"
        )
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, {}, sources)
    try:
        before = engine.history.accept(computer, "@".join(startup.who()), reason.strip())
    finally:
        engine.history.close()
    if before is None:
        raise UsageError(f"{computer} was never seen: there is nothing that pins it")
    if form == "json":
        document = {"schema_version": SCHEMA_VERSION, "computer": computer, "before": before, "reason": reason.strip()}
        say_json(json.indented(document))
        return
    known = ", ".join(f"{name} {value}" for name, value in before.items() if value)
    say(f"{computer} was known by {known}; the machine that answers next is known from then on")
