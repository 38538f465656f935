"""The envelope of the wire, pure: payload -> request bytes, stdout -> frames and noise.

Between `bundle` (what is in a payload) and `channel` (what is made of the answers). Knows nothing of processes,
connections or what operations mean.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.model.wire import BUNDLE_ID, END_ID, FRAME_MARK, REQUEST_MAGIC, Answer, AnswerStatus
from immy_nornir.remote import told
from immy_nornir.text import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from immy_nornir.model.values import Json

NO_NONCE = "0" * 32
"""The nonce of a bootstrap's frame: it answers what it could not read."""
MAXIMUM_FRAME_BYTES = 4_000_000
"""Of a frame's JSON; the runner keeps results under 1 MB, so that more is an attack or an error."""
NOISE_LIMIT = 16_384
# RFC 1952: deflate, no name, no time, unknown system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
"""The empty block that ends a deflate stream."""
_SHORT = 4000


@dataclass(frozen=True, slots=True)
class End:
    """The `!end` frame: how many operations were answered, and which were not begun."""

    answered: int
    untouched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Everything that one answer's stdout held."""

    answers: tuple[Answer, ...]
    end: End | None
    """None: the answer is cut off, or the process died."""
    bundle_error: str
    """Why the bootstrap ran nothing, or empty."""
    damaged: int
    """Frames with our nonce that were dropped: length or sha256 wrong, cut off, not JSON."""
    noise: str
    """Text outside frames, at most 16 kB of it."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A part of a payload that was compressed beforehand: the runner is the same in every request."""

    raw: bytes
    deflated: bytes
    """A deflate stream without an end, that refers to nothing before it."""


def pack(text: str) -> Packed:
    """Compress a part of payloads once for all requests."""
    raw = text.encode()
    # A large window for a few bytes takes much longer to make ready than to use.
    packer = (
        zlib.compressobj(9, zlib.DEFLATED, -15) if len(raw) > _SHORT else zlib.compressobj(9, zlib.DEFLATED, -12, 5)
    )
    return Packed(raw, packer.compress(raw) + packer.flush(zlib.Z_FULL_FLUSH))


def encode_request(parts: Sequence[str | Packed]) -> bytes:
    """The stdin of one request, ASCII: header line with length and sha256, then base64 of the gzipped payload."""
    packed = [part if isinstance(part, Packed) else pack(part) for part in parts]
    raw = b"".join(part.raw for part in packed)
    trailer = struct.pack("<LL", zlib.crc32(raw), len(raw) & 0xFFFFFFFF)
    body = base64.b64encode(_GZIP_HEADER + b"".join(part.deflated for part in packed) + _LAST + trailer)
    header = f"{REQUEST_MAGIC} {len(body)} {hashlib.sha256(raw).hexdigest()}\n"
    return header.encode("ascii") + body + b"\n"


def decode_answer(stdout: bytes, nonce: str) -> Decoded:
    """Frames, noise and damage in one answer; never raises. Of two frames with one id the first counts."""
    reader = _Reader(nonce)
    for line in _lines(stdout):
        reader.take(line)
    return reader.decoded()


def _lines(stdout: bytes) -> Iterator[bytes]:
    """Lines of the answer; a frame that follows noise without a line feed stands on a line of its own."""
    mark = FRAME_MARK.encode() + b" "
    for line in stdout.split(b"\n"):
        start = line.find(mark)
        if start > 0:
            yield line[:start]
            yield line[start:]
        elif line:
            yield line


class _Reader:
    """Collects what lines hold."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._answers: dict[str, Answer] = {}
        self._end: End | None = None
        self._bundle_error = ""
        self._damaged = 0
        self._noise: list[str] = []

    def take(self, line: bytes) -> None:
        words = line.decode("utf-8", "replace").rstrip("\r").split(" ")
        if words[0] != FRAME_MARK or len(words) < 2 or words[1] not in {self._nonce, NO_NONCE}:
            text = " ".join(words)
            if f"{FRAME_MARK} {self._nonce}".startswith(text):
                self._damaged += 1  # cut off before the end of its nonce
            self._noise.append(text)
            return
        frame = _frame(words)
        if frame is None:
            self._damaged += 1
            return
        self._sort(frame, words[1])

    def _sort(self, frame: dict[str, Json], nonce: str) -> None:
        identifier = frame["id"]
        if identifier == BUNDLE_ID:
            self._bundle_error = told.text(frame.get("error")) or "failed"
        elif nonce != self._nonce:
            self._damaged += 1
        elif identifier == END_ID:
            result = frame.get("result")
            inner = result if isinstance(result, dict) else {}
            answered = told.whole(inner.get("answered"), 0)
            self._end = End(len(self._answers) if answered is None else answered, told.texts(inner.get("untouched")))
        else:
            answer = _answer(frame)
            self._answers.setdefault(answer.id, answer)

    def decoded(self) -> Decoded:
        noise = "\n".join(self._noise)
        if len(noise) > NOISE_LIMIT:
            noise = noise[:NOISE_LIMIT] + "\n... cut off"
        # A script that prints a bootstrap's frame must not make the runner's own answers worthless.
        ran = bool(self._answers) or self._end is not None
        return Decoded(
            tuple(self._answers.values()), self._end, "" if ran else self._bundle_error, self._damaged, noise
        )


def _frame(words: list[str]) -> dict[str, Json] | None:
    """The JSON of one frame's words, or None where anything about it is off."""
    if len(words) != 5 or words[2] != str(len(words[4])):
        return None
    try:
        unpacker = zlib.decompressobj(wbits=31)
        raw = unpacker.decompress(base64.b64decode(words[4], validate=True), MAXIMUM_FRAME_BYTES)
    except (binascii.Error, zlib.error, ValueError):
        return None
    if not unpacker.eof or hashlib.sha256(raw).hexdigest() != words[3]:
        return None
    try:
        frame = json.parse_answer(raw)
    except ValueError:
        return None
    if not isinstance(frame, dict) or not isinstance(frame.get("id"), str):
        return None
    return frame


def _answer(frame: dict[str, Json]) -> Answer:
    status = told.text(frame.get("status"))
    known = status in {"ok", "failed", "timed_out"}
    return Answer(
        id=str(frame["id"]),
        status=AnswerStatus(status) if known else AnswerStatus.FAILED,
        result=frame.get("result"),
        error=told.text(frame.get("error")) if known else f"the runner answered an unknown status {status!r:.100}",
        warnings=told.texts(frame.get("warnings")),
        output=told.text(frame.get("output")),
        exit_code=told.whole(frame.get("exit_code")),
        seconds=told.number(frame.get("seconds")) or 0.0,
    )
