"""Slots that all processes of a history share, as rows; a dead process's are gone with it.

Who waits has a row too, so that the processes serve each other in the order of coming; one that was not renewed for
some seconds waits no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

WAITS_SECONDS = 30.0
"""So long a session that waits is believed to wait still; it asks every few seconds."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a session, its computer, and the process that it is in."""

    session: str
    computer: str
    owner: str
    now: float


def take(
    connection: sqlite3.Connection,
    asker: Asker,
    most: Mapping[str, int],
    is_alive: Callable[[str], bool],
    *,
    force: bool,
) -> str:
    """Empty when all of these slots are the session's now; else who has one of them."""
    marks = ",".join("?" * len(most))
    sql = f"SELECT name, session_id, owner, computer, since, seen_at, held FROM slots WHERE name IN ({marks})"  # noqa: S608 - marks only
    rows = connection.execute(sql, tuple(most)).fetchall()
    alive = {owner: owner == asker.owner or is_alive(owner) for owner in {row[2] for row in rows}}
    for owner in (owner for owner, lives in alive.items() if not lives):
        connection.execute("DELETE FROM slots WHERE owner=?", (owner,))
    others = [row for row in rows if alive[row[2]] and row[1] != asker.session]
    since = min((row[4] for row in rows if row[1] == asker.session), default=asker.now)
    told = "" if force else _told(others, asker, most, since)
    upsert = (
        "INSERT INTO slots (name, session_id, owner, computer, since, seen_at, held) VALUES (?,?,?,?,?,?,?) "
        "ON CONFLICT (name, session_id) DO UPDATE SET owner=excluded.owner, seen_at=excluded.seen_at, "
        "held=max(held * (owner=excluded.owner), excluded.held)"
    )
    values = [(name, asker.session, asker.owner, asker.computer, since, asker.now, 0 if told else 1) for name in most]
    connection.executemany(upsert, values)
    return told


def _told(
    others: list[tuple[str, str, str, str, float, float, int]], asker: Asker, most: Mapping[str, int], since: float
) -> str:
    for name, number in most.items():
        taken = [row for row in others if row[0] == name and row[6]]
        before = [
            row
            for row in others
            if row[0] == name
            and not row[6]
            and row[5] > asker.now - WAITS_SECONDS
            and (row[4], row[1]) < (since, asker.session)
        ]
        if len(taken) + len(before) >= number:
            there = (taken or before)[0]
            word = "taken by" if taken else "waited for longer by"
            return f"{word} {there[3]} (session {there[1]}, process {there[2]})"
    return ""


def keep(session: str, keys: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """The statement that gives back all slots of a session but these."""
    marks = ",".join("?" * len(keys))
    return f"DELETE FROM slots WHERE session_id=? AND name NOT IN ({marks})", (session, *keys)  # noqa: S608 - marks only
