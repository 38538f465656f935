"""What the built-in operations of `reads.sh` print, as the wire's JSON (docs/wire.md).

Pure text in, values out. It neither sends nor decides anything.
"""

from __future__ import annotations

import contextlib
import uuid
from base64 import b64decode
from collections.abc import Iterator, Sequence

from immy_nornir.model.facts import Boot, Identity
from immy_nornir.model.items import Platform
from immy_nornir.model.values import Json
from immy_nornir.remote import told
from immy_nornir.text import json

_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
# SMBIOS chassis types, DMTF DSP0134 section 7.4.1.
_LAPTOPS = frozenset({8, 9, 10, 11, 12, 14, 30, 31, 32})
_SERVERS = frozenset({17, 23, 25, 28, 29})
_DESKTOPS = frozenset({3, 4, 5, 6, 7, 13, 15, 16, 24, 33, 34, 35, 36})

Rows = Sequence[Sequence[str]]


def rows_of(text: str) -> Rows:
    """Lines of `name<TAB>value...` as lists of words."""
    return [line.split("\t") for line in text.split("\n") if line]


def _first(rows: Rows) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        if len(row) > 1:
            found.setdefault(row[0], row[1])
    return found


def architecture(machine: str) -> str:
    """`uname -m` in the words of releases: x64, x86, arm64, else as it is."""
    if machine[:1] == "i" and machine.endswith("86"):
        return "x86"
    return _ARCHITECTURES.get(machine, machine)


def _number(text: str | None) -> float | None:
    try:
        return told.number(float(text)) if text else None
    except ValueError:
        return None


def _gigabytes(text: str | None, unit: int = 1) -> float | None:
    number = _number(text)
    return None if number is None else round(number * unit / 2**30, 2)


def identity(text: str) -> dict[str, Json]:
    """The result of `identity` from what `immy_identity` prints."""
    rows = rows_of(text)
    seen = _first(rows)
    name, _, domain = seen.get("name", "").partition(".")
    if not domain:
        domain = seen.get("alias", "").partition(".")[2] or seen.get("domain", "")
    identifier, source = _uuid(seen)
    return {
        "name": name,
        "domain": domain,
        "uuid": identifier,
        "uuid_source": source,
        "platform": "macos" if seen.get("kernel") == "Darwin" else "linux",
        "boot": {"id": seen.get("boot_id"), "time": _number(seen.get("boot_time"))},
        "pending_reboots": [row[1] for row in rows if row[0] == "pending" and len(row) > 1],
        "users": [row[1] for row in rows if row[0] == "user" and len(row) > 1],
        "logons": _logons(rows),
        "system": _system(seen),
    }


_BEST = ("active", "unknown", "locked", "disconnected")


def _logons(rows: Rows) -> Json:
    """Each person once: a session with a desktop before one without, then the best state."""
    found: dict[str, tuple[bool, int, str]] = {}
    for row in rows:
        if row[0] != "logon" or len(row) < 4 or row[2] not in _BEST:
            continue
        rank = (row[3] != "1", _BEST.index(row[2]), row[2])
        found[row[1]] = min(found.get(row[1], rank), rank)
    return [{"name": name, "state": state, "desktop": not without} for name, (without, _, state) in found.items()]


def _uuid(seen: dict[str, str]) -> tuple[str, str]:
    for key, source in (("platform_uuid", "platform_uuid"), ("machine_id", "machine_id"), ("product_uuid", "smbios")):
        # A fresh image holds the word `uninitialized` where its machine-id will be.
        with contextlib.suppress(ValueError):
            if seen.get(key):
                whole = str(uuid.UUID(seen[key]))
                return (whole.replace("-", "") if source == "machine_id" else whole), source
    return "", ""


def _release(seen: dict[str, str], name: str) -> str | None:
    return seen.get(f"release_{name}", "").strip().strip("\"'") or None


def _system(seen: dict[str, str]) -> dict[str, Json]:
    mac = seen.get("kernel") == "Darwin"
    return {
        "os": seen.get("os") if mac else _release(seen, "NAME") or seen.get("kernel"),
        "version": seen.get("version") if mac else _release(seen, "VERSION_ID"),
        "build": seen.get("build") if mac else seen.get("release"),
        "architecture": architecture(seen.get("machine", "")) or None,
        "chassis": _chassis(seen),
        "role": None,
        "memory_gb": _gigabytes(seen.get("memory")),
        "disk_free_gb": _gigabytes(seen.get("disk_free"), 1024),
        "manufacturer": seen.get("manufacturer"),
        "model": seen.get("model"),
        "powershell": None,
        "language_mode": None,
        "time": _number(seen.get("time")),
        "time_zone": seen.get("time_zone", "").strip() or None,
    }


def _chassis(seen: dict[str, str]) -> str | None:
    if seen.get("kernel") == "Darwin":
        return "laptop" if "Book" in seen.get("model", "") else "desktop"
    kind = int(_number(seen.get("chassis")) or 0)
    for name, kinds in (("laptop", _LAPTOPS), ("server", _SERVERS), ("desktop", _DESKTOPS)):
        if kind in kinds:
            return name
    return None


def to_identity(result: Json) -> Identity:
    """The wire's identity map as the model's value; raises KeyError, TypeError or ValueError when it is not one."""
    assert isinstance(result, dict)  # noqa: S101 - made by `identity` above
    boot, system = result["boot"], result["system"]
    pending, users = result["pending_reboots"], result["users"]
    assert isinstance(boot, dict) and isinstance(system, dict)  # noqa: S101, PT018
    assert isinstance(pending, list) and isinstance(users, list)  # noqa: S101, PT018
    boot_id, boot_time = boot["id"], boot["time"]
    return Identity(
        name=str(result["name"]),
        domain=str(result["domain"]),
        uuid=str(result["uuid"]),
        uuid_source=str(result["uuid_source"]),
        platform=Platform(str(result["platform"])),
        boot=Boot(str(boot_id) if boot_id else None, boot_time if isinstance(boot_time, float) else None),
        pending_reboots=tuple(str(name) for name in pending),
        users=tuple(str(name) for name in users),
        logons=told.logons(result.get("logons"), users),
        system=system,
    )


def facts(text: str) -> dict[str, Json]:
    """The result of `facts`: a map for each section asked for."""
    sections: dict[str, list[Sequence[str]]] = {}
    current: list[Sequence[str]] = []
    for row in rows_of(text):
        if row[0] == "section":
            current = sections.setdefault(row[1], [])
        else:
            current.append(row)
    makers = {"hardware": _hardware, "network": _network, "users": _users}
    return {name: makers[name](rows) if name in makers else {} for name, rows in sections.items()}


def _hardware(rows: Rows) -> dict[str, Json]:
    seen = _first(rows)
    cores = _number(seen.get("cores"))
    return {
        "serial": seen.get("serial"),
        "manufacturer": seen.get("manufacturer"),
        "model": seen.get("model"),
        "memory_gb": _gigabytes(seen.get("memory")),
        "processor": seen.get("processor"),
        "cores": None if cores is None else int(cores),
        "disks": [
            {"name": row[1], "size_gb": _gigabytes(row[2], 1024), "free_gb": _gigabytes(row[3], 1024)}
            for row in rows
            if row[0] == "disk" and len(row) > 3
        ],
        "drives": [
            {"name": row[1], "size_gb": _gigabytes(row[2], 512), "model": row[3].strip() or None}
            for row in rows
            if row[0] == "drive" and len(row) > 3
        ],
    }


def _network(rows: Rows) -> dict[str, Json]:
    macs = {row[1]: row[2] for row in rows if row[0] == "mac" and len(row) > 2}
    gateways = {row[1]: row[2] for row in rows if row[0] == "gateway" and len(row) > 2}
    addresses: dict[str, list[Json]] = {}
    for row in rows:
        if row[0] == "address" and len(row) > 3:
            addresses.setdefault(row[1], []).append(row[3].partition("/")[0])
    adapters: list[Json] = [
        {"name": name, "addresses": addresses.get(name, []), "mac": macs.get(name), "gateway": gateways.get(name)}
        for name in dict.fromkeys([*addresses, *macs])
    ]
    return {"adapters": adapters, "dns": [row[1] for row in rows if row[0] == "dns"]}


def _users(rows: Rows) -> dict[str, Json]:
    return {
        "logged_on": [
            {"name": row[1], "sid": row[2] or None} for row in rows if row[0] == "logged_on" and len(row) > 2
        ],
        "profiles": [row[1] for row in rows if row[0] == "local"],
    }


_REMOVE = {"dpkg": "apt-get -y remove", "rpm": "dnf -y remove", "apk": "apk del", "brew": "brew uninstall"}


def software(text: str) -> list[Json]:
    """The result of `software`: one entry for each installed package or application."""
    entries: list[Json] = []
    for row in rows_of(text):
        if row[0] == "profiler":
            entries += _applications("".join(row[1:]))
        elif row[0] == "unread":
            entries.append({"error": " ".join(row[1:])})
        elif row[0] in _REMOVE and len(row) < 4:
            entries.append({"error": f"a line of {row[0]} is cut off: {' '.join(row)}"})
        elif len(row) > 3 and row[1][1:2] == "i":
            entries.append(_package(row))
    return entries


def _entry(key: str, name: str, version: str | None, publisher: str | None, view: str | None) -> dict[str, Json]:
    empty = ("sid", "product_code", "uninstall", "quiet_uninstall", "location", "install_date", "system_component")
    entry: dict[str, Json] = {"key": key, "scope": "machine", "view": view, "name": name, "version": version}
    return entry | {"publisher": publisher, "upgrade_code": None} | dict.fromkeys(empty)


def _package(row: Sequence[str]) -> Json:
    kind, _, name, version, machine, publisher = (*row[:4], *(row[4:6] if len(row) > 5 else ("", "")))
    view = "32" if machine in {"i386", "i586", "i686", "armhf", "armel"} else "64"
    entry = _entry(f"{kind}/{name}", name, version, publisher or None, view)
    entry["uninstall"] = entry["quiet_uninstall"] = f"{_REMOVE[kind]} {name}"
    if kind == "dpkg":
        entry["quiet_uninstall"] = f"DEBIAN_FRONTEND=noninteractive {entry['uninstall']}"
    return entry


def _applications(packed: str) -> list[Json]:
    try:
        listed = json.parse_answer(b64decode(packed)).get("SPApplicationsDataType", [])
    except (ValueError, AttributeError) as problem:
        return [{"error": f"what system_profiler said cannot be read: {problem}"}]
    if not isinstance(listed, list) or told.too_deep(listed):
        return [{"error": "what system_profiler said is no list of applications"}]
    return [_application(one) for one in listed]


def _application(one: Json) -> Json:
    if not isinstance(one, dict) or not isinstance(one.get("_name"), str):
        return {"error": f"what system_profiler said of an application cannot be read: {one!r:.100}"}
    path, version = told.text(one.get("path")), one.get("version")
    signers = told.texts(one.get("signed_by")) or (told.text(one.get("obtained_from")),)
    number = version if isinstance(version, str) else None
    entry = _entry(f"app/{path}", str(one["_name"]), number, signers[0] or None, "64")
    return entry | {"location": path or None}


def packages(text: str, names: Sequence[str]) -> dict[str, Json]:
    """The result of `packages` for the names that were asked for, in their order."""
    found: dict[str, dict[str, Json]] = {name: {"installed": None, "candidate": None} for name in names}
    for index, word, version in _rows(text, 3):
        found[_named(names, index)][word] = version
    return {**found, **_unread(text, names)}


def services(text: str, names: Sequence[str]) -> dict[str, Json]:
    """The result of `service`: null for a name that is none."""
    found: dict[str, Json] = dict.fromkeys(names)
    for index, state, startup in _rows(text, 3):
        found[_named(names, index)] = {"state": state, "startup": startup}
    return {**found, **_unread(text, names)}


def paths(text: str, names: Sequence[str]) -> dict[str, Json]:
    """The result of `file`: null for a path that is not there; `mode` is octal with four digits."""
    found: dict[str, Json] = dict.fromkeys(names)
    for index, mode, size, digest in _rows(text, 4):
        file: dict[str, Json] = {
            "sha256": None if digest in ("-", "?") else digest.lower(),
            "size": None if size == "-" else int(size),
            "version": None,
            "mode": None if mode == "?" else f"{int(mode, 8):04o}",
        }
        if digest == "?":
            file["sha256_error"] = "its content could not be read"
        found[_named(names, index)] = file
    return {**found, **_unread(text, names)}


def _named(names: Sequence[str], index: str) -> str:
    """The name that was asked for by its place; raises ValueError for a place that was not."""
    if not index.isdecimal() or len(index) > 6 or int(index) >= len(names):
        raise ValueError(f"it speaks of something that was not asked for: {index[:20]!r}")
    return names[int(index)]


def _rows(text: str, columns: int) -> Iterator[Sequence[str]]:
    return (row for row in rows_of(text) if len(row) == columns and row[0] != "error")


def _unread(text: str, names: Sequence[str]) -> dict[str, Json]:
    """What could not be read, each with its reason in the place of its value."""
    return {_named(names, row[1]): {"error": row[2]} for row in rows_of(text) if row[0] == "error" and len(row) == 3}
