"""Looking at sessions starts at once: what it does not need is not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from immy_nornir.history.store import History
from immy_nornir.session.engine import SystemClock
from tests.waiting import ENOUGH

HEAVY = {
    "cattrs",
    "jinja2",
    "nornir",
    "requests",
    "sqlite_utils",
    "yaml",
    "immy_nornir.decide",
    "immy_nornir.model.items",
}
PROGRAM = """
import sys
from immy_nornir.cli.main import run
code = run(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


def test_a_list_of_sessions_is_made_without_the_libraries_of_a_run(tmp_path: Path) -> None:
    History(tmp_path, SystemClock()).close()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--state", str(tmp_path), "sessions", "list"],
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert HEAVY & set(done.stderr.split()) == set()
