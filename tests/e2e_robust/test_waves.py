"""Waves, limits, tags, and the exit codes of what is pending or deferred."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.lab import ComputerSpec, Knobs, Lab
from tests.waiting import eventually

from .fleets import PASSWORD, Fleet, fleet, kill, software_files, write

pytestmark = pytest.mark.slow
ONE = software_files(("alpha",), ())
BROKEN = {"exits": {"software/alpha": 1603}}


def book(root: Path, **more: object) -> None:
    play = {"name": "all", "hosts": "tenants", "maintenance": "full", **more}
    write(root, {"playbooks/all.yml": json.dumps([play])})


RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


def test_a_wave_begins_when_the_one_before_has_settled(tmp_path: Path) -> None:
    with fleet(tmp_path, 6, ONE, knobs=Knobs(install_seconds=0.2)) as one:
        book(tmp_path, serial=[1, 2, "50%"])
        one.immy(*RUN)
        begun = [str(event["computer"]) for event in one.lab.events("installer_started")]
        ended = {str(event["computer"]): float(str(event["time"])) for event in one.lab.events("installer_finished")}
        started = {str(event["computer"]): float(str(event["time"])) for event in one.lab.events("installer_started")}
        waves = [begun[:1], begun[1:3], begun[3:]]
        assert [sorted(wave) for wave in waves] == [["pc001"], ["pc002", "pc003"], ["pc004", "pc005", "pc006"]]
        for earlier, later in itertools.pairwise(waves):
            assert max(ended[name] for name in earlier) < min(started[name] for name in later)


def test_too_many_failures_stop_the_later_waves_and_plays_with_a_reason(tmp_path: Path) -> None:
    with fleet(tmp_path, 6, ONE, specs={"pc001": BROKEN, "pc002": BROKEN}) as one:
        plays = [
            {"name": n, "hosts": "tenants", "maintenance": "full", "serial": 2, "max_fail_percentage": 20}
            for n in ("first", "second")
        ]
        write(tmp_path, {"playbooks/all.yml": json.dumps(plays)})
        said = one.immy(*RUN, expect=1)
        rows = one.sessions()
        assert len(rows) == 12
        first = {row["computer"]: row for row in rows if row["play"] == "first"}
        second = [row for row in rows if row["play"] == "second"]
        assert [first[name]["status"] for name in sorted(first)] == ["failed"] * 2 + ["cancelled"] * 4
        for row in [first["pc003"], *second]:
            assert row["status"] == "cancelled"
            assert "2 of 2" in row["reason"]
            assert "max_fail_percentage 20" in row["reason"]
        assert "max_fail_percentage" in said
        assert {event["computer"] for event in one.lab.events("installer_started")} == {"pc001", "pc002"}


def test_a_percentage_is_of_the_wave_and_what_is_skipped_on_purpose_is_no_failure(tmp_path: Path) -> None:
    files = software_files(("alpha", "beta"), ("beta",))
    with fleet(tmp_path, 8, files, specs={"pc005": BROKEN, "pc006": BROKEN}) as one:
        book(tmp_path, serial=4, max_fail_percentage=49, options={"reboot": "skip"})
        one.immy(*RUN, expect=1)
        statuses = one.statuses()
        assert {name for name, status in statuses.items() if status == "failed"} == {"pc005", "pc006"}
        assert set(statuses.values()) == {"failed", "partially_passed"}
        book(tmp_path, serial=2, max_fail_percentage=49, order="reverse_sorted")
        one.immy(*RUN, "--limit", "pc003,pc004,pc005,pc006", "--item", "software/alpha", expect=1)
        assert [one.statuses()[f"pc00{n}"] for n in (3, 4, 5, 6)] == ["cancelled"] * 2 + ["failed"] * 2


def test_a_wave_that_fails_as_a_whole_is_the_last_of_its_play(tmp_path: Path) -> None:
    with fleet(tmp_path, 4, ONE, specs={"pc001": BROKEN, "pc002": BROKEN}) as one:
        plays = [
            {"name": "first", "hosts": "tenants", "maintenance": "full", "serial": 2},
            {"name": "second", "hosts": "pc004", "maintenance": "full"},
        ]
        write(tmp_path, {"playbooks/all.yml": json.dumps(plays)})
        one.immy(*RUN, expect=1)
        rows = {(row["play"], row["computer"]): row["status"] for row in one.sessions()}
        assert rows == {
            ("first", "pc001"): "failed",
            ("first", "pc002"): "failed",
            ("first", "pc003"): "cancelled",
            ("first", "pc004"): "cancelled",
            ("second", "pc004"): "passed",
        }


def test_limit_tags_and_items_narrow_a_run(tmp_path: Path) -> None:
    with fleet(tmp_path, 4) as one:
        plays = [
            {"name": "a", "hosts": "tenants", "maintenance": "full", "tags": ["one"]},
            {"name": "b", "hosts": "tenants", "maintenance": "detection", "tags": ["two"]},
        ]
        write(tmp_path, {"playbooks/all.yml": json.dumps(plays)})
        one.immy(*RUN, "--limit", "pc002:pc003", "--tags", "one", "--item", "software/alpha")
        assert [(row["computer"], row["play"]) for row in reversed(one.sessions())] == [("pc002", "a"), ("pc003", "a")]
        assert one.installs() == {("pc002", "software/alpha"): 1, ("pc003", "software/alpha"): 1}
        one.immy(*RUN, "--limit", "pc009", expect=2)
        one.immy(*RUN, "--tags", "three", expect=2)
        assert "no computer" in one.said or "tag" in one.said


def test_check_changes_nothing_and_tells_by_4_that_changes_are_pending(tmp_path: Path) -> None:
    with fleet(tmp_path, 3, ONE) as one:
        one.immy("run", "playbooks/all.yml", "--check", expect=4)
        assert one.lab.events("installer_started") == []
        one.immy(*RUN)
        one.immy("run", "playbooks/all.yml", "--check", expect=0)
        assert {row["status"] for row in one.sessions()} == {"passed"}


def test_a_window_defers_execution_until_it_is_due(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE) as one:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        one.immy(*RUN, "--limit", "pc001", "--window", later.isoformat(), expect=5)
        waiting = one.sessions("pc001")[0]
        assert (waiting["status"], waiting["stage"]) == ("waiting", "execute")
        assert "window" in waiting["waiting"]
        one.immy("sessions", "resume", "--due", expect=5)
        one.immy("sessions", "resume")
        assert one.statuses() == {"pc001": "waiting"}
        assert one.lab.events("installer_started") == []


def test_a_deferred_session_is_executed_once_its_window_is_open(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=6)
        one.immy(*RUN, "--window", at.isoformat(), expect=None)
        eventually(lambda: dt.datetime.now(dt.UTC) > at)
        one.immy("sessions", "resume", "--due")
        assert one.statuses() == {"pc001": "passed"}
        assert set(one.installs().values()) == {1}
        assert min(float(str(event["time"])) for event in one.lab.events("installer_started")) >= at.timestamp()


def test_a_run_that_waits_stays_for_its_window(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE) as one:
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=4)
        one.immy(*RUN, "--window", at.isoformat(), "--wait")
        assert {row["status"] for row in one.sessions()} == {"passed"}
        assert min(float(str(event["time"])) for event in one.lab.events("installer_started")) >= at.timestamp()


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Fleet]:
    """Two computers, of which the second is off."""
    with fleet(tmp_path, 2, ONE, specs={"pc002": {"misbehave": ("off",)}}) as made:
        yield made


def test_a_computer_that_is_off_is_missed_or_deferred_as_asked(away: Fleet) -> None:
    away.immy(*RUN, expect=6)
    assert away.statuses() == {"pc001": "passed", "pc002": "missed"}
    away.immy(*RUN, "--offline", "apply_on_connect", expect=5)
    assert away.statuses() == {"pc001": "passed", "pc002": "waiting"}
    away.immy("sessions", "resume", "--due", expect=5)
    assert away.statuses() == {"pc001": "passed", "pc002": "waiting"}
    waiting = away.sessions("pc002")[0]["id"]
    away.immy(*RUN, "--offline", "apply_on_connect", expect=5)
    assert "taken up again" in away.said
    away.immy("run", "--on", "tenants", "--type", "inventory", expect=6)
    assert [one["id"] for one in away.sessions("pc002", "--status", "waiting")] == [waiting]
    port = away.lab.port
    away.lab.stop()
    specs = [ComputerSpec(one.name, one.address, password=PASSWORD, packages=one.packages) for one in away.lab.specs]
    with Lab(specs, port=port, https_port=None, folder=away.root / "lab2") as lab:
        away.immy("sessions", "resume", "--due")
        assert away.show(waiting)["session"]["status"] == "passed"
        assert [event["computer"] for event in lab.events("installer_started")] == ["pc002"]


OFF: dict[str, object] = {"misbehave": ("off",)}


def test_a_computer_that_is_off_busy_or_excluded_ends_no_rollout(tmp_path: Path) -> None:
    """One switched-off laptop in the first wave was the end of every run with a low percentage."""
    excluded = {"pc003": {"immy_excluded": True}}
    with fleet(tmp_path, 6, ONE, specs={"pc001": OFF, "pc002": OFF}, variables=excluded) as one:
        book(tmp_path, serial=[1, 2, "100%"], max_fail_percentage=0)
        one.immy(*RUN, expect=6)
        passed = dict.fromkeys(["pc004", "pc005", "pc006"], "passed")
        assert one.statuses() == {"pc001": "missed", "pc002": "missed", "pc003": "cancelled", **passed}
        assert one.installs() == dict.fromkeys([(name, "software/alpha") for name in passed], 1)


def test_who_is_off_does_not_dilute_the_failures_of_the_others(tmp_path: Path) -> None:
    with fleet(tmp_path, 5, ONE, specs={"pc001": OFF, "pc002": OFF, "pc003": BROKEN}) as one:
        book(tmp_path, serial=[4, 1], max_fail_percentage=40)
        one.immy(*RUN, expect=1)
        assert one.statuses()["pc005"] == "cancelled"
        assert "1 of 2 computers of a wave failed (2 more could not be worked on)" in one.sessions("pc005")[0]["reason"]


@pytest.mark.parametrize(
    ("specs", "more", "code"),
    [
        ({"pc001": OFF}, (), 6),
        ({"pc001": OFF, "pc002": OFF}, (), 6),
        ({"pc001": OFF}, ("--check",), 6),
        ({"pc001": OFF, "pc002": BROKEN}, (), 1),
        ({"pc001": OFF, "pc002": {"misbehave": ("refuse_password",)}}, (), 1),
        ({"pc001": OFF}, ("--window", "2999-01-01T00:00"), 6),
        ({}, ("--window", "2999-01-01T00:00"), 5),
    ],
    ids=[
        "one is off",
        "all are off",
        "away comes before pending changes",
        "what failed comes before what is away",
        "who refuses has answered and failed",
        "away comes before what waits",
        "what waits alone",
    ],
)
def test_exit_codes_of_computers_that_are_away(
    tmp_path: Path, specs: dict[str, dict[str, object]], more: tuple[str, ...], code: int
) -> None:
    with fleet(tmp_path, 2, ONE, specs=specs) as one:
        one.immy(*RUN, *more, expect=code)


def test_resume_tells_like_run_that_computers_are_away(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE, specs={"pc002": OFF}) as one:
        book(tmp_path, serial=1)
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: bool(one.lab.events("installer_started")))
        kill(process)
        one.lab.release()
        one.immy("sessions", "resume", "--yes", expect=6)
        assert one.statuses() == {"pc001": "passed", "pc002": "missed"}


def test_deferred_computers_count_in_no_percentage(tmp_path: Path) -> None:
    with fleet(tmp_path, 4, ONE, specs={f"pc00{n}": {"misbehave": ("off",)} for n in (1, 2)}) as one:
        book(tmp_path, serial=2, max_fail_percentage=0, options={"offline": "apply_on_connect"})
        one.immy(*RUN, expect=5)
        assert one.statuses() == {"pc001": "waiting", "pc002": "waiting", "pc003": "passed", "pc004": "passed"}


def test_a_computer_that_left_the_inventory_keeps_its_status_and_is_named(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE, specs={"pc002": {"misbehave": ("off",)}}) as one:
        one.immy(*RUN, "--offline", "apply_on_connect", expect=5)
        hosts = json.loads((tmp_path / "inventory" / "hosts.yml").read_text())
        del hosts["all"]["children"]["tenants"]["children"]["tenant0"]["hosts"]["pc002"]
        write(tmp_path, {"inventory/hosts.yml": json.dumps(hosts)})
        one.immy("sessions", "resume", "--due", expect=None)
        assert "pc002" in one.said
        assert one.statuses()["pc002"] == "waiting"


def test_waves_hold_where_windows_are(tmp_path: Path) -> None:
    """A wave that waits for its window is followed by no other, though all have the same window."""
    book = "- {name: waves, hosts: tenants, maintenance: full, serial: 1}\n"
    with fleet(tmp_path, 3, software_files(("alpha",), ()), knobs=Knobs(install_seconds=0.5)) as one:
        (tmp_path / "playbooks" / "waves.yml").write_text(book)
        opens = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 15))
        one.immy("run", "playbooks/waves.yml", "--yes", "--no-report", "--window", opens, expect=5)
        assert set(one.statuses().values()) == {"waiting"}
        detected = {row["computer"] for row in one.sessions() if row["started_at"] and row["stage"] != "connect"}
        assert detected == {"pc001"}
        one.immy("sessions", "resume")  # nothing is interrupted
        assert not one.lab.events("installer_started")

        one.immy("sessions", "resume", "--due", "--wait", "--yes")
        assert set(one.statuses().values()) == {"passed"}
        events = [each for each in one.lab.events() if str(each["event"]).startswith("installer_")]
        order = [(event["event"], event["computer"]) for event in events]
        assert order == [
            (event, f"pc00{number}") for number in (1, 2, 3) for event in ("installer_started", "installer_finished")
        ]
