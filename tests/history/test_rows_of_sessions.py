"""A session's row after many entries in one transaction is what it is after each of them in one of its own."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import pytest

from immy_nornir.decide.steps.state import State, fold
from immy_nornir.history.store import FILE, History
from immy_nornir.model.record.entries import Connected, Detected, Entry, Finished, Resumed, Stamped, Waiting
from immy_nornir.model.record.run import RunSpec
from immy_nornir.model.record.session import SessionSpec, Status, WaitKind
from tests.history import sample

ENTRIES: list[Entry] = [
    Resumed("me", 1),
    Connected(sample.IDENTITY),
    Waiting(WaitKind.WINDOW, 900.0, "its window"),
    Detected(()),
    Finished(Status.PASSED, "all well"),
]
ROW = "SELECT status, reason, end_reason, stage, waiting, due_at, epoch, entries, started_at, ended_at FROM sessions"


def recorded(folder: Path, *, apart: bool, left: int = 0) -> dict[str, tuple[object, ...]]:
    """The rows of two sessions whose entries came in turn: all at once, or each stored before the next is given."""
    history = History(folder, sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"))
    specs = [SessionSpec(f"run-{number}", "run", f"pc{number}") for number in (1, 2)]
    history.create_sessions(specs)
    states = {one.id: State(one) for one in specs}
    for number, (entry, spec) in enumerate(itertools.product(ENTRIES[: len(ENTRIES) - left], specs)):
        stamped = Stamped(number // 2 + 1, 100.0 + number, entry)
        states[spec.id] = fold(states[spec.id], stamped)
        history.append(states[spec.id], stamped)
        if apart:
            history.flush()
    if left:
        history.defer("pc1", "run-1")
    history.close()
    connection = sqlite3.connect(folder / FILE)
    found = {spec.id: connection.execute(f"{ROW} WHERE id=?", (spec.id,)).fetchone() for spec in specs}
    connection.close()
    return found


@pytest.mark.parametrize("left", [0, 1, 2])
def test_rows_say_the_same_whether_entries_are_stored_together_or_apart(tmp_path: Path, left: int) -> None:
    together, apart = (recorded(tmp_path / name, apart=name == "apart", left=left) for name in ("together", "apart"))
    assert together == apart
    assert together["run-2"][-2] == 101.0, "it began with its first entry, not with the last that was written"


def test_who_asks_in_between_sees_the_entries_of_before(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"), [SessionSpec("run-1", "run", "pc")])
    state = State(SessionSpec("run-1", "run", "pc"))
    for seq, entry in enumerate(ENTRIES, 1):
        state = fold(state, Stamped(seq, 100.0 + seq, entry))
        history.append(state, Stamped(seq, 100.0 + seq, entry))
        assert history.has_ended("run-1") is (seq == len(ENTRIES))
    history.close()
