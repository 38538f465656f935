"""What keeps a computer as it is at a moment, when that ends, and how it is told; pure.

Asked by the gate alone (decide.steps.times). FREEZE of the fleet's folder has no end and no computer: it is another
word of the same moment (decide.steps.moment).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from immy_nornir.decide.times.dates import end_of, parse_end
from immy_nornir.decide.times.time_zones import told
from immy_nornir.errors import ImmyError
from immy_nornir.model.control.holds import Hold, HoldKind
from immy_nornir.model.values import Value
from immy_nornir.text.plain import plain

VARIABLE: Final = "immy_hold"
KEYS: Final = ("until", "reason")
ADVICE: Final = "write {until: 2027-01-15, reason: 'year-end accounts'}"
WORDS: Final[Mapping[HoldKind, str]] = {
    HoldKind.FREEZE: "frozen",
    HoldKind.HOLD: "held",
    HoldKind.BLACKOUT: "blacked out",
    HoldKind.UNREAD: "taken for frozen",
}
"""How a computer is told to be."""


def in_force(holds: Iterable[Hold], now: float) -> Hold | None:
    """What holds a computer at a moment; of several what ends last."""
    found = [one for one in holds if one.begins <= now < _end(one)]
    return max(found, key=_end, default=None)


def next_after(holds: Iterable[Hold], now: float) -> Hold | None:
    """What holds the computer next."""
    return min((one for one in holds if one.begins > now), key=lambda one: one.begins, default=None)


def unending(holds: Iterable[Hold], computer: str) -> tuple[str, tuple[Hold, ...]]:
    """Why a computer is frozen with nobody having said until when, which stops a session; and all other holds."""
    known = tuple(holds)
    found = [one for one in known if one.kind is HoldKind.FREEZE and one.until is None]
    said = f"{computer} is {sentence(found[0], 'UTC')}" if found else ""
    return said, tuple(one for one in known if one not in found)


def _end(hold: Hold) -> float:
    return math.inf if hold.until is None else hold.until


def sentence(hold: Hold, zone: str) -> str:
    """Why and until when nothing begins, for people: by the clock of the computer."""
    until = "" if hold.until is None else f" until {told(hold.until, zone)}"
    source = f" ({hold.source})" if hold.source else ""
    return f"{WORDS[hold.kind]}{until}: {hold.reason}{source}"


def hold_of(value: Value, zone: str, place: str) -> Hold | None:
    """The variable `immy_hold` as a hold; None where it says nothing. What cannot be read holds, without an end."""
    if says_nothing(value):
        return None
    source = f"immy_hold{f', {place}' if place else ''}"
    try:
        ends, reason = read_hold(value)
        return Hold(HoldKind.HOLD, reason, 0.0, None if ends is None else end_of(ends, zone), source)
    except ImmyError as error:
        return Hold(HoldKind.HOLD, f"it cannot be read: {error.message}", source=source)


def says_nothing(value: Value) -> bool:
    """Whether the variable is there to hold nothing, as where a nearer group lifts what a wider one holds."""
    return value is None or value is False or value == ""


def read_hold(value: Value) -> tuple[datetime | None, str]:
    """When a hold ends, if it does, and why it is there. Raises ImmyError."""
    if not isinstance(value, Mapping):
        raise ImmyError(f"immy_hold is no map: '{plain(value)}'", ADVICE)
    if unknown := [key for key in value if key not in KEYS]:
        raise ImmyError(f"immy_hold knows no {', '.join(map(repr, unknown))}", ADVICE)
    reason = str(value.get("reason") or "").strip()
    if not reason:
        raise ImmyError("immy_hold gives no reason", ADVICE)
    until = value.get("until")
    return None if until is None else parse_end(str(until)), reason
