"""Scheduled tasks of a backed computer: registers, starts and stops what `windows.psm1` wrote down.

Run as `python -m immy_nornir.lab.backed.task register|start|stop FILE` inside a backed computer. A started task lives
in a session of its own under a small supervisor, outside the process tree that asked for it; the lab's log has its
start and its end. POSIX only, like backed computers.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immy_nornir.lab.backed.processes import kill_group, leave_tree
from immy_nornir.lab.commandline import translate
from immy_nornir.lab.journal import Journal
from immy_nornir.text import json

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Carry out one verb on one task's file."""
    verb, path = arguments[0], Path(arguments[1])
    journal = Journal(Path(os.environ["IMMY_LAB_LOG"]))
    task: dict[str, Any] = json.parse(path.read_text("utf-8-sig"))
    job_id = str(task["TaskName"])
    computer = os.environ["IMMY_LAB_COMPUTER"]
    match verb:
        case "register":
            journal.write("job_created", computer, job_id=job_id, user=task.get("UserId"))
        case "start":
            start(path, task, journal, computer)
        case "stop":
            journal.write("job_stopped", computer, job_id=job_id)
            stop(path)
        case _:
            return 2
    return 0


def stop(path: Path) -> None:
    """End a running task with everything that it started."""
    with contextlib.suppress(OSError, ValueError):
        kill_group(int(path.with_suffix(".pid").read_text()))


def start(path: Path, task: dict[str, Any], journal: Journal, computer: str) -> None:
    """Start the task's program outside our process tree; returns at once."""
    if leave_tree():
        try:
            _supervise(path, task, journal, computer)
        finally:
            os._exit(0)


def _supervise(path: Path, task: dict[str, Any], journal: Journal, computer: str) -> None:
    action, job_id = task["Actions"][0], str(task["TaskName"])
    line = f'"{action["Execute"]}" {action.get("Arguments") or ""}'
    command = translate(line, json.parse(os.environ["IMMY_LAB_POWERSHELL"]), Path(os.environ["IMMY_LAB_MODULE"]))
    folder = action.get("WorkingDirectory") or os.environ.get("TEMP")
    process = subprocess.Popen(command, start_new_session=True, cwd=folder)
    path.with_suffix(".pid").write_text(str(process.pid))
    journal.write("installer_started", computer, job_id=job_id, pid=process.pid)
    began = time.monotonic()
    try:
        code = process.wait(task.get("Limit") or None)
    except subprocess.TimeoutExpired:
        kill_group(process.pid)
        code = process.wait()
    seconds = round(time.monotonic() - began, 3)
    journal.write("installer_finished", computer, job_id=job_id, exit_code=code, seconds=seconds)
    if path.exists():
        path.with_suffix(".result").write_text(str(code))
    path.with_suffix(".pid").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
