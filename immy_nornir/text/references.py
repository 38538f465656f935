"""What stands after `secret:` -> a reference's text, the same for all files and for the command line.

`env:NAME` and `file:PATH` are themselves; a command is a list of words, `{command: [PROGRAM, ARGUMENT], timeout: 30}`
or `command:PROGRAM ARGUMENT`, and never goes through a shell. Not here: reading what a reference leads to (`secrets`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.model.values import Value

SCHEMES: Final = "write {secret: env:NAME}, {secret: file:PATH} or {secret: {command: [PROGRAM, ARGUMENT]}}"
SECONDS: Final = 30.0
"""How long a command may take, unless its reference says otherwise."""
_LATER = ("keyring", "sops")


class NoReferenceError(Exception):
    """Why what stands after `secret:` is none; never with its text, which may be the secret itself."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and how long it may take."""

    words: tuple[str, ...]
    seconds: float = SECONDS


def reference_of(value: Value) -> str:
    """The reference in its one form. Raises NoReferenceError."""
    if isinstance(value, Mapping):
        command = _command(value)
        if command is None:
            raise NoReferenceError("is no reference to a secret")
        return _written(command)
    scheme, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if colon and rest.strip():
        if scheme in ("env", "file"):
            return f"{scheme}:{rest}"
        if scheme == "command":
            if (command := command_of(rest)) is not None:
                return _written(command)
            raise NoReferenceError("is a command whose words cannot be read")
    if colon and scheme in _LATER:
        raise NoReferenceError(f"is of the kind '{scheme}', which is not supported yet")
    raise NoReferenceError("is no reference to a secret")


def command_of(text: str) -> Command | None:
    """The command behind `command:`; None where it is none."""
    stripped = text.strip()
    if stripped[:1] in ("[", "{"):
        try:
            found = json.parse(stripped)
        except (ValueError, RecursionError):
            return None
        return _command(found if isinstance(found, Mapping) else {"command": found})
    try:
        words = shlex.split(stripped)
    except ValueError:
        return None
    return Command(tuple(words)) if words else None


def _command(value: Mapping[str, Value]) -> Command | None:
    words, seconds = value.get("command"), value.get("timeout", SECONDS)
    if not set(value) <= {"command", "timeout"} or not isinstance(words, list | tuple) or not words:
        return None
    if not all(isinstance(word, str) for word in words) or not words[0]:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 3600:
        return None
    return Command(tuple(str(word) for word in words), float(seconds))


def _written(command: Command) -> str:
    if command.seconds == SECONDS:
        return f"command:{json.line(list(command.words), ascii=False)}"
    return f"command:{json.line({'command': list(command.words), 'timeout': command.seconds}, ascii=False)}"
