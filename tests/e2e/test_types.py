"""Maintenance types: which actions each one does, shows and does not look at; judged by the lab's log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from immy_nornir.lab.lab import Lab
from tests.e2e import types_world, world

pytestmark = pytest.mark.slow

TYPES = ("full", "resolution", "detection", "inventory", "updates")
DONE, LEFT, NOTHING = ("success", "verified"), ("left", "not_this_type"), ("nothing", "already_so")
IGNORED, NOT_COMPLIANT, VALUE = ("nothing", "ignored"), ("not_compliant", "audit"), ("nothing", "monitor")
UNNEEDED = ("nothing", "already_so")

# item -> (type of action as it is found, outcome in full, resolution, detection, updates)
TABLE: dict[str, tuple[str, Any, Any, Any, Any]] = {
    "software/missing": ("install", DONE, DONE, LEFT, LEFT),
    "software/needy": ("install", DONE, DONE, LEFT, LEFT),
    "software/base": ("install", DONE, DONE, LEFT, UNNEEDED),
    "task/groundwork": ("enforce", DONE, DONE, LEFT, UNNEEDED),
    "software/old": ("update", DONE, DONE, LEFT, DONE),
    "software/newer": ("downgrade", DONE, LEFT, LEFT, LEFT),
    "software/unwanted": ("uninstall", DONE, LEFT, LEFT, LEFT),
    "software/broken": ("repair", DONE, LEFT, LEFT, LEFT),
    "software/shaky": ("reinstall", DONE, LEFT, LEFT, LEFT),
    "software/fine": ("none", NOTHING, NOTHING, NOTHING, NOTHING),
    "software/maybe": ("none", NOTHING, NOTHING, NOTHING, NOTHING),
    "software/unloved": ("none", IGNORED, IGNORED, IGNORED, IGNORED),
    "task/setting": ("enforce", DONE, LEFT, LEFT, LEFT),
    "task/scripted": ("enforce", DONE, LEFT, LEFT, LEFT),
    "task/calm": ("none", NOTHING, LEFT, NOTHING, NOTHING),
    "task/audited": ("audit", NOT_COMPLIANT, LEFT, NOT_COMPLIANT, NOT_COMPLIANT),
    "task/watch": ("monitor", VALUE, LEFT, VALUE, LEFT),
    "task/last_words": ("enforce", DONE, LEFT, LEFT, LEFT),
}
ITEMS_OF_FULL = {item for item, row in TABLE.items() if row[1] == DONE}
ITEMS_OF_RESOLUTION = {item for item, row in TABLE.items() if row[2] == DONE}


@pytest.fixture(scope="module")
def here(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[world.Fleet, Lab, dict[str, world.Run], dict[str, tuple[str, str]]]]:
    """One computer a type, each maintained once by its type, with its state before and after."""
    names = [*TYPES, "asked"]
    computers = [types_world.computer(name, number) for number, name in enumerate(names)]
    runs, states = {}, {}
    with world.up(tmp_path_factory.mktemp("types"), computers, types_world.files()) as (fleet, lab):
        for name in TYPES:
            before = world.snapshot(lab, name)
            runs[name] = fleet.run("--on", name, "--type", name)
            states[name] = before, world.snapshot(lab, name)
        yield fleet, lab, runs, states


@pytest.mark.parametrize("item", TABLE)
@pytest.mark.parametrize(("kind", "column"), [("full", 1), ("resolution", 2), ("detection", 3), ("updates", 4)])
def test_each_type_does_shows_and_leaves_what_its_table_says(here: Any, kind: str, column: int, item: str) -> None:
    action = here[2][kind].actions(kind)[item]
    assert (action["outcome"], action["outcome_reason"]) == TABLE[item][column], action
    if not (action["type"] == "undetermined" and kind == "resolution") and TABLE[item][column] != UNNEEDED:
        assert action["type"] == TABLE[item][0], action


def test_every_item_of_the_deployments_is_in_every_plan(here: Any) -> None:
    for kind in ("full", "resolution", "detection", "updates"):
        assert set(here[2][kind].actions(kind)) == set(TABLE), kind


def test_the_lab_saw_exactly_the_jobs_that_the_record_says(here: Any) -> None:
    _, lab, _, _ = here
    did = {kind: {item for item, _ in world.jobs(lab, kind)} for kind in TYPES}
    assert did == {
        "full": ITEMS_OF_FULL,
        "resolution": ITEMS_OF_RESOLUTION,
        "detection": set(),
        "inventory": set(),
        "updates": {"software/old"},
    }


def test_resolution_asks_the_computer_less_than_full_and_runs_no_script_of_other_tasks(here: Any) -> None:
    _, lab, _, _ = here
    counted = {kind: len(world.operations(lab, kind)) for kind in TYPES}
    assert counted["inventory"] < counted["detection"] < counted["resolution"] < counted["full"]
    scripts = {str(one["item"]) for one in world.operations(lab, "resolution") if one["op"] == "script"}
    assert scripts <= {"software/broken", "software/shaky"}
    purposes = {str(one["purpose"]) for one in world.operations(lab, "inventory") if one["op"] == "script"}
    assert purposes == {"inventory"}


@pytest.mark.parametrize("kind", ["detection", "inventory"])
def test_a_computer_is_the_same_after_looking(here: Any, kind: str) -> None:
    before, after = here[3][kind]
    assert before == after
    assert here[2][kind].status(kind) == "passed"


def test_full_brings_everything_to_its_desired_state_and_a_second_run_does_nothing(here: Any) -> None:
    fleet, lab, runs, _ = here
    assert runs["full"].status("full") == "passed", runs["full"].reason("full")
    begun = len(world.jobs(lab, "full"))
    again = fleet.run("--on", "full")
    assert again.status("full") == "passed"
    assert {one["outcome"] for one in again.actions("full").values()} <= {"nothing", "not_compliant", "success"}
    assert len(world.jobs(lab, "full")) == begun


def test_one_item_is_done_with_its_prerequisites_and_nothing_else(here: Any) -> None:
    fleet, lab, _, _ = here
    run = fleet.run("--on", "asked", "--type", "full", "--item", "needy")
    assert run.status("asked") == "passed"
    assert [item for item, _ in world.jobs(lab, "asked")] == ["software/base", "task/groundwork", "software/needy"]
    assert set(run.actions("asked")) == {"software/base", "task/groundwork", "software/needy"}


def test_check_stops_after_the_plan_and_says_that_changes_are_pending(here: Any) -> None:
    fleet, lab, _, _ = here
    begun = len(world.jobs(lab, "asked"))
    done = fleet.immy("run", "--on", "asked", "--check", "--format", "json", "--no-report")
    assert done.code == 4, done
    assert len(world.jobs(lab, "asked")) == begun


@pytest.mark.parametrize(
    ("brake", "words"),
    [
        (("--max-changes", "3"), "--max-changes is 3"),
        (("--reboot", "force", "--max-reboots", "0"), "--max-reboots is 0"),
    ],
)
def test_a_run_that_may_do_more_than_a_brake_allows_is_refused(here: Any, brake: tuple[str, ...], words: str) -> None:
    fleet, lab, _, _ = here
    begun = len(world.jobs(lab, "asked"))
    done = fleet.immy("run", "--on", "asked", "--yes", *brake)
    assert done.code == 2
    assert words in done.err
    assert len(world.jobs(lab, "asked")) == begun


def test_a_frozen_fleet_is_only_looked_at(here: Any) -> None:
    fleet, lab, _, _ = here
    begun = len(world.jobs(lab, "asked"))
    freeze = fleet.write("FREEZE", "year's end\n")
    try:
        done = fleet.immy("run", "--on", "asked", "--yes")
        assert (done.code, "frozen" in done.err, "year's end" in done.err) == (2, True, True)
        assert fleet.immy("run", "--on", "asked", "--check", "--no-report").code == 4
    finally:
        freeze.unlink()
    assert len(world.jobs(lab, "asked")) == begun
