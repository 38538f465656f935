"""A history that is damaged, locked, foreign or newer: at the most one session is lost, and it is said what to do."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import IMMY, Fleet, fleet, kill, software_files

pytestmark = pytest.mark.slow
RUN = ("run", "playbooks/all.yml", "--yes")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path, 2, software_files(("alpha",), ()), knobs=Knobs(install_seconds=0.2)) as made:
        yield made


def change(one: Fleet, statement: str) -> None:
    """Change the file as a bad disk, or somebody with a shell, would."""
    connection = sqlite3.connect(one.state / "history.db")
    connection.execute(statement.replace("OF_PC1", "session_id=(SELECT id FROM sessions WHERE computer='pc001')"))
    connection.commit()
    connection.close()


def interrupt(one: Fleet) -> None:
    """Kill a run in the middle of its installations."""
    one.lab.hold()
    process = one.start(*RUN)
    eventually(lambda: len(one.lab.events("installer_started")) == 2)
    kill(process)
    one.lab.release()


LOST = {
    "rubbish in an entry": "UPDATE entries SET data='{', packed=NULL WHERE seq=2 AND OF_PC1",
    "rubbish that was packed": "UPDATE entries SET data=NULL, packed=x'00ff' WHERE seq=3 AND OF_PC1",
    "an entry that is missing": "DELETE FROM entries WHERE kind='Planned' AND OF_PC1",
    "a spec that cannot be read": "UPDATE sessions SET spec=x'0102' WHERE computer='pc001'",
    "a spec of another type": "UPDATE sessions SET spec='text' WHERE computer='pc001'",
}
MADE_AGAIN = {
    "a status that nobody knows": "UPDATE sessions SET status='nonsense' WHERE computer='pc001'",
    "a text for a time": "UPDATE sessions SET created_at='yesterday' WHERE computer='pc001'",
    "a name that is no text": "UPDATE sessions SET tenant=x'ff00' WHERE computer='pc001'",
    "an action of an unknown type": "UPDATE actions SET type='explode' WHERE OF_PC1",
    "an outcome that nobody knows": "UPDATE actions SET outcome='lost', outcome_reason='x' WHERE OF_PC1",
    "a phase that is no phase": "UPDATE actions SET planned_phase=999999999999 WHERE OF_PC1",
    "an action's text in bytes": "UPDATE actions SET message=x'c328' WHERE OF_PC1",
}


@pytest.mark.parametrize("how", LOST)
@pytest.mark.sampled(3)
def test_one_damaged_record_costs_one_session(one: Fleet, how: str) -> None:
    interrupt(one)
    change(one, LOST[how])
    for looking in (("sessions", "list"), ("report",), ("report", "--format", "json"), ("sessions", "show", "pc002")):
        one.immy(*looking)
    one.immy("sessions", "resume", expect=1)
    assert "of pc001: its record is damaged" in one.said
    assert "look at the computer, then run again" in one.said
    assert one.statuses() == {"pc001": "failed", "pc002": "passed"}
    one.immy("report")
    one.immy("sessions", "show", "pc001")
    one.immy(*RUN)
    assert one.statuses() == {"pc001": "passed", "pc002": "passed"}


@pytest.mark.parametrize("how", MADE_AGAIN)
@pytest.mark.sampled(4)
def test_damaged_rows_are_made_again_from_the_entries(one: Fleet, how: str) -> None:
    interrupt(one)
    change(one, MADE_AGAIN[how])
    assert {row["computer"] for row in one.sessions()} >= {"pc002"}
    text = one.immy("report", "--format", "markdown")
    assert "its record is damaged" in text
    assert "immy sessions resume" in text
    one.immy("sessions", "resume", expect=1)
    assert "made again from its entries" in one.said
    assert one.statuses() == {"pc001": "passed", "pc002": "passed"}
    assert set(one.installs().values()) == {1}
    assert "damaged" not in one.immy("report", "--format", "markdown")


@pytest.mark.parametrize("how", [*LOST, *MADE_AGAIN])
@pytest.mark.sampled(4)
def test_a_run_goes_on_beside_a_damaged_record(one: Fleet, how: str) -> None:
    interrupt(one)
    change(one, {**LOST, **MADE_AGAIN}[how])
    one.immy(*RUN)
    assert {row["status"] for row in one.sessions() if row["computer"] == "pc002"} == {"passed"}
    assert one.sessions("pc001")[0]["status"] == "passed"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE facts SET value=x'00'",
        "UPDATE facts SET collected_at='x'",
        "UPDATE runs SET spec=x'00'",
        "UPDATE runs SET started_at='x', note=x'ff'",
        "UPDATE run_entries SET data='{'",
        "UPDATE blobs SET data=x'00'",
        "UPDATE jobs SET seconds='x', output=x'ff'",
        "UPDATE reboots SET why=x'ff'",
        "UPDATE entries SET text=x'ff'",
    ],
)
@pytest.mark.sampled(5)
def test_what_else_is_damaged_costs_nothing_but_itself(one: Fleet, damage: str) -> None:
    one.immy(*RUN)
    change(one, damage)
    for looking in (("sessions", "list"), ("report",), ("sessions", "show", "pc001"), ("sessions", "log", "pc001")):
        one.immy(*looking)
    one.immy("sessions", "resume", expect=None)
    one.immy(*RUN)


def test_a_journal_that_is_damaged_is_kept_and_named(one: Fleet) -> None:
    one.immy(*RUN)
    rubbish = one.state / "journal-dead.jsonl"
    rubbish.write_bytes(b'\xff\xfe\x00\n{"session": 3}\n[[[[\n{"session": "x", "seq": "y", "at": 1, "entry": "{}"}\n')
    (one.state / "journal-folder.jsonl").mkdir()
    one.immy(*RUN)
    assert "4 lines of a journal cannot be read; it is kept as" in one.said
    assert (one.state / "damaged-journal-dead.jsonl").exists()
    assert not rubbish.exists()


# --- whole files --------------------------------------------------------------------------------------------------


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE runs (id TEXT, recipe TEXT)")
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.execute("PRAGMA user_version=77")
    connection.commit()
    connection.close()


def torn(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xa5" * 3996
    path.write_bytes(data)


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.commit()
    connection.close()


UNFIT = {
    "another program's": (foreign, "it holds tables of something else", "leave that file alone"),
    "a text": (lambda path: path.write_text("Dear diary, " * 1000), "not a database", "give another folder"),
    "damaged": (torn, "malformed", ".recover"),
    "newer": (newer, "written by a newer version of immy", "use that version of immy"),
    "a folder": (lambda path: path.mkdir(), "cannot be", "--state"),
}


@pytest.mark.parametrize("how", UNFIT)
def test_a_file_that_is_no_history_of_ours_is_refused_with_its_own_advice(one: Fleet, how: str) -> None:
    make, why, advice = UNFIT[how]
    if how in ("damaged", "newer"):
        one.immy("run", "playbooks/all.yml", "--check", expect=4)
    else:
        one.state.mkdir()
    make(one.state / "history.db")
    before = (one.state / "history.db").read_bytes() if how != "a folder" else b""
    for command in (RUN, ("sessions", "list"), ("report",), ("sessions", "resume")):
        one.immy(*command, expect=2)
        assert why in one.said
        assert advice in one.said
    assert how == "a folder" or (one.state / "history.db").read_bytes() == before
    assert not one.lab.events("installer_started")


# --- locks --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(one: Fleet) -> Iterator[None]:
    """Another program holds the file, as a shell in which somebody has typed BEGIN EXCLUSIVE."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60); "
        "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    )
    file = str(one.state / "history.db")
    with subprocess.Popen([sys.executable, "-c", code, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait(ENOUGH)


def test_sessions_go_on_with_the_journal_while_another_program_holds_the_file(one: Fleet) -> None:
    one.lab.hold()
    process = one.start(*RUN)
    eventually(lambda: len(one.lab.events("installer_started")) == 2)
    with locked(one):
        one.lab.release()
        eventually(lambda: len(one.lab.events("installer_finished")) == 2)
        eventually(lambda: list(one.state.glob("journal-*.jsonl")))
        one.immy("sessions", "list")  # readers are not held up
    assert process.wait(ENOUGH) == 0, (one.root / "err-0.txt").read_text()
    assert one.statuses() == {"pc001": "passed", "pc002": "passed"}
    assert not list(one.state.glob("journal-*.jsonl"))
    for name in ("pc001", "pc002"):
        log = one.log(name)
        assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    assert [run[0] for run in one.sql("SELECT status FROM runs")] == ["ended"]


def test_what_a_lock_kept_out_to_the_end_is_taken_in_by_the_next_start(one: Fleet) -> None:
    one.lab.hold()
    process = one.start(*RUN)
    eventually(lambda: len(one.lab.events("installer_started")) == 2)
    with locked(one):
        one.lab.release()
        assert process.wait(ENOUGH) == 0, (one.root / "err-0.txt").read_text()
        said = (one.root / "err-0.txt").read_text()
        assert "taken in by the next immy that starts" in said
        assert "move it away" not in said
    one.immy("sessions", "resume")
    assert one.statuses() == {"pc001": "passed", "pc002": "passed"}
    assert not list(one.state.glob("journal-*.jsonl"))
    assert [run[0] for run in one.sql("SELECT status FROM runs")] == ["ended"]
    assert set(one.installs().values()) == {1}


def test_a_start_under_a_lock_says_who_holds_the_file_and_changes_nothing(one: Fleet) -> None:
    one.immy("run", "playbooks/all.yml", "--check", expect=4)
    with locked(one):
        one.immy(*RUN, expect=2)
    assert "another program holds it" in one.said
    assert "move it away" not in one.said
    assert not one.lab.events("installer_started")


# --- runs whose end nobody wrote ----------------------------------------------------------------------------------


@pytest.mark.parametrize("next_one", [RUN, ("sessions", "resume")], ids=["run", "resume"])
def test_a_run_whose_sessions_have_ended_is_ended_by_who_comes_next_with_its_report(
    one: Fleet, next_one: tuple[str, ...]
) -> None:
    one.immy(*RUN)
    [run] = one.sql("SELECT id FROM runs")
    report = one.state / "reports" / f"{run[0]}.html"
    report.unlink()
    change(one, "DELETE FROM run_entries WHERE kind='RunEnded'")
    change(one, "UPDATE runs SET status='running', ended_at=NULL, owner='dead'")
    one.immy(*next_one)
    assert {row[0] for row in one.sql("SELECT status FROM runs")} == {"ended"}
    assert report.exists()
    assert f"run {run[0]} had ended unseen" in one.said
    one.immy(*next_one)
    assert "had ended unseen" not in one.said


# --- places that take no writing ----------------------------------------------------------------------------------


def in_a_read_only_place(one: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`immy` where the state folder is mounted without writing."""
    inner = f'mount --bind "{one.state}" "{one.state}" && mount -o remount,ro,bind "{one.state}" && exec "$@"'
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inner, "sh", *IMMY, *arguments],
        cwd=one.root,
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
        env={**os.environ, **one.environment},
    )


def can_mount() -> bool:
    with contextlib.suppress(OSError):
        words = ["unshare", "--user", "--map-root-user", "--mount", "mount", "--bind", "/tmp", "/tmp"]
        return subprocess.run(words, capture_output=True, check=False, timeout=ENOUGH).returncode == 0
    return False


@pytest.mark.skipif(not can_mount(), reason="mounts of one's own need Linux's user namespaces")
@pytest.mark.parametrize("left", ["closed", "killed", "an older version's"])
def test_a_history_is_read_from_a_place_that_takes_no_writing(one: Fleet, left: str) -> None:
    if left == "killed":
        interrupt(one)
        assert (one.state / "history.db-wal").stat().st_size
        # The index of the log is not in a backup, and cannot be made in such a place.
        (one.state / "history.db-shm").unlink()
    elif left == "closed":
        one.immy(*RUN)
    else:
        one.state.mkdir()
        old = Path(__file__).parents[1] / "history" / "data" / "v1.db"
        (one.state / "history.db").write_bytes(old.read_bytes())
    expected = {"killed": "interrupted", "closed": "passed", "an older version's": "cancelled"}[left]
    before = sorted(path.name for path in one.state.iterdir())
    for command in (("sessions", "list"), ("report", "--format", "markdown")):
        done = in_a_read_only_place(one, *command)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout.casefold()
    assert sorted(path.name for path in one.state.iterdir()) == before
    done = in_a_read_only_place(one, *RUN)
    assert done.returncode == 2
    assert "one that this user may write into" in done.stderr
