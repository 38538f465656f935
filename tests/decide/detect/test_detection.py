"""Desires -> one request, and answers -> findings."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from immy_nornir.decide.detect.compare_resources import registry_value
from immy_nornir.decide.detect.detection import detect
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import (
    Declarative,
    DetectScript,
    DisplayName,
    DriverVersion,
    FileState,
    FileVersion,
    Item,
    PackageManager,
    PackageState,
    ProductCode,
    RegistryValue,
    Resource,
    Scripts,
    ServiceState,
    UpgradeCode,
)
from immy_nornir.model.values import SecretRef
from immy_nornir.model.wire import Answer, AnswerStatus, Read
from tests.decide.builders import desire, script, software, task

S = FindingStatus
ENTRIES: list[dict[str, Any]] = [
    {"name": "Mozilla Firefox (x64 en-US)", "version": "132.0", "publisher": "Mozilla", "product_code": None},
    {"name": "Mozilla Firefox (x64 en-US)", "version": "9.0", "publisher": "Mozilla", "product_code": None},
    {"name": "Zip 24", "version": "24.08", "publisher": "Igor", "product_code": "{AAAA}", "upgrade_code": "{UUUU}"},
    {"name": "No version", "version": None, "publisher": None},
]


def ok(answers: dict[str, Any]) -> dict[str, Answer]:
    return {key: Answer(key, AnswerStatus.OK, value) for key, value in answers.items()}


def finding(item: Item, answers: dict[str, Any], wants: str = "", **more: Any) -> Finding:
    detection = detect([(desire(item.reference, wants, **more), item)])
    (found,) = detection.findings(ok(answers))
    return found


WAYS: list[tuple[str, Any, dict[str, Any], FindingStatus, str | None]] = [
    ("a name by glob, without case", DisplayName("mozilla FIREFOX*"), {"software": ENTRIES}, S.FOUND, "132.0"),
    ("the newest of several entries", DisplayName("Mozilla*"), {"software": ENTRIES}, S.FOUND, "132.0"),
    ("a glob is the whole name", DisplayName("Firefox"), {"software": ENTRIES}, S.NOT_FOUND, None),
    ("a regex is searched", DisplayName("firefox", regex=True), {"software": ENTRIES}, S.FOUND, "132.0"),
    ("a regex that cannot be read", DisplayName("((", regex=True), {"software": ENTRIES}, S.FAILED, None),
    ("the publisher guards", DisplayName("Zip*", publisher="Somebody*"), {"software": ENTRIES}, S.NOT_FOUND, None),
    ("the publisher agrees", DisplayName("Zip*", publisher="igor"), {"software": ENTRIES}, S.FOUND, "24.08"),
    ("an entry without a version", DisplayName("No version"), {"software": ENTRIES}, S.FOUND, None),
    ("a product code", ProductCode("{aaaa}"), {"software": ENTRIES}, S.FOUND, "24.08"),
    ("an upgrade code", UpgradeCode("{uuuu}"), {"software": ENTRIES}, S.FOUND, "24.08"),
    ("another product code", ProductCode("{bbbb}"), {"software": ENTRIES}, S.NOT_FOUND, None),
    ("an enumeration that is no list", DisplayName("Zip*"), {"software": None}, S.UNKNOWN, None),
    ("an enumeration that did not come", DisplayName("Zip*"), {}, S.UNKNOWN, None),
    ("a file", FileVersion("C:\\a.exe"), {"file": {"C:\\a.exe": {"version": "1.2"}}}, S.FOUND, "1.2"),
    ("a file without a version", FileVersion("C:\\a.exe"), {"file": {"C:\\a.exe": {}}}, S.FOUND, None),
    ("no file", FileVersion("C:\\a.exe"), {"file": {"C:\\a.exe": None}}, S.NOT_FOUND, None),
    ("a package", PackageManager("apt", "htop"), {"packages:apt": {"htop": {"installed": "3.2"}}}, S.FOUND, "3.2"),
    ("no package", PackageManager("apt", "htop"), {"packages:apt": {"htop": {"installed": None}}}, S.NOT_FOUND, None),
    ("a driver", DriverVersion("x.inf"), {"driver:x.inf": {"version": "5.1"}}, S.FOUND, "5.1"),
    ("no driver", DriverVersion("x.inf"), {"driver:x.inf": {"version": None}}, S.NOT_FOUND, None),
    ("a script's version", DetectScript(script()), {"detect:software/s": " 1.5\n"}, S.FOUND, "1.5"),
    ("a script's true", DetectScript(script()), {"detect:software/s": True}, S.FOUND, None),
    ("a script's nothing", DetectScript(script()), {"detect:software/s": None}, S.NOT_FOUND, None),
    ("a script's false", DetectScript(script()), {"detect:software/s": False}, S.NOT_FOUND, None),
    ("a script's empty text", DetectScript(script()), {"detect:software/s": ""}, S.NOT_FOUND, None),
]


@pytest.mark.parametrize(
    ("way", "answers", "status", "version"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS]
)
def test_software(way: Any, answers: dict[str, Any], status: FindingStatus, version: str | None) -> None:
    got = finding(software("s", detection=way), answers)
    assert (got.status, got.version) == (status, version)
    assert bool(got.message) is (status in (S.FAILED, S.UNKNOWN))


def test_software_is_enumerated_once_and_resources_travel_together() -> None:
    resources: tuple[Resource, ...] = (
        RegistryValue("HKLM\\A", "one", 1),
        ServiceState("spooler", "running"),
        FileState("/etc/a", "x"),
    )
    wanted: list[tuple[Any, Item]] = [(desire(f"software/s{n}"), software(f"s{n}")) for n in range(20)]
    wanted += [(desire(f"task/t{n}"), task(f"t{n}", body=Declarative(resources))) for n in range(20)]
    wanted.append((desire("task/x"), task("x")))
    operations = detect(wanted).operations
    assert sorted(one.name for one in operations) == [
        Read.FILE, Read.REGISTRY, Read.SCRIPT, Read.SCRIPT, Read.SERVICE, Read.SOFTWARE,
    ]  # fmt: skip
    assert len({one.id for one in operations}) == len(operations)


@pytest.mark.parametrize("status", [AnswerStatus.FAILED, AnswerStatus.TIMED_OUT, AnswerStatus.DIED])
def test_an_operation_that_fails_costs_only_its_items(status: AnswerStatus) -> None:
    wanted: list[tuple[Any, Item]] = [
        (desire("software/a"), software("a", detection=DetectScript(script()))),
        (desire("software/b"), software("b", detection=DisplayName("Zip*"))),
    ]
    answers = {**ok({"software": ENTRIES}), "detect:software/a": Answer("detect:software/a", status, error="boom")}
    first, second = detect(wanted).findings(answers)
    assert first.status is S.UNKNOWN
    assert first.message
    assert second.status is S.FOUND


def test_available_versions_come_from_scripts_and_package_managers() -> None:
    scripted = software("s", detection=DisplayName("Zip*"), versions_script=script())
    got = finding(scripted, {"software": ENTRIES, "versions:software/s": [{"version": "25"}, "junk", {"url": "x"}]})
    assert [one["version"] for one in got.available] == ["25"]
    packaged = software("s", detection=DisplayName("Zip*"), package=PackageManager("winget", "Zip"))
    got = finding(packaged, {"software": ENTRIES, "packages:winget": {"Zip": {"candidate": "26"}}})
    assert [one["version"] for one in got.available] == ["26"]


@pytest.mark.parametrize("wants", ["absent", "ignored"])
def test_versions_are_not_looked_for_where_none_is_wanted(wants: str) -> None:
    item = software("s", versions_script=script())
    assert [one.name for one in detect([(desire("software/s", wants), item)]).operations] == [Read.SOFTWARE]


@pytest.mark.parametrize(
    ("answer", "sound"), [(True, True), (False, False), ("False", False), ([1, True], True), ("perhaps", None)]
)
def test_a_softwares_own_test(answer: Any, sound: bool | None) -> None:
    item = software("s", detection=DisplayName("Zip*"), test=script())
    got = finding(item, {"software": ENTRIES, "test:software/s": answer})
    assert got.sound is sound
    assert (got.status is S.UNKNOWN) is (sound is None)


def test_software_that_is_not_there_is_not_tested() -> None:
    item = software("s", detection=DisplayName("Nothing*"), test=script())
    assert finding(item, {"software": ENTRIES, "test:software/s": "junk"}).status is S.NOT_FOUND


# --- tasks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "answers", "status"),
    [
        ("enforce", {"test:task/t": True}, S.COMPLIANT),
        ("enforce", {"test:task/t": False}, S.NOT_COMPLIANT),
        ("audit", {"test:task/t": False}, S.NOT_COMPLIANT),
        ("monitor", {"get:task/t": 7}, S.VALUE),
        ("enforce", {"test:task/t": 7}, S.UNKNOWN),
        ("enforce", {}, S.UNKNOWN),
    ],
)
def test_tasks_of_scripts(mode: str, answers: dict[str, Any], status: FindingStatus) -> None:
    assert finding(task("t"), answers, mode).status is status


def test_monitor_without_get_fails_its_item() -> None:
    assert finding(task("t", body=Scripts(test=script())), {}, "monitor").status is S.FAILED


SHA = hashlib.sha256(b"hello\n").hexdigest()
RESOURCES: list[tuple[str, Resource, dict[str, Any], FindingStatus]] = [
    ("a number", RegistryValue("HKLM\\A", "x", 1, "DWord"),
     {"registry": [{"exists": True, "type": "DWord", "value": 1}]}, S.COMPLIANT),
    ("a number as text", RegistryValue("HKLM\\A", "x", "0x10", "DWord"),
     {"registry": [{"exists": True, "type": "dword", "value": 16}]}, S.COMPLIANT),
    ("a number with a leading zero", RegistryValue("HKLM\\A", "x", "010", "DWord"),
     {"registry": [{"exists": True, "type": "dword", "value": 10}]}, S.COMPLIANT),
    ("no number", RegistryValue("HKLM\\A", "x", "many", "DWord"),
     {"registry": [{"exists": True, "type": "dword", "value": 16}]}, S.FAILED),
    ("another number", RegistryValue("HKLM\\A", "x", 1, "DWord"),
     {"registry": [{"exists": True, "type": "DWord", "value": 2}]}, S.NOT_COMPLIANT),
    ("another type", RegistryValue("HKLM\\A", "x", "a"),
     {"registry": [{"exists": True, "type": "ExpandString", "value": "a"}]}, S.NOT_COMPLIANT),
    ("no value", RegistryValue("HKLM\\A", "x", "a"), {"registry": [{"exists": False}]}, S.NOT_COMPLIANT),
    ("absent, as wanted", RegistryValue("HKLM\\A", "x", absent=True), {"registry": [{"exists": False}]}, S.COMPLIANT),
    ("there, and not wanted", RegistryValue("HKLM\\A", "x", absent=True),
     {"registry": [{"exists": True, "value": 1}]}, S.NOT_COMPLIANT),
    ("every user has it", RegistryValue("HKCU\\A", "x", "a"),
     {"registry": [{"exists": False, "users": {"s1": {"exists": True, "type": "String", "value": "a"}}}]}, S.COMPLIANT),
    ("one user has it not", RegistryValue("HKCU\\A", "x", "a"),
     {"registry": [{"exists": True, "users": {"s1": {"exists": True, "type": "String", "value": "a"},
                                              "s2": {"exists": False}}}]}, S.NOT_COMPLIANT),
    ("an answer that is cut off", RegistryValue("HKLM\\A", "x", 1), {"registry": []}, S.UNKNOWN),
    ("a service that runs", ServiceState("s", "running"), {"service": {"s": {"state": "running"}}}, S.COMPLIANT),
    ("a service that is disabled", ServiceState("s", startup="automatic"),
     {"service": {"s": {"state": "running", "startup": "disabled"}}}, S.NOT_COMPLIANT),
    ("no service, which is known", ServiceState("s", "running"), {"service": {"s": None}}, S.NOT_COMPLIANT),
    ("the right content", FileState("/a", "hello\n"), {"file": {"/a": {"sha256": SHA}}}, S.COMPLIANT),
    ("another content", FileState("/a", "hello"), {"file": {"/a": {"sha256": SHA}}}, S.NOT_COMPLIANT),
    ("the right mode", FileState("/a", "hello\n", "0644"), {"file": {"/a": {"sha256": SHA, "mode": "644"}}},
     S.COMPLIANT),
    ("no file", FileState("/a", "hello"), {"file": {"/a": None}}, S.NOT_COMPLIANT),
    ("an absent file", FileState("/a", absent=True), {"file": {"/a": None}}, S.COMPLIANT),
    ("a package", PackageState("p", "apt"), {"packages:apt": {"p": {"installed": "1"}}}, S.COMPLIANT),
    ("the latest package", PackageState("p", "apt", "latest"),
     {"packages:apt": {"p": {"installed": "1:1.0-1", "candidate": "1:1.0-2"}}}, S.NOT_COMPLIANT),
    ("an exact package", PackageState("p", "apt", "1.0"), {"packages:apt": {"p": {"installed": "1.0"}}}, S.COMPLIANT),
    ("an absent package", PackageState("p", "apt", "absent"), {"packages:apt": {"p": {"installed": "1"}}},
     S.NOT_COMPLIANT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "answers", "status"), [row[1:] for row in RESOURCES], ids=[row[0] for row in RESOURCES]
)
def test_resources(resource: Resource, answers: dict[str, Any], status: FindingStatus) -> None:
    got = finding(task("t", body=Declarative((resource,))), answers)
    assert got.status is status, got.message
    assert bool(got.changes) is (status is S.NOT_COMPLIANT)


def test_monitoring_resources_reports_their_values() -> None:
    body = Declarative((ServiceState("s", "running"),))
    got = finding(task("t", body=body), {"service": {"s": {"state": "stopped"}}}, "monitor")
    assert (got.status, got.value) == (S.VALUE, {"service s": {"state": "stopped"}})


def test_templates_of_resources_are_filled_from_parameters() -> None:
    body = Declarative((FileState("/etc/{{ params.name }}", "{{ params.name }}\n"),))
    got = finding(task("t", body=body), {"file": {"/etc/hello": {"sha256": SHA}}}, params={"name": "hello"})
    assert got.status is S.COMPLIANT


def test_a_template_that_fails_costs_only_its_item() -> None:
    body = Declarative((FileState("/etc/{{ params.name }}"),))
    wanted: list[tuple[Any, Item]] = [(desire("task/t"), task("t", body=body)), (desire("software/s"), software("s"))]
    first, second = detect(wanted).findings(ok({"software": []}))
    assert first.status is S.FAILED
    assert "name" in first.message
    assert second.status is S.NOT_FOUND


def test_detection_scripts_never_get_secrets() -> None:
    params = {"key": SecretRef("env:KEY"), "deep": {"key": SecretRef("env:KEY")}, "plain": [1]}
    operations = detect([(desire("task/t", params=params), task("t"))]).operations
    assert [one.id for one in operations] == ["test:task/t", "get:task/t"]
    for operation in operations:
        assert operation.params["params"] == {"key": None, "deep": {"key": None}, "plain": [1]}


def test_what_get_says_stands_beside_the_verdict_of_test_and_costs_it_nothing() -> None:
    said = {"test:task/t": False, "get:task/t": {"state": "off"}}
    got = finding(task("t"), said)
    assert (got.status, got.value) == (S.NOT_COMPLIANT, {"state": "off"})
    wanted: list[tuple[Any, Item]] = [(desire("task/t"), task("t"))]
    answers = {**ok({"test:task/t": True}), "get:task/t": Answer("get:task/t", AnswerStatus.FAILED, error="boom")}
    (got,) = detect(wanted).findings(answers)
    assert (got.status, got.value) == (S.COMPLIANT, None)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [("String", 5, "5"), ("DWord", True, 1), ("MultiString", ["a", 1], ["a", "1"]), ("MultiString", "a", ["a"])],
)
def test_registry_values_in_the_form_of_the_wire(kind: str, value: Any, expected: Any) -> None:
    assert registry_value(RegistryValue("HKLM\\A", "x", value, kind)) == expected
