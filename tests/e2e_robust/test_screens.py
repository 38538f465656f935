"""What an operator sees on a terminal and in a pipe while a run goes on, and which command comes next."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status, WaitKind

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


def test_runs_and_sessions_are_listed_with_heads_in_one_time_zone_without_words_of_programs(one: Fleet) -> None:
    one.environment["TZ"] = "Asia/Kolkata"
    one.immy("run", "playbooks/night.yml", "--yes", "--no-report", expect=5)
    one.immy("run", "playbooks/waves.yml", "--yes", "--no-report", expect=None)
    listed = one.immy("runs", "list").splitlines()
    assert listed[0].split("  ")[0] == "RUN"
    assert "STARTED (UTC+05:30)" in listed[0]
    assert len(listed) == 3
    assert "immy run playbooks/waves.yml --yes --no-report" in listed[1]
    sessions = one.immy("sessions", "list").splitlines()
    heads = ["SESSION", "STARTED (UTC+05:30)", "TOOK", "COMPUTER", "TENANT", "TYPE", "STATUS", "REASON"]
    assert [head.strip() for head in sessions[0].split("  ") if head.strip()] == heads
    newest = json.loads(one.immy("runs", "show", "--format", "json"))["run"]["id"]
    shown = one.immy("runs", "show", newest[:11])
    assert "play 'weekly': 2 of 2 waves begun, 2 ended, 3 sessions" in shown
    assert "3 sessions: 3 passed" in shown
    everything = [one.immy("runs", "show"), one.immy("sessions", "show", "pc001"), one.immy("sessions", "log", "pc001")]
    words = {one.value for kind in (Status, Outcome, OutcomeReason, ActionType, WaitKind) for one in kind}
    for text in ["\n".join([*listed, *sessions]), *everything]:
        assert [word for word in words if "_" in word and word in text] == []
        assert "None" not in text
        assert "UTC+05:30" in text


def test_a_run_that_was_left_names_the_next_command(one: Fleet) -> None:
    one.immy("run", "playbooks/night.yml", "--yes", "--no-report", expect=5)
    shown = one.immy("runs", "show")
    assert "pc001: waiting: waits for window 2999-01-01T00:00:00Z, which opens 2999-01-01 " in shown
    assert "next: immy sessions resume --due  (goes on with 3 waiting sessions, where it is time)" in shown
