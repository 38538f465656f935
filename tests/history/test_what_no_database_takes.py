"""One thing that is out of the ordinary must not end a thread that all sessions depend on."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from immy_nornir.decide.steps.state import State, fold
from immy_nornir.history.queries import Reader
from immy_nornir.history.store import FILE, History, Run
from immy_nornir.model.record.entries import Entry, Finished, Noted, Stamped
from immy_nornir.model.record.session import Status
from tests.history import sample
from tests.waiting import ENOUGH

SPEC = sample.spec()
HALF = "half a character: \ud83d"


def append(history: History, state: State, entry: Entry, *, durable: bool = False) -> State:
    stamped = Stamped(state.entries + 1, 1.0, entry)
    after = fold(state, stamped)
    history.append(after, stamped, durable=durable)
    return after


@pytest.mark.parametrize("durable", [True, False])
def test_half_a_character_from_one_computer_does_not_end_the_history_of_all(tmp_path: Path, durable: bool) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(Run("run", "immy run"))
    history.create_sessions([SPEC])
    history.claim(SPEC.computer, SPEC.id)
    state = append(history, State(SPEC), Noted(HALF), durable=durable)
    state = append(history, state, Noted(HALF * 300), durable=durable)
    append(history, state, Finished(Status.PASSED, "fine"))
    history.flush()
    with Reader(tmp_path / FILE) as reader:
        texts = [row.text for row in reader.log(SPEC.id)]
    history.close()
    assert texts[0] == "half a character: ?"
    assert len(texts) == 3


def test_a_value_that_no_database_takes_costs_itself_alone(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(Run("run", "immy run"))
    history._writer.put([("UPDATE runs SET note=?", (10**30,))])
    history.flush()
    history.end_run("run", "ended")
    history.close()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_more_computers_than_sockets_can_be_probed() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
        code = (
            "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n"
            "from immy_nornir.model.protocols import Address\n"
            "from immy_nornir.plugins.probe import Probe\n"
            f"one = lambda n: Address(n, 'winrm', '127.0.0.1', {server.getsockname()[1]})\n"
            "names = {str(n): one(str(n)) for n in range(300)}\n"
            "print(len(Probe().answering(names)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=ENOUGH, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
