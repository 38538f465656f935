"""What a simulated computer holds: registry, services, files, packages, users, boots. Plain state, no time of its own.

A backed computer begins with the same registry, services and files, as files.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from immy_nornir.lab.simulated.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immy_nornir.lab.spec import ComputerSpec
    from immy_nornir.model.values import Json

SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
UNINSTALL_32 = r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall"
PREFETCH = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"
GUID = re.compile(r"^\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$")

_SESSION_MANAGER = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager"
_CBS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing"
_UPDATE = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update"
PENDING: Mapping[str, tuple[str, str | None]] = {
    "component_based_servicing": (rf"{_CBS}\RebootPending", None),
    "windows_update": (rf"{_UPDATE}\RebootRequired", None),
    "file_rename": (_SESSION_MANAGER, "PendingFileRenameOperations"),
}
"""Pending-reboot sources that have a place in the registry: the key, and the value where the key alone says nothing."""

PRODUCT_TYPES = {"workstation": "WinNT", "server": "ServerNT", "domain_controller": "LanmanNT"}
ARCHITECTURES = {"x64": "AMD64", "x86": "x86", "arm64": "ARM64"}
CHASSIS = {"desktop": 3, "laptop": 9, "tablet": 30, "convertible": 31, "server": 17, "other": 1}
"""Enclosure types of the SMBIOS specification."""


def sid_of(user: str) -> str:
    """A user's SID, the same every time."""
    number = uuid.uuid5(uuid.NAMESPACE_DNS, user.lower()).int
    return f"S-1-5-21-{number % 2**32}-{(number >> 32) % 2**32}-{(number >> 64) % 2**32}-{1001 + number % 997}"


class State:
    """One computer's state. Names of services, files and packages are case-insensitive."""

    def __init__(self, spec: ComputerSpec, boot_time: float) -> None:
        self.spec = spec
        self.boot_id = 100
        self.boot_time = boot_time
        self.registry = Registry(spec.registry)
        self.users: dict[str, str] = {user: sid_of(user) for user in spec.users}
        self.services: dict[str, str] = {}
        """Lower-case name -> state; how a service starts is in the registry, as on Windows."""
        for name, service in spec.services.items():
            self.services[name.lower()] = str(service.get("state") or "running")
            if not self.registry.has(f"{SERVICES}\\{name}", "Start"):
                self.set_startup(name, str(service.get("startup") or "automatic"))
        self.files: dict[str, dict[str, Json]] = {}
        for path, file in spec.files.items():
            self.files[path_key(path)] = file_entry(file)
        self.packages: dict[tuple[str, str], dict[str, Json]] = {}
        for manager, packages in spec.packages.items():
            for name, package in packages.items():
                self.packages[manager.lower(), name.lower()] = package_entry(package)
        self.drivers = {name.lower(): version for name, version in spec.drivers.items()}
        self.compliant = set(spec.compliant)
        self.versions: dict[str, Json] = dict(spec.scripts)
        self.installed_names: dict[str, str] = {}
        """Item -> display name of the entry that its last installation left."""
        self.pending: list[str] = []
        for name in spec.pending_reboots:
            self.add_pending(name)
        for software in spec.software:
            self.add_software(software)
        for user, sid in self.users.items():
            domain, _, name = user.rpartition("\\")
            self.registry.set(f"HKU\\{sid}\\Volatile Environment", "USERNAME", name)
            if domain:
                self.registry.set(f"HKU\\{sid}\\Volatile Environment", "USERDOMAIN", domain)
        self._machine_values()

    def _machine_values(self) -> None:
        spec, registry = self.spec, self.registry
        registry.set(PREFETCH, "BootId", self.boot_id)
        registry.set(r"HKLM\SOFTWARE\Microsoft\Cryptography", "MachineGuid", spec.identity_uuid)
        major, _, minor = spec.version.partition(".")
        current = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
        control = r"HKLM\SYSTEM\CurrentControlSet\Control"
        tcpip = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
        bios = r"HKLM\HARDWARE\DESCRIPTION\System\BIOS"
        values: list[tuple[str, str, Json]] = [
            (current, "ProductName", spec.os.removeprefix("Microsoft ")),
            (current, "CurrentBuildNumber", spec.build),
            (current, "CurrentMajorVersionNumber", int(major) if major.isdigit() else 10),
            (current, "CurrentMinorVersionNumber", int(minor.partition(".")[0] or 0)),
            (rf"{control}\ProductOptions", "ProductType", PRODUCT_TYPES.get(spec.role, "WinNT")),
            (rf"{control}\ComputerName\ComputerName", "ComputerName", spec.name),
            (rf"{control}\ComputerName\ActiveComputerName", "ComputerName", spec.name),
            (rf"{control}\Session Manager\Environment", "PROCESSOR_ARCHITECTURE", ARCHITECTURES.get(spec.architecture)),
            (tcpip, "Hostname", spec.name),
            (tcpip, "Domain", spec.domain),
            (bios, "SystemManufacturer", spec.manufacturer),
            (bios, "SystemProductName", spec.model),
        ]
        for key, name, value in values:
            if value is not None and not registry.has(key, name):
                registry.set(key, name, value)

    def load_registry(self, content: Mapping[str, Mapping[str, Mapping[str, Json]]]) -> None:
        """Take over a registry that others wrote to; pending reboots are read from it."""
        self.registry = Registry(content)
        self.pending = [name for name, (key, value) in PENDING.items() if self.registry.has(key, value)]

    def reboot(self, boot_time: float) -> None:
        """A new boot: what waited for it is done, automatic services run."""
        self.boot_id += 1
        self.boot_time = boot_time
        self.registry.set(PREFETCH, "BootId", self.boot_id)
        for name in self.pending:
            if name in PENDING:
                self.registry.delete(*PENDING[name])
        self.pending.clear()
        for name in self.services:
            self.services[name] = "running" if self.startup(name) in ("automatic", "delayed") else "stopped"

    def add_pending(self, name: str) -> None:
        """Make a source say that a reboot is pending."""
        if name not in self.pending:
            self.pending.append(name)
        key, value = PENDING.get(name, ("", None))
        if key and value:
            self.registry.set(key, value, [r"\??\C:\Windows\Temp\lab.tmp", ""])
        elif key:
            self.registry.create(key)

    # --- software ---------------------------------------------------------------------------------------------

    def add_software(self, entry: Mapping[str, Any]) -> None:
        """Write an uninstall entry from a map with the names of the `software` operation."""
        name = str(entry.get("name") or "")
        code = entry.get("product_code")
        key = str(entry.get("key") or code or name)
        root = f"HKLM\\{UNINSTALL_32 if str(entry.get('view')) == '32' else UNINSTALL}"
        if entry.get("scope") == "user" or entry.get("user"):
            user = str(entry.get("user") or next(iter(self.users), "user"))
            root = f"HKU\\{self.users.setdefault(user, sid_of(user))}\\{UNINSTALL}"
        uninstall = f"MsiExec.exe /X{code}" if code else f'"C:\\Program Files\\{name}\\uninstall.exe"'
        values: dict[str, Json] = {
            "DisplayName": name,
            "DisplayVersion": entry.get("version"),
            "Publisher": entry.get("publisher"),
            "UninstallString": entry.get("uninstall") or uninstall,
            "QuietUninstallString": entry.get("quiet_uninstall") or (None if code else f"{uninstall} /S"),
            "InstallLocation": entry.get("location"),
            "InstallDate": entry.get("install_date"),
            "SystemComponent": entry.get("system_component"),
            "UpgradeCode": entry.get("upgrade_code"),
            "WindowsInstaller": 1 if code else None,
        }
        for value_name, value in values.items():
            if value is not None:
                self.registry.set(f"{root}\\{key}", value_name, value if isinstance(value, int) else str(value))

    def software(self) -> list[dict[str, Json]]:
        """All uninstall entries, as the `software` operation gives them."""
        places: list[tuple[str, str, str, str, str | None]] = [
            ("HKLM", UNINSTALL, "machine", "64", None),
            ("HKLM", UNINSTALL_32, "machine", "32", None),
        ]
        places += [("HKU", f"{sid}\\{UNINSTALL}", "user", "64", sid) for sid in self.users.values()]
        return [
            _software_entry(key, scope, view, user, values)
            for hive, path, scope, view, user in places
            for key, values in self.registry.subkeys(f"{hive}\\{path}")
            if values.get("DisplayName")
        ]

    def remove_software(self, entry: Mapping[str, Json]) -> None:
        """Remove one entry of `software()`."""
        if entry["scope"] == "user":
            root = f"HKU\\{entry['sid']}\\{UNINSTALL}"
        else:
            root = f"HKLM\\{UNINSTALL_32 if entry['view'] == '32' else UNINSTALL}"
        self.registry.delete(f"{root}\\{entry['key']}")

    # --- services ---------------------------------------------------------------------------------------------

    def service(self, name: str) -> dict[str, Json] | None:
        """State and start-up of a service, None when there is none of this name."""
        state = self.services.get(name.lower())
        return None if state is None else {"state": state, "startup": self.startup(name)}

    def startup(self, name: str) -> str:
        """How a service starts: `automatic`, `delayed`, `manual` or `disabled`."""
        key = f"{SERVICES}\\{name}"
        start = self.registry.get(key, "Start")
        if start == 2:
            return "delayed" if self.registry.get(key, "DelayedAutostart") == 1 else "automatic"
        return "manual" if start == 3 else "disabled"

    def set_startup(self, name: str, startup: str) -> None:
        """Change how a service starts."""
        self.registry.set(f"{SERVICES}\\{name}", "Start", {"manual": 3, "disabled": 4}.get(startup, 2))
        self.registry.set(f"{SERVICES}\\{name}", "DelayedAutostart", int(startup == "delayed"))

    # --- files ------------------------------------------------------------------------------------------------

    def file(self, path: str) -> dict[str, Json] | None:
        """A file's content, version and mode, None when it is not there."""
        return self.files.get(path_key(path))


def _software_entry(key: str, scope: str, view: str, sid: str | None, values: Mapping[str, Json]) -> dict[str, Json]:
    def text(name: str) -> str | None:
        value = values.get(name)
        if isinstance(value, dict):
            value = value.get("value")
        return None if value is None else str(value)

    return {
        "key": key,
        "scope": scope,
        "view": view,
        "sid": sid,
        "name": text("DisplayName"),
        "version": text("DisplayVersion"),
        "publisher": text("Publisher"),
        "product_code": key if GUID.match(key) else None,
        "uninstall": text("UninstallString"),
        "quiet_uninstall": text("QuietUninstallString"),
        "location": text("InstallLocation"),
        "install_date": text("InstallDate"),
        "system_component": text("SystemComponent"),
        "upgrade_code": text("UpgradeCode"),
    }


_VARIABLES = {
    "%programfiles%": r"C:\Program Files",
    "%programfiles(x86)%": r"C:\Program Files (x86)",
    "%programdata%": r"C:\ProgramData",
    "%systemroot%": r"C:\Windows",
    "%windir%": r"C:\Windows",
    "%systemdrive%": "C:",
    "%public%": r"C:\Users\Public",
}


def path_key(path: str) -> str:
    """A path in the form that compares: lower case, backslashes, the machine's variables expanded."""
    text = (
        path.replace("/", "\\").replace("${env:", "%").replace("}", "%")
        if "${env:" in path
        else path.replace("/", "\\")
    )
    text = text.lower()
    for name, value in _VARIABLES.items():
        text = text.replace(name, value.lower())
    return text


def file_entry(value: Json) -> dict[str, Json]:
    """A file from the spec: text, or a map with `content`, `version`, `mode`."""
    if isinstance(value, dict):
        return {"content": "", "version": None, "mode": None, **value}
    return {"content": "" if value is None else str(value), "version": None, "mode": None}


def package_entry(value: Json) -> dict[str, Json]:
    """A package from the spec: its installed version, or a map with `installed` and `candidate`."""
    if isinstance(value, dict):
        return {"installed": value.get("installed"), "candidate": value.get("candidate") or value.get("installed")}
    return {"installed": value if value is None else str(value), "candidate": None if value is None else str(value)}
