"""Computers that go wrong: each has an outcome with a reason of its own, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import Misbehaviour
from immy_nornir.model.wire import Read
from tests.e2e import world

PENDING = ("windows_update",)
# Only those that are waited for in vain have short time-outs; what has to come in time has the usual ones.
SHORT = {
    "ansible_winrm_operation_timeout_sec": 1,
    "ansible_winrm_read_timeout_sec": 2,
    "ansible_winrm_connection_timeout": 2,
}
BAD_WAYS = {
    # way -> (status, words of the reason)
    "off": ("missed", "opening the connection"),
    "refuse_password": ("failed", "user or password was refused"),
    "imposter": ("failed", "another computer"),
    "garbage": ("failed", "not WS-Management"),
    "cut_off": ("missed", "dropped"),
    "empty": ("failed", "the answer is empty"),
    "corrupt": ("failed", "damaged"),
    "constrained": ("failed", "ConstrainedLanguage"),
    "hang": ("missed", "timeout"),
    "drip": ("missed", "not whole after 8 s"),
    "never_back": ("failed", "did not come back from its reboot within 6 seconds"),
}
GOOD_WAYS = ("noise", "drops", "crowded", "moody", "reboot_twice", "slow_detection")
ALL = {*BAD_WAYS, *GOOD_WAYS, "fine", "nobody"}


def _computers() -> list[Any]:
    reboots = {"never_back", "reboot_twice"}
    return [
        world.spec(
            way,
            number,
            misbehave=(Misbehaviour(way),) if way != "fine" else (),
            pending_reboots=PENDING * (way in reboots),
        )
        for number, way in enumerate((*BAD_WAYS, *GOOD_WAYS, "fine"))
    ]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[world.Run, Lab]]:
    """One full run over computers that misbehave in every way, one that does not, and an address without anybody."""
    computers = _computers()
    more: dict[str, dict[str, Any]] = {one.name: {"immy_options": {"reboot": "automatic"}} for one in computers}
    for way in ("hang", "drip"):
        more[way] |= SHORT
    more["never_back"]["immy_options"] |= {"reboot_timeout_minutes": 0.1}
    imposter = next(one for one in computers if one.name == "imposter")
    more["imposter"]["immy_identity"] = {"uuid": imposter.identity_uuid}
    files: dict[str, object] = {
        "tasks/maintenance/setting/task.yml": world.registry_task("setting"),
        "tasks/maintenance/probe/task.yml": {"test": "test.ps1"},
        "tasks/maintenance/probe/test.ps1": "$true\n",
        "tasks/software/tool/software.yml": world.software("The Tool"),
        "playbooks/deployments/all.yml": [
            {"item": "task/setting", "target": "tenants", "mode": "enforce"},
            {"item": "task/probe", "target": "tenants", "mode": "audit"},
            {"item": "software/tool", "target": "tenants", "state": "latest"},
        ],
        "inventory/nobody.yml": {
            "tenants": {"children": {"acme": {"hosts": {"nobody": {"ansible_host": "127.77.9.9", "ansible_port": 1}}}}}
        },
    }
    with world.up(tmp_path_factory.mktemp("wrong"), computers, files, more) as (fleet, lab):
        yield fleet.run("--on", "tenants", "--type", "full"), lab


@pytest.mark.parametrize("way", BAD_WAYS)
def test_a_computer_that_goes_wrong_ends_with_its_own_reason(ran: Any, way: str) -> None:
    run, _ = ran
    status, words = BAD_WAYS[way]
    assert run.status(way) == status, run.reason(way)
    assert words in run.reason(way)


def test_an_address_where_nobody_listens_is_missed(ran: Any) -> None:
    run, _ = ran
    assert run.status("nobody") == "missed"
    assert "unreachable" in run.reason("nobody")


@pytest.mark.parametrize("way", [*GOOD_WAYS, "fine"])
def test_the_others_go_on_and_what_only_disturbs_changes_nothing(ran: Any, way: str) -> None:
    run, lab = ran
    assert run.status(way) == "passed", run.reason(way)
    assert sorted(world.jobs(lab, way)) == [("software/tool", ""), ("task/setting", "")]


def test_every_computer_has_one_session_with_one_status(ran: Any) -> None:
    run, _ = ran
    assert set(run.rows) == ALL
    assert len(run.done.json["sessions"]) == len(ALL)
    assert run.done.code == 1


@pytest.mark.parametrize("way", [way for way in BAD_WAYS if way != "never_back"])
def test_no_job_reaches_a_computer_that_is_not_as_it_should_be(ran: Any, way: str) -> None:
    _, lab = ran
    assert world.jobs(lab, way) == []
    assert {one["op"] for one in world.operations(lab, way)} <= set(Read)


def test_another_computer_than_the_pinned_one_is_asked_for_nothing_but_its_name(ran: Any) -> None:
    _, lab = ran
    assert {one["op"] for one in world.operations(lab, "imposter")} == {"identity"}


def test_a_computer_that_rebooted_twice_did_its_work_once_and_after_it_was_asked_once(ran: Any) -> None:
    run, lab = ran
    assert len(lab.events("reboot_asked", "reboot_twice")) == 1
    assert len(lab.events("reboot", "reboot_twice")) == 2
    assert run.rows["reboot_twice"]["reboots"] == 1


def test_work_that_a_lost_computer_owes_is_named(ran: Any) -> None:
    run, _ = ran
    outcomes = run.outcomes("never_back")
    assert outcomes["task/setting"][1:] == ("skipped", "reboot_failed")
    assert outcomes["software/tool"][1:] == ("skipped", "reboot_failed")
