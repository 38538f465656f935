"""Another program holds the file: what was promised stands in the journal, and who can only be answered by it waits."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.decide.steps.state import State, fold
from immy_nornir.errors import HistoryError
from immy_nornir.history import writer
from immy_nornir.history.store import FILE, Claimed, History
from immy_nornir.model.record.entries import Entry, Stamped
from immy_nornir.model.record.run import RunSpec
from tests.history import sample
from tests.waiting import ENOUGH, eventually


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(writer, "AGAIN_SECONDS", 0.05)
    made = History(tmp_path, sample.StillClock())
    made.begin_run(RunSpec("run", "immy run"))
    yield made
    made.close()


@contextlib.contextmanager
def held(history: History) -> Iterator[None]:
    other = sqlite3.connect(history.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def append(history: History, state: State, entry: Entry) -> State:
    stamped = Stamped(state.entries + 1, sample.NOW, entry)
    after = fold(state, stamped)
    history.append(after, stamped, durable=True)
    return after


def kinds(history: History) -> list[tuple[int, str]]:
    connection = sqlite3.connect(history.path)
    try:
        return list(connection.execute("SELECT seq, kind FROM entries ORDER BY seq"))
    finally:
        connection.close()


def test_intents_go_to_the_journal_and_into_the_file_in_their_order(history: History) -> None:
    state = sample.fill(history, sample.ENTRIES[:9])
    history.flush()
    with held(history):
        for entry in sample.ENTRIES[9:12]:
            state = append(history, state, entry)
        (journal,) = history.folder.glob("journal-*.jsonl")
        assert len(journal.read_text().splitlines()) == 3
        assert journal.stat().st_mode & 0o777 == 0o600
        assert len(kinds(history)) == 9
    history.flush()
    assert kinds(history) == [(number, type(one).__name__) for number, one in enumerate(sample.ENTRIES[:12], 1)]
    assert not journal.exists()
    assert history.left_in_journal() is None
    assert not history.hole()


def test_an_intent_of_a_session_that_was_taken_over_is_refused_under_a_lock_too(history: History) -> None:
    state = sample.fill(history, sample.ENTRIES[:9])
    history.flush()
    other = sqlite3.connect(history.path)
    other.execute("UPDATE active SET owner='somebody', epoch=9")
    other.commit()
    other.close()
    with held(history), pytest.raises(HistoryError, match="taken this session over"):
        append(history, state, sample.ENTRIES[9])
    assert not list(history.folder.glob("journal-*.jsonl"))


def test_who_asks_for_a_computer_waits_for_the_lock(history: History) -> None:
    history.create_sessions([sample.spec(1)])
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(history.claim("pc1", "run-1")))
    with held(history):
        asking.start()
        asking.join(1.0)
        assert answers == []
    asking.join(ENOUGH)
    assert answers == [Claimed(1, 0)]


def test_who_is_to_hurry_waits_no_longer(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immy_nornir.history.store.HURRY_SECONDS", 0.1)
    history.create_sessions([sample.spec(1)])
    errors: list[HistoryError] = []

    def ask() -> None:
        try:
            history.claim("pc1", "run-1")
        except HistoryError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    with held(history):
        asking.start()
        history.hurry()
        eventually(lambda: errors)
    asking.join(ENOUGH)
    assert "another program holds it" in errors[0].advice
    assert "move it away" not in errors[0].advice


def test_what_is_not_stored_at_the_end_is_imported_by_the_next(history: History, tmp_path: Path) -> None:
    state = sample.fill(history, sample.ENTRIES[:9])
    history.flush()
    with held(history):
        append(history, state, sample.ENTRIES[9])
        history.close()
        assert history.left_in_journal() is not None
    again = History(tmp_path, sample.StillClock())
    again.close()
    assert again.left_in_journal() is None
    assert (10, type(sample.ENTRIES[9]).__name__) in kinds(again)
    assert not list(tmp_path.glob("journal-*.jsonl"))
    assert (tmp_path / FILE).exists()
