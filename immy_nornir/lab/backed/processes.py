"""What backed computers need of POSIX: ending process groups, finding strays, leaving a process tree.

On Windows each of these does nothing; the lab refuses backed computers there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path


def kill_group(pid: int) -> None:
    """End a process group at once; one that is gone is fine."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def kill_marked(mark: bytes) -> None:
    """End every process whose environment holds `mark` (NAME=value), as far as the system shows environments."""
    if sys.platform != "win32":
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)


def leave_tree() -> bool:
    """Fork out of the process tree: True in the new process, which has a session of its own and no standard streams."""
    if sys.platform != "win32":
        if os.fork():
            return False
        os.setsid()
        if os.fork():
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        return True
    else:
        return False
