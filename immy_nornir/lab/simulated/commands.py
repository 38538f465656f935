"""Command lines on a simulated computer: a few that tell computers apart; all others only say that they were run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immy_nornir.lab.simulated.state import State

SYSTEM = "nt authority\\system"


def said_by(state: State, context: str, work: Mapping[str, Any]) -> tuple[int, str]:
    """Exit code and output of a job of the kind `command`: `hostname`, `whoami`, `echo WORDS`, `exit NUMBER`."""
    words = [str(one) for one in work.get("words") or []]
    if work.get("script"):
        return 0, f"ran a script with {len(words)} arguments\r\n"
    if len(words) == 1:
        words = words[0].split()
    name = words[0].lower() if words else ""
    match name:
        case "hostname":
            return 0, f"{state.spec.name}\r\n"
        case "whoami":
            return 0, f"{SYSTEM if context == 'system' else context.removeprefix('user:')}\r\n"
        case "echo":
            return 0, f"{' '.join(words[1:])}\r\n"
        case "exit":
            return int(words[1]) if words[1:] and words[1].isdigit() else 0, ""
        case _:
            return 0, f"ran {name}\r\n"
