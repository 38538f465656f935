"""What cannot be read is unknown, with its reason: never absent, never compliant, and it costs nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.detect.detection import detect
from immy_nornir.decide.detect.facts import facts_of
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
from immy_nornir.model.wire import Answer, AnswerStatus
from tests.decide.builders import desire, script, software, task

S = FindingStatus
SAID = "the computer says why"
GUID = "{11111111-2222-3333-4444-555555555555}"
OTHER = "{99999999-2222-3333-4444-555555555555}"
ERROR = {"error": SAID}


def finding(item: Item, answers: dict[str, Any], wants: str = "", **more: Any) -> Finding:
    said = {key: one if isinstance(one, Answer) else Answer(key, AnswerStatus.OK, one) for key, one in answers.items()}
    (found,) = detect([(desire(item.reference, wants, **more), item)]).findings(said)
    return found


# --- every way to find software ------------------------------------------------------------------------------------

WAYS: dict[str, tuple[Any, str]] = {
    "display name": (DisplayName("Zip*"), "software"),
    "product code": (ProductCode(GUID), "software"),
    "upgrade code": (UpgradeCode(GUID), "software"),
    "file": (FileVersion("C:\\a.exe"), "file"),
    "package": (PackageManager("winget", "Zip"), "packages:winget"),
    "driver": (DriverVersion("x.inf"), "driver:x.inf"),
    "script": (DetectScript(script()), "detect:software/s"),
}
BROKEN: dict[str, Any] = {
    "failed": Answer("", AnswerStatus.FAILED, error=SAID),
    "timed out": Answer("", AnswerStatus.TIMED_OUT),
    "died": Answer("", AnswerStatus.DIED, error=SAID),
    "an object": {"Name": "Zip", "Version": {"Major": 1}},
    "a list of objects": [{"Name": "Zip"}, "x"],
    "a sentence": "could not be found out",
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wants", ["latest", "installed", "absent", "1.0"])
def test_an_answer_of_another_form_is_unknown_for_every_way_to_find_software(way: str, how: str, wants: str) -> None:
    detection, operation = WAYS[way]
    got = finding(software("s", detection=detection), {operation: BROKEN[how]}, wants)
    assert got.status is S.UNKNOWN, got
    assert got.message


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_answered_is_unknown(way: str) -> None:
    assert finding(software("s", detection=WAYS[way][0]), {}).status is S.UNKNOWN


ONE_OF_MANY: list[tuple[str, Any, dict[str, Any], FindingStatus]] = [
    ("the file itself", FileVersion("/a"), {"file": {"/a": ERROR, "/b": None}}, S.UNKNOWN),
    ("another file", FileVersion("/b"), {"file": {"/a": ERROR, "/b": None}}, S.NOT_FOUND),
    ("a file of which nothing is said", FileVersion("/a"), {"file": {}}, S.UNKNOWN),
    ("the package itself", PackageManager("apt", "a"), {"packages:apt": {"a": ERROR}}, S.UNKNOWN),
    ("another package", PackageManager("apt", "b"), {"packages:apt": {"a": ERROR, "b": {"installed": "1"}}}, S.FOUND),
    ("a package of which nothing is said", PackageManager("apt", "a"), {"packages:apt": {"b": ERROR}}, S.UNKNOWN),
    ("a package of which half is said", PackageManager("apt", "a"), {"packages:apt": {"a": {}}}, S.UNKNOWN),
    ("the driver", DriverVersion("x"), {"driver:x": ERROR}, S.UNKNOWN),
    ("names that a computer does not tell by case", FileVersion("C:\\A"), {"file": {"c:\\a": {"version": "1"}}},
     S.FOUND),
    ("found beside an entry that nobody may read", DisplayName("Zip"),
     {"software": [{"key": "Y", **ERROR}, {"name": "Zip", "version": "1"}]}, S.FOUND),
    ("not found, and an entry nobody may read", DisplayName("Zip"), {"software": [{"key": "Y", **ERROR}]}, S.UNKNOWN),
    ("not found, and an entry that is none", DisplayName("Zip"), {"software": ["junk"]}, S.UNKNOWN),
    ("not found, and a list that ended in an error", DisplayName("Zip"),
     {"software": [{"name": "Other"}, ERROR]}, S.UNKNOWN),
    ("another product, by the key's name", ProductCode(GUID), {"software": [{"key": OTHER, **ERROR}]}, S.NOT_FOUND),
    ("that product, by the key's name", ProductCode(GUID), {"software": [{"key": GUID.lower(), **ERROR}]}, S.UNKNOWN),
    ("no product of Windows Installer", UpgradeCode(GUID), {"software": [{"key": "Zip", **ERROR}]}, S.NOT_FOUND),
    ("another upgrade code", UpgradeCode(GUID), {"software": [{"upgrade_code": OTHER, **ERROR}]}, S.NOT_FOUND),
    ("that upgrade code", UpgradeCode(GUID), {"software": [{"upgrade_code": GUID, **ERROR}]}, S.UNKNOWN),
    ("all upgrade codes", UpgradeCode(GUID), {"software": [{"upgrade_code": "*", **ERROR}]}, S.UNKNOWN),
    ("a name needs no upgrade code", DisplayName("Zip"), {"software": [{"upgrade_code": "*", **ERROR}]}, S.NOT_FOUND),
    ("any product of Windows Installer", UpgradeCode(GUID), {"software": [{"key": OTHER, **ERROR}]}, S.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(
    ("way", "answers", "status"), [row[1:] for row in ONE_OF_MANY], ids=[row[0] for row in ONE_OF_MANY]
)
def test_of_a_list_only_what_could_not_be_read_is_unknown(
    way: Any, answers: dict[str, Any], status: FindingStatus
) -> None:
    got = finding(software("s", detection=way), answers)
    assert got.status is status, got
    if SAID in str(answers) and status is S.UNKNOWN and "cut off" not in got.message:
        assert SAID in got.message


SCRIPTS: list[tuple[str, Any, FindingStatus, str | None]] = [
    ("a version", "1.5", S.FOUND, "1.5"),
    ("a version with words", "24.08 (x64) beta", S.FOUND, "24.08 (x64) beta"),
    ("a number", 5, S.FOUND, "5"),
    ("true", True, S.FOUND, None),
    ("true as text", "True", S.FOUND, None),
    ("nothing", None, S.NOT_FOUND, None),
    ("false as text", "false\n", S.NOT_FOUND, None),
    ("an object", {"Version": "1.5"}, S.UNKNOWN, None),
    ("two values", ["1.5", "1.6"], S.UNKNOWN, None),
    ("an empty object", {}, S.UNKNOWN, None),
    ("a sentence", "not installed", S.UNKNOWN, None),
    ("several lines", "reading HKLM 64\n1.5", S.UNKNOWN, None),
    ("the text of an object", "@{Name=Zip; Version=1.5}" * 20, S.UNKNOWN, None),
]


@pytest.mark.parametrize(("said", "status", "version"), [row[1:] for row in SCRIPTS], ids=[row[0] for row in SCRIPTS])
def test_what_a_detection_script_may_write(said: Any, status: FindingStatus, version: str | None) -> None:
    got = finding(software("s", detection=DetectScript(script())), {"detect:software/s": said})
    assert (got.status, got.version) == (status, version)
    assert ("must write the installed version" in got.message) is (status is S.UNKNOWN)


OFFERS: list[tuple[str, Any, str, bool]] = [
    ("a script that failed", {"versions:software/s": Answer("", AnswerStatus.FAILED, error=SAID)}, "latest", True),
    ("a script that wrote texts", {"versions:software/s": ["1.0", "2.0"]}, "latest", True),
    ("a script that wrote maps without versions", {"versions:software/s": {"url": "x"}}, "latest", True),
    ("a script that wrote nothing", {"versions:software/s": None}, "latest", False),
    ("of several the good ones count", {"versions:software/s": ["junk", {"Version": "2"}]}, "latest", False),
    ("nobody asks what is to be removed", {}, "absent", False),
]


@pytest.mark.parametrize(
    ("answers", "wants", "is_unknown"), [row[1:] for row in OFFERS], ids=[row[0] for row in OFFERS]
)
def test_offers_that_could_not_be_read_leave_what_is_there_known(
    answers: dict[str, Any], wants: str, is_unknown: bool
) -> None:
    item = software("s", detection=DisplayName("Zip"), versions_script=script())
    got = finding(item, {"software": [{"name": "Zip", "version": "1"}], **answers}, wants)
    assert got.status is S.FOUND
    assert bool(got.unoffered) is is_unknown


def test_a_managers_offer_that_could_not_be_read_leaves_what_is_installed_known() -> None:
    item = software("s", detection=PackageManager("winget", "Zip"))
    got = finding(item, {"packages:winget": {"Zip": {"installed": "1", "candidate": None, "candidate_error": SAID}}})
    assert (got.status, got.version, got.unoffered) == (S.FOUND, "1", SAID)


def test_what_is_to_be_removed_is_not_asked_whether_it_works() -> None:
    item = software("s", detection=DisplayName("Zip"), test=script())
    got = finding(item, {"software": [{"name": "Zip"}], "test:software/s": "junk"}, "absent")
    assert got.status is S.FOUND


# --- every kind of resource ----------------------------------------------------------------------------------------

RESOURCES: dict[str, tuple[Resource, str]] = {
    "registry": (RegistryValue("HKLM\\A", "x", "a"), "registry"),
    "registry, absent": (RegistryValue("HKLM\\A", "x", absent=True), "registry"),
    "every user": (RegistryValue("HKCU\\A", "x", "a", every_user=True), "registry"),
    "service": (ServiceState("s", "running"), "service"),
    "file": (FileState("/a", "hello"), "file"),
    "file, absent": (FileState("/a", absent=True), "file"),
    "package": (PackageState("p", "apt"), "packages:apt"),
    "package, absent": (PackageState("p", "apt", "absent"), "packages:apt"),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("kind", RESOURCES)
@pytest.mark.parametrize("mode", ["enforce", "audit", "monitor"])
def test_an_answer_of_another_form_is_unknown_for_every_resource(kind: str, how: str, mode: str) -> None:
    resource, operation = RESOURCES[kind]
    got = finding(task("t", body=Declarative((resource,))), {operation: BROKEN[how]}, mode)
    assert got.status is S.UNKNOWN, got
    assert got.message


A = {"exists": True, "type": "String", "value": "a"}
STATES: list[tuple[str, Resource, dict[str, Any], FindingStatus]] = [
    ("a value that nobody may read", RegistryValue("HKLM\\A", "x", "a"), {"registry": [ERROR]}, S.UNKNOWN),
    ("a row that says nothing", RegistryValue("HKLM\\A", "x", absent=True), {"registry": [{}]}, S.UNKNOWN),
    ("nobody's hive is loaded", RESOURCES["every user"][0], {"registry": [{"exists": False, "users": {}}]}, S.UNKNOWN),
    ("nobody's hive is loaded, and it shall be absent", RegistryValue("HKCU\\A", "x", absent=True, every_user=True),
     {"registry": [{"exists": False, "users": {}}]}, S.UNKNOWN),
    ("one user's hive cannot be read", RESOURCES["every user"][0],
     {"registry": [{"exists": False, "users": {"s1": A, "s2": ERROR}}]}, S.UNKNOWN),
    ("one cannot be read, another has it not", RESOURCES["every user"][0],
     {"registry": [{"exists": False, "users": {"s1": {"exists": False}, "s2": ERROR}}]}, S.NOT_COMPLIANT),
    ("a service that nobody may ask", ServiceState("s", "running"), {"service": {"s": ERROR}}, S.UNKNOWN),
    ("a service whose start-up is not said", ServiceState("s", startup="manual"),
     {"service": {"s": {"state": "running", "startup": None}}}, S.UNKNOWN),
    ("a service of which nothing is said", ServiceState("s", "running"), {"service": {}}, S.UNKNOWN),
    ("there is no such service, which is known", ServiceState("s", "running"), {"service": {"s": None}},
     S.NOT_COMPLIANT),
    ("a file that nobody may read", FileState("/a", "x"), {"file": {"/a": ERROR}}, S.UNKNOWN),
    ("a file whose mode is not said", FileState("/a", mode="0644"), {"file": {"/a": {"mode": None}}}, S.UNKNOWN),
    ("a folder in its place, which is known", FileState("/a", "x"), {"file": {"/a": {"sha256": None}}},
     S.NOT_COMPLIANT),
    ("a file of which nothing is said", FileState("/a", absent=True), {"file": {}}, S.UNKNOWN),
    ("a package that is not said", PackageState("p", "apt", "absent"), {"packages:apt": {"p": {}}}, S.UNKNOWN),
    ("a package without a version to compare", PackageState("p", "winget", "1.0"),
     {"packages:winget": {"p": {"installed": "Unknown"}}}, S.UNKNOWN),
    ("a package whose offer is not known", PackageState("p", "winget", "latest"),
     {"packages:winget": {"p": {"installed": "1", "candidate": None, "candidate_error": SAID}}}, S.UNKNOWN),
    ("a package that may be in any version", PackageState("p", "winget"),
     {"packages:winget": {"p": {"installed": "1", "candidate": None, "candidate_error": SAID}}}, S.COMPLIANT),
    ("a package that is missing is not the latest", PackageState("p", "winget", "latest"),
     {"packages:winget": {"p": {"installed": None, "candidate_error": SAID}}}, S.NOT_COMPLIANT),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "answers", "status"), [row[1:] for row in STATES], ids=[row[0] for row in STATES])
@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_resources(resource: Resource, answers: dict[str, Any], status: FindingStatus, mode: str) -> None:
    got = finding(task("t", body=Declarative((resource,))), answers, mode)
    assert got.status is status, got
    assert bool(got.changes) is (status is S.NOT_COMPLIANT)
    assert bool(got.message) is (status is S.UNKNOWN)


BOTH = Declarative((FileState("/a", "x"), FileState("/b", absent=True)))
TOGETHER: list[tuple[str, Any, Any, FindingStatus]] = [
    ("the rest is as it should be", ERROR, None, S.UNKNOWN),
    ("the rest is not", ERROR, {"mode": "644"}, S.NOT_COMPLIANT),
    ("all unknown", ERROR, ERROR, S.UNKNOWN),
]


@pytest.mark.parametrize(("first", "second", "status"), [row[1:] for row in TOGETHER], ids=[row[0] for row in TOGETHER])
def test_of_several_resources_one_is_unknown_and_the_rest_counts(
    first: Any, second: Any, status: FindingStatus
) -> None:
    got = finding(task("t", body=BOTH), {"file": {"/a": first, "/b": second}}, "audit")
    assert got.status is status
    assert f"file /a: {SAID}" in got.message
    if status is S.NOT_COMPLIANT:
        assert [one.name for one in got.changes] == ["file /b"]
        assert got.unread == ("file /a",)


def test_monitoring_what_cannot_be_read_is_unknown_and_keeps_what_was_read() -> None:
    got = finding(task("t", body=BOTH), {"file": {"/a": ERROR, "/b": None}}, "monitor")
    assert (got.status, got.value) == (S.UNKNOWN, {"file /b": "absent"})


# --- facts ---------------------------------------------------------------------------------------------------------


def test_facts_that_could_not_be_read_are_told_and_not_kept() -> None:
    said: dict[str, Any] = {
        "facts": {"hardware": {"cores": 4}, "users": ERROR},
        "software": [{"name": "Zip", "version": "1"}, {"key": "X", **ERROR}, "junk"],
    }
    facts, problems = facts_of({key: Answer(key, AnswerStatus.OK, one) for key, one in said.items()}, 1.0)
    assert facts.values == {"hardware": {"cores": 4}, "software": [{"name": "Zip", "version": "1"}]}
    assert problems == (f"users: {SAID}", f"software: {SAID}", "software: an entry is no map: 'junk'")


@pytest.mark.parametrize("name", ["facts", "software"])
@pytest.mark.parametrize("result", ["text", None, 5])
def test_facts_of_another_form_are_told_and_not_kept(name: str, result: Any) -> None:
    facts, (problem,) = facts_of({name: Answer(name, AnswerStatus.OK, result)}, 1.0)
    assert not facts.values
    assert "another form" in problem


# --- told apart ----------------------------------------------------------------------------------------------------

WRONG: list[tuple[str, Item, str]] = [
    ("a pattern that cannot be read", software("s", detection=DisplayName("((", regex=True)), "latest"),
    ("no script to get it", task("t", body=Scripts(test=script())), "monitor"),
    ("no script to test it", task("t", body=Scripts(get=script())), "audit"),
    ("no number", task("t", body=Declarative((RegistryValue("HKLM\\A", "x", "many", "DWord"),))), "audit"),
    ("a template that fails", task("t", body=Declarative((FileState("/{{ params.nowhere }}"),))), "audit"),
]


@pytest.mark.parametrize(("item", "wants"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_definition_is_not_unknown(item: Item, wants: str) -> None:
    got = finding(item, {"software": [], "registry": [A]}, wants)
    assert got.status is S.FAILED
    assert got.message
