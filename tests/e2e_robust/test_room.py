"""What this machine has no more of is told as that: no computer is blamed for it, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH

from .fleets import IMMY, PASSWORD, fleet, software_files

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="limits are what POSIX has")]


def test_without_descriptors_computers_wait_and_none_is_missed_or_failed(tmp_path: Path) -> None:
    with fleet(tmp_path, 30, software_files(("alpha",), ()), knobs=Knobs(install_seconds=0.2)) as one:
        done = subprocess.run(
            ["sh", "-c", 'ulimit -n 24; exec "$@"', "sh", *IMMY, "run", "playbooks/all.yml", "--yes", "-f", "16"],
            cwd=tmp_path,
            env={**os.environ, "IMMY_TEST_PASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            timeout=ENOUGH,
            check=False,
        )
        assert "this machine has no room" in done.stderr, done.stderr
        assert "bug of immy" not in done.stderr
        assert "a fault of immy" not in done.stderr, done.stderr
        assert set(one.statuses().values()) <= {"passed", "interrupted"}, one.sessions()
        assert done.returncode in (0, 130)
        one.immy("sessions", "resume", "--yes")
        assert set(one.statuses().values()) == {"passed"}
        assert one.installs() == {(f"pc{number:03}", "software/alpha"): 1 for number in range(1, 31)}
