"""A Windows registry in memory, in the JSON form `{hive: {key: {name: value}}}`; names are case-insensitive.

Strings are String, integers DWord or QWord, lists of strings MultiString; `{"type", "value"}` stands for the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immy_nornir.model.values import Json

HIVES = {
    "HKLM": "HKLM",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKCU": "HKCU",
    "HKEY_CURRENT_USER": "HKCU",
    "HKU": "HKU",
    "HKEY_USERS": "HKU",
    "HKCR": "HKCR",
    "HKEY_CLASSES_ROOT": "HKCR",
}


def split_key(key: str) -> tuple[str, str]:
    """Hive and path of a key in any usual spelling; raises ValueError for an unknown hive."""
    text = key.replace("/", "\\")
    if text.lower().startswith("registry::"):
        text = text[10:]
    head, _, path = text.partition("\\")
    hive = HIVES.get(head.rstrip(":").upper())
    if hive is None:
        raise ValueError(f"unknown hive in the key '{key}'")
    return hive, path.strip("\\")


def typed(value: Any) -> tuple[str, Json]:
    """Type and plain value of a stored value."""
    match value:
        case {"type": str(kind), "value": plain}:
            return kind, plain
        case bool():
            return "DWord", int(value)
        case int():
            return ("DWord" if -(2**31) <= value < 2**32 else "QWord"), value
        case list():
            return "MultiString", value
        case _:
            return "String", value


def stored(kind: str, value: Any) -> Json:
    """The JSON form of a value of a type."""
    match kind.lower().replace("_", ""):
        case "string" | "sz" | "regsz" | "":
            return value if isinstance(value, str) else _text(value)
        case "dword" | "qword" as number:
            whole = int(str(value), 0) if isinstance(value, str) else int(value)
            return {"type": "QWord", "value": whole} if number == "qword" and -(2**31) <= whole < 2**32 else whole
        case "multistring" | "multisz":
            return [_text(one) for one in value] if isinstance(value, list | tuple) else [_text(value)]
        case _:
            return {"type": kind, "value": value}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "True" if value else "False"
    return "" if value is None else str(value)


class Registry:
    """Keys with their values."""

    def __init__(self, content: Mapping[str, Mapping[str, Mapping[str, Json]]]) -> None:
        self._keys: dict[str, tuple[str, dict[str, tuple[str, Json]]]] = {}
        for hive, keys in content.items():
            for path, values in keys.items():
                self.create(f"{hive}\\{path}")
                for name, value in values.items():
                    self.set(f"{hive}\\{path}", name, value)

    def create(self, key: str) -> None:
        """Make a key unless it is there."""
        hive, path = split_key(key)
        full = f"{hive}\\{path}"
        self._keys.setdefault(full.lower(), (full, {}))

    def set(self, key: str, name: str, value: Json) -> None:
        """Set a value, with its key."""
        self.create(key)
        hive, path = split_key(key)
        self._keys[f"{hive}\\{path}".lower()][1][name.lower()] = (name, value)

    def get(self, key: str, name: str) -> Json | None:
        """A stored value, None when there is none."""
        found = self._values(key).get(name.lower())
        return found[1] if found else None

    def has(self, key: str, name: str | None = None) -> bool:
        """Whether a key, or a value in it, is there."""
        hive, path = split_key(key)
        entry = self._keys.get(f"{hive}\\{path}".lower())
        return entry is not None and (name is None or name.lower() in entry[1])

    def delete(self, key: str, name: str | None = None) -> None:
        """Remove a value, or a key with all below it."""
        if name is not None:
            self._values(key).pop(name.lower(), None)
            return
        hive, path = split_key(key)
        full = f"{hive}\\{path}".lower()
        for one in [one for one in self._keys if one == full or one.startswith(full + "\\")]:
            del self._keys[one]

    def subkeys(self, key: str) -> list[tuple[str, dict[str, Json]]]:
        """Direct subkeys that hold values: name and values, in the order of their creation."""
        hive, path = split_key(key)
        prefix = f"{hive}\\{path}\\".lower()
        return [
            (full[len(prefix) :], dict(values.values()))
            for lower, (full, values) in self._keys.items()
            if lower.startswith(prefix) and "\\" not in lower[len(prefix) :]
        ]

    def content(self) -> dict[str, dict[str, dict[str, Json]]]:
        """Everything in the JSON form."""
        result: dict[str, dict[str, dict[str, Json]]] = {"HKLM": {}, "HKCU": {}, "HKU": {}}
        for full, values in self._keys.values():
            hive, path = split_key(full)
            result.setdefault(hive, {})[path] = dict(values.values())
        return result

    def _values(self, key: str) -> dict[str, tuple[str, Json]]:
        hive, path = split_key(key)
        entry = self._keys.get(f"{hive}\\{path}".lower())
        return entry[1] if entry else {}
