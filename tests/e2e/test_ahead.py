"""What is asked together with a computer's name: one PowerShell for a detection, none of it for another computer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.decide.steps.state import State, fold
from immy_nornir.history.store import History
from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import Knobs
from immy_nornir.model.facts import Identity
from immy_nornir.model.items import Platform
from immy_nornir.model.record.entries import Connected, Entry, Finished, Stamped
from immy_nornir.model.record.run import RunSpec
from immy_nornir.model.record.session import SessionSpec, Status
from immy_nornir.session.engine import SystemClock
from tests.e2e import world

pytestmark = pytest.mark.slow

SCRIPT = {"test": "test.ps1"}
FILES: dict[str, object] = {
    "tasks/maintenance/plain/task.yml": SCRIPT,
    "tasks/maintenance/plain/test.ps1": "$true\n",
    "tasks/maintenance/travels/task.yml": SCRIPT,
    "tasks/maintenance/travels/test.ps1": "$true\n",
    "tasks/software/tool/software.yml": world.software("The Tool"),
    "playbooks/deployments/all.yml": [
        {"item": "task/plain", "target": "tenants", "mode": "audit"},
        {"item": "task/travels", "target": "tenants", "mode": "audit", "where": "facts.chassis == 'laptop'"},
        {"item": "software/tool", "target": "tenants", "state": "latest"},
    ],
}
ROAMING = world.spec("roaming", 0, chassis="laptop")
FIXED = world.spec("fixed", 1)
STRANGER = world.spec("stranger", 2)


def test_a_long_job_is_asked_for_together_with_the_name(tmp_path: Path) -> None:
    knobs = Knobs(install_seconds=9.0)
    with world.up(tmp_path, [FIXED], FILES, knobs=knobs) as (fleet, lab):
        assert fleet.run("--on", "fixed", "--type", "full", "--item", "software/tool").status("fixed") == "passed"
        assert [one["op"] for one in world.operations(lab, "fixed")].count("job.start") == 1
        asked = [one["op"] for one in world.operations(lab, "fixed") if one["op"] == "job.wait"]
        # Facts and detection, the start, the looks at the job, the item after it, everything once more, and the lease.
        assert requests(lab, "fixed") == 1 + 1 + len(asked) + 1 + 1 + 1


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[world.Fleet, Lab]]:
    with world.up(tmp_path, [ROAMING, FIXED, STRANGER], FILES) as up:
        yield up


def requests(lab: Lab, computer: str) -> int:
    return len(lab.events("request", computer))


def scripts(lab: Lab, computer: str) -> list[str]:
    return [str(one["item"]) for one in world.operations(lab, computer) if one["op"] == "script"]


@pytest.mark.parametrize("kind", ["detection", "inventory"])
def test_a_session_that_only_reads_starts_one_powershell(here: tuple[world.Fleet, Lab], kind: str) -> None:
    fleet, lab = here
    assert fleet.run("--on", "fixed", "--type", kind).status("fixed") == "passed"
    assert requests(lab, "fixed") == 1


def test_what_only_facts_can_say_is_asked_afterwards_and_the_next_time_at_once(here: tuple[world.Fleet, Lab]) -> None:
    fleet, lab = here
    first = fleet.run("--on", "roaming", "--type", "detection")
    assert set(first.actions("roaming")) == {"task/plain", "task/travels", "software/tool"}
    assert (requests(lab, "roaming"), scripts(lab, "roaming")) == (2, ["task/plain", "task/travels"])
    again = fleet.run("--on", "roaming", "--type", "detection")
    assert set(again.actions("roaming")) == {"task/plain", "task/travels", "software/tool"}
    assert (requests(lab, "roaming"), scripts(lab, "roaming")) == (3, ["task/plain", "task/travels"] * 2)


def test_facts_that_were_true_last_time_decide_nothing(here: tuple[world.Fleet, Lab]) -> None:
    """Asked ahead because it was a laptop; it is one no longer, and the task is not its own any more."""
    fleet, lab = here
    fleet.run("--on", "roaming", "--type", "detection")
    object.__setattr__(lab.computers["roaming"].spec, "chassis", "desktop")
    try:
        again = fleet.run("--on", "roaming", "--type", "detection")
    finally:
        object.__setattr__(lab.computers["roaming"].spec, "chassis", "laptop")
    assert set(again.actions("roaming")) == {"task/plain", "software/tool"}


def test_who_took_over_an_address_is_asked_for_nothing_but_its_name(here: tuple[world.Fleet, Lab]) -> None:
    fleet, lab = here
    assert fleet.run("--on", "fixed", "--type", "detection").status("fixed") == "passed"
    moved: dict[str, Any] = {
        "tenants": {"children": {"acme": {"hosts": {"fixed": {"ansible_host": STRANGER.address}}}}}
    }
    fleet.write("inventory/zz_moved.yml", moved)
    run = fleet.run("--on", "fixed", "--type", "full")
    assert run.status("fixed") == "failed"
    assert "another computer" in run.reason("fixed")
    assert [one["op"] for one in world.operations(lab, "stranger")] == ["identity"]


def test_what_may_not_apply_is_not_asked_before_the_computer_is_known(tmp_path: Path) -> None:
    needs = {**SCRIPT, "requirements": {"architecture": ["arm64"]}}
    files = {**FILES, "tasks/maintenance/plain/task.yml": needs}
    with world.up(tmp_path, [FIXED], files) as (fleet, lab):
        for _ in range(2):
            run = fleet.run("--on", "fixed", "--type", "detection")
            assert run.actions("fixed")["task/plain"]["reason"] == "not_applicable"
        assert scripts(lab, "fixed") == []


def test_scripts_for_another_platform_do_not_reach_a_computer_that_was_replaced(tmp_path: Path) -> None:
    """The history knows the name as a Linux computer; the Windows computer that has it now gets nothing of that."""
    both = {"linux": {"test": "test.sh"}, "windows": {"test": "test.ps1"}}
    files = {**FILES, "tasks/maintenance/plain/task.yml": both, "tasks/maintenance/plain/test.sh": "true\n"}
    with world.up(tmp_path, [FIXED], files) as (fleet, lab):
        history = History(fleet.root / ".immy", SystemClock())
        linux = Identity("fixed", platform=Platform.LINUX, system={"os": "Debian"})
        state = State(SessionSpec("old-1", "old", "fixed", "acme"))
        history.begin_run(RunSpec("old", "immy run"))
        history.create_sessions([state.spec])
        entries: list[Entry] = [Connected(linux), Finished(Status.PASSED, "")]
        for number, entry in enumerate(entries, 1):
            stamped = Stamped(number, float(number), entry)
            state = fold(state, stamped)
            history.append(state, stamped)
        history.close()
        assert fleet.run("--on", "fixed", "--type", "detection").status("fixed") == "passed"
        assert scripts(lab, "fixed") == ["task/plain"]
        assert requests(lab, "fixed") == 2


def test_a_run_leaves_one_file_of_history(here: tuple[world.Fleet, Lab]) -> None:
    fleet, _ = here
    assert fleet.immy("run", "--on", "fixed", "--type", "detection", "--yes").code == 0
    assert sorted(path.name for path in (fleet.root / ".immy").glob("history*")) == ["history.db"]
