"""Variables of computers, plays and the command line: brakes hold in any spelling, and `-e` stands over all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from immy_nornir.lab.lab import Lab
from tests.e2e import world

pytestmark = pytest.mark.slow

FILES: dict[str, object] = {
    "tasks/software/tool/software.yml": world.software("The Tool"),
    "tasks/maintenance/plan/task.yml": {
        "parameters": {"plan": {"type": "select", "choices": ["a", "b"]}, "count": {"type": "number"}},
        "registry": {"key": r"HKLM\SOFTWARE\Acme", "name": "Plan", "value": "{{ params.plan }}-{{ params.count }}"},
    },
    "playbooks/deployments/all.yml": [
        {"item": "software/tool", "target": "tenants", "state": "latest"},
        {
            "item": "task/plan",
            "target": "fitted",
            "mode": "enforce",
            "params": {"plan": "{{ x }}", "count": "{{ n }}"},
        },
    ],
}
COMPUTERS = [world.spec(name, number) for number, name in enumerate(("plain", "yes", "templated", "moved", "fitted"))]
MORE: dict[str, dict[str, Any]] = {
    "yes": {"immy_excluded": "yes"},
    "templated": {"immy_options": {"reboot": "{{ how }}"}, "how": "force"},
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[world.Fleet, Lab]]:
    with world.up(tmp_path_factory.mktemp("own"), COMPUTERS, FILES, MORE) as up:
        yield up


def test_a_brake_holds_in_any_spelling(here: tuple[world.Fleet, Lab]) -> None:
    fleet, lab = here
    assert fleet.run("--on", "yes", "--type", "full").status("yes") == "cancelled"
    run = fleet.run("--on", "plain", "--type", "full", "-e", "immy_excluded=true")
    assert run.status("plain") == "cancelled"
    assert world.operations(lab, "yes") == world.operations(lab, "plain") == []


def test_templates_of_brakes_know_the_computers_name(here: tuple[world.Fleet, Lab]) -> None:
    fleet, _ = here
    excluded = "{{ inventory_hostname == 'plain' }}"
    pin = "{{ uuids[inventory_hostname] }}"
    hosts = {
        "plain": {"immy_excluded": excluded},
        "moved": {"immy_excluded": excluded, "immy_identity": pin, "uuids": {"moved": COMPUTERS[3].identity_uuid}},
        "fitted": {"immy_identity": pin, "uuids": {}},
    }
    path = fleet.write("inventory/zz.yml", {"tenants": {"children": {"acme": {"hosts": hosts}}}})
    try:
        run = fleet.run("--on", "plain,moved,fitted", "--type", "detection")
    finally:
        path.unlink()
    assert (run.status("plain"), run.status("moved"), run.status("fitted")) == ("cancelled", "passed", "failed")
    assert "immy_identity, which cannot be read" in run.reason("fitted")


@pytest.mark.parametrize(
    "given", ["ansible_ssh_private_key_file=/x", "token_ttl=5", "db_password={{ other }}", "note=secret:x", "password="]
)
def test_what_is_no_secret_is_a_variable(here: tuple[world.Fleet, Lab], given: str) -> None:
    fleet, _ = here
    assert fleet.immy("explain", "plain", "software/tool", "-e", given).code == 0


def test_options_of_a_computer_may_be_templates(here: tuple[world.Fleet, Lab]) -> None:
    fleet, lab = here
    assert fleet.run("--on", "templated", "--type", "full").status("templated") == "passed"
    assert len(lab.events("reboot", "templated")) == 1


def test_extra_variables_reach_connections(here: tuple[world.Fleet, Lab]) -> None:
    fleet, _ = here
    run = fleet.run("--on", "moved", "--type", "detection", "-e", "ansible_port=1")
    assert run.status("moved") == "missed"
    assert "unreachable" in run.reason("moved")
    fleet.variables["IMMY_E2E_OTHER"] = "not the password"
    wrong = fleet.run("--on", "moved", "--type", "detection", "-e", "ansible_password=secret: env:IMMY_E2E_OTHER")
    assert wrong.status("moved") == "failed"
    assert "refused" in wrong.reason("moved")


@pytest.mark.parametrize(
    ("value", "outcome"),
    [("b", "success"), ("zzz", "failed")],
)
def test_what_a_template_becomes_must_fit_its_parameter(
    here: tuple[world.Fleet, Lab], value: str, outcome: str
) -> None:
    fleet, lab = here
    run = fleet.run("--on", "fitted", "--type", "full", "--item", "task/plan", "-e", f"x={value}", "-e", "n=3")
    action = run.actions("fitted")["task/plan"]
    assert action["outcome"] == outcome, action
    if outcome == "failed":
        assert "the choices are a, b" in action["message"] + action["why"]
    assert len(world.jobs(lab, "fitted")) == 1


def test_a_secret_in_clear_on_the_command_line_is_refused(here: tuple[world.Fleet, Lab]) -> None:
    fleet, _ = here
    done = fleet.immy("run", "--on", "moved", "--type", "detection", "-e", "ansible_password=hunter2")
    assert done.code == 2
    assert "secret: env:NAME" in done.err
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"immy_excluded": "yess"}, "neither yes nor no"),
        ({"immy_identity": {"nme": "x"}}, "immy_identity knows no 'nme'"),
    ],
)
def test_lint_says_what_no_brake_can_be_read_from(here: tuple[world.Fleet, Lab], variables: Any, problem: str) -> None:
    fleet, _ = here
    path = fleet.write("inventory/zz.yml", {"tenants": {"children": {"acme": {"hosts": {"plain": variables}}}}})
    try:
        done = fleet.immy("lint")
        assert (done.code, problem in done.out + done.err) == (2, True), done
        assert fleet.immy("run", "--on", "plain", "--type", "full", "--yes").code == 2
    finally:
        path.unlink()
