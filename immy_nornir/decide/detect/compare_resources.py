"""A declared resource against what the computer said of it: before, after, and whether they agree; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from immy_nornir.decide import versions
from immy_nornir.decide.detect.reading_results import Answers, DetectionError, answer_of, as_map, as_text
from immy_nornir.model.items import FileState, PackageState, RegistryValue, Resource, ServiceState
from immy_nornir.model.values import Json, Value

Compared = tuple[str, Json, Json, bool]


def compare(resource: Resource, answers: Answers) -> Compared:
    """(name of the property, value before, value wanted, whether they agree)."""
    match resource:
        case RegistryValue():
            return _compare_registry(resource, answers)
        case ServiceState():
            return _compare_service(resource, answers)
        case FileState():
            return _compare_file(resource, answers)
        case PackageState():
            return _compare_package(resource, answers)


def _compare_registry(resource: RegistryValue, answers: Answers) -> Compared:
    name = f"{resource.key}\\{resource.name or '(default)'}"
    row = answers.registry_row(resource)
    users = row.get("users")
    wanted: Json = None if resource.absent else registry_value(resource)
    found = list(users.values()) if isinstance(users, dict) and _per_user(resource) else [row]
    states: list[Json] = []
    same = True
    for one in found:
        state = as_map(one, "registry")
        exists = bool(state.get("exists"))
        value = state.get("value") if exists else None
        states.append(value)
        if resource.absent:
            same = same and not exists
        else:
            kind = str(state.get("type") or "").lower()
            same = same and exists and value == wanted and kind in ("", resource.type.lower())
    before = states[0] if len(states) == 1 else states
    return name, before, wanted, same


def _per_user(resource: RegistryValue) -> bool:
    return resource.every_user or resource.key.upper().startswith(("HKCU", "HKEY_CURRENT_USER"))


def registry_value(resource: RegistryValue) -> Json:
    """The wanted value in the form in which the wire reports it."""
    kind = resource.type.lower()
    value = resource.value
    if kind in ("dword", "qword"):
        return _whole_number(resource.name, value)
    if kind == "multistring":
        return (
            [str(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]
        )
    return "" if value is None else str(value)


def _whole_number(name: str, value: Value) -> int:
    if isinstance(value, bool | int):
        return int(value)
    text = str(value).strip().lower()
    try:
        return int(text, 16) if text.startswith("0x") else int(text)
    except ValueError:
        raise DetectionError(f"'{value}' is no whole number, which the registry value {name} has to be") from None


def _compare_service(resource: ServiceState, answers: Answers) -> Compared:
    state = as_map(answer_of(answers, "service"), "service").get(resource.name)
    wanted: dict[str, Json] = {}
    if resource.state is not None:
        wanted["state"] = resource.state
    if resource.startup is not None:
        wanted["startup"] = resource.startup
    if not isinstance(state, dict):
        raise DetectionError(f"there is no service '{resource.name}' on this computer")
    before: dict[str, Json] = {key: state.get(key) for key in wanted}
    return f"service {resource.name}", before, wanted, before == wanted


def _compare_file(resource: FileState, answers: Answers) -> Compared:
    state = as_map(answer_of(answers, "file"), "file").get(resource.path)
    name = f"file {resource.path}"
    if resource.absent:
        return name, "present" if isinstance(state, dict) else "absent", "absent", not isinstance(state, dict)
    wanted: dict[str, Json] = {}
    if resource.content is not None:
        wanted["sha256"] = hashlib.sha256(resource.content.encode()).hexdigest()
    if resource.mode is not None:
        wanted["mode"] = resource.mode.lstrip("0") or "0"
    if not isinstance(state, dict):
        return name, None, wanted, False
    before: dict[str, Json] = {}
    for key in wanted:
        value = state.get(key)
        before[key] = (str(value).lstrip("0") or "0") if key == "mode" and value is not None else value
    return name, before, wanted, before == wanted


def _compare_package(resource: PackageState, answers: Answers) -> Compared:
    state = as_map(answer_of(answers, f"packages:{resource.manager}"), "packages").get(resource.name)
    known = state if isinstance(state, dict) else {}
    installed = as_text(known.get("installed"))
    candidate = as_text(known.get("candidate"))
    name = f"package {resource.name}"
    match resource.state:
        case "absent":
            return name, installed, None, installed is None
        case "present":
            return name, installed, installed or candidate or "present", installed is not None
        case "latest":
            newer = installed is None or (
                candidate is not None and versions.compare(installed, candidate, _scheme(resource)) < 0
            )
            return name, installed, candidate or "latest", not newer
        case exact:
            same = installed is not None and versions.compare(installed, exact, _scheme(resource)) == 0
            return name, installed, exact, same


def _scheme(resource: PackageState) -> str:
    return "debian" if resource.manager == "apt" else "windows"
