"""What it costs to watch a run: `immy watch` on a terminal, while another process writes the history.

CPU of the process behind its first picture, for each second of watching.
"""

from __future__ import annotations

import os
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.table import Settings, Table
from bench.world import IMMY, name_of

SECONDS = 20.0
_AT_WORK = 32


@dataclass
class Written:
    """A run in a history, whose sessions this process is at."""

    folder: Path
    count: int
    stop: threading.Event = field(default_factory=threading.Event)

    def fill(self) -> None:
        """A tenth has ended, some are at work, half of the rest waits for a window, the others have not begun."""
        from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
        from immy_nornir.decide.runs.run_state import RunState, fold_run
        from immy_nornir.decide.steps.state import State
        from immy_nornir.history.store import History
        from immy_nornir.model.record.entries import Finished, Noted, Resumed, Waiting
        from immy_nornir.model.record.run import PlaySpec, RunSpec, RunStamped, WaveBegan
        from immy_nornir.model.record.session import SessionSpec, Status, WaitKind
        from immy_nornir.session.engine import SystemClock

        self.history, self.now = History(self.folder, SystemClock()), time.time()
        kind = BUILT_IN_TYPES["full"]
        specs = [
            SessionSpec(f"watched-{n}", "watched", name_of(n), f"tenant{n // 50:03}", kind, created_at=self.now)
            for n in range(self.count)
        ]
        run = RunSpec("watched", "immy run", plays=(PlaySpec("all", (tuple(one.id for one in specs),)),))
        self.history.begin_run(run, specs)
        stamped = RunStamped(1, self.now, WaveBegan(0, 0))
        self.history.append_run(fold_run(RunState(run), stamped), stamped)
        self.states = []
        for number, spec in enumerate(specs):
            state = self._told(State(spec, {}), Resumed(self.history.owner, 1))
            if number < self.count // 10:
                self._told(state, Finished(Status.PASSED, "1 done"))
            elif number < self.count // 10 + _AT_WORK:
                self.states.append(self._told(state, Noted("at work")))
            elif number % 2:
                self._told(state, Waiting(WaitKind.WINDOW, self.now + 9000, "window 22:00, which opens at 22:00", True))
        self.history.flush()

    def _told(self, state, entry):  # type: ignore[no-untyped-def]  # values of the model, imported late
        from immy_nornir.decide.steps.state import fold
        from immy_nornir.model.record.entries import Stamped

        stamped = Stamped(state.entries + 1, time.time(), entry)
        after = fold(state, stamped)
        self.history.append(after, stamped)
        return after

    @contextmanager
    def told(self, a_second: float) -> Iterator[None]:
        """So many entries come each second meanwhile."""
        from immy_nornir.model.record.entries import Noted

        self.stop.clear()

        def tell() -> None:
            number = 0
            while a_second and not self.stop.wait(1.0 / a_second):
                number += 1
                at = number % len(self.states)
                self.states[at] = self._told(self.states[at], Noted(f"still at work, {number}"))

        thread = threading.Thread(target=tell)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join(10.0)


def run(settings: Settings) -> Table:
    """Runs of two sizes, in which nothing, little and much happens."""
    title = f"Watching: `immy watch` for {SECONDS:.0f} s on a terminal of 80 columns"
    table = Table(title, ("computers", "entries each second", "first picture, CPU s", "MB", "CPU of a second after it"))
    for count in (12, 2000) if settings.quick else (12, 10_000):
        folder = settings.folder / f"state-{count}"
        written = Written(folder, count)
        written.fill()
        for a_second in (0, 1, 100):
            with written.told(a_second):
                first, _ = _watched(folder, 1.0)
                whole, memory = _watched(folder, 1.0 + SECONDS)
            table.add(f"{count:,}", str(a_second), f"{first:.2f}", f"{memory:.0f}", f"{(whole - first) / SECONDS:.1%}")
        written.history.close()
    table.notes.append("the first picture: all of Python's start, and a second of watching")
    return table


def _watched(folder: Path, seconds: float) -> tuple[float, float]:
    """CPU seconds and MB of watching for so long."""
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (24, 80))
    command = [*IMMY, "--state", str(folder), "watch", "watched"]
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env={**os.environ, "TERM": "xterm"})
    os.close(its)
    timer = threading.Timer(seconds, process.send_signal, (signal.SIGTERM,))
    shown = 0
    try:
        while data := os.read(ours, 65536):
            if not shown:  # before, nothing is watched yet
                timer.start()
            shown += len(data)
    except OSError:
        pass
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    timer.cancel()
    os.close(ours)
    assert process.returncode == 130, process.returncode
    assert shown > 1000, shown
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
