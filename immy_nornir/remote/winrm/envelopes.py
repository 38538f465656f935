"""The answers of WS-Management, read in one pass: what a shell says, and nothing of the tree around it.

A tree of ElementTree takes 160 times the memory of the text that it is made of, and the text comes from somebody who
may wish us ill. Not here: what is asked, and what a fault means.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

SHELL: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
MAX_DEPTH: Final = 64
_MAX_WORK: Final = 100_000
"""Elements, those with long names counting more; an answer has a dozen."""
_MAX_TAG: Final = 200_000
"""Bytes of one tag with its attributes."""
_PIECE: Final = 65_536
_BETWEEN: Final = "}"


class EnvelopeError(ValueError):
    """An answer is no envelope, or is none that is read; `beyond` says why where it is larger or else than allowed."""

    def __init__(self, beyond: str = "") -> None:
        super().__init__(beyond or "no envelope")
        self.beyond = beyond


@dataclass(slots=True)
class Envelope:
    """What an answer says."""

    shell: str = ""
    command: str = ""
    received: bool = False
    """Whether it answers the question for output."""
    streams: list[tuple[str, bytes]] = field(default_factory=list)
    """Names and pieces of the output, in order."""
    done: bool = False
    exit_code: int | None = None
    _named: str = ""


def read_envelope(answer: bytes) -> Envelope:
    """The answer's content. Raises EnvelopeError."""
    reader = _Reader()
    _parse(answer, reader.start, reader.end, reader.text)
    if not reader.is_envelope:
        raise EnvelopeError
    found = reader.envelope
    found.shell = found.shell or found._named  # noqa: SLF001 - made here
    return found


def check(text: str | bytes) -> None:
    """Whether others may make a tree of it: no document type, not deep, few elements. Raises EnvelopeError."""
    count = 0

    def start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MAX_WORK // 20:
            raise EnvelopeError("has too many elements")

    _parse(text.encode() if isinstance(text, str) else text, start, lambda _: None, lambda _: None)


def _parse(
    answer: bytes,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    parser = expat.ParserCreate(namespace_separator=_BETWEEN)
    parser.buffer_text = True
    parser.buffer_size = _PIECE
    bounds = _Bounds(start, end)
    parser.StartElementHandler = bounds.start
    parser.EndElementHandler = bounds.end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _no_doctype
    view = memoryview(answer)
    try:
        for at in range(0, len(answer), _PIECE):
            parser.Parse(bytes(view[at : at + _PIECE]), False)
            if at + _PIECE - parser.CurrentByteIndex > _MAX_TAG:
                raise EnvelopeError("has a tag that does not end")
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, EnvelopeError):
            raise
        raise EnvelopeError from None


def _no_doctype(*_: object) -> None:
    raise EnvelopeError("has a document type (DTD)")


class _Bounds:
    """Counts elements and levels."""

    def __init__(self, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
        self._start, self._end = start, end
        self._depth = 0
        self._work = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._work += 1 + len(name) // 100
        if self._depth > MAX_DEPTH:
            raise EnvelopeError(f"is nested deeper than {MAX_DEPTH} levels")
        if self._work > _MAX_WORK:
            raise EnvelopeError("has too many elements")
        self._start(name, attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        self._end(name)


class _Reader:
    """Notes what is asked for."""

    def __init__(self) -> None:
        self.envelope = Envelope()
        self.is_envelope = False
        self._is_first = True
        self._open = ""
        """The element whose text is being read."""
        self._stream = ""
        self._texts: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._is_first:
            self._is_first = False
            self.is_envelope = name.endswith("}Envelope")
        # Another element ends the text of the one around it, as ElementTree's `text` does.
        self._close()
        if name == f"{SHELL}}}ReceiveResponse":
            self.envelope.received = True
        elif name == f"{SHELL}}}CommandState" and attributes.get("State", "").endswith("CommandState/Done"):
            self.envelope.done = True
        elif attributes.get("Name") == "ShellId":
            self._open = "selected"
        elif name in _READ:
            self._open = _READ[name]
            self._stream = attributes.get("Name", "")
        elif name.endswith("}CommandId"):
            self._open = "command"

    def end(self, _name: str) -> None:
        self._close()

    def text(self, text: str) -> None:
        if self._open:
            self._texts.append(text)

    def _close(self) -> None:
        kind, text = self._open, "".join(self._texts)
        self._open = ""
        self._texts.clear()
        found = self.envelope
        match kind:
            case "selected":
                found.shell = found.shell or text.strip()
            case "named":
                found._named = found._named or text.strip()  # noqa: SLF001 - made here
            case "command":
                found.command = found.command or text.strip()
            case "exit" if text.strip().lstrip("-").isdigit() and len(text) < 20:
                found.exit_code = int(text)
            case "stream" if text:
                try:
                    found.streams.append((self._stream, base64.b64decode(text)))
                except (binascii.Error, ValueError):
                    raise EnvelopeError("has a stream that is no base64") from None


_READ: Final = {f"{SHELL}}}ShellId": "named", f"{SHELL}}}Stream": "stream", f"{SHELL}}}ExitCode": "exit"}
