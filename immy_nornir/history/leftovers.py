"""What processes that died left: journals to be imported, sessions to be marked, records that are damaged.

One damaged record costs its session: that ends, is named in `damaged`, and everything else goes on.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from immy_nornir.decide.runs.run_state import fold_run, fold_run_all
from immy_nornir.decide.steps.state import State, fold, fold_all
from immy_nornir.errors import HistoryError
from immy_nornir.history import codec, locks, own_files, projection, queries, records, rows, sentences
from immy_nornir.history.writer import Writer
from immy_nornir.model.protocols import Clock
from immy_nornir.model.record.entries import Entry, Interrupted, Stamped
from immy_nornir.model.record.run import RunEntry, RunStamped
from immy_nornir.model.record.session import SessionSpec, Status
from immy_nornir.text import json

BLOB = "INSERT OR IGNORE INTO blobs (hash, kind, data) VALUES (?,?,?)"
_NOT_KNOWN = "what it did last is not known: look at the computer, then run again"


@dataclass(slots=True)
class Leftovers:
    """The work on them; `owners` is the folder of the owners' lock files."""

    writer: Writer
    folder: Path
    owners: Path
    owner: str
    clock: Clock
    clean: Callable[[str], str]
    damaged: dict[str, str] = field(default_factory=dict)
    """Sessions and files that were found damaged, and what was done about each, for people."""

    def take_in(self) -> None:
        """Import the journals of dead processes, then mark their sessions as interrupted."""
        for path in sorted(self.folder.glob("journal-*.jsonl")):
            owner = path.name.removeprefix("journal-").removesuffix(".jsonl")
            if not locks.is_alive(self.owners, owner):
                self._import(path)
        for session_id, owner in self.writer.call(queries.open_sessions):
            if owner and owner != self.owner and not locks.is_alive(self.owners, owner):
                self._interrupt(session_id, owner)

    def state_of(self, session_id: str) -> State | None:
        """A stored session, folded; None when there is none of this id, or its record is damaged, which ends it."""
        try:
            loaded = self.writer.call(lambda connection: records.record(connection, session_id))
            return None if loaded is None else fold_all(*loaded)
        except (sqlite3.Error, HistoryError):
            raise
        except records.DAMAGE as error:
            damage = error
        self.writer.call(lambda connection: self._give_up(connection, session_id, damage))
        return None

    def _interrupt(self, session_id: str, owner: str) -> None:
        """Mark a dead owner's session, unless somebody else was quicker; in one transaction."""

        def mark(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT owner, status FROM sessions WHERE id=?", (session_id,)).fetchone()
            if row is None or row[0] != owner or row[1] not in queries.OPEN:
                return
            try:
                loaded = records.record(connection, session_id)
                if loaded is None:
                    return
                state = fold_all(*loaded)
            except sqlite3.Error:
                raise
            except records.DAMAGE as error:
                self._give_up(connection, session_id, error)
                return
            if state.finished is not None or state.interrupted is not None:
                return
            doing = f" while {state.current} was under way" if state.current else ""
            entry = Interrupted(f"its process ended without a word{doing}")
            stamped = Stamped(state.entries + 1, self.clock.now(), entry)
            for sql, values in projection.rows(fold(state, stamped), stamped):
                connection.execute(sql, values)

        self.writer.call(mark)

    def _give_up(self, connection: sqlite3.Connection, session_id: str, error: Exception) -> None:
        """End a session whose record is damaged: it must not keep all others from being taken up."""
        why = projection.storable(self.clean(f"its record is damaged: {str(error)[:200]}"))
        sql = "SELECT computer, status, ended_at FROM sessions WHERE id=?"
        computer, status, ended = connection.execute(sql, (session_id,)).fetchone()
        if ended is not None and status in set(Status):
            self.damaged.setdefault(session_id, f"session {session_id} of {computer}: {why}; it had ended as {status}")
            return
        self.damaged[session_id] = f"session {session_id} of {computer}: {why}; {_NOT_KNOWN}"
        sql = "UPDATE sessions SET status='failed', reason=?, ended_at=? WHERE id=?"
        connection.execute(sql, (f"{why}; {_NOT_KNOWN}", self.clock.now(), session_id))
        connection.execute("DELETE FROM active WHERE session_id=?", (session_id,))

    # --- rows that are damaged, of records that are whole ---

    def mend(self, ids: Sequence[str] | None) -> None:
        """Make the damaged rows of sessions again, from their entries; what was done stands in `damaged`.

        `ids`: of these sessions only.
        """
        for session_id in self.writer.call(_with_damaged_rows) if ids is None else ids:
            state = self.state_of(session_id)
            if state is None:
                continue
            self.writer.call(functools.partial(_begin_again, spec=state.spec))
            self.project_again(session_id)
            told = "its rows were damaged, and were made again from its entries"
            self.damaged[session_id] = f"session {session_id} of {state.spec.computer}: {told}"
        for session_id, owner in self.writer.call(queries.open_sessions):
            if session_id in self.damaged and owner != self.owner and not locks.is_alive(self.owners, owner):
                self._interrupt(session_id, owner)

    def project_again(self, session_id: str) -> None:
        """Make all rows of a session from its entries."""
        loaded = self.writer.call(lambda connection: records.record(connection, session_id))
        if loaded is None:
            return
        spec, definitions, entries = loaded
        state = fold_all(spec, definitions, ())
        statements: list[projection.Statement] = []
        for stamped in entries:
            state = fold(state, stamped)
            statements += projection.rows(state, stamped)
        self.writer.commit(statements, "")

    # --- journals ---

    def _import(self, path: Path) -> None:
        try:
            own_files.refuse_link(path)
            text = path.read_text(encoding="utf-8", errors="replace")
        except (OSError, HistoryError) as error:
            self.damaged[path.name] = f"the journal {path} cannot be read, and is left: {error}"
            return
        whole, unread = text.endswith("\n"), 0
        lines = text.splitlines()
        touched: set[str] = set()
        for number, line in enumerate(lines, 1):
            try:
                self._take(line, touched)
            except (sqlite3.Error, HistoryError):
                raise
            except records.DAMAGE:
                # The last one was cut off by the crash that made the journal needed.
                unread += number < len(lines) or whole
        for session_id in sorted(touched):
            if self.state_of(session_id) is not None:
                self.project_again(session_id)
        if unread:
            kept = path.with_name(f"damaged-{path.name}")
            path.replace(kept)
            self.damaged[path.name] = f"{unread} lines of a journal cannot be read; it is kept as {kept}"
        else:
            path.unlink()

    def _take(self, line: str, touched: set[str]) -> None:
        row = json.parse(line)
        if "blob" in row:
            self.writer.commit([(BLOB, (str(row["blob"]), "item", codec.pack(row["data"])))], line)
            return
        seq, at = int(row["seq"]), float(row["at"])
        if "run" in row:
            run_entry: RunEntry = codec.run_entry_from(row["entry"])
            self._import_run_entry(str(row["run"]), RunStamped(seq, at, run_entry), line)
            return
        entry: Entry = codec.entry_from(row["entry"])
        session = str(row["session"])
        values = (session, seq, at, type(entry).__name__, sentences.sentence(entry), row["entry"])
        sql = "INSERT OR IGNORE INTO entries (session_id, seq, at, kind, text, data) VALUES (?,?,?,?,?,?)"
        self.writer.commit([(sql, values)], line)
        touched.add(session)

    def _import_run_entry(self, run_id: str, stamped: RunStamped, line: str) -> None:
        found = self.writer.call(lambda connection: records.run_record(connection, run_id))
        before = None if found is None else fold_run_all(*found)
        if before is not None and before.entries < stamped.seq:
            self.writer.commit(projection.run_rows(fold_run(before, stamped), stamped), line)


def _with_damaged_rows(connection: sqlite3.Connection) -> list[str]:
    """Sessions with a row that no session or action can have."""
    statuses = {"status": tuple(Status)}
    of_sessions = rows.damaged_where(queries.SessionRow, queries.COLUMNS, statuses)
    of_actions = rows.damaged_where(queries.ActionRow, tuple(queries.ActionRow.__dataclass_fields__), rows.words())
    found = f"SELECT id FROM sessions WHERE {of_sessions} UNION SELECT session_id FROM actions WHERE {of_actions}"  # noqa: S608 - names of fields and our own words
    sql = f"{found} ORDER BY 1"
    return [str(row[0]) for row in connection.execute(sql)]


def _begin_again(connection: sqlite3.Connection, spec: SessionSpec) -> None:
    """A session's row as it was when it was created, for its entries to be told again; its actions come of them."""
    about: dict[str, Any] = {
        "run_id": spec.run_id,
        "computer": spec.computer,
        "tenant": spec.tenant,
        "type": spec.type.name,
        "play": spec.play,
        "created_at": spec.created_at,
        "status": Status.CREATED.value,
        "reason": "",
        "stage": "",
        "waiting": "",
        "started_at": None,
        "ended_at": None,
        "reboots": 0,
    }
    changes = ", ".join(f"{name}=?" for name in about)
    connection.execute(f"UPDATE sessions SET {changes} WHERE id=?", (*about.values(), spec.id))  # noqa: S608 - the names above
    connection.execute("UPDATE sessions SET owner='' WHERE id=? AND typeof(owner)<>'text'", (spec.id,))
    connection.execute("DELETE FROM actions WHERE session_id=?", (spec.id,))
