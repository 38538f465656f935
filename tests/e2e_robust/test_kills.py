"""SIGKILL at any moment: the history opens, nothing runs twice, and whoever starts next finishes what was begun."""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import eventually

from .fleets import SOFTWARE, Fleet, fleet, kill

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is what POSIX has"),
]

_MOMENTS = ("request", "installer_started", "installer_finished", "reboot_asked", "reboot", "booted", "soon", "later")
"""Events of the lab after which it is killed, or only time."""
_ENDED = {"passed", "interrupted"}


def kill_at(one: Fleet, moment: str, chance: random.Random, arguments: tuple[str, ...]) -> bool:
    """Start immy, kill it a little after the lab's next event of this kind; whether it was alive by then."""
    before = len(one.lab.events(moment))
    process = one.start(*arguments)
    if moment in ("soon", "later"):
        time.sleep(chance.uniform(0.1, 0.8) if moment == "soon" else chance.uniform(0.8, 4.0))
    else:
        wanted = before + chance.randint(1, 4)
        eventually(lambda: process.poll() is not None or len(one.lab.events(moment)) >= wanted, moment)
        time.sleep(chance.choice((0.0, 0.02, 0.3)))
    alive = process.poll() is None
    kill(process)
    return alive


def check_history(one: Fleet) -> None:
    """Sound, and nobody is said to be at work any more."""
    if not (one.state / "history.db").exists():
        return
    connection = sqlite3.connect(one.state / "history.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert {row["status"] for row in one.sessions()} <= _ENDED


def kills(tmp_path: Path, seed: int, count: int) -> int:
    """Kill a run and its successors `count` times, then let one end; returns how many were alive."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    ways = [("run", "playbooks/all.yml", "--yes"), ("sessions", "resume")]
    hit = 0
    with fleet(tmp_path, 6, knobs=Knobs(install_seconds=0.5, reboot_seconds=0.5, reply_delay=0.005)) as one:
        for number in range(count):
            arguments = ways[0] if number == 0 or not one.state.exists() else chance.choice(ways)
            hit += kill_at(one, chance.choice(_MOMENTS), chance, arguments)
            check_history(one)
        one.immy(*ways[0], "--no-report")
        one.immy("sessions", "resume", expect=None)
        assert set(one.statuses().values()) == {"passed"}
        assert {row["status"] for row in one.sessions()} == {"passed"}, one.sessions()
        assert one.installs() == {(f"pc00{n}", f"software/{name}"): 1 for n in range(1, 7) for name in SOFTWARE}
        assert len(one.lab.events("reboot")) == 6
        assert one.sql("SELECT * FROM jobs WHERE ended_at IS NULL") == []
        assert one.sql("SELECT * FROM reboots WHERE ended_at IS NULL") == []
        assert one.sql("SELECT * FROM active") == []
        assert one.sql("SELECT count(*), count(DISTINCT job_id) FROM jobs") == [(18, 18)]
    return hit


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_run_is_finished_by_the_next_and_nothing_is_installed_twice(tmp_path: Path, seed: int) -> None:
    assert kills(tmp_path, seed, 3)


@pytest.mark.soak
def test_a_hundred_kills(tmp_path: Path) -> None:
    for seed in range(100, 125):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert kills(folder, seed, 4)
