"""Records of sessions and runs read whole, and what else is kept as JSON: facts, desires, output of jobs.

Functions of a connection, for the store's thread and for readers alike; rows of sessions are in `queries`.
"""

from __future__ import annotations

import contextlib
import sqlite3

from immy_nornir.history import codec
from immy_nornir.model.facts import Facts
from immy_nornir.model.items import Item
from immy_nornir.model.plan import Desire
from immy_nornir.model.record.entries import JobEnded, JobSeen, Resolved, Stamped
from immy_nornir.model.record.run import RunSpec, RunStamped
from immy_nornir.model.record.session import SessionSpec
from immy_nornir.text import json

DAMAGE = (Exception,)
"""What reading damaged bytes may raise: they are unpacked, parsed, and made values of classes."""


def record(
    connection: sqlite3.Connection, session_id: str
) -> tuple[SessionSpec, dict[str, Item], list[Stamped]] | None:
    """A session's whole record with the definitions that it pinned; None when there is none."""
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
    return spec, definitions(connection, digests), entries


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
    return Facts(values, ages)


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
