"""`immy tell`: what was told to whom, what waits for it, a test of a channel, and another try now."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, startup, table
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.times import Zone
from immy_nornir.errors import HistoryError, UsageError
from immy_nornir.text import json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from immy_nornir.model.control.telling import Channel, Telling
    from immy_nornir.model.playbooks import Fleet

SCHEMA_VERSION = 1
_STATES = ("waiting", "told", "given_up")


@click.group()
def tell() -> None:
    """Tell people and programs what happened: see what was told, test a channel, try again what waits."""


@tell.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only these.")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@options.form
@click.pass_context
def list_(ctx: click.Context, states: tuple[str, ...], limit: int, form: str) -> None:
    """List the channels, and the messages to them, newest first: told, waiting for another try, or given up and why."""
    from immy_nornir.history.queries import FILE, Reader

    root = startup.root_of(ctx)
    channels = _channels(root)
    path = startup.state_of(ctx, root) / FILE
    rows: list[Telling] = []
    if path.exists():
        with Reader(path) as reader:
            rows = reader.tellings(limit, states)
    if form == "json":
        document = {
            "schema_version": SCHEMA_VERSION,
            "channels": [_plain_channel(one) for one in channels],
            "messages": [_plain(one) for one in rows],
        }
        say_json(json.indented(document))
        return
    if channels:
        table.show(("CHANNEL", "BY", "FOR", "TENANTS", "EVENTS"), [_channel_row(one) for one in channels])
    else:
        say("nobody is told anything: write playbooks/telling.yml (docs/telling.md)", err=True)
    if rows:
        zone = Zone([*(one.at for one in rows), time.time()])
        say()
        say(f"times are {zone.offset}")
        table.show(("WHEN", "CHANNEL", "STATE", "TRIES", "WHAT"), [_row(one, zone) for one in rows])
    elif channels:
        say("nothing was told yet", err=True)


@tell.command()
@click.argument("name", shell_complete=completing.channels)
@options.vault
@click.pass_context
def test(ctx: click.Context, name: str) -> None:
    """Send a test message to a channel now, whatever the hour; exit code 1 where it does not arrive."""
    from immy_nornir.history.store import new_id
    from immy_nornir.history.tables import tellings
    from immy_nornir.model.control.telling import ToldState
    from immy_nornir.telling.messages import test_message
    from immy_nornir.telling.sender import Sender

    root = startup.root_of(ctx)
    channel = _named(_channels(root), name)
    engine = startup.engine_of(root, startup.state_of(ctx, root), _fleet(root, (channel,)), {})
    try:
        now = engine.clock.now()
        message = test_message(channel, f"test/{new_id(now)}", now)
        one = engine.history.ask(lambda connection: tellings.put(connection, message, now))
        if one is None:
            raise HistoryError("the message could not be stored", "immy doctor looks at the history")
        after = Sender(engine, root).send_one(channel, one)
    finally:
        startup.close(engine)
    if after.state is not ToldState.TOLD:
        say(f"{name}: {after.outcome}", err=True)
        ctx.exit(1)
    say(f"{name}: told")


@tell.command()
@options.sources
@options.vault
@click.pass_context
def due(ctx: click.Context, sources: tuple[Path, ...]) -> None:
    """Tell what has not been told yet, and try again what is due; exit code 1 where something failed again.

    For a timer, where no service is at work: runs do the same at their end.
    """
    from immy_nornir.cli.live.tellings import teller_of

    root = startup.root_of(ctx)
    fleet, _ = startup.load(root, sources)
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, {}, sources)
    try:
        teller = teller_of(engine, root, whole=not sources)
        teller.begin()
        sent = teller.tell()
        teller.close()
    finally:
        startup.close(engine)
    say(f"told: {len(sent.told)}, failed: {len(sent.failed)}")
    ctx.exit(1 if sent.failed or teller.troubled else 0)


def _fleet(root: Path, channels: tuple[Channel, ...]) -> Fleet:
    """As much of the fleet as telling needs: a test goes out while other files are being written."""
    from immy_nornir.cli.vault import current, references_of
    from immy_nornir.model.inventory import Inventory
    from immy_nornir.model.playbooks import Fleet

    fleet = Fleet(root.as_posix(), Inventory(), channels=channels)
    current().learn(references_of(fleet))
    return fleet


def _channels(root: Path) -> tuple[Channel, ...]:
    """The channels of the fleet. Raises FilesError for a file that is wrong."""
    from immy_nornir.errors import FilesError
    from immy_nornir.fleet.load import load_channels
    from immy_nornir.model.places import Level, Problem

    problems: list[Problem] = []
    found = load_channels(root, problems)
    if any(one.level is Level.ERROR for one in problems):
        raise FilesError(problems)
    return found


def _named(channels: Sequence[Channel], name: str) -> Channel:
    found = next((one for one in channels if one.name == name), None)
    if found is None:
        import difflib

        near = difflib.get_close_matches(name, [one.name for one in channels], 1)
        known = ", ".join(one.name for one in channels)
        advice = f"did you mean '{near[0]}'?" if near else f"there are {known}" if known else "see docs/telling.md"
        raise UsageError(f"there is no channel '{name}' in playbooks/telling.yml", advice)
    return found


def _row(one: Telling, zone: Zone) -> tuple[str, ...]:
    from immy_nornir.model.control.telling import ToldState

    state = one.state.value.replace("_", " ")
    if one.state is ToldState.WAITING and one.next_at:
        state = f"waiting until {zone.when(one.next_at)}"
    what = f"{one.message.title}: {one.outcome}" if one.outcome else one.message.title
    return (zone.when(one.at), one.message.channel, state, str(one.tries), what)


def _channel_row(one: Channel) -> tuple[str, ...]:
    by = "apprise" if one.apprise is not None else one.command[0]
    return (one.name, by, one.audience.value, " ".join(one.tenants) or "all, together", " ".join(sorted(one.events)))


def _plain_channel(one: Channel) -> dict[str, Any]:
    return {
        "name": one.name,
        "by": "apprise" if one.apprise is not None else "command",
        "command": list(one.command),
        "for": one.audience.value,
        "tenants": list(one.tenants),
        "events": sorted(one.events),
        "digest": one.digest.value,
        "quiet": one.quiet,
    }


def _plain(one: Telling) -> dict[str, Any]:
    message = dataclasses.asdict(one.message)
    del message["body"], message["lane"]
    return {
        "id": message.pop("key"),
        **message,
        "at": one.at,
        "state": one.state.value,
        "tries": one.tries,
        "next_at": one.next_at or None,
        "told_at": one.told_at,
        "outcome": one.outcome,
    }
