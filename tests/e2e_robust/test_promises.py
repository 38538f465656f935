"""What a grader of whole fleets tried: reboots, verdicts after them, exclusions and secrets, by the lab's own log."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from .fleets import fleet, software_files

pytestmark = pytest.mark.slow


def test_business_hours_without_an_end_hold_back_even_force(tmp_path: Path) -> None:
    common: Any = {"immy_business_hours": "mon-sun 00:00-24:00", "immy_options": {"reboots_in_business_hours": False}}
    with fleet(tmp_path, 1, software_files(("alpha",), ("alpha",)), common=common) as one:
        one.immy("run", "--on", "tenants", "--yes", "--no-report", "--reboot", "force")
        assert not one.lab.events("reboot_asked")
        assert "not rebooted: reboots are held back in business hours" in one.sessions()[0]["reason"]


def test_what_is_missing_after_its_reboot_has_failed_and_frees_no_dependents(tmp_path: Path) -> None:
    specs = {"pc001": {"exits": {"software/alpha": 3010}, "breaks": ("software/alpha",)}}
    files = software_files(("alpha", "beta", "gamma"), ())
    files["tasks/software/beta/software.yml"] += "prerequisites: [software/alpha]\n"
    with fleet(tmp_path, 1, files, specs=specs) as one:
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report", expect=1)
        assert {item for _, item in one.installs()} == {"software/alpha", "software/gamma"}
        assert len(one.lab.events("reboot_asked")) == 1
        outcomes = one.sql("SELECT item, outcome, outcome_reason FROM actions ORDER BY item")
        assert outcomes[:2] == [
            ("software/alpha", "failed", "not_converged"),
            ("software/beta", "skipped", "dependency"),
        ]


def test_an_excluded_computer_is_told_and_no_failure(tmp_path: Path) -> None:
    files = software_files(("alpha",), ())
    with fleet(tmp_path, 2, files, variables={"pc002": {"immy_excluded": True}}) as one:
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report", expect=0)
        assert one.statuses() == {"pc001": "passed", "pc002": "cancelled"}
        assert one.installs() == {("pc001", "software/alpha"): 1}


def test_a_declared_secret_in_clear_is_an_error_and_reaches_no_record(tmp_path: Path) -> None:
    files = {
        **software_files(("alpha",), ()),
        "tasks/maintenance/t/task.yml": "parameters: {pw: {type: secret}}\ntest: test.ps1\nset: test.ps1\n",
        "tasks/maintenance/t/test.ps1": "$true\n",
        "playbooks/deployments/t.yml": "- {item: task/t, target: tenants, mode: audit, params: {pw: Klartext999}}\n",
    }
    with fleet(tmp_path, 1, files) as one:
        one.immy("run", "playbooks/all.yml", "--yes", expect=2)
        assert "'pw' holds a secret in clear" in one.said
        assert "Klartext999" not in one.said


def test_a_check_tells_that_only_a_reboot_is_pending(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report")
        one.immy("run", "playbooks/all.yml", "--check", "--no-report", expect=0)
        one.immy("run", "playbooks/all.yml", "--check", "--no-report", "--reboot", "force", expect=4)
        assert not one.lab.events("reboot_asked")


def test_detection_leaves_the_configuration_of_software_that_it_leaves(tmp_path: Path) -> None:
    files = software_files(("alpha",), ())
    files["tasks/software/alpha/software.yml"] += "configuration: task/conf\n"
    files["tasks/maintenance/conf/task.yml"] = "registry: {key: 'HKLM\\SOFTWARE\\A', name: a, value: 1}\n"
    with fleet(tmp_path, 1, files) as one:
        one.immy("run", "--on", "tenants", "--type", "detection", "--no-report")
        outcomes = one.sql("SELECT item, outcome, outcome_reason FROM actions ORDER BY item")
        assert outcomes == [
            ("software/alpha", "left", "not_this_type"),
            ("task/conf", "left", "not_this_type"),
        ]
        assert not one.installs()


def test_a_torn_result_means_look_again_at_once_and_nothing_runs_twice(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ()), specs={"pc001": {"misbehave": ("torn_results",)}}) as one:
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report")
        assert one.installs() == {("pc001", "software/alpha"): 1}
        assert one.sql("SELECT state, error FROM jobs") == [("lost", "it has ended, and its result cannot be read")]
        assert one.sql("SELECT outcome, message FROM actions") == [
            ("success", "it was in doubt, and is as it should be")
        ]


def test_a_check_tells_its_plan_together_for_many_computers_and_one_by_one(tmp_path: Path) -> None:
    files = software_files(("alpha", "beta"), ("beta",))
    old = {"winget": {"Vendor.alpha": {"installed": "0.9", "candidate": "1.0"}, "Vendor.beta": {"candidate": "1.0"}}}
    with fleet(tmp_path, 5, files, specs={"pc001": {"packages": old}}) as one:
        said = one.immy("run", "playbooks/all.yml", "--check", "--no-report", expect=4)
        assert "  install software/beta 1.0 on 5 computers: pc001, pc002, pc003 and 2 more\n" in said
        assert "  install software/alpha 1.0 on 4 computers: pc002, pc003, pc004 and 1 more\n" in said
        assert "  update software/alpha 0.9 -> 1.0 on 1 computer: pc001\n" in said
        assert "  reboot 5 computers: pc001, pc002, pc003 and 2 more\n" in said
        each = one.immy("run", "playbooks/all.yml", "--check", "-v", "--no-report", "--limit", "pc001", expect=4)
        assert "  pc001:\n    update software/alpha 0.9 -> 1.0: " in each
        assert "    reboots: 1\n" in each
        assert not one.installs()


def test_audits_and_monitoring_are_no_changes(tmp_path: Path) -> None:
    registry = "registry: {key: 'HKLM\\SOFTWARE\\Lab', name: x, value: 1}\n"
    files = {
        **software_files((), ()),
        "tasks/maintenance/t/task.yml": registry,
        "tasks/maintenance/u/task.yml": registry.replace("value: 1", "absent: true"),
        "playbooks/deployments/t.yml": "- {item: task/t, target: tenants, mode: audit}\n"
        "- {item: task/u, target: tenants, mode: audit}\n",
    }
    with fleet(tmp_path, 1, files) as one:
        said = one.immy("run", "playbooks/all.yml", "--max-changes", "0")  # nobody is asked, and nobody has to say yes
        assert "1 not compliant, 1 nothing to do" in said or "1 nothing to do, 1 not compliant" in said
        assert " done" not in said


def test_a_reboot_that_cannot_be_foreseen_counts_for_the_brake(tmp_path: Path) -> None:
    specs = {"pc001": {"pending_reboots": ["windows_update"]}}
    with fleet(tmp_path, 1, software_files(("alpha",), ()), specs=specs) as one:
        one.immy("run", "playbooks/all.yml", "--yes", "--max-reboots", "0", expect=2)
        assert "it might reboot 1 computer in all, and --max-reboots is 0" in one.said
        assert not one.lab.events("reboot_asked")


def test_a_replaced_machine_is_another_computer_until_it_is_accepted(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy("run", "--on", "tenants", "--type", "inventory", "--no-report")
        was = one.lab.computers["pc001"].spec.identity_uuid
        machine: Any = one.lab.computers["pc001"].machine
        machine.state.spec = dataclasses.replace(machine.state.spec, uuid="00000000-0000-4000-8000-00000000beef")
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report", expect=1)
        assert "this is another computer" in one.sessions()[0]["reason"]
        assert "immy computers accept" in one.sessions()[0]["reason"]

        one.immy("computers", "accept", "pc01", "--reason", "x", expect=2)
        assert "did you mean pc001?" in one.said
        said = one.immy("computers", "accept", "pc001", "--reason", "board replaced, ticket 4711")
        assert was.lower() in said.lower()
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report")
        assert one.installs() == {("pc001", "software/alpha"): 1}
        ((reason, before),) = one.sql("SELECT reason, before FROM accepted")
        assert reason == "board replaced, ticket 4711"
        assert was.lower() in before.lower()
        machine.state.spec = dataclasses.replace(machine.state.spec, uuid=was)
        one.immy("run", "--on", "tenants", "--type", "inventory", "--no-report", expect=1)  # the new one is known now
