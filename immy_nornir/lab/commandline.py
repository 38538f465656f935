"""Windows command lines -> argument lists for the PowerShell behind backed computers. Pure."""

from __future__ import annotations

import base64
import binascii
import functools
import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PROGRAM = re.compile(r'^\s*"?(?:[^"\s]*[\\/])?(?:powershell|pwsh)(?:\.exe)?"?(?=\s|$)', re.IGNORECASE)
_QUOTED_PROGRAM = re.compile(r'^\s*"[^"]*[\\/](?:powershell|pwsh)(?:\.exe)?"(?=\s|$)', re.IGNORECASE)
_ENCODED = frozenset({"-e", "-ec"})


def powershell_arguments(command_line: str) -> list[str] | None:
    """The arguments behind a PowerShell at the head of a command line; None when another program is there."""
    found = _PROGRAM.match(command_line) or _QUOTED_PROGRAM.match(command_line)
    return split(command_line[found.end() :]) if found else None


def split(text: str) -> list[str]:
    """Split as the Microsoft C runtime does: quotes group, backslashes count only before a quote."""
    words: list[str] = []
    current: list[str] = []
    quoted = started = False
    index = 0
    while index < len(text):
        if text[index] == "\\":
            end = index
            while end < len(text) and text[end] == "\\":
                end += 1
            count, is_quote = end - index, end < len(text) and text[end] == '"'
            current.append("\\" * (count // 2 if is_quote else count))
            started = True
            index = end
            if is_quote and count % 2:
                current.append('"')
                index += 1
            continue
        char = text[index]
        if char == '"':
            quoted, started = not quoted, True
        elif char in " \t" and not quoted:
            if started:
                words.append("".join(current))
            current, started = [], False
        else:
            current.append(char)
            started = True
        index += 1
    if started:
        words.append("".join(current))
    return words


@functools.lru_cache(maxsize=64)  # a client sends the same bootstrap again and again
def encoded_script(command_line: str) -> str | None:
    """The text of -EncodedCommand of a PowerShell command line, None where there is none."""
    arguments = powershell_arguments(command_line) or []
    for name, value in itertools.pairwise(arguments):
        if _is_encoded(name):
            return _decode(value)
    return None


def translate(command_line: str, powershell: Sequence[str], module: Path | None) -> list[str]:
    """What really runs for a command line: the given PowerShell, with the module imported before anything else.

    What is no PowerShell becomes the PowerShell's `-Command`, so that the module's programs (`hostname`) are found.
    """
    arguments = powershell_arguments(command_line)
    prefix = f"Import-Module '{str(module).replace(chr(39), chr(39) * 2)}' -DisableNameChecking; " if module else ""
    if arguments is None:
        words = split(command_line)
        quoted = " ".join("'" + word.replace("'", "''") + "'" for word in words)
        return [*powershell, "-NoProfile", "-NonInteractive", "-Command", f"{prefix}& {quoted}; exit $LASTEXITCODE"]
    if not prefix:
        return [*powershell, *arguments]
    return [*powershell, *_prefixed(arguments, prefix)]


def _prefixed(arguments: list[str], prefix: str) -> list[str]:
    for index, name in enumerate(arguments[:-1]):
        value, lower = arguments[index + 1], name.lower()
        if _is_encoded(lower):
            text = _decode(value)
            if text is None:
                return arguments
            encoded = base64.b64encode((prefix + text).encode("utf-16-le")).decode()
            return [*arguments[: index + 1], encoded, *arguments[index + 2 :]]
        if lower in ("-command", "-c"):
            if value == "-":
                return arguments
            return [*arguments[: index + 1], prefix + " ".join(arguments[index + 1 :])]
        if lower in ("-file", "-f"):
            rest = " ".join(
                word if word.startswith("-") else "'" + word.replace("'", "''") + "'" for word in arguments[index + 2 :]
            )
            path = value.replace("'", "''")
            return [*arguments[:index], "-Command", f"{prefix}& '{path}' {rest}; exit $LASTEXITCODE"]
    return arguments


def _is_encoded(name: str) -> bool:
    lower = name.lower()
    return lower in _ENCODED or (len(lower) >= 3 and "-encodedcommand".startswith(lower))


def _decode(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return None
