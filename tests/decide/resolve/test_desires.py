"""What the winners ask for: definitions, parameters, requirements, prerequisites and configuration tasks."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.resolve.desires import desires_of, parse_state, wants_presence
from immy_nornir.decide.resolve.winning_deployments import Choice
from immy_nornir.model.deployments import Deployment, Desired, StateKind, TaskMode
from immy_nornir.model.facts import Identity
from immy_nornir.model.inventory import Sourced
from immy_nornir.model.items import Item, Parameter, Platform, Requirements
from immy_nornir.model.places import Place
from immy_nornir.model.plan import Desire
from immy_nornir.model.values import SecretRef
from tests.decide.builders import (
    configuration_of,
    deployment,
    desire,
    identity,
    library,
    prerequisite_of,
    software,
    task,
)


def desires(
    *rules: Deployment,
    items: list[Item],
    who: Identity | None = None,
    variables: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> dict[str, Desire]:
    choices = {one.key: Choice(*one.key, one) for one in rules}
    found, _ = desires_of(
        choices, library(*items), who or identity(), facts or {}, variables or {}, lambda one: one.reference
    )
    return {one.id: one for one in found}


@pytest.mark.parametrize(
    ("text", "kind", "version"),
    [
        ("latest", StateKind.LATEST, None),
        ("installed", StateKind.INSTALLED, None),
        ("update_if_found", StateKind.UPDATE_IF_FOUND, None),
        ("absent", StateKind.ABSENT, None),
        ("ignored", StateKind.IGNORED, None),
        ("24.08", StateKind.EXACT, "24.08"),
        (">=24.08", StateKind.AT_LEAST, "24.08"),
        ("<= 24.08", StateKind.AT_MOST, "24.08"),
    ],
)
def test_states_as_operators_write_them(text: str, kind: StateKind, version: str | None) -> None:
    assert parse_state(text) == Desired(kind, version)


@pytest.mark.parametrize(
    ("variables", "state", "expected"),
    [
        ({"tenant_key": SecretRef("env:KEY")}, "latest", ({"tenant_key": SecretRef("env:KEY")}, "")),
        ({}, "latest", ({}, "it needs a licence, and no parameter or variable 'tenant_key' holds one")),
        ({}, "absent", ({}, "")),
    ],
    ids=["from a variable", "without one it fails alone", "nobody needs one to remove it"],
)
def test_a_licence_is_a_parameter_of_its_software(
    variables: dict[str, Any], state: str, expected: tuple[dict[str, Any], str]
) -> None:
    item = software("a", license="tenant_key")
    made = desires(deployment("software/a", state), items=[item], variables=variables)
    assert (dict(made["software/a"].params), made["software/a"].error) == expected


def test_a_desire_carries_its_deployment_and_definition() -> None:
    one = desires(deployment("software/a", "2.0", 7, priority=3), items=[software("a")])["software/a"]
    assert (one.deployment, one.definition, one.priority) == ("deployments.yml:7", "software/a", 3)
    assert str(one.desired) == "2.0"


def test_what_the_library_does_not_know_is_an_error_of_that_item_alone() -> None:
    got = desires(deployment("software/a"), deployment("software/b"), items=[software("b")])
    assert "no software/a in the library" in got["software/a"].error
    assert not got["software/b"].error


def test_an_item_for_another_platform_is_not_applicable() -> None:
    got = desires(deployment("software/a"), items=[software("a", platform=Platform.LINUX)])
    assert got["software/a"].not_applicable == "software/a is not for windows"
    assert not got["software/a"].error


NEEDS: list[tuple[str, Requirements, dict[str, Any], str]] = [
    ("nothing", Requirements(), {}, ""),
    ("the right architecture", Requirements(architectures=("x64",)), {"architecture": "x64"}, ""),
    ("another architecture", Requirements(architectures=("x64", "x86")), {"architecture": "arm64"}, "x64 or x86"),
    ("new enough", Requirements(minimum_os="10.0.19041"), {"version": "10.0.22631"}, ""),
    ("too old", Requirements(minimum_os="10.0.19041"), {"version": "10.0.9999"}, "10.0.19041 or newer"),
    ("memory", Requirements(memory_gb=8), {"memory_gb": 4}, "memory_gb of 8"),
    ("disk", Requirements(disk_gb=1.5), {"disk_free_gb": 1.2}, "disk_free_gb of 1.5"),
    ("enough of both", Requirements(memory_gb=8, disk_gb=1), {"memory_gb": 8, "disk_free_gb": 1}, ""),
    ("a condition that holds", Requirements(where="facts.chassis == 'laptop'"), {}, ""),
    ("a condition that does not", Requirements(where="facts.chassis == 'tower'"), {}, "does not hold"),
    ("a condition that does not, beside what is not known",
     Requirements(where="facts.chassis == 'tower'", memory_gb=8), {"memory_gb": None}, "does not hold"),
]  # fmt: skip


@pytest.mark.parametrize(("needs", "system", "why"), [row[1:] for row in NEEDS], ids=[row[0] for row in NEEDS])
def test_requirements(needs: Requirements, system: dict[str, Any], why: str) -> None:
    got = desires(
        deployment("software/a"),
        items=[software("a", requirements=needs)],
        who=identity(**system),
        facts={"chassis": "laptop"},
    )
    assert why in got["software/a"].not_applicable
    assert bool(got["software/a"].not_applicable) is bool(why)


UNKNOWN: list[tuple[str, Requirements, dict[str, Any], str]] = [
    ("the architecture", Requirements(architectures=("x64",)), {"architecture": None}, "architecture is not known"),
    ("the version", Requirements(minimum_os="10.0"), {"version": None}, "version is not known"),
    ("a version without a number", Requirements(minimum_os="10.0"), {"version": "sid"}, "not known ('sid')"),
    ("the memory", Requirements(memory_gb=8), {"memory_gb": None}, "memory_gb of 8"),
    ("memory that is no number", Requirements(memory_gb=8), {"memory_gb": "much"}, "memory_gb of 8"),
    ("the disk", Requirements(disk_gb=8), {}, "disk_free_gb of 8"),
    ("a fact of a condition", Requirements(where="facts.tpm"), {}, "not known: facts.tpm"),
]


@pytest.mark.parametrize(("needs", "system", "why"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_a_requirement_whose_fact_is_not_known_is_unknown(
    needs: Requirements, system: dict[str, Any], why: str
) -> None:
    items: list[Item] = [software("a", requirements=needs, needs=["software/b"]), software("b")]
    got = desires(deployment("software/a"), items=items, who=identity(**system), facts={"chassis": "laptop"})
    assert why in got["software/a"].unknown
    assert not got["software/a"].not_applicable
    assert not got["software/a"].error
    assert "software/b" not in got  # nothing is done for it


def test_a_requirement_that_cannot_be_read_is_an_error_of_the_definition() -> None:
    got = desires(deployment("software/a"), items=[software("a", requirements=Requirements(where="(("))])
    assert "cannot be read" in got["software/a"].error


def test_where_it_is_not_known_who_wins_nothing_is_wanted() -> None:
    why = "not known: facts.tpm"
    choices = {("software/a", ""): Choice("software/a", "", None, unknown=why)}
    items = library(software("a", needs=["software/b"]), software("b"))
    (got,), _ = desires_of(choices, items, identity(), {}, {}, lambda one: one.reference)
    assert (got.id, got.unknown, got.desired, got.error) == ("software/a", why, None, "")


# --- parameters ----------------------------------------------------------------------------------------------------


def parameters(*declared: Parameter, given: dict[str, Any], variables: dict[str, Any] | None = None) -> Desire:
    params = {name: Sourced(value, Place("deployments.yml", 4, 9)) for name, value in given.items()}
    item = task("t", parameters={one.name: one for one in declared})
    return desires(deployment("task/t", params=params), items=[item], variables=variables)["task/t"]


def test_parameters_are_expanded_and_know_their_origins() -> None:
    got = parameters(
        Parameter("server"), Parameter("port", default="{{ port + 1 }}"),
        given={"server": "{{ dc }}.corp"}, variables={"dc": "dc1", "port": 388},
    )  # fmt: skip
    assert got.params == {"server": "dc1.corp", "port": 389}
    assert got.origins["server"] == "deployments.yml:4:9"
    assert got.origins["port"].startswith("default")


def test_a_secret_stays_a_reference() -> None:
    got = parameters(Parameter("key"), given={"key": SecretRef("env:KEY")})
    assert got.params["key"] == SecretRef("env:KEY")


@pytest.mark.parametrize(
    ("declared", "given", "part"),
    [
        (Parameter("server", required=True), {}, "'server' is required"),
        (Parameter("server"), {"server": "{{ nobody_knows }}"}, "nobody_knows"),
    ],
    ids=["required and not given", "a template over what is not there"],
)
def test_parameters_that_cannot_be_made_are_an_error_of_that_item(
    declared: Parameter, given: dict[str, Any], part: str
) -> None:
    assert part in parameters(declared, given=given).error


# --- what is asked for ---------------------------------------------------------------------------------------------


def test_prerequisites_are_added_recursively_and_know_who_asked() -> None:
    items: list[Item] = [
        software("app", needs=["software/runtime >=2.0"]),
        software("runtime", needs=["task/tls"]),
        task("tls"),
    ]
    got = desires(deployment("software/app"), items=items)
    assert list(got) == ["software/app", "software/runtime", "task/tls"]
    runtime, tls = got["software/runtime"], got["task/tls"]
    assert (str(runtime.desired), runtime.requested_by) == (">=2.0", (prerequisite_of("software/app"),))
    assert (tls.mode, tls.requested_by) == (TaskMode.ENFORCE, (prerequisite_of("software/runtime"),))
    assert runtime.deployment == ""


def test_a_prerequisite_with_a_deployment_keeps_it() -> None:
    items: list[Item] = [software("app", needs=["software/runtime"]), software("runtime")]
    got = desires(deployment("software/app"), deployment("software/runtime", "absent", 9), items=items)
    assert (str(got["software/runtime"].desired), got["software/runtime"].deployment) == ("absent", "deployments.yml:9")
    assert got["software/runtime"].requested_by == (prerequisite_of("software/app"),)


def test_of_several_requesters_the_one_with_a_version_is_heard() -> None:
    items: list[Item] = [
        software("a", needs=["software/runtime"]),
        software("b", needs=["software/runtime >=2.0"]),
        software("runtime"),
    ]
    got = desires(deployment("software/a"), deployment("software/b"), items=items)["software/runtime"]
    assert str(got.desired) == ">=2.0"
    assert got.requested_by == (prerequisite_of("software/a"), prerequisite_of("software/b"))


@pytest.mark.parametrize("wants", ["absent", "ignored"])
def test_what_will_not_be_there_asks_for_nothing(wants: str) -> None:
    items: list[Item] = [
        software("app", needs=["software/runtime"], configuration="task/settings"),
        software("runtime"),
        task("settings"),
    ]
    assert list(desires(deployment("software/app", wants), items=items)) == ["software/app"]


@pytest.mark.parametrize("mode", ["audit", "monitor", "ignored"])
def test_a_task_that_changes_nothing_asks_for_nothing(mode: str) -> None:
    items: list[Item] = [task("t", needs=["software/tool"]), software("tool")]
    assert list(desires(deployment("task/t", mode), items=items)) == ["task/t"]


def test_a_configuration_task_gets_the_parameters_of_its_software() -> None:
    params = {"theme": Sourced("dark", Place("deployments.yml", 3))}
    items: list[Item] = [
        software("app", configuration="task/settings", parameters={"theme": Parameter("theme")}),
        task("settings", parameters={"theme": Parameter("theme", required=True)}, needs=["task/tls"]),
        task("tls"),
    ]
    got = desires(deployment("software/app", params=params), items=items)
    assert got["task/settings"].params == {"theme": "dark"}
    assert got["task/settings"].requested_by == (configuration_of("software/app"),)
    assert got["task/tls"].requested_by == (prerequisite_of("task/settings"),)


def test_a_circle_of_prerequisites_is_an_error_that_names_itself() -> None:
    items: list[Item] = [
        software("a", needs=["software/b"]),
        software("b", needs=["software/c"]),
        software("c", needs=["software/a"]),
        software("d"),
    ]
    got = desires(deployment("software/a"), deployment("software/d"), items=items)
    errors = [one.error for one in got.values() if one.error]
    assert any("software/a needs software/b needs software/c needs software/a" in one for one in errors)
    assert not got["software/d"].error


def test_many_ways_to_one_prerequisite_take_no_time() -> None:
    layers: list[Item] = [software("p0")]
    for number in range(1, 30):
        needs = [f"software/p{number - 1}", f"software/q{number - 1}"] if number > 1 else ["software/p0"]
        layers += [software(f"p{number}", needs=needs), software(f"q{number}", needs=needs)]
    got = desires(deployment("software/p29"), items=layers)
    assert len(got) == 1 + 28 * 2 + 1


@pytest.mark.parametrize(
    ("item", "wants", "expected"),
    [
        ("software/a", "latest", True),
        ("software/a", "update_if_found", True),
        ("software/a", "absent", False),
        ("software/a", "ignored", False),
        ("task/a", "enforce", True),
        ("task/a", "audit", False),
    ],
)
def test_wants_presence(item: str, wants: str, expected: bool) -> None:
    assert wants_presence(desire(item, wants)) is expected
    assert not wants_presence(desire(item, wants, error="no"))
