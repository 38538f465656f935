"""PowerShell's command line, and the text inside the CLIXML that it writes to stderr."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree as ET

from immy_nornir.remote.bundle import bootstrap_text

_PROGRAM = "powershell"
_SWITCHES = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass")
_CLIXML = "#< CLIXML"
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
    """What stderr says, as text: error, warning and information records of CLIXML, progress left out; at most 16 kB."""
    text = stderr.decode("utf-8", "replace")
    parts = text.split(_CLIXML)
    found = [parts[0]]
    for part in parts[1:]:
        start, end = part.find("<Objs"), part.rfind("</Objs>")
        if start < 0 or end < 0:
            found.append(part)
            continue
        found += [part[:start].strip(), _records(part[start : end + 7]), part[end + 7 :]]
    joined = "\n".join(piece.strip("\r\n") for piece in found if piece.strip())
    return joined[:_LIMIT]


def _records(document: str) -> str:
    """Texts of the records of one CLIXML document; the document itself where it cannot be read."""
    clean = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", document)
    try:
        root = ET.fromstring(clean)  # noqa: S314 - no entities are defined: expat refuses external ones, size is capped
    except ET.ParseError:
        return document
    texts = []
    for node in root:
        if node.get("S") in {"progress", "Progress"} or node.text is None:
            continue
        texts.append(_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), node.text))
    return "".join(texts).replace("\r\n", "\n")
