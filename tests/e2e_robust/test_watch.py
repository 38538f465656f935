"""`immy watch` from another process: on a terminal, in a pipe, and for programs that go on where they stopped."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files
from .terminal import terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo terminal is what POSIX has"),
]

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Fleet]:
    """Three computers of two tenants, whose installers wait until they are let go."""
    files = software_files(("alpha", "beta"), reboots=())
    with fleet(tmp_path, 3, files, knobs=Knobs(install_seconds=0.1), tenants=2) as made:
        made.lab.hold()
        yield made


def begin(one: Fleet) -> Any:
    process = one.start(*RUN)
    eventually(lambda: len(one.installs()) == 3)
    return process


def events(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]


def records(told: list[dict[str, Any]]) -> dict[str, list[tuple[int, str]]]:
    """What was told of each session, and of the run, in its order."""
    found: dict[str, list[tuple[int, str]]] = {}
    for event in told:
        found.setdefault(event.get("session", ""), []).append((event["seq"], event["text"]))
    return found


def test_a_computer_is_looked_for_and_cancelled_by_keys_and_the_end_is_that_of_the_run(one: Fleet) -> None:
    process = begin(one)
    with terminal(one, "watch", whole=True) as screen:
        screen.expect("0 of 3 computers, 0 reboots, ")
        screen.expect("play 'all', wave 1 of 1")
        screen.expect("software/alpha: install under way")
        assert not screen.reads_lines()
        screen.press("t")
        screen.expect("tenant0  0/2")
        screen.press("/pc0")
        screen.expect("/pc0_")
        screen.press("02\r")
        screen.expect("'pc002': 1 of 1")
        screen.resize(120, 30)
        screen.press("\x1b[B\r")
        screen.expect("pc002 (tenant1), full, session ")
        screen.expect("software/alpha  ")
        screen.expect("under way")
        screen.expect("software/alpha: attempt 1")
        screen.press("c")
        screen.expect("cancel: pc002")
        screen.expect("Why (")
        assert screen.reads_lines()
        screen.type("the wrong day")
        screen.expect("cancel: 1 session, 1 computer, 1 tenant")
        screen.expect("Go on? [y, N]: ")
        screen.type("no")
        screen.expect("nothing was ordered")
        screen.type("")
        screen.expect("pc002 (tenant1), full, session ")
        screen.press("c")
        screen.expect("Why (")
        screen.type("the wrong day")
        screen.expect("Go on? [y, N]: ")
        screen.type("y")
        screen.expect("cancelling: the job of software/alpha ")
        screen.expect("Enter goes back")
        screen.type("")
        screen.expect("cancelling, by ")
        one.lab.release()
        assert screen.end() == process.wait(ENOUGH) == 1
        assert "3 of 3 computers, " in screen.shown[-1000:]
        assert screen.reads_lines()
        assert screen.raw.count("\x1b[?1049h") == screen.raw.count("\x1b[?1049l") == 3
    assert one.statuses() == {"pc001": "passed", "pc002": "cancelled", "pc003": "passed"}


def test_the_terminal_is_put_back_however_watching_ends_and_the_run_goes_on(one: Fleet) -> None:
    process = begin(one)
    for number in (signal.SIGTERM, signal.SIGINT):
        with terminal(one, "watch", whole=True, environment={"NO_COLOR": "1"}) as screen:
            screen.expect("3 at work")
            screen.process.send_signal(number)
            assert screen.end() == 130
            assert screen.reads_lines()
            assert screen.raw.count("\x1b[?1049h") == screen.raw.count("\x1b[?1049l") == 1
            assert "\x1b[31m" not in screen.raw
            assert "\x1b[36m" not in screen.raw
    with terminal(one, "watch", "pc001", whole=True, environment={"TERM": "dumb"}) as screen:
        screen.expect("times are local (UTC")
        screen.expect("pc001 (tenant0), full, session ")
        one.lab.release()
        screen.expect("pc001: software/alpha: done (verified)")
        screen.expect("stage report; 0 reboots")
        assert screen.end() == 0
        assert "\x1b" not in screen.raw
    assert process.wait(ENOUGH) == 0


def test_no_event_is_lost_or_told_twice_by_whoever_is_killed_and_goes_on(one: Fleet) -> None:
    process = begin(one)
    first = one.start("watch", "--format", "jsonl")
    path = one.root / "out-1.txt"
    eventually(lambda: any(event["kind"] == "JobIntended" for event in events(path)))
    kill(first)
    seen = events(path)
    half = seen[len(seen) // 2]["cursor"]
    second = one.start("watch", "--format", "jsonl", "--after", seen[-1]["cursor"])
    lines = one.start("watch")
    eventually(lambda: "3 at work" in (one.root / "out-3.txt").read_text("utf-8"))
    one.lab.release()
    assert [each.wait(ENOUGH) for each in (process, second, lines)] == [0, 0, 0]
    whole = one.immy("watch", "--once", "--format", "jsonl")
    every = [json.loads(line) for line in whole.splitlines()]
    assert records([*seen, *events(one.root / "out-2.txt")]) == records(every)
    assert [event["seq"] for event in every if not event.get("session")] == list(range(1, 5))
    for session in {event["session"] for event in every if "session" in event}:
        told = [event["text"] for event in every if event.get("session") == session]
        assert told == [entry["text"] for entry in one.log(session)]
    later = [json.loads(line) for line in one.immy("watch", "--format", "jsonl", "--after", half).splitlines()]
    assert records([*seen[: len(seen) // 2 + 1], *later]) == records(every)
    said = (one.root / "out-3.txt").read_text("utf-8")
    assert "\x1b" not in said
    assert "software/alpha: done (verified)" in said
    assert said.rstrip().endswith("0 at work, 0 waiting; 3 passed")
    for wrong in ("nonsense", "00000000-1-1"):
        one.immy("watch", "--format", "jsonl", "--after", wrong, expect=2)
    one.immy("watch", "pc009", expect=2)


def test_of_several_runs_that_are_at_work_one_is_chosen_and_a_dead_one_is_over(one: Fleet) -> None:
    older = one.start(*RUN, "--limit", "pc001")
    eventually(lambda: len(one.installs()) == 1)
    newer = one.start(*RUN, "--limit", "pc002")
    eventually(lambda: len(one.installs()) == 2)
    one.immy("watch", "--once", expect=2)
    assert "2 runs are at work" in one.said
    with terminal(one, "watch", "--once", whole=True) as screen:
        screen.expect("Which one? [1-2")
        screen.type("2")
        screen.expect("0 of 1 computer, ")
        screen.expect("pc001")
        assert screen.end() == 0
    kill(older)
    with terminal(one, "watch", whole=True) as screen:
        screen.expect("pc002")
        screen.press("q")
        screen.expect("it goes on; ")
        assert screen.end() == 0
    assert "interrupted" in one.immy("watch", "pc001", expect=130)
    one.lab.release()
    assert newer.wait(ENOUGH) == 0
