"""What goes wrong on the wire at one moment never begins an installer beside another, and never ends an action."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs, Trouble

from .fleets import Fleet, fleet, software_files

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
PAGE = b"<html><head><title>Gateway</title></head></html>"

AFTER_SENDING: Mapping[str, dict[str, Any]] = {
    "invalid XML": {"fault": 2150858819},
    "too large": {"fault": 2150858824},
    "access denied": {"fault": 5},
    "resources": {"fault": 1450},
    "unknown": {"fault": 4711},
    "404": {"status": 404, "body": PAGE},
    "407": {"status": 407, "body": PAGE},
    "413": {"status": 413, "body": PAGE},
    "a page": {"status": 200, "body": PAGE},
    "reset": {"reset": True},
}


def names(troubles: Mapping[str, Any]) -> dict[str, str]:
    """Computers by the name of their trouble."""
    return {one: f"pc-{number:02}" for number, one in enumerate(troubles)}


def each_item_once_and_one_after_the_other(one: Fleet, computer: str) -> bool:
    """Whether no installer began while another was at work, and none began twice."""
    under_way, begun = 0, []
    for event in one.lab.events(computer=computer):
        if event["event"] == "installer_started":
            under_way += 1
            begun.append(event["item"])
            assert under_way == 1, f"{computer}: {event['item']} began beside another"
        elif event["event"] == "installer_finished":
            under_way -= 1
    return sorted(map(str, begun)) == ["software/alpha", "software/beta"]


def test_after_job_start_was_sent_no_answer_begins_the_next_installer(tmp_path: Path) -> None:
    computers = names(AFTER_SENDING)
    files = software_files(("alpha", "beta"), ())
    with fleet(tmp_path, list(computers.values()), files, knobs=Knobs(install_seconds=6)) as one:
        for name, computer in computers.items():
            one.lab.trouble(computer, Trouble("Receive", operation="job.start", **AFTER_SENDING[name]))
        one.immy(*RUN, timeout=170)
        assert set(one.statuses().values()) == {"passed"}
        for computer in computers.values():
            assert each_item_once_and_one_after_the_other(one, computer)


AT_THE_START: Mapping[str, dict[str, Any]] = {
    "404": {"status": 404, "body": PAGE},
    "407": {"status": 407, "body": PAGE},
    "413": {"status": 413, "body": PAGE},
    "995": {"fault": 995},
    "1450": {"fault": 1450},
    "GPO": {"fault": 2150859180},
    "unknown": {"fault": 4711},
}


@pytest.mark.parametrize("name", AT_THE_START)
def test_a_refusal_at_the_start_of_any_later_operation_is_asked_again(tmp_path: Path, name: str) -> None:
    computers = [f"pc-{number:02}" for number in range(1, 11)]
    files = software_files(("alpha", "beta"), ("beta",))
    with fleet(tmp_path, computers, files) as one:
        met = [
            one.lab.trouble(computer, Trouble("Command", spared=spared, **AT_THE_START[name]))
            for spared, computer in enumerate(computers, 1)
        ]
        one.immy(*RUN, timeout=170)
        assert set(one.statuses().values()) == {"passed"}
        for computer in computers:
            assert each_item_once_and_one_after_the_other(one, computer)
            assert len(one.lab.events("reboot_asked", computer)) == 1
        # It was met while reading, before jobs, before looking after them, and before the reboot.
        assert [trouble.met for trouble in met][:7] == [1] * 7


def test_a_first_contact_that_fails_for_a_moment_is_repeated_and_not_for_ever(tmp_path: Path) -> None:
    hows: Mapping[str, dict[str, Any]] = {
        "not ready": {"status": 503, "times": 3},
        "crowded": {"fault": 2150859173, "times": 3},
        "resources": {"fault": 1450, "times": 3},
        "reset": {"reset": True, "times": 3},
        "for ever": {"status": 503, "times": 999},
        "a wrong path": {"status": 404, "times": 1},
    }
    computers = names(hows)
    with fleet(tmp_path, list(computers.values()), software_files(("alpha",), ())) as one:
        for name, computer in computers.items():
            one.lab.trouble(computer, Trouble("Create", **hows[name]))
        one.immy(*RUN, expect=1, timeout=170)
        statuses = one.statuses()
    found = {name: statuses[computer] for name, computer in computers.items()}
    assert found == {**dict.fromkeys(hows, "passed"), "for ever": "missed", "a wrong path": "failed"}
