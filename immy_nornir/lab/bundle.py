"""The bundle protocol from the computer's side: request text -> operations, answers -> frames. See docs/wire.md."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from immy_nornir.model.wire import BUNDLE_ID, END_ID, FRAME_MARK, REQUEST_MAGIC
from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.model.values import Json

NO_NONCE = "0" * 32
"""Stands in frames of a request whose nonce could not be read."""


class BundleError(Exception):
    """The request is not what was sent; nothing of it runs."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked request."""

    nonce: str
    operations: tuple[dict[str, Any], ...]


def decode(stdin: bytes) -> Bundle:
    """Check and read a request; raises BundleError."""
    head, _, rest = stdin.partition(b"\n")
    words = head.decode("ascii", "replace").split()
    if len(words) != 3 or words[0] != REQUEST_MAGIC or not words[1].isdigit():
        raise BundleError("the request does not begin with its header")
    text = rest.split(b"\n", 1)[0].strip()
    if len(text) != int(words[1]):
        raise BundleError(f"the request has {len(text)} characters instead of {words[1]}")
    try:
        payload = gzip.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, OSError, EOFError, zlib.error) as error:
        raise BundleError(f"the request cannot be unpacked: {error}") from None
    if hashlib.sha256(payload).hexdigest() != words[2]:
        raise BundleError("the request's checksum does not match")
    nonce, _runner, *lines = payload.decode("utf-8").split("\n")
    try:
        operations = tuple(json.parse(base64.b64decode(line)) for line in lines if line.strip())
    except ValueError as error:
        raise BundleError(f"an operation cannot be read: {error}") from None
    return Bundle(nonce.strip(), operations)


def frame(nonce: str, answer: dict[str, Json]) -> bytes:
    """One frame with its line's end."""
    text = json.line(answer).encode()
    data = base64.b64encode(gzip.compress(text, 1, mtime=0)).decode()
    return f"{FRAME_MARK} {nonce} {len(data)} {hashlib.sha256(text).hexdigest()} {data}\n".encode("ascii")


def answer(
    id_: str,
    result: Json = None,
    *,
    status: str = "ok",
    error: str = "",
    output: str = "",
    exit_code: int | None = None,
    seconds: float = 0.0,
) -> dict[str, Json]:
    """The JSON of one answer."""
    return {
        "id": id_,
        "status": status,
        "result": result,
        "error": error,
        "warnings": [],
        "output": output,
        "exit_code": exit_code,
        "seconds": round(seconds, 3),
    }


def end_frame(nonce: str, answered: int, untouched: list[str]) -> bytes:
    """The frame that closes an answer."""
    return frame(nonce, answer(END_ID, {"answered": answered, "untouched": list(untouched)}))


def refusal(nonce: str, error: str) -> bytes:
    """The frame of a request that was not run at all."""
    return frame(nonce, answer(BUNDLE_ID, status="failed", error=error))
