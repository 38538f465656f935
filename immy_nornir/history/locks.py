"""Locks that the kernel frees when their process dies; the one place where POSIX and Windows differ here."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from immy_nornir.errors import HistoryError
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
    """Whether a living process has a sole lock."""
    try:
        handle = _opened(path)
    except FileNotFoundError:
        return False
    except OSError:  # another user's
        return True
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


def is_alive(folder: Path, owner: str) -> bool:
    """Whether the process that took this owner's lock still runs; who cannot look takes nothing over."""
    try:
        return is_taken(folder / f"{owner}.lock")
    except ValueError:  # a name that no file can have
        return True
