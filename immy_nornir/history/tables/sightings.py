"""Sightings: who was logged on with a desktop, once for each computer, person and day.

Rows are made from the entries in which a computer tells who is there; whose computer it is, is decided from them
(decide.resolve.primary_user).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from immy_nornir.decide.plan.users import logons_of
from immy_nornir.decide.times.time_zones import own_zone, zone_of
from immy_nornir.errors import ImmyError
from immy_nornir.model.facts import Identity, Logon, LogonState, Sighting

_NEWEST: Final = 200
"""More than count: some are of accounts that do not."""
_SEEN = (
    "INSERT INTO sightings (computer, day, user, at, state) VALUES (?,?,?,?,?) ON CONFLICT (computer, day, user) "
    "DO UPDATE SET at=max(at, excluded.at), user=CASE WHEN excluded.at >= at THEN excluded.user ELSE user END, "
    "state=CASE WHEN instr(?, excluded.state) < instr(?, state) THEN excluded.state ELSE state END"
)
_BEST_FIRST = " ".join((LogonState.ACTIVE, LogonState.UNKNOWN, LogonState.LOCKED, LogonState.DISCONNECTED))


def seen(
    computer: str, who: Identity | Sequence[Logon], said: str, reported: object, at: float
) -> list[tuple[str, tuple[Any, ...]]]:
    """The statements that store who is there now; `said` and `reported` are the computer's zone, as in own_zone.

    Sessions without a desktop do not count: nobody sits there.
    """
    logons = logons_of(who) if isinstance(who, Identity) else who
    there = [one for one in logons if one.desktop and one.name]
    if not there:
        return []
    day = _day(said, reported, at)
    order = (_BEST_FIRST, _BEST_FIRST)
    return [(_SEEN, (computer, day, one.name, at, one.state.value, *order)) for one in there]


def _day(said: str, reported: object, at: float) -> str:
    try:
        zone = zone_of(own_zone(said, reported))
    except ImmyError:
        return datetime.fromtimestamp(at, UTC).date().isoformat()
    return datetime.fromtimestamp(at, zone).date().isoformat()


def sightings(connection: sqlite3.Connection, computer: str) -> tuple[Sighting, ...]:
    """The newest sightings of a computer, newest first; none in a history of old that cannot be written."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name='sightings'").fetchone() is None:
        return ()
    sql = "SELECT user, day, at, state FROM sightings WHERE computer=? ORDER BY day DESC, at DESC, user LIMIT ?"
    rows = connection.execute(sql, (computer, _NEWEST)).fetchall()
    return tuple(Sighting(str(user), str(day), float(at), _state(state)) for user, day, at, state in rows)


def _state(text: object) -> LogonState:
    return next((one for one in LogonState if one == text), LogonState.UNKNOWN)
