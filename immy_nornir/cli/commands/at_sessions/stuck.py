"""`immy sessions stuck`: what holds the sessions that are open, and what to type; a subcommand of `immy sessions`."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import options, startup
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.times import Zone, clock
from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.decide.health.stuck import Holding, Stuck

SCHEMA_VERSION = 1
_UNTIL = {
    "away": "waited for until",
    "silent_job": "deadline",
    "deadline": "deadline",
    "reboot": "waited for until",
    "window": "from",
    "retry": "at",
}


@click.command()
@options.form
@click.pass_context
def stuck(ctx: click.Context, form: str) -> None:
    """Name every session that is open and does not simply work: why, since when, until when, and what to type.

    Exit codes: 0 none, or all of them go on by themselves when it is time; 1 one of them needs somebody.
    """
    from immy_nornir.cli.commands.scheduling.schedule_run import service_of
    from immy_nornir.decide.health.stuck import Surroundings
    from immy_nornir.decide.health.stuck import stuck as find
    from immy_nornir.history.queries import FILE, Reader

    root = startup.root_of(ctx)
    now = time.time()
    state = startup.state_of(ctx, root)
    health, service = service_of(state)
    frozen = startup.frozen_by(root) or (str(health.get("frozen", "")) if service else "")
    with Reader(state / FILE) as reader:
        around = Surroundings(now, socket.gethostname(), frozen, service)
        found, total = find(reader.open_sessions(), around)
    if form == "json":
        document = {"schema_version": SCHEMA_VERSION, "open": total, "stuck": [_plain(one) for one in found]}
        say_json(json.indented(document))
    else:
        for line in _lines(found, total, now):
            say(line)
    ctx.exit(1 if any(one.needs_somebody for one in found) else 0)


def _plain(one: Stuck) -> dict[str, Any]:
    session = one.session
    causes = [
        {
            **dataclasses.asdict(each),
            "next": [{"command": startup.command(step.words), "why": step.why} for step in each.next],
        }
        for each in one.causes
    ]
    names = {"session": session.id, "run": session.run_id, "computer": session.computer, "tenant": session.tenant}
    return {**names, "status": session.status, "needs_somebody": one.needs_somebody, "causes": causes}


def _lines(found: Sequence[Stuck], total: int, now: float) -> Iterator[str]:
    if not found:
        yield "no session is stuck" + (f"; {total:,} at work, or waiting for their turn" if total else "; none is open")
        return
    zone = Zone(at for one in found for each in one.causes for at in (each.since, each.until))
    needing = sum(one.needs_somebody for one in found)
    told = f"; times are {zone.offset}" if zone.offset else ""
    yield f"{len(found):,} of {total:,} open sessions are not simply at work, {needing:,} need somebody{told}"
    for one in found:
        mark = "needs somebody" if one.needs_somebody else "goes on by itself"
        yield f"{one.session.computer}  session {one.session.id}  ({mark})"
        for each in one.causes:
            yield from _told(each, zone, now)


def _told(each: Holding, zone: Zone, now: float) -> Iterator[str]:
    yield f"  {each.cause}: {each.what}"
    times = []
    if each.since is not None:
        times.append(f"since {zone.when(each.since)} ({clock(now - each.since)})")
    if each.until is not None:
        left = f"in {clock(each.until - now)}" if each.until >= now else f"{clock(now - each.until)} ago"
        times.append(f"{_UNTIL.get(each.cause, 'until')} {zone.when(each.until)} ({left})")
    if times:
        yield f"    {'; '.join(times)}"
    for line in each.evidence:
        yield f"    | {line}"
    if each.advice:
        yield f"    {each.advice}"
    for step in each.next:
        yield f"    next: {startup.command(step.words)}  ({step.why})"
