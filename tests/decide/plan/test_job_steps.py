"""A planned action -> the jobs that do it."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.plan.job_steps import file_name, split_secrets, steps_of, uninstall_command
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import (
    Declarative,
    DisplayName,
    FileState,
    InstallerType,
    Item,
    Method,
    PackageManager,
    ProductCode,
    Release,
    ServiceState,
    UpgradeStrategy,
)
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.values import SecretRef
from tests.decide.builders import release, script, software, task
from tests.decide.steps.world import act

A = ActionType
WINGET = PackageManager("winget", "Example.App")
CODE = {"product_code": "{AAAA}"}
FOUND = Finding("software/s", "", FindingStatus.FOUND, "1.0", value={"product_code": "{AAAA}"})
PLAIN: dict[str, Any] = {"uninstall": Method()}

STEPS: list[tuple[str, ActionType, Item, list[tuple[str, str]]]] = [
    ("install by installer", A.INSTALL, software("s"), [("install", "installer")]),
    ("install by script", A.INSTALL, software("s", install=Method(script=script()), releases=()),
     [("install", "installer")]),
    ("install by package manager", A.INSTALL, software("s", package=WINGET), [("install", "installer")]),
    ("then its post-install script", A.INSTALL, software("s", post_install=script()),
     [("install", "installer"), ("post_install", "script")]),
    ("update installs over", A.UPDATE, software("s"), [("install", "installer")]),
    ("update uninstalls first", A.UPDATE, software("s", upgrade=UpgradeStrategy.UNINSTALL_FIRST, **PLAIN),
     [("uninstall", "installer"), ("install", "installer")]),
    ("update by script", A.UPDATE, software("s", upgrade=UpgradeStrategy.SCRIPT, upgrade_script=script()),
     [("upgrade", "installer")]),
    ("downgrade", A.DOWNGRADE, software("s"), [("uninstall", "script"), ("install", "installer")]),
    ("reinstall", A.REINSTALL, software("s"), [("uninstall", "script"), ("install", "installer")]),
    ("uninstall", A.UNINSTALL, software("s", **PLAIN), [("uninstall", "installer")]),
    ("uninstall by package manager", A.UNINSTALL, software("s", package=WINGET, **PLAIN), [("uninstall", "package")]),
    ("repair by script", A.REPAIR, software("s", repair=Method(script=script())), [("repair", "script")]),
    ("repair with arguments", A.REPAIR, software("s", repair=Method("/repair")), [("repair", "installer")]),
    ("a task of scripts", A.ENFORCE, task("t"), [("set", "script")]),
    ("a declared task", A.ENFORCE, task("t", body=Declarative((ServiceState("s", "running"),))), [("set", "declare")]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "item", "expected"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_steps(kind: ActionType, item: Item, expected: list[tuple[str, str]]) -> None:
    steps = steps_of(act("s", kind=kind, release=release("2.0")), item, FOUND)
    assert [(one.name, one.kind) for one in steps] == expected


def test_the_installer_is_the_pinned_one() -> None:
    (step,) = steps_of(act("s", release=release("2.0")), software("s", install=Method("/S")), None)
    assert (step.work["url"], step.work["sha256"]) == ("https://example.test/2.0.exe", "0" * 64)
    assert (step.work["arguments"], step.work["type"], step.work["file_name"]) == ("/S", "exe", "2.0.exe")


def test_arguments_of_a_version_stand_over_those_of_the_method() -> None:
    (step,) = steps_of(act("s", release=release("2.0", arguments="/quiet")), software("s", install=Method("/S")), None)
    assert step.work["arguments"] == "/quiet"


def test_repairing_uses_its_own_arguments() -> None:
    item = software("s", repair=Method("/repair"), install=Method("/S"))
    (step,) = steps_of(act("s", kind=A.REPAIR, release=release("2.0")), item, FOUND)
    assert step.work["arguments"] == "/repair"


def test_a_package_manager_installs_the_pinned_version() -> None:
    item = software("s", releases=(), package=WINGET)
    (step,) = steps_of(act("s", release=Release("7.7")), item, None)
    assert (step.kind, step.work["name"], step.work["version"]) == ("package", "Example.App", "7.7")
    (step,) = steps_of(act("s", release=Release("")), item, None)
    assert "version" not in step.work


@pytest.mark.parametrize(
    ("item", "entry", "command"),
    [
        (software("s", **PLAIN), {"product_code": "{AAAA}"}, "msiexec.exe /x {AAAA} /qn /norestart"),
        (software("s", detection=ProductCode("{BBBB}"), **PLAIN), {}, "msiexec.exe /x {BBBB} /qn /norestart"),
        (software("s", **PLAIN), {"quiet_uninstall": "un.exe /S", "uninstall": "un.exe"}, "un.exe /S"),
        (software("s", uninstall=Method("/VERYSILENT")), {"uninstall": "un.exe"}, "un.exe /VERYSILENT"),
        (software("s", **PLAIN), {}, ""),
    ],
    ids=["product code", "the definition's product code", "its quiet string", "our arguments", "no way"],
)
def test_uninstall_commands(item: Any, entry: dict[str, Any], command: str) -> None:
    assert uninstall_command(item, entry) == command


@pytest.mark.parametrize(
    ("url", "kind", "expected"),
    [
        ("https://x.test/a/App%20Setup.exe?x=1#y", InstallerType.EXE, "App_20Setup.exe"),
        ("https://x.test/download/", InstallerType.MSI, "download.msi"),
        ("https://x.test/../..", InstallerType.EXE, "s.exe"),
        (None, InstallerType.MSI, "s.msi"),
    ],
)
def test_file_names_are_safe(url: str | None, kind: InstallerType, expected: str) -> None:
    assert file_name(Release("1", url, type=kind), software("s")) == expected


def test_secrets_are_named_apart_and_never_in_the_work() -> None:
    params: dict[str, Any] = {"key": SecretRef("env:KEY"), "deep": [SecretRef("env:KEY")], "plain": 1}
    plain, secrets = split_secrets(params)
    assert plain == {"deep": [None], "plain": 1}
    assert secrets == {"key": SecretRef("env:KEY")}
    (step,) = steps_of(act("t", params=params), task("t"), None)
    assert "env:KEY" not in str(step.work)
    assert step.secrets == secrets


def test_declared_resources_are_filled_from_parameters() -> None:
    item = task("t", body=Declarative((FileState("/etc/{{ params.name }}", "x"),)))
    (step,) = steps_of(act("t", params={"name": "motd"}), item, None)
    resources: Any = step.work["resources"]
    assert [(one["resource"], one["path"]) for one in resources] == [("file", "/etc/motd")]


def test_what_could_not_be_read_is_not_set_with_the_rest() -> None:
    item = task("t", body=Declarative((FileState("/a", "x"), FileState("/b", "x"))))
    finding = Finding("task/t", "", FindingStatus.NOT_COMPLIANT, unread=("file /a",))
    (step,) = steps_of(act("t"), item, finding)
    resources: Any = step.work["resources"]
    assert [one["path"] for one in resources] == ["/b"]


def test_an_uninstall_script_gets_the_entry_that_was_found() -> None:
    (step,) = steps_of(act("s", kind=A.UNINSTALL), software("s", detection=DisplayName("s")), FOUND)
    assert step.work["params"] == {"uninstall_entry": CODE}
