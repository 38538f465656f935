"""Desires -> the reading operations that detect them, and answers -> findings; both pure.

Installed software is enumerated once and matched here; the resources of all declarative tasks travel in one
operation a kind; only scripts have an operation each. Sending is the session's work.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.decide import versions
from immy_nornir.decide.concrete import concrete
from immy_nornir.errors import ImmyError
from immy_nornir.model.deployments import StateKind, TaskMode
from immy_nornir.model.facts import Change, Finding, FindingStatus
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
    Script,
    Scripts,
    ServiceState,
    Software,
    Task,
    UpgradeCode,
)
from immy_nornir.model.plan import Desire
from immy_nornir.model.values import Json, SecretRef, Value
from immy_nornir.model.wire import Answer, AnswerStatus, Read, ReadOperation

Wanted = Sequence[tuple[Desire, Item]]


class _DetectionError(Exception):
    """One item cannot be judged; the text becomes its finding."""


@dataclass(frozen=True, slots=True)
class Detection:
    """The operations of one request and how their answers are read."""

    operations: tuple[ReadOperation, ...]
    wanted: tuple[tuple[Desire, Item], ...]
    registry: tuple[tuple[str, str], ...] = ()

    def findings(self, answers: Mapping[str, Answer]) -> tuple[Finding, ...]:
        """One finding for each desire, in order; an item whose operation failed gets a failed finding of its own."""
        view = _Answers(answers, self.registry)
        return tuple(_finding(desire, item, view) for desire, item in self.wanted)


def detect(wanted: Wanted) -> Detection:
    """The detection of these desires with their definitions; secrets in parameters are refused item by item, later."""
    operations: dict[str, ReadOperation] = {}
    batches: dict[str, dict[str, None]] = {}
    registry: dict[tuple[str, str], None] = {}
    for desire, item in wanted:
        for need in _needs(desire, item):
            match need:
                case ReadOperation():
                    operations[need.id] = need
                case (str() as batch, str() as name):
                    batches.setdefault(batch, {})[name] = None
                case (str() as key, str() as name, _):
                    registry[(key, name)] = None
    return Detection((*_batched(batches, registry), *operations.values()), tuple(wanted), tuple(registry))


def _batched(batches: Mapping[str, Mapping[str, None]], registry: Iterable[tuple[str, str]]) -> list[ReadOperation]:
    found: list[ReadOperation] = []
    for batch, names in batches.items():
        listed: list[Json] = list(names)
        if batch == "software":
            found.append(ReadOperation("software", Read.SOFTWARE, timeout_seconds=120))
        elif batch == "service":
            found.append(ReadOperation("service", Read.SERVICE, {"names": listed}))
        elif batch == "file":
            found.append(ReadOperation("file", Read.FILE, {"paths": listed}))
        elif batch.startswith("packages:"):
            params: dict[str, Json] = {"manager": batch.partition(":")[2], "names": listed}
            found.append(ReadOperation(batch, Read.PACKAGES, params, timeout_seconds=180))
        elif batch == "driver":
            found.extend(ReadOperation(f"driver:{name}", Read.DRIVER, {"name": name}) for name in names)
    values: list[Json] = [{"key": key, "name": name} for key, name in registry]
    if values:
        found.append(ReadOperation("registry", Read.REGISTRY, {"values": values}))
    return found


# A need: an operation of its own, (batch, name), or (registry key, value name, None).
Need = ReadOperation | tuple[str, str] | tuple[str, str, None]


def _needs(desire: Desire, item: Item) -> list[Need]:
    try:
        if isinstance(item, Software):
            return _software_needs(desire, item)
        return _task_needs(desire, item)
    except (ImmyError, _DetectionError):
        return []  # said again, as this item's finding, when the answers are read


def _software_needs(desire: Desire, item: Software) -> list[Need]:
    needs: list[Need] = []
    match item.detection:
        case DisplayName() | ProductCode() | UpgradeCode():
            needs.append(("software", ""))
        case FileVersion(path):
            needs.append(("file", path))
        case PackageManager(manager, name):
            needs.append((f"packages:{manager}", name))
        case DriverVersion(name):
            needs.append(("driver", name))
        case DetectScript(script):
            needs.append(_script(desire, script, "detect"))
    if item.package is not None:
        needs.append((f"packages:{item.package.manager}", item.package.name))
    if item.versions_script is not None and _wants_versions(desire):
        needs.append(_script(desire, item.versions_script, "versions"))
    if item.test is not None:
        needs.append(_script(desire, item.test, "test"))
    return needs


def _wants_versions(desire: Desire) -> bool:
    return desire.desired is not None and desire.desired.kind not in (StateKind.ABSENT, StateKind.IGNORED)


def _task_needs(desire: Desire, item: Task) -> list[Need]:
    match item.body:
        case Scripts(get=get, test=test):
            chosen = get if desire.mode is TaskMode.MONITOR else test
            purpose = "get" if desire.mode is TaskMode.MONITOR else "test"
            return [] if chosen is None else [_script(desire, chosen, purpose)]
        case Declarative() as body:
            return [_resource_need(resource) for resource in concrete(body, desire.params).resources]


def _resource_need(resource: Resource) -> Need:
    match resource:
        case RegistryValue():
            return (resource.key, resource.name, None)
        case ServiceState(name):
            return ("service", name)
        case FileState(path):
            return ("file", path)
        case PackageState(name, manager):
            return (f"packages:{manager}", name)


def _script(desire: Desire, script: Script, purpose: str) -> ReadOperation:
    params: dict[str, Json] = {"params": wire_params(desire.params), "purpose": purpose, "item": desire.item}
    return ReadOperation(
        f"{purpose}:{desire.id}", Read.SCRIPT, params, script.text, script.language, script.timeout_seconds
    )


def wire_params(params: Mapping[str, Value]) -> dict[str, Json]:
    """Parameters as JSON data; a secret reference becomes null, since detection never needs a value."""
    return {name: _wire(value) for name, value in params.items()}


def _wire(value: Value) -> Json:
    if isinstance(value, SecretRef):
        return None  # a detection script sees that the parameter exists, never its value
    if isinstance(value, Mapping):
        return {key: _wire(child) for key, child in value.items()}
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [_wire(child) for child in value]


# --- answers -> findings -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answers:
    by_id: Mapping[str, Answer]
    registry: tuple[tuple[str, str], ...]
    """The registry values that were asked for, in the order of the answer's rows."""

    def registry_row(self, resource: RegistryValue) -> dict[str, Json]:
        rows = _answer(self, "registry")
        index = self.registry.index((resource.key, resource.name))
        if not isinstance(rows, list) or index >= len(rows):
            raise _DetectionError("the registry's answer is cut off")
        return _map(rows[index], "registry")


def _finding(desire: Desire, item: Item, answers: _Answers) -> Finding:
    try:
        if isinstance(item, Software):
            return _software_finding(desire, item, answers)
        return _task_finding(desire, item, answers)
    except _DetectionError as error:
        return Finding(desire.item, desire.instance, FindingStatus.FAILED, message=str(error))
    except ImmyError as error:
        return Finding(desire.item, desire.instance, FindingStatus.FAILED, message=error.message)
    except re.error as error:
        return Finding(desire.item, desire.instance, FindingStatus.FAILED, message=f"its pattern: {error}")


def _answer(answers: _Answers, operation: str) -> Json:
    answer = answers.by_id.get(operation)
    if answer is None:
        raise _DetectionError(f"the operation {operation} was not answered")
    match answer.status:
        case AnswerStatus.OK:
            return answer.result
        case AnswerStatus.FAILED:
            raise _DetectionError(answer.error or f"{operation} failed")
        case AnswerStatus.TIMED_OUT:
            raise _DetectionError(f"{operation} did not end within its time-out and was ended")
        case AnswerStatus.DIED:
            raise _DetectionError(f"{operation} ended the whole process: {answer.error}")


def _map(value: Json, what: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise _DetectionError(f"{what} answered something else than a map: {value!r:.80}")
    return value


def _text(value: Json) -> str | None:
    return None if value is None else str(value).strip() or None


def _software_finding(desire: Desire, item: Software, answers: _Answers) -> Finding:
    version, entry, present = _installed(desire, item, answers)
    available: list[Mapping[str, Json]] = []
    if item.package is not None and item.detection != item.package:
        available.extend(_candidate(item.package, answers))
    elif isinstance(item.detection, PackageManager):
        available.extend(_candidate(item.detection, answers))
    if item.versions_script is not None and _wants_versions(desire):
        offered = _answer(answers, f"versions:{desire.id}")
        listed = offered if isinstance(offered, list) else [] if offered is None else [offered]
        available.extend(one for one in listed if isinstance(one, dict) and one.get("version") is not None)
    sound: bool | None = None
    if item.test is not None and present:
        sound = _verdict(_answer(answers, f"test:{desire.id}"))
    status = FindingStatus.FOUND if present else FindingStatus.NOT_FOUND
    return Finding(desire.item, desire.instance, status, version, tuple(available), sound, entry)


def _candidate(manager: PackageManager, answers: _Answers) -> list[Mapping[str, Json]]:
    answer = _map(_answer(answers, f"packages:{manager.manager}"), "packages").get(manager.name)
    candidate = _text(answer.get("candidate")) if isinstance(answer, dict) else None
    return [{"version": candidate}] if candidate else []


def _installed(desire: Desire, item: Software, answers: _Answers) -> tuple[str | None, dict[str, Json] | None, bool]:
    """(version, the entry that says how to remove it, whether it is there)."""
    match item.detection:
        case PackageManager(manager, name):
            answer = _map(_answer(answers, f"packages:{manager}"), "packages").get(name)
            version = _text(answer.get("installed")) if isinstance(answer, dict) else None
            return version, None, version is not None
        case FileVersion(path):
            answer = _map(_answer(answers, "file"), "file").get(path)
            there = isinstance(answer, dict)
            return (_text(answer.get("version")) if isinstance(answer, dict) else None), None, there
        case DriverVersion(name):
            version = _text(_map(_answer(answers, f"driver:{name}"), "driver").get("version"))
            return version, None, version is not None
        case DetectScript():
            result = _answer(answers, f"detect:{desire.id}")
            version = _text(result) if not isinstance(result, bool) else None
            return version, None, result not in (None, "", False)
        case DisplayName() | ProductCode() | UpgradeCode() as how:
            entries = _answer(answers, "software")
            if not isinstance(entries, list):
                raise _DetectionError("the enumeration of software is not a list")
            matching = [entry for entry in entries if isinstance(entry, dict) and matches(how, entry)]
            if not matching:
                return None, None, False
            best = max(
                matching, key=lambda entry: versions.key(_text(entry.get("version")) or "0", item.version_scheme)
            )
            return _text(best.get("version")), best, True


def matches(how: DisplayName | ProductCode | UpgradeCode, entry: Mapping[str, Json]) -> bool:
    """Whether an uninstall entry is the software that `how` describes; names compare without case."""
    match how:
        case ProductCode(code):
            return (_text(entry.get("product_code")) or "").lower() == code.lower()
        case UpgradeCode(code):
            return (_text(entry.get("upgrade_code")) or "").lower() == code.lower()
        case DisplayName(pattern, regex, publisher):
            name = _text(entry.get("name")) or ""
            if regex:
                fits = re.search(pattern, name, re.IGNORECASE) is not None
            else:
                fits = fnmatch.fnmatchcase(name.lower(), pattern.lower())
            if fits and publisher is not None:
                return fnmatch.fnmatchcase((_text(entry.get("publisher")) or "").lower(), publisher.lower())
            return fits


def _verdict(value: Json) -> bool:
    if isinstance(value, list) and value:
        value = value[-1]
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise _DetectionError(f"a test must end with true or false; it ended with {value!r:.80}")
    return value


def _task_finding(desire: Desire, item: Task, answers: _Answers) -> Finding:
    match item.body:
        case Scripts(get=get, test=test):
            if desire.mode is TaskMode.MONITOR:
                if get is None:
                    raise _DetectionError("the task has no 'get' script, which monitor needs")
                value = _answer(answers, f"get:{desire.id}")
                return Finding(desire.item, desire.instance, FindingStatus.VALUE, value=value)
            if test is None:
                raise _DetectionError("the task has no 'test' script, which enforce and audit need")
            compliant = _verdict(_answer(answers, f"test:{desire.id}"))
            status = FindingStatus.COMPLIANT if compliant else FindingStatus.NOT_COMPLIANT
            evidence = answers.by_id[f"test:{desire.id}"].output.strip()
            return Finding(desire.item, desire.instance, status, message=evidence[:2000])
        case Declarative() as body:
            return _declarative_finding(desire, concrete(body, desire.params), answers)


def _declarative_finding(desire: Desire, body: Declarative, answers: _Answers) -> Finding:
    changes: list[Change] = []
    current: dict[str, Json] = {}
    for resource in body.resources:
        name, before, after, same = _compare(resource, answers)
        current[name] = before
        if not same:
            changes.append(Change(name, before, after))
    if desire.mode is TaskMode.MONITOR:
        return Finding(desire.item, desire.instance, FindingStatus.VALUE, value=current)
    status = FindingStatus.NOT_COMPLIANT if changes else FindingStatus.COMPLIANT
    return Finding(desire.item, desire.instance, status, changes=tuple(changes))


Compared = tuple[str, Json, Json, bool]


def _compare(resource: Resource, answers: _Answers) -> Compared:
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


def _compare_registry(resource: RegistryValue, answers: _Answers) -> Compared:
    name = f"{resource.key}\\{resource.name or '(default)'}"
    row = answers.registry_row(resource)
    users = row.get("users")
    wanted: Json = None if resource.absent else registry_value(resource)
    found = list(users.values()) if isinstance(users, dict) and _per_user(resource) else [row]
    states: list[Json] = []
    same = True
    for one in found:
        state = _map(one, "registry")
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
        raise _DetectionError(f"'{value}' is no whole number, which the registry value {name} has to be") from None


def _compare_service(resource: ServiceState, answers: _Answers) -> Compared:
    state = _map(_answer(answers, "service"), "service").get(resource.name)
    wanted: dict[str, Json] = {}
    if resource.state is not None:
        wanted["state"] = resource.state
    if resource.startup is not None:
        wanted["startup"] = resource.startup
    if not isinstance(state, dict):
        raise _DetectionError(f"there is no service '{resource.name}' on this computer")
    before: dict[str, Json] = {key: state.get(key) for key in wanted}
    return f"service {resource.name}", before, wanted, before == wanted


def _compare_file(resource: FileState, answers: _Answers) -> Compared:
    state = _map(_answer(answers, "file"), "file").get(resource.path)
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


def _compare_package(resource: PackageState, answers: _Answers) -> Compared:
    state = _map(_answer(answers, f"packages:{resource.manager}"), "packages").get(resource.name)
    known = state if isinstance(state, dict) else {}
    installed = _text(known.get("installed"))
    candidate = _text(known.get("candidate"))
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
