"""Windows by the clock of the computer, and windows that come once, from the command line."""

from __future__ import annotations

import dataclasses
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import ENOUGH, eventually

from .fleets import fleet, software_files, write

pytestmark = pytest.mark.slow

ONE = software_files(("alpha",), ())
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


def utc(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%S")


def test_a_window_is_read_by_the_clock_of_each_computer(tmp_path: Path) -> None:
    specs = {"pc001": {"time_zone": "India Standard Time"}, "pc002": {"time_zone": "Europe/Berlin"}}
    variables = {"pc003": {"immy_time_zone": "America/New_York"}}
    with fleet(tmp_path, 4, ONE, specs=specs, variables=variables) as one:
        one.immy(*RUN, "--window", "2999-01-10T22:00", expect=5)
        waiting = {row["computer"]: row["waiting"] for row in one.sessions()}
        for name, zone in {"pc001": "IST", "pc002": "CET", "pc003": "EST", "pc004": "UTC"}.items():
            assert f"opens 2999-01-10 22:00 {zone}" in waiting[name]
        due = dict(one.sql("SELECT computer, due_at FROM sessions"))
        assert due["pc004"] - due["pc001"] == 5.5 * 3600
        assert due["pc003"] - due["pc002"] == 6 * 3600


def test_a_clock_that_nobody_knows_is_an_error_of_that_computer_alone(tmp_path: Path) -> None:
    specs = {name: {"time_zone": ""} for name in ("pc001", "pc002")}
    variables = {"pc002": {"immy_time_zone": "Europe/Berlin"}}
    with fleet(tmp_path, 3, ONE, specs=specs, variables=variables) as one:
        one.immy(*RUN, "--window", "2999-01-10T22:00", expect=1)
        assert one.statuses() == {"pc001": "failed", "pc002": "waiting", "pc003": "waiting"}
        reason = one.sessions("pc001")[0]["reason"]
        assert "the computer's time zone is not known" in reason
        assert "set immy_time_zone" in reason
        one.immy(*RUN, "--limit", "pc001")
        assert one.statuses()["pc001"] == "passed"


def test_a_computer_that_reports_another_zone_supersedes_nothing(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        process = one.start(*RUN, "--window", "2020-01-01T00:00/2999-01-01T00:00")
        eventually(lambda: bool(one.lab.events("installer_started")))
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 130
        machine: Any = one.lab.computers["pc001"].machine
        machine.state.spec = dataclasses.replace(machine.state.spec, time_zone="Tokyo Standard Time")
        one.lab.release()
        eventually(lambda: bool(one.lab.events("installer_finished")))
        one.immy("sessions", "resume", "--yes")
        assert [row["status"] for row in one.sessions()] == ["passed"]
        ((back,),) = one.sql("SELECT data FROM entries WHERE kind = 'ContactBack'")
        assert "Tokyo Standard Time" in back


@pytest.mark.parametrize(
    "window",
    ["2020-01-01T00:00", "2020-01-01T00:00/PT4H", "2020-01-01T00:00/2020-06-01T00:00", "2020-01-01T00:00Z"],
)
@pytest.mark.parametrize("where", ["command line", "play", "variable"])
def test_a_window_that_is_past_when_it_is_asked_for_is_a_wrong_command(tmp_path: Path, where: str, window: str) -> None:
    variables: dict[str, dict[str, Any]] = {}
    if where == "variable":
        variables = {"pc002": {"immy_options": {"window": window}}}
    with fleet(tmp_path, 2, ONE, variables=variables) as one:
        if where == "play":
            write(tmp_path, {"playbooks/all.yml": f"- {{hosts: tenants, options: {{window: '{window}'}}}}\n"})
        one.immy(*RUN, *(("--window", window) if where == "command line" else ()), expect=2)
        assert f"the window {window} of pc00" in one.said
        assert where in one.said
        assert not one.state.exists() or one.sql("SELECT count(*) FROM sessions") == [(0,)]


def test_whether_a_window_is_past_is_told_by_the_zone_that_was_seen_last(tmp_path: Path) -> None:
    """It ended an hour ago where the computer stands; by the clock of a computer that nobody knows it may not have."""
    with fleet(tmp_path, 1, ONE, specs={"pc001": {"time_zone": "Asia/Tokyo"}}) as one:
        ended = (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")
        window = f"2020-01-01T00:00/{ended}"
        one.immy(*RUN, "--window", window, expect=1)
        first = one.sessions()[0]
        assert first["status"] == "missed"
        assert "closed" in first["reason"]
        assert not one.lab.events("installer_started")
        one.immy(*RUN, "--window", window, expect=2)
        assert "JST" in one.said
        assert len(one.sessions()) == 1


def test_a_session_that_waited_and_is_taken_up_after_its_window_is_missed(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        window = f"{utc(seconds=15)}/PT1S"
        closes = datetime.now(UTC) + timedelta(seconds=17)
        one.immy(*RUN, "--window", window, expect=5)
        eventually(lambda: datetime.now(UTC) > closes)
        one.immy("sessions", "resume", "--due", expect=1)
        row = one.sessions()[0]
        assert row["status"] == "missed"
        assert f"window {window} closed" in row["reason"]
        (action,) = one.show(row["id"])["session"]["actions"]
        assert (action["outcome"], action["outcome_reason"]) == ("skipped", "window")
        assert not one.lab.events("installer_started")


def test_what_is_at_work_when_the_window_closes_is_finished_and_nothing_else_begins(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        closes = datetime.now(UTC) + timedelta(seconds=15)
        process = one.start(*RUN, "--window", f"2020-01-01T00:00Z/{closes.strftime('%Y-%m-%dT%H:%M:%S')}")
        eventually(lambda: bool(one.lab.events("installer_started")))
        eventually(lambda: datetime.now(UTC) > closes)
        one.lab.release()
        assert process.wait(ENOUGH) == 1
        row = one.sessions()[0]
        assert row["status"] == "partially_passed"
        assert one.installs() == {("pc001", "software/alpha"): 1}
        outcomes = {a["id"]: a["outcome_reason"] for a in one.show(row["id"])["session"]["actions"]}
        assert outcomes == {"software/alpha": "verified", "software/beta": "window"}
