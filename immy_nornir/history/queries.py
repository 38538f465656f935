"""Questions to the history, answered with values; reads only, from any process, while others write.

Nothing outside this package sees SQL.
"""

from __future__ import annotations

import dataclasses
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
    from immy_nornir.history.about import About
    from immy_nornir.model.facts import Facts
    from immy_nornir.model.items import Item
    from immy_nornir.model.plan import Desire
    from immy_nornir.model.record.entries import Stamped
    from immy_nornir.model.record.run import RunSpec
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
    end_reason: str = ""
    """A word of EndReason; empty while it has not ended, and in records from before ends had codes."""


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
    "owner, reboots, end_reason"
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


def _bring_up(path: Path) -> None:
    """Bring a history of an older version, or one whose making was cut off, to the schema that is asked for here."""
    from immy_nornir.history import schema

    with locks.alone(path.parent / "opening.lock"):
        connection = sqlite3.connect(path, timeout=30.0)
        try:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
            if tables - {"_sqlite_migrations", "sqlite_sequence"} and "runs" not in tables:
                raise sqlite3.DatabaseError("it holds tables of something else")
            schema.migrate(connection)
        finally:
            connection.close()


class Reader:
    """A reading connection for one thread at a time. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise HistoryError(f"there is no history at {path} yet", "immy run makes it; --state names another folder")
        self._path = path
        try:
            self._connection = self._connected()
            if not self._is_of_today():
                self._connection.close()
                _bring_up(path)
                self._connection = self._connected()
            self._connection.execute("SELECT id FROM runs LIMIT 1")
        except sqlite3.Error as error:
            raise HistoryError(f"{path} cannot be read: {error}", "is it a history of immy?") from error

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=30.0, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        return connection

    def _is_of_today(self) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE type='table' AND name='meta'"
        return self._connection.execute(sql).fetchone() is not None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise HistoryError(f"{self._path} cannot be read: {error}", "is it a history of immy?") from error

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

    def run_specs(self) -> list[RunSpec]:
        """What every run was asked to do that is a record and has not ended, newest first."""
        from immy_nornir.history import records

        return records.run_specs(self._connection)

    def run_spec(self, run_id: str) -> RunSpec | None:
        """What a run was asked to do; None where that is no record."""
        from immy_nornir.history import records

        found = records.run_record(self._connection, run_id)
        return None if found is None else found[0]

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
        order = "created_at DESC, run_id DESC, number DESC"
        sql = f"SELECT {_COLUMNS} FROM sessions WHERE {' AND '.join(where)} ORDER BY {order}"  # noqa: S608 - columns above
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

    def sessions_of(self, ids: Sequence[str], *, actions: bool = False) -> list[SessionRow]:
        """The sessions of these ids, as far as there are any."""
        found: list[SessionRow] = []
        for start in range(0, len(ids), 500):
            found += self.sessions(Asked(ids=ids[start : start + 500]), actions=actions)
        return found

    def work_done(self, run_id: str, ids: Iterable[str]) -> tuple[int, int]:
        """How many actions the sessions of a run, and these, have begun, and how many of them have rebooted."""
        sessions = {one for (one,) in self._rows("SELECT id FROM sessions WHERE run_id=?", [run_id])} | set(ids)
        names, actions, reboots = list(sessions), 0, 0
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            marks = ",".join("?" * len(some))
            sql = f"SELECT count(*) FROM actions WHERE attempts>0 AND session_id IN ({marks})"  # noqa: S608 - marks
            actions += int(self._rows(sql, some)[0][0])
            sql = f"SELECT count(*) FROM sessions WHERE reboots>0 AND id IN ({marks})"  # noqa: S608 - marks
            reboots += int(self._rows(sql, some)[0][0])
        return actions, reboots

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
            row["end_reason"],
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
        jobs = [JobRow(*row) for row in self._rows(sql, (session_id,))]
        if not jobs:
            return []
        from immy_nornir.history import records

        written = records.outputs(self._connection, session_id)
        return [dataclasses.replace(one, output=one.output + written.get(one.job_id, "")) for one in jobs]

    def facts(self, computer: str) -> Facts:
        """The last known facts of a computer, with their age."""
        from immy_nornir.history import records

        return records.facts(self._connection, computer)

    def about(self, sessions: Sequence[SessionRow], tenant: str = "") -> About:
        """What a report of these sessions tells beside them; for one tenant also whom it must not name."""
        from immy_nornir.history import about

        try:
            return about.About(
                about.titles(self._connection, [one.id for one in sessions]),
                about.machines(self._connection, sorted({one.computer for one in sessions})),
                about.others(self._connection, tenant) if tenant else about.Others(),
            )
        except sqlite3.Error as error:
            raise HistoryError(f"{self._path} cannot be read: {error}", "is it a history of immy?") from error

    def last_desires(self, computer: str, before: str, now: tuple[Desire, ...] = ()) -> tuple[Desire, ...] | None:
        """What the computer's last session before this one pinned; None when there was none.

        Where nothing has changed since, that is `now` itself, which is much quicker than reading it again.
        """
        from immy_nornir.history import records

        return records.last_desires(self._connection, computer, before, now)

    def record(self, session_id: str) -> tuple[SessionSpec, Mapping[str, Item], Sequence[Stamped]] | None:
        """A session's whole record."""
        from immy_nornir.history import records

        return records.record(self._connection, session_id)
