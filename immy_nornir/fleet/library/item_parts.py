"""What software, tasks and inventory items have in common: scripts, parameters, requirements, platforms.

Used by the readers of the library's files. Not here: what only software or only tasks have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from immy_nornir.decide.resolve.parameters import wrong_value
from immy_nornir.model.control.job_kinds import JobKind
from immy_nornir.model.items import (
    DEFAULT_EXIT_CODES,
    Context,
    ExitMeaning,
    Language,
    OrderPlace,
    Parameter,
    ParameterType,
    Platform,
    Prerequisite,
    RebootNeed,
    Requirements,
    Script,
)
from immy_nornir.shapes.files import Source, read_script
from immy_nornir.shapes.forms import ANY, Built, Either, Form, Key, ListOf, MapOf, Record
from immy_nornir.shapes.scalars import DURATION, FLAG, TEXT, Choice, Number, Schema, Text, Unreadable
from immy_nornir.text.yaml import Node

READ_TIMEOUT = 60
"""Seconds that a script has which only reads, unless it says otherwise."""

# --- scripts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _ScriptName:
    """The name of a script file beside the file that names it."""

    timeout_seconds: int
    wants: str = "a script's file name (.ps1 or .sh)"

    def read(self, node: Node, source: Source) -> Script:
        name = Text(self.wants).read(node, source)
        script = read_script(source, node, name, self.timeout_seconds)
        if script is None:
            raise Unreadable
        return script

    def schema(self) -> Schema:
        return {"type": "string", "pattern": r"\.([pP][sS]1|[sS][hH])$"}


def script_shape(timeout_seconds: int) -> Either[Script]:
    """A script by name, or `{file: NAME, timeout: 2m}`."""
    name = _ScriptName(timeout_seconds)
    file_key = Key("file", name, "The script's file, beside this one.", required=True)
    timeout_key = Key("timeout", DURATION, "How long it may run.")

    def build(record: Record) -> Script:
        script = record.get(file_key)
        if script is None:
            raise Unreadable
        return replace(script, timeout_seconds=record.take(timeout_key, script.timeout_seconds))

    form = Built(Form("a script", (file_key, timeout_key)), build)
    return Either("a script's file name (.ps1 or .sh)", scalars=name, mappings=form)


READING_SCRIPT = script_shape(READ_TIMEOUT)
SCRIPT = Key("script", READING_SCRIPT, "A script file beside this one.")
_ONLY_SCRIPT = Form("a script", (Key("script", READING_SCRIPT, "A script file beside this one.", required=True),))


def only_script(record: Record) -> Script:
    """The script of `{script: FILE}`."""
    script = record.get(SCRIPT)
    if script is None:
        raise Unreadable
    return script


SCRIPT_FORM = Built(_ONLY_SCRIPT, only_script)


def effect_script(timeout_seconds: int) -> Built[Script]:
    """`{script: FILE}` for a script that acts, with its own default time-out."""
    key = Key("script", script_shape(timeout_seconds), "A script file beside this one.", required=True)
    return Built(Form("a script", (key,)), only_script)


# --- references, prerequisites, requirements, parameters ----------------------------------------------------------

REFERENCE = Text("an item (software/NAME or task/NAME)", pattern=r"(?:software|task)/[^/\s]+")
TASK_REFERENCE = Text("a task (task/NAME)", pattern=r"task/[^/\s]+")

_ITEM = Key("item", REFERENCE, "The item that has to be there.", required=True)
_STATE = Key("state", Text('a state (installed, latest, absent, ">=1.2", enforce)'), "How it has to be.")


def _prerequisite(record: Record) -> Prerequisite:
    item = record.get(_ITEM)
    if item is None:
        raise Unreadable
    return Prerequisite(item, record.take(_STATE, _usual_state(item)), record.place(_ITEM))


def _usual_state(item: str) -> str:
    return "enforce" if item.startswith("task/") else "installed"


@dataclass(frozen=True, slots=True)
class _BarePrerequisite:
    """An item's name alone."""

    wants: str = REFERENCE.wants

    def read(self, node: Node, source: Source) -> Prerequisite:
        item = REFERENCE.read(node, source)
        return Prerequisite(item, _usual_state(item), source.place(node))

    def schema(self) -> Schema:
        return REFERENCE.schema()


PREREQUISITE = Either(
    "an item or {item:, state:}",
    scalars=_BarePrerequisite(),
    mappings=Built(Form("a prerequisite", (_ITEM, _STATE)), _prerequisite),
)

_ARCHITECTURE = Key(
    "architecture",
    ListOf(Text("x64, x86 or arm64", pattern="x64|x86|arm64"), single=True),
    "Architectures that the item is for.",
)
_MINIMUM_OS = Key(
    "minimum_os", Text('an operating system\'s version in quotes, such as "10.0.19045"'), "Lowest version."
)
_MEMORY = Key("memory_gb", Number("gigabytes of memory", minimum=0), "Least memory.")
_DISK = Key("disk_gb", Number("gigabytes of free disk", minimum=0), "Least free disk.")
_WHERE = Key("where", TEXT, "Expression over variables and facts, such as facts.chassis == 'laptop'.")


def _requirements(record: Record) -> Requirements:
    return Requirements(
        architectures=record.take(_ARCHITECTURE, ()),
        minimum_os=record.get(_MINIMUM_OS),
        memory_gb=record.get(_MEMORY),
        disk_gb=record.get(_DISK),
        where=record.get(_WHERE),
    )


_NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_]*"
_TYPE = Key("type", Choice(ParameterType), "Type of the value; text if not said.")
_DEFAULT = Key("default", ANY, "Value where a deployment says nothing.")
_REQUIRED = Key("required", FLAG, "Whether every deployment has to give a value.")
_CHOICES = Key("choices", ListOf(ANY, filled=True), "The values that a `select` allows.")
_ABOUT = Key("description", TEXT, "What the parameter does.")


def _parameter(record: Record) -> Parameter:
    kind = record.take(_TYPE, ParameterType.TEXT)
    parameter = Parameter(
        name="",
        type=kind,
        default=record.get(_DEFAULT),
        required=record.take(_REQUIRED, False),
        choices=record.take(_CHOICES, ()),
        description=record.take(_ABOUT, ""),
        place=record.place(),
    )
    if kind is ParameterType.SELECT and not record.has(_CHOICES):
        record.error(_TYPE, "a parameter of type select needs choices", "add 'choices:' with a list")
    if kind is not ParameterType.SELECT and record.has(_CHOICES):
        record.error(_CHOICES, f"choices stand at a parameter of type {kind}", "write 'type: select'")
    if parameter.required and parameter.default is not None:
        record.error(_REQUIRED, "a required parameter has a default", "keep one of the two")
    if parameter.default is not None:
        wrong = wrong_value(parameter, parameter.default)
        if wrong:
            record.error(_DEFAULT, f"the default {wrong}")
    return parameter


# --- keys of every item -------------------------------------------------------------------------------------------

TITLE = Key("title", TEXT, "What people call it; the name if not said.")
CONTEXT = Key("context", Choice(Context), "As whom it runs: system, or a user chosen by the option user_context.")
REBOOT = Key("reboot", Choice(RebootNeed), "What is known beforehand about reboots.")
DEPENDS_ON = Key("depends_on", ListOf(REFERENCE, single=True), "Items that come before, where they are deployed too.")
PREREQUISITES = Key("prerequisites", ListOf(PREREQUISITE, single=True), "Items that have to be there first.")
REQUIREMENTS = Key(
    "requirements",
    Built(Form("requirements", (_ARCHITECTURE, _MINIMUM_OS, _MEMORY, _DISK, _WHERE)), _requirements),
    "What a computer must have; elsewhere the item is not applicable, and unknown where that is not known.",
)
PARAMETERS = Key(
    "parameters",
    MapOf(
        Built(Form("a parameter", (_TYPE, _DEFAULT, _REQUIRED, _CHOICES, _ABOUT)), _parameter),
        keys=_NAME_PATTERN,
        key_wants="a name of letters, digits and _",
    ),
    "Typed parameters that deployments give values to.",
)
EXIT_CODES = Key(
    "exit_codes",
    MapOf(Choice(ExitMeaning), keys=r"-?\d{1,10}", key_wants="an exit code"),
    "What exit codes mean, beside 0, 1707, 3010, 1641 and 1618.",
)
ONCE = Key("once_at_a_time", FLAG, "true: work on it goes on at one computer of the fleet at a time.")
TIMEOUT = Key("timeout", DURATION, "How long its effects may take.")
RUNS = Key(
    "runs",
    Choice(JobKind),
    "What its effects run, where it cannot be told from the file: orders never stop updates, drivers, firmware.",
)


def parameters(record: Record) -> dict[str, Parameter]:
    """The declared parameters by name."""
    return {name: replace(each, name=name) for name, each in record.take(PARAMETERS, {}).items()}


def exit_codes(record: Record) -> dict[int, ExitMeaning]:
    """The defaults with the file's own over them."""
    return {**DEFAULT_EXIT_CODES, **{int(code): meaning for code, meaning in record.take(EXIT_CODES, {}).items()}}


# --- platforms ----------------------------------------------------------------------------------------------------

PLATFORM = Key("platform", ListOf(Choice(Platform), single=True, filled=True), "The operating system it is for.")
PLATFORMS = Key("platforms", ListOf(Choice(Platform), single=True, filled=True), "The operating systems it is for.")


def with_platforms(wants: str, keys: tuple[Key[object], ...], refused: Mapping[str, str] | None = None) -> Form:
    """A form with these keys on top, and blocks `windows:`, `linux:`, `macos:` whose keys override them."""
    block = Form(wants, keys, refused or {})
    blocks = tuple(Key(str(each), block, f"What differs on {each}.") for each in Platform)
    return Form(wants, (*keys, PLATFORM, PLATFORMS, *blocks), refused or {})


def per_platform(record: Record, used: frozenset[Platform]) -> list[tuple[Platform, Record]]:
    """One record for each platform: said by `platform:` or blocks, else `used` (from the keys), else Windows."""
    if record.has(PLATFORM) and record.has(PLATFORMS):
        record.error(PLATFORMS, "'platform' and 'platforms' stand both", "keep one of them")
    blocks: dict[Platform, Record] = {}
    for platform in Platform:
        block = record.values.get(str(platform))
        if isinstance(block, Record):
            blocks[platform] = block
    said = record.get(PLATFORM) or record.get(PLATFORMS) or ()
    if not said and not blocks:
        said = tuple(sorted(used)) or (Platform.WINDOWS,)
    elif not said:
        said = tuple(sorted(used))
    names = [each for each in Platform if each in said or each in blocks]
    return [(each, blocks[each].over(record) if each in blocks else record) for each in names]


def script_platforms(script: Script | None) -> frozenset[Platform]:
    """Where a script's language runs by itself."""
    if script is None:
        return frozenset()
    return frozenset({Platform.WINDOWS if script.language is Language.POWERSHELL else Platform.LINUX})


def check_language(record: Record, platform: Platform, scripts: tuple[Script | None, ...]) -> None:
    """Report scripts that the platform cannot run."""
    wanted = Language.POWERSHELL if platform is Platform.WINDOWS else Language.SH
    for script in scripts:
        if script is not None and script.language is not wanted:
            ending = ".ps1" if wanted is Language.POWERSHELL else ".sh"
            advice = f"name a {ending} script, or say 'platform:'"
            record.error(None, f"the script {script.name} does not run on {platform}", advice)


def order_place(name: str) -> Key[OrderPlace]:
    """The key for first, normal or last."""
    return Key(name, Choice(OrderPlace), "Order among its like: first, normal or last.")
