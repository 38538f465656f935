"""A declared resource against what the computer said of it: before, after, and whether they agree; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from immy_nornir.decide import versions
from immy_nornir.decide.detect.find_software import installed_version
from immy_nornir.decide.detect.reading_results import (
    Answers,
    DetectionError,
    WrongDefinitionError,
    as_text,
    element,
    element_of,
)
from immy_nornir.model.items import FileState, PackageState, RegistryValue, Resource, ServiceState
from immy_nornir.model.values import Json, Value
from immy_nornir.text.plain import plain

Compared = tuple[str, Json, Json, bool]


def compare(resource: Resource, answers: Answers) -> Compared:
    """(name of the property, value before, value wanted, whether they agree).

    Raises: DetectionError where that cannot be told, WrongDefinitionError where it could be told of no computer.
    """
    match resource:
        case RegistryValue():
            return _compare_registry(resource, answers)
        case ServiceState():
            return _compare_service(resource, answers)
        case FileState():
            return _compare_file(resource, answers)
        case PackageState():
            return _compare_package(resource, answers)


def name_of(resource: Resource) -> str:
    """What a resource is called among the changes."""
    match resource:
        case RegistryValue(key, name):
            return f"{key}\\{name or '(default)'}"
        case ServiceState(name):
            return f"service {name}"
        case FileState(path):
            return f"file {path}"
        case PackageState(name):
            return f"package {name}"


def _compare_registry(resource: RegistryValue, answers: Answers) -> Compared:
    wanted: Json = None if resource.absent else registry_value(resource)
    states: list[Json] = []
    unknown: list[str] = []
    same = True
    for user, one in _values(resource, answers):
        try:
            value, agrees = _state(resource, one, wanted)
        except DetectionError as error:
            unknown.append(f"{user}: {error}" if user else str(error))
            continue
        states.append(value)
        same = same and agrees
    if same and unknown:  # one that is known to be otherwise settles the matter
        raise DetectionError("; ".join(unknown))
    before = states[0] if len(states) == 1 else states
    return name_of(resource), before, wanted, same


def _values(resource: RegistryValue, answers: Answers) -> list[tuple[str, Json]]:
    """(user, what was read) for each place where the value counts; the user is empty for the computer's own."""
    row = answers.registry_row(resource)
    if not _per_user(resource):
        return [("", row)]
    users = row.get("users")
    if not isinstance(users, dict):
        if resource.every_user:
            raise DetectionError("the answer does not speak of users")
        return [("", row)]
    if not users:
        raise DetectionError("nobody's part of the registry is loaded, so that there is no user to judge it by")
    return list(users.items())


def _state(resource: RegistryValue, read: Json, wanted: Json) -> tuple[Json, bool]:
    state = element(read, "registry")
    exists = state.get("exists")
    if not isinstance(exists, bool):
        raise DetectionError("the answer does not say whether the value exists")
    value = state.get("value") if exists else None
    if resource.absent:
        return value, not exists
    kind = str(state.get("type") or "").lower()
    return value, exists and value == wanted and kind in ("", resource.type.lower())


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
        why = f"'{plain(value)}' is no whole number, which the registry value {name} has to be"
        raise WrongDefinitionError(why) from None


def _compare_service(resource: ServiceState, answers: Answers) -> Compared:
    wanted: dict[str, Json] = {}
    if resource.state is not None:
        wanted["state"] = resource.state
    if resource.startup is not None:
        wanted["startup"] = resource.startup
    state = element_of(answers, "service", resource.name)
    if state is None:
        return name_of(resource), "there is no such service", wanted, False
    before = {key: _property(state, key) for key in wanted}
    return name_of(resource), before, wanted, before == wanted


def _property(read: Mapping[str, Json], name: str) -> Json:
    if read.get(name) is None:
        raise DetectionError(f"its {name} is not known")
    return read[name]


def _compare_file(resource: FileState, answers: Answers) -> Compared:
    state = element_of(answers, "file", resource.path)
    name = name_of(resource)
    if resource.absent:
        return name, "absent" if state is None else "present", "absent", state is None
    wanted: dict[str, Json] = {}
    if resource.content is not None:
        wanted["sha256"] = hashlib.sha256(resource.content.encode()).hexdigest()
    if resource.mode is not None:
        wanted["mode"] = resource.mode.lstrip("0") or "0"
    if state is None:
        return name, None, wanted, False
    before: dict[str, Json] = {}
    for key in wanted:
        if key == "mode":
            before[key] = str(_property(state, key)).lstrip("0") or "0"
        elif state.get(f"{key}_error") or key not in state:
            raise DetectionError(str(state.get(f"{key}_error") or f"its {key} is not known"))
        else:
            before[key] = state[key]  # a folder has none
    return name, before, wanted, before == wanted


def _compare_package(resource: PackageState, answers: Answers) -> Compared:
    installed = installed_version(answers, resource.manager, resource.name)
    state = element_of(answers, f"packages:{resource.manager}", resource.name) or {}
    candidate = as_text(state.get("candidate"))
    name = name_of(resource)
    match resource.state:
        case "absent":
            return name, installed, None, installed is None
        case "present":
            return name, installed, installed or candidate or "present", installed is not None
        case "latest":
            return name, installed, candidate or "latest", _is_latest(resource, installed, candidate, state)
        case exact:
            same = installed is not None and (installed == exact or _order(resource, installed, exact) == 0)
            return name, installed, exact, same


def _is_latest(resource: PackageState, installed: str | None, candidate: str | None, state: Mapping[str, Json]) -> bool:
    if installed is None:
        return False
    if state.get("candidate_error"):
        raise DetectionError(str(state["candidate_error"]))
    return candidate is None or _order(resource, installed, candidate) >= 0


def _order(resource: PackageState, installed: str, other: str) -> int:
    if not versions.is_known(installed):
        raise DetectionError(f"the installed version is '{installed}', which cannot be compared with {other}")
    return versions.compare(installed, other, _scheme(resource))


def _scheme(resource: PackageState) -> str:
    return "debian" if resource.manager == "apt" else "windows"
