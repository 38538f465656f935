"""`immy watch`: a run, or a computer, as it is at work in another process; only the history is read."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from immy_nornir.cli import completing, screens, startup
from immy_nornir.cli.approving.choice import Chosen as Sessions
from immy_nornir.cli.approving.choice import find
from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from immy_nornir.cli.live.screen import Chosen
    from immy_nornir.cli.live.watched import Watch, Watched
    from immy_nornir.history.queries import Reader, RunRow
    from immy_nornir.model.control.orders import OrderKind


@click.command()
@click.argument("what", metavar="[RUN|COMPUTER]", required=False, shell_complete=completing.watched)
@click.option("--once", is_flag=True, help="Show how it stands, and end.")
@click.option("--after", metavar="CURSOR", help="Tell only what came after this cursor of a line that was read before.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="As text for people, or an event a line as JSON for programs, each with a cursor.",
)
@click.pass_context
def watch(ctx: click.Context, what: str | None, after: str | None, form: str, *, once: bool) -> None:
    """Watch a run, or a computer, that is at work in any process, until it has ended.

    RUN is an id, or its beginning; a session's id does, too. Without it: the run that is at work, else the newest.
    Nothing is changed but by keys that order something. In a pipe it is a line for each event.

    Exit codes: those of the run; 0 with --once, and where you stop watching.
    """
    from immy_nornir.cli.live import told
    from immy_nornir.cli.live.watched import Watched
    from immy_nornir.history.queries import FILE, Reader
    from immy_nornir.history.tables.following import cursor_of

    root = startup.root_of(ctx)
    state = startup.state_of(ctx, root)
    with Reader(state / FILE) as reader:
        watched = Watched(reader, _named(reader, what))
        cursor = None if after is None else watched.following.check(cursor_of(after))
        if form == "jsonl":
            told.tell_json(watched, cursor, once=once)
        elif once:
            told.tell_once(watched)
        elif cursor is None and is_screen():
            ctx.exit(_on_screen(root, state, watched))
        else:
            told.tell_lines(watched, cursor)
        ctx.exit(0 if once else watched.code)


def _on_screen(root: Path, state: Path, watched: Watched) -> int:
    """Watch on the terminal; the exit code."""
    from immy_nornir.cli.approving.from_screen import order_from_screen
    from immy_nornir.cli.live import told
    from immy_nornir.cli.live.screen import watch_on_screen

    def order(kind: OrderKind, chosen: Chosen) -> None:
        order_from_screen(root, state, kind, chosen.name, _meant(watched.watch, chosen))

    over = watch_on_screen(watched, order)
    told.tell_once(watched)
    if over:
        return watched.code
    say(f"it goes on; {startup.command(f'watch {watched.watch.name}')} shows it again")
    return 0


def _meant(watch: Watch, chosen: Chosen) -> Sessions:
    if chosen.session:
        return Sessions((chosen.session,))
    return Sessions(run=watch.run, tenant=chosen.tenant or None)


def _named(reader: Reader, what: str | None) -> Watch:
    """What is meant: a run, a session, or a computer's newest session. Raises: UsageError with what is near."""
    from immy_nornir.cli.live.watched import Watch
    from immy_nornir.history.queries import Asked

    if what is None:
        return Watch(run=_chosen(reader))
    runs = reader.runs()
    exact = [one.id for one in runs if one.id == what]
    if not exact and not reader.sessions(Asked(ids=[what])) and not reader.sessions(Asked(computer=what, limit=1)):
        exact = [one.id for one in runs if one.id.startswith(what)]
    if len(exact) > 1:
        raise UsageError(f"'{what}' is the beginning of {len(exact)} runs", f"such as {', '.join(exact[:4])}")
    return Watch(run=exact[0]) if exact else Watch(session=find(reader, what).id)


def _chosen(reader: Reader) -> str:
    """The run that is at work, else the newest; of several whichever the operator says. Raises: UsageError."""
    runs = reader.runs()
    at_work = [one for one in runs if one.status == "running"]
    if not runs:
        raise UsageError("the history holds no run yet", "immy run makes one")
    if len(at_work) < 2:
        return (at_work or runs)[0].id
    if not startup.is_terminal():
        names = ", ".join(one.id for one in at_work[:4])
        raise UsageError(f"{len(at_work)} runs are at work", f"name one of them, such as {names}")
    return _asked(reader, at_work)


def _asked(reader: Reader, runs: list[RunRow]) -> str:
    screens.show_runs(runs, reader.statuses_of_runs(), time.time())
    ids = [one.id for one in runs]
    say(f"Which one? [1-{len(ids)}, or its id; Enter: {ids[0]}]: ", err=True, nl=False)
    said = sys.stdin.readline().strip()
    if said.isdecimal() and 1 <= int(said) <= len(ids):
        return ids[int(said) - 1]
    found = [one for one in ids if said and one.startswith(said)] or ids[: not said]
    if len(found) != 1:
        raise UsageError(f"'{said}' is none of these runs", "type its number, or its id")
    return found[0]


def is_screen() -> bool:
    """Whether a picture can be drawn, again and again."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
