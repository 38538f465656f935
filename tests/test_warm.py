"""A process that `tests.warm` forks is what `python -m immy_nornir` is, as far as a test can see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.waiting import ENOUGH

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or warm.COLD in os.environ, reason="here all processes start from nothing"
)


def both(*words: str, **more: Any) -> list[subprocess.CompletedProcess[str]]:
    """A command forked, and started from nothing."""
    command = [*warm.IMMY, *words]
    forked = warm.run(command, timeout=ENOUGH, **more)
    more = {key: value for key, value in more.items() if key != "stdin"}
    started = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=ENOUGH, check=False, stdin=subprocess.DEVNULL, **more
    )
    return [forked, started]


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--help"], 0), (["sessions", "list"], 2), (["lint"], 2), (["no-such-command"], 2), (["explain", "x"], 2)],
)
@pytest.mark.slow
def test_both_say_the_same_and_end_alike(tmp_path: Path, words: list[str], code: int) -> None:
    environment = {**os.environ, "COLUMNS": "70", "NO_COLOR": "1"}
    forked, started = both(*words, cwd=tmp_path, env=environment)
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)
    assert forked.returncode == code, forked


def test_a_forked_one_is_a_child_of_the_test_and_leads_a_session(tmp_path: Path) -> None:
    """The schemas are longer than a pipe takes: it stands until somebody reads them or ends it."""
    command = [*warm.IMMY, "schema"]
    with warm.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.read(10)
        parent, group, session = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1:4]
        assert (int(parent), int(group), int(session)) == (os.getpid(), process.pid, process.pid)
        descriptors = {int(one.name) for one in Path(f"/proc/{process.pid}/fd").iterdir()}
        assert descriptors == {0, 1, 2}
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        assert process.wait(ENOUGH) == -signal.SIGKILL


def test_limits_and_what_python_reads_at_its_start_begin_from_nothing(tmp_path: Path) -> None:
    for more in (
        {"preexec_fn": os.getpid},
        {"env": {**os.environ, "PYTHONUTF8": "0"}},
        {"env": {**os.environ, "LC_ALL": "C"}},
        {"cwd": tmp_path / "not there"},
    ):
        assert not warm.can_fork([*warm.IMMY, "lint"], more), more
    assert not warm.can_fork([sys.executable, "-c", "pass"], {})
