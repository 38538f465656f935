"""One computer, one maintenance: between histories and between two names of one machine, by the computer's lease."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
OTHER = ("--state", "other-history")


def started(one: Fleet) -> list[str]:
    return [str(event["item"]) for event in one.lab.events("installer_started")]


def lease(one: Fleet, computer: str = "pc001") -> dict[str, Any]:
    machine: Any = one.lab.computers[computer].machine
    row: dict[str, Any] = machine.spool.lease.row
    return row


def test_another_history_finds_the_computer_busy_and_says_who_has_it(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: started(one) == ["software/alpha"])
        said = json.loads(one.immy(*OTHER, *RUN, "--item", "software/beta", "--format", "json", expect=None))
        (session,) = said["sessions"]
        assert session["status"] == "missed"
        assert "another session is at work on this computer: session " in session["reason"]
        assert " UTC" in session["reason"]
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert started(one) == ["software/alpha", "software/beta"]
        assert lease(one)["released"]


def test_two_names_of_one_machine_are_one_computer(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        hosts = tmp_path / "inventory" / "hosts.yml"
        inventory = json.loads(hosts.read_text())
        group = inventory["all"]["children"]["tenants"]["children"]["tenant0"]["hosts"]
        group["alias"] = group["pc001"]
        hosts.write_text(json.dumps(inventory))
        one.lab.hold()
        process = one.start(*RUN, "--limit", "pc001")
        eventually(lambda: started(one) == ["software/alpha"])
        one.immy(*RUN, "--limit", "alias", expect=None)
        assert one.statuses()["alias"] == "missed"
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert started(one) == ["software/alpha"]


def test_what_another_history_just_finished_is_detected_again_and_not_done_twice(tmp_path: Path) -> None:
    knobs = Knobs(install_seconds=0.1)
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ()), knobs=knobs) as one:
        # Waits with its plan until the other has done the same work and gone.
        opens = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 15))
        one.immy(*OTHER, *RUN, "--window", opens, expect=5)
        one.immy(*RUN)
        assert started(one) == ["software/alpha", "software/beta"]
        one.immy(*OTHER, "sessions", "resume", "--due", "--wait", "--yes")
        assert started(one) == ["software/alpha", "software/beta"]


def test_a_killed_history_is_waited_for_while_its_job_runs_however_long(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: started(one) == ["software/alpha"])
        kill(process)
        lease(one)["until"] = time.time() - 1.0  # a quarter of an hour later
        one.immy(*OTHER, *RUN, expect=None)
        assert started(one) == ["software/alpha"]
        one.lab.release()
        eventually(lambda: len(one.lab.events("installer_finished")) == 1)
        one.immy(*OTHER, *RUN)
        assert started(one) == ["software/alpha", "software/beta"]


def test_who_was_overtaken_does_nothing_more(tmp_path: Path) -> None:
    """A session that slept past its lease, and whose computer another one has now, ends there."""
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: started(one) == ["software/alpha"])
        lease(one).update(
            history="another", session="its-1", holder="session its-1 of somebody", until=time.time() + 900
        )
        one.lab.release()
        assert process.wait(ENOUGH) == 1
        (row,) = one.sessions()
        assert row["status"] == "failed"
        assert "somebody" in row["reason"]
        assert started(one) == ["software/alpha"]


def test_no_reboot_while_another_histories_job_is_at_work(tmp_path: Path) -> None:
    specs = {"pc001": {"pending_reboots": ["windows_update"]}}
    with fleet(tmp_path, 1, software_files(("alpha",), ()), specs=specs) as one:
        one.lab.hold()
        process = one.start(*RUN, "--reboot", "skip")
        eventually(lambda: started(one) == ["software/alpha"])
        one.immy(*OTHER, *RUN, "--reboot", "force", expect=None)
        assert not one.lab.events("reboot_asked")
        one.lab.release()
        process.wait(ENOUGH)


def test_a_deferred_session_leaves_the_computer_to_others(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy(*RUN, "--window", "2999-01-01T00:00", expect=5)
        one.immy(*OTHER, *RUN)
        assert started(one) == ["software/alpha"]


def test_what_a_session_of_the_same_history_held_and_never_let_go_is_free_once_it_has_ended(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.immy(*RUN, "--item", "software/alpha")
        lease(one).update(released=False, until=time.time() + 900)  # as if its process had died right then
        one.immy(*OTHER, *RUN, expect=6)
        one.immy(*RUN)
        assert started(one) == ["software/alpha", "software/beta"]
