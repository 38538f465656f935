"""The second schema: what it adds, what old databases become, and what entries vouch for."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from immy_nornir.decide.steps.state import State, fold
from immy_nornir.errors import HistoryError
from immy_nornir.history import codec, troubles
from immy_nornir.history.queries import Asked, Reader
from immy_nornir.history.store import FILE, History
from immy_nornir.history.writer import run_line
from immy_nornir.model.record.entries import JobEnded, JobIntended, JobSeen, Stamped, StopAsked, Waiting
from immy_nornir.model.record.run import RunEntry
from immy_nornir.model.wire import JobResult
from tests.history import sample

DATA = Path(__file__).parent / "data"


def rows(folder: Path, question: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / FILE)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with a history of the first schema, opened by today's."""
    shutil.copy(DATA / "v1.db", tmp_path / FILE)
    History(tmp_path, sample.StillClock()).close()
    return tmp_path


def test_the_sample_has_every_kind_of_run_entry() -> None:
    assert {type(one) for one in sample.RUN_ENTRIES} == set(get_args(RunEntry))


def test_a_stored_run_folds_to_the_state_it_had(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    state = sample.fill_run(history)
    assert history.run_of("run") == state
    assert history.run_of("another") is None
    history.close()
    with Reader(tmp_path / FILE) as reader:
        assert reader.runs()[0].status == "ended"
        assert reader.run_specs() == []
    assert rows(tmp_path, "SELECT id, play_number, wave, number FROM sessions") == [("run-1", 0, 0, 1)]


def test_a_run_that_was_left_can_be_found_by_who_takes_it_up(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    sample.fill_run(history, sample.RUN_ENTRIES[:3])
    history.close()
    again = History(tmp_path, sample.StillClock())
    with again.read() as reader:
        assert reader.run_specs() == [sample.RUN]
        assert reader.runs()[0].status == "interrupted"
        assert reader.runs()[0].note == "stopped by the operator"
    assert again.claim_run("run")
    assert not again.claim_run("another")
    again.close()


def test_a_run_belongs_to_one_living_process(tmp_path: Path) -> None:
    first = History(tmp_path, sample.StillClock())
    sample.fill_run(first, sample.RUN_ENTRIES[:2])
    second = History(tmp_path, sample.StillClock())
    assert not second.claim_run("run")
    first.close()
    assert second.claim_run("run")
    second.close()


def test_an_old_database_keeps_its_entries_under_keys_that_rise(old: Path) -> None:
    keys = rows(old, "SELECT id, session_id, seq FROM entries ORDER BY id")
    assert [key for key, _, _ in keys] == list(range(1, len(keys) + 1))
    assert [seq for _, _, seq in keys] == list(range(1, len(keys) + 1))
    assert rows(old, "SELECT number FROM sessions") == [(1,)]
    assert rows(old, "SELECT spec FROM runs") == [(None,)]


def test_jobs_of_an_old_record_are_those_of_their_actions(old: Path) -> None:
    history = History(old, sample.StillClock())
    state = history.state_of("run-1")
    assert state is not None
    assert state.actions["software/7zip"].attempt == 2
    assert state.actions["software/7zip"].doubts == 1
    assert history.run_of("run") is None
    with history.read() as reader:
        assert [one.output for one in reader.jobs("run-1")] == ["half of the output", ""]
    history.close()


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (
            '{"action_id":"software/a","attempt":2,"is":"JobIntended","job_id":"s/a/2"}',
            JobIntended("s/a/2", ("software/a",), 2),
        ),
        ('{"action_id":"software/a","is":"JobSeen","offset":3,"output":"x"}', JobSeen("", "x", 3)),
        (
            '{"action_id":"software/a","is":"JobEnded","result":{"exit_code":0}}',
            JobEnded("", JobResult(0)),
        ),
    ],
)
def test_an_entry_of_old_that_names_an_action_is_read(text: str, entry: object) -> None:
    assert codec.entry_from(text) == entry


def test_a_history_has_an_id_that_stays(tmp_path: Path) -> None:
    first = History(tmp_path / "a", sample.StillClock())
    name = first.id
    first.close()
    again, other = History(tmp_path / "a", sample.StillClock()), History(tmp_path / "b", sample.StillClock())
    assert again.id == name != other.id
    assert len(name) == 32
    again.close()
    other.close()


def test_the_output_of_jobs_is_read_off_the_entries(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    state = sample.fill(history)
    history.flush()
    with history.read() as reader:
        assert [one.output for one in reader.jobs(state.spec.id)] == ["half of the output", ""]
    history._writer.call(lambda connection: connection.execute("DELETE FROM jobs"))
    history._leftovers.project_again(state.spec.id)
    with history.read() as reader:
        assert [one.output for one in reader.jobs(state.spec.id)] == ["half of the output", ""]
    history.close()


def test_sessions_sort_by_their_number(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(sample.RUN, [sample.spec(number, f"pc{number}") for number in range(1, 13)])
    with history.read() as reader:
        assert [row.id for row in reader.sessions(Asked())] == [f"run-{number}" for number in range(12, 0, -1)]
    history.close()


def test_what_a_computer_had_before_is_of_the_session_before_by_number(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(replace(sample.RUN, plays=()))
    for number in (2, 10):
        sample.fill(history, sample.ENTRIES[:4], number)
        history.release(["pc1"])
    history.flush()
    with history.read() as reader:
        assert reader.last_desires("pc1", "run-10") == sample.DESIRES
        assert reader.last_desires("pc1", "run-2") is None
    history.close()


def test_ends_waits_and_successors_can_be_asked_for(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(sample.RUN)
    sample.fill(history)
    sample.fill(history, sample.ENTRIES[:8], 2, "pc2")
    superseded = (*sample.ENTRIES[:3], StopAsked("supersede", "superseded by session run-9", "run-9"))
    sample.fill(history, superseded, 3, "pc3")
    history.close()
    assert rows(tmp_path, "SELECT end_reason, due_at, superseded_by FROM sessions ORDER BY number") == [
        ("unknown", None, None),
        ("", next(one.until for one in sample.ENTRIES if isinstance(one, Waiting)), None),
        ("", None, "run-9"),
    ]
    assert rows(tmp_path, "SELECT definition FROM actions WHERE session_id='run-1' AND item='software/7zip'") == [
        (sample.DIGEST,)
    ]


def test_entries_of_a_run_that_lie_in_a_journal_are_imported(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    sample.fill_run(history, sample.RUN_ENTRIES[:2])
    history.close()
    lines = [
        run_line("run", number, sample.NOW, codec.run_entry_text(entry))
        for number, entry in enumerate(sample.RUN_ENTRIES[:3], 1)
    ]
    (tmp_path / "journal-dead.jsonl").write_text("\n".join(lines) + "\n")
    again = History(tmp_path, sample.StillClock())
    state = again.run_of("run")
    again.close()
    assert state is not None
    assert (state.entries, state.left) == (3, "stopped by the operator")
    assert rows(tmp_path, "SELECT status FROM runs") == [("interrupted",)]


def test_an_intent_is_refused_where_another_entry_has_its_place(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    history.begin_run(sample.RUN)
    sample.fill(history, sample.ENTRIES[:10])
    stale = State(sample.spec(), sample.DEFINITIONS)
    for number, entry in enumerate(sample.ENTRIES[:9], 1):
        stale = fold(stale, Stamped(number, sample.NOW, entry))
    again = Stamped(10, sample.NOW, JobIntended("run-1/software-7zip/1", ("software/7zip",)))
    with pytest.raises(HistoryError):
        history.append(fold(stale, again), again, durable=True)
    assert history.claim("pc1", "run-1").entries == 10  # type: ignore[union-attr]  # nobody else is there
    history.close()


def test_a_run_whose_record_is_damaged_is_as_one_of_old(tmp_path: Path) -> None:
    history = History(tmp_path, sample.StillClock())
    sample.fill_run(history, sample.RUN_ENTRIES[:2])
    history._writer.call(lambda connection: connection.execute("UPDATE runs SET spec=X'00'"))
    with history.read() as reader:
        assert reader.run_specs() == []
    assert history.run_of("run") is None
    history.close()
    assert rows(tmp_path, "SELECT spec FROM runs") == [(None,)]
    with Reader(tmp_path / FILE) as reader:
        assert "damaged" in reader.runs()[0].note


@pytest.mark.parametrize("made", ["by the first version", "in part"])
def test_who_only_reads_brings_an_older_history_to_the_schema_that_is_read(tmp_path: Path, made: str) -> None:
    if made == "in part":
        sqlite3.connect(tmp_path / FILE).close()
    else:
        shutil.copy(DATA / "v1.db", tmp_path / FILE)
    with Reader(tmp_path / FILE) as reader:
        assert len(reader.sessions(Asked(), actions=True)) == (made != "in part")


def test_who_only_reads_leaves_what_is_no_history_as_it_is(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    other.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(HistoryError, match="something else"):
        Reader(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_file_says_which_schema_it_has(tmp_path: Path) -> None:
    History(tmp_path, sample.StillClock()).close()
    assert rows(tmp_path, "PRAGMA user_version") == [(troubles.SCHEMA,)]
    assert rows(tmp_path, "SELECT CAST(substr(max(name), 2, 3) AS INTEGER) FROM _sqlite_migrations") == [
        (troubles.SCHEMA,)
    ]


def test_a_migration_of_a_newer_version_is_a_newer_schema_too(tmp_path: Path) -> None:
    History(tmp_path, sample.StillClock()).close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('immy', 'm099_news', '2030-01-01')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(HistoryError, match="newer version"):
        History(tmp_path, sample.StillClock())
    with pytest.raises(HistoryError, match="newer version"):
        Reader(tmp_path / FILE)
