"""Which deployment wins, and why every other one lost."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.resolve.winning_deployments import Asked, Choice, Targets, choose
from immy_nornir.model.deployments import Deployment, Enforcement
from immy_nornir.model.inventory import Computer
from immy_nornir.model.playbooks import Fleet
from tests.decide.builders import ALL, COMPUTER, TENANT, deployment, inventory

ITEM = "software/firefox"
KEY = (ITEM, "")


def choice(*rules: Deployment, facts: dict[str, Any] | None = None, asked: Asked | None = None) -> Choice:
    """What is chosen on PC1 among rules about Firefox."""
    fleet = Fleet(".", inventory("pc1", "pc2", acme=["pc1"]), deployments=rules)
    computer = Computer("pc1", variables={"role": "desk"})
    return choose(Targets.of(fleet).of_computer("pc1"), computer, facts or {}, asked or Asked())[KEY]


def rule(line: int, wants: str = "latest", **more: Any) -> Deployment:
    return deployment(ITEM, wants, line, **more)


ONBOARDING, ADHOC, OPTIONAL = Enforcement.ONBOARDING, Enforcement.ADHOC, Enforcement.OPTIONAL
NAMED = Asked((ITEM,), by_name=True)

WINS: list[tuple[str, list[Deployment], dict[str, Any], Asked | None, int, dict[int, str]]] = [
    ("the only one wins", [rule(1)], {}, None, 1, {}),
    ("computer beats tenant and all", [rule(1, scope=ALL), rule(2, scope=COMPUTER), rule(3, scope=TENANT)], {}, None,
     2, {1: "scope computer beats all", 3: "scope computer beats tenant"}),
    ("tenant beats all", [rule(1, scope=ALL), rule(2, scope=TENANT)], {}, None, 2, {1: "scope tenant beats all"}),
    ("a narrower scope beats any priority", [rule(1, scope=ALL, priority=99), rule(2, scope=TENANT, priority=-1)],
     {}, None, 2, {1: "scope tenant beats all"}),
    ("the higher priority wins inside a scope", [rule(1, priority=1), rule(2, priority=2)], {}, None,
     2, {1: "priority 2 beats 1"}),
    ("ignored wins like any other", [rule(1, "ignored", scope=COMPUTER), rule(2)], {}, None,
     1, {2: "scope computer beats all"}),
    ("a condition that holds counts", [rule(1, where="facts.chassis == 'laptop'", priority=1), rule(2)],
     {"chassis": "laptop"}, None, 1, {2: "priority 1 beats 0"}),
    ("a condition that does not hold loses", [rule(1, where="facts.chassis == 'laptop'", priority=1), rule(2)],
     {"chassis": "tower"}, None, 2, {1: "its condition does not hold: facts.chassis == 'laptop'"}),
    ("an unknown fact of a weaker one changes nothing",
     [rule(1, where="facts.chassis == 'laptop'"), rule(2, priority=1)], {}, None, 2, {1: "priority 1 beats 0"}),
    ("a condition reads variables", [rule(1, where="role == 'desk'", priority=1), rule(2)], {}, None,
     1, {2: "priority 1 beats 0"}),
    ("a condition that cannot be read changes nothing where it is weaker", [rule(1, where="(("), rule(2, priority=1)],
     {}, None, 2, {1: "priority 1 beats 0"}),
    ("onboarding counts while onboarding", [rule(1, priority=1, enforcement=ONBOARDING), rule(2)], {},
     Asked(onboarding=True), 1, {2: "priority 1 beats 0"}),
    ("onboarding does not count afterwards", [rule(1, priority=1, enforcement=ONBOARDING), rule(2)], {}, None,
     2, {1: "it counts only in onboarding"}),
    ("ad hoc does not count unasked", [rule(1, priority=1, enforcement=ADHOC), rule(2)], {}, None, 2, {1: "--item"}),
    ("ad hoc counts by name", [rule(1, priority=1, enforcement=ADHOC), rule(2)], {}, NAMED,
     1, {2: "priority 1 beats 0"}),
    ("optional does not count unasked", [rule(1, priority=1, enforcement=OPTIONAL), rule(2)], {}, None,
     2, {1: "--item"}),
    ("optional does not count where another is named, as a preflight is chosen then too",
     [rule(1, priority=1, enforcement=OPTIONAL, preflight=True), rule(2, preflight=True)], {},
     Asked(("software/another",), by_name=True), 2, {1: "--item"}),
    ("optional counts by name", [rule(1, priority=1, enforcement=OPTIONAL), rule(2)], {}, NAMED,
     1, {2: "priority 1 beats 0"}),
    ("a play that selects items does not name them", [rule(1, priority=1, enforcement=OPTIONAL), rule(2)], {},
     Asked(("software/*",)), 2, {1: "--item"}),
    ("a target that names others is no candidate", [rule(1, scope=COMPUTER, target="pc2"), rule(2)], {}, None, 2, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "facts", "asked", "winner", "lost"), [row[1:] for row in WINS], ids=[row[0] for row in WINS]
)
def test_winner(
    rules: list[Deployment], facts: dict[str, Any], asked: Asked | None, winner: int, lost: dict[int, str]
) -> None:
    got = choice(*rules, facts=facts, asked=asked)
    assert got.winner is not None
    assert got.winner.place.line == winner
    assert not got.error
    reasons = {one.deployment.place.line: one.why for one in got.lost}
    assert reasons.keys() == lost.keys()
    for line, why in lost.items():
        assert why in reasons[line]


LAPTOP = "facts.chassis == 'laptop'"
UNKNOWN: list[tuple[str, list[Deployment], list[int], list[int]]] = [
    ("an exception by a narrower scope", [rule(1, "absent", where=LAPTOP, scope=COMPUTER), rule(2)], [1, 2], []),
    ("an exception by priority", [rule(1, "absent", where=LAPTOP, priority=1), rule(2)], [1, 2], []),
    ("one that may tie", [rule(1, "absent", where=LAPTOP), rule(2)], [1, 2], []),
    ("the only one", [rule(1, where=LAPTOP)], [1], []),
    ("two, and nothing else", [rule(1, where=LAPTOP, priority=1), rule(2, where="facts.tpm")], [1, 2], []),
    ("what a known one beats does not count", [rule(1, where=LAPTOP, priority=2), rule(2, priority=1), rule(3)],
     [1, 2], [3]),
    ("a tie that a stronger one may end", [rule(1, where=LAPTOP, priority=2), rule(2), rule(3)], [1, 2, 3], []),
    ("not asked for", [rule(1, where=LAPTOP), rule(2, enforcement=ADHOC, priority=1)], [1], [2]),
    ("a variable that nobody set", [rule(1, where="nowhere == 1", priority=1), rule(2)], [1, 2], []),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "undecided", "lost"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_a_condition_that_is_not_known_and_could_change_the_winner(
    rules: list[Deployment], undecided: list[int], lost: list[int]
) -> None:
    got = choice(*rules)
    assert got.winner is None
    assert not got.error
    assert "not known" in got.unknown
    assert [one.deployment.place.line for one in got.undecided] == undecided
    assert all(f"deployments.yml:{line}:" in got.unknown for line in undecided)
    assert all(one.why for one in (*got.undecided, *got.lost))
    assert [one.deployment.place.line for one in got.lost] == lost


def test_a_tie_stays_a_tie_whoever_joins_it() -> None:
    got = choice(rule(1), rule(2, "absent"), rule(3, where=LAPTOP))
    assert "deployments.yml:1" in got.error
    assert not got.unknown


@pytest.mark.parametrize("where", ["((", "facts.chassis > 3"])
def test_a_condition_that_cannot_be_read_and_could_change_the_winner_is_an_error(where: str) -> None:
    got = choice(rule(1, "absent", where=where, priority=1), rule(2), facts={"chassis": "laptop"})
    assert got.winner is None
    assert "deployments.yml:1" in got.error
    assert sorted(one.deployment.place.line for one in got.lost) == [1, 2]


def test_nobody_wins_when_all_lose_with_a_reason_each() -> None:
    got = choice(rule(1, where="false"), rule(2, enforcement=ADHOC))
    assert got.winner is None
    assert not got.error
    assert sorted(one.deployment.place.line for one in got.lost) == [1, 2]
    assert all(one.why for one in got.lost)


@pytest.mark.parametrize("priority", [0, 7])
def test_a_tie_takes_neither_and_names_both(priority: int) -> None:
    got = choice(rule(1, priority=priority), rule(2, "absent", priority=priority), rule(3, priority=-1))
    assert got.winner is None
    assert "deployments.yml:1" in got.error
    assert "deployments.yml:2" in got.error
    assert {one.deployment.place.line: bool(one.why) for one in got.lost} == {1: True, 2: True, 3: True}


def test_a_tie_of_three_names_all() -> None:
    got = choice(rule(1), rule(2), rule(3))
    assert all(f"deployments.yml:{line}:" in got.error for line in (1, 2, 3))
    assert len(got.lost) == 3


def test_a_tie_that_a_narrower_one_decides_is_no_tie() -> None:
    got = choice(rule(1), rule(2), rule(3, scope=COMPUTER))
    assert got.winner is not None
    assert got.winner.place.line == 3
    assert not got.error


def test_a_condition_that_does_not_hold_unties() -> None:
    got = choice(rule(1, where="role == 'server'"), rule(2))
    assert got.winner is not None
    assert got.winner.place.line == 2


def test_instances_of_one_task_are_decided_apart() -> None:
    rules = (
        deployment("task/printer", "enforce", 1, instance="a"),
        deployment("task/printer", "ignored", 2, instance="a", scope=COMPUTER),
        deployment("task/printer", "audit", 3, instance="b"),
    )
    fleet = Fleet(".", inventory("pc1"), deployments=rules)
    got = choose(Targets.of(fleet).of_computer("pc1"), Computer("pc1"), {}, Asked())
    assert {key: one.winner.place.line for key, one in got.items() if one.winner} == {
        ("task/printer", "a"): 2,
        ("task/printer", "b"): 3,
    }


def test_one_items_tie_leaves_the_others_alone() -> None:
    rules = (rule(1), rule(2), deployment("software/zip", "latest", 3))
    fleet = Fleet(".", inventory("pc1"), deployments=rules)
    got = choose(Targets.of(fleet).of_computer("pc1"), Computer("pc1"), {}, Asked())
    assert got[KEY].error
    assert got["software/zip", ""].winner is not None


@pytest.mark.parametrize(
    ("globs", "chosen"),
    [
        ((), True),
        (("software/firefox",), True),
        (("firefox",), True),
        (("software/*",), True),
        (("task/*", "fire*"), True),
        (("task/*",), False),
        (("fire",), False),
    ],
    ids=lambda value: ",".join(value) or "all" if isinstance(value, tuple) else "",
)
def test_globs_select_items_by_reference_or_name(globs: tuple[str, ...], chosen: bool) -> None:
    fleet = Fleet(".", inventory("pc1"), deployments=(rule(1),))
    got = choose(Targets.of(fleet).of_computer("pc1"), Computer("pc1"), {}, Asked(globs))
    assert (KEY in got) is chosen


def test_the_decision_says_which_facts_it_read() -> None:
    got = choice(rule(1, where="facts.chassis == 'laptop'"), facts={"chassis": "laptop"})
    assert got.reads == {"facts.chassis"}


def test_variables_of_the_play_stand_over_those_of_the_computer() -> None:
    fleet = Fleet(".", inventory("pc1"), deployments=(rule(1, where="role == 'server'"),))
    candidates = Targets.of(fleet).of_computer("pc1")
    got = choose(candidates, Computer("pc1", variables={"role": "desk"}), {}, Asked(), {"role": "server"})
    assert got[KEY].winner is not None


def test_a_target_that_names_nothing_is_nobodys_candidate() -> None:
    fleet = Fleet(".", inventory("pc1"), deployments=(rule(1, target="nobody"), rule(2)))
    got = choose(Targets.of(fleet).of_computer("pc1"), Computer("pc1"), {}, Asked())
    winner = got[KEY].winner
    assert winner is not None
    assert winner.place.line == 2
