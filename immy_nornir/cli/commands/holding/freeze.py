"""`immy freeze`: nothing is changed on some computers for a time, by whoever works with this history."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immy_nornir.cli import completing, options, startup, table
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.times import Zone, read_until
from immy_nornir.errors import UsageError
from immy_nornir.text import json
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from immy_nornir.model.control.holds import Freeze
    from immy_nornir.model.playbooks import Fleet

SCHEMA_VERSION = 1


@click.command()
@click.argument("pattern", required=False, shell_complete=completing.patterns)
@click.option("--until", metavar="WHEN", help="4h, 2d, 18:00, a date (its whole day) or a time; if not said, for good.")
@click.option("--reason", metavar="TEXT", help="Why, which has to be said; everybody who waits for it is told.")
@click.option("--list", "listing", is_flag=True, help="Show the freezes that are in force.")
@click.option("--all", "every", is_flag=True, help="With --list: those that are over or lifted, too.")
@options.sources
@options.vault
@options.form
@click.pass_context
def freeze(
    ctx: click.Context,
    pattern: str | None,
    until: str | None,
    reason: str | None,
    listing: bool,
    every: bool,
    sources: tuple[Path, ...],
    form: str,
) -> None:
    """Change nothing on computers, a tenant's for instance, until a time or until `immy unfreeze`.

    Obeyed within seconds, also by runs under way: what runs on a computer ends, nothing begins. With an end their
    sessions wait for it; without one they are left, for `immy sessions resume`. PATTERN is meant as it is then.
    """
    if listing:
        if pattern or until or reason:
            raise UsageError("--list stands alone", "immy freeze --list")
        _show(_known(ctx, every=every), form)
        return
    if not pattern:
        raise UsageError("name computers, or use --list", "immy freeze smile_dental --until 18:00 --reason 'audit'")
    if not (reason or "").strip():
        raise UsageError("say why", "add --reason 'audit of their books'")
    from immy_nornir.model.control.holds import Freeze

    now = time.time()
    ends = None if until is None else read_until(until, now)
    root = startup.root_of(ctx)
    fleet = fleet_as_it_is(root, sources)
    names = _reached(fleet, pattern)
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, {}, sources)
    try:
        new = engine.history.freeze(Freeze(0, now, "@".join(startup.who()), pattern, ends, str(reason).strip()))
    finally:
        engine.history.close()
    if form == "json":
        told = {"freeze": dataclasses.asdict(new), "computers": names}
        say_json(json.indented({"schema_version": SCHEMA_VERSION, **told}))
        return
    lifted = startup.command(f"unfreeze {new.id}")
    say(f"freeze {new.id}: {counted(len(names), 'computer')} of {pattern} {_until(new)}: {new.reason}")
    say(f"  nothing new begins there within seconds; to lift it: {lifted}", err=True)


def fleet_as_it_is(root: Path, sources: Sequence[Path]) -> Fleet:
    """The fleet, whatever is wrong with its files: a brake has to work then, too."""
    from immy_nornir.cli.vault import current
    from immy_nornir.fleet.load import load_fleet

    return load_fleet(root, list(sources) or None, current())[0]


def _reached(fleet: Fleet, pattern: str) -> list[str]:
    from immy_nornir.decide.resolve import patterns

    names = patterns.select(fleet.inventory, pattern)  # files of names are read by nobody later
    if not names:
        raise UsageError(
            f"the pattern '{pattern}' selects no computer", "immy inventory list PATTERN shows what it does"
        )
    return names


def _known(ctx: click.Context, *, every: bool) -> list[Freeze]:
    from immy_nornir.errors import HistoryError
    from immy_nornir.history.queries import FILE, Reader

    path = startup.state_of(ctx, startup.root_of(ctx)) / FILE
    try:
        there = path.exists()
    except OSError as error:
        raise HistoryError(f"{path} cannot be looked at: {error.strerror}") from error
    if not there:
        return []
    with Reader(path) as reader:
        return reader.freezes(None if every else time.time())


def _show(freezes: Sequence[Freeze], form: str) -> None:
    if form == "json":
        listed = [dataclasses.asdict(one) for one in freezes]
        say_json(json.indented({"schema_version": SCHEMA_VERSION, "freezes": listed}))
        return
    if not freezes:
        say("nothing is frozen", err=True)
        return
    zone = Zone(moment for one in freezes for moment in (one.at, one.until, one.lifted_at))
    rows = [
        (str(one.id), one.pattern, zone.when(one.until) or "it is lifted", _state(one), one.by, one.reason)
        for one in freezes
    ]
    table.show(("FREEZE", "PATTERN", f"UNTIL ({zone.offset})", "STATE", "BY", "REASON"), rows)


def _state(one: Freeze) -> str:
    if one.lifted_at is not None:
        return f"lifted by {one.lifted_by}"
    return "in force" if one.holds(time.time()) else "over"


def _until(one: Freeze) -> str:
    if one.until is None:
        return "until it is lifted"
    zone = Zone([one.until])
    return f"until {zone.when(one.until)} {zone.offset}"
