"""What jobs do to a simulated computer: a job's spec and State -> exit code, output and value. No time, no log."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from immy_nornir.lab.simulated.commands import said_by
from immy_nornir.lab.simulated.reading import OperationError
from immy_nornir.lab.simulated.registry import split_key, stored, typed
from immy_nornir.lab.simulated.state import path_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immy_nornir.lab.simulated.state import State
    from immy_nornir.model.values import Json

SUCCESS = frozenset({0, 1707, 3010, 1641})
REBOOT = frozenset({3010, 1641})
_MENDS = frozenset({"repair", "reinstall"})
"""Actions after which the test of broken software holds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended; `exit_code` None: it could not be carried out, or was ended."""

    exit_code: int | None
    output: str = ""
    error: str = ""
    value: Json = None


def carry_out(state: State, spec: Mapping[str, Any], run: int) -> Outcome:
    """Carry a job out; `run` counts the item's jobs on this computer from 0."""
    item = str(spec.get("item") or "")
    work = spec.get("work") or {}
    kind = str(spec.get("kind") or "")
    bad = _bad_download(work) if kind == "installer" else ""
    if bad:
        return Outcome(None, error=bad)
    if work.get("only") == "download":
        return Outcome(0, output="1 bytes\r\n")
    exit_code = exit_code_of(state, item or kind, run)
    if exit_code in REBOOT:
        state.add_pending("component_based_servicing")
    if kind == "command":
        code, said = said_by(state, str(spec.get("context") or "system"), work)
        return Outcome(code or exit_code, output=said)
    if exit_code not in SUCCESS:
        return Outcome(exit_code, output=f"{item}: failed with {exit_code}\r\n")
    value: Json = None
    if item in state.spec.breaks:
        if spec.get("action") in _MENDS:
            state.compliant.add(item)
    else:
        try:
            value = _change(state, kind, item, work)
        except (OperationError, ValueError, KeyError) as error:
            return Outcome(1, error=f"{error}", output=f"{item}: {error}\r\n")
    return Outcome(exit_code, output=f"{item}: {kind} done\r\n", value=value)


def printed(what: Json) -> bytes:
    """What a job prints while it is at work: a text, or so many bytes in numbered lines."""
    if isinstance(what, int) and not isinstance(what, bool):
        count = what // len("line 00000001\r\n") + 1
        return "".join(f"line {number:08}\r\n" for number in range(count)).encode()[:what]
    return b"" if what is None else str(what).encode()


def exit_code_of(state: State, item: str, run: int) -> int:
    """The exit code that the spec gives to an item's job; the last of a list goes on for ever."""
    codes = state.spec.exits.get(item, 0)
    if isinstance(codes, list):
        codes = codes[min(run, len(codes) - 1)] if codes else 0
    return int(str(codes))


def _change(state: State, kind: str, item: str, work: Mapping[str, Any]) -> Json:
    match kind:
        case "installer":
            if work.get("uninstall"):
                _uninstall(state, item, work)
            else:
                _install(state, item, work.get("expect") or {})
        case "package":
            _package(state, item, work)
        case "declare":
            return [change for one in work.get("resources", []) for change in _declare(state, one)]
        case "script":
            if work.get("expect"):
                _install(state, item, work["expect"])
            else:
                state.compliant.add(item)
        case _:
            raise OperationError(f"unknown kind of job '{kind}'")
    return None


def _bad_download(work: Mapping[str, Any]) -> str:
    url, wanted = str(work.get("url") or ""), str(work.get("sha256") or "").lower()
    if not wanted or urlsplit(url).scheme != "file":
        return ""
    path = Path(url2pathname(urlsplit(url).path))
    if not path.is_file():
        return ""
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    return "" if actual == wanted else f"the download's sha256 is {actual} and not {wanted}"


# --- software ---------------------------------------------------------------------------------------------------


def _matching(state: State, expect: Mapping[str, Any]) -> list[dict[str, Json]]:
    glob, code = str(expect.get("display_name") or "").lower(), str(expect.get("product_code") or "").lower()
    return [
        one
        for one in state.software()
        if (glob and fnmatch.fnmatchcase(str(one["name"]).lower(), glob))
        or (code and str(one["product_code"] or "").lower() == code)
    ]


def _install(state: State, item: str, expect: Mapping[str, Any]) -> None:
    version = expect.get("version")
    if expect.get("display_name") or expect.get("product_code"):
        old = _matching(state, expect)
        for one in old:
            state.remove_software(one)
        name = _name_for(str(expect.get("display_name") or ""), str(version or ""))
        name = name or (str(old[0]["name"]) if old else item.rpartition("/")[2])
        publisher = expect.get("publisher") or (old[0]["publisher"] if old else None)
        if publisher is not None:
            publisher = str(publisher).replace("*", "").strip()
        state.add_software({**expect, "name": name, "publisher": publisher})
        state.installed_names[item] = name
    if expect.get("file"):
        state.files[path_key(str(expect["file"]))] = {"content": item, "version": version, "mode": None}
    state.versions[item] = version if version is not None else "1.0"


def _name_for(glob: str, version: str) -> str:
    """A display name that the glob matches: the version where a star stands after a blank, nothing for other stars."""
    name = glob.replace(" *", f" {version}", 1).replace("*", "").replace("?", "0")
    name = re.sub(r"\[(.)[^\]]*\]", r"\1", name)
    return name if name.strip() else ""


def _uninstall(state: State, item: str, work: Mapping[str, Any]) -> None:
    command, expect = str(work.get("command") or "").lower(), work.get("expect") or {}
    gone = _matching(state, expect)
    if command:
        for one in state.software():
            texts = [str(one[name] or "").lower() for name in ("uninstall", "quiet_uninstall", "product_code")]
            if command in texts[:2] or (texts[2] and texts[2] in command):
                gone.append(one)
    for one in gone:
        state.remove_software(one)
    if expect.get("file"):
        state.files.pop(path_key(str(expect["file"])), None)
    state.versions.pop(item, None)


def _package(state: State, item: str, work: Mapping[str, Any]) -> None:
    manager, name = str(work["manager"]), str(work["name"])
    entry = state.packages.setdefault((manager.lower(), name.lower()), {"installed": None, "candidate": None})
    if work.get("action") == "uninstall":
        entry["installed"] = None
        name = state.installed_names.pop(item, "")
        _uninstall(state, item, {"expect": {"display_name": name}})
        return
    version = work.get("version") or entry["candidate"] or "1.0"
    entry.update(installed=str(version), candidate=entry["candidate"] or str(version))
    state.versions[item] = str(version)
    if work.get("expect"):
        _install(state, item, work["expect"])


# --- declared resources -----------------------------------------------------------------------------------------


def _declare(state: State, resource: Mapping[str, Any]) -> list[Json]:
    match resource.get("resource"):
        case "registry":
            return _declare_registry(state, resource)
        case "service":
            name, before, after = _declare_service(state, resource)
        case "file":
            name, before, after = _declare_file(state, resource)
        case "package":
            name, before, after = _declare_package(state, resource)
        case other:
            raise OperationError(f"unknown resource '{other}'")
    return _difference(name, before, after)


def _difference(name: str, before: Json, after: Json) -> list[Json]:
    """What changed, or nothing where it was already so."""
    return [] if before == after else [{"name": name, "before": before, "after": after}]


def _declare_registry(state: State, resource: Mapping[str, Any]) -> list[Json]:
    key, name = str(resource["key"]), str(resource.get("name") or "")
    hive, path = split_key(key)
    keys = [key]
    if hive == "HKCU" or resource.get("every_user"):
        keys = [f"HKU\\{sid}\\{path}" for sid in state.users.values()]
    changes: list[Json] = []
    for one in keys:
        before = _plain(state, one, name)
        if resource.get("absent"):
            state.registry.delete(one, name)
        else:
            state.registry.set(one, name, stored(str(resource.get("type") or "String"), resource.get("value")))
        changes += _difference(f"{one}\\{name}", before, _plain(state, one, name))
    return changes


def _plain(state: State, key: str, name: str) -> Json:
    return typed(state.registry.get(key, name))[1] if state.registry.has(key, name) else None


def _declare_service(state: State, resource: Mapping[str, Any]) -> tuple[str, Json, Json]:
    name = str(resource["name"])
    before = state.service(name)
    if before is None:
        raise OperationError(f"there is no service '{name}'")
    if resource.get("startup"):
        state.set_startup(name, str(resource["startup"]))
    if resource.get("state") == "running" and state.startup(name) == "disabled":
        raise OperationError(f"service '{name}' cannot be started because it is disabled")
    if resource.get("state"):
        state.services[name.lower()] = str(resource["state"])
    return name, before, state.service(name)


def _declare_file(state: State, resource: Mapping[str, Any]) -> tuple[str, Json, Json]:
    path = str(resource["path"])

    def digest() -> Json:
        file = state.file(path)
        return None if file is None else hashlib.sha256(str(file["content"]).encode()).hexdigest()

    before = digest()
    if resource.get("absent"):
        state.files.pop(path_key(path), None)
    else:
        old = state.file(path) or {"content": "", "version": None, "mode": None}
        content = resource.get("content")
        state.files[path_key(path)] = {
            **old,
            "content": old["content"] if content is None else str(content),
            "mode": resource.get("mode") or old["mode"],
        }
    return path, before, digest()


def _declare_package(state: State, resource: Mapping[str, Any]) -> tuple[str, Json, Json]:
    manager, name, wanted = str(resource["manager"]), str(resource["name"]), str(resource.get("state") or "present")
    entry = state.packages.setdefault((manager.lower(), name.lower()), {"installed": None, "candidate": None})
    before = entry["installed"]
    match wanted:
        case "absent":
            entry["installed"] = None
        case "present":
            entry["installed"] = before or entry["candidate"] or "1.0"
        case "latest":
            entry["installed"] = entry["candidate"] or before or "1.0"
        case version:
            entry["installed"] = version
    entry["candidate"] = entry["candidate"] or entry["installed"]
    return name, before, entry["installed"]
