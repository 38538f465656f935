"""Detected x desired: the whole table for software, and the modes of tasks."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.plan.actions import decide, pick
from immy_nornir.model.facts import Change, Finding, FindingStatus
from immy_nornir.model.items import InstallerType, Method, PackageManager, Software
from immy_nornir.model.plan import Reason
from immy_nornir.model.playbooks import ActionType
from tests.decide.builders import compliant, desire, found, missing, release, script, software, state, task, unknown

NAME = "software/zip"
ZIP = software("zip", "1.0", "2.0", "3.0")
A, R = ActionType, Reason

NOTHING = (A.NONE, R.UP_TO_DATE, None)
ABSENT = (A.NONE, R.NOT_FOUND, None)
IGNORED = (A.NONE, R.IGNORED, None)
REMOVED = (A.UNINSTALL, R.SOFTWARE_DETECTED, None)
NO_VERSION = (A.UNDETERMINED, R.NO_APPLICABLE_VERSION, None)


def install(version: str) -> tuple[ActionType, Reason, str]:
    return A.INSTALL, R.SOFTWARE_MISSING, version


def update(version: str) -> tuple[ActionType, Reason, str]:
    return A.UPDATE, R.UPDATE_AVAILABLE, version


def downgrade(version: str) -> tuple[ActionType, Reason, str]:
    return A.DOWNGRADE, R.OLDER_VERSION_REQUIRED, version


def reinstall(version: str) -> tuple[ActionType, Reason, str]:
    return A.REINSTALL, R.TEST_FAILED, version


# wanted: (missing, found 1.0, found 2.0, found 3.0, found 9.0, broken 2.0); releases are 1.0, 2.0 and 3.0
TABLE: dict[str, tuple[Any, ...]] = {
    "latest": (install("3.0"), update("3.0"), update("3.0"), NOTHING, NOTHING, reinstall("3.0")),
    "update_if_found": (ABSENT, update("3.0"), update("3.0"), NOTHING, NOTHING, reinstall("3.0")),
    "installed": (install("3.0"), NOTHING, NOTHING, NOTHING, NOTHING, reinstall("2.0")),
    "2.0": (install("2.0"), update("2.0"), NOTHING, downgrade("2.0"), downgrade("2.0"), reinstall("2.0")),
    ">=2.0": (install("3.0"), update("3.0"), NOTHING, NOTHING, NOTHING, reinstall("2.0")),
    "<=2.0": (install("2.0"), NOTHING, NOTHING, downgrade("2.0"), downgrade("2.0"), reinstall("2.0")),
    "absent": (ABSENT, REMOVED, REMOVED, REMOVED, REMOVED, REMOVED),
    "ignored": (IGNORED, IGNORED, IGNORED, IGNORED, IGNORED, IGNORED),
    "7.0": (NO_VERSION, NO_VERSION, NO_VERSION, NO_VERSION, NO_VERSION, NO_VERSION),
    ">=7.0": (NO_VERSION, NO_VERSION, NO_VERSION, NO_VERSION, NOTHING, NO_VERSION),
    "<=0.5": (NO_VERSION, NO_VERSION, NO_VERSION, NO_VERSION, NO_VERSION, NO_VERSION),
}
DETECTED = {
    "missing": missing(NAME),
    "1.0": found(NAME, "1.0"),
    "2.0": found(NAME, "2.0"),
    "3.0": found(NAME, "3.0"),
    "9.0": found(NAME, "9.0"),
    "broken 2.0": found(NAME, "2.0", sound=False),
}


@pytest.mark.parametrize(
    ("wanted", "finding", "expected"),
    [
        pytest.param(wanted, finding, expected, id=f"{wanted}, {name}")
        for wanted, row in TABLE.items()
        for (name, finding), expected in zip(DETECTED.items(), row, strict=True)
    ],
)
def test_software(wanted: str, finding: Finding, expected: tuple[ActionType, Reason, str | None]) -> None:
    got = decide(desire(NAME, wanted), ZIP, finding)
    assert (got.type, got.reason, got.version) == expected
    assert got.why
    assert got.error is (got.type is A.UNDETERMINED)


@pytest.mark.parametrize("wanted", TABLE)
def test_a_failed_detection_is_never_read_as_missing(wanted: str) -> None:
    got = decide(desire(NAME, wanted), ZIP, unknown(NAME, "access denied"))
    assert (got.type, got.reason, got.unknown, got.error) == (A.UNDETERMINED, R.DETECTION_FAILED, True, False)
    assert "access denied" in got.why


@pytest.mark.parametrize("version", [None, "Unknown", "n/a"])
@pytest.mark.parametrize("wanted", ["latest", "update_if_found", "2.0", ">=2.0", "<=2.0"])
def test_a_version_that_is_missing_where_the_rule_needs_one_is_unknown(wanted: str, version: str | None) -> None:
    got = decide(desire(NAME, wanted), ZIP, found(NAME, version))
    assert (got.type, got.unknown, got.error) == (A.UNDETERMINED, True, False)
    assert (version or "not known") in got.why


@pytest.mark.parametrize(
    ("wanted", "version"), [("installed", None), ("installed", "n/a"), ("Vista", "Vista"), ("absent", None)]
)
def test_where_the_rule_needs_no_version_none_has_to_be_there(wanted: str, version: str | None) -> None:
    got = decide(desire(NAME, wanted), ZIP, found(NAME, version))
    assert not got.unknown
    assert got.type is (A.UNINSTALL if wanted == "absent" else A.NONE)


def test_where_only_a_script_installs_the_latest_has_no_version_to_be_compared() -> None:
    item = software("zip", releases=(), install=Method(script=script()))
    assert decide(desire(NAME), item, found(NAME, None)).type is A.NONE


UNOFFERED: list[tuple[str, str | None, str, ActionType, bool]] = [
    ("the latest of what is not known", "3.0", "latest", A.UNDETERMINED, True),
    ("only updated where it is found, and it is", "3.0", "update_if_found", A.UNDETERMINED, True),
    ("only updated where it is found, and it is not", None, "update_if_found", A.NONE, False),
    ("missing, and the latest is wanted", None, "latest", A.UNDETERMINED, True),
    ("missing, and any version will do", None, "installed", A.INSTALL, False),
    ("there, and any version will do", "3.0", "installed", A.NONE, False),
    ("the wanted version is there", "3.0", "3.0", A.NONE, False),
    ("the wanted version is the definition's", "3.0", "2.0", A.DOWNGRADE, False),
    ("nothing known satisfies it", "3.0", ">=7.0", A.UNDETERMINED, True),
    ("to be removed", "3.0", "absent", A.UNINSTALL, False),
]


@pytest.mark.parametrize(
    ("version", "wanted", "kind", "is_unknown"), [row[1:] for row in UNOFFERED], ids=[row[0] for row in UNOFFERED]
)
def test_offers_that_could_not_be_read(version: str | None, wanted: str, kind: ActionType, is_unknown: bool) -> None:
    why = "the feed is away"
    finding = missing(NAME, unoffered=why) if version is None else found(NAME, version, unoffered=why)
    got = decide(desire(NAME, wanted), ZIP, finding)
    assert (got.type, got.unknown, got.error) == (kind, is_unknown, False)
    assert (why in got.why) is is_unknown


def test_a_wrong_definition_is_an_error_and_not_unknown() -> None:
    got = decide(desire(NAME), ZIP, Finding(NAME, "", FindingStatus.FAILED, message="its pattern"))
    assert (got.reason, got.unknown, got.error) == (R.WRONG_DEFINITION, False, True)


@pytest.mark.parametrize(
    ("repair", "wanted", "version", "expected"),
    [
        (None, "installed", "1.0", (A.REINSTALL, "1.0")),
        (Method(script=script()), "installed", "1.0", (A.REPAIR, "1.0")),
        (Method(script=script()), "2.0", "2.0", (A.REPAIR, "2.0")),
        (Method(script=script()), "2.0", "1.0", (A.REINSTALL, "2.0")),
        (Method(script=script()), "<=1.0", "3.0", (A.REINSTALL, "1.0")),
        (None, "installed", None, (A.REINSTALL, "3.0")),
        (None, "installed", "9.0", (A.REINSTALL, "3.0")),
    ],
    ids=[
        "without a way to repair it is installed again",
        "with one it is repaired",
        "also where just this version is wanted",
        "the wrong version is replaced instead",
        "a too new one is replaced too",
        "an unknown version becomes the newest",
        "a version that cannot be had becomes the newest",
    ],
)
def test_broken_software(
    repair: Method | None, wanted: str, version: str | None, expected: tuple[ActionType, str]
) -> None:
    item = software("zip", "1.0", "2.0", "3.0", repair=repair)
    got = decide(desire(NAME, wanted), item, found(NAME, version, sound=False))
    assert (got.type, got.version) == expected
    assert got.reason is R.TEST_FAILED


def test_sound_software_is_not_repaired() -> None:
    assert decide(desire(NAME, "installed"), ZIP, found(NAME, "1.0", sound=True)).type is A.NONE


def test_versions_that_the_computer_offered_count() -> None:
    offered: Any = ({"Version": "5.0", "URL": "https://example.test/zip.msi?x=1", "Hash": "ab"},)
    got = decide(desire(NAME), ZIP, found(NAME, "3.0", available=offered))
    assert got.type is A.UPDATE
    assert got.release is not None
    assert (got.release.version, got.release.sha256, got.release.type) == ("5.0", "ab", InstallerType.MSI)


WINGET = PackageManager("winget", "Example.Zip")


@pytest.mark.parametrize(
    ("item", "wanted", "architecture", "version"),
    [
        (ZIP, "latest", None, "3.0"),
        (software("zip", "1.10", "1.9"), "latest", None, "1.10"),
        (software("zip", releases=(release("2.0", architecture="arm64"), release("1.0"))), "latest", "x64", "1.0"),
        (software("zip", releases=(release("2.0", architecture="x86"), release("1.0"))), "latest", "x64", "2.0"),
        (software("zip", releases=(release("2.0", architecture="x64"), release("1.0"))), "latest", "x86", "1.0"),
        (software("zip", releases=(), package=WINGET), "latest", "x64", ""),
        (software("zip", releases=(), package=WINGET), "7.7", "x64", "7.7"),
        (software("zip", releases=(), install=Method(script=script())), "installed", None, ""),
        (software("zip", releases=(), install=Method(script=script())), "7.7", None, None),
        (software("zip", releases=()), "latest", None, None),
    ],
    ids=[
        "the newest",
        "1.10 is newer than 1.9",
        "not for another architecture",
        "32-bit runs on 64-bit",
        "64-bit does not run on 32-bit",
        "a package manager knows its latest",
        "a package manager is asked for any version",
        "a script installs what it installs",
        "a script is not trusted with a version",
        "nothing to install",
    ],
)
def test_pick(item: Software, wanted: str, architecture: str | None, version: str | None) -> None:
    got = pick(item, state(wanted), (), architecture)
    assert (None if got is None else got.version) == version


def test_of_equal_versions_the_one_for_the_architecture_is_taken() -> None:
    item = software("zip", releases=(release("2.0", architecture="x86"), release("2.0", architecture="x64")))
    got = pick(item, state("latest"), (), "x64")
    assert got is not None
    assert got.architecture == "x64"


VALUE = Finding("task/dns", "", FindingStatus.VALUE, value="1.1.1.1")


@pytest.mark.parametrize(
    ("mode", "finding", "kind", "reason"),
    [
        ("enforce", compliant("task/dns"), A.NONE, R.COMPLIANT),
        ("enforce", compliant("task/dns", yes=False), A.ENFORCE, R.NOT_COMPLIANT),
        ("audit", compliant("task/dns"), A.AUDIT, R.AUDIT),
        ("audit", compliant("task/dns", yes=False), A.AUDIT, R.AUDIT),
        ("monitor", VALUE, A.MONITOR, R.MONITOR),
        ("ignored", compliant("task/dns", yes=False), A.NONE, R.IGNORED),
        ("enforce", unknown("task/dns"), A.UNDETERMINED, R.DETECTION_FAILED),
        ("audit", unknown("task/dns"), A.UNDETERMINED, R.DETECTION_FAILED),
        ("monitor", unknown("task/dns"), A.UNDETERMINED, R.DETECTION_FAILED),
    ],
)
def test_tasks(mode: str, finding: Finding, kind: ActionType, reason: Reason) -> None:
    got = decide(desire("task/dns", mode), task("dns"), finding)
    assert (got.type, got.reason) == (kind, reason)
    assert got.why


def test_changes_of_a_task_are_its_reason() -> None:
    changes = tuple(Change(f"value {number}", None, number) for number in range(5))
    got = decide(desire("task/dns"), task("dns"), compliant("task/dns", yes=False, changes=changes))
    assert got.why == "value 0: nothing -> 0; value 1: nothing -> 1; value 2: nothing -> 2 and 2 more"
