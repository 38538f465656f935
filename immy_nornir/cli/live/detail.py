"""One computer's session while it is watched: its actions with status, what was done, and what its jobs write."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from immy_nornir.cli.live.picture import Row, View
from immy_nornir.cli.times import clock, offset_of
from immy_nornir.history.rows import ActionRow
from immy_nornir.history.tables.following import Event, Followed
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import Outcome
from immy_nornir.model.record.words import STATES, said, word
from immy_nornir.report.words import count

_URGENT = ("failed", "cancelled", "unknown")
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Detail:
    """What is known of one session."""

    session: Followed
    what: str
    actions: Sequence[ActionRow]
    log: Sequence[str] = ()
    """What was done, and what jobs wrote."""


def detail_of(one: Detail, now: float, height: int, back: int = 0, *, whole: bool = False) -> View:
    """What is to be seen in so many lines: `back` lines before the last one, or with `whole` all actions from there."""
    heads = _heads(one, now)
    room = max(height - len(heads), _FEWEST)
    rows = [action_row(action, now) for action in one.actions]
    if whole:
        start = max(0, min(back, len(rows) - room))
        return View(0, 0, heads, "", tuple(rows[start : start + room]))
    lines = list(one.log)
    most = max(room // 3, room - len(lines), _FEWEST)
    shown = _pressing(one.actions, rows, most)
    free = max(room - len(shown), 1)
    end = max(min(free, len(lines)), len(lines) - back)
    return View(0, 0, heads, "", tuple(shown), tuple(lines[max(0, end - free) : end]))


def _heads(one: Detail, now: float) -> tuple[str, ...]:
    row = one.session
    began = row.started_at or row.created_at
    times = f"began {time.strftime('%H:%M:%S', time.localtime(began))} ({offset_of(began)})"
    took = clock((row.ended_at or now) - began)
    about = f"{row.computer} ({row.tenant}), {row.type}, session {row.id}: {word(row.status)}"
    parts = f"{times}, {took}; stage {row.stage or 'none'}; {count(row.reboots, 'reboot')}"
    return tuple(filter(None, (about, parts, one.what)))


def _pressing(actions: Sequence[ActionRow], rows: list[Row], most: int) -> list[Row]:
    """The actions, and where there is no room for all of them those first that are under way or ended badly."""
    if len(rows) <= most:
        return rows
    order = sorted(range(len(rows)), key=lambda number: (_rank(actions[number]), number))
    kept = sorted(order[: most - 1])
    return [*(rows[number] for number in kept), Row(f"and {len(rows) - len(kept):,} more", "", "", "")]


def _rank(action: ActionRow) -> int:
    if action.status in ("running", "retry"):
        return 0
    if action.outcome in _URGENT:
        return 1
    return 2 if action.outcome is None else 3


def action_row(action: ActionRow, now: float) -> Row:
    """One action of a session as a row."""
    state = said(action.outcome, Outcome) if action.outcome else STATES.get(action.status, action.status)
    began, ended = action.began_at, action.ended_at
    elapsed = "" if began is None else clock((ended or now) - began)
    kind = said(action.type, ActionType)
    return Row(action.id, elapsed, state, f"{kind}: {action.message or action.why}", failed=action.outcome == "failed")


def log_lines(events: Sequence[Event]) -> list[str]:
    """What was done, with the time, and what jobs wrote below it."""
    found = []
    for event in events:
        if event.kind != "JobSeen":
            found.append(f"{time.strftime('%H:%M:%S', time.localtime(event.at))} {event.text}")
        found += [f"         | {line}" for line in event.output.splitlines()]
    return found
