"""Reading operations of a simulated computer: state -> result. They change nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from immy_nornir.lab.simulated.registry import split_key, typed
from immy_nornir.lab.spec import Misbehaviour
from immy_nornir.model.wire import Read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immy_nornir.lab.simulated.state import State
    from immy_nornir.model.values import Json


class OperationError(Exception):
    """The operation fails; its text goes into the answer."""


def read(state: State, name: str, params: Mapping[str, Any], now: float) -> Json:
    """The result of a reading operation; raises OperationError, and ValueError for params that make no sense."""
    match name:
        case Read.IDENTITY:
            return identity(state, now)
        case Read.FACTS:
            return {str(section): _facts(state, str(section)) for section in params.get("sections", [])}
        case Read.SOFTWARE:
            return list(state.software())
        case Read.PACKAGES:
            return _packages(state, str(params["manager"]), params["names"])
        case Read.REGISTRY:
            return [registry_value(state, str(one["key"]), str(one.get("name") or "")) for one in params["values"]]
        case Read.SERVICE:
            return {str(name): _service(state, str(name)) for name in params["names"]}
        case Read.FILE:
            return {str(path): _file(state, str(path)) for path in params["paths"]}
        case Read.DRIVER:
            return {"version": state.drivers.get(str(params["name"]).lower())}
        case Read.SCRIPT:
            return _script(state, str(params.get("purpose", "")), str(params.get("item", "")))
        case _:
            raise OperationError(f"unknown operation '{name}'")


def identity(state: State, now: float) -> dict[str, Json]:
    """Who the computer is; an imposter says it is somebody else."""
    spec = state.spec
    name, uuid = spec.name, spec.identity_uuid
    if spec.does(Misbehaviour.IMPOSTER):
        name, uuid = f"{name}-other", f"{'f' * 8}{uuid[8:]}"
    return {
        "name": name,
        "domain": spec.domain,
        "uuid": uuid,
        "uuid_source": "smbios",
        "platform": "windows",
        "boot": {"id": str(state.boot_id), "time": state.boot_time},
        "pending_reboots": list(state.pending),
        "users": list(spec.users),
        "logons": [{"name": user, "state": spec.logons.get(user, "active"), "desktop": True} for user in spec.users],
        "system": {
            "os": spec.os,
            "version": spec.version,
            "build": spec.build,
            "architecture": spec.architecture,
            "chassis": spec.chassis,
            "role": spec.role,
            "memory_gb": spec.memory_gb,
            "disk_free_gb": spec.disk_free_gb,
            "manufacturer": spec.manufacturer,
            "model": spec.model,
            "powershell": spec.powershell,
            "language_mode": "FullLanguage",
            "time": now,
            "time_zone": spec.time_zone or None,
        },
    }


def _facts(state: State, section: str) -> dict[str, Json]:
    spec = state.spec
    match section:
        case "hardware":
            serial = spec.serial or f"LAB{spec.identity_uuid[:8].upper()}"
            disk: Json = {"name": "C:", "size_gb": spec.disk_free_gb * 2, "free_gb": spec.disk_free_gb}
            return {
                "serial": serial,
                "manufacturer": spec.manufacturer,
                "model": spec.model,
                "memory_gb": spec.memory_gb,
                "processor": "Lab CPU",
                "cores": 4,
                "disks": [disk],
            }
        case "users":
            logged_on: list[Json] = [{"name": user, "sid": sid} for user, sid in state.users.items()]
            return {"logged_on": logged_on, "profiles": list(state.users)}
        case "network":
            adapter: Json = {
                "name": "Ethernet",
                "addresses": [spec.address],
                "mac": "02:00:00:00:00:01",
                "gateway": None,
            }
            return {"adapters": [adapter], "domain": spec.domain}
        case _:
            raise OperationError(f"unknown section '{section}'")


def _packages(state: State, manager: str, names: list[Any]) -> dict[str, Json]:
    nothing: dict[str, Json] = {"installed": None, "candidate": None}
    return {str(name): dict(state.packages.get((manager.lower(), str(name).lower()), nothing)) for name in names}


def registry_value(state: State, key: str, name: str) -> dict[str, Json]:
    """One registry value as the `registry` operation gives it; HKCU in every user's hive."""
    hive, path = split_key(key)
    if hive != "HKCU":
        return _one_value(state, key, name)
    users: dict[str, Json] = {sid: _one_value(state, f"HKU\\{sid}\\{path}", name) for sid in state.users.values()}
    # Who asks is the system: its own hive holds nothing of the users.
    return {**_ABSENT, "users": users}


_ABSENT: dict[str, Json] = {"exists": False, "type": None, "value": None}


def _one_value(state: State, key: str, name: str) -> dict[str, Json]:
    if not state.registry.has(key, name):
        return dict(_ABSENT)
    kind, value = typed(state.registry.get(key, name))
    return {"exists": True, "type": kind, "value": value}


def _service(state: State, name: str) -> Json:
    return state.service(name)


def _file(state: State, path: str) -> Json:
    file = state.file(path)
    if file is None:
        return None
    data = str(file["content"]).encode()
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "version": file.get("version"),
        "mode": file.get("mode"),
    }


_HEALTHY: dict[str, Json] = {
    "administrator": True,
    "max_memory_mb": 2147483647,
    "max_shells": 30,
    "spool": "C:\\ProgramData\\immy\\spool",
    "spool_can": True,
    "open_jobs": 0,
    "msi_in_progress": "",
    "msi_busy": False,
    "servicing": False,
}
"""What a computer says when it is looked over; `values: {doctor: {...}}` says otherwise."""


def _given(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _script(state: State, purpose: str, item: str) -> Json:
    values = state.spec.values
    # An inventory item may be named with or without its kind.
    if item not in values and item.rpartition("/")[2] in values:
        item = item.rpartition("/")[2] if purpose == "inventory" else item
    match purpose:
        case "test":
            if item.startswith("software/"):
                return item not in state.spec.breaks or item in state.compliant
            return item in state.compliant
        case "detect":
            return state.versions.get(item)
        case "versions":
            return values.get(item, [])
        case "get":
            return values.get(item, {"compliant": item in state.compliant})
        case "doctor":
            return {**_HEALTHY, "user": f"{state.spec.name}\\{state.spec.username}", **_given(values.get("doctor"))}
        case "inventory":
            return values.get(item, {"name": item.rpartition("/")[2], "computer": state.spec.name})
        case _:
            raise OperationError(f"a simulated computer runs no script for the purpose '{purpose}'")
