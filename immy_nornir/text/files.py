"""Texts of files that people gave, which may be anything: what is no file is named and not read.

To read a pipe that nobody writes into waits for ever, and a device may have no end. Not here: what the texts mean.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 200_000_000
"""Of one file; an inventory at its limits is smaller."""
_KINDS: Final = (
    (stat.S_ISFIFO, "it is a named pipe, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
)
_NEVER_WAIT: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises OSError, whose `strerror` says why, for what is no file and what is too large too.
    """
    _check(os.stat(path), path)  # noqa: PTH116 - before it is opened: that alone can do something to a device
    handle = os.open(path, os.O_RDONLY | _NEVER_WAIT)
    with os.fdopen(handle, "rb") as file:
        _check(os.fstat(handle), path)
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MAX_BYTES:,} bytes", str(path))
    return data


def why_odd(path: Path) -> str:
    """Why what is there is neither a file nor a folder, in small letters; empty where it is one or there is nothing."""
    if not is_odd(path):
        return ""
    try:
        _check(path.stat(), path)
    except OSError as error:
        return (error.strerror or "").lower()
    return ""


def is_odd(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder, or a link that leads to itself."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error.errno == errno.ELOOP
    except ValueError:  # no name of a file
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _check(found: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        what = next((text for is_kind, text in _KINDS if is_kind(found.st_mode)), "it is no file")
        raise OSError(errno.EINVAL, what, str(path))
