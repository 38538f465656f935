"""What the users of a simulated computer answer when they are asked. No time, no log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from immy_nornir.lab.spec import ComputerSpec

NOW, REFUSE, SILENT, LATER = 100, 101, 102, 110
"""The exit codes of a dialog (docs/wire.md)."""
FORGED = 199
"""A code that nobody offered."""


def answered(spec: ComputerSpec, user: str, params: Mapping[str, Any], number: int) -> int:
    """The code with which a user's dialog ends; `number` counts that user's questions from 0.

    What is locked or disconnected sees nothing. Raises ValueError for an answer that is no word of the spec.
    """
    if user not in spec.users or spec.logons.get(user, "active") not in ("active", "unknown"):
        return SILENT
    said = spec.answers.get(user, "silent")
    if isinstance(said, list):
        said = said[number] if number < len(said) else "silent"
    word, _, minutes = str(said).partition(" ")
    match word:
        case "now":
            return NOW
        case "refuse":
            return REFUSE if str(REFUSE) in str(params.get("codes")).split() else SILENT
        case "later":
            return _later(params, minutes)
        case "forged":
            return FORGED
        case "silent":
            return SILENT
    raise ValueError(f"{user} cannot answer '{said}'; there are now, later MINUTES, refuse, silent, forged")


def _later(params: Mapping[str, Any], minutes: str) -> int:
    """The code of the button that says so; without one the user waits for a better."""
    number = int(minutes)
    hours = number // 60
    told = f"In {number} minutes" if number % 60 else "In 1 hour" if hours == 1 else f"In {hours} hours"
    codes = str(params.get("codes")).split()
    return next((int(code) for code in codes if params.get(f"answer_{code}_en") == told), SILENT)
