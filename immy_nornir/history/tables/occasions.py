"""What is known of schedules' occasions: which of them began, were skipped, and whether their runs have ended.

Functions of a reading connection; `queries.Reader` offers them. A history of before there were schedules knows none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from immy_nornir.model.control.schedules import KnownOccasion, Occasion, OccasionState

_COLUMNS = (
    "o.schedule, o.part, o.due_at, o.told, o.state, o.at, o.run_id, o.reason, r.ended_at IS NOT NULL AS ended "
    "FROM occasions o LEFT JOIN runs r ON r.id=o.run_id"
)


def since(connection: sqlite3.Connection, due_at: float = 0.0) -> list[KnownOccasion]:
    """All occasions that were due at an instant or later, in the order of their due times."""
    return _read(connection, f"SELECT {_COLUMNS} WHERE o.due_at>=? ORDER BY o.due_at, o.schedule, o.part", [due_at])


def for_agenda(connection: sqlite3.Connection, due_at: float, runs: Collection[str]) -> list[KnownOccasion]:
    """As `since`, and besides those the occasions of these runs, whenever they were due."""
    marks = ",".join("?" * len(runs))
    # Two questions: of one with OR every occasion is read. An index is for what has a run.
    older = f"SELECT {_COLUMNS} WHERE o.run_id IN ({marks}) AND o.run_id<>'' AND o.due_at<?"
    return [*_read(connection, older, [*runs, due_at]), *since(connection, due_at)]


def last(connection: sqlite3.Connection) -> dict[str, KnownOccasion]:
    """The newest occasion of each schedule about which something is written, by the schedule's name."""
    newest = "SELECT schedule AS s, max(due_at) AS due FROM occasions GROUP BY schedule"
    sql = f"SELECT {_COLUMNS} JOIN ({newest}) n ON n.s=o.schedule AND n.due=o.due_at ORDER BY o.part DESC"
    return {one.occasion.schedule: one for one in _read(connection, sql, [])}


def _read(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[KnownOccasion]:
    try:
        rows = connection.execute(sql, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    return [one for row in rows if (one := _known(row)) is not None]


def _known(row: Sequence[Any]) -> KnownOccasion | None:
    """A row as a value; of a damaged one what can be told, and none where its key is no key."""
    schedule, part, due_at, told, state, at, run_id, reason, ended = row
    if not isinstance(schedule, str) or not isinstance(due_at, int | float):
        return None
    occasion = Occasion(schedule, str(part), float(due_at), str(told))
    moment = float(at) if isinstance(at, int | float) else float(due_at)
    try:
        known = OccasionState(state)
    except ValueError:
        why = f"its row is damaged: its state is {state!r:.40}"
        return KnownOccasion(occasion, OccasionState.SKIPPED, moment, str(run_id), why)
    return KnownOccasion(occasion, known, moment, str(run_id), str(reason), bool(ended))
