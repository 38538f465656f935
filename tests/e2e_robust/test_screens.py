"""What an operator sees on a terminal and in a pipe while a run goes on, and which command comes next."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs

from .fleets import Fleet, fleet, software_files, write
from .terminal import terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo terminal is what POSIX has"),
]

WAVES = """
- name: weekly
  hosts: tenants
  maintenance: full
  serial: [1, 2]
"""
NIGHT = """
- name: night
  hosts: tenants
  maintenance: full
  options: {window: "2999-01-01T00:00:00Z"}
"""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Fleet]:
    """Three computers, whose installers wait until they are let go."""
    files = software_files(("alpha",), reboots=()) | {"playbooks/waves.yml": WAVES, "playbooks/night.yml": NIGHT}
    with fleet(tmp_path, 3, files, knobs=Knobs(install_seconds=0.1)) as made:
        yield made


def test_the_picture_tells_the_wave_and_answers_to_ctrl_c_at_once(one: Fleet) -> None:
    one.lab.hold()
    with terminal(one, "run", "playbooks/waves.yml", "--yes", "--no-report") as screen:
        screen.expect("play 'weekly', wave 1 of 2")
        screen.expect("software/alpha: install under way")
        screen.process.send_signal(signal.SIGINT)
        screen.expect("Stopping: no new action starts")
        assert screen.end() == 130
    said = (one.root / "out-0.txt").read_text("utf-8")
    assert "next: immy sessions resume  (takes up 3 interrupted sessions)" in said


def test_a_terminal_that_moves_no_cursor_gets_lines(one: Fleet) -> None:
    with terminal(one, "run", "playbooks/all.yml", "--yes", "--no-report", environment={"TERM": "dumb"}) as screen:
        screen.expect("times are local (UTC")
        screen.expect("software/alpha: ")
        screen.expect("[3/3]")
        assert screen.end() == 0


def test_a_waiting_run_names_the_command_that_goes_on_with_it(one: Fleet) -> None:
    said = one.immy("--state", str(one.state), "run", "playbooks/night.yml", "--yes", "--no-report", expect=5)
    line = f"next: immy --state {one.state} sessions resume --due  (goes on with 3 waiting sessions, where it is time)"
    assert line in said


def test_quiet_says_the_summary_only_and_verbose_every_entry(one: Fleet) -> None:
    said = one.immy("run", "playbooks/all.yml", "--yes", "-q", "--no-report")
    assert one.said == ""
    assert "3 computers: 3 passed" in said
    assert "software/alpha" not in said
    write(one.root, {"playbooks/deployments/all.yml": "- {item: software/alpha, target: tenants, state: absent}\n"})
    said = one.immy("run", "playbooks/all.yml", "--yes", "-v", "--no-report")
    assert "pc001: 1 item detected" in one.said
    assert "    software/alpha: uninstall: done" in said
    one.immy("run", "playbooks/all.yml", "-q", "-v", expect=2)
