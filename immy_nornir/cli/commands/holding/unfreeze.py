"""`immy unfreeze`: a freeze ends before its time, or at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immy_nornir.cli import options, startup
from immy_nornir.cli.commands.holding.freeze import SCHEMA_VERSION, fleet_as_it_is
from immy_nornir.cli.door import say, say_json
from immy_nornir.errors import UsageError
from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.model.control.holds import Freeze


@click.command()
@click.argument("freezes", nargs=-1, metavar="[FREEZE]...")
@click.option("--all", "every", is_flag=True, help="Lift all that are in force.")
@options.sources
@options.vault
@options.form
@click.pass_context
def unfreeze(ctx: click.Context, freezes: tuple[str, ...], every: bool, sources: tuple[Path, ...], form: str) -> None:
    """Lift freezes; sessions that somebody stays for go on by themselves, the others when they are resumed.

    FREEZE is a number of `immy freeze --list`, or the pattern as it was given.
    """
    if bool(freezes) == every:
        raise UsageError("name freezes, or use --all", "immy freeze --list shows them")
    root = startup.root_of(ctx)
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet_as_it_is(root, sources), {}, sources)
    try:
        with engine.history.read() as reader:
            known = reader.freezes(time.time())
        meant = known if every else _named(known, freezes)
        lifted = engine.history.unfreeze([one.id for one in meant], "@".join(startup.who()))
    finally:
        engine.history.close()
    if form == "json":
        say_json(json.indented({"schema_version": SCHEMA_VERSION, "lifted": lifted}))
        return
    for one in meant:
        if one.id in lifted:
            say(f"freeze {one.id} of {one.pattern} is lifted: {one.reason}")
    if not lifted:
        say("nothing is frozen", err=True)
        return
    say(f"  next: {startup.command('sessions resume --due')}  (takes up what waits for it)", err=True)


def _named(known: Sequence[Freeze], freezes: Sequence[str]) -> list[Freeze]:
    meant: list[Freeze] = []
    for text in freezes:
        found = [one for one in known if text in (str(one.id), one.pattern)]
        if not found:
            listed = ", ".join(f"{one.id} ({one.pattern})" for one in known) or "none"
            raise UsageError(f"no freeze '{text}' is in force", f"in force: {listed}")
        meant += [one for one in found if one not in meant]
    return meant
