"""Watching without a screen: one picture, a line for each event as it comes, or events as JSON with a cursor."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.live.detail import detail_of
from immy_nornir.cli.live.picture import Row, View, heads_of, view_of
from immy_nornir.cli.live.progress import is_worth_a_line
from immy_nornir.cli.times import offset_of
from immy_nornir.text import json
from immy_nornir.text.visible import visible

if TYPE_CHECKING:
    from immy_nornir.cli.live.watched import Watched
    from immy_nornir.history.tables.following import Cursor, Event

SCHEMA_VERSION = 1
LOOK_SECONDS = 0.5
_ROWS = 40
"""Lines of a picture in a pipe."""


def plain_lines(view: View) -> Iterator[str]:
    """A view as lines for a pipe: whole, without colours."""
    yield from view.heads
    columns = [max((len(cell) for cell in one), default=0) for one in zip(*map(_cells, view.rows), strict=True)]
    for row in view.rows:
        cells = _cells(row)
        told = [cell.ljust(wide) for cell, wide in zip(cells, columns, strict=True)]
        yield f"  {'  '.join([*told, row.what]).rstrip()}" + (f"  ({row.until})" if row.until else "")
    yield from view.lines


def _cells(row: Row) -> tuple[str, str, str]:
    return row.name, row.elapsed, row.stage


def picture(watched: Watched, now: float, height: int) -> View:
    """What is to be seen of what is watched, in so many lines."""
    if watched.session is not None:
        return detail_of(watched.detail(), now, height)
    return view_of(watched.seen(now), now, height)


def tell_once(watched: Watched) -> None:
    """Say one picture on standard output."""
    view = picture(watched, time.time(), _ROWS)
    if sys.stdout.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"):
        from immy_nornir.cli.live.progress import show

        show(view)
        return
    for line in plain_lines(view):
        say(visible(line))


def tell_lines(watched: Watched, after: Cursor | None) -> None:
    """Say how it stands, then a line for each event as it comes, then how it stands at the end."""
    seen = watched.following.newest() if after is None else after
    say(f"times are local ({offset_of(time.time())})")
    if after is None:
        tell_once(watched)
    for event in _events(watched, seen):
        for line in lines_of(event, alone=watched.session is not None):
            say(visible(line))
        sys.stdout.flush()
    if watched.session is not None:
        tell_once(watched)
    else:
        for line in heads_of(watched.seen(time.time())):
            say(line)


def lines_of(event: Event, *, alone: bool) -> Iterator[str]:
    """An event as lines; of one session alone everything is told, with what its jobs write."""
    at = time.strftime("%H:%M:%S", time.localtime(event.at))
    name = event.computer if event.session else f"run {event.run}"
    if (alone or not event.session or is_worth_a_line(event.kind, event.about)) and event.kind != "JobSeen":
        yield f"{at} {name}: {event.text}"
    if alone:
        yield from (f"         | {line}" for line in event.output.splitlines())


def tell_json(watched: Watched, after: Cursor | None, *, once: bool) -> None:
    """Say each event as a line of JSON; whoever goes on behind the last cursor misses nothing and gets none twice."""
    seen = watched.following.oldest() if after is None else after
    for event in _events(watched, seen, once=once):
        told = {
            "schema_version": SCHEMA_VERSION,
            "cursor": str(event.cursor),
            "at": event.at,
            "run": event.run,
            "session": event.session,
            "computer": event.computer,
            "tenant": event.tenant,
            "seq": event.seq,
            "kind": event.kind,
            "about": event.about,
            "text": event.text,
            "output": event.output,
        }
        say_json(json.line({name: value for name, value in told.items() if value != ""}))
        sys.stdout.flush()


def _events(watched: Watched, seen: Cursor, *, once: bool = False) -> Iterator[Event]:
    """Events as they come, until nobody is at it any more."""
    while True:
        watched.look()
        over = once or watched.over  # what was written before is read below
        while True:
            events, end = watched.following.events(seen)
            yield from events
            if end == seen:
                break
            seen = end
        if over:
            return
        time.sleep(LOOK_SECONDS)
