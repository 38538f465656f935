"""The live picture at several sizes and moments, held against golden files; in a terminal of its own at the end.

IMMY_UPDATE_GOLDEN=1 writes the golden files anew: look at the difference before you commit it.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from immy_nornir.cli.live.picture import Picture, View, where
from immy_nornir.cli.live.progress import drawn
from immy_nornir.decide.runs.run_state import RunState, fold_run_all
from immy_nornir.decide.steps.state import State, fold
from immy_nornir.model.items import ItemKind
from immy_nornir.model.plan import Plan, PlannedAction, Reason
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.entries import (
    Connected,
    Entry,
    Finished,
    Interrupted,
    JobIntended,
    Planned,
    RebootEnded,
    Stamped,
    Waiting,
)
from immy_nornir.model.record.run import PlaySpec, RunEnded, RunEntry, RunSpec, RunStamped, WaveBegan, WaveEnded
from immy_nornir.model.record.session import EndReason, SessionSpec, Status, WaitKind
from tests.decide.builders import identity

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_000_000.0


def run(waves: int = 5, began: int = 2) -> RunState:
    plays = (
        PlaySpec("weekly maintenance", tuple((f"s-{n}",) for n in range(waves))),
        PlaySpec("afterwards", (("x",),)),
    )
    entries = [WaveBegan(0, number) for number in range(began)]
    return fold_run_all(
        RunSpec("r", "immy run", plays=plays), [RunStamped(n, NOW, one) for n, one in enumerate(entries, 1)]
    )


INSTALL = PlannedAction(
    "software/alpha", "software/alpha", "", ItemKind.SOFTWARE, ActionType.INSTALL, Reason.SOFTWARE_MISSING, "missing"
)


def told(picture: Picture, computer: str, at: float, *entries: Entry) -> None:
    """A session's entries, all at one moment."""
    state = State(SessionSpec(f"r-{computer}", "r", computer), {})
    for number, entry in enumerate(entries, 1):
        stamped = Stamped(number, at, entry)
        state = fold(state, stamped)
        picture.take(state, stamped)


def fleet(total: int, level: int = 0) -> Picture:
    """A quarter has ended, six tenths are at it, in all the ways there are."""
    picture = Picture(total, [run], lambda: level)
    waits: tuple[Entry, ...] = (
        Waiting(WaitKind.WINDOW, NOW, "window 22:00, which opens 2026-11-28 22:00 Europe/Berlin", deferred=True),
        Waiting(WaitKind.CONNECTIVITY, NOW, "the computer to answer again: no answer in 10 s", deferred=True),
        Waiting(WaitKind.REBOOT, NOW, "the reboot: software/beta needs it"),
    )
    job: tuple[Entry, ...] = (Connected(identity()), Planned(Plan((INSTALL,))), JobIntended("j", ("software/alpha",)))
    for number in range(total * 6 // 10):
        name, at = f"smith-desk-{number:04}", NOW - number * 7
        match number % 5:
            case 0:
                told(picture, name, at, Connected(identity()))
            case 1:
                told(picture, name, at, *job, Waiting(WaitKind.JOB, NOW, "the job of software/alpha"))
            case other:
                told(picture, name, at, Connected(identity()), waits[other - 2])
    refused = "authentication: 127.2.0.13, opening the connection: the user or password was refused"
    ends: list[Entry] = [
        Finished(Status.PASSED, "1 done", EndReason.ACTIONS),
        Finished(Status.FAILED, refused, EndReason.REFUSED),
        Finished(Status.PASSED, "1 done", EndReason.ACTIONS),
        Interrupted("stopped by the operator"),
    ]
    for number in range(total // 4):
        told(picture, f"old-{number:03}", NOW, Connected(identity()), ends[number % 4])
    return picture


def painted(view: View, width: int, *, no_color: bool = False, terminal: bool = True) -> str:
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width, height=24, force_terminal=terminal, no_color=no_color, color_system=None)
    console.print(drawn(view))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


CASES = {
    "ten_at_80_columns": (10, 0, 80, 24),
    "thousand_at_80_columns": (1000, 0, 80, 24),
    "thousand_at_120_columns": (1000, 0, 120, 40),
    "stopping": (1000, 1, 80, 24),
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_picture_looks_as_it_did(name: str) -> None:
    total, level, width, height = CASES[name]
    text = painted(fleet(total, level).view(NOW, 754, height), width)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("IMMY_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= height
    assert max(map(len, text.splitlines())) <= width


def test_without_colours_the_picture_has_the_same_words() -> None:
    view = fleet(1000, 1).view(NOW, 754, 24)
    assert painted(view, 80, no_color=True) == painted(view, 80, terminal=False)


@pytest.mark.parametrize(("ended", "says"), [(0, False), (99, False), (100, True), (999, True), (1000, False)])
def test_there_is_no_estimate_before_a_tenth_has_ended_nor_at_the_end(ended: int, says: bool) -> None:
    picture = Picture(1000, [run], int)
    for number in range(ended):
        told(picture, f"pc{number}", NOW, Finished(Status.PASSED, "1 done"))
    assert (" left" in picture.view(NOW, 60, 24).heads[0]) == says


def test_nothing_is_estimated_while_it_stops() -> None:
    heads, stopping = fleet(100, 1).view(NOW, 60, 24).heads, fleet(100, 1).view(NOW, 60, 24).stopping
    assert " left" not in heads[0]
    assert stopping.startswith("Stopping:")
    assert "Ctrl-C again" in fleet(10, 2).view(NOW, 60, 24).stopping


def test_a_computer_whose_session_was_superseded_has_not_ended() -> None:
    picture = Picture(1, [run], int)
    told(picture, "pc1", NOW, Connected(identity()), Finished(Status.SUPERSEDED, "its files changed"))
    told(picture, "pc1", NOW, Connected(identity()))
    view = picture.view(NOW, 60, 24)
    assert (view.ended, [row.name for row in view.rows]) == (0, ["pc1"])


def test_reboots_are_counted_when_the_computer_is_back() -> None:
    picture = Picture(1, [run], int)
    told(picture, "pc1", NOW, Connected(identity()), RebootEnded(1, None, "never came"), RebootEnded(2, identity("2")))
    assert "1 reboot," in picture.view(NOW, 60, 24).heads[0]


def test_where_a_run_is() -> None:
    assert where(run()) == "play 1 of 2 'weekly maintenance', wave 2 of 5"
    assert where(run(began=0)) == ""
    second: list[RunEntry] = [WaveBegan(0, 0), WaveEnded(0, 0, 1, 0), WaveBegan(1, 0)]
    both = fold_run_all(run().spec, [RunStamped(n, NOW, one) for n, one in enumerate(second, 1)])
    assert where(both) == "play 2 of 2 'afterwards', wave 1 of 1"
    assert where(replace(both, left="stopped")) == ""
    assert where(replace(both, finished=RunEnded())) == ""
