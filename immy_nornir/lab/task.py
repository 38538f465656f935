"""Scheduled tasks of a backed computer: registers, starts and stops what `windows.psm1` wrote down.

Run as `python -m immy_nornir.lab.task register|start|stop FILE` inside a backed computer. A started task lives in a
session of its own under a small supervisor, outside the process tree that asked for it; the lab's log has its start
and its end. POSIX only, like backed computers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immy_nornir.lab.commandline import translate
from immy_nornir.lab.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Carry out one verb on one task's file."""
    verb, path = arguments[0], Path(arguments[1])
    journal = Journal(Path(os.environ["IMMY_LAB_LOG"]))
    task: dict[str, Any] = json.loads(path.read_text("utf-8-sig"))
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
    try:
        pid = int(path.with_suffix(".pid").read_text())
    except (OSError, ValueError):
        return
    if sys.platform != "win32":
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def start(path: Path, task: dict[str, Any], journal: Journal, computer: str) -> None:
    """Start the task's program in a session of its own; returns when it has been started."""
    if sys.platform == "win32":
        raise SystemExit("backed computers need POSIX")
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    _supervise(path, task, journal, computer)
    os._exit(0)


def _supervise(path: Path, task: dict[str, Any], journal: Journal, computer: str) -> None:
    if sys.platform == "win32":
        return
    with Path(os.devnull).open("r+b") as nothing:
        for descriptor in range(3):
            os.dup2(nothing.fileno(), descriptor)
        action = task["Actions"][0]
        line = f'"{action["Execute"]}" {action.get("Arguments") or ""}'
        command = translate(line, json.loads(os.environ["IMMY_LAB_POWERSHELL"]), Path(os.environ["IMMY_LAB_MODULE"]))
        process = subprocess.Popen(
            command,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
            cwd=action.get("WorkingDirectory") or os.environ.get("TEMP"),
        )
        path.with_suffix(".pid").write_text(str(process.pid))
        job_id = str(task["TaskName"])
        journal.write("installer_started", computer, job_id=job_id, pid=process.pid)
        began = time.monotonic()
        try:
            code = process.wait(task.get("Limit") or None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        seconds = round(time.monotonic() - began, 3)
        journal.write("installer_finished", computer, job_id=job_id, exit_code=code, seconds=seconds)
        if path.exists():
            path.with_suffix(".result").write_text(str(code))
        path.with_suffix(".pid").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
