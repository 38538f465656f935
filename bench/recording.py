"""What it costs to record a session: the entries of a real full session, appended again for many computers."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import sys
import time
from pathlib import Path

from bench.measure import measure
from bench.reboots import full_fleet
from bench.table import Settings, Table
from bench.world import World, world_in


def run(settings: Settings) -> Table:
    """CPU of the whole process, its writing thread included, for each session more."""
    table = Table(
        "Recording: the entries of a full session", ("sessions", "entries each", "CPU s", "ms CPU per session")
    )
    with world_in(settings.folder, "recording") as world:
        full_fleet(world, "after", 1)
        with world.lab("--reboot-seconds", "0.3"):
            world.run("--on", "tenants", "--type", "full", "--reboot", "force", count=1, workers=1)
        sizes = (50, 200) if settings.quick else (200, 1000)
        rows = [_once(world, size) for size in sizes]
        for size, (entries, cpu) in zip(sizes, rows, strict=True):
            table.add(str(size), str(entries), f"{cpu:.2f}", f"{cpu / size * 1000:.2f}")
        slope = (rows[1][1] - rows[0][1]) / (sizes[1] - sizes[0]) * 1000
        table.notes.append(f"slope: {slope:.2f} ms CPU a session: its row, its claim, every entry, and the fold")
    return table


def _once(world: World, count: int) -> tuple[int, float]:
    command = [sys.executable, "-m", "bench.recording", str(world.root / ".immy-bench" / "history.db"), str(count)]
    done = measure(command, world.root, {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)})
    entries, cpu = done.out.split()
    return int(entries), float(cpu)


def replay(database: Path, count: int) -> tuple[int, float]:
    """Record one session of a history again for so many computers: (entries each, CPU seconds)."""
    from immy_nornir.decide.steps.state import State, fold
    from immy_nornir.history import records
    from immy_nornir.history.store import History
    from immy_nornir.model.record.run import RunSpec
    from immy_nornir.session.engine import SystemClock
    from immy_nornir.text.redaction.redact import Redactor

    with sqlite3.connect(database) as connection:
        (session,) = connection.execute("SELECT id FROM sessions").fetchone()
        loaded = records.record(connection, session)
    connection.close()
    assert loaded is not None
    spec, definitions, entries = loaded
    redactor = Redactor(["bench-Passw0rd"])
    history = History(database.parent / f"replayed-{os.getpid()}", SystemClock(), redactor.clean)
    history.begin_run(RunSpec("replay", "bench"))
    specs = [
        dataclasses.replace(spec, id=f"replay-{number}", run_id="replay", computer=f"pc{number}")
        for number in range(count)
    ]
    begin = time.process_time()
    history.create_sessions(specs)
    for one in specs:
        history.claim(one.computer, one.id)
        state = State(one, definitions)
        history.keep_definitions(definitions)
        for stamped in entries:
            state = fold(state, stamped)
            history.append(state, stamped)
    history.flush()
    cpu = time.process_time() - begin
    history.close()

    return len(list(entries)), cpu


if __name__ == "__main__":
    print(*replay(Path(sys.argv[1]), int(sys.argv[2])))
