"""Scripts that should only read -> warnings about what in them looks as if it changed the computer.

A guess by the text, for people: what it names may be harmless, and what it misses may not be. Used by `checks`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from immy_nornir.model.items import DetectScript, Item, Language, Library, Script, Scripts, Software, Task
from immy_nornir.model.places import Level, Place, Problem

# In all of these what may repeat is bounded, or runs to the end of the text once: a script is a stranger's text.
_VERBS = "Add|Clear|Copy|Disable|Enable|Install|Invoke-CimMethod|Invoke-WmiMethod|Move|New|Out-File|Register|Remove"
_VERBS += "|Rename|Reset|Restart|Restore|Resume|Set|Start|Stop|Suspend|Uninstall|Unregister|Update"
_CMDLET = re.compile(rf"(?<![\w$.-])(?:(?:{_VERBS})-[A-Za-z]\w*|Invoke-(?:Cim|Wmi)Method|Out-File)\b", re.IGNORECASE)
# Verbs that change only the script's own process.
_HARMLESS = frozenset(
    word.lower()
    for word in (
        "New-Object", "New-TimeSpan", "New-Guid", "New-Variable", "New-Alias", "New-CimSession", "New-CimSessionOption",
        "New-PSSession", "New-Module", "Set-StrictMode", "Set-Variable", "Set-Location", "Set-Alias", "Set-PSDebug",
        "Start-Sleep", "Start-Job", "Start-ThreadJob", "Stop-Job", "Remove-Job", "Remove-Variable",
        "Remove-CimSession", "Remove-PSSession", "Remove-Module", "Clear-Host", "Clear-Variable", "Add-Type",
        "Add-Member", "Update-TypeData", "Update-FormatData", "Start-Transcript", "Stop-Transcript",
    )
)  # fmt: skip
_WINDOWS_PROGRAM = re.compile(
    r"(?<![\w.-])(?:reg(?:\.exe)?\s+(?:add|delete|import|copy|load|unload)\b|sc(?:\.exe)\s+(?:create|delete|config|start|stop)\b"
    r"|net(?:\.exe)?\s+(?:start|stop)\b|msiexec(?:\.exe)?\b|schtasks(?:\.exe)?\s+/(?:create|delete|change)\b"
    r"|shutdown(?:\.exe)?\s+/|bcdedit(?:\.exe)?\s+/set|netsh\b.{0,300}?\b(?:add|set|delete)\b"
    r"|(?:winget|choco)(?:\.exe)?\s+(?:install|upgrade|uninstall)\b)",
    re.IGNORECASE,
)
_SH_PROGRAM = re.compile(
    r"(?:^|[;&|({]|\bthen|\bdo|\belse|\bsudo)[^\S\n]*(?:rm|mv|cp|mkdir|rmdir|touch|chmod|chown|ln|tee|dd|truncate|kill|pkill|reboot"
    r"|shutdown|useradd|userdel|usermod|passwd|systemctl\s+(?:start|stop|restart|enable|disable|mask)"
    r"|(?:apt|apt-get|brew|dnf|yum|snap)\s+(?:-\S{1,99}\s+){0,20}(?:install|remove|purge|upgrade|update))(?=\s|$)"
    r"|\bsed\s+(?:-\S{1,99}\s+){0,20}-i\b|(?<![0-9&>])>{1,2}\s*(?!/dev/null|&)[\w/$\"']",
    re.MULTILINE,
)
_LEAD = re.compile(r"(?:[\s;&|({]+|(?:then|do|else|sudo)\b)*")
_POWERSHELL_NOISE = re.compile(r"<#.*?(?:#>|\Z)|(?<![`\w])#[^\n]*", re.DOTALL)
_POWERSHELL_TEXT = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_SH_NOISE = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_SH_TEXT = re.compile(r"'[^']*'")


def check_reading_scripts(library: Library) -> list[Problem]:
    """A warning for every place in a reading script that looks as if it changed something."""
    problems: dict[Place, Problem] = {}
    for script in reading_scripts(library):
        for place, what in _changes(script):
            message = f"'{what}' in a script that should only read: it runs in detections and previews too"
            problems[place] = Problem(place, Level.WARNING, message, "move it to a 'set', install or repair script")
    return list(problems.values())


def reading_scripts(library: Library) -> Iterator[Script]:
    """All scripts that run where nothing may change: detect, versions, test, get and inventory."""
    for by_platform in library.items.values():
        for item in by_platform.values():
            yield from (script for script in _reading(item) if script is not None)
    for items in library.inventory.values():
        yield from (item.script for item in items)


def _reading(item: Item) -> tuple[Script | None, ...]:
    match item:
        case Software(detection=DetectScript(script)):
            return (script, item.versions_script, item.test)
        case Software():
            return (item.versions_script, item.test)
        case Task(body=Scripts(get, test)):
            return (get, test)
        case _:
            return ()


def _changes(script: Script) -> Iterator[tuple[Place, str]]:
    powershell = script.language is Language.POWERSHELL
    code = _blank(_POWERSHELL_NOISE if powershell else _SH_NOISE, script.text)
    bare = _blank(_POWERSHELL_TEXT if powershell else _SH_TEXT, code)
    searches = ((_CMDLET, bare), (_WINDOWS_PROGRAM, code)) if powershell else ((_SH_PROGRAM, bare),)
    begins = [0, *(end.end() for end in re.finditer("\n", script.text))]
    for pattern, text in searches:
        for match in pattern.finditer(text):
            lead = _LEAD.match(match[0])
            what = match[0][lead.end() :].strip() if lead else match[0].strip()
            if what.lower() in _HARMLESS:
                continue
            start = match.end() - len(match[0]) + (lead.end() if lead else 0)
            line = bisect_right(begins, start)
            yield Place(script.name, line, start - begins[line - 1] + 1), what


def _blank(pattern: re.Pattern[str], text: str) -> str:
    # As long as before, so that positions stay.
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
