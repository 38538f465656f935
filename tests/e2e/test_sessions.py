"""What a session does beyond the plain way: exit codes, reboots, verification, failures, order, users, instances.

All computers are maintained by one run a module; each case has a computer of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from immy_nornir.lab.lab import Lab
from tests.e2e import world
from tests.e2e.world import registry_task, software

pytestmark = pytest.mark.slow

# computer -> (lab's fields, inventory variables)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "soft-automatic": ({"exits": {"software/tool": 3010}}, {"immy_options": {"reboot": "automatic"}}),
    "soft-skip": ({"exits": {"software/tool": 3010}}, {"immy_options": {"reboot": "skip"}}),
    "hard-automatic": ({"exits": {"software/tool": 1641}}, {"immy_options": {"reboot": "automatic"}}),
    "busy": ({"exits": {"software/tool": [1618, 1618, 0]}}, {"immy_options": {"retry_seconds": 1}}),
    "busy-for-ever": ({"exits": {"software/tool": 1618}}, {"immy_options": {"retry_seconds": 0, "retries": 2}}),
    "fails": ({"exits": {"software/tool": 1603}}, {}),
    "liar": ({"breaks": ("software/tool",)}, {}),
    "pending-skip": ({"pending_reboots": ("windows_update",)}, {}),
    "pending-automatic": ({"pending_reboots": ("windows_update",)}, {"immy_options": {"reboot": "automatic"}}),
    "pending-ignored": (
        {"pending_reboots": ("windows_update",)},
        {"immy_options": {"reboot": "automatic", "ignore_pending_reboots": ["windows_update"]}},
    ),
    "driver-automatic": ({}, {"immy_options": {"reboot": "automatic"}}),
    "driver-skip": ({}, {"immy_options": {"reboot": "skip"}}),
    "force-nothing": ({}, {"immy_options": {"reboot": "force"}}),
    "stop": ({"exits": {"software/first": 1603}}, {"immy_options": {"on_failure": "stop"}}),
    "continue": ({"exits": {"software/first": 1603}}, {"immy_options": {"on_failure": "continue"}}),
    "bad-ground": ({"exits": {"task/ground": 1}}, {}),
    "agent": ({}, {}),
    "onboarding": ({}, {"immy_onboarding": True}),
    "settled": ({}, {"immy_onboarding": False}),
    "exception": ({}, {}),
    "printers": ({}, {}),
    "user-there": ({"users": ("ACME\\ann", "ACME\\bob"), "logons": {"ACME\\bob": "locked"}}, {}),
    "user-several": ({"users": ("ACME\\ann", "ACME\\bob")}, {}),
    "user-away": ({}, {}),
    "user-primary": (
        {"users": ("ACME\\ann", "ACME\\bob")},
        {"immy_primary_user": "ACME\\bob", "immy_options": {"user_context": "primary_user"}},
    ),
    "user-primary-away": (
        {"users": ("ACME\\ann",)},
        {"immy_primary_user": "ACME\\bob", "immy_options": {"user_context": "primary_user"}},
    ),
    "user-skip": ({"users": ("ACME\\ann",)}, {"immy_options": {"user_context": "skip"}}),
    "excluded": ({}, {"immy_excluded": True}),
    "tied": ({}, {}),
}


def _deployments() -> list[dict[str, Any]]:
    tool = "soft-*:hard-*:busy*:fails:liar:pending-*"
    return [
        {"item": "software/tool", "target": tool, "state": "latest"},
        {"item": "software/driver", "target": "driver-*", "state": "latest"},
        {"item": "software/follower", "target": "driver-*", "state": "latest"},
        *({"item": f"software/{name}", "target": "stop:continue", "state": "latest"} for name in ("first", "second")),
        {"item": "software/dependent", "target": "stop:continue", "state": "latest"},
        {"item": "task/setting", "target": "stop:continue", "mode": "enforce"},
        {"item": "software/grounded", "target": "bad-ground", "state": "latest"},
        {"item": "software/agent", "target": "agent", "state": "1.0", "params": {"server": "backup.acme.example"}},
        {"item": "software/starter", "target": "onboarding:settled", "state": "latest", "enforcement": "onboarding"},
        {"item": "task/setting", "target": "onboarding:settled", "mode": "enforce"},
        {"item": "software/tool", "target": "exception", "state": "ignored"},
        {"item": "software/tool", "target": "acme:&exception", "scope": "tenant", "state": "latest"},
        {"item": "task/setting", "target": "exception", "mode": "enforce"},
        {"item": "software/tool", "target": "tied", "scope": "computer", "state": "latest"},
        {"item": "software/tool", "target": "tied", "scope": "computer", "state": "absent"},
        {"item": "task/setting", "target": "tied", "mode": "enforce"},
        *(
            {"item": "task/printer", "target": "printers", "instance": name, "params": {"queue": queue}}
            for name, queue in (("front", "Front desk"), ("back", "Back office"))
        ),
        {"item": "software/addin", "target": "user-*", "state": "latest"},
        {"item": "software/tool", "target": "excluded", "state": "latest"},
        {"item": "task/stamp", "target": "stop:continue:fails:soft-automatic:bad-ground", "mode": "enforce"},
    ]


def _files() -> dict[str, object]:
    library = {
        "tool": software("The Tool"),
        "driver": software("The Driver", reboot="after"),
        "follower": software("The Follower", prerequisites=["software/driver"]),
        "first": software("First of all", order="first"),
        "second": software("Second thing"),
        "dependent": software("Dependent thing", prerequisites=["software/first"]),
        "grounded": software("Grounded thing", prerequisites=["task/ground"]),
        "starter": software("Starter kit"),
        "addin": software("Add-in for all", context="user"),
        "agent": software(
            "The Agent", configuration="task/agent_settings", parameters={"server": {"type": "text", "required": True}}
        ),
    }
    tasks = {
        "setting": registry_task("setting"),
        "ground": registry_task("ground"),
        "stamp": registry_task("stamp", order="post", place="last", always=True),
        "agent_settings": {
            "parameters": {"server": {"type": "text", "required": True}},
            "file": {"path": "C:\\agent.cfg", "content": "server={{ params.server }}\n"},
        },
        "printer": {
            "parameters": {"queue": {"type": "text", "required": True}},
            "registry": {"key": "HKLM\\SOFTWARE\\E2E\\Printers", "name": "{{ params.queue }}", "value": 1},
        },
    }
    return {
        **{f"tasks/software/{name}/software.yml": one for name, one in library.items()},
        **{f"tasks/maintenance/{name}/task.yml": one for name, one in tasks.items()},
        "playbooks/deployments/all.yml": _deployments(),
        "playbooks/all.yml": [{"name": "all", "hosts": "tenants", "maintenance": "full"}],
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[world.Run, Lab]]:
    """One full run over a computer for each case."""
    computers = [world.spec(name, number, **fields) for number, (name, (fields, _)) in enumerate(CASES.items())]
    more = {name: variables for name, (_, variables) in CASES.items()}
    folder = tmp_path_factory.mktemp("sessions")
    with world.up(folder, computers, _files(), more) as (fleet, lab):
        yield fleet.run("playbooks/all.yml"), lab


def _phases(run: world.Run, computer: str, which: str = "phases") -> list[list[str]]:
    return [list(phase) for phase in run.session(computer)["session"][which]]


def _reboots(lab: Lab, computer: str) -> tuple[int, int]:
    """(asked for by us, done), by the lab's log."""
    asked = [one for one in lab.events("reboot_asked", computer) if not str(one["reason"]).startswith("the installer")]
    return len(asked), len(lab.events("reboot", computer))


def _installed(lab: Lab, computer: str) -> set[str]:
    machine: Any = lab.computers[computer].machine
    return {str(one["name"]) for one in machine.state.software()}


# --- exit codes and reboots -----------------------------------------------------------------------------------

# computer -> (status, outcome of the tool, times its installer began, reboots asked for, reboots done)
EXITS = {
    "soft-automatic": ("passed", ("success", "verified"), 1, 1, 1),
    "soft-skip": ("passed", ("success", "reboot_pending"), 1, 0, 0),
    "hard-automatic": ("passed", ("success", "verified"), 1, 0, 1),
    "busy": ("passed", ("success", "verified"), 3, 0, 0),
    "busy-for-ever": ("failed", ("failed", "retries"), 2, 0, 0),
    "fails": ("partially_passed", ("failed", "exit_code"), 1, 0, 0),
    "liar": ("failed", ("failed", "not_converged"), 1, 0, 0),
    "pending-skip": ("passed", ("success", "verified"), 1, 0, 0),
    "pending-automatic": ("passed", ("success", "verified"), 1, 1, 1),
    "pending-ignored": ("passed", ("success", "verified"), 1, 0, 0),
}


@pytest.mark.parametrize("name", EXITS)
def test_exit_codes_and_pending_reboots_have_the_outcome_of_their_option(ran: Any, name: str) -> None:
    run, lab = ran
    status, outcome, begun, asked, done = EXITS[name]
    assert run.outcomes(name)["software/tool"][1:] == outcome
    assert run.status(name) == status, run.reason(name)
    assert [item for item, _ in world.jobs(lab, name)].count("software/tool") == begun
    assert _reboots(lab, name) == (asked, done)
    assert run.rows[name]["reboots"] == done


def test_verification_catches_an_installer_that_ends_well_and_leaves_nothing(ran: Any) -> None:
    run, lab = ran
    assert [one["exit_code"] for one in lab.events("installer_finished", "liar")] == [0]
    assert _installed(lab, "liar") == set()
    assert "it ended well, but: missing" in run.reason("liar")


def test_a_pending_reboot_is_phase_zero(ran: Any) -> None:
    run, lab = ran
    assert _phases(run, "pending-automatic", "planned_phases") == [[], ["software/tool"]]
    assert _phases(run, "pending-automatic") == [[], ["software/tool"]]
    order = [one["event"] for one in lab.events(None, "pending-automatic")]
    assert order.index("reboot") < order.index("installer_started")


def test_what_needs_the_reboot_after_another_waits_for_it(ran: Any) -> None:
    run, lab = ran
    cut = [["software/driver"], ["software/follower"]]
    assert _phases(run, "driver-automatic", "planned_phases") == cut
    assert _phases(run, "driver-automatic") == cut
    events = [(one["event"], one.get("item")) for one in lab.events(None, "driver-automatic")]
    assert events.index(("installer_finished", "software/driver")) < events.index(("reboot", None))
    assert events.index(("reboot", None)) < events.index(("installer_started", "software/follower"))


def test_without_reboots_what_requires_one_is_skipped_before_it_is_attempted(ran: Any) -> None:
    run, lab = ran
    assert run.outcomes("driver-skip") == {
        "software/driver": ("install", "skipped", "reboots_skipped"),
        "software/follower": ("install", "skipped", "dependency"),
    }
    assert world.jobs(lab, "driver-skip") == []


def test_force_reboots_once_though_nothing_was_to_do(ran: Any) -> None:
    run, lab = ran
    assert run.status("force-nothing") == "passed"
    assert _reboots(lab, "force-nothing") == (1, 1)


def test_the_text_of_a_session_shows_its_phases_and_reboots(ran: Any) -> None:
    run, _ = ran
    shown = run.fleet.immy("sessions", "show", "pending-automatic").out
    assert "phases, planned: nothing | reboot | software/tool" in shown
    assert "reboot 1: pending before execution: windows_update: rebooted" in shown


# --- failures and order ---------------------------------------------------------------------------------------


def test_after_a_failure_dependents_are_skipped_and_the_rest_goes_on(ran: Any) -> None:
    run, _ = ran
    assert {name: one[1:] for name, one in run.outcomes("continue").items()} == {
        "software/first": ("failed", "exit_code"),
        "software/dependent": ("skipped", "dependency"),
        "software/second": ("success", "verified"),
        "task/setting": ("success", "verified"),
        "task/stamp": ("success", "verified"),
    }


def test_on_failure_stop_starts_nothing_more_but_what_always_runs(ran: Any) -> None:
    run, lab = ran
    assert [item for item, _ in world.jobs(lab, "stop")] == ["software/first", "task/stamp"]
    assert {name: one[2] for name, one in run.outcomes("stop").items()} == {
        "software/first": "exit_code",
        "software/dependent": "stopped",
        "software/second": "stopped",
        "task/setting": "stopped",
        "task/stamp": "verified",
    }


@pytest.mark.parametrize("name", ["stop", "continue", "fails", "soft-automatic", "bad-ground"])
def test_a_post_action_that_always_runs_is_the_last_job(ran: Any, name: str) -> None:
    run, lab = ran
    assert world.jobs(lab, name)[-1][0] == "task/stamp"
    assert run.outcomes(name)["task/stamp"][1:] == ("success", "verified")


def test_a_prerequisite_that_fails_spares_the_computer_what_builds_on_it(ran: Any) -> None:
    run, lab = ran
    assert run.outcomes("bad-ground")["software/grounded"][1:] == ("skipped", "dependency")
    assert "software/grounded" not in {item for item, _ in world.jobs(lab, "bad-ground")}


def test_a_configuration_task_runs_right_after_its_software_with_its_parameters(ran: Any) -> None:
    run, lab = ran
    assert [item for item, _ in world.jobs(lab, "agent")] == ["software/agent", "task/agent_settings"]
    machine: Any = lab.computers["agent"].machine
    assert machine.state.file("C:\\agent.cfg")["content"] == "server=backup.acme.example\n"
    assert run.status("agent") == "passed"


# --- who gets what --------------------------------------------------------------------------------------------


def test_onboarding_items_come_while_a_computer_is_set_up_and_only_then(ran: Any) -> None:
    run, lab = ran
    assert [item for item, _ in world.jobs(lab, "onboarding")] == ["software/starter", "task/setting"]
    assert [item for item, _ in world.jobs(lab, "settled")] == ["task/setting"]
    assert set(run.actions("settled")) == {"task/setting"}


def test_an_exception_wins_over_the_tenants_rule_and_the_rest_is_done(ran: Any) -> None:
    run, lab = ran
    assert run.outcomes("exception")["software/tool"] == ("none", "nothing", "ignored")
    assert _installed(lab, "exception") == set()
    assert [item for item, _ in world.jobs(lab, "exception")] == ["task/setting"]


def test_a_tie_fails_its_item_alone_and_names_both_rules(ran: Any) -> None:
    run, lab = ran
    assert run.outcomes("tied")["software/tool"][1:] == ("failed", "conflict")
    assert "both want software/tool" in run.actions("tied")["software/tool"]["message"]
    assert [item for item, _ in world.jobs(lab, "tied")] == ["task/setting"]


def test_one_task_deployed_twice_is_two_actions_with_their_own_parameters(ran: Any) -> None:
    run, lab = ran
    assert set(run.actions("printers")) == {"task/printer#front", "task/printer#back"}
    machine: Any = lab.computers["printers"].machine
    names = dict(machine.state.registry.subkeys("HKLM\\SOFTWARE\\E2E"))["Printers"]
    assert set(names) == {"Front desk", "Back office"}


# computer -> (the outcome of the add-in, as whom its job ran)
USERS = {
    "user-there": (("success", "verified"), ["user:ACME\\ann"]),
    "user-several": (("skipped", "user_context"), []),
    "user-away": (("skipped", "user_context"), []),
    "user-primary": (("success", "verified"), ["user:ACME\\bob"]),
    "user-primary-away": (("skipped", "user_context"), []),
    "user-skip": (("skipped", "user_context"), []),
}


@pytest.mark.parametrize("name", USERS)
def test_what_belongs_to_a_user_runs_as_that_user_and_never_as_somebody_else(ran: Any, name: str) -> None:
    run, lab = ran
    outcome, contexts = USERS[name]
    assert run.outcomes(name)["software/addin"][1:] == outcome
    machine: Any = lab.computers[name].machine
    assert [job.spec["context"] for job in machine.spool.jobs.values()] == contexts


def test_an_excluded_computer_is_not_even_spoken_to(ran: Any) -> None:
    run, lab = ran
    assert run.status("excluded") == "cancelled"
    assert world.operations(lab, "excluded") == []


def test_every_computer_has_a_status_and_the_exit_code_says_that_some_did_not_pass(ran: Any) -> None:
    run, _ = ran
    assert set(run.rows) == set(CASES)
    assert all(row["status"] in ("passed", "partially_passed", "failed", "cancelled") for row in run.rows.values())
    assert all(row["reason"] for row in run.rows.values())
    assert run.done.code == 1
