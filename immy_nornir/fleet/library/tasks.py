"""`tasks/maintenance/NAME/task.yml` and `tasks/inventory/NAME.yml` -> tasks and inventory items.

A task is declarative (`registry`, `service`, `file`, `package`) or has `get`, `test` and `set` scripts. Not
here: filling the templates in declarative bodies, which happens in a session.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.fleet.library.item_parts import (
    CONTEXT,
    DEPENDS_ON,
    EXIT_CODES,
    ONCE,
    PARAMETERS,
    PREREQUISITES,
    READING_SCRIPT,
    REBOOT,
    REQUIREMENTS,
    RUNS,
    TIMEOUT,
    TITLE,
    check_language,
    exit_codes,
    order_place,
    parameters,
    per_platform,
    script_platforms,
    script_shape,
    with_platforms,
)
from immy_nornir.fleet.library.software import MANAGER
from immy_nornir.model.items import (
    Context,
    Declarative,
    FileState,
    InventoryItem,
    OrderClass,
    OrderPlace,
    PackageState,
    Platform,
    RebootNeed,
    RegistryValue,
    Requirements,
    Resource,
    Script,
    Scripts,
    ServiceState,
    Task,
)
from immy_nornir.model.places import Place
from immy_nornir.model.values import Value
from immy_nornir.shapes.files import Source, is_inside, relative
from immy_nornir.shapes.forms import ANY, Built, Form, Key, ListOf, Record
from immy_nornir.shapes.scalars import FLAG, TEXT, VERSION, Choice, Schema, Text, Unreadable, refuse
from immy_nornir.text.files import read_file
from immy_nornir.text.yaml import Node

SET_TIMEOUT = 600
"""Seconds that a task's `set` script has, unless it says otherwise."""

# --- registry -----------------------------------------------------------------------------------------------------


class _RegistryType(StrEnum):
    STRING = "string"
    EXPAND_STRING = "expand_string"
    DWORD = "dword"
    QWORD = "qword"
    MULTI_STRING = "multi_string"
    BINARY = "binary"


_WIRE_TYPE = {
    _RegistryType.STRING: "String",
    _RegistryType.EXPAND_STRING: "ExpandString",
    _RegistryType.DWORD: "DWord",
    _RegistryType.QWORD: "QWord",
    _RegistryType.MULTI_STRING: "MultiString",
    _RegistryType.BINARY: "Binary",
}
_HIVES = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKCU", "HKEY_USERS": "HKU"}
_KEY_PATTERN = r"(?i:HKLM|HKCU|HKU|HKEY_LOCAL_MACHINE|HKEY_CURRENT_USER|HKEY_USERS):?\\.+"

_R_KEY = Key("key", Text(r"a registry key (HKLM\..., HKCU\..., HKU\...)", pattern=_KEY_PATTERN), required=True)
_R_NAME = Key("name", Text("a value's name", empty=True), 'Name of the value; "" is the key\'s default.', required=True)
_R_VALUE = Key("value", ANY, "What it has to be.")
_R_TYPE = Key("type", Choice(_RegistryType), "By the value if not said: number dword, list multi_string, else string.")
_R_ABSENT = Key("absent", FLAG, "true: the value must not exist.")
_R_EVERY = Key("every_user", FLAG, "true: in the hive of every user (HKCU).")


def _registry(record: Record) -> RegistryValue:
    key = record.get(_R_KEY)
    if key is None:
        raise Unreadable
    hive, _, rest = key.partition("\\")
    hive = _HIVES.get(hive.upper().rstrip(":"), hive.upper().rstrip(":"))
    absent = record.take(_R_ABSENT, False)
    if absent == record.has(_R_VALUE):
        what = "'value' stands beside 'absent: true'" if absent else "'value' is missing"
        record.error(_R_VALUE, what, "write a value, or 'absent: true'")
    every = record.take(_R_EVERY, hive == "HKCU")
    if every and hive != "HKCU":
        record.error(_R_EVERY, f"'every_user' stands at a key of {hive}", r"begin the key with HKCU\ ")
    value = record.get(_R_VALUE)
    kind = record.get(_R_TYPE) or _usual_type(value)
    wrong = "" if absent or not record.has(_R_VALUE) else _wrong_data(kind, value)
    if wrong:
        record.error(_R_VALUE, wrong)
    return RegistryValue(f"{hive}\\{rest}", record.take(_R_NAME, ""), value, _WIRE_TYPE[kind], absent, every)


def _usual_type(value: Value) -> _RegistryType:
    if isinstance(value, int) and not isinstance(value, bool):
        return _RegistryType.DWORD if -(2**31) <= value < 2**32 else _RegistryType.QWORD
    return _RegistryType.MULTI_STRING if isinstance(value, list) else _RegistryType.STRING


def _wrong_data(kind: _RegistryType, value: Value) -> str:
    if isinstance(value, str) and "{{" in value:
        return ""
    match kind:
        case _RegistryType.DWORD | _RegistryType.QWORD:
            bits = 32 if kind is _RegistryType.DWORD else 64
            whole = isinstance(value, int) and not isinstance(value, bool)
            fits = whole and isinstance(value, int) and -(2 ** (bits - 1)) <= value < 2**bits
            return "" if fits else f"a {kind} is a whole number of {bits} bits without quotes"
        case _RegistryType.MULTI_STRING:
            fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
            return "" if fits else "a multi_string is a list of texts"
        case _RegistryType.BINARY:
            return "" if isinstance(value, str) and _base64(value) else "a binary value is base64 text"
        case _:
            return "" if isinstance(value, str) else f"a {kind} is text: write it in quotes"


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


REGISTRY = Built(
    Form("a registry value", (_R_KEY, _R_NAME, _R_VALUE, _R_TYPE, _R_ABSENT, _R_EVERY)),
    _registry,
)

# --- services, files, packages ------------------------------------------------------------------------------------

_S_NAME = Key("name", TEXT, "The service's name (not its display name).", required=True)
_S_STATE = Key("state", Text("running or stopped", pattern="running|stopped"))
_S_STARTUP = Key("startup", Text("automatic, delayed, manual or disabled", pattern="automatic|delayed|manual|disabled"))


def _service(record: Record) -> ServiceState:
    if not record.has(_S_STATE) and not record.has(_S_STARTUP):
        record.error(None, "nothing is wanted of this service", "add 'state:' or 'startup:'")
    return ServiceState(record.take(_S_NAME, ""), record.get(_S_STATE), record.get(_S_STARTUP))


SERVICE = Built(Form("a service", (_S_NAME, _S_STATE, _S_STARTUP)), _service)


@dataclass(frozen=True, slots=True)
class _TextBeside:
    """The text of a file beside the one that names it."""

    wants: str = "the name of a file beside this one"

    def read(self, node: Node, source: Source) -> str:
        name = Text(self.wants).read(node, source)
        path = source.path.parent / name
        if not is_inside(source.root, path):
            raise refuse(node, source, self.wants + " (inside the fleet)")
        try:
            return read_file(path).decode("utf-8")
        except OSError as error:
            advice = "write the file, or correct the name"
            source.error(node, f"{relative(source.root, path)} cannot be opened: {error.strerror or error}", advice)
        except UnicodeDecodeError:
            source.error(node, f"{relative(source.root, path)} is not UTF-8 text", "only text files can be managed")
        raise Unreadable

    def schema(self) -> Schema:
        return {"type": "string", "pattern": r"\S"}


_F_PATH = Key("path", TEXT, "Where the file is on the computer.", required=True)
_F_CONTENT = Key("content", Text("the file's text", empty=True), "The file's whole text.")
_F_SOURCE = Key("source", _TextBeside(), "A file beside this one that holds the text.")
_F_MODE = Key("mode", Text('a mode in quotes, such as "0644"', pattern="0?[0-7]{3,4}"), "POSIX permissions.")
_F_ABSENT = Key("absent", FLAG, "true: the file must not exist.")


def _file(record: Record) -> FileState:
    absent = record.take(_F_ABSENT, False)
    contents = [key for key in (_F_CONTENT, _F_SOURCE) if record.has(key)]
    if len(contents) != (0 if absent else 1) and not (record.has(_F_MODE) and not contents and not absent):
        advice = "remove it" if absent else "write exactly one of 'content:', 'source:' and 'absent: true'"
        what = "content stands beside 'absent: true'" if absent else "what the file has to hold is not clear"
        record.error(None, what, advice)
    content = record.get(_F_CONTENT) if record.has(_F_CONTENT) else record.get(_F_SOURCE)
    return FileState(record.take(_F_PATH, ""), content, record.get(_F_MODE), absent)


FILE = Built(Form("a file", (_F_PATH, _F_CONTENT, _F_SOURCE, _F_MODE, _F_ABSENT)), _file)

_P_NAME = Key("name", TEXT, "The package's name or id.", required=True)
_P_MANAGER = Key("manager", MANAGER, "winget, apt or brew by the platform if not said.")
_P_STATE = Key("state", VERSION, "present, latest, absent, or an exact version in quotes.")


def _package(record: Record) -> PackageState:
    return PackageState(record.take(_P_NAME, ""), record.take(_P_MANAGER, ""), record.take(_P_STATE, "present"))


PACKAGE = Built(Form("a package", (_P_NAME, _P_MANAGER, _P_STATE)), _package)
_USUAL_MANAGER = {Platform.WINDOWS: "winget", Platform.LINUX: "apt", Platform.MACOS: "brew"}

# --- tasks --------------------------------------------------------------------------------------------------------

_RESOURCES: tuple[Key[tuple[Resource, ...]], ...] = (
    Key("registry", ListOf(REGISTRY, single=True, filled=True), "Registry values that have to be so."),
    Key("service", ListOf(SERVICE, single=True, filled=True), "Services that have to be so."),
    Key("file", ListOf(FILE, single=True, filled=True), "Files that have to be so."),
    Key("package", ListOf(PACKAGE, single=True, filled=True), "Packages that have to be so."),
)
_LATER = "use registry, service, file or package, or get/test/set scripts"
_REFUSED: Mapping[str, str] = dict.fromkeys(("local_group", "scheduled_task", "feature", "firewall_rule"), _LATER)

GET = Key(
    "get",
    READING_SCRIPT,
    "A script that writes the present value; it changes nothing. Beside `test` it tells before and after.",
)
TEST = Key("test", READING_SCRIPT, "A script that returns true when compliant; it changes nothing.")
SET = Key("set", script_shape(SET_TIMEOUT), "A script that makes it so.")
ORDER_CLASS = Key("order", Choice(OrderClass), "prerequisite, software, configuration (default) or post.")
PLACE = order_place("place")
PREFLIGHT = Key(
    "preflight",
    FLAG,
    "true: it is only looked at, and nothing begins on a computer before it is so. It needs no `set`.",
)
ALWAYS = Key("always", FLAG, "true: runs after failure, stop and cancel too.")

_BODY: tuple[Key[object], ...] = (
    TITLE, ORDER_CLASS, PLACE, DEPENDS_ON, PREREQUISITES, ALWAYS, CONTEXT, REBOOT, REQUIREMENTS, EXIT_CODES, TIMEOUT,
    ONCE, PREFLIGHT, RUNS, PARAMETERS, *_RESOURCES, GET, TEST, SET,
)  # fmt: skip
TASK_FORM = with_platforms("a task", _BODY, _REFUSED)


def read_task(name: str, node: Node, source: Source) -> list[Task]:
    """The task of one file, for every platform that it is for; incomplete where problems were reported."""
    try:
        record = TASK_FORM.read(node, source)
    except Unreadable:
        return [Task(name, name, Platform.WINDOWS, Scripts(), Place(source.file))]
    used = script_platforms(record.get(TEST) or record.get(GET) or record.get(SET))
    if any(each.manager == "apt" for each in _packages(record)):
        used |= {Platform.LINUX}
    return [_task(name, platform, each) for platform, each in per_platform(record, used)]


def _packages(record: Record) -> list[PackageState]:
    return [each for each in record.take(_RESOURCES[3], ()) if isinstance(each, PackageState)]


def _task(name: str, platform: Platform, record: Record) -> Task:
    scripts = Scripts(record.get(GET), record.get(TEST), record.get(SET))
    context = record.take(CONTEXT, Context.SYSTEM)
    task = Task(
        name=name,
        title=record.take(TITLE, name),
        platform=platform,
        body=_declarative(record, platform) or scripts,
        place=record.place(),
        parameters=parameters(record),
        context=context,
        order_class=record.take(ORDER_CLASS, OrderClass.CONFIGURATION),
        order=record.take(PLACE, OrderPlace.NORMAL),
        depends_on=record.take(DEPENDS_ON, ()),
        prerequisites=record.take(PREREQUISITES, ()),
        always=record.take(ALWAYS, False),
        reboot=record.take(REBOOT, RebootNeed.NEVER),
        requirements=record.take(REQUIREMENTS, Requirements()),
        exit_codes=exit_codes(record),
        timeout_seconds=record.take(TIMEOUT, SET_TIMEOUT),
        once_at_a_time=record.take(ONCE, False),
        preflight=record.take(PREFLIGHT, False),
        runs=record.get(RUNS),
    )
    _check_body(record, task)
    check_language(record, platform, (scripts.get, scripts.test, scripts.set))
    return task


def _declarative(record: Record, platform: Platform) -> Declarative | None:
    resources: list[Resource] = []
    for key in _RESOURCES:
        for resource in record.take(key, ()):
            match resource:
                case PackageState(name=package, manager=manager, state=state):
                    resources.append(PackageState(package, manager or _USUAL_MANAGER[platform], state))
                case _:
                    resources.append(resource)
    if not any(record.has(key) for key in _RESOURCES):
        return None
    return Declarative(tuple(resources))


def _check_body(record: Record, task: Task) -> None:
    scripted = [key.name for key in (GET, TEST, SET) if record.has(key)]
    declared = [key for key in _RESOURCES if record.has(key)]
    if scripted and declared:
        both = f"'{declared[0].name}' and '{scripted[0]}' stand both"
        record.error(declared[0], both, "a task is declarative or has scripts: make two tasks of it")
    elif not scripted and not declared:
        names = ", ".join(key.name for key in (*_RESOURCES, GET, TEST, SET))
        record.error(None, "the task says nothing to do", f"add one of {names}")
    elif scripted == ["set"]:
        record.error(SET, "a task with 'set' alone cannot tell whether it is needed", "add a 'test:' script")
    if task.preflight and not declared and not record.has(TEST):
        record.error(PREFLIGHT, "nothing says whether the computer is ready", "add a 'test:' script")
    if task.preflight and task.always:
        record.error(ALWAYS, "'always' and 'preflight' stand both", "what comes before everything runs after nothing")
    if task.platform is not Platform.WINDOWS and record.has(_RESOURCES[0]):
        record.error(_RESOURCES[0], f"there is no registry on {task.platform}", "say 'platform: windows'")
    _check_templates(record, task)


_PARAMETER_USE = re.compile(r"\{\{[^{}]*?\bparams\.([A-Za-z_]\w*)")


def _check_templates(record: Record, task: Task) -> None:
    if not isinstance(task.body, Declarative):
        return
    for resource in task.body.resources:
        for name in _PARAMETER_USE.findall(repr(resource)):
            if name not in task.parameters:
                advice = f"declare it under 'parameters:' (declared: {', '.join(task.parameters) or 'none'})"
                record.error(None, f"a template names the parameter '{name}', which is not declared", advice)


# --- inventory items ----------------------------------------------------------------------------------------------

_INVENTORY_SCRIPT = Key("script", READING_SCRIPT, "A script that writes the value of the fact; it changes nothing.")
INVENTORY_FORM = with_platforms("an inventory item", (TITLE, _INVENTORY_SCRIPT))


def read_inventory_item(name: str, node: Node, source: Source) -> list[InventoryItem]:
    """The inventory item of one file, for every platform that it is for."""
    try:
        record = INVENTORY_FORM.read(node, source)
    except Unreadable:
        return []
    items: list[InventoryItem] = []
    for platform, each in per_platform(record, script_platforms(record.get(_INVENTORY_SCRIPT))):
        script: Script | None = each.get(_INVENTORY_SCRIPT)
        if script is None:
            if not each.has(_INVENTORY_SCRIPT):
                each.error(None, "'script' is missing", "add 'script:' with a script's file name (.ps1 or .sh)")
            continue
        check_language(each, platform, (script,))
        items.append(InventoryItem(name, each.take(TITLE, name), platform, script, each.place()))
    return items
