"""Desires -> the reading operations that detect them, and answers -> findings; both pure.

Installed software is enumerated once and matched here; the resources of all declarative tasks travel in one
operation a kind; only scripts have an operation each. Sending is the session's work.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.decide import versions
from immy_nornir.decide.detect.compare_resources import compare
from immy_nornir.decide.detect.expand_params import concrete
from immy_nornir.decide.detect.reading_results import Answers, DetectionError, answer_of, as_map, as_text
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
from immy_nornir.model.values import Json, SameObjects, SecretRef, Value
from immy_nornir.model.wire import Answer, Read, ReadOperation

Wanted = Sequence[tuple[Desire, Item]]


@dataclass(frozen=True, slots=True)
class Detection:
    """The operations of one request and how their answers are read."""

    operations: tuple[ReadOperation, ...]
    wanted: tuple[tuple[Desire, Item], ...]
    registry: tuple[tuple[str, str], ...] = ()

    def findings(self, answers: Mapping[str, Answer]) -> tuple[Finding, ...]:
        """One finding for each desire, in order; an item whose operation failed gets a failed finding of its own."""
        view = Answers.of(answers, self.registry)
        return tuple(_finding(desire, item, view) for desire, item in self.wanted)


def detection_of(desires: Iterable[Desire], definitions: Mapping[str, Item]) -> Detection:
    """The detection of these desires; for computers that share their desires it is made once."""
    known = [one for one in desires if one.definition in definitions]
    return _shared_detection(SameObjects(known), SameObjects([definitions[one.definition] for one in known]))


@functools.lru_cache(maxsize=64)
def _shared_detection(desires: Sequence[Desire], items: Sequence[Item]) -> Detection:
    return detect(list(zip(desires, items, strict=True)))


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
    except (ImmyError, DetectionError):
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
    return {name: wire_value(value) for name, value in params.items()}


def wire_value(value: Value) -> Json:
    """A value as JSON data; a secret reference becomes null."""
    if isinstance(value, SecretRef):
        return None  # a detection script sees that the parameter exists, never its value
    if isinstance(value, Mapping):
        return {key: wire_value(child) for key, child in value.items()}
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [wire_value(child) for child in value]


# --- answers -> findings -------------------------------------------------------------------------------------


def _finding(desire: Desire, item: Item, answers: Answers) -> Finding:
    try:
        if isinstance(item, Software):
            return _software_finding(desire, item, answers)
        return _task_finding(desire, item, answers)
    except DetectionError as error:
        return Finding(desire.item, desire.instance, FindingStatus.FAILED, message=str(error))
    except ImmyError as error:
        return Finding(desire.item, desire.instance, FindingStatus.FAILED, message=error.message)
    except re.error as error:
        return Finding(desire.item, desire.instance, FindingStatus.FAILED, message=f"its pattern: {error}")


def _software_finding(desire: Desire, item: Software, answers: Answers) -> Finding:
    version, entry, present = _installed(desire, item, answers)
    available: list[Mapping[str, Json]] = []
    if item.package is not None and item.detection != item.package:
        available.extend(_candidate(item.package, answers))
    elif isinstance(item.detection, PackageManager):
        available.extend(_candidate(item.detection, answers))
    if item.versions_script is not None and _wants_versions(desire):
        offered = answer_of(answers, f"versions:{desire.id}")
        listed = offered if isinstance(offered, list) else [] if offered is None else [offered]
        available.extend(one for one in listed if isinstance(one, dict) and one.get("version") is not None)
    sound: bool | None = None
    if item.test is not None and present:
        sound = _verdict(answers, f"test:{desire.id}")
    status = FindingStatus.FOUND if present else FindingStatus.NOT_FOUND
    return Finding(desire.item, desire.instance, status, version, tuple(available), sound, entry)


def _candidate(manager: PackageManager, answers: Answers) -> list[Mapping[str, Json]]:
    answer = as_map(answer_of(answers, f"packages:{manager.manager}"), "packages").get(manager.name)
    candidate = as_text(answer.get("candidate")) if isinstance(answer, dict) else None
    return [{"version": candidate}] if candidate else []


def _installed(desire: Desire, item: Software, answers: Answers) -> tuple[str | None, dict[str, Json] | None, bool]:
    """(version, the entry that says how to remove it, whether it is there)."""
    match item.detection:
        case PackageManager(manager, name):
            answer = as_map(answer_of(answers, f"packages:{manager}"), "packages").get(name)
            version = as_text(answer.get("installed")) if isinstance(answer, dict) else None
            return version, None, version is not None
        case FileVersion(path):
            answer = as_map(answer_of(answers, "file"), "file").get(path)
            there = isinstance(answer, dict)
            return (as_text(answer.get("version")) if isinstance(answer, dict) else None), None, there
        case DriverVersion(name):
            version = as_text(as_map(answer_of(answers, f"driver:{name}"), "driver").get("version"))
            return version, None, version is not None
        case DetectScript():
            result = answer_of(answers, f"detect:{desire.id}")
            version = as_text(result) if not isinstance(result, bool) else None
            return version, None, result not in (None, "", False)
        case DisplayName() | ProductCode() | UpgradeCode() as how:
            if not isinstance(answer_of(answers, "software"), list):
                raise DetectionError("the enumeration of software is not a list")
            matches = _matcher(how)
            matching = [entry for name, entry in answers.programs if matches(name, entry)]
            if not matching:
                return None, None, False
            best = max(
                matching, key=lambda entry: versions.key(as_text(entry.get("version")) or "0", item.version_scheme)
            )
            return as_text(best.get("version")), best, True


Entry = Mapping[str, Json]
Matcher = Callable[[str, Entry], object]
"""Given an uninstall entry's name in lower case and the entry, something true if it is the software."""


@functools.lru_cache(maxsize=4096)  # the same few definitions judge the software of every computer
def _matcher(how: DisplayName | ProductCode | UpgradeCode) -> Matcher:
    """Whether an uninstall entry is the software that `how` describes; names compare without case."""
    match how:
        case ProductCode(code):
            return _equals("product_code", code)
        case UpgradeCode(code):
            return _equals("upgrade_code", code)
        case DisplayName(pattern, regex, publisher):
            named = _searches(pattern) if regex else _named(pattern)
            if publisher is None:
                return named
            fits = re.compile(fnmatch.translate(publisher.lower())).match
            return lambda name, entry: named(name, entry) and fits((as_text(entry.get("publisher")) or "").lower())


def _equals(field: str, code: str) -> Matcher:
    wanted = code.lower()
    return lambda _, entry: (as_text(entry.get(field)) or "").lower() == wanted


def _searches(pattern: str) -> Matcher:
    search = re.compile(pattern, re.IGNORECASE).search
    return lambda _, entry: search(as_text(entry.get("name")) or "")


def _named(pattern: str) -> Matcher:
    fits = re.compile(fnmatch.translate(pattern.lower())).match
    return lambda name, _: fits(name)


def _said(answers: Answers, operation: str) -> str:
    """What a script said beside its result: its warnings and errors first, they say most."""
    answer = answers.by_id[operation]
    return "\n".join(text for text in (*answer.warnings, answer.output.strip()) if text)


def _verdict(answers: Answers, operation: str) -> bool:
    value = answer_of(answers, operation)
    if isinstance(value, list) and value:
        value = value[-1]
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        ended = "nothing" if value is None else f"{value!r:.80}"
        said = _said(answers, operation)
        why = f" ({said[:300]})" if said else ""
        raise DetectionError(f"a test must end with true or false; it ended with {ended}{why}")
    return value


def _task_finding(desire: Desire, item: Task, answers: Answers) -> Finding:
    match item.body:
        case Scripts(get=get, test=test):
            if desire.mode is TaskMode.MONITOR:
                if get is None:
                    raise DetectionError("the task has no 'get' script, which monitor needs")
                value = answer_of(answers, f"get:{desire.id}")
                return Finding(desire.item, desire.instance, FindingStatus.VALUE, value=value)
            if test is None:
                raise DetectionError("the task has no 'test' script, which enforce and audit need")
            compliant = _verdict(answers, f"test:{desire.id}")
            status = FindingStatus.COMPLIANT if compliant else FindingStatus.NOT_COMPLIANT
            return Finding(desire.item, desire.instance, status, message=_said(answers, f"test:{desire.id}")[:2000])
        case Declarative() as body:
            return _declarative_finding(desire, concrete(body, desire.params), answers)


def _declarative_finding(desire: Desire, body: Declarative, answers: Answers) -> Finding:
    changes: list[Change] = []
    current: dict[str, Json] = {}
    for resource in body.resources:
        name, before, after, same = compare(resource, answers)
        current[name] = before
        if not same:
            changes.append(Change(name, before, after))
    if desire.mode is TaskMode.MONITOR:
        return Finding(desire.item, desire.instance, FindingStatus.VALUE, value=current)
    status = FindingStatus.NOT_COMPLIANT if changes else FindingStatus.COMPLIANT
    return Finding(desire.item, desire.instance, status, changes=tuple(changes))
