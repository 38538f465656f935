"""What is watched from the history: keys, pages, the picture with the live one's words, and the cursor over events."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from immy_nornir.cli.live.keys import keys_of
from immy_nornir.cli.live.looking import Look, Page, foot_of, pressed
from immy_nornir.cli.live.picture import Picture, view_of
from immy_nornir.cli.live.told import lines_of, plain_lines
from immy_nornir.cli.live.watched import Watch, Watched
from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.decide.runs.run_state import RunState, fold_run
from immy_nornir.decide.steps.state import State, fold
from immy_nornir.errors import HistoryError, UsageError
from immy_nornir.history.store import FILE, History
from immy_nornir.history.tables import following
from immy_nornir.history.tables.following import Cursor, Event, cursor_of
from immy_nornir.model.control.orders import OrderKind
from immy_nornir.model.plan import Plan
from immy_nornir.model.record.entries import (
    SUPERSEDE,
    Connected,
    Entry,
    Finished,
    JobIntended,
    JobSeen,
    Noted,
    Planned,
    Resumed,
    Stamped,
    StopAsked,
    Waiting,
)
from immy_nornir.model.record.run import PlaySpec, RunEntry, RunSpec, RunStamped, RunTakenUp, WaveBegan
from immy_nornir.model.record.session import EndReason, SessionSpec, Status, WaitKind
from immy_nornir.session.engine import SystemClock
from tests.decide.builders import identity

from .test_picture import INSTALL, painted

# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("qj", ["q", "j"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "page up", "page down"]),
        ("\x1b", ["escape"]),
        ("\x1bq", ["escape", "q"]),
        ("\x1b\x1b[A", ["escape", "up"]),
        ("\x1b[1;5Ax", ["x"]),
        ("\x1b[", []),
        ("\x1b[200~paste\x1b[201~", list("paste")),
        ("\r\n\t\x7f", ["enter", "enter", "tab", "backspace"]),
        ("ä日\x00\x07", ["ä", "日"]),
        ("", []),
    ],
)
def test_keys_have_names_and_what_nobody_knows_is_no_key(text: str, keys: list[str]) -> None:
    assert list(keys_of(text)) == keys


IDS = [f"s{number}" for number in range(50)]


@pytest.mark.parametrize(
    ("keys", "page", "at"),
    [
        ("", Page.PICTURE, 0),
        ("enter", Page.COMPUTERS, 0),
        ("down down down", Page.COMPUTERS, 2),
        ("enter end up", Page.COMPUTERS, 48),
        ("enter up", Page.COMPUTERS, 0),
        ("enter page-down page-down page-up", Page.COMPUTERS, 10),
        ("enter end home", Page.COMPUTERS, 0),
        ("enter escape", Page.PICTURE, 0),
        ("enter enter", Page.COMPUTER, 0),
        ("enter enter up up down", Page.COMPUTER, 1),
        ("enter enter a down", Page.ACTIONS, 1),
        ("enter enter a escape escape escape", Page.PICTURE, 0),
        ("t", Page.TENANTS, 0),
        ("t t", Page.PICTURE, 0),
        ("t down enter", Page.COMPUTERS, 0),
        ("x %", Page.PICTURE, 0),
    ],
)
def test_keys_lead_from_page_to_page(keys: str, page: Page, at: int) -> None:
    look = Look()
    for key in keys.split():
        look = pressed(look, key.replace("-", " "), IDS, 10)
    assert (look.page, look.at, look.ended) == (page, at, False)


def test_while_a_filter_is_typed_keys_are_its_letters_and_escape_takes_it_back() -> None:
    look = Look()
    for key in ["/", "q", "c", "x", "backspace", "up", "t"]:
        look = pressed(look, key, IDS, 10)
    assert (look.filter, look.typing, look.order, look.ended) == ("qct", True, None, False)
    assert foot_of(look, "x")[0] == "/qct_"
    kept = pressed(look, "enter", IDS, 10)
    assert (kept.filter, kept.typing) == ("qct", False)
    assert pressed(look, "escape", IDS, 10).filter == pressed(kept, "escape", IDS, 10).filter == ""
    assert pressed(Look(), "gone", IDS, 10).ended
    assert pressed(look, "gone", IDS, 10).ended


def test_a_computer_that_is_watched_alone_has_no_other_pages_and_orders_are_for_one_key_only() -> None:
    look = Look(Page.COMPUTER, alone=True)
    for key in ("escape", "t", "/", "enter"):
        assert pressed(look, key, IDS, 10).page is Page.COMPUTER
    ordered = pressed(look, "c", IDS, 10)
    assert ordered.order is OrderKind.CANCEL
    assert pressed(ordered, "up", IDS, 10).order is None
    assert pressed(pressed(Look(), "t", ["one"], 10), "enter", ["one"], 10).filter == "tenant:one"


def test_what_keys_do_fits_eighty_columns_on_every_page() -> None:
    looks = [Look(page) for page in Page] + [Look(Page.COMPUTERS, filter="abc", typing=True)]
    assert [line for look in looks for line in foot_of(look, "smith-desk-0001") if len(line) > 80] == []


# --- the history ---------------------------------------------------------------------------------------------------

LONG_AGO = 1_000_000.0
JOB: tuple[Entry, ...] = (
    Connected(identity()),
    Planned(Plan((INSTALL,))),
    JobIntended("j", ("software/alpha",)),
    Waiting(WaitKind.JOB, 0, "the job of software/alpha"),
)


class At(SystemClock):
    """It is always the same moment."""

    def now(self) -> float:
        return LONG_AGO


class World:
    """A run in a history, written here as the process at it would."""

    def __init__(self, folder: Path, count: int, run: str = "r") -> None:
        self.history = History(folder, At())
        self.path = folder / FILE
        self.run = run
        kind = BUILT_IN_TYPES["full"]
        specs = [
            SessionSpec(f"{run}-{n}", run, f"pc{n:03}", f"tenant{n % 3}", kind, created_at=LONG_AGO)
            for n in range(1, count + 1)
        ]
        self.states = {spec.id: State(spec, {}) for spec in specs}
        spec = RunSpec(run, "immy run", plays=(PlaySpec("weekly", (tuple(self.states),)),))
        self.history.begin_run(spec, specs)
        self.waves = RunState(spec)
        self.of_run(WaveBegan(0, 0))

    def of_run(self, *entries: RunEntry, at: float = LONG_AGO) -> None:
        for entry in entries:
            stamped = RunStamped(self.waves.entries + 1, at, entry)
            self.waves = fold_run(self.waves, stamped)
            self.history.append_run(self.waves, stamped)

    def told(self, number: int, *entries: Entry, at: float = LONG_AGO) -> None:
        session = f"{self.run}-{number}"
        for entry in (Resumed(self.history.owner, 1), *entries) if not self.states[session].entries else entries:
            stamped = Stamped(self.states[session].entries + 1, at, entry)
            self.states[session] = fold(self.states[session], stamped)
            self.history.append(self.states[session], stamped)
        self.history.flush()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, 12)
    yield made
    made.history.close()


def test_the_picture_of_the_history_is_the_live_one(world: World) -> None:
    """All sessions are told to both; how each of them learns of it must make no difference to the operator."""
    entries: dict[int, tuple[Entry, ...]] = {
        1: (Connected(identity()), Finished(Status.PASSED, "1 done", EndReason.ACTIONS)),
        2: (Finished(Status.FAILED, "authentication: no", EndReason.REFUSED),),
        3: JOB,
        4: (Connected(identity()), Waiting(WaitKind.CONNECTIVITY, LONG_AGO, "the computer to answer", deferred=True)),
        5: (Connected(identity()),),
    }
    live = Picture(12, [lambda: world.waves], int)
    state: State
    for number, those in entries.items():
        state = replace(world.states[f"r-{number}"])
        for position, entry in enumerate((Resumed(world.history.owner, 1), *those), 1):
            stamped = Stamped(position, LONG_AGO, entry)
            state = fold(state, stamped)
            live.take(state, stamped)
        world.told(number, *those)
    with world.history.read() as reader:
        seen = Watched(reader, Watch(run="r")).seen(LONG_AGO + 60)
    mine = view_of(replace(seen, elapsed=60, pace=None), LONG_AGO + 60, 24)
    theirs = live.view(LONG_AGO + 60, 60, 24)
    assert mine.heads == theirs.heads
    assert sorted(mine.rows, key=str) == sorted(theirs.rows, key=str)
    assert (mine.total, mine.ended) == (theirs.total, theirs.ended)
    for width in (80, 160):
        assert max(map(len, painted(mine, width).splitlines())) <= width
    assert "  pc003  1:00  resolve  software/alpha: install under way" in list(plain_lines(mine))


def test_what_is_new_is_read_and_a_session_that_takes_anothers_place_is_followed(world: World) -> None:
    with world.history.read() as reader:
        watched = Watched(reader, Watch(run="r"))
        alone = Watched(reader, Watch(session="r-1"))
        assert not watched.look()
        world.told(1, Connected(identity()))
        assert watched.look()
        assert watched.rows["r-1"].status is Status.RUNNING
        heir = world.history.create_successor(world.states["r-1"].spec)
        world.told(1, StopAsked(SUPERSEDE, "changed", heir.id), Finished(Status.SUPERSEDED, "x", EndReason.SUPERSEDED))
        world.states[heir.id] = State(heir, {})
        world.told(13, Connected(identity()))
        assert watched.look()
        assert alone.look()
        assert (watched.seen(LONG_AGO).total, heir.id) == (12, "r-13")
        assert alone.session is not None
        assert alone.session.id == "r-13"
        assert not alone.over
        world.told(13, Finished(Status.PASSED, "1 done", EndReason.ACTIONS))
        alone.look()
        assert (alone.over, alone.code) == (True, 0)
        texts = [event.text for event in alone.following.events(alone.following.oldest())[0]]
        assert texts[-2:] == ["connected to PC1 (windows)", "passed: 1 done"]


def test_who_is_at_a_session_is_seen_without_an_entry_and_what_a_dead_process_left_is_interrupted(world: World) -> None:
    world.told(1, Waiting(WaitKind.WINDOW, LONG_AGO + 9e9, "window 22:00", deferred=True))
    world.told(2, Connected(identity()))
    with world.history.read() as reader:
        watched = Watched(reader, Watch(run="r"))
        row = watched.row("r-1", LONG_AGO)
        assert (row.what, row.until) == ("waits for window 22:00", "in 2500000:00:00")
        world.history.defer("pc001", "r-1")
        world.history.flush()
    path = world.path
    from immy_nornir.history.queries import Reader

    with Reader(path) as reader:
        watched = Watched(reader, Watch(run="r"))
        assert not watched.over
        world.history.close()
        watched.look()
        statuses = {one.id: one.status for one in watched.rows.values()}
        assert (statuses["r-1"], statuses["r-2"], statuses["r-3"]) == (
            Status.WAITING,
            Status.INTERRUPTED,
            Status.INTERRUPTED,
        )
        assert (watched.over, watched.code) == (True, 130)


def numbers(events: Sequence[Event]) -> dict[str, list[int]]:
    """The entries of each record in the order in which they came."""
    found: dict[str, list[int]] = {}
    for one in events:
        found.setdefault(one.session, []).append(one.seq)
    return found


def test_events_come_once_each_in_parts_of_any_size_whatever_else_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST", 3)
    other = SessionSpec("other-1", "other", "pc900", created_at=LONG_AGO)
    world.history.begin_run(RunSpec("other", "immy run"), [other])
    world.states["other-1"] = State(other, {})
    stamped = Stamped(1, LONG_AGO, Noted("of another run"))
    world.history.append(fold(world.states["other-1"], stamped), stamped)
    for number in range(1, 6):
        world.told(number, *JOB[:-1], JobSeen("j", "out\nput"), at=LONG_AGO + number)
        world.of_run(RunTakenUp(f"owner {number}"), at=LONG_AGO + number)
    with world.history.read() as reader:
        found = reader.following("r")
        cursor, told = found.oldest(), []
        for _ in range(100):
            events, end = found.events(cursor)
            told += events
            if end == cursor:
                break
            cursor = end
        assert cursor == found.newest()
        assert [one.text for one in told if not one.session] == [
            "play 1: wave 1 began",
            *(f"taken up by owner {number}" for number in range(1, 6)),
        ]
        assert len([one for one in told if one.session]) == 25
        assert {one.output for one in told if one.kind == "JobSeen"} == {"out\nput"}
        for number, one in enumerate(told):
            rest, at = [], one.cursor
            for _ in range(100):
                events, end = found.events(at)
                rest += events
                if end == at:
                    break
                at = end
            assert numbers(rest) == numbers(told[number + 1 :])
        seen = next(one for one in told if one.kind == "JobSeen")
        assert list(lines_of(seen, alone=True)) == ["         | out", "         | put"]
        assert list(lines_of(seen, alone=False)) == []
        assert cursor_of(str(told[0].cursor)) == told[0].cursor
        with pytest.raises(UsageError, match="another history"):
            found.check(Cursor("00000000"))


@pytest.mark.parametrize("text", ["", "1", "abc-1-2", "0123abcd-1", "0123abcd-1-x", "0123abcd-1-2-3", "0123abcd-²-1"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no cursor"):
        cursor_of(text)


def test_a_damaged_row_costs_itself_and_a_history_that_is_gone_ends_it(world: World) -> None:
    world.told(1, Connected(identity()))
    with sqlite3.connect(world.path) as connection:
        connection.execute("UPDATE sessions SET status='half', started_at='noon' WHERE id='r-2'")
        connection.execute("UPDATE run_entries SET data='{' WHERE run_id='r'")
        connection.execute("UPDATE entries SET data='{', kind='JobSeen' WHERE session_id='r-1'")
    connection.close()
    with world.history.read() as reader:
        watched = Watched(reader, Watch(run="r"))
        assert watched.rows["r-2"].status is Status.FAILED
        assert "its record is damaged: started_at is 'noon'" in watched.row("r-2", LONG_AGO).what
        events, _ = watched.following.events(watched.following.oldest())
        assert "damaged: " in events[0].text + events[-1].text
        if sys.platform != "win32":
            world.path.rename(world.path.with_name("gone"))
            with pytest.raises(HistoryError, match="removed or replaced"):
                watched.look()


def test_the_estimate_counts_from_when_the_run_was_taken_up_again(world: World) -> None:
    world.told(1, Finished(Status.PASSED, "1 done"), at=LONG_AGO + 10)
    world.of_run(RunTakenUp("me"), at=LONG_AGO + 1000)
    world.told(2, Finished(Status.PASSED, "1 done"), at=LONG_AGO + 1030)
    with world.history.read() as reader:
        seen = Watched(reader, Watch(run="r")).seen(LONG_AGO + 1060)
    assert (seen.elapsed, seen.pace) == (1060, 60)
