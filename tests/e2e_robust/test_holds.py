"""Windows with days, blackouts, freezes from another shell and holds of the inventory, from the command line."""

from __future__ import annotations

import json
import signal
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.session.reins.holds import READ_SECONDS
from tests.waiting import ENOUGH, eventually

from .fleets import fleet, software_files, write

pytestmark = pytest.mark.slow

ONE = software_files(("alpha",), ())
TWO = software_files(("alpha", "beta"), ())
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def day(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).strftime("%Y-%m-%d")


def test_each_computer_is_held_by_its_own_word_and_the_others_work(tmp_path: Path) -> None:
    """A blackout of a group and one of a file, holds with and without an end, freezes of both kinds; --check looks."""
    variables: dict[str, dict[str, Any]] = {
        "pc002": {"immy_hold": {"until": "2999-01-15", "reason": "year-end accounts"}},
        "pc003": {"immy_hold": {"reason": "evidence for the court"}},
    }
    blackouts = f"""
- hosts: pc001
  dates: ["{day(days=-3)}..{day(days=3)}", 2999-12-24]
  reason: school holidays
- hosts: pc006
  file: dates.txt
  reason: moving house
"""
    files = {
        **ONE,
        "playbooks/blackouts.yml": blackouts,
        "playbooks/dates.txt": f"# theirs\n2020-01-01\n{day(days=-1)}..{day(days=1)}  # the van\n",
    }
    with fleet(tmp_path, 7, files, variables=variables) as one:
        one.immy("freeze", "pc004", "--until", "2d", "--reason", "audit")
        one.immy("freeze", "pc005", "--reason", "the boss is on stage")
        one.immy("run", "playbooks/all.yml", "--check", "--no-report", expect=4)
        assert set(one.statuses().values()) == {"passed"}

        one.immy(*RUN, expect=130)
        assert "warning: pc003: held: evidence for the court (immy_hold, inventory/hosts.yml:" in one.said

        assert one.statuses() == {
            "pc001": "waiting",
            "pc002": "waiting",
            "pc003": "missed",
            "pc004": "waiting",
            "pc005": "interrupted",
            "pc006": "waiting",
            "pc007": "passed",
        }
        why = {row["computer"]: row["reason"] or row["waiting"] for row in reversed(one.sessions())}
        assert f"blacked out until {day(days=4)} 00:00 UTC: school holidays (playbooks/blackouts.yml:3:" in why["pc001"]
        assert "held until 2999-01-16 00:00 UTC: year-end accounts (immy_hold, inventory/hosts.yml:" in why["pc002"]
        assert "held: evidence for the court (immy_hold, inventory/hosts.yml:" in why["pc003"]
        assert "frozen until " in why["pc004"]
        assert ": audit (freeze 1 by " in why["pc004"]
        assert "pc005 is frozen: the boss is on stage (freeze 2 by " in why["pc005"]
        assert "moving house (playbooks/dates.txt:3:1)" in why["pc006"]
        assert {name for name, _ in one.installs()} == {"pc007"}
        (action,) = one.show("pc003")["session"]["actions"]
        assert (action["outcome"], action["outcome_reason"]) == ("skipped", "held")

        assert [row["pattern"] for row in json.loads(one.immy("freeze", "--list", "--format", "json"))["freezes"]] == [
            "pc004",
            "pc005",
        ]
        one.immy("unfreeze", "1", "pc005")
        one.immy("freeze", "--list")
        assert "nothing is frozen" in one.said
        one.immy("sessions", "resume", "--due", "--yes", expect=5)
        assert {name for name, _ in one.installs()} == {"pc004", "pc005", "pc007"}
        write(tmp_path, {"playbooks/blackouts.yml": "- {dates: 2999-12-24, reason: later}\n"})
        one.immy("sessions", "resume", "--due", "--yes", expect=5)
        assert one.statuses()["pc001"] == one.statuses()["pc006"] == "passed"


def test_a_freeze_from_another_shell_reaches_a_run_under_way_and_so_does_its_end(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, TWO) as one:
        one.lab.hold()
        process = one.start(*RUN, "--wait")
        eventually(lambda: bool(one.lab.events("installer_started")))
        one.immy("freeze", "tenant0", "--until", "3h", "--reason", "their server room burns")
        read_again = datetime.now(UTC) + timedelta(seconds=READ_SECONDS + 1)
        eventually(lambda: datetime.now(UTC) > read_again)
        one.lab.release()
        eventually(lambda: "their server room burns" in one.sessions()[0]["waiting"], "the wait")
        assert one.installs() == {("pc001", "software/alpha"): 1}
        one.immy("unfreeze", "--all")
        assert process.wait(ENOUGH) == 0
        assert one.installs() == {("pc001", "software/alpha"): 1, ("pc001", "software/beta"): 1}
        # It took seconds then; the next window is shorter, and longer than nothing.
        soon = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%MZ")
        one.immy(*RUN, "--window", f"{soon}/PT1S")
        assert "warning: pc001: less than a minute by its last session; window" in one.said
        assert "is open for less than a minute: it may not fit" in one.said


def test_where_freezes_cannot_be_read_nothing_begins(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        one.immy("freeze", "pc001", "--until", "3h", "--reason", "x")
        one.immy("unfreeze", "1")
        with sqlite3.connect(one.state / "history.db") as connection:
            connection.execute("ALTER TABLE freezes RENAME TO gone")
        process = one.start(*RUN)
        eventually(lambda: bool(one.sql("SELECT 1 FROM sessions WHERE waiting LIKE '%freezes cannot be read%'")))
        assert not one.installs()
        with sqlite3.connect(one.state / "history.db") as connection:
            connection.execute("ALTER TABLE gone RENAME TO freezes")
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 130


def test_a_window_of_days_is_each_computers_own(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE, specs={"pc002": {"time_zone": "Asia/Kathmandu"}}) as one:
        other = DAYS[(datetime.now(UTC).weekday() + 3) % 7]
        one.immy(*RUN, "--window", f"{other} 22:00-06:00; {other} 01:00-04:00", expect=5)
        due = dict(one.sql("SELECT computer, due_at FROM sessions"))
        assert due["pc001"] - due["pc002"] == 5.75 * 3600
        assert "which opens" in one.sessions()[0]["waiting"]
        one.immy(*RUN, "--window", "sat 22:00-25:00", expect=2)
        assert "'25:00' is no time of the day" in one.said
