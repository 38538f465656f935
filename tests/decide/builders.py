"""Short ways to make the values that decisions are made from; every field that a test does not name is harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.decide.plan.make_plan import Planning, make_plan
from immy_nornir.decide.resolve.desires import parse_state
from immy_nornir.model.deployments import Deployment, Desired, Scope, TaskMode
from immy_nornir.model.facts import Boot, Finding, FindingStatus, Identity
from immy_nornir.model.inventory import Computer, Group, Inventory
from immy_nornir.model.items import (
    DisplayName,
    Item,
    ItemKind,
    Language,
    Library,
    Method,
    Platform,
    Prerequisite,
    Release,
    Script,
    Scripts,
    Software,
    Task,
)
from immy_nornir.model.places import Place
from immy_nornir.model.plan import Desire, Plan, Request, RequestKind
from immy_nornir.model.playbooks import MaintenanceType, Options

FULL = BUILT_IN_TYPES["full"]
PLACE = Place("here.yml", 1)


def script(name: str = "script.ps1", text: str = "1") -> Script:
    return Script(name, text, Language.POWERSHELL)


def software(name: str, *versions: str, **more: Any) -> Software:
    """A software whose releases can be downloaded; `needs` are prerequisites, `name` or `name state`."""
    needs: Sequence[str] = more.pop("needs", ())
    fields: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "platform": Platform.WINDOWS,
        "detection": DisplayName(name),
        "place": PLACE,
        "releases": tuple(release(version) for version in versions or ("1.0",)),
        "uninstall": Method(script=script("uninstall.ps1")),
        "prerequisites": tuple(_prerequisite(need) for need in needs),
    }
    return Software(**{**fields, **more})


def prerequisite_of(by: str) -> Request:
    return Request(RequestKind.PREREQUISITE, by)


def configuration_of(by: str) -> Request:
    return Request(RequestKind.CONFIGURATION, by)


def _prerequisite(text: str) -> Prerequisite:
    item, _, wants = text.partition(" ")
    return Prerequisite(item, wants or "installed")


def release(version: str, **more: Any) -> Release:
    return Release(version, f"https://example.test/{version}.exe", "0" * 64, **more)


def task(name: str, **more: Any) -> Task:
    needs: Sequence[str] = more.pop("needs", ())
    fields: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "platform": Platform.WINDOWS,
        "body": Scripts(script("get.ps1"), script("test.ps1"), script("set.ps1")),
        "place": PLACE,
        "prerequisites": tuple(_prerequisite(need) for need in needs),
    }
    return Task(**{**fields, **more})


def library(*items: Item) -> Library:
    return Library({one.reference: {one.platform: one} for one in items})


def desire(item: str, wants: str = "", **more: Any) -> Desire:
    """A desire with a deployment of its own; `wants` is a state of software or a mode of a task."""
    kind = ItemKind(item.partition("/")[0])
    fields: dict[str, Any] = {"item": item, "kind": kind, "definition": item, "deployment": "deployments.yml:1"}
    if kind is ItemKind.SOFTWARE:
        fields["desired"] = parse_state(wants or "latest")
    else:
        fields["mode"] = TaskMode(wants or "enforce")
    return Desire(**{**fields, **more})


def found(item: str, version: str | None = "1.0", **more: Any) -> Finding:
    return Finding(item, more.pop("instance", ""), FindingStatus.FOUND, version, **more)


def missing(item: str, **more: Any) -> Finding:
    return Finding(item, more.pop("instance", ""), FindingStatus.NOT_FOUND, **more)


def compliant(item: str, yes: bool = True, **more: Any) -> Finding:
    status = FindingStatus.COMPLIANT if yes else FindingStatus.NOT_COMPLIANT
    return Finding(item, more.pop("instance", ""), status, **more)


def unknown(item: str, message: str = "the script raised") -> Finding:
    return Finding(item, "", FindingStatus.UNKNOWN, message=message)


def identity(boot: str = "1", *, pending: Sequence[str] = (), users: Sequence[str] = (), **system: Any) -> Identity:
    return Identity(
        "PC1",
        "corp",
        "uuid-1",
        "smbios",
        boot=Boot(boot),
        pending_reboots=tuple(pending),
        users=tuple(users),
        system={"architecture": "x64", **system},
    )


def plan(
    items: Sequence[Item],
    desires: Sequence[Desire],
    findings: Sequence[Finding],
    *,
    kind: MaintenanceType = FULL,
    options: Options | None = None,
    **more: Any,
) -> Plan:
    """The plan of one computer; definitions are named by their references."""
    by_id = {f"{one.item}#{one.instance}" if one.instance else one.item: one for one in findings}
    definitions: Mapping[str, Item] = {one.reference: one for one in items}
    who = more.pop("identity", identity())
    return make_plan(Planning(kind, options or Options(), who, tuple(desires), definitions, by_id, **more))


def deployment(item: str, wants: str = "", line: int = 1, **more: Any) -> Deployment:
    """A rule that stands in line `line` of deployments.yml."""
    fields: dict[str, Any] = {"item": item, "target": "all", "place": Place("deployments.yml", line)}
    if item.startswith("software/"):
        fields["state"] = parse_state(wants or "latest")
    else:
        fields["mode"] = TaskMode(wants or "enforce")
    return Deployment(**{**fields, **more})


def state(text: str) -> Desired:
    return parse_state(text)


def inventory(*names: str, **groups: Sequence[str]) -> Inventory:
    computers = {
        name: Computer(name, groups=("all", *(group for group, members in groups.items() if name in members)))
        for name in names
    }
    made = {name: Group(name, computers=tuple(members)) for name, members in groups.items()}
    return Inventory(computers, {"all": Group("all", tuple(groups), tuple(names)), **made})


COMPUTER, TENANT, ALL = Scope.COMPUTER, Scope.TENANT, Scope.ALL
