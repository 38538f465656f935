"""The files are the truth at the moment of acting: a plan of other files is settled and superseded, never resumed."""

from __future__ import annotations

import dataclasses
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files, write

pytestmark = pytest.mark.slow

RULES = "playbooks/deployments/all.yml"
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
CLOSED = "2999-01-01T00:00"


def left_at_alpha(one: Fleet, *arguments: str, how: int = signal.SIGINT) -> None:
    """A run that is left while the first installer, alpha's, is at work."""
    one.lab.hold()
    process = one.start(*(arguments or RUN))
    eventually(lambda: bool(one.lab.events("installer_started")))
    if how == signal.SIGKILL:
        kill(process)
    else:
        process.send_signal(how)
        assert process.wait(ENOUGH) == 130
    one.lab.release()
    eventually(lambda: bool(one.lab.events("installer_finished")))


def change(one: Fleet, file: str, before: str, after: str) -> None:
    path = one.root / file
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def items(one: Fleet) -> list[str]:
    return [str(event["item"]) for event in one.lab.events("installer_started")]


CHANGES = {
    "a state": (
        RULES,
        "software/beta, target: tenants, state: latest",
        "software/beta, target: tenants, state: absent",
    ),
    "a definition": ("tasks/software/beta/software.yml", "Vendor.beta", "Vendor.delta"),
    "a reboot": ("tasks/software/beta/software.yml", "reboot: never", "reboot: after"),
    "an option": ("playbooks/all.yml", "reboot: automatic", "reboot: skip"),
    "a rule less": (RULES, "- {item: software/beta, target: tenants, state: latest}\n", ""),
}


@pytest.mark.parametrize("again", ["run", "resume"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.sampled
def test_a_session_whose_files_have_changed_is_settled_and_another_is_planned(
    tmp_path: Path, name: str, how: int, again: str
) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        left_at_alpha(one, how=how)
        change(one, *CHANGES[name])

        one.immy(*(RUN if again == "run" else ("sessions", "resume", "--yes")))

        rows = one.sessions()
        assert [row["status"] for row in rows] == ["passed", "superseded"]
        old = {row["id"]: row for row in one.show(rows[1]["id"])["session"]["actions"]}
        assert old["software/alpha"]["outcome"] == "success"
        assert old["software/beta"]["outcome"] == "cancelled"
        assert rows[0]["id"] in rows[1]["reason"]
        begun = ["software/alpha"] if name in ("a state", "a rule less") else ["software/alpha", "software/beta"]
        assert items(one) == begun
        assert one.sessions("--run", "last")[0]["status"] == "passed"


NO_CHANGES = {
    "a moved line": (RULES, "- {item: software/beta", "# a remark\n\n- {item: software/beta"),
    "a moved definition": ("tasks/software/beta/software.yml", "winget:", "# a remark\nwinget:"),
    "another item's rule": (
        RULES,
        "- {item: software/beta",
        "- {item: software/gamma, target: pc002, state: latest}\n- {item: software/beta",
    ),
}


@pytest.mark.parametrize("again", ["run", "resume"])
@pytest.mark.parametrize("name", NO_CHANGES)
@pytest.mark.sampled
def test_what_changes_nothing_for_the_session_supersedes_nothing(tmp_path: Path, name: str, again: str) -> None:
    with fleet(tmp_path, 2, software_files(("alpha", "beta", "gamma"), ())) as one:
        change(one, RULES, "- {item: software/gamma, target: tenants, state: latest}\n", "")
        left_at_alpha(one, *RUN, "--limit", "pc001")
        change(one, *NO_CHANGES[name])
        one.immy(*((*RUN, "--limit", "pc001") if again == "run" else ("sessions", "resume", "--yes")))
        assert [row["status"] for row in one.sessions()] == ["passed"]
        assert items(one) == ["software/alpha", "software/beta"]


def test_a_fact_that_never_stays_the_same_supersedes_nothing(tmp_path: Path) -> None:
    files = software_files(("alpha", "beta"), ())
    files["tasks/software/beta/software.yml"] += "requirements: {disk_gb: 20}\n"
    files[RULES] += (
        "- {item: software/alpha, target: tenants, state: installed, where: 'facts.disk_free_gb < 30', priority: 1}\n"
    )
    with fleet(tmp_path, 1, files, specs={"pc001": {"disk_free_gb": 50.0}}) as one:
        left_at_alpha(one)
        machine: Any = one.lab.computers["pc001"].machine
        machine.state.spec = dataclasses.replace(machine.state.spec, disk_free_gb=10.0)
        one.immy("sessions", "resume", "--yes")
        assert [row["status"] for row in one.sessions()] == ["passed"]


def test_a_deferred_session_does_not_undo_newer_work(tmp_path: Path) -> None:
    """Its older text was written over what had been put there since, and recorded as a success."""
    task = {
        "tasks/maintenance/text/task.yml": "parameters: {text: {type: text}}\n"
        "registry: {key: 'HKLM\\SOFTWARE\\Lab', name: text, value: '{{ text }}'}\n",
        RULES: "- {item: task/text, target: tenants, mode: enforce, params: {text: OLD}}\n",
    }
    with fleet(tmp_path, 1, {**software_files((), ()), **task}) as one:
        one.immy(*RUN, "--window", CLOSED, expect=5)
        change(one, RULES, "OLD", "NEW")
        one.immy(*RUN)
        assert {row["status"] for row in one.sessions()} == {"passed", "superseded"}
        one.immy("sessions", "resume", "--due", "--yes")
        assert one.sql("SELECT count(*) FROM jobs") == [(1,)]


def test_the_newer_of_two_waiting_sessions_of_the_same_work_takes_the_olders_place(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy(*RUN, "--window", CLOSED, expect=5)
        one.immy(*RUN, "--window", "2999-02-01T00:00", expect=5)
        assert [row["status"] for row in one.sessions()] == ["waiting", "superseded"]
        assert not one.lab.events("installer_started")


def test_what_waits_in_a_process_that_stays_is_done_by_the_files_of_that_time(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ()), knobs=Knobs(install_seconds=0.1)) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: bool(one.lab.events("installer_started")))
        write(one.root, {RULES: "- {item: software/alpha, target: tenants, state: latest}\n"})
        eventually(lambda: len(one.sessions()) == 2)
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert [row["status"] for row in one.sessions()] == ["passed", "superseded"]
        assert items(one) == ["software/alpha"]


def test_files_that_cannot_be_read_any_more_let_nothing_begin(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        left_at_alpha(one)
        change(one, "playbooks/all.yml", "options:", "optoins:")
        one.immy("sessions", "resume", "--yes", expect=2)
        assert "unknown key 'optoins'" in one.said
        assert items(one) == ["software/alpha"]
        change(one, "playbooks/all.yml", "optoins:", "options:")
        one.immy("sessions", "resume", "--yes")
        assert [row["status"] for row in one.sessions()] == ["passed"]
        assert items(one) == ["software/alpha", "software/beta"]


def test_without_its_playbook_a_session_is_only_settled(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        left_at_alpha(one)
        (one.root / "playbooks" / "all.yml").unlink()
        one.immy("sessions", "resume", "--yes", expect=None)
        rows = one.sessions()
        assert [row["status"] for row in rows] == ["superseded"]
        assert "playbooks/all.yml is gone" in rows[0]["reason"]
        assert items(one) == ["software/alpha"]


def test_a_reboot_that_the_superseded_session_owes_is_handed_on(tmp_path: Path) -> None:
    specs = {"pc001": {"exits": {"software/alpha": 3010}}}
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ()), specs=specs) as one:
        left_at_alpha(one)
        change(one, RULES, "- {item: software/beta, target: tenants, state: latest}\n", "")
        one.immy(*RUN)
        assert [row["status"] for row in one.sessions()] == ["passed", "superseded"]
        assert len(one.lab.events("reboot_asked")) == 1


def kinds(one: Fleet, session: str) -> list[str]:
    return [str(entry["kind"]) for entry in one.log(session)]


def test_after_another_session_of_the_computer_everything_is_detected_and_planned_again(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        opens = datetime.now(UTC) + timedelta(seconds=20)
        one.immy(*RUN, "--window", opens.strftime("%Y-%m-%dT%H:%M:%S"), expect=5)
        one.immy("run", "--on", "tenants", "--item", "software/beta", "--yes", "--no-report")
        one.immy("sessions", "resume", "--due", "--wait", "--yes")
        waited = one.sessions()[1]["id"]
        assert {row["status"] for row in one.sessions()} == {"passed"}
        assert kinds(one, waited).count("Planned") >= 2
        assert items(one) == ["software/beta", "software/alpha"]


def test_what_begins_long_after_its_detection_is_detected_again_first(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta", "gamma"), ()), knobs=Knobs(install_seconds=0.1)) as one:
        one.lab.hold()
        process = one.start(*RUN, "-o", "detection_valid_hours=0.0005")
        eventually(lambda: bool(one.lab.events("installer_started")))
        began = time.monotonic()
        machine: Any = one.lab.computers["pc001"].machine
        machine.state.packages["winget", "vendor.beta"]["installed"] = "1.0"  # by hand, meanwhile
        eventually(lambda: time.monotonic() - began > 2.0)
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert one.sessions()[0]["status"] == "passed"
        assert items(one) == ["software/alpha", "software/gamma"]
        assert kinds(one, "pc001").count("Planned") >= 2


def test_resume_asks_before_it_does_what_changed_files_want(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        left_at_alpha(one)
        change(one, *CHANGES["a state"])
        one.immy("sessions", "resume", expect=2)
        assert "The files have changed: 1 session will be planned anew: " in one.said
        assert "1 uninstall" in one.said
        assert [row["status"] for row in one.sessions()] == ["interrupted"]
        one.immy("sessions", "resume", one.sessions()[0]["id"], expect=2)  # nor by its name
        assert items(one) == ["software/alpha"]
        one.immy("sessions", "resume", "--yes")
        assert [row["status"] for row in one.sessions()] == ["passed", "superseded"]


def test_what_changes_while_a_process_stays_needs_a_yes_too(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        left_at_alpha(one)
        one.lab.hold()
        process = one.start("sessions", "resume")
        eventually(lambda: items(one) == ["software/alpha", "software/beta"])
        write(one.root, {RULES: "- {item: software/alpha, target: tenants, state: absent}\n"})
        one.until("StopAsked")
        one.lab.release()
        assert process.wait(ENOUGH) == 5
        new, old = one.sessions()
        assert (old["status"], new["status"]) == ("superseded", "waiting")
        assert new["reason"] == "somebody to approve 1 action"
        assert items(one) == ["software/alpha", "software/beta"]
        one.immy("sessions", "resume", "--due", "--yes")
        assert [row["status"] for row in one.sessions()] == ["passed", "superseded"]
        assert items(one) == ["software/alpha", "software/beta", "software/alpha"]
