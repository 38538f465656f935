"""PowerShell's command line, and the text inside the CLIXML that it writes to stderr."""

from __future__ import annotations

import base64
import html
import re

from immy_nornir.remote.windows.bundle import bootstrap_text

_PROGRAM = "powershell"
_SWITCHES = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass")
_CLIXML = "#< CLIXML"
_RECORD = re.compile(r'<S S="(?:Error|Warning|Verbose|Debug|Information|Output)">(.*?)</S>', re.DOTALL)
_PROGRESS = re.compile(r"<Obj .*?</MS></Obj>", re.DOTALL)
_ENVELOPE = re.compile(r"</?Objs[^>]*>")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LIMIT = 16_384


def encoded(script: str) -> str:
    """A script's text as -EncodedCommand takes it: base64 of UTF-16LE."""
    return base64.b64encode(script.encode("utf-16-le")).decode("ascii")


def arguments() -> list[str]:
    """The arguments of the PowerShell process of every request; always the same."""
    return [*_SWITCHES, "-EncodedCommand", encoded(bootstrap_text())]


def command_line(program: str = _PROGRAM) -> str:
    """The whole command line; below the 8,191 characters of cmd.exe."""
    return " ".join([program, *arguments()])


def stderr_text(stderr: bytes) -> str:
    """What stderr says, as text: records of CLIXML but progress, and whatever stands beside them; at most 16 kB."""
    text = stderr.decode("utf-8", "replace")
    if _CLIXML not in text:
        return text.strip()[:_LIMIT]
    records = "".join(_plain(match.group(1)) for match in _RECORD.finditer(text, 0, text.rfind("</S>") + 4))
    # A program's own stderr may stand in the middle of the document, so that it is no XML as a whole.
    beside = _without(_RECORD, "</S>", _without(_PROGRESS, "</MS></Obj>", text)).replace(_CLIXML, "")
    beside = _without(_ENVELOPE, ">", beside)
    return "\n".join(part for part in (records.strip(), beside.strip()) if part)[:_LIMIT]


def _without(piece: re.Pattern[str], end: str, text: str) -> str:
    """The text without all such pieces, in linear time: behind the last end nothing that begins is ever whole."""
    last = text.rfind(end) + len(end) if end in text else 0
    return piece.sub("", text[:last]) + text[last:]


def _plain(record: str) -> str:
    text = _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), html.unescape(record))
    return text.replace("\r\n", "\n")
