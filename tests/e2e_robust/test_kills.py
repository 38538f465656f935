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
@pytest.mark.sampled(2)
def test_a_killed_run_is_finished_by_the_next_and_nothing_is_installed_twice(tmp_path: Path, seed: int) -> None:
    assert kills(tmp_path, seed, 3)


@pytest.mark.soak
def test_a_hundred_kills(tmp_path: Path) -> None:
    for seed in range(100, 125):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert kills(folder, seed, 4)


_STATES = ("latest", "absent", "")
"""Of a software in the files; empty: not deployed."""


def deploy(one: Fleet, chance: random.Random) -> dict[str, str]:
    """Other files: each software in one of the states, by item."""
    states = {f"software/{name}": chance.choice(_STATES) for name in SOFTWARE}
    states[f"software/{SOFTWARE[0]}"] = chance.choice(_STATES[:2])  # there is something to do
    rules = [f"- {{item: {item}, target: tenants, state: {state}}}\n" for item, state in states.items() if state]
    (one.root / "playbooks" / "deployments" / "all.yml").write_text("".join(rules))
    return states


def begun(one: Fleet) -> list[tuple[str, str, str]]:
    """(computer, item, state that it makes) of every installer that began, in their order."""
    return [
        (str(event["computer"]), str(event["item"]), "absent" if event["action"] == "uninstall" else "latest")
        for event in one.lab.events("installer_started")
    ]


def kills_with_changes(tmp_path: Path, seed: int, count: int) -> int:
    """Kill a run and its successors, with other files after each kill; judged by the lab's log against the files."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    ways = [("run", "playbooks/all.yml", "--yes"), ("sessions", "resume", "--yes")]
    hit = 0
    with fleet(tmp_path, 4, knobs=Knobs(install_seconds=0.3, reboot_seconds=0.5, reply_delay=0.005)) as one:
        for number in range(count + 1):
            before = len(begun(one))
            states = deploy(one, chance)
            if number < count:
                arguments = ways[0] if number == 0 or not one.state.exists() else chance.choice(ways)
                hit += kill_at(one, chance.choice(_MOMENTS), chance, arguments)
            else:
                one.immy(*ways[0], "--no-report")
            against = [each for each in begun(one)[before:] if states[each[1]] != each[2]]
            assert not against, (states, against)
        assert set(one.statuses().values()) == {"passed"}
        assert {row["status"] for row in one.sessions()} <= {"passed", "superseded"}
        last: dict[tuple[str, str], str] = {}
        for computer, item, state in begun(one):
            assert last.get((computer, item)) != state, f"{item} was made {state} twice on {computer}"
            last[computer, item] = state
        for item, state in states.items():
            for number in range(1, 5):
                assert not state or last.get((f"pc00{number}", item), "absent") == state
        assert one.sql("SELECT * FROM active") == []
    return hit


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.sampled(1)
def test_a_killed_run_is_followed_by_what_the_files_say_by_then(tmp_path: Path, seed: int) -> None:
    kills_with_changes(tmp_path, seed, 4)  # how many came in time is counted over all seeds, below


@pytest.mark.soak
def test_sixty_kills_with_files_changed_in_between(tmp_path: Path) -> None:
    hit = 0
    for seed in range(200, 215):
        folder = tmp_path / str(seed)
        folder.mkdir()
        hit += kills_with_changes(folder, seed, 4)
    assert hit >= 20, "most processes had ended before they were to be killed"
