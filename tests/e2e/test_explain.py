"""`immy explain`: every candidate, who won and why the others lost, and where every value came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from immy_nornir.lab.lab import Lab
from tests.e2e import world

DEPLOYMENTS = """\
- item: task/paint
  target: tenants
  params: {colour: red}
- item: task/paint
  target: acme
  priority: 5
  params: {colour: "{{ favourite }}"}
- item: task/paint
  target: acme
- item: task/paint
  target: pc1
  where: facts.platform == 'linux'
- item: task/paint
  target: pc1
  enforcement: optional
- item: task/paint
  target: pc2
  mode: audit
- item: task/paint
  target: pc1
  enforcement: onboarding
- item: software/tied
  target: tenants
  state: "1.0"
- item: software/tied
  target: "pc*"
  state: "2.0"
- item: software/needy
  target: pc1
  state: latest
"""
FILE = "playbooks/deployments/all.yml"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[world.Fleet, Lab]]:
    """Two computers with deployments of every scope; one of the two has been seen."""
    computers = [world.spec("pc1", 1, chassis="desktop"), world.spec("pc2", 2, chassis="laptop")]
    parameters = {"colour": {"type": "text", "default": "white"}, "coats": {"type": "number", "default": 2}}
    files: dict[str, object] = {
        "tasks/maintenance/paint/task.yml": world.registry_task("paint", parameters=parameters),
        "tasks/software/tied/software.yml": world.software("The Tied"),
        "tasks/software/needy/software.yml": world.software("The Needy", prerequisites=["software/ground"]),
        "tasks/software/ground/software.yml": world.software("The Ground"),
        "tasks/software/lonely/software.yml": world.software("The Lonely"),
        FILE: DEPLOYMENTS,
        "inventory/group_vars/acme.yml": "favourite: blue\nimmy_options:\n  max_reboots: 2\n",
        "playbooks/weekly.yml": "- name: weekly\n  hosts: tenants\n  options:\n    reboot: automatic\n",
    }
    with world.up(tmp_path_factory.mktemp("explain"), computers, files) as (fleet, lab):
        yield fleet, lab


def _explained(fleet: world.Fleet, *arguments: str) -> Any:
    done = fleet.immy("explain", *arguments, "--format", "json")
    assert done.code == 2 or done.out, done
    return done.json


# The files hold a tie, which lint and run refuse; explain is what one looks at then, so it has to answer all the same.
def test_a_tie_is_explained_with_both_places(here: Any) -> None:
    document = _explained(here[0], "pc1", "software/tied")
    (choice,) = document["instances"]
    assert choice["winner"] is None
    assert f"{FILE}:22:3" in choice["error"]
    assert f"{FILE}:25:3" in choice["error"]


def test_every_candidate_has_a_reason(here: Any) -> None:
    document = _explained(here[0], "pc1", "paint")
    (choice,) = document["instances"]
    assert choice["winner"]["place"] == f"{FILE}:4:3"
    lost = {one["place"].split(":")[1]: one["why"] for one in choice["lost"]}
    assert "scope tenant beats all" in lost["1"]
    assert "priority 5 beats 0" in lost["8"]
    assert "facts.platform" in lost["10"]
    assert "--item" in lost["13"]
    assert "immy_onboarding" in lost["19"]
    assert [one["place"] for one in document["elsewhere"]] == [f"{FILE}:16:3"]


def test_parameters_and_options_come_with_their_origin(here: Any) -> None:
    document = _explained(
        here[0], "pc1", "paint", "--play", str(here[0].root / "playbooks/weekly.yml"), "-o", "window=22:30"
    )
    (desire,) = document["desires"]
    assert desire["params"] == {
        "colour": {"value": "blue", "origin": f"{FILE}:7:20"},
        "coats": {"value": 2, "origin": "default, tasks/maintenance/paint/task.yml:11:5"},
    }
    options = document["options"]["weekly"]
    assert options["reboot"] == {"value": "automatic", "origin": "play, playbooks/weekly.yml:4:13"}
    assert options["max_reboots"]["value"] == 2
    assert options["max_reboots"]["origin"].startswith("variable immy_options, inventory/group_vars/acme.yml:2")
    assert options["window"] == {"value": "22:30", "origin": "command line"}
    assert options["offline"] == {"value": "skip", "origin": "default"}


def test_a_variable_of_the_command_line_is_used(here: Any) -> None:
    document = _explained(here[0], "pc1", "paint", "-e", "favourite=green")
    assert document["desires"][0]["params"]["colour"]["value"] == "green"


def test_what_another_item_asks_for_is_said(here: Any) -> None:
    document = _explained(here[0], "pc1", "ground")
    assert document["instances"] == []
    assert document["desires"][0]["requested_by"] == ["prerequisite of software/needy"]
    assert "no deployment names it" in here[0].immy("explain", "pc1", "lonely").out


def test_the_text_names_the_winner_and_every_loser(here: Any) -> None:
    text = here[0].immy("explain", "pc1", "paint").out
    assert f"winner: {FILE}:4:3: enforce for acme (scope tenant, priority 5)" in text
    assert text.count("lost: ") == 5
    assert f"not here: {FILE}:16:3" in text
    assert f"colour = blue  ({FILE}:7:20)" in text
    assert "never seen" in text
