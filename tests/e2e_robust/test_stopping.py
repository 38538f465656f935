"""Ctrl-C once, twice, thrice: what has begun ends on its computer, nothing new begins, every computer has a status."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import SOFTWARE, Fleet, fleet, kill, software_files

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals are what POSIX has")]

REBOOTING = ("pc001", "pc002")
NAMES = tuple(f"pc{number:03}" for number in range(1, 9))
WORKING = tuple(name for name in NAMES if name not in REBOOTING)
SAYS = ("immy: stopping", "immy: leaving the connections")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Fleet]:
    """Eight computers for three workers: two begin with a reboot, the others with an installer."""
    specs = {name: {"pending_reboots": ["windows_update"]} for name in REBOOTING}
    knobs = Knobs(install_seconds=0.1, reboot_seconds=0.5)
    with fleet(tmp_path, NAMES, software_files(reboots=()), specs=specs, knobs=knobs) as made:
        yield made


def stop(one: Fleet, times: int) -> None:
    """Ctrl-C so often, while two computers are away and every other one is at its first installer."""
    one.lab.hold()
    process = one.start("run", "playbooks/all.yml", "--yes", "-f", "3", "--no-report")
    eventually(lambda: (len(one.lab.events("reboot")), len(started(one))) == (len(REBOOTING), len(WORKING)))
    eventually(lambda: set(one.statuses().values()) == {"waiting"})
    for number in range(times):
        process.send_signal(signal.SIGINT)
        if number + 1 < times:  # two signals that come together are one
            said = SAYS[number]
            eventually(lambda: said in errors(one) or process.poll() is not None)  # noqa: B023 - asked at once
    # Nobody waits for installers: none of them has ended yet.
    assert process.wait(ENOUGH) == 130
    assert not one.lab.events("installer_finished")


def errors(one: Fleet) -> str:
    """What the first `immy` that was started has said so far."""
    return (one.root / "err-0.txt").read_text("utf-8")


def started(one: Fleet) -> list[Any]:
    return [event["job_id"] for event in one.lab.events("installer_started")]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_after_ctrl_c_nothing_begins_and_resume_completes(one: Fleet, times: int) -> None:
    stop(one, times)
    left = started(one)
    assert len(left) == len(WORKING)

    rows = one.sessions()
    assert {row["computer"] for row in rows} == set(NAMES)
    assert {row["status"] for row in rows} == {"interrupted"}
    reasons = {row["computer"]: row["reason"] for row in rows}
    if times < 3:
        assert all("waiting for the reboot" in reasons[name] for name in REBOOTING), [
            reasons[name] for name in REBOOTING
        ]
        for name in WORKING:
            assert "of software/" in reasons[name], (name, reasons[name])
    one.lab.release()
    eventually(lambda: len(one.lab.events("installer_finished")) == len(left))
    assert started(one) == left

    one.immy("sessions", "resume")

    assert set(one.statuses().values()) == {"passed"}
    assert len(one.sessions()) == len(NAMES)
    assert one.installs() == {(name, f"software/{item}"): 1 for name in NAMES for item in SOFTWARE}
    log = [entry["kind"] for entry in one.log("pc001")]
    assert log.count("Finished") == 1


def test_a_stopped_resume_is_interrupted_too_and_goes_on_later(one: Fleet) -> None:
    stop(one, 1)
    begun = len(started(one))
    one.lab.release()
    eventually(lambda: len(one.lab.events("installer_finished")) == begun)
    one.lab.hold()
    process = one.start("sessions", "resume", "-f", "2")
    eventually(lambda: len(started(one)) > begun)
    process.send_signal(signal.SIGINT)
    assert process.wait(ENOUGH) == 130
    assert "interrupted" in set(one.statuses().values())
    one.lab.release()
    one.immy("run", "playbooks/all.yml", "--yes", "--no-report")
    assert {row["status"] for row in one.sessions()} == {"passed"}
    assert max(one.installs().values()) == 1


def test_waves_that_were_not_begun_are_interrupted_and_resumable(tmp_path: Path) -> None:
    book = "- {name: waves, hosts: tenants, maintenance: full, serial: [2, 1], options: {reboot: automatic}}\n"
    with fleet(tmp_path, 4) as one:
        (tmp_path / "playbooks" / "waves.yml").write_text(book)
        one.lab.hold()
        process = one.start("run", "playbooks/waves.yml", "--yes")
        eventually(lambda: len(started(one)) == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENOUGH) == 130
        assert len(started(one)) == 2
        assert set(one.statuses().values()) == {"interrupted"}
        assert {row["computer"] for row in one.sessions() if "before it began" in row["reason"]} == {"pc003", "pc004"}
        one.lab.release()
        one.immy("sessions", "resume")
        assert set(one.statuses().values()) == {"passed"}


def test_of_two_interrupted_plays_each_goes_on_as_what_it_was(tmp_path: Path) -> None:
    plays = "".join(
        f"- {{name: {item}, hosts: tenants, maintenance: full, items: [software/{item}]}}\n"
        for item in ("alpha", "beta")
    )
    with fleet(tmp_path, 2, software_files(reboots=())) as one:
        (tmp_path / "playbooks" / "two.yml").write_text(plays)
        one.lab.hold()
        process = one.start("run", "playbooks/two.yml", "--yes")
        eventually(lambda: len(started(one)) == 2)
        kill(process)
        one.lab.release()
        one.immy("run", "playbooks/two.yml", "--yes")
        rows = one.sessions()
        assert len(rows) == 4
        assert {row["status"] for row in rows} == {"passed"}
        assert set(one.installs().values()) == {1}


def test_what_other_work_interrupted_is_settled_before_new_work_begins(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, software_files(reboots=())) as one:
        one.lab.hold()
        process = one.start("run", "playbooks/all.yml", "--yes")
        eventually(lambda: len(started(one)) == 2)
        kill(process)
        one.lab.release()
        one.immy("run", "--on", "tenants", "--item", "software/gamma", "--yes")
        rows = {(row["computer"], row["play"]): row for row in one.sessions()}
        assert rows["pc001", "full on tenants"]["status"] == "passed"
        old = rows["pc001", "all"]
        assert old["status"] == "superseded"
        assert rows["pc001", "full on tenants"]["id"] in old["reason"]
        assert {job["state"] for job in one.show(old["id"])["jobs"]} == {"finished"}
        assert set(one.installs().values()) == {1}
        assert {item for _, item in one.installs()} == {"software/alpha", "software/gamma"}


def test_a_freeze_leaves_what_only_looks_alone(tmp_path: Path) -> None:
    plays = [
        {"name": name, "hosts": "tenants", "maintenance": kind}
        for name, kind in (("do", "full"), ("look", "inventory"))
    ]
    files = {**software_files(reboots=()), "playbooks/all.yml": json.dumps(plays)}
    with fleet(tmp_path, 1, files) as one:
        one.lab.hold()
        process = one.start("run", "playbooks/all.yml", "--yes", "--no-report")
        eventually(lambda: one.lab.events("installer_started"))
        (one.root / "FREEZE").write_text("stop\n")
        one.lab.release()
        assert process.wait(ENOUGH) == 130
        assert {row["play"]: row["status"] for row in one.sessions()} == {"do": "interrupted", "look": "passed"}


def test_a_freeze_in_the_middle_ends_what_runs_and_begins_nothing_more(one: Fleet) -> None:
    one.lab.hold()
    process = one.start("run", "playbooks/all.yml", "--yes", "-f", "3", "--no-report")
    eventually(lambda: len(started(one)) == len(WORKING))
    freeze = one.root / "FREEZE"
    freeze.write_text("the auditors are here\n")
    one.lab.release()
    assert process.wait(ENOUGH) == 130

    rows = one.sessions()
    assert {row["status"] for row in rows} == {"interrupted"}
    assert all("the auditors are here" in row["reason"] for row in rows), rows
    assert len(started(one)) == len(WORKING)
    assert len(one.lab.events("installer_finished")) == len(started(one))
    assert "the auditors are here" in one.immy("sessions", "resume", expect=2) + one.said

    freeze.unlink()
    assert one.sql("SELECT status FROM runs") == [("interrupted",)]
    said = one.immy("sessions", "resume")
    assert one.sql("SELECT status FROM runs") == [("ended",)]
    report = one.root / next(line.split()[1] for line in said.splitlines() if "report:" in line)
    assert "Traceback" not in report.read_text()
    assert all(name in report.read_text() for name in NAMES)
    assert set(one.statuses().values()) == {"passed"}
    assert one.installs() == {(name, f"software/{item}"): 1 for name in NAMES for item in SOFTWARE}


def test_what_a_session_of_another_history_began_is_not_begun_beside_it(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, software_files(("alpha",), ())) as one:
        one.lab.hold()
        process = one.start("run", "playbooks/all.yml", "--yes", "--no-report")
        eventually(lambda: len(started(one)) == 2)
        kill(process)
        other = ("--state", str(tmp_path / "elsewhere"))
        run = (*other, "run", "playbooks/all.yml", "--yes", "--no-report")
        one.immy(*run, expect=6)
        listed = json.loads(one.immy(*other, "sessions", "list", "--format", "json"))["sessions"]
        assert [row["status"] for row in listed] == ["missed", "missed"]
        assert all("another session is at work on this computer" in row["reason"] for row in listed)
        one.lab.release()
        one.immy("sessions", "resume")
        one.immy(*run)
        assert set(one.installs().values()) == {1}
        listed = json.loads(one.immy(*other, "sessions", "list", "--format", "json"))["sessions"]
        assert [row["status"] for row in listed][:2] == ["passed", "passed"]
