"""Questions to the history, answered with values; reads only, from any process, while others write.

Nothing outside this package sees SQL.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immy_nornir.errors import HistoryError
from immy_nornir.history import locks, troubles
from immy_nornir.history.opening import open_reading
from immy_nornir.history.rows import ActionRow as ActionRow  # noqa: PLC0414 - what this module answers with
from immy_nornir.history.rows import JobRow as JobRow  # noqa: PLC0414
from immy_nornir.history.rows import LogRow as LogRow  # noqa: PLC0414
from immy_nornir.history.rows import RunRow as RunRow  # noqa: PLC0414
from immy_nornir.history.rows import SessionRow as SessionRow  # noqa: PLC0414
from immy_nornir.history.rows import known, whole, wrong_words
from immy_nornir.model.record.status import Status

# What reads whole records is imported where that is done: a list of sessions takes a third of the time without it.
if TYPE_CHECKING:
    from immy_nornir.decide.health.stuck import OpenSession
    from immy_nornir.decide.onboarding import Onboarded
    from immy_nornir.decide.runs.run_state import RunState
    from immy_nornir.history.tables.about import About
    from immy_nornir.history.tables.following import Following
    from immy_nornir.model.control.holds import Freeze
    from immy_nornir.model.control.orders import Order
    from immy_nornir.model.control.schedules import KnownOccasion
    from immy_nornir.model.control.telling import Telling
    from immy_nornir.model.facts import Facts
    from immy_nornir.model.items import Item
    from immy_nornir.model.plan import Desire
    from immy_nornir.model.record.entries import Stamped
    from immy_nornir.model.record.run import RunSpec
    from immy_nornir.model.record.session import SessionSpec

FILE = "history.db"
OPEN = (Status.CREATED, Status.RUNNING, Status.WAITING)


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


COLUMNS = (
    *(name for name, field in SessionRow.__dataclass_fields__.items() if field.default is dataclasses.MISSING),
    "end_reason",
)
"""Without the spec, which is the largest and no part of a row."""
_RUN_COLUMNS = ", ".join('commit_id AS "commit"' if name == "commit" else name for name in RunRow.__dataclass_fields__)
MEND = "`immy sessions resume` makes its rows again from its entries"


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


class Reader:
    """A reading connection for one thread at a time. Use as a context manager."""

    def __init__(self, path: Path, *, written: bool = False) -> None:
        """`written`: by this process, which has to see what it wrote."""
        self._path = path
        try:
            if not path.exists():
                told = f"there is no history at {path} yet"
                raise HistoryError(told, "immy run makes it; --state names another folder")
            self._opened = open_reading(path, written=written)
        except (OSError, sqlite3.Error) as error:
            raise troubles.refusal(path, "read", error) from error
        self._connection = self._opened.connection

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._opened.close()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, [known(one) for one in values]).fetchall()
        except sqlite3.Error as error:
            raise troubles.refusal(self._path, "read", error) from error

    def freezes(self, now: float | None = None) -> list[Freeze]:
        """The freezes that are in force at a moment, oldest first; without it all that ever were, newest first."""
        from immy_nornir.history import records

        rows = self._rows(records.ALL_FREEZES) if now is None else self._rows(records.FREEZES_IN_FORCE, (now,))
        return [records.freeze_of(tuple(row)) for row in rows]

    def runs(self, limit: int | None = None, run_id: str | None = None) -> list[RunRow]:
        """Runs, newest first, or one of them; one whose process died is 'interrupted'."""
        found = []
        sql = f"SELECT {_RUN_COLUMNS}, owner FROM runs WHERE ?1 IS NULL OR id=?1 ORDER BY started_at DESC LIMIT ?2"  # noqa: S608 - constants
        for row in self._rows(sql, (run_id, limit or -1)):
            damage: list[str] = []
            one = whole(RunRow, {name: row[name] for name in RunRow.__dataclass_fields__}, damage.append)
            if damage:
                one = dataclasses.replace(one, note=f"its row is damaged: {'; '.join(damage)}")
            if one.status == "running" and not locks.is_alive(self._path.parent / "owners", row["owner"]):
                one = dataclasses.replace(one, status="interrupted")
            found.append(one)
        return found

    def run_specs(self) -> list[RunSpec]:
        """What every run was asked to do that is a record and has not ended, newest first."""
        from immy_nornir.history import records

        return records.run_specs(self._connection)

    def run_spec(self, run_id: str) -> RunSpec | None:
        """What a run was asked to do; None where that is no record, or a damaged one."""
        from immy_nornir.history import records

        try:
            found = records.run_record(self._connection, run_id)
        except records.DAMAGE:
            return None
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
            unknown = (
                "OR status NOT IN (" + ",".join("?" * len(Status)) + ")" if Status.FAILED in asked.statuses else ""
            )
            where.append(f"(status IN ({','.join('?' * len(stored))}) {unknown})")
            values += [*stored, *(Status if unknown else ())]
        order = "created_at DESC, run_id DESC, number DESC"
        sql = f"SELECT {', '.join(COLUMNS)} FROM sessions WHERE {' AND '.join(where)} ORDER BY {order}"  # noqa: S608 - columns above
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

    def occasions(self, since: float = 0.0) -> list[KnownOccasion]:
        """What is known of schedules' occasions that were due then or later, in the order of their due times."""
        from immy_nornir.history.tables import occasions

        try:
            return occasions.since(self._connection, since)
        except sqlite3.Error as error:
            raise troubles.refusal(self._path, "read", error) from error

    def tellings(self, limit: int, states: Sequence[str] = ()) -> list[Telling]:
        """The newest messages to channels, newest first, with what became of them."""
        from immy_nornir.history.tables import tellings

        try:
            return tellings.newest(self._connection, limit, states)
        except sqlite3.Error as error:
            raise troubles.refusal(self._path, "read", error) from error

    def last_occasions(self) -> dict[str, KnownOccasion]:
        """The newest known occasion of each schedule, by its name."""
        from immy_nornir.history.tables import occasions

        try:
            return occasions.last(self._connection)
        except sqlite3.Error as error:
            raise troubles.refusal(self._path, "read", error) from error

    def heirs(self) -> dict[str, str]:
        """The sessions that took the place of superseded ones, by those."""
        rows = self._rows("SELECT id, superseded_by FROM sessions WHERE superseded_by IS NOT NULL", [])
        return {row["id"]: row["superseded_by"] for row in rows}

    def work_of(self, run_id: str, ids: Iterable[str]) -> tuple[set[tuple[str, str]], set[str], list[str]]:
        """What the sessions of a run, and these, have done: begun actions (session, action), computers that rebooted.

        And which of them have not ended.
        """
        sessions = {one for (one,) in self._rows("SELECT id FROM sessions WHERE run_id=?", [run_id])} | set(ids)
        names, left = list(sessions), []
        actions: set[tuple[str, str]] = set()
        computers: set[str] = set()
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            marks = ",".join("?" * len(some))
            sql = f"SELECT session_id, id FROM actions WHERE attempts>0 AND session_id IN ({marks})"  # noqa: S608 - marks
            actions |= {(one, action) for one, action in self._rows(sql, some)}
            sql = f"SELECT id, computer, reboots, ended_at FROM sessions WHERE id IN ({marks})"  # noqa: S608 - marks
            for one, computer, reboots, ended_at in self._rows(sql, some):
                if reboots:
                    computers.add(computer)
                if ended_at is None:
                    left.append(one)
        return actions, computers, left

    def _status(self, row: sqlite3.Row, alive: dict[str, bool]) -> Status:
        try:
            status = Status(row["status"])
        except ValueError:
            return Status.FAILED  # `_session` says what is wrong with it
        owner = row["owner"]
        if status not in OPEN or not owner:
            return status
        if owner not in alive:
            alive[owner] = locks.is_alive(self._path.parent / "owners", owner)
        return status if alive[owner] else Status.INTERRUPTED

    def _session(self, row: sqlite3.Row, status: Status, *, with_actions: bool) -> SessionRow:
        damage: list[str] = []
        if row["status"] not in set(Status):
            damage.append(f"status is {row['status']!r:.60}")
        actions = self._actions(row["id"], damage) if with_actions else []
        doing = _doing() if actions else frozenset()
        values = {name: row[name] for name in COLUMNS} | {"status": status}
        made = whole(SessionRow, values, damage.append)
        if damage:
            told = f"its record is damaged: {'; '.join(damage[:3])}; {MEND}"
            made = dataclasses.replace(made, status=Status.FAILED, reason=told)
        return dataclasses.replace(
            made,
            actions=tuple(actions),
            reboot_reasons=tuple(self._reboots(row["id"])) if with_actions else (),
            planned_phases=_phases(
                (one.id, one.planned_phase) for one in actions if one.held is None and one.type in doing
            ),
            phases=_phases((one.id, one.phase) for one in actions if one.phase is not None),
        )

    def actions(self, session_id: str) -> list[ActionRow]:
        """A session's actions in their order, as far as they are whole."""
        return self._actions(session_id, [])

    def _reboots(self, session_id: str) -> list[tuple[str, str]]:
        sql = "SELECT why, outcome FROM reboots WHERE session_id=? ORDER BY number"
        return [(str(row["why"]), str(row["outcome"])) for row in self._rows(sql, (session_id,))]

    def _actions(self, session_id: str, damage: list[str]) -> list[ActionRow]:
        """A session's actions in their order; what no action can be is told to `damage`."""
        names = ActionRow.__dataclass_fields__
        sql = f"SELECT {', '.join(names)} FROM actions WHERE session_id=? ORDER BY position"  # noqa: S608 - field names
        found = []
        for row in self._rows(sql, (session_id,)):
            wrong: list[str] = []
            one = whole(ActionRow, {name: row[name] for name in names}, wrong.append)
            wrong += wrong_words(one)
            if wrong:
                damage.append(f"{one.id or 'an action'}: {', '.join(wrong)}")
            else:
                found.append(one)
        return found

    def took_sessions(self, computer: str, kind: str, last: int) -> list[float]:
        """How long the work of a computer's last sessions of a type took, in seconds."""
        from immy_nornir.history import records

        return [float(row[0]) for row in self._rows(records.TOOK_SESSIONS, (computer, kind, last))]

    def took_item(self, item: str, last: int) -> list[float]:
        """How long the last actions for an item took, on any computer, in seconds."""
        from immy_nornir.history import records

        return [float(row[0]) for row in self._rows(records.TOOK_ITEM, (item, last))]

    def log(self, session_id: str, after: int = 0) -> list[LogRow]:
        """A session's entries as sentences."""
        sql = "SELECT seq, at, kind, text FROM entries WHERE session_id=? AND seq>? ORDER BY seq"
        found = []
        for row in self._rows(sql, (session_id, after)):
            damage: list[str] = []
            one = whole(LogRow, dict(row), damage.append)
            found.append(dataclasses.replace(one, text=f"damaged: {'; '.join(damage)}") if damage else one)
        return found

    def jobs(self, session_id: str) -> list[JobRow]:
        """A session's jobs with their output."""
        columns = ", ".join(JobRow.__dataclass_fields__)
        sql = f"SELECT {columns} FROM jobs WHERE session_id=? ORDER BY intended_at"  # noqa: S608 - field names
        jobs = []
        for row in self._rows(sql, (session_id,)):
            damage: list[str] = []
            one = whole(JobRow, dict(row), damage.append)
            jobs.append(dataclasses.replace(one, error=f"damaged: {'; '.join(damage)}") if damage else one)
        if not jobs:
            return []
        from immy_nornir.history import records

        written = records.outputs(self._connection, session_id)
        return [dataclasses.replace(one, output=one.output + written.get(one.job_id, "")) for one in jobs]

    def facts(self, computer: str) -> Facts:
        """The last known facts of a computer, with their age."""
        from immy_nornir.history import records

        return records.facts(self._connection, computer)

    def zones(self) -> dict[str, str]:
        """The time zones that computers have reported, as far as they are known."""
        from immy_nornir.history import records

        return records.zones(self._connection)

    def onboarded(self) -> dict[str, Onboarded]:
        """The computers whose onboarding has ended, each with when and in which session last."""
        from immy_nornir.decide.onboarding import Onboarded

        if not self._rows("SELECT 1 FROM sqlite_master WHERE type='table' AND name='onboarded'"):
            return {}  # a history of old, which cannot be written
        sql = "SELECT computer, identity, session_id, at FROM onboarded WHERE again_at IS NULL ORDER BY at"
        rows = self._rows(sql)
        return {row["computer"]: Onboarded(row["identity"], row["session_id"], row["at"]) for row in rows}

    def orders(self, where: str = "", *values: object) -> list[Order]:
        """Orders, oldest first; `where` is a clause over the table `o`."""
        from immy_nornir.history.tables import orders

        try:
            return orders.read(self._connection, where, values)
        except sqlite3.Error as error:
            raise troubles.refusal(self._path, "read", error) from error

    def about(self, sessions: Sequence[SessionRow], tenant: str = "") -> About:
        """What a report of these sessions tells beside them; for one tenant also whom it must not name."""
        from immy_nornir.history.tables import about

        try:
            ids = [one.id for one in sessions]
            return about.About(
                about.titles(self._connection, ids),
                about.machines(self._connection, sorted({one.computer for one in sessions})),
                about.others(self._connection, tenant) if tenant else about.Others(),
                about.weak(self._connection, ids),
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

    def open_sessions(self) -> Iterator[OpenSession]:
        """Every session that has not ended, oldest first, with its record and whether its owner lives; one by one."""
        from immy_nornir.history import records

        alive: dict[str, bool] = {}

        def is_alive(owner: str) -> bool:
            if owner not in alive:
                alive[owner] = locks.is_alive(self._path.parent / "owners", owner)
            return alive[owner]

        try:
            yield from records.open_sessions(self._connection, is_alive)
        except sqlite3.Error as error:
            raise troubles.refusal(self._path, "read", error) from error

    def rerun_of(self, session_id: str) -> tuple[str, str]:
        """The session that one repeats, and why, where somebody said it; both empty where it repeats none."""
        from immy_nornir.history import records

        return records.rerun_of(self._connection, session_id)

    # --- runs as a whole ---

    def statuses_of_runs(self, run_id: str | None = None) -> dict[str, dict[Status, int]]:
        """How many sessions of each run have which status; of one run, or of all."""
        where, values = ("WHERE run_id=?", [run_id]) if run_id is not None else ("", [])
        sql = f"SELECT run_id, status, owner, count(*) AS n FROM sessions {where} GROUP BY run_id, status, owner"  # noqa: S608 - constants
        alive: dict[str, bool] = {}
        found: dict[str, dict[Status, int]] = {}
        for row in self._rows(sql, values):
            counts, status = found.setdefault(row["run_id"], {}), self._status(row, alive)
            counts[status] = counts.get(status, 0) + row["n"]
        return found

    def following(self, run_id: str = "", sessions: Iterable[str] = ()) -> Following:
        """What changes in a run, or in these sessions; sees nothing new where a copy of the history is read."""
        from immy_nornir.history.tables.following import Following

        owners = self._path.parent / "owners"
        return Following(self._rows, self._path, lambda owner: locks.is_alive(owners, owner), run_id, sessions)

    def run_state(self, run_id: str) -> RunState | None:
        """How far a run is in its plays and waves; None where that is no record."""
        from immy_nornir.decide.runs.run_state import fold_run_all
        from immy_nornir.history import records

        found = records.run_record(self._connection, run_id)
        return None if found is None else fold_run_all(*found)
