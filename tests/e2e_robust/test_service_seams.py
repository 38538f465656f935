"""The seams of the service: what it left and what is due again, what is held, what is served."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from tests.waiting import ENOUGH, eventually

from .fleets import fleet, kill, software_files, write
from .test_service import EACH_MINUTE, SERVICE, occasions, schedules, watched_for

pytestmark = pytest.mark.slow


def test_what_was_left_and_is_due_again_goes_on_once(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, schedules()) as one:
        watched_for(one, 2)
        one.lab.hold()
        process = one.start(*SERVICE)
        eventually(lambda: len(one.lab.events("installer_started")) == 2, "installers are at work")
        kill(process)
        one.lab.release()
        connection = sqlite3.connect(one.state / "history.db", timeout=ENOUGH)
        with connection:
            connection.execute("UPDATE occasions SET due_at=due_at-1 WHERE state='began'")
        connection.close()
        one.immy(*SERVICE, "--once")
        assert occasions(one)["began"] == 2
        assert "bug of immy" not in one.said, one.said
        assert "goes on with" not in one.said, one.said
        assert one.statuses() == {"pc001": "passed", "pc002": "passed"}
        assert set(one.installs().values()) == {1}
        numbers = one.sql("SELECT session_id, seq, kind FROM entries WHERE kind='Resumed' ORDER BY session_id, seq")
        assert len(numbers) == 4, numbers
        for session in one.sessions():
            one.log(session["id"])


def test_a_schedule_that_was_away_owes_nothing_and_names_computers_by_a_file(tmp_path: Path) -> None:
    names = EACH_MINUTE.replace("hosts: tenants", 'hosts: "@names.txt"')
    with fleet(tmp_path, 2, schedules(names)) as one:
        write(one.root, {"names.txt": "pc002\n"})
        watched_for(one, 4)
        write(
            one.root,
            {
                "playbooks/schedules.yml": EACH_MINUTE.replace("each minute", "another").replace(
                    "* * * * *", "0 3 1 1 *"
                )
            },
        )
        one.immy(*SERVICE, "--once")
        write(one.root, {"playbooks/schedules.yml": names})
        one.immy(*SERVICE, "--once")
        assert not occasions(one), "it was away when they were due"
        watched_for(one, 4)
        one.immy(*SERVICE, "--once")
        assert occasions(one)["began"] == 1
        assert one.statuses() == {"pc002": "passed"}


@pytest.mark.parametrize("ends", [True, False], ids=["until a time", "for good"])
def test_what_is_held_is_not_written_down_again_and_again(tmp_path: Path, ends: bool) -> None:
    with fleet(tmp_path, 1, schedules(EACH_MINUTE.replace("* * * * *", "0 3 1 1 *"))) as one:
        until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=9)).strftime("%Y-%m-%d")
        one.immy("freeze", "all", *(("--until", until) if ends else ()), "--reason", "an audit")
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report", expect=None)
        (session,) = one.sessions()
        assert session["status"] == ("waiting" if ends else "interrupted")
        if not ends:  # as a run of the service that was frozen under way
            connection = sqlite3.connect(one.state / "history.db", timeout=ENOUGH)
            sql = "INSERT INTO occasions (schedule, part, due_at, told, state, at, run_id, reason) SELECT "
            sql += "'each minute', '', strftime('%s','now'), '', 'began', strftime('%s','now'), id, '' FROM runs"
            with connection:
                connection.execute(sql)
            connection.close()
        before = one.log(session["id"])
        for _ in range(2):
            one.immy(*SERVICE, "--once")
        assert one.log(session["id"]) == before

        one.immy("unfreeze", "1")
        one.immy(*SERVICE, "--once")
        assert one.statuses() == {"pc001": "passed"}


TWO_PLAYS = """
- {name: alpha, hosts: tenants, maintenance: full, items: [software/alpha]}
- {name: beta, hosts: tenants, maintenance: full, items: [software/beta]}
"""


@pytest.mark.parametrize("how", ["a run", "schedules"])
def test_several_sessions_that_were_left_on_a_computer_are_settled_in_turn(tmp_path: Path, how: str) -> None:
    two = "".join(EACH_MINUTE.replace("each minute", name) for name in ("one", "another"))
    files = {**software_files(("alpha", "beta"), ()), "playbooks/schedules.yml": two, "playbooks/two.yml": TWO_PLAYS}
    with fleet(tmp_path, 1, files) as one:
        if how == "schedules":
            watched_for(one, 2)
        one.lab.hold()
        process = one.start("run", "playbooks/two.yml", "--yes", "--no-report")
        eventually(lambda: bool(one.lab.events("installer_started")), "the first play's installer is at work")
        kill(process)
        one.lab.release()
        if how == "schedules":
            one.immy(*SERVICE, "--once")
        else:
            one.immy("run", "playbooks/all.yml", "--yes", "--no-report")
        found = [row["status"] for row in one.sessions()]
        assert found.count("superseded") == 2, one.sessions()
        assert set(found) == {"superseded", "passed"}
        assert "bug of immy" not in one.said, one.said
        assert set(one.installs().values()) == {1}
