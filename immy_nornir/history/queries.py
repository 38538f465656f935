"""Questions to the history, answered with values; reads only, from any process, while others write.

Nothing outside this package sees SQL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immy_nornir.errors import HistoryError
from immy_nornir.history import locks
from immy_nornir.model.record.status import Status

# What reads whole records is imported where that is done: a list of sessions takes a third of the time without it.
if TYPE_CHECKING:
    from immy_nornir.model.facts import Facts
    from immy_nornir.model.items import Item
    from immy_nornir.model.plan import Desire
    from immy_nornir.model.record.entries import Stamped
    from immy_nornir.model.record.session import SessionSpec

FILE = "history.db"
OPEN = (Status.CREATED, Status.RUNNING, Status.WAITING)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run."""

    id: str
    started_at: float
    ended_at: float | None
    command: str
    playbook: str
    fleet: str
    commit: str
    user: str
    machine: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action of a session, as planned and as it ended."""

    id: str
    item: str
    type: str
    reason: str
    why: str
    desired: str
    found: str
    version: str | None
    deployment: str
    held: str | None
    planned_phase: int
    phase: int | None
    attempts: int
    status: str
    outcome: str | None
    outcome_reason: str | None
    message: str
    after: str
    reboot_owed: bool
    began_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session; `status` is interrupted where its process died without a word."""

    id: str
    run_id: str
    computer: str
    tenant: str
    type: str
    play: str
    status: Status
    reason: str
    stage: str
    waiting: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    owner: str
    reboots: int
    actions: tuple[ActionRow, ...] = ()
    reboot_reasons: tuple[tuple[str, str], ...] = ()
    """(why, outcome) of each reboot."""
    planned_phases: tuple[tuple[str, ...], ...] = ()
    """Ids of actions between the planned reboots; an empty first phase: a reboot before anything is done."""
    phases: tuple[tuple[str, ...], ...] = ()
    """Ids of the actions that were begun, between the reboots that there were."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One entry of a session's log."""

    seq: int
    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job with what it wrote."""

    job_id: str
    action_id: str
    attempt: int
    step: int
    state: str
    exit_code: int | None
    error: str
    seconds: float | None
    output: str
    intended_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sessions: all fields narrow; `limit` newest."""

    run_id: str | None = None
    computer: str | None = None
    tenant: str | None = None
    statuses: Sequence[str] = ()
    limit: int | None = None
    ids: Sequence[str] = field(default=())


def _doing() -> frozenset[str]:
    """Types of the actions that do something, as far as is known."""
    from immy_nornir.model.playbooks import CHANGING, ActionType

    return frozenset({*CHANGING, ActionType.UNDETERMINED})


_COLUMNS = (
    "id, run_id, computer, tenant, type, play, status, reason, stage, waiting, created_at, started_at, ended_at, "
    "owner, reboots"
)
"""Without the spec, which is the largest and no part of a row."""


def _phases(placed: Iterable[tuple[str, int]]) -> tuple[tuple[str, ...], ...]:
    """Ids by the number of their phase."""
    listed = list(placed)
    last = max((phase for _, phase in listed), default=-1)
    return tuple(tuple(name for name, phase in listed if phase == number) for number in range(last + 1))


def open_sessions(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """(id, owner) of every session that has not ended and is not known to be interrupted."""
    marks = ",".join("?" * len(OPEN))
    return list(
        connection.execute(f"SELECT id, owner FROM sessions WHERE status IN ({marks})", [s.value for s in OPEN])  # noqa: S608 - marks
    )


def record(
    connection: sqlite3.Connection, session_id: str
) -> tuple[SessionSpec, dict[str, Item], list[Stamped]] | None:
    """A session's whole record with the definitions that it pinned; None when there is none."""
    from immy_nornir.history import codec
    from immy_nornir.model.record.entries import Resolved, Stamped
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.text import json

    row = connection.execute("SELECT spec FROM sessions WHERE id=?", (session_id,)).fetchone()
    if row is None:
        return None
    spec: SessionSpec = codec.load(json.parse(codec.unpack(row[0])), SessionSpec)
    entries: list[Stamped] = []
    digests: set[str] = set()
    sql = "SELECT seq, at, data, packed FROM entries WHERE session_id=? ORDER BY seq"
    for seq, at, data, packed in connection.execute(sql, (session_id,)):
        entry = codec.entry_from(codec.unpack(packed) if packed is not None else data)
        if isinstance(entry, Resolved):
            digests |= {one.definition for one in entry.desires if one.definition}
        entries.append(Stamped(seq, at, entry))
    return spec, definitions(connection, digests), entries


def definitions(connection: sqlite3.Connection, digests: set[str]) -> dict[str, Item]:
    """Stored item definitions by hash."""
    from immy_nornir.history import codec
    from immy_nornir.model.items import Item
    from immy_nornir.text import json

    found: dict[str, Item] = {}
    for digest in digests:
        row = connection.execute("SELECT data FROM blobs WHERE hash=?", (digest,)).fetchone()
        if row is not None:
            found[digest] = codec.load(json.parse(codec.unpack(row[0])), Item)
    return found


class Reader:
    """A reading connection for one thread at a time. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise HistoryError(f"there is no history at {path} yet", "immy run makes it; --state names another folder")
        self._path = path
        try:
            self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30.0, check_same_thread=False)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("SELECT id FROM runs LIMIT 1")
        except sqlite3.Error as error:
            raise HistoryError(f"{path} cannot be read: {error}", "is it a history of immy?") from error

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """Runs, newest first; one whose process died is 'interrupted'."""
        found = []
        for row in self._rows("SELECT * FROM runs ORDER BY started_at DESC LIMIT ?", (limit or -1,)):
            dead = row["status"] == "running" and not locks.is_alive(self._path.parent / "owners", row["owner"])
            found.append(
                RunRow(
                    row["id"],
                    row["started_at"],
                    row["ended_at"],
                    row["command"],
                    row["playbook"],
                    row["fleet"],
                    row["commit_id"],
                    row["user"],
                    row["machine"],
                    "interrupted" if dead else row["status"],
                    row["note"],
                )
            )
        return found

    def sessions(self, asked: Asked, *, actions: bool = False) -> list[SessionRow]:
        """Sessions, newest first; with their actions when wanted."""
        where, values = ["1"], []
        for column, value in (("run_id", asked.run_id), ("computer", asked.computer), ("tenant", asked.tenant)):
            if value is not None:
                where.append(f"{column}=?")
                values.append(value)
        if asked.ids:
            where.append(f"id IN ({','.join('?' * len(asked.ids))})")
            values += list(asked.ids)
        if asked.statuses:
            # Those of a process that died stand as it left them.
            stored = sorted({*asked.statuses, *(OPEN if Status.INTERRUPTED in asked.statuses else ())})
            where.append(f"status IN ({','.join('?' * len(stored))})")
            values += stored
        sql = f"SELECT {_COLUMNS} FROM sessions WHERE {' AND '.join(where)} ORDER BY created_at DESC, id DESC"  # noqa: S608 - columns above
        if asked.limit is not None and not asked.statuses:
            sql += f" LIMIT {asked.limit:d}"
        alive: dict[str, bool] = {}
        found: list[SessionRow] = []
        for row in self._rows(sql, values):
            status = self._status(row, alive)
            if asked.statuses and status not in asked.statuses:
                continue
            found.append(self._session(row, status, with_actions=actions))
            if asked.limit is not None and len(found) >= asked.limit:
                break
        return found

    def _status(self, row: sqlite3.Row, alive: dict[str, bool]) -> Status:
        status = Status(row["status"])
        owner = row["owner"]
        if status not in OPEN or not owner:
            return status
        if owner not in alive:
            alive[owner] = locks.is_alive(self._path.parent / "owners", owner)
        return status if alive[owner] else Status.INTERRUPTED

    def _session(self, row: sqlite3.Row, status: Status, *, with_actions: bool) -> SessionRow:
        actions = self.actions(row["id"]) if with_actions else []
        doing = _doing() if actions else frozenset()
        return SessionRow(
            row["id"],
            row["run_id"],
            row["computer"],
            row["tenant"],
            row["type"],
            row["play"],
            status,
            row["reason"],
            row["stage"],
            row["waiting"],
            row["created_at"],
            row["started_at"],
            row["ended_at"],
            row["owner"],
            row["reboots"],
            tuple(actions),
            tuple(self._reboots(row["id"])) if with_actions else (),
            _phases((one.id, one.planned_phase) for one in actions if one.held is None and one.type in doing),
            _phases((one.id, one.phase) for one in actions if one.phase is not None),
        )

    def _reboots(self, session_id: str) -> list[tuple[str, str]]:
        sql = "SELECT why, outcome FROM reboots WHERE session_id=? ORDER BY number"
        return [(row["why"], row["outcome"]) for row in self._rows(sql, (session_id,))]

    def actions(self, session_id: str) -> list[ActionRow]:
        """A session's actions in their order."""
        names = [name for name in ActionRow.__dataclass_fields__ if name != "reboot_owed"]
        columns = ", ".join(names)
        sql = f"SELECT {columns}, reboot_owed FROM actions WHERE session_id=? ORDER BY position"  # noqa: S608 - field names
        return [
            ActionRow(**{name: row[name] for name in names}, reboot_owed=bool(row["reboot_owed"]))
            for row in self._rows(sql, (session_id,))
        ]

    def log(self, session_id: str, after: int = 0) -> list[LogRow]:
        """A session's entries as sentences."""
        sql = "SELECT seq, at, kind, text FROM entries WHERE session_id=? AND seq>? ORDER BY seq"
        return [LogRow(*row) for row in self._rows(sql, (session_id, after))]

    def jobs(self, session_id: str) -> list[JobRow]:
        """A session's jobs with their output."""
        columns = ", ".join(JobRow.__dataclass_fields__)
        sql = f"SELECT {columns} FROM jobs WHERE session_id=? ORDER BY intended_at"  # noqa: S608 - field names
        return [JobRow(*row) for row in self._rows(sql, (session_id,))]

    def facts(self, computer: str) -> Facts:
        """The last known facts of a computer, with their age."""
        from immy_nornir.history import codec
        from immy_nornir.model.facts import Facts
        from immy_nornir.text import json

        rows = self._rows("SELECT section, value, collected_at FROM facts WHERE computer=?", (computer,))
        values = {row["section"]: json.parse(codec.unpack(row["value"])) for row in rows}
        return Facts(values, {row["section"]: row["collected_at"] for row in rows})

    def last_desires(self, computer: str, before: str, now: tuple[Desire, ...] = ()) -> tuple[Desire, ...] | None:
        """What the computer's last session before this one pinned; None when there was none.

        Where nothing has changed since, that is `now` itself, which is much quicker than reading it again.
        """
        from immy_nornir.history import codec
        from immy_nornir.model.record.entries import Resolved

        sql = (
            "SELECT e.data, e.packed FROM entries e JOIN sessions s ON s.id=e.session_id WHERE s.computer=? AND s.id<? "
            "AND e.kind='Resolved' ORDER BY s.created_at DESC, e.seq DESC LIMIT 1"
        )
        for row in self._rows(sql, (computer, before)):
            text = codec.unpack(row["packed"]) if row["packed"] is not None else row["data"]
            if now and text == codec.entry_text(Resolved(now)):
                return now
            entry = codec.entry_from(text)
            if isinstance(entry, Resolved):
                return entry.desires
        return None

    def record(self, session_id: str) -> tuple[SessionSpec, Mapping[str, Item], Sequence[Stamped]] | None:
        """A session's whole record."""
        self._connection.row_factory = None
        try:
            return record(self._connection, session_id)
        finally:
            self._connection.row_factory = sqlite3.Row
