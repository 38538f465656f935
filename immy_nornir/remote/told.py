"""What a computer tells, as values of the type that is meant; anything else counts as not told. Pure, never raises."""

from __future__ import annotations

import math
from collections.abc import Mapping

from immy_nornir.model.facts import Logon, LogonState
from immy_nornir.model.values import Json
from immy_nornir.text import json

LARGEST = 2**63 - 1
"""Of a whole number that is stored."""
_TEXTS = {"os", "version", "build", "architecture", "chassis", "manufacturer", "model", "powershell"}
_TEXTS |= {"language_mode", "time_zone"}
_NUMBERS = {"memory_gb", "disk_free_gb", "time"}


def too_deep(value: Json) -> bool:
    """Whether lists and maps are nested deeper than is read."""
    return json.is_deeper(value, json.MAX_DEPTH)


def whole(value: Json, least: int = -LARGEST) -> int | None:
    """A whole number from `least` on that can be stored."""
    is_one = isinstance(value, int) and not isinstance(value, bool)
    return value if is_one and least <= value <= LARGEST else None  # type: ignore[operator,return-value]  # an int


def number(value: Json) -> float | None:
    """A number that is finite."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def text(value: Json) -> str:
    """A text; other values as Python shows them, nothing and what is nested too deep as an empty one."""
    if isinstance(value, str):
        return value
    return "" if not value or too_deep(value) else str(value)


def texts(value: Json) -> tuple[str, ...]:
    """The texts of a list."""
    return tuple(text(one) for one in value) if isinstance(value, list) else ()


def logons(value: Json, users: Json) -> tuple[Logon, ...]:
    """Who is logged on, and how; of those who are only named it is not known."""
    found: dict[str, Logon] = {}
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and (name := text(one.get("name"))):
            state = text(one.get("state"))
            known = LogonState(state) if state in set(LogonState) else LogonState.UNKNOWN
            found[name] = Logon(name, known, one.get("desktop") is not False)
    for name in texts(users):
        found.setdefault(name, Logon(name))
    return tuple(found.values())


def system(value: Json) -> Mapping[str, Json]:
    """What a computer says of its system: what is known there has its type or is not told."""
    if not isinstance(value, dict) or too_deep(value):
        return {}
    told = dict(value)
    for name in told.keys() & _TEXTS:
        told[name] = told[name] if isinstance(told[name], str) else None
    for name in told.keys() & _NUMBERS:
        told[name] = told[name] if number(told[name]) is not None else None
    return told
