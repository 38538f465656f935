"""Locks that the kernel frees when their process dies, and slots in rows whose owners live by such a lock.

The one place where POSIX and Windows differ here. Who waits for a slot has a row too, so that processes serve each
other in the order of coming; one that was not renewed for some seconds waits no more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from immy_nornir.errors import HistoryError, lacking
from immy_nornir.history.own_files import make_folder, open_own

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, *, alone: bool = True) -> bool:  # noqa: ARG001 - there is one kind of lock here
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(handle: int, *, alone: bool = True) -> bool:
        """With `alone` False two who only ask do not take each other for the owner."""
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


@contextlib.contextmanager
def alone(path: Path, seconds: float = 30.0) -> Iterator[None]:
    """Be the only process in here that uses this file as its lock; after `seconds` go on all the same."""
    handle = open_own(path, os.O_RDWR)
    try:
        ends = time.monotonic() + seconds
        while not _lock(handle) and time.monotonic() < ends:
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)


class SoleLock:
    """Being the only process that does something in this state folder; the kernel frees it when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether this process has it now. Raises: OSError, HistoryError where the file cannot be opened."""
        if self._handle is None:
            handle = open_own(self._path, os.O_RDWR)
            if not _lock(handle):
                os.close(handle)
                return False
            self._handle = handle
        return True

    def release(self) -> None:
        """Let go; safe to repeat."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_taken(path: Path) -> bool:
    """Whether a living process has a sole lock; yes where this machine has no room to look."""
    try:
        return _is_taken(path)
    except OSError:
        return True


def _is_taken(path: Path) -> bool:
    """Raises OSError where this machine has no room to look."""
    try:
        handle = _opened(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        if lacking(error):
            raise
        return True  # another user's
    try:
        return not _lock(handle, alone=False)
    finally:
        os.close(handle)


class OwnerLock:
    """This process's life, as a locked file `owners/ID.lock`; anybody can ask whether an owner lives."""

    def __init__(self, folder: Path, owner: str) -> None:
        make_folder(folder, inside=True)
        self._path = folder / f"{owner}.lock"
        self._handle: int | None = open_own(self._path, os.O_RDWR)
        if not _lock(self._handle):
            # Others would take its sessions for those of a dead process, and do them a second time.
            os.close(self._handle)
            raise HistoryError(f"{self._path} cannot be locked", "give a folder on a local disk with --state")

    def release(self) -> None:
        """Let go; safe to repeat."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            self._path.unlink(missing_ok=True)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
        return os.open(path, os.O_RDONLY)


def is_alive(folder: Path, owner: str, *, surely: bool = False) -> bool:
    """Whether the process that took this owner's lock still runs; who cannot look takes nothing over.

    `surely`: raises OSError where this machine has no room to look, for an answer that ends something.
    """
    try:
        path = folder / f"{owner}.lock"
        return _is_taken(path) if surely else is_taken(path)
    except ValueError:  # a name that no file can have
        return True


# --- slots ----------------------------------------------------------------------------------------------------------

WAITS_SECONDS = 30.0
"""So long a session that waits is believed to wait still; it asks every few seconds."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a session, its computer, and the process that it is in."""

    session: str
    computer: str
    owner: str
    now: float


def take_slots(
    connection: sqlite3.Connection,
    asker: Asker,
    most: Mapping[str, int],
    is_alive: Callable[[str], bool],
    *,
    force: bool,
) -> str:
    """Empty when all of these slots are the session's now; else who has one of them."""
    marks = ",".join("?" * len(most))
    sql = f"SELECT name, session_id, owner, computer, since, seen_at, held FROM slots WHERE name IN ({marks})"  # noqa: S608 - marks only
    rows = connection.execute(sql, tuple(most)).fetchall()
    alive = {owner: owner == asker.owner or is_alive(owner) for owner in {row[2] for row in rows} - {LEFT}}
    for owner in (owner for owner, lives in alive.items() if not lives):
        connection.execute("DELETE FROM slots WHERE owner=?", (owner,))
    connection.execute("DELETE FROM slots WHERE owner=? AND seen_at<=?", (LEFT, asker.now))
    # Whatever was left on its own computer, that computer says so itself.
    left = [row for row in rows if row[2] == LEFT and row[5] > asker.now and row[3] != asker.computer]
    others = [*left, *(row for row in rows if alive.get(row[2]) and row[1] != asker.session)]
    since = min((row[4] for row in rows if row[1] == asker.session), default=asker.now)
    told = "" if force else _told(others, asker, most, since)
    upsert = (
        "INSERT INTO slots (name, session_id, owner, computer, since, seen_at, held) VALUES (?,?,?,?,?,?,?) "
        "ON CONFLICT (name, session_id) DO UPDATE SET owner=excluded.owner, seen_at=excluded.seen_at, "
        "held=max(held * (owner=excluded.owner), excluded.held)"
    )
    values = [(name, asker.session, asker.owner, asker.computer, since, asker.now, 0 if told else 1) for name in most]
    connection.executemany(upsert, values)
    return told


def _told(
    others: list[tuple[str, str, str, str, float, float, int]], asker: Asker, most: Mapping[str, int], since: float
) -> str:
    for name, number in most.items():
        taken = [row for row in others if row[0] == name and row[6]]
        before = [
            row
            for row in others
            if row[0] == name
            and not row[6]
            and row[5] > asker.now - WAITS_SECONDS
            and (row[4], row[1]) < (since, asker.session)
        ]
        if len(taken) + len(before) >= number:
            there = (taken or before)[0]
            if there[2] == LEFT:
                return f"left at work on {there[3]} by session {there[1]}, until {_said(there[5])} at the latest"
            word = "taken by" if taken else "waited for longer by"
            return f"{word} {there[3]} (session {there[1]}, process {there[2]})"
    return ""


def _said(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


LEFT = ""
"""In place of an owner: what was left at work on the computer uses the slot, until `seen_at` at the latest."""


def leave_slots(
    session: str, computer: str, keys: Collection[str], now: float, until: float
) -> list[tuple[str, tuple[object, ...]]]:
    """The statements that give back all slots of a session but these, which have no owner from now on."""
    upsert = (
        "INSERT INTO slots (name, session_id, owner, computer, since, seen_at, held) VALUES (?,?,?,?,?,?,1) "
        "ON CONFLICT (name, session_id) DO UPDATE SET owner=excluded.owner, seen_at=excluded.seen_at, held=1"
    )
    return [keep_slots(session, keys), *((upsert, (name, session, LEFT, computer, now, until)) for name in keys)]


def settle_slots(session: str, computer: str) -> tuple[str, tuple[str, ...]]:
    """The statement that gives back what was left at work on a computer, but not by this session."""
    return "DELETE FROM slots WHERE owner=? AND computer=? AND session_id<>?", (LEFT, computer, session)


def keep_slots(session: str, keys: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """The statement that gives back all slots of a session but these."""
    marks = ",".join("?" * len(keys))
    return f"DELETE FROM slots WHERE session_id=? AND name NOT IN ({marks})", (session, *keys)  # noqa: S608 - marks only
