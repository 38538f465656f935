"""A reading operation -> the lines that look at the same by hand on the computer; pure, and without secrets.

They change nothing. What they print is for people: the operation itself reads the same sources in more detail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from immy_nornir.model.items import Language, Platform
from immy_nornir.model.values import Json
from immy_nornir.model.wire import Read, ReadOperation
from immy_nornir.text.plain import plain

_UNINSTALL: Final = (
    r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*",
    r"HKLM:\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\*",
    r"Registry::HKEY_USERS\*\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*",
)
_HIVES: Final = {"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKU": "HKEY_USERS"}


def looked_at(operation: ReadOperation, platform: Platform) -> Iterator[str]:
    """The lines of one operation, in PowerShell for Windows and in POSIX sh elsewhere."""
    if operation.name is Read.SCRIPT:
        yield from _script(operation)
        return
    table = _WINDOWS if platform is Platform.WINDOWS else _POSIX
    look = table.get(operation.name)
    if look is None:
        yield f"# {operation.name}: immy's own question"
    else:
        yield from look(operation.params, platform)


def quoted(value: Json, *, posix: bool) -> str:
    """A value as a literal of the shell or of PowerShell."""
    if not posix and isinstance(value, bool):
        return f"${plain(value)}"
    if not posix and isinstance(value, int | float):
        return plain(value)
    if not posix and value is None:
        return "$null"
    if not posix and not isinstance(value, str):
        return f"ConvertFrom-Json {quoted(plain(value), posix=False)}"
    text = "" if value is None else plain(value)
    return "'" + text.replace("'", "'\\''" if posix else "''") + "'"


def assigned(params: Mapping[str, Json], language: object) -> Iterator[str]:
    """Parameters as a script gets them: variables, of the environment in a shell."""
    for name, value in params.items():
        if language == Language.SH:
            yield f"export IMMY_{name.upper()}={quoted(value, posix=True)}"
        else:
            yield f"${name} = {quoted(value, posix=False)}"


def _script(operation: ReadOperation) -> Iterator[str]:
    params = operation.params.get("params")
    yield from assigned(params if isinstance(params, Mapping) else {}, operation.language)
    # In a scope of its own: what it sets or ends is not the shell in which it is tried.
    yield "(" if operation.language == Language.SH else "& {"
    yield from plain(operation.script).splitlines()
    yield ")" if operation.language == Language.SH else "}"


def _names(params: Mapping[str, Json], key: str) -> Iterator[str]:
    names = params.get(key)
    yield from map(plain, names if isinstance(names, list | tuple) else ())


def _ps(text: str) -> str:
    return quoted(text, posix=False)


def _sh(text: str) -> str:
    return quoted(text, posix=True)


# --- Windows --------------------------------------------------------------------------------------------------


def _software(_: Mapping[str, Json], __: Platform) -> Iterator[str]:
    yield f"Get-ItemProperty {', '.join(map(_ps, _UNINSTALL))} -ErrorAction SilentlyContinue |"
    yield "    Select-Object DisplayName, DisplayVersion, Publisher, PSChildName, PSParentPath"


def _registry(params: Mapping[str, Json], _: Platform) -> Iterator[str]:
    values = params.get("values")
    for one in values if isinstance(values, list | tuple) else ():
        if not isinstance(one, Mapping):
            continue
        key, name = plain(one.get("key")), plain(one.get("name")) or "(default)"
        word, _sep, rest = key.partition("\\")
        hive = _HIVES.get(word.upper().rstrip(":"), word.upper().rstrip(":"))
        # One of a user is looked up in the part of every user who is logged on.
        path = f"Registry::HKEY_USERS\\*\\{rest}" if hive == "HKEY_CURRENT_USER" else f"Registry::{hive}\\{rest}"
        how = "Path" if hive == "HKEY_CURRENT_USER" else "LiteralPath"
        yield f"Get-ItemProperty -{how} {_ps(path)} -Name {_ps(name)} -ErrorAction SilentlyContinue"


def _services(params: Mapping[str, Json], _: Platform) -> Iterator[str]:
    for name in _names(params, "names"):
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        which = _ps(f"Name='{escaped}'")
        yield f"Get-CimInstance Win32_Service -Filter {which} | Select-Object Name, State, StartMode"


def _files(params: Mapping[str, Json], _: Platform) -> Iterator[str]:
    for path in _names(params, "paths"):
        place = f"([Environment]::ExpandEnvironmentVariables({_ps(path)}))"
        version = "@{n='Version'; e={$_.VersionInfo.FileVersion}}"
        yield f"Get-Item -Force -LiteralPath {place} | Select-Object FullName, Length, {version}"
        yield f"Get-FileHash -LiteralPath {place} -Algorithm SHA256"


def _windows_packages(params: Mapping[str, Json], _: Platform) -> Iterator[str]:
    for name in _names(params, "names"):
        if params.get("manager") == "winget":
            yield f"winget list --id {_ps(name)} --exact --accept-source-agreements"
            yield f"winget show --id {_ps(name)} --exact --accept-source-agreements"
        else:
            yield f"choco list {_ps(name)} --exact"
            yield f"choco search {_ps(name)} --exact"


def _driver(params: Mapping[str, Json], _: Platform) -> Iterator[str]:
    yield f"Get-CimInstance Win32_PnPSignedDriver | Where-Object DeviceName -like {_ps(plain(params.get('name')))} |"
    yield "    Select-Object DeviceName, DriverVersion, DriverProviderName"


# --- POSIX ----------------------------------------------------------------------------------------------------


def _posix_packages(params: Mapping[str, Json], _: Platform) -> Iterator[str]:
    manager = plain(params.get("manager"))
    for name in map(_sh, _names(params, "names")):
        match manager:
            case "apt":
                yield f"dpkg-query -W -f='${{Status}} ${{Version}}\\n' -- {name}; apt-cache policy -- {name}"
            case "brew":
                yield f"brew list --versions {name}; brew info {name}"
            case _:
                yield f"rpm -q {name}; {manager} -q list available {name}"


def _posix_services(params: Mapping[str, Json], platform: Platform) -> Iterator[str]:
    for name in map(_sh, _names(params, "names")):
        if platform is Platform.MACOS:
            yield f"launchctl print system/{name}"
        else:
            yield f"systemctl show --property=Id,LoadState,ActiveState,UnitFileState -- {name}"


def _posix_files(params: Mapping[str, Json], platform: Platform) -> Iterator[str]:
    digest = "shasum -a 256" if platform is Platform.MACOS else "sha256sum"
    for path in map(_sh, _names(params, "paths")):
        yield f"ls -ld -- {path}; {digest} -- {path}"


_Look = Callable[[Mapping[str, Any], Platform], Iterator[str]]
_WINDOWS: Final[Mapping[Read, _Look]] = {
    Read.SOFTWARE: _software,
    Read.REGISTRY: _registry,
    Read.SERVICE: _services,
    Read.FILE: _files,
    Read.PACKAGES: _windows_packages,
    Read.DRIVER: _driver,
}
_POSIX: Final[Mapping[Read, _Look]] = {
    Read.SERVICE: _posix_services,
    Read.FILE: _posix_files,
    Read.PACKAGES: _posix_packages,
}
