"""How the history's file is opened for reading, in places that take no writing too.

Not here: who writes (store, writer), what is asked (queries), what is said where it cannot be opened (troubles).
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from immy_nornir.history import locks, own_files
from immy_nornir.history.troubles import check, code_of, lenient

WAIT_SECONDS = 30.0


@dataclass(slots=True)
class Opened:
    """A reading connection, and the copy that it reads where the file itself could not be opened."""

    connection: sqlite3.Connection
    copy: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """End the connection, and remove the copy."""
        self.connection.close()
        if self.copy is not None:
            self.copy.cleanup()


def open_reading(path: Path, *, written: bool = False) -> Opened:
    """A reading connection, from places that take no writing too; an older schema is brought up to ours.

    `written`: this process writes the file, so that a copy of it would be an old one in a moment.
    Raises: HistoryError, sqlite3.Error, OSError.
    """
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        own_files.refuse_link(one)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    opened = _opened_again(path) if written else _opened(path)
    try:
        check(opened.connection)
        sql = "SELECT 1 FROM sqlite_master WHERE type='table' AND name='meta'"
        if opened.connection.execute(sql).fetchone() is None:
            opened.close()
            opened = _brought_up(path)
        opened.connection.execute("SELECT id FROM runs LIMIT 1")
    except sqlite3.Error:
        opened.close()
        raise
    return opened


def _opened(path: Path) -> Opened:
    try:
        return Opened(_connected(path, "mode=ro"))
    except sqlite3.OperationalError as error:
        # Reading a file in WAL mode makes files beside it, which a place that takes no writing refuses.
        if code_of(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or not os.access(path, os.R_OK):
            raise
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return _copied(path)
    return Opened(_connected(path, "mode=ro&immutable=1"))


def _opened_again(path: Path) -> Opened:
    """A file that this process holds open already: it has the rights, so that what it has not is room."""
    try:
        return Opened(_connected(path, "mode=ro"))
    except sqlite3.OperationalError as error:
        if code_of(error) != sqlite3.SQLITE_CANTOPEN or not os.access(path, os.R_OK):
            raise
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from error  # SQLite has one word for all of it


def _connected(path: Path, options: str) -> sqlite3.Connection:
    # A path may hold what has a meaning in a URI: # ? %.
    uri = f"{path.absolute().as_uri()}?{options}"
    connection = sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return lenient(connection)


def _copied(path: Path) -> Opened:
    """A copy to read, with what is in the log beside the file."""
    copy = tempfile.TemporaryDirectory(prefix="immy-history-")
    try:
        for name in (path.name, f"{path.name}-wal"):
            if path.with_name(name).exists():
                shutil.copyfile(path.with_name(name), Path(copy.name) / name)
        return Opened(_connected(Path(copy.name) / path.name, "mode=rw"), copy)
    except BaseException:
        copy.cleanup()
        raise


def _brought_up(path: Path) -> Opened:
    """A history of an older version, or one whose making was cut off, with the schema that is asked for here."""
    try:
        _bring_up(path)
    except (OSError, sqlite3.OperationalError) as error:
        if isinstance(error, sqlite3.Error) and code_of(error) not in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
        ):
            raise
        opened = _copied(path)
        from immy_nornir.history import schema

        schema.migrate(opened.connection)
        return opened
    return _opened(path)


def _bring_up(path: Path) -> None:
    from immy_nornir.history import schema

    with locks.alone(path.parent / "opening.lock"):
        connection = sqlite3.connect(path, timeout=WAIT_SECONDS)
        try:
            schema.migrate(connection)
        finally:
            connection.close()


_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system(folder: Path, table: Path = Path("/proc/self/mounts")) -> str:
    """The type of the file system that holds a folder, where a table of mounts tells (Linux); else an empty text."""
    try:
        mounts = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    path = str(folder.resolve())
    for line in mounts:
        # Blanks in names are written as \040.
        parts = [_ESCAPED.sub(lambda found: chr(int(found[1], 8)), part) for part in line.split(" ")]
        if (
            len(parts) > 2
            and (path == parts[1] or path.startswith(parts[1].rstrip("/") + "/"))
            and len(parts[1]) >= len(best)
        ):
            best, kind = parts[1], parts[2]
    return kind
