"""Records of sessions and runs read whole, what else is kept as JSON (facts, desires, output of jobs), and freezes.

Functions of a connection, for the store's thread and for readers alike; rows of sessions are in `queries`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from immy_nornir.decide.health.stuck import OpenSession
from immy_nornir.decide.steps.state import fold_all
from immy_nornir.history import codec
from immy_nornir.history.tables import sightings
from immy_nornir.model.control.holds import Freeze
from immy_nornir.model.control.orders import Order, OrderKind
from immy_nornir.model.facts import Facts
from immy_nornir.model.items import Item
from immy_nornir.model.plan import Desire
from immy_nornir.model.record.entries import JobEnded, JobSeen, Resolved, Stamped
from immy_nornir.model.record.run import RunSpec, RunStamped
from immy_nornir.model.record.session import TERMINAL, SessionSpec, Status
from immy_nornir.text import json

DAMAGE = (Exception,)
"""What reading damaged bytes may raise: they are unpacked, parsed, and made values of classes."""


def record(
    connection: sqlite3.Connection, session_id: str, known: dict[str, Item] | None = None
) -> tuple[SessionSpec, dict[str, Item], list[Stamped]] | None:
    """A session's whole record with the definitions that it pinned; None when there is none.

    Who reads many gives a dict that keeps the definitions: most sessions have the same ones.
    """
    row = connection.execute("SELECT spec FROM sessions WHERE id=?", (session_id,)).fetchone()
    if row is None:
        return None
    spec: SessionSpec = codec.load(json.parse(codec.unpack(row[0])), SessionSpec)
    entries: list[Stamped] = []
    digests: set[str] = set()
    sql = "SELECT seq, at, data, packed FROM entries WHERE session_id=? ORDER BY seq"
    for seq, at, data, packed in connection.execute(sql, (session_id,)):
        entry = codec.entry_from(_text(data, packed))
        if isinstance(entry, Resolved):
            digests |= {one.definition for one in entry.desires if one.definition}
        entries.append(Stamped(seq, at, entry))
    if known is None:
        return spec, definitions(connection, digests), entries
    known |= definitions(connection, digests - known.keys())
    return spec, {digest: known[digest] for digest in digests if digest in known}, entries


def _text(data: str, packed: bytes | None) -> str:
    return codec.unpack(packed) if packed is not None else data


def definitions(connection: sqlite3.Connection, digests: set[str]) -> dict[str, Item]:
    """Stored item definitions by hash."""
    found: dict[str, Item] = {}
    for digest in digests:
        row = connection.execute("SELECT data FROM blobs WHERE hash=?", (digest,)).fetchone()
        if row is not None:
            found[digest] = codec.load(json.parse(codec.unpack(row[0])), Item)
    return found


def open_sessions(connection: sqlite3.Connection, is_alive: Callable[[str], bool]) -> Iterator[OpenSession]:
    """Every session that has not ended, oldest first, with its record, its owner's life, and who has its computer."""
    marks = ",".join("?" * len(TERMINAL))
    columns, order = "id, computer, tenant, run_id, status, owner", "created_at, number"
    sql = f"SELECT {columns} FROM sessions WHERE status NOT IN ({marks}) ORDER BY {order}"  # noqa: S608 - marks
    rows = connection.execute(sql, sorted(TERMINAL)).fetchall()
    active = {
        row[0]: (str(row[1]), str(row[2]))
        for row in connection.execute("SELECT computer, session_id, owner FROM active")
    }
    ordered, scheduled, shared = _open_orders(connection), _scheduled(connection), dict[str, Item]()
    for row in rows:
        one, computer, tenant, run_id, status, owner = map(str, row)
        holder, holders = active.get(computer, ("", ""))
        has_other = bool(holder) and holder != one and is_alive(holders)
        known, damage = Status.RUNNING, "" if status in set(Status) else f"its status is {status!r:.60}"
        state, entries = None, list[Stamped]()
        if not damage:
            known = Status(status)
            try:
                whole = record(connection, one, shared)
                if whole is not None:
                    state, entries = fold_all(*whole), whole[2]
            except DAMAGE as error:
                damage = f"{type(error).__name__}: {error}"[:200]
        yield OpenSession(
            one,
            computer,
            tenant,
            run_id,
            known,
            owner,
            bool(owner) and is_alive(owner),
            damage,
            state,
            entries,
            holder if has_other else "",
            holders if has_other else "",
            tuple(ordered.get(one, ())),
            run_id in scheduled,
        )


def _scheduled(connection: sqlite3.Connection) -> set[str]:
    """The open runs of schedules; a history that is only read may be from before schedules."""
    sql = "SELECT o.run_id FROM occasions o JOIN runs r ON r.id=o.run_id WHERE r.ended_at IS NULL"
    with contextlib.suppress(sqlite3.OperationalError):
        return {str(run_id) for (run_id,) in connection.execute(sql)}
    return set()


def _open_orders(connection: sqlite3.Connection) -> dict[str, list[Order]]:
    """Orders that nobody has answered, by their session; a history that is only read may be from before orders."""
    found: dict[str, list[Order]] = {}
    sql = "SELECT id, at, by, kind, session_id, reason FROM orders WHERE ended_at IS NULL ORDER BY id"
    with contextlib.suppress(sqlite3.OperationalError):
        for row in connection.execute(sql):
            if row[3] in set(OrderKind):
                order = Order(int(row[0]), float(row[1]), str(row[2]), OrderKind(row[3]), str(row[4]), str(row[5]))
                found.setdefault(order.session_id, []).append(order)
    return found


def run_record(connection: sqlite3.Connection, run_id: str) -> tuple[RunSpec, list[RunStamped]] | None:
    """A run's whole record; None when there is none, or it is from before runs were records."""
    row = connection.execute("SELECT spec FROM runs WHERE id=?", (run_id,)).fetchone()
    if row is None or row[0] is None:
        return None
    sql = "SELECT seq, at, data FROM run_entries WHERE run_id=? ORDER BY seq"
    rows = connection.execute(sql, (run_id,))
    return _run_spec(row[0]), [RunStamped(seq, at, codec.run_entry_from(data)) for seq, at, data in rows]


def rerun_of(connection: sqlite3.Connection, session_id: str) -> tuple[str, str]:
    """The session that one repeats, and why; both empty where it repeats none, or where that is damaged."""
    sql = "SELECT s.spec, r.spec FROM sessions s LEFT JOIN runs r ON r.id=s.run_id WHERE s.id=?"
    row = connection.execute(sql, (session_id,)).fetchone()
    try:
        spec: SessionSpec = codec.load(json.parse(codec.unpack(row[0])), SessionSpec)
        return spec.rerun_of, _run_spec(row[1]).reason if spec.rerun_of and row[1] else ""
    except DAMAGE:
        return "", ""


def run_specs(connection: sqlite3.Connection) -> list[RunSpec]:
    """What every run was asked to do that is a record and has not ended, newest first."""
    sql = "SELECT spec FROM runs WHERE spec IS NOT NULL AND status<>'ended' ORDER BY started_at DESC, id DESC"
    found = []
    for row in connection.execute(sql):
        with contextlib.suppress(Exception):  # a damaged one is as a run of old: its sessions go on by themselves
            found.append(_run_spec(row[0]))
    return found


def _run_spec(packed: bytes) -> RunSpec:
    spec: RunSpec = codec.load(json.parse(codec.unpack(packed)), RunSpec)
    return spec


def outputs(connection: sqlite3.Connection, session_id: str) -> dict[str, str]:
    """What the jobs of a session wrote, by job, as far as it stands in entries."""
    written: dict[str, list[str]] = {}
    sql = (
        "SELECT data, packed FROM entries WHERE session_id=? AND kind IN ('JobSeen', 'JobEnded') "
        "AND (packed IS NOT NULL OR data LIKE '%\"output\":%') ORDER BY seq"
    )
    for data, packed in connection.execute(sql, (session_id,)):
        entry = None
        with contextlib.suppress(*DAMAGE):  # what others of its entries tell is still worth reading
            entry = codec.entry_from(_text(data, packed))
        if isinstance(entry, JobSeen | JobEnded):
            written.setdefault(entry.job_id, []).append(entry.output)
    return {job: "".join(texts) for job, texts in written.items()}


def facts(connection: sqlite3.Connection, computer: str) -> Facts:
    """The last known facts of a computer, with their age; what is damaged is not known."""
    sql = "SELECT section, value, collected_at FROM facts WHERE computer=?"
    values, ages = {}, {}
    for section, value, collected_at in connection.execute(sql, (computer,)).fetchall():
        with contextlib.suppress(*DAMAGE):
            values[section], ages[section] = json.parse(codec.unpack(value)), float(collected_at)
    return Facts(values, ages, sightings.sightings(connection, computer))


def zones(connection: sqlite3.Connection) -> dict[str, str]:
    """The time zones that computers have reported, as far as they are known."""
    found = {}
    for computer, value in connection.execute("SELECT computer, value FROM facts WHERE section='system'"):
        with contextlib.suppress(*DAMAGE):
            found[computer] = str(json.parse(codec.unpack(value)).get("time_zone") or "")
    return found


def last_desires(
    connection: sqlite3.Connection, computer: str, before: str, now: tuple[Desire, ...]
) -> tuple[Desire, ...] | None:
    """What the computer's last session before this one pinned; `now` itself where nothing has changed since.

    None where there is no such session, or its record is damaged.
    """
    sql = (
        "SELECT e.data, e.packed FROM entries e JOIN sessions s ON s.id=e.session_id WHERE s.computer=? "
        "AND (s.created_at, s.run_id, s.number) < (SELECT created_at, run_id, number FROM sessions WHERE id=?) "
        "AND e.kind='Resolved' ORDER BY s.created_at DESC, s.run_id DESC, s.number DESC, e.seq DESC LIMIT 1"
    )
    row = connection.execute(sql, (computer, before)).fetchone()
    if row is None:
        return None
    try:
        text = _text(*row)
        if now and codec.resolves_to(text, now):
            return now
        entry = codec.entry_from(text)
    except DAMAGE:
        return None
    return entry.desires if isinstance(entry, Resolved) else None


# --- freezes, and how long work took ----------------------------------------------------------------------------

_FREEZE: Final = "id, at, by, pattern, until, reason, lifted_at, lifted_by"
FREEZES_IN_FORCE: Final = (
    f"SELECT {_FREEZE} FROM freezes WHERE lifted_at IS NULL AND (until IS NULL OR until>?) ORDER BY id"  # noqa: S608 - constants
)
ALL_FREEZES: Final = f"SELECT {_FREEZE} FROM freezes ORDER BY id DESC"  # noqa: S608 - constants
_ADD: Final = "INSERT INTO freezes (at, by, pattern, until, reason) VALUES (?,?,?,?,?)"
_LIFT: Final = "UPDATE freezes SET lifted_at=?, lifted_by=? WHERE id=? AND lifted_at IS NULL"


def freeze_of(row: Sequence[object]) -> Freeze:
    """A row as a value; what is damaged counts as in force."""
    number, at, by, pattern, until, reason, lifted_at, lifted_by = row
    return Freeze(
        int(str(number)),
        float(at) if isinstance(at, int | float) else 0.0,
        str(by),
        str(pattern),
        float(until) if isinstance(until, int | float) else None,
        str(reason),
        float(lifted_at) if isinstance(lifted_at, int | float) else None,
        str(lifted_by),
    )


def add_freeze(connection: sqlite3.Connection, freeze: Freeze) -> Freeze:
    """Store one; the answer has its number."""
    values = (freeze.at, freeze.by, freeze.pattern, freeze.until, freeze.reason)
    number = connection.execute(_ADD, values).lastrowid
    return replace(freeze, id=number or 0)


def lift_freezes(connection: sqlite3.Connection, numbers: Sequence[int], at: float, by: str) -> list[int]:
    """Lift those of these numbers that are in force; the numbers of those."""
    return [one for one in numbers if connection.execute(_LIFT, (at, by, one)).rowcount]


TOOK_SESSIONS: Final = (
    "SELECT sum(a.ended_at - a.began_at) + coalesce((SELECT sum(r.ended_at - coalesce(r.asked_at, r.intended_at)) "
    "FROM reboots r WHERE r.session_id=s.id AND r.ended_at IS NOT NULL), 0) "
    "FROM sessions s JOIN actions a ON a.session_id=s.id "
    "WHERE s.computer=? AND s.type=? AND s.ended_at IS NOT NULL AND a.began_at IS NOT NULL AND a.ended_at>=a.began_at "
    "GROUP BY s.id ORDER BY s.created_at DESC LIMIT ?"
)
"""The work of a computer's sessions of one type, reboots included and waits for windows not."""
TOOK_ITEM: Final = (
    "SELECT ended_at - began_at FROM actions "
    "WHERE item=? AND began_at IS NOT NULL AND ended_at>=began_at ORDER BY ended_at DESC LIMIT ?"
)
"""Actions for one item, on any computer."""
