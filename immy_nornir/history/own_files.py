"""The files and folders that immy writes for itself: for its own user only, under any umask, never through a link.

A link in the state folder would let somebody else choose which file is written. The state folder itself may be one.
What root makes in the folder of somebody else is that one's, who could not write there any more otherwise.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import stat
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from immy_nornir import __version__
from immy_nornir.errors import HistoryError

_FILE, _FOLDER = 0o600, 0o700
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)

BUGS = "bug.log"
_LONGEST_LOG = 1_000_000
"""A file that is longer begins anew."""


def make_folder(folder: Path, *, inside: bool = False) -> None:
    """Make a folder and those above it; one that is there keeps its rights. `inside`: in the state folder.

    Raises: HistoryError for a link inside the state folder, OSError where it cannot be made.
    """
    if inside:
        refuse_link(folder)
    missing = []
    above = folder
    while not above.exists() and above != above.parent:
        missing.append(above)
        above = above.parent
    for one in reversed(missing):
        try:
            one.mkdir(_FOLDER)
        except FileExistsError:
            if not one.is_dir():
                raise
            continue
        one.chmod(_FOLDER)  # the umask may have taken more away than is needed
        if inside:
            _give(one, one.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def _give(made: int | Path, folder: Path) -> None:
    """Let what root has made belong to the owner of its folder, as SQLite does with its files."""
    if sys.platform != "win32" and os.geteuid() == 0:
        status = folder.stat()
        if status.st_uid:
            os.chown(made, status.st_uid, status.st_gid)


def foreign_owner(folder: Path) -> str:
    """Whose a folder is, for an account that is neither its owner nor root; else empty."""
    if sys.platform != "win32":
        import pwd

        with contextlib.suppress(OSError):
            owner = folder.stat().st_uid
            if os.geteuid() not in (0, owner):
                try:
                    return pwd.getpwuid(owner).pw_name
                except KeyError:
                    return str(owner)
    return ""


def refuse_link(path: Path) -> None:
    """Raise HistoryError where a file or folder of ours is a link, or a file is anything but a plain one."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise HistoryError(f"{path} is a link, and immy writes through none in its own folder", "remove the link")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise HistoryError(f"{path} is no plain file", "remove it, or give another folder with --state")


def open_own(path: Path, flags: int) -> int:
    """A descriptor of a file of ours, made where it is missing.

    Raises: HistoryError for a link, OSError where it cannot be opened.
    """
    refuse_link(path)
    with contextlib.suppress(FileExistsError):
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY, _FILE)
        try:
            if sys.platform != "win32":
                os.fchmod(made, _FILE)
                _give(made, path.parent)
        finally:
            os.close(made)
    return os.open(path, flags | _NOFOLLOW | _BINARY)


def write_own(path: Path, text: str) -> None:
    """Write a whole file of ours.

    Raises: HistoryError for a link, OSError where it cannot be written.
    """
    with os.fdopen(open_own(path, os.O_WRONLY | os.O_TRUNC), "w", encoding="utf-8", errors="replace") as file:
        file.write(text)


def keep_bug(folder: Path, clean: Callable[[str], str] = str) -> str:
    """Write the exception that is being handled into the file, and say where it is; `clean` takes secrets out.

    Never raises: a place that cannot be written is said.
    """
    path = folder / BUGS
    about = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} immy {__version__}, Python {platform.python_version()}"
    try:
        text = clean(f"{about}, {platform.platform()}\n{traceback.format_exc()}\n")
        make_folder(folder)
        how = os.O_TRUNC if path.exists() and path.stat().st_size > _LONGEST_LOG else os.O_APPEND
        with os.fdopen(open_own(path, os.O_WRONLY | how), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except Exception:  # noqa: BLE001 - what is said of one fault must not be another
        return f"no details: {path} cannot be written"
    return f"details in {path}"
