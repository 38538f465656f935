"""Desires -> the reading operations that detect them, and answers -> findings; both pure.

Installed software is enumerated once and matched here; the resources of all declarative tasks travel in one
operation a kind; only scripts have an operation each. Sending is the session's work.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.decide.detect.compare_resources import compare, name_of
from immy_nornir.decide.detect.expand_params import concrete
from immy_nornir.decide.detect.find_software import software_finding, wants_versions
from immy_nornir.decide.detect.reading_results import (
    Answers,
    DetectionError,
    WrongDefinitionError,
    answer_of,
    said,
    verdict,
)
from immy_nornir.errors import ImmyError
from immy_nornir.model.deployments import TaskMode
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
from immy_nornir.text.regex import RegexError

Wanted = Sequence[tuple[Desire, Item]]


@dataclass(frozen=True, slots=True)
class Detection:
    """The operations of one request and how their answers are read."""

    operations: tuple[ReadOperation, ...]
    wanted: tuple[tuple[Desire, Item], ...]
    registry: tuple[tuple[str, str], ...] = ()

    def findings(self, answers: Mapping[str, Answer]) -> tuple[Finding, ...]:
        """One finding for each desire, in order; an item whose operation failed gets an unknown finding of its own."""
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
    except (ImmyError, WrongDefinitionError):
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
    if item.versions_script is not None and wants_versions(desire):
        needs.append(_script(desire, item.versions_script, "versions"))
    if item.test is not None:
        needs.append(_script(desire, item.test, "test"))
    return needs


def _task_needs(desire: Desire, item: Task) -> list[Need]:
    match item.body:
        case Scripts(get=get, test=test):
            wanted: list[Need] = []
            if test is not None and desire.mode is not TaskMode.MONITOR:
                wanted.append(_script(desire, test, "test"))
            # Beside its test, what is there: told as before and after.
            return wanted if get is None else [*wanted, _script(desire, get, "get")]
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
    status = FindingStatus.FAILED
    try:
        return software_finding(desire, item, answers) if isinstance(item, Software) else _task(desire, item, answers)
    except DetectionError as error:
        status, why = FindingStatus.UNKNOWN, str(error)
    except WrongDefinitionError as error:
        why = str(error)
    except ImmyError as error:
        why = error.message
    except RegexError as error:
        why = f"its pattern: {error}"
    return Finding(desire.item, desire.instance, status, message=why)


def _task(desire: Desire, item: Task, answers: Answers) -> Finding:
    match item.body:
        case Scripts(get=get, test=test):
            if desire.mode is TaskMode.MONITOR:
                if get is None:
                    raise WrongDefinitionError("the task has no 'get' script, which monitor needs")
                value = answer_of(answers, f"get:{desire.id}")
                return Finding(desire.item, desire.instance, FindingStatus.VALUE, value=value)
            if test is None:
                raise WrongDefinitionError("the task has no 'test' script, which enforce and audit need")
            compliant = verdict(answers, f"test:{desire.id}")
            status = FindingStatus.COMPLIANT if compliant else FindingStatus.NOT_COMPLIANT
            message = said(answers, f"test:{desire.id}")[:2000]
            return Finding(desire.item, desire.instance, status, value=_value(desire, get, answers), message=message)
        case Declarative() as body:
            return _declarative_finding(desire, concrete(body, desire.params), answers)


def _value(desire: Desire, get: Script | None, answers: Answers) -> Json:
    """What a task's `get` says beside its `test`; nothing where it cannot say it: the verdict is the test's."""
    try:
        return None if get is None else answer_of(answers, f"get:{desire.id}")
    except DetectionError:
        return None


def _declarative_finding(desire: Desire, body: Declarative, answers: Answers) -> Finding:
    """What all its resources are together: one that is known to be otherwise says so for all, else one unknown does."""
    changes: list[Change] = []
    current: dict[str, Json] = {}
    unknown: dict[str, str] = {}
    for resource in body.resources:
        try:
            name, before, after, same = compare(resource, answers)
        except DetectionError as error:
            unknown[name_of(resource)] = str(error)
            continue
        current[name] = before
        if not same:
            changes.append(Change(name, before, after))
    why = "; ".join(f"{name}: {text}" for name, text in unknown.items())
    if unknown and (not changes or desire.mode is TaskMode.MONITOR):
        return Finding(desire.item, desire.instance, FindingStatus.UNKNOWN, value=current, message=why)
    if desire.mode is TaskMode.MONITOR:
        return Finding(desire.item, desire.instance, FindingStatus.VALUE, value=current)
    status = FindingStatus.NOT_COMPLIANT if changes else FindingStatus.COMPLIANT
    why = f"not known: {why}" if why else ""
    return Finding(desire.item, desire.instance, status, changes=tuple(changes), unread=tuple(unknown), message=why)
