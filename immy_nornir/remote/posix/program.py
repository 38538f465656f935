"""A request to a POSIX computer as one program for `sh`, and its answer back as one reply for each step.

Between `connection` (which knows operations) and a transport (which carries bytes). Everything that is not ours
travels as base64, so that nothing is parsed in shell. It knows neither operations nor their results.
"""

from __future__ import annotations

import base64
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files

from immy_nornir.errors import DeclinedError, GarbledError
from immy_nornir.model.wire import FRAME_MARK
from immy_nornir.remote import told

LONGEST_VARIABLE = 120_000
"""Linux refuses an environment variable of more than 128 kB."""


class Part(StrEnum):
    """What a step's program begins with: a library of ours, or nothing."""

    SCRIPT = "script"
    READS = "reads"
    JOBS = "jobs"


_LIBRARIES: Mapping[Part, tuple[str, ...]] = {
    Part.READS: ("tools.sh", "lookups.sh", "reads.sh"),
    Part.JOBS: ("tools.sh", "jobs.sh", "lease.sh"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One program to run with a time-out (seconds); `secrets` reach it on its stdin and nothing else."""

    part: Part
    program: str
    timeout_seconds: float
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


class Ending(StrEnum):
    """How a step ended: by itself, by the time-out ladder, killed, or with more output than the wire takes."""

    DONE = "done"
    LATE = "late"
    DIED = "died"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Reply:
    """What one step left: its streams, and how it ended."""

    ending: Ending
    exit_code: int | None
    seconds: float
    output: bytes
    errors: bytes


@dataclass(frozen=True, slots=True)
class Replies:
    """The answer to one request: replies by the step's index, what was running when it broke off, and noise."""

    replies: Mapping[int, Reply]
    whole: bool
    running: int | None
    noise: str


def encoded(data: str | bytes) -> str:
    """Text (as UTF-8) or bytes in base64, which needs no quotes in shell."""
    return base64.b64encode(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data).decode("ascii")


def pairs(variables: Mapping[str, str]) -> str:
    """Variables as `NAME=base64 NAME=base64`."""
    return " ".join(f"{name}={encoded(value)}" for name, value in variables.items())


@cache
def source(*names: str) -> str:
    """The text of our own shell files, joined, without comment lines."""
    texts = [files(__package__).joinpath("scripts", name).read_text(encoding="utf-8") for name in names]
    lines = "\n".join(texts).splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("# ")) + "\n"


def new_nonce() -> str:
    """32 hex characters that mark the frames of one request."""
    return secrets.token_hex(16)


def make_program(steps: Sequence[Step], nonce: str) -> bytes:
    """The whole request; the shell runs nothing of it unless it has read all of it."""
    lines = [source("tools.sh", "runner.sh"), "immy_request() {", f"immy_begin {nonce}"]
    for part in dict.fromkeys(step.part for step in steps):
        if part in _LIBRARIES:
            lines.append(f"immy_part {part} {encoded(source(*_LIBRARIES[part]))}")
    for index, step in enumerate(steps):
        words = (
            str(index),
            str(max(1, round(step.timeout_seconds))),
            str(step.part),
            encoded(step.program),
            pairs(step.variables),
            pairs(step.secrets),
        )
        lines.append("immy_op " + " ".join(shlex.quote(word) for word in words))
    lines += ["immy_finish", "}", "immy_request </dev/null", "exit 0", ""]
    return "\n".join(lines).encode("ascii")


_NOISE_LIMIT = 2000


def read_replies(stdout: bytes, nonce: str, count: int) -> Replies:
    """The frames of one answer; raises DeclinedError when steps cannot run there, GarbledError when torn."""
    mark = f"{FRAME_MARK} {nonce} "
    replies: dict[int, Reply] = {}
    noise: list[str] = []
    whole, running = False, None
    for line in stdout.decode("ascii", "replace").splitlines():
        if not line.startswith(mark):
            noise.append(line)
            continue
        match line[len(mark) :].split(" "):
            case ["begin"]:
                pass
            case ["refused", reason]:
                raise DeclinedError(f"the computer runs no scripts of ours: {reason.replace('-', ' ')}")
            case ["start", index]:
                running = _index(index, count)
            case ["answer", index, *rest]:
                replies[_index(index, count)] = _reply(rest)
                running = None
            case ["end", answered]:
                whole = answered == str(count) == str(len(replies))
            case _:
                raise GarbledError(f"a torn frame: {line[:80]}")
    return Replies(replies, whole, running, "\n".join(noise).strip()[:_NOISE_LIMIT])


def _index(text: str, count: int) -> int:
    if not re.fullmatch(r"\d{1,6}", text) or int(text) >= count:
        raise GarbledError(f"a frame of an operation that was not sent: {text[:20]}")
    return int(text)


def _reply(words: Sequence[str]) -> Reply:
    try:
        ending, code, seconds, size, output, errors_size, errors = words
        reply = Reply(
            Ending(ending),
            told.whole(int(code)) if code != "-" else None,
            told.number(float(seconds)) or 0.0,
            b"" if output == "-" else base64.b64decode(output, validate=True),
            b"" if errors == "-" else base64.b64decode(errors, validate=True),
        )
        sizes = (int(size), int(errors_size))
    except ValueError as error:
        raise GarbledError("a torn frame") from error
    if (len(reply.output), len(reply.errors)) != sizes:
        raise GarbledError("a frame whose length is not what it says")
    return reply
