"""The history as other processes see it: entries whole, old databases open, crashes and full disks lose nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from immy_nornir.decide.steps.state import State, fold_all
from immy_nornir.errors import HistoryError, lacking
from immy_nornir.history import codec, locks, store
from immy_nornir.history.opening import file_system
from immy_nornir.history.queries import Asked, Reader
from immy_nornir.history.store import FILE, Busy, Claimed, History, new_id
from immy_nornir.history.writer import journal_line
from immy_nornir.model.plan import Plan, Request, RequestKind
from immy_nornir.model.record.entries import (
    Connected,
    Entry,
    Finished,
    JobIntended,
    Planned,
    Resolved,
    Resumed,
    Stamped,
)
from immy_nornir.model.record.run import RunSpec
from immy_nornir.model.record.session import Status
from tests.history import sample
from tests.scarcity import no_descriptors
from tests.waiting import ENOUGH, all_end

DATA = Path(__file__).parent / "data"


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"))
    return history


def test_the_sample_has_every_kind_of_entry() -> None:
    assert {type(one) for one in sample.ENTRIES} == set(Entry.__args__)


@pytest.mark.parametrize("entry", sample.ENTRIES, ids=lambda one: type(one).__name__)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert codec.entry_from(codec.entry_text(entry)) == entry


def test_unknown_keys_of_a_newer_version_are_ignored() -> None:
    data = json.loads(codec.entry_text(Finished(Status.PASSED, "fine")))
    assert codec.entry_from(json.dumps({**data, "news": 1})) == Finished(Status.PASSED, "fine")


@pytest.mark.parametrize("kind", RequestKind)
def test_requests_of_old_records_are_read_from_what_operators_read(kind: RequestKind) -> None:
    """They were stored as sentences, in what was resolved and in what was planned."""
    request = Request(kind, "task/of#one of two")
    desires = Resolved((replace(sample.DESIRES[1], requested_by=(request,)),))
    planned = Planned(Plan((replace(sample.LEFT, requested_by=(request, request)),)))
    for entry in (desires, planned):
        now = codec.line(codec.dump(request))
        old = codec.entry_text(entry).replace(now, f'"{kind.value} of task/of#one of two"')
        assert now not in old
        assert codec.entry_from(old) == entry


def test_a_stored_session_folds_to_the_state_it_had(history: History, tmp_path: Path) -> None:
    state = sample.fill(history)
    history.flush()
    with Reader(tmp_path / FILE) as reader:
        loaded = reader.record("run-1")
    assert loaded is not None
    again = fold_all(*loaded)
    history.close()
    assert again == State(
        **{name: getattr(state, name) for name in State.__dataclass_fields__ if name != "definitions"},
        definitions=again.definitions,
    )
    assert set(again.definitions) == {one.definition for one in sample.DESIRES}


def test_what_is_read_off_the_entries_is_what_they_say(history: History, tmp_path: Path) -> None:
    sample.fill(history)
    history.close()
    with Reader(tmp_path / FILE) as reader:
        row = reader.sessions(Asked(), actions=True)[0]
        jobs = reader.jobs(row.id)
        facts = reader.facts("pc1")
    assert (row.status, row.reason, row.reboots) == (Status.CANCELLED, "cancelled", 1)
    assert [(one.id, one.outcome, one.attempts) for one in row.actions] == [
        ("software/7zip", "success", 2),
        ("task/a#one", "left", 0),
    ]
    assert [(one.attempt, one.state, one.exit_code, one.output) for one in jobs] == [
        (1, "finished", 1618, "half of the output"),
        (2, "lost", None, ""),
    ]
    assert row.reboot_reasons == (("what was done needs it", "rebooted"),)
    assert facts.values["hardware"] == {"cores": 4}


@pytest.mark.parametrize("path", sorted(DATA.glob("*.db")), ids=lambda one: one.stem)
def test_a_database_of_every_schema_version_opens(path: Path, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(path.read_bytes())
    history = History(tmp_path, sample.StillClock())
    state = history.state_of("run-1")
    history.close()
    assert state is not None
    assert state.finished == Finished(Status.CANCELLED, "cancelled")
    with Reader(tmp_path / FILE) as reader:
        assert reader.runs()[0].id == "run"


def test_a_session_of_a_dead_process_is_interrupted_for_readers_at_once(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tests.history import sample\n"
        "from immy_nornir.history.store import History\nfrom immy_nornir.model.record.run import RunSpec\n"
        "history = History(Path(sys.argv[1]), sample.StillClock())\nhistory.begin_run(RunSpec('run', 'immy run'))\n"
        "sample.fill(history, sample.ENTRIES[:10])\nhistory.flush()\nos.kill(os.getpid(), 9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, cwd=DATA.parent.parent.parent, timeout=ENOUGH
    )
    with Reader(tmp_path / FILE) as reader:
        assert reader.sessions(Asked())[0].status is Status.INTERRUPTED
        assert reader.runs()[0].status == "interrupted"
    history = History(tmp_path, sample.StillClock())
    with history.read() as reader:
        row = reader.sessions(Asked())[0]
    history.close()
    assert (row.status, "software/7zip" in row.reason) == (Status.INTERRUPTED, True)


def test_a_durable_entry_is_on_the_disk_when_append_returns(history: History, tmp_path: Path) -> None:
    sample.fill(history, sample.ENTRIES[:10])
    other = sqlite3.connect(tmp_path / FILE)
    kinds = [row[0] for row in other.execute("SELECT kind FROM entries ORDER BY seq")]
    other.close()
    history.close()
    assert kinds[-1] == JobIntended.__name__


def test_an_intent_is_refused_to_who_does_not_own_the_computer(history: History, tmp_path: Path) -> None:
    sample.fill(history, sample.ENTRIES[:9])
    history.flush()
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("UPDATE active SET owner='somebody', epoch=9")
    other.commit()
    other.close()
    with pytest.raises(HistoryError, match="taken this session over"):
        sample_intent(history)
    history.close()


def test_nothing_follows_an_entry_that_was_lost(tmp_path: Path) -> None:
    """The disk is full for a moment, for the journal too: the record stays what it was, with no hole in it."""
    history = History(tmp_path, sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"))
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.seq=5 BEGIN SELECT RAISE(ABORT,'full'); END")
    journal = tmp_path / f"journal-{history.owner}.jsonl"
    journal.mkdir()
    assert not history.hole()
    with pytest.raises(HistoryError, match="full"):
        sample.fill(history, sample.ENTRIES[:10])
    other.execute("DROP TRIGGER full")
    journal.rmdir()
    stamped = Stamped(10, sample.NOW, sample.ENTRIES[9])
    state = fold_all(
        sample.spec(1, "pc1"),
        sample.DEFINITIONS,
        [Stamped(number, sample.NOW, entry) for number, entry in enumerate(sample.ENTRIES[:10], 1)],
    )
    with pytest.raises(HistoryError, match="an earlier entry could not be written: full"):
        history.append(state, stamped, durable=True)
    assert "full" in history.hole()
    kept = [row[0] for row in other.execute("SELECT seq FROM entries ORDER BY seq")]
    other.close()
    history.close()
    assert kept == list(range(1, len(kept) + 1))


def test_a_history_that_was_removed_takes_no_intent(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"))
    sample.fill(history, sample.ENTRIES[:9])
    history.flush()
    for file in tmp_path.glob("history.db*"):
        file.unlink()
    with pytest.raises(HistoryError, match="was removed or replaced"):
        sample_intent(history)
    assert "removed" in history.hole()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM entries WHERE kind='Planned'",
        "UPDATE entries SET data='{', packed=NULL WHERE seq=2",
        "UPDATE entries SET packed=x'00', data=NULL WHERE seq=3",
        "UPDATE sessions SET spec=x'0102'",
        "UPDATE blobs SET data=x'00'",
    ],
)
@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_one_damaged_record_keeps_no_other_session_from_going_on(tmp_path: Path, damage: str, status: str) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"))
    sample.fill(history, sample.ENTRIES[:10])
    history.close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute(damage)
    connection.execute("UPDATE sessions SET owner='dead', status=?", (status,))
    connection.commit()
    connection.close()
    again = History(tmp_path, sample.StillClock())
    assert again.state_of("run-1") is None
    again.flush()
    with again.read() as reader:
        (row,) = reader.sessions(Asked())
    again.close()
    assert row.status is Status.FAILED
    assert "its record is damaged" in row.reason


def sample_intent(history: History) -> None:
    state = history.state_of("run-1")
    assert state is not None
    from immy_nornir.decide.steps.state import fold
    from immy_nornir.model.record.entries import Stamped

    stamped = Stamped(state.entries + 1, sample.NOW, sample.ENTRIES[9])
    history.append(fold(state, stamped), stamped, durable=True)


def test_one_session_at_a_time_owns_a_computer(tmp_path: Path) -> None:
    one = History(tmp_path, sample.StillClock())
    two = History(tmp_path, sample.StillClock())
    one.begin_run(RunSpec("run", "immy run"))
    one.create_sessions([sample.spec(1), sample.spec(2)])
    assert one.claim("pc1", "run-1") == Claimed(1, 0)
    busy = two.claim("pc1", "run-2")
    assert isinstance(busy, Busy)
    assert busy.session_id == "run-1"
    one.close()
    assert two.claim("pc1", "run-2") == Claimed(2, 0)
    two.close()


def test_threads_may_append_together_and_nothing_is_lost(history: History, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=sample.fill, args=(history, sample.ENTRIES, number, f"pc{number}"))
        for number in range(2, 22)
    ]
    for thread in threads:
        thread.start()
    all_end(threads)
    history.close()
    with Reader(tmp_path / FILE) as reader:
        rows = reader.sessions(Asked())
        counts = {len(reader.log(row.id)) for row in rows}
    assert (len(rows), counts) == (20, {len(sample.ENTRIES)})


def test_a_journal_of_a_dead_process_is_imported(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"))
    sample.fill(history, sample.ENTRIES[:7])
    history.close()
    lines = [
        journal_line("run-1", number, sample.NOW + number, codec.entry_text(entry))
        for number, entry in enumerate(sample.ENTRIES[7:], 8)
    ]
    (tmp_path / "journal-dead.jsonl").write_text("\n".join(lines) + '\n{"cut": ', encoding="utf-8")
    history = History(tmp_path, sample.StillClock())
    state = history.state_of("run-1")
    history.close()
    assert state is not None
    assert state.finished == Finished(Status.CANCELLED, "cancelled")
    assert not list(tmp_path.glob("journal-dead*"))
    with Reader(tmp_path / FILE) as reader:
        assert reader.sessions(Asked())[0].status is Status.CANCELLED


def test_facts_that_did_not_change_are_not_stored_again(history: History, tmp_path: Path) -> None:
    sample.fill(history, (Resumed("a", 1), Connected(sample.IDENTITY)))
    sample.fill(history, (Resumed("a", 1), *[Connected(sample.IDENTITY)] * 3), 2, "pc1b")
    history.close()
    rows = sqlite3.connect(tmp_path / FILE).execute("SELECT changed_at, collected_at FROM facts WHERE computer='pc1b'")
    assert all(changed < collected for changed, collected in rows)


def test_a_file_that_is_no_history_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(HistoryError, match="cannot be opened") as caught:
        History(tmp_path, sample.StillClock())
    assert "--state" in caught.value.advice


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_NETWORK", (file_system(tmp_path),))
    with pytest.raises(HistoryError, match="network file system"):
        History(tmp_path, sample.StillClock())


def test_ids_sort_by_time() -> None:
    assert new_id(1_700_000_000.0)[:7] < new_id(1_700_000_001.0)[:7]


def test_a_lock_lives_as_long_as_its_process(tmp_path: Path) -> None:
    lock = locks.OwnerLock(tmp_path, "me")
    assert locks.is_alive(tmp_path, "me")
    lock.release()
    assert not locks.is_alive(tmp_path, "me")
    assert not list(tmp_path.iterdir())


def test_who_cannot_look_whether_an_owner_lives_takes_nothing_over(tmp_path: Path) -> None:
    lock = locks.OwnerLock(tmp_path, "one")
    assert locks.is_alive(tmp_path, "one")
    with no_descriptors():
        assert locks.is_alive(tmp_path, "one")
        with pytest.raises(OSError, match="Too many open files"):
            locks.is_alive(tmp_path, "one", surely=True)
    lock.release()
    assert not locks.is_alive(tmp_path, "one")


def test_a_history_that_cannot_be_opened_once_more_is_a_lack_of_this_machine_and_no_copy_is_read(
    history: History,
) -> None:
    with no_descriptors(), pytest.raises(HistoryError) as raised, history.read():
        pass
    assert lacking(raised.value)
    history.begin_run(RunSpec("second", "immy run"))
    with history.read() as reader:
        assert {one.id for one in reader.runs()} == {"run", "second"}
    history.close()
