"""A planned action -> the jobs that do it, as data for the wire; pure.

An action has one or more steps (an update by `uninstall_first` uninstalls, then installs), each a job of its own.
Secret parameters are left out of the work and named apart: the session reveals them when the job is started.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.decide.detect.compare_resources import name_of
from immy_nornir.decide.detect.detection import wire_value
from immy_nornir.decide.detect.expand_params import concrete
from immy_nornir.model.facts import Finding
from immy_nornir.model.items import (
    Declarative,
    DisplayName,
    FileState,
    FileVersion,
    InstallerType,
    Item,
    PackageManager,
    PackageState,
    ProductCode,
    RegistryValue,
    Release,
    Resource,
    Script,
    Scripts,
    ServiceState,
    Software,
    Task,
    UpgradeStrategy,
)
from immy_nornir.model.plan import PlannedAction
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.values import Json, SecretRef, Value


@dataclass(frozen=True, slots=True)
class Step:
    """One job's work: `kind` and `work` as docs/wire.md says; `secrets` are parameters to reveal at the last moment."""

    name: str
    kind: str
    work: Mapping[str, Json]
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)


def missing_method(action: PlannedAction, item: Item, finding: Finding) -> str:
    """Why an action has no way of being done, or nothing."""
    if isinstance(item, Task):
        if isinstance(item.body, Scripts) and item.body.set is None:
            return "the task has no 'set' script"
        return ""
    manager = _manager(item)
    first = action.type is ActionType.UPDATE and item.upgrade is UpgradeStrategy.UNINSTALL_FIRST
    removes = first or action.type in (ActionType.UNINSTALL, ActionType.REINSTALL, ActionType.DOWNGRADE)
    entry = finding.value if isinstance(finding.value, dict) else {}
    if removes and item.uninstall.script is None and manager is None and not uninstall_command(item, entry):
        return "there is no uninstall script, and its uninstall entry names no command to remove it with"
    scripts = {
        ActionType.REPAIR: item.repair.script if item.repair is not None else None,
        ActionType.UPDATE: None if first else item.upgrade_script,
    }
    if action.type is ActionType.UNINSTALL or scripts.get(action.type) is not None:
        return ""
    has_file = action.release is not None and action.release.url is not None
    if manager is not None or item.install.script is not None or has_file:
        return ""
    return "there is no url, package manager or install script to install it with"


def steps_of(action: PlannedAction, item: Item, finding: Finding | None) -> tuple[Step, ...]:
    """The jobs of an action, in order; at least one for an action that changes."""
    if isinstance(item, Software):
        return tuple(_software_steps(action, item, finding))
    match item.body:
        case Scripts(set=script) if script is not None:
            return (_script_step("set", script, action.params),)
        case Declarative() as body:
            unread = finding.unread if finding is not None else ()
            declared = concrete(body, action.params).resources
            resources: list[Json] = [_resource(one) for one in declared if name_of(one) not in unread]
            return (Step("set", "declare", {"resources": resources}),)
        case _:
            return ()


def _software_steps(action: PlannedAction, item: Software, finding: Finding | None) -> list[Step]:
    steps: list[Step] = []
    match action.type:
        case ActionType.UNINSTALL:
            return [_uninstall(action, item, finding)]
        case ActionType.REPAIR if item.repair is not None and item.repair.script is not None:
            return [_script_step("repair", item.repair.script, action.params, action.release)]
        case ActionType.REPAIR if item.repair is not None and item.repair.arguments is not None:
            return [_repair(action, item, item.repair.arguments)]
        case ActionType.REINSTALL | ActionType.DOWNGRADE:
            steps = [_uninstall(action, item, finding), _install(action, item)]
        case ActionType.UPDATE if item.upgrade is UpgradeStrategy.UNINSTALL_FIRST:
            steps = [_uninstall(action, item, finding), _install(action, item)]
        case ActionType.UPDATE if item.upgrade_script is not None:
            steps = [_script_step("upgrade", item.upgrade_script, action.params, action.release, item)]
        case _:
            steps = [_install(action, item)]
    if item.post_install is not None:
        steps.append(_script_step("post_install", item.post_install, action.params, action.release))
    return steps


def _manager(item: Software) -> PackageManager | None:
    if item.package is not None:
        return item.package
    return item.detection if isinstance(item.detection, PackageManager) else None


def _install(action: PlannedAction, item: Software) -> Step:
    release = action.release
    manager = _manager(item)
    if item.install.script is not None:
        return _script_step("install", item.install.script, action.params, release, item)
    if manager is not None and (release is None or release.url is None):
        work: dict[str, Json] = {"manager": manager.manager, "name": manager.name, "action": "install"}
        if release is not None and release.version:
            work["version"] = release.version
        work["expect"] = _expect(item, release)
        return Step("install", "package", work)
    return Step("install", "installer", _installer(release or Release(""), item))


def _repair(action: PlannedAction, item: Software, arguments: str) -> Step:
    """Repaired by its installer, started with arguments of its own."""
    release = dataclasses.replace(action.release or Release(""), arguments=arguments)
    return Step("repair", "installer", _installer(release, item))


def _installer(release: Release, item: Software) -> dict[str, Json]:
    arguments = release.arguments if release.arguments is not None else item.install.arguments
    work: dict[str, Json] = {
        "url": release.url,
        "sha256": release.sha256,
        "file_name": file_name(release, item),
        "type": release.type.value,
        "arguments": arguments or "",
        "uninstall": False,
        "expect": _expect(item, release),
    }
    return work


def file_name(release: Release, item: Software) -> str:
    """A safe name for the downloaded installer: from the url, else from the item."""
    name = (release.url or "").split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")
    ending = {InstallerType.MSI: ".msi", InstallerType.EXE: ".exe", InstallerType.SCRIPT: ""}[release.type]
    if not name:
        name = f"{item.name}{ending}"
    return name if name.lower().endswith(ending) else name + ending


def _expect(item: Software, release: Release | None) -> dict[str, Json]:
    expect: dict[str, Json] = {"version": release.version if release else None, "publisher": item.publisher or None}
    match item.detection:
        case DisplayName(pattern, regex, publisher):
            expect["display_name"] = item.title if regex else pattern
            if publisher and "*" not in publisher:
                expect["publisher"] = publisher
        case ProductCode(code):
            expect |= {"display_name": item.title, "product_code": code}
        case FileVersion(path):
            expect["file"] = path
        case _:
            expect["display_name"] = item.title
    return expect


def _uninstall(action: PlannedAction, item: Software, finding: Finding | None) -> Step:
    entry = finding.value if finding is not None and isinstance(finding.value, dict) else {}
    manager = _manager(item)
    if item.uninstall.script is not None:
        params: dict[str, Value] = {**action.params, "uninstall_entry": entry}
        return _script_step("uninstall", item.uninstall.script, params)
    if manager is not None:
        work: dict[str, Json] = {"manager": manager.manager, "name": manager.name, "action": "uninstall"}
        return Step("uninstall", "package", work)
    command = uninstall_command(item, entry)
    return Step(
        "uninstall", "installer", {"uninstall": True, "command": command, "expect": _expect(item, action.release)}
    )


def uninstall_command(item: Software, entry: Mapping[str, Json]) -> str:
    """The command that removes a software silently: by product code, its own quiet string, or with our arguments."""
    code = entry.get("product_code")
    if isinstance(item.detection, ProductCode):
        code = code or item.detection.code
    if isinstance(code, str) and code:
        return f"msiexec.exe /x {code} /qn /norestart {item.uninstall.arguments or ''}".strip()
    quiet = entry.get("quiet_uninstall")
    if isinstance(quiet, str) and quiet and item.uninstall.arguments is None:
        return quiet
    plain = entry.get("uninstall") or quiet
    return f"{plain} {item.uninstall.arguments or ''}".strip() if isinstance(plain, str) else ""


def _script_step(
    name: str,
    script: Script,
    params: Mapping[str, Value],
    release: Release | None = None,
    item: Software | None = None,
) -> Step:
    plain, secrets = split_secrets(params)
    if release is not None:
        about = {key: value for key, value in dataclasses.asdict(release).items() if value is not None}
        plain.setdefault("release", {**about, "type": release.type.value})
    work: dict[str, Json] = {"script": script.text, "language": script.language.value, "params": plain}
    if item is not None:
        work["expect"] = _expect(item, release)
    if release is not None and release.url is not None and name in ("install", "upgrade") and item is not None:
        return Step(name, "installer", {**_installer(release, item), **work}, secrets)
    return Step(name, "script", work, secrets)


def split_secrets(params: Mapping[str, Value]) -> tuple[dict[str, Json], dict[str, SecretRef]]:
    """Parameters as JSON, and the top-level ones that are references; a reference deeper inside becomes null."""
    plain: dict[str, Json] = {}
    secrets: dict[str, SecretRef] = {}
    for name, value in params.items():
        if isinstance(value, SecretRef):
            secrets[name] = value
        else:
            plain[name] = wire_value(value)
    return plain, secrets


def _resource(resource: Resource) -> Json:
    match resource:
        case RegistryValue():
            kind = "registry"
        case ServiceState():
            kind = "service"
        case FileState():
            kind = "file"
        case PackageState():
            kind = "package"
    fields = {one.name: wire_value(getattr(resource, one.name)) for one in dataclasses.fields(resource)}
    return {"resource": kind, **fields}
