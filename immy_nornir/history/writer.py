"""The one thread that writes the history; raw sqlite3 with batches and group commit.

Durable work (intents) is committed in one FULL transaction for all that wait; the rest in batches of up to 50 ms. When
SQLite cannot be written, durable entries go to an fsynced journal beside it, which the next start imports.
"""

from __future__ import annotations

import itertools
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from immy_nornir.errors import HistoryError
from immy_nornir.history.projection import Statement
from immy_nornir.text import json

T = TypeVar("T")
Journal = str | Callable[[], str]

BATCH_SECONDS = 0.05
BATCH_STATEMENTS = 5000


@dataclass(slots=True)
class Work:
    """Statements (or a function of the connection) that belong in one transaction."""

    statements: Sequence[Statement] = ()
    call: Callable[[sqlite3.Connection], Any] | None = None
    durable: bool = False
    guard: Statement | None = None
    """A question that must have an answer, else nothing of this is written and HistoryError is raised."""
    journal: Journal = ""
    """One line that stands for the statements where SQLite cannot be written, or what makes it then."""
    stored: Callable[[], object] | None = None
    """Called when the statements are in the database; not where they went into the journal."""
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the writing connection; every method may be called from any thread."""

    def __init__(self, path: Path, journal: Path) -> None:
        self._path = path
        self._journal = journal
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._lost = ""
        """Why an entry was lost: from then on the records keep what they have, and nothing follows a hole."""
        self._file: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._run, name="immy-history", daemon=True)
        self._thread.start()

    def put(
        self, statements: Sequence[Statement], journal: Journal = "", stored: Callable[[], object] | None = None
    ) -> None:
        """Write some time soon, in order."""
        self._queue.put(Work(statements, journal=journal, stored=stored))

    def commit(self, statements: Sequence[Statement], journal: Journal, guard: Statement | None = None) -> None:
        """Write now; returns when it would survive a power loss.

        Raises: HistoryError when neither file takes it, or the guard's question has no answer.
        """
        self._wait(Work(statements, durable=True, journal=journal, guard=guard))

    def call(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a transaction of its own and return what it returns; raises what it raises."""
        work = Work(call=function, durable=True)
        self._wait(work)
        result: T = work.result
        return result

    def _wait(self, work: Work) -> None:
        self._queue.put(work)
        if not work.done.wait(60.0):
            raise HistoryError("the history was not written within 60 s", "look at the disk that holds it")
        if work.error is not None:
            raise work.error

    def hole(self) -> str:
        """Why the file does not hold everything that was written; empty when it does."""
        if self._lost:
            return f"entries could not be written: {self._lost}"
        return self._gone()

    def _gone(self) -> str:
        if _identity(self._path) == self._file:
            return ""
        return f"{self._path} was removed or replaced while immy was at work"

    def flush(self) -> None:
        """Return when everything put before is written."""
        self.call(lambda _: None)

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._queue.put(None)
        self._thread.join(30.0)

    # --- in the thread ---

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=30.0)
        self._file = _identity(self._path)
        connection.execute("PRAGMA busy_timeout=30000")
        while True:
            batch, ending = self._gather()
            if batch:
                self._write(connection, batch)
            if ending:
                connection.close()
                return

    def _gather(self) -> tuple[list[Work], bool]:
        """The next batch: everything there is, and up to 50 ms more while nobody waits for it."""
        batch: list[Work] = []
        size = 0
        timeout: float | None = None
        while size < BATCH_STATEMENTS:
            try:
                work = self._queue.get(timeout=timeout)
            except queue.Empty:
                break
            if work is None:
                return batch, True
            batch.append(work)
            size += len(work.statements) + 1
            timeout = 0.0 if any(one.durable for one in batch) else BATCH_SECONDS
        return batch, False

    def _write(self, connection: sqlite3.Connection, batch: list[Work]) -> None:
        durable = any(one.durable for one in batch)
        kept = [work for work in batch if not self._refuse(work)]
        try:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            for work in kept:
                self._one(connection, work)
            connection.execute("COMMIT")
            for work in kept:
                if work.stored is not None and work.error is None:
                    work.stored()
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._to_journal(kept, error)
        for work in batch:
            work.done.set()

    def _refuse(self, work: Work) -> bool:
        """Whether an entry must not be written: after a hole, or where nobody would find it."""
        if work.journal and self._lost:
            work.error = HistoryError(f"an earlier entry could not be written: {self._lost}")
        elif work.journal and work.durable and (gone := self._gone()):
            work.error = HistoryError(gone)
        return work.error is not None

    @staticmethod
    def _one(connection: sqlite3.Connection, work: Work) -> None:
        if work.call is None:
            if work.guard is not None and connection.execute(*work.guard).fetchone() is None:
                work.error = HistoryError("another process has taken this session over")
                return
            try:
                for sql, some in itertools.groupby(work.statements, key=_sql):
                    _execute(connection, sql, [values for _, values in some])
            except (ValueError, OverflowError, TypeError) as error:
                # One value that SQLite does not take must not end the thread that all sessions write through.
                work.error = HistoryError(f"a value cannot be stored: {type(error).__name__}")
            return
        connection.execute("SAVEPOINT one")
        try:
            work.result = work.call(connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the caller's own error, raised again in its thread
            connection.execute("ROLLBACK TO one")
            work.error = error
        connection.execute("RELEASE one")

    def _to_journal(self, batch: list[Work], why: sqlite3.Error) -> None:
        lines = [work.journal if isinstance(work.journal, str) else work.journal() for work in batch if work.journal]
        try:
            if lines:
                with self._journal.open("a", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            if any(work.journal and not work.durable for work in batch):
                self._lost = str(why)
            for work in batch:
                work.error = HistoryError(f"neither the history ({why}) nor its journal ({error}) can be written")
            return
        for work in batch:
            if work.call is not None or (work.durable and not work.journal):
                work.error = HistoryError(f"the history cannot be written: {why}", "free some space and start again")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _sql(statement: Statement) -> str:
    return statement[0]


_ROWS = 16
"""Rows of one statement: each statement costs a change of threads."""


def _execute(connection: sqlite3.Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    head, _, places = sql.partition(" VALUES ")
    done = 0
    if places and places.endswith("?)"):
        many = f"{head} VALUES {','.join([places] * _ROWS)}"
        while len(rows) - done >= _ROWS:
            connection.execute(many, list(itertools.chain.from_iterable(rows[done : done + _ROWS])))
            done += _ROWS
    connection.executemany(sql, rows[done:])


def journal_line(session_id: str, seq: int, at: float, entry: str) -> str:
    """One entry as a line of the journal."""
    return json.line({"session": session_id, "seq": seq, "at": at, "entry": entry})


def run_line(run_id: str, seq: int, at: float, entry: str) -> str:
    """One entry of a run's record as a line of the journal."""
    return json.line({"run": run_id, "seq": seq, "at": at, "entry": entry})


def blob_line(digest: str, data: str) -> str:
    """One definition as a line of the journal."""
    return json.line({"blob": digest, "data": data})
