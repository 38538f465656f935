"""The one thread that writes the history; raw sqlite3 with batches and group commit.

Durable work (intents) is committed in one FULL transaction for all that wait; the rest in batches of up to 50 ms. When
SQLite cannot be written, because another program holds it or there is no room, entries go to an fsynced journal beside
it. They are kept here too, and stored in their order as soon as that is possible; else the next start imports them.
"""

from __future__ import annotations

import itertools
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from immy_nornir.errors import HistoryError
from immy_nornir.history import own_files
from immy_nornir.history.projection import SESSION_ROW, Statement
from immy_nornir.history.troubles import advice_for, code_of, lenient
from immy_nornir.text import json

T = TypeVar("T")
Journal = str | Callable[[], str]

BATCH_SECONDS = 0.05
BATCH_STATEMENTS = 5000
BUSY_SECONDS = 5.0
"""So long another's lock is waited for before the journal is used: one of another immy takes milliseconds."""
AGAIN_SECONDS = 0.5
"""How often it is tried again then."""
PATIENCE_SECONDS = 3600.0
"""So long a question waits for another program's lock: nothing but the database can answer it."""
START_SECONDS = 30.0
HURRY_SECONDS = 5.0
BACKLOG = 20_000
"""Works kept here besides the journal; of more the journal alone has them."""
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LATER = (*_PASSING, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
"""Troubles of the file, which may be over later; any other is of what was to be written."""
_NO_VALUE = (ValueError, OverflowError, TypeError)
"""One value that SQLite does not take must not end the thread that all sessions write through."""


@dataclass(slots=True, eq=False)
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
    patience: float = PATIENCE_SECONDS
    asked_at: float = field(default_factory=time.monotonic)
    kept: bool = False
    """Whether it is in the journal."""
    waits: bool = False
    """Whether somebody waits for it until another program's lock is gone."""
    done: threading.Event | None = None
    """Set when it is done; none where nobody asks, since making one takes longer than to queue the work."""
    result: Any = None
    error: BaseException | None = None

    def end(self) -> None:
        """Let whoever waits for it go on."""
        if self.done is not None:
            self.done.set()


class _Rows:
    """The rows of sessions in one transaction: of several of one session only the first and the last are written.

    Each costs as much as two entries do. The first says when the session began, the last everything else; what
    reads or writes them in another way comes after `write`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._begun: set[str] = set()
        self._last: dict[str, tuple[Work, tuple[Any, ...]]] = {}

    def put(self, work: Work, values: tuple[Any, ...]) -> None:
        """Take one of a work."""
        session = values[-1]
        if session in self._begun:
            self._last[session] = (work, values)
            return
        self._begun.add(session)
        self._connection.execute(SESSION_ROW, values)

    def write(self) -> None:
        """Write the last ones."""
        for work, values in self._last.values():
            try:
                self._connection.execute(SESSION_ROW, values)
            except _NO_VALUE:
                work.error = HistoryError(_NOT_STORED)
        self._begun.clear()
        self._last.clear()


class Writer:
    """Owns the writing connection; every method may be called from any thread."""

    def __init__(self, path: Path, journal: Path) -> None:
        self._path = path
        self._journal = journal
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._lost = ""
        """Why an entry was lost: from then on the records keep what they have, and nothing follows a hole."""
        self._backlog: list[Work] = []
        """What could not be stored yet, in its order."""
        self._journal_alone = False
        """Whether the journal holds what is not in the backlog, so that it must stay."""
        self._patience = START_SECONDS
        self._file: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._run, name="immy-history", daemon=True)
        self._thread.start()

    def be_patient(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Let questions wait so long for another program's lock from now on, those that wait already too."""
        self._patience = seconds

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

    def call(self, function: Callable[[sqlite3.Connection], T], patience: float = PATIENCE_SECONDS) -> T:
        """Run a function in a transaction of its own and return what it returns; raises what it raises.

        While another program holds the database it waits, at the most so many seconds; then HistoryError.
        """
        work = Work(call=function, durable=True, patience=patience)
        self._wait(work)
        result: T = work.result
        return result

    def _wait(self, work: Work) -> None:
        done = work.done = threading.Event()
        self._queue.put(work)
        while not done.wait(60.0):
            if not work.waits:  # what waits for a lock has a limit of its own
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

    def flush(self, patience: float = PATIENCE_SECONDS) -> None:
        """Return when everything put before is stored. Raises: HistoryError where that cannot be."""
        self.call(lambda _: None, patience)

    def left_in_journal(self) -> Path | None:
        """The journal where it holds what is not stored; asked after `close`."""
        return self._journal if self._journal_alone or any(one.kept for one in self._backlog) else None

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._queue.put(None)
        self._thread.join(30.0)

    # --- in the thread ---

    def _run(self) -> None:
        connection = lenient(sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_SECONDS))
        self._file = _identity(self._path)
        while True:
            batch, ending = self._gather()
            if batch or self._backlog:
                self._write(connection, batch)
            if ending:
                self._end_waits(ending=True)
                connection.close()
                return

    def _gather(self) -> tuple[list[Work], bool]:
        """The next batch: everything there is, and up to 50 ms more while nobody waits for it."""
        batch: list[Work] = []
        size = 0
        durable = False
        timeout: float | None = AGAIN_SECONDS if self._backlog else None
        while size < BATCH_STATEMENTS:
            try:
                work = self._queue.get(timeout=timeout)
            except queue.Empty:
                break
            if work is None:
                return batch, True
            batch.append(work)
            size += len(work.statements) + 1
            durable = durable or work.durable
            timeout = 0.0 if durable else BATCH_SECONDS
        return batch, False

    def _write(self, connection: sqlite3.Connection, batch: list[Work]) -> None:
        """Store what waits and this batch, in one transaction."""
        kept = [work for work in batch if not self._refuse(work)]
        everything = [*self._backlog, *kept]
        durable = any(one.durable for one in everything)
        try:
            connection.execute(f"PRAGMA busy_timeout={int(1000 * (AGAIN_SECONDS if self._backlog else BUSY_SECONDS))}")
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            rows = _Rows(connection)
            for work in everything:
                self._one(connection, work, rows)
            rows.write()
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._postpone(connection, kept, error)
        else:
            self._stored(everything)
        for work in batch:
            if not work.waits:
                work.end()

    def _stored(self, works: list[Work]) -> None:
        if any(one.kept for one in self._backlog) and not self._journal_alone:
            self._journal.unlink(missing_ok=True)
        self._backlog = []
        for work in works:
            work.waits = False
            work.end()
            if work.stored is not None and work.error is None:
                work.stored()

    def _postpone(self, connection: sqlite3.Connection, batch: list[Work], why: sqlite3.Error) -> None:
        """Put a batch into the journal, and keep it for later where the trouble is one of the file."""
        passing = code_of(why) in _PASSING
        for work in batch:
            if passing and work.guard is not None and self._forbids(connection, work.guard):
                work.error = HistoryError(_TAKEN_OVER)
        self._to_journal([work for work in batch if work.error is None], why)
        for work in [one for one in batch if one.error is None and not one.kept and _is_asked(one)]:
            work.waits = passing
            if not passing:
                work.error = HistoryError(f"the history cannot be written: {why}", advice_for(why))
        if code_of(why) in _LATER:
            self._backlog += [one for one in batch if one.error is None]
        if code_of(why) not in _LATER or len(self._backlog) > BACKLOG:
            self._journal_alone |= any(one.kept for one in [*self._backlog, *batch])
            self._backlog = [one for one in self._backlog if one.waits]
        self._end_waits(why)

    def _end_waits(self, why: sqlite3.Error | None = None, *, ending: bool = False) -> None:
        """End the waiting of those who have waited long enough; of all when the thread ends, or it is for nothing."""
        now = time.monotonic()
        hopeless = ending or (why is not None and code_of(why) not in _PASSING)
        for work in [one for one in self._backlog if one.waits]:
            if hopeless or now - work.asked_at >= min(work.patience, self._patience):
                self._backlog.remove(work)
                advice = "" if why is None else advice_for(why)
                work.error = HistoryError(f"the history cannot be written: {why or 'it is locked'}", advice)
                work.waits = False
                work.end()

    @staticmethod
    def _forbids(connection: sqlite3.Connection, guard: Statement) -> bool:
        """Whether the guard's question has no answer, as far as that can be read beside another's lock."""
        try:
            return connection.execute(*guard).fetchone() is None
        except sqlite3.Error:
            return False

    def _refuse(self, work: Work) -> bool:
        """Whether an entry must not be written: after a hole, or where nobody would find it."""
        if work.journal and self._lost:
            work.error = HistoryError(f"an earlier entry could not be written: {self._lost}")
        elif work.journal and work.durable and (gone := self._gone()):
            work.error = HistoryError(gone)
        return work.error is not None

    @staticmethod
    def _one(connection: sqlite3.Connection, work: Work, rows: _Rows) -> None:
        if work.call is None:
            # What is in the journal has been promised: its guard was asked then.
            if work.guard is not None and not work.kept and connection.execute(*work.guard).fetchone() is None:
                work.error = HistoryError(_TAKEN_OVER)
                return
            try:
                for sql, some in itertools.groupby(work.statements, key=_sql):
                    if sql == SESSION_ROW:
                        for _, values in some:
                            rows.put(work, values)
                        continue
                    if "sessions" in sql:
                        rows.write()
                    _execute(connection, sql, [values for _, values in some])
            except _NO_VALUE:
                work.error = HistoryError(_NOT_STORED)
            return
        rows.write()
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
        works = [work for work in batch if work.journal]
        if not works:
            return
        lines = [work.journal if isinstance(work.journal, str) else work.journal() for work in works]
        try:
            handle = own_files.open_own(self._journal, os.O_WRONLY | os.O_APPEND)
            with os.fdopen(handle, "a", encoding="utf-8", errors="replace") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except (OSError, HistoryError) as error:
            if any(not work.durable for work in works):
                self._lost = str(why)
            for work in batch:
                work.error = HistoryError(
                    f"neither the history ({why}) nor its journal ({error}) can be written", advice_for(why)
                )
            return
        for work in works:
            work.kept = True


def _is_asked(work: Work) -> bool:
    """Whether somebody waits until it is written."""
    return work.call is not None or work.durable


_TAKEN_OVER = "another process has taken this session over"
_NOT_STORED = "a value cannot be stored"


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
    if len(rows) == 1:
        connection.execute(sql, rows[0])
        return
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
