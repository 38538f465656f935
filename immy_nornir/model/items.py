"""Items of the library: software and tasks, with everything that detecting and executing them needs.

Definitions are plain data: they travel into the history as JSON so that a session can be resumed without
a checkout. Scripts are carried with their text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.control.job_kinds import JobKind
from immy_nornir.model.places import Place
from immy_nornir.model.values import Value


class Platform(StrEnum):
    """Operating systems that an item can be for."""

    WINDOWS = "windows"
    LINUX = "linux"
    MACOS = "macos"


class ItemKind(StrEnum):
    """The two kinds of item; the word before the slash of an item's reference."""

    SOFTWARE = "software"
    TASK = "task"


class Language(StrEnum):
    """What a script is written in, by its file's ending: .ps1 or .sh."""

    POWERSHELL = "powershell"
    SH = "sh"


class Context(StrEnum):
    """As whom an effect runs: the system account, or a user chosen by the option `user_context`."""

    SYSTEM = "system"
    USER = "user"


class OrderClass(StrEnum):
    """Coarse order of actions; dependencies come before it."""

    PREREQUISITE = "prerequisite"
    SOFTWARE = "software"
    CONFIGURATION = "configuration"
    POST = "post"


class OrderPlace(StrEnum):
    """Order inside a class."""

    FIRST = "first"
    NORMAL = "normal"
    LAST = "last"


class RebootNeed(StrEnum):
    """What an item declares about reboots."""

    NEVER = "never"
    IF_NEEDED = "if_needed"
    BEFORE = "before"
    AFTER = "after"


class ExitMeaning(StrEnum):
    """What an installer's exit code means (Intune's return code types)."""

    SUCCESS = "success"
    SOFT_REBOOT = "soft_reboot"
    HARD_REBOOT = "hard_reboot"
    RETRY = "retry"
    FAILED = "failed"


# Intune's default return codes: https://learn.microsoft.com/mem/intune/apps/apps-win32-add
DEFAULT_EXIT_CODES: Mapping[int, ExitMeaning] = {
    0: ExitMeaning.SUCCESS,
    1707: ExitMeaning.SUCCESS,
    3010: ExitMeaning.SOFT_REBOOT,
    1641: ExitMeaning.HARD_REBOOT,
    1618: ExitMeaning.RETRY,
}


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text with its file, name and time-out; `text` is exactly the file's text."""

    name: str
    """Path relative to the fleet, with forward slashes."""
    text: str
    language: Language
    timeout_seconds: int = 60


# --- how software is detected -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DisplayName:
    """Uninstall entries whose display name matches: a case-insensitive glob of the whole name, or a regex search."""

    pattern: str
    regex: bool = False
    publisher: str | None = None
    """Glob on the publisher; a guard against strangers with similar names."""


@dataclass(frozen=True, slots=True)
class ProductCode:
    """The uninstall entry of one MSI product code, `{GUID}`."""

    code: str


@dataclass(frozen=True, slots=True)
class UpgradeCode:
    """Whatever MSI product carries this upgrade code, `{GUID}`."""

    code: str


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file's version resource (Windows); on other systems only presence."""

    path: str


@dataclass(frozen=True, slots=True)
class PackageManager:
    """What a package manager says: `winget`, `chocolatey`, `apt`, `brew`."""

    manager: str
    name: str


@dataclass(frozen=True, slots=True)
class DriverVersion:
    """The version of a driver package by its original INF name or device name glob."""

    name: str


@dataclass(frozen=True, slots=True)
class DetectScript:
    """A script that returns the installed version, or nothing when it is not installed."""

    script: Script


Detection = DisplayName | ProductCode | UpgradeCode | FileVersion | PackageManager | DriverVersion | DetectScript


# --- versions and methods of software -----------------------------------------------------------------------


class InstallerType(StrEnum):
    """How an installer file is started."""

    EXE = "exe"
    MSI = "msi"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Release:
    """One static version of a software: where its installer is and what its bytes must be."""

    version: str
    url: str | None = None
    sha256: str | None = None
    architecture: str | None = None
    """`x64`, `x86`, `arm64`; None fits all."""
    type: InstallerType = InstallerType.EXE
    arguments: str | None = None
    """Overrides the method's arguments for this version."""


@dataclass(frozen=True, slots=True)
class Method:
    """How install, upgrade, uninstall or repair is done: by the installer with arguments, or by a script."""

    arguments: str | None = None
    script: Script | None = None


class UpgradeStrategy(StrEnum):
    """How an installed older version becomes the newer one."""

    INSTALL_OVER = "install_over"
    UNINSTALL_FIRST = "uninstall_first"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """Another item that has to be there first: software in a state, or a task enforced."""

    item: str
    state: str = "installed"
    """A software state, or `enforce` for a task."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a computer must have for an item to be applicable; otherwise the action is none, 'not applicable'."""

    architectures: tuple[str, ...] = ()
    minimum_os: str | None = None
    memory_gb: float | None = None
    disk_gb: float | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Software:
    """A software item for one platform, complete: detection, versions, methods, needs and order."""

    name: str
    title: str
    platform: Platform
    detection: Detection
    place: Place
    publisher: str = ""
    releases: tuple[Release, ...] = ()
    versions_script: Script | None = None
    """Runs on the computer being maintained; returns a list of releases as maps."""
    package: PackageManager | None = None
    """The package manager that installs it, where there is one."""
    install: Method = field(default_factory=Method)
    upgrade: UpgradeStrategy = UpgradeStrategy.INSTALL_OVER
    upgrade_script: Script | None = None
    uninstall: Method = field(default_factory=Method)
    repair: Method | None = None
    """None: repaired by installing again."""
    test: Script | None = None
    """Returns true when the installed software is sound; false means repair."""
    post_install: Script | None = None
    exit_codes: Mapping[int, ExitMeaning] = field(default_factory=lambda: dict(DEFAULT_EXIT_CODES))
    reboot: RebootNeed = RebootNeed.IF_NEEDED
    prerequisites: tuple[Prerequisite, ...] = ()
    configuration: str | None = None
    """Name of the task that runs right after this software."""
    requirements: Requirements = field(default_factory=Requirements)
    license: str | None = None
    """Name of the parameter or variable that holds the licence; the value is a secret reference."""
    version_scheme: str = "windows"
    context: Context = Context.SYSTEM
    order: OrderPlace = OrderPlace.NORMAL
    depends_on: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    timeout_seconds: int = 3600
    once_at_a_time: bool = False
    """Work on it goes on at one computer of the fleet at a time."""
    download_mb: float | None = None
    """How much a computer fetches to install it, where that is worth a limit."""
    runs: JobKind | None = None
    """What its jobs run, where the definition says it."""

    @property
    def reference(self) -> str:
        """The name that deployments use."""
        return f"software/{self.name}"


# --- tasks ---------------------------------------------------------------------------------------------------


class ParameterType(StrEnum):
    """Types of a task's parameters."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    SELECT = "select"
    LIST = "list"
    MAP = "map"
    SECRET = "secret"  # noqa: S105 - the name of a type, not a secret


@dataclass(frozen=True, slots=True)
class Parameter:
    """One typed parameter of an item."""

    name: str
    type: ParameterType = ParameterType.TEXT
    default: Value = None
    required: bool = False
    choices: tuple[Value, ...] = ()
    description: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class RegistryValue:
    """One registry value that has to be so; `key` starts with HKLM, HKU or HKCU (HKCU: every user's hive)."""

    key: str
    name: str
    """Empty: the key's default value."""
    value: Value = None
    type: str = "String"
    """String, ExpandString, DWord, QWord, MultiString, Binary (base64)."""
    absent: bool = False
    every_user: bool = False


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service: `running`, `stopped` or None (either); start-up `automatic`, `delayed`, `manual`, `disabled`."""

    name: str
    state: str | None = None
    startup: str | None = None


@dataclass(frozen=True, slots=True)
class FileState:
    """One file's content (UTF-8 text as it will be written), POSIX mode (`0644`) and presence."""

    path: str
    content: str | None = None
    mode: str | None = None
    absent: bool = False


@dataclass(frozen=True, slots=True)
class PackageState:
    """One package of a package manager: `present`, `latest`, `absent` or an exact version."""

    name: str
    manager: str
    state: str = "present"


Resource = RegistryValue | ServiceState | FileState | PackageState


@dataclass(frozen=True, slots=True)
class Declarative:
    """A task without scripts: resources that have to be so. Strings inside may be templates over params."""

    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Scripts:
    """A task of scripts: `get` reports a value, `test` returns true when compliant, `set` makes it so."""

    get: Script | None = None
    test: Script | None = None
    set: Script | None = None


TaskBody = Declarative | Scripts


@dataclass(frozen=True, slots=True)
class Task:
    """A task item for one platform."""

    name: str
    title: str
    platform: Platform
    body: TaskBody
    place: Place
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    context: Context = Context.SYSTEM
    order_class: OrderClass = OrderClass.CONFIGURATION
    order: OrderPlace = OrderPlace.NORMAL
    depends_on: tuple[str, ...] = ()
    prerequisites: tuple[Prerequisite, ...] = ()
    always: bool = False
    reboot: RebootNeed = RebootNeed.NEVER
    requirements: Requirements = field(default_factory=Requirements)
    exit_codes: Mapping[int, ExitMeaning] = field(default_factory=lambda: dict(DEFAULT_EXIT_CODES))
    timeout_seconds: int = 600
    preflight: bool = False
    """It is only looked at, and holds sessions back whose computer is not ready."""
    once_at_a_time: bool = False
    """Work on it goes on at one computer of the fleet at a time."""
    runs: JobKind | None = None
    """What its jobs run, where the definition says it."""

    @property
    def reference(self) -> str:
        """The name that deployments use."""
        return f"task/{self.name}"


Item = Software | Task


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """A script whose result becomes the fact `inventory.NAME`; it must change nothing."""

    name: str
    title: str
    platform: Platform
    script: Script
    place: Place


@dataclass(frozen=True, slots=True)
class Library:
    """All items by reference and platform."""

    items: Mapping[str, Mapping[Platform, Item]] = field(default_factory=dict)
    """`software/NAME` or `task/NAME` -> platform -> definition."""
    inventory: Mapping[str, tuple[InventoryItem, ...]] = field(default_factory=dict)

    def find(self, reference: str, platform: Platform) -> Item | None:
        """The definition of an item for a platform, or None."""
        return self.items.get(reference, {}).get(platform)
