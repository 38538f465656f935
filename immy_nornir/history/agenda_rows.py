"""What is written down about schedules: since when each is watched, and what became of its occasions.

The key of an occasion is its schedule, part and due time: it begins once, in one transaction with its run. What was
skipped while the clock was far ahead may still begin (decide.agenda).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.decide.agenda import FUTURE_SECONDS, Deferred, Watch
from immy_nornir.history.projection import Statement, storable
from immy_nornir.model.control.schedules import KnownOccasion, Occasion, OccasionState
from immy_nornir.text import json

_WATCH = "watch:"
_COLUMNS = "schedule, part, due_at, told, state, at, run_id, reason"
_INSERT = f"INSERT OR REPLACE INTO occasions ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Left:
    """A session that somebody may take up, with what it is of."""

    deferred: Deferred
    run_id: str
    computer: str
    schedule: str
    """Of its run's occasion; empty where an operator began it."""
    occasion_due_at: float | None


@dataclass(frozen=True, slots=True)
class Written:
    """What a turn of the agenda reads."""

    watches: Mapping[str, Watch]
    known: Sequence[KnownOccasion]
    left: Sequence[Left]


def guard(one: Occasion, now: float) -> Statement:
    """The question that has an answer while an occasion may begin, or be skipped: nothing is known about it."""
    sql = (
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM occasions WHERE schedule=? AND part=? AND due_at=? "
        "AND NOT (state=? AND at>?))"
    )
    return sql, (
        storable(one.schedule),
        storable(one.part),
        one.due_at,
        OccasionState.SKIPPED.value,
        now + FUTURE_SECONDS,
    )


def row(known: KnownOccasion) -> Statement:
    """The statement that stores what became of an occasion."""
    one = known.occasion
    texts = [storable(text) for text in (one.schedule, one.part, one.told, known.run_id, known.reason)]
    schedule, part, told, run_id, reason = texts
    return _INSERT, (schedule, part, one.due_at, told, known.state.value, known.at, run_id, reason)


def watch_row(schedule: str, watch: Watch | None) -> Statement:
    """The statement that stores since when a schedule says what it says; None forgets it, with all that it owes."""
    if watch is None:
        return "DELETE FROM meta WHERE name=?", (storable(f"{_WATCH}{schedule}"),)
    value = json.line({"rule": watch.rule, "since": watch.since})
    return "INSERT OR REPLACE INTO meta (name, value) VALUES (?,?)", (storable(f"{_WATCH}{schedule}"), value)


def watches(connection: sqlite3.Connection) -> dict[str, Watch]:
    """Since when each schedule is watched; one whose row is damaged is watched from now on."""
    found = {}
    for name, value in connection.execute("SELECT name, value FROM meta WHERE name LIKE 'watch:%'"):
        try:
            read = json.parse(value)
            found[name.removeprefix(_WATCH)] = Watch(str(read["rule"]), float(read["since"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def deferred(connection: sqlite3.Connection) -> list[Left]:
    """The sessions that wait with nobody at them, and those that a process left which was at an occasion's run."""
    sql = (
        "SELECT s.id, s.run_id, s.computer, s.status, s.waiting, s.due_at, o.schedule, o.due_at FROM sessions s "
        "LEFT JOIN occasions o ON o.run_id=s.run_id AND o.run_id<>'' "
        # Word for word the condition of the index of open sessions: else each turn reads all that ever were.
        "WHERE s.status IN ('created', 'running', 'waiting', 'interrupted') AND ((s.status='waiting' AND s.owner='') "
        "OR (s.status='interrupted' AND o.schedule IS NOT NULL))"
    )
    found = []
    for session, run_id, computer, status, waiting, due_at, schedule, occasion_due in connection.execute(sql):
        kind = (str(waiting or "").partition(":")[0] or "unknown") if status == "waiting" else ""
        due = float(due_at) if status == "waiting" and isinstance(due_at, int | float) else 0.0
        since = float(occasion_due) if isinstance(occasion_due, int | float) else None
        found.append(Left(Deferred(session, kind, due, run=run_id), run_id, computer, schedule or "", since))
    return found
