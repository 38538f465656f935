"""The line of a failed job's output that says why it failed; pure.

The first cause counts, not its echoes: package managers and Windows Installer say once what went wrong, and then that
something went wrong, several times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

LONGEST = 300
_WIDEST = 2_000
"""Of a line so much is looked at."""
_ABOVE = 50
"""So far above a failed action of Windows Installer its cause stands."""
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")

# --- Windows Installer: https://learn.microsoft.com/windows/win32/msi/windows-installer-logging
_RETURN_3 = re.compile(r"return value 3\b", re.I)
_MSI_ACTION = re.compile(r"Action ended [\d:. ]+: ([\w.]+)\. Return value 3", re.I)
_MSI_CAUSES = (
    re.compile(r"(?:^|-- )(Error \d{4}\..*)"),
    re.compile(r"(CustomAction \S+ returned actual error code .*?)(?: \(note this may|$)"),
    re.compile(r"(?:^|-- )(.*(?:requires|must be|already installed|not supported).*)$"),
)

# --- apt and dpkg
_DPKG = re.compile(r"dpkg(?:-deb)?: (?:error|Fehler|erreur|errore|erro|fout)\b")
_APT_ECHO = re.compile(r"E: (?:Sub-process |Unable to fetch some archives|Unable to correct problems)")
_UNMET = re.compile(r"^ \S+ : (?:Pre)?Depends: |^ \S+ : (?:Conflicts|Breaks): |^ +(?:Pre)?Depends: ")

# --- dnf, yum, zypper, brew, winget, Chocolatey
_MANAGERS = (
    re.compile(r"^(?:No match for argument|No package .* available|Error: .+)"),
    re.compile(r"^ ?Problem(?: \d+)?: "),
    re.compile(
        r"^(?:No package found matching input criteria|No applicable (?:installer|upgrade) found|Installer failed)"
    ),
    re.compile(r"^.* not (?:un)?installed\. .+"),
)

# --- anything else
_ERROR = re.compile(
    r"\b(?:errors?|failed|failure|fatal|cannot|can't|could not|couldn't|unable|denied|not found|no such|"
    r"exception|aborted|invalid|refused|missing)\b|\w(?:Error|Exception)\b",
    re.I,
)
_NO_ERROR = re.compile(
    r"\b(?:0|no|without) (?:errors?|failures?|failed)\b|\+ CategoryInfo|\+ FullyQualifiedErrorId|^\s*\+ |"
    r"^At .+:\d+ char:\d+",
    re.I,
)


def failure_line(output: str, *, any_line: bool = True) -> str:
    """The line that says why a job failed, in one line of text; empty where there is none.

    `any_line`: where no line speaks of an error, the last one is it.
    """
    text = _ESCAPES.sub("", output.replace("\r", "\n"))
    lines = [line[:_WIDEST].rstrip() for line in text.split("\n") if line and not line.isspace()]
    for look in _LOOKS:
        if found := look(lines):
            return _short(found)
    if any_line:
        return _short(next((line for line in reversed(lines) if not line.startswith("[immy: ")), ""))
    return ""


def _short(line: str) -> str:
    text = " ".join(line.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _windows_installer(lines: Sequence[str]) -> str:
    """What stands above the first failed action."""
    first = next((number for number, line in enumerate(lines) if _RETURN_3.search(line)), None)
    if first is None:
        return ""
    action = _MSI_ACTION.search(lines[first])
    where = f" (action {action[1]}, return value 3)" if action else ""
    above = lines[max(0, first - _ABOVE) : first]
    for cause in _MSI_CAUSES:
        for line in reversed(above):
            if found := cause.search(line):
                return f"{found[1]}{where}"
    return lines[first]


def _apt(lines: Sequence[str]) -> str:
    """dpkg's first error with what it continues with; else apt's first that is no echo; else its echo, explained."""
    for number, line in enumerate(lines):
        if _DPKG.match(line):
            more = lines[number + 1].strip() if line.endswith(":") and number + 1 < len(lines) else ""
            return f"{line} {more}"
    errors = [line for line in lines if line.startswith("E: ")]
    if not errors:
        return ""
    causes = [line for line in errors if not _APT_ECHO.match(line)]
    unmet = [line.strip() for line in lines if _UNMET.match(line)]
    if not causes and unmet:
        return f"{unmet[0]} ({errors[0]})"
    return (causes or errors)[0]


def _manager(lines: Sequence[str]) -> str:
    for kind in _MANAGERS:
        for number, line in enumerate(lines):
            if kind.match(line):
                return line
            if line == "Error:" and number + 1 < len(lines):
                return f"{line} {lines[number + 1].strip()}"
    return ""


def _last_error(lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if _ERROR.search(line) and not _NO_ERROR.search(line)), "")


_LOOKS: tuple[Callable[[Sequence[str]], str], ...] = (_windows_installer, _apt, _manager, _last_error)
