"""What the history's file must be, and what to do where it cannot be opened, read or written."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from pathlib import Path

from immy_nornir.errors import HistoryError, lacking

SCHEMA = 11
"""The newest schema: the number of the last migration. A file says in `user_version` which it has."""
_TABLES = {"runs", "sessions", "entries", "run_entries", "actions", "jobs", "reboots", "facts", "active", "blobs"}
_TABLES |= {
    "meta",
    "accepted",
    "orders",
    "occasions",
    "freezes",
    "slots",
    "onboarded",
    "tellings",
    "tickets",
    "told_sessions",
    "sightings",
    "entries_with_key",
    "_sqlite_migrations",
}
_LOCK = "another program holds it: a database shell, a backup, an indexer; close it or wait, then start again"
_ADVICE = {
    sqlite3.SQLITE_BUSY: _LOCK,
    sqlite3.SQLITE_LOCKED: _LOCK,
    sqlite3.SQLITE_FULL: "free some space on the disk that holds it, then start again",
    sqlite3.SQLITE_IOERR: "look at the disk that holds it, and whether it has room",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: `sqlite3 FILE .recover` may save what it holds; "
    "move it away, with its -wal, to begin a new one",
    sqlite3.SQLITE_NOTADB: "that is no history of immy: move it away to begin a new one, or give another folder "
    "with --state",
}
_NO_RIGHTS = "give another folder with --state, one that this user may write into"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UnfitError(sqlite3.DatabaseError):
    """The file can be read, and is not what is opened here."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


def code_of(error: BaseException) -> int:
    """SQLite's primary code of an error, 0 where it has none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def advice_for(error: Exception) -> str:
    """What to do where the file cannot be opened, read or written: each kind of trouble has its own."""
    if isinstance(error, UnfitError):
        return error.advice
    if isinstance(error, OSError):
        return _ADVICE[sqlite3.SQLITE_FULL] if error.errno in _NO_ROOM else _NO_RIGHTS
    return _ADVICE.get(code_of(error), _NO_RIGHTS)


def refusal(path: Path, doing: str, error: Exception) -> HistoryError:
    """The error that says of a file what cannot be done, why, and what to do."""
    if told := lacking(error):
        return HistoryError(f"{path} cannot be {doing}: this machine has no room: {told}", "ulimit -n, fewer workers")
    return HistoryError(f"{path} cannot be {doing}: {error}", advice_for(error))


def check(connection: sqlite3.Connection) -> None:
    """Raise UnfitError for another program's database, and for a schema that is newer than ours."""
    tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    named: set[str] = set()
    if "_sqlite_migrations" in tables:
        with contextlib.suppress(sqlite3.OperationalError):  # of another shape: it is another program's
            sql = "SELECT name FROM _sqlite_migrations WHERE migration_set='immy'"
            named = {str(row[0]) for row in connection.execute(sql)}
    if not named and {one for one in tables if not one.startswith("sqlite_")} - _TABLES:
        raise UnfitError("it holds tables of something else", "give another folder with --state; leave that file alone")
    if version > SCHEMA or any(_number(name) > SCHEMA for name in named):
        raise UnfitError(
            "it was written by a newer version of immy, and this one does not know its schema",
            "use that version of immy, or give another folder with --state",
        )


def _number(name: str) -> int:
    """The number of a migration, which its name begins with: m003_..."""
    digits = name[1:].partition("_")[0]
    return int(digits) if digits.isdecimal() else 0


def lenient(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, with `?` for what is no text: one such value would be the end of a whole question."""
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection
