"""`tasks/software/NAME/software.yml` -> one Software for each platform.

A package manager alone (`winget: Google.Chrome`) is enough: it detects, offers versions and installs. Not
here: whether the items that a software names exist (`checks`).
"""

from __future__ import annotations

import re

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
    SCRIPT_FORM,
    TASK_REFERENCE,
    TIMEOUT,
    TITLE,
    check_language,
    effect_script,
    exit_codes,
    order_place,
    parameters,
    per_platform,
    script_platforms,
    script_shape,
    with_platforms,
)
from immy_nornir.model.items import (
    Context,
    Detection,
    DetectScript,
    DisplayName,
    DriverVersion,
    FileVersion,
    InstallerType,
    Method,
    OrderPlace,
    PackageManager,
    Platform,
    ProductCode,
    RebootNeed,
    Release,
    Requirements,
    Script,
    Software,
    UpgradeCode,
    UpgradeStrategy,
)
from immy_nornir.model.places import Level, Place
from immy_nornir.shapes.files import Source
from immy_nornir.shapes.forms import Built, Either, Form, Key, ListOf, Record
from immy_nornir.shapes.scalars import TEXT, VERSION, Choice, Number, Text, Unreadable
from immy_nornir.text.regex import RegexError, compile_regex
from immy_nornir.text.yaml import Node

ACT_TIMEOUT = 3600
"""Seconds that installing, upgrading or removing may take, unless the file says otherwise."""

MANAGERS = {
    "winget": Platform.WINDOWS,
    "chocolatey": Platform.WINDOWS,
    "apt": Platform.LINUX,
    "brew": Platform.MACOS,
}
"""Package managers, with the platform that each one stands for when the file names none."""
_RUNS_ON = {
    Platform.WINDOWS: ("winget", "chocolatey"),
    Platform.LINUX: ("apt", "brew"),
    Platform.MACOS: ("brew",),
}

# --- detection ----------------------------------------------------------------------------------------------------

GUID = Text(
    "a code in braces, such as {23170F69-40C1-2702-2408-000001000000}",
    pattern=r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}",
)
MANAGER = Text("a package manager (winget, chocolatey, apt, brew)", pattern="winget|chocolatey|apt|brew")
_MANAGER = Key("manager", MANAGER, "winget, chocolatey, apt or brew.", required=True)
_PACKAGE_NAME = Key("name", TEXT, "The package's name or id there.", required=True)


def _package(record: Record) -> PackageManager:
    manager, name = record.get(_MANAGER), record.get(_PACKAGE_NAME)
    if manager is None or name is None:
        raise Unreadable
    return PackageManager(manager, name)


_DISPLAY_NAME = Key("display_name", TEXT, "Glob over the whole name in the list of installed programs.")
_DISPLAY_REGEX = Key("display_name_regex", TEXT, "Regex searched in that name.")
_PUBLISHER_GUARD = Key("publisher", TEXT, "Glob over the publisher, beside a display name.")
_PRODUCT_CODE = Key("product_code", GUID, "An MSI product code.")
_UPGRADE_CODE = Key("upgrade_code", GUID, "An MSI upgrade code.")
_FILE = Key("file", TEXT, "A file on the computer; its version counts.")
_PACKAGE = Key("package", Built(Form("a package", (_MANAGER, _PACKAGE_NAME)), _package), "What a package manager says.")
_DRIVER = Key("driver", TEXT, "A driver's INF name, or a glob over the device's name.")
_DETECT_SCRIPT = Key("script", READING_SCRIPT, "A script that writes the installed version, or nothing.")
_WAYS = (_DISPLAY_NAME, _DISPLAY_REGEX, _PRODUCT_CODE, _UPGRADE_CODE, _FILE, _PACKAGE, _DRIVER, _DETECT_SCRIPT)


def _detection(record: Record) -> Detection:
    ways = [key.name for key in _WAYS if key.name in record.nodes]
    if len(ways) != 1:
        what = "no way of detection" if not ways else f"several ways of detection: {', '.join(ways)}"
        record.error(None, what, f"write exactly one of {', '.join(key.name for key in _WAYS)}")
        raise Unreadable
    if record.has(_PUBLISHER_GUARD) and ways[0] not in ("display_name", "display_name_regex"):
        record.error(_PUBLISHER_GUARD, f"'publisher' means nothing beside '{ways[0]}'", "remove it")
    publisher = record.get(_PUBLISHER_GUARD)
    if (glob := record.get(_DISPLAY_NAME)) is not None:
        return DisplayName(glob, publisher=publisher)
    if (regex := record.get(_DISPLAY_REGEX)) is not None:
        try:
            compile_regex(regex, ignore_case=True, groups=False)
        except RegexError as error:
            record.error(_DISPLAY_REGEX, f"not a regular expression that can be used: {error}", error.advice)
        return DisplayName(regex, regex=True, publisher=publisher)
    if (code := record.get(_PRODUCT_CODE)) is not None:
        return ProductCode(code)
    if (code := record.get(_UPGRADE_CODE)) is not None:
        return UpgradeCode(code)
    if (path := record.get(_FILE)) is not None:
        return FileVersion(path)
    if (package := record.get(_PACKAGE)) is not None:
        return package
    if (driver := record.get(_DRIVER)) is not None:
        return DriverVersion(driver)
    if (script := record.get(_DETECT_SCRIPT)) is not None:
        return DetectScript(script)
    raise Unreadable


# --- versions -----------------------------------------------------------------------------------------------------

_VERSION = Key("version", VERSION, "The version, in quotes.", required=True)
_URL = Key("url", Text("an address (https://...)", pattern=r"(?:https?|file)://\S+"), "Where the installer is.")
_SHA256 = Key("sha256", Text("64 hexadecimal digits", pattern=r"[0-9A-Fa-f]{64}"), "SHA-256 of the installer.")
_ARCH = Key("architecture", Text("x64, x86 or arm64", pattern="x64|x86|arm64"), "Fits all if not said.")
_INSTALLER = Key("type", Choice(InstallerType), "How the installer is started; by its name's ending if not said.")
_ARGUMENTS = Key("arguments", Text("arguments as one text", empty=True), "Arguments for the installer.")


def _release(record: Record) -> Release:
    url, sha256 = record.get(_URL), record.get(_SHA256)
    if url is not None and not record.has(_SHA256):
        clear = url.startswith("http:")
        record.source.report(
            record.place(_URL),
            Level.ERROR if clear else Level.WARNING,
            "an installer over plain http without sha256 can be exchanged on the way"
            if clear
            else "an installer without sha256: whatever the address gives will be executed",
            "add 'sha256:'" + (", and use https" if clear else ""),
        )
    msi = url is not None and re.search(r"\.msi(?:$|[?#])", url, re.IGNORECASE)
    return Release(
        version=record.take(_VERSION, "0"),
        url=url,
        sha256=sha256.lower() if sha256 else None,
        architecture=record.get(_ARCH),
        type=record.take(_INSTALLER, InstallerType.MSI if msi else InstallerType.EXE),
        arguments=record.get(_ARGUMENTS),
    )


RELEASE = Built(Form("a version", (_VERSION, _URL, _SHA256, _ARCH, _INSTALLER, _ARGUMENTS)), _release)

# --- methods ------------------------------------------------------------------------------------------------------

_ACT_SCRIPT = Key("script", script_shape(ACT_TIMEOUT), "A script that does it instead of the installer.")


def _method(record: Record) -> Method:
    if record.has(_ARGUMENTS) and record.has(_ACT_SCRIPT):
        record.error(
            _ARGUMENTS, "'arguments' and 'script' stand both", "keep one: a script starts the installer itself"
        )
    return Method(record.get(_ARGUMENTS), record.get(_ACT_SCRIPT))


METHOD = Built(Form("a method", (_ARGUMENTS, _ACT_SCRIPT)), _method)
_REINSTALL = Text("reinstall, {arguments:} or {script:}", pattern="reinstall")

PUBLISHER = Key("publisher", TEXT, "Who makes it.")
DETECT = Key("detect", Built(Form("detect", (*_WAYS, _PUBLISHER_GUARD)), _detection), "How it is found on a computer.")
WINGET = Key("winget", TEXT, "Id in winget, such as Google.Chrome; enough by itself.")
CHOCOLATEY = Key("chocolatey", TEXT, "Name in Chocolatey; enough by itself.")
APT = Key("apt", TEXT, "Name of the Debian package; enough by itself.")
BREW = Key("brew", TEXT, "Name in Homebrew; enough by itself.")
_MANAGER_KEYS = {"winget": WINGET, "chocolatey": CHOCOLATEY, "apt": APT, "brew": BREW}
VERSIONS: Key[tuple[Release, ...] | Script] = Key(
    "versions",
    Either("a list of versions, or {script:}", lists=ListOf(RELEASE, filled=True), mappings=SCRIPT_FORM),
    "The versions there are: a list, or a script that writes one.",
)
INSTALL = Key("install", METHOD, "How it is installed.")
UPGRADE: Key[str | Script] = Key(
    "upgrade",
    Either(
        "install_over, uninstall_first or {script:}",
        scalars=Text("install_over or uninstall_first", pattern="install_over|uninstall_first"),
        mappings=effect_script(ACT_TIMEOUT),
    ),
    "How an older version becomes the newer one.",
)
UNINSTALL = Key("uninstall", METHOD, "How it is removed; by its own uninstall command if not said.")
REPAIR: Key[str | Method] = Key(
    "repair", Either(_REINSTALL.wants, scalars=_REINSTALL, mappings=METHOD), "How it is repaired."
)
TEST = Key("test", SCRIPT_FORM, "A script that returns true when the installed software is sound.")
POST_INSTALL = Key("post_install", effect_script(ACT_TIMEOUT), "A script that runs after installing or upgrading.")
CONFIGURATION = Key("configuration", TASK_REFERENCE, "The task that runs right after this software.")
LICENSE = Key("license", TEXT, "Parameter or variable that holds the licence, as a secret's reference.")
VERSION_SCHEME = Key(
    "version_scheme", Text("windows, semver, debian or text", pattern="windows|semver|debian|text"), ""
)
ORDER = order_place("order")

DOWNLOAD = Key(
    "download_mb",
    Number("a number of megabytes", minimum=0),
    "How much is fetched to install it; what is heavy is limited per site (playbooks/limits.yml).",
)

_BODY: tuple[Key[object], ...] = (
    TITLE, PUBLISHER, DETECT, WINGET, CHOCOLATEY, APT, BREW, VERSIONS, INSTALL, UPGRADE, UNINSTALL, REPAIR, TEST,
    POST_INSTALL, EXIT_CODES, REBOOT, PREREQUISITES, CONFIGURATION, REQUIREMENTS, LICENSE, VERSION_SCHEME, CONTEXT,
    ORDER, DEPENDS_ON, PARAMETERS, TIMEOUT, ONCE, DOWNLOAD, RUNS,
)  # fmt: skip
SOFTWARE_FORM = with_platforms("software", _BODY)


def read_software(name: str, node: Node, source: Source) -> list[Software]:
    """The software of one file, for every platform that it is for; incomplete where problems were reported."""
    try:
        record = SOFTWARE_FORM.read(node, source)
    except Unreadable:
        return [_unknown(name, source)]
    return [_software(name, platform, each) for platform, each in per_platform(record, _used_platforms(record))]


def _unknown(name: str, source: Source) -> Software:
    # Keeps the name known, so that what names it is not reported as well.
    return Software(name, name, Platform.WINDOWS, FileVersion(""), Place(source.file))


def _used_platforms(record: Record) -> frozenset[Platform]:
    used = {MANAGERS[name] for name, key in _MANAGER_KEYS.items() if record.has(key)}
    match record.get(DETECT):
        case DisplayName() | ProductCode() | UpgradeCode() | DriverVersion():
            used.add(Platform.WINDOWS)
        case PackageManager(manager):
            used.add(MANAGERS[manager])
        case DetectScript(script):
            used |= script_platforms(script)
        case _:
            pass
    versions = record.get(VERSIONS)
    if isinstance(versions, tuple) and any(each.type is InstallerType.MSI for each in versions):
        used.add(Platform.WINDOWS)
    if not used:
        used |= script_platforms(record.take(INSTALL, Method()).script)
    return frozenset(used)


def _manager(record: Record, platform: Platform) -> PackageManager | None:
    named = [name for name in _RUNS_ON[platform] if record.has(_MANAGER_KEYS[name])]
    if named == ["apt", "brew"]:
        named = ["apt"]  # Homebrew runs on Linux too, but beside apt it stands for macOS
    if len(named) > 1:
        record.error(_MANAGER_KEYS[named[1]], f"two package managers for {platform}: {', '.join(named)}", "keep one")
    if not named:
        return None
    package = record.get(_MANAGER_KEYS[named[0]])
    return PackageManager(named[0], package) if package is not None else None


def _detected_by(record: Record, platform: Platform, package: PackageManager | None) -> Detection:
    detection = record.get(DETECT) or package
    if detection is None:
        if not record.has(DETECT):
            advice = "add 'detect:' (display_name, product_code, file, script, ...) or a package manager (winget: ID)"
            record.error(None, f"nothing says how this software is detected on {platform}", advice)
        return FileVersion("")
    return detection


def _software(name: str, platform: Platform, record: Record) -> Software:
    package = _manager(record, platform)
    detection = _detected_by(record, platform, package)
    if isinstance(detection, PackageManager) and detection.manager not in _RUNS_ON[platform]:
        record.error(DETECT, f"{detection.manager} does not run on {platform}", "detect it in another way there")
    versions = record.take(VERSIONS, ())
    upgrade = record.take(UPGRADE, "install_over")
    repair = record.take(REPAIR, "reinstall")
    software = Software(
        name=name,
        title=record.take(TITLE, name),
        platform=platform,
        detection=detection,
        place=record.place(),
        publisher=record.take(PUBLISHER, ""),
        releases=versions if isinstance(versions, tuple) else (),
        versions_script=versions if isinstance(versions, Script) else None,
        package=package,
        install=record.take(INSTALL, Method()),
        upgrade=UpgradeStrategy.SCRIPT if isinstance(upgrade, Script) else UpgradeStrategy(upgrade),
        upgrade_script=upgrade if isinstance(upgrade, Script) else None,
        uninstall=record.take(UNINSTALL, Method()),
        repair=repair if isinstance(repair, Method) else None,
        test=record.get(TEST),
        post_install=record.get(POST_INSTALL),
        exit_codes=exit_codes(record),
        reboot=record.take(REBOOT, RebootNeed.IF_NEEDED),
        prerequisites=record.take(PREREQUISITES, ()),
        configuration=record.get(CONFIGURATION),
        requirements=record.take(REQUIREMENTS, Requirements()),
        license=record.get(LICENSE),
        version_scheme=record.take(VERSION_SCHEME, "windows"),
        context=record.take(CONTEXT, Context.SYSTEM),
        order=record.take(ORDER, OrderPlace.NORMAL),
        depends_on=record.take(DEPENDS_ON, ()),
        parameters=parameters(record),
        timeout_seconds=record.take(TIMEOUT, ACT_TIMEOUT),
        once_at_a_time=record.take(ONCE, False),
        download_mb=None if (size := record.get(DOWNLOAD)) is None else float(size),
        runs=record.get(RUNS),
    )
    check_language(record, platform, scripts_of(software))
    return software


def scripts_of(software: Software) -> tuple[Script | None, ...]:
    """All scripts of a software, with None for those it does not have."""
    detect = software.detection.script if isinstance(software.detection, DetectScript) else None
    repair = software.repair.script if software.repair else None
    acting = (software.install.script, software.upgrade_script, software.uninstall.script, repair)
    return (detect, software.versions_script, software.test, *acting, software.post_install)
