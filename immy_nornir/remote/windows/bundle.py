"""Operations -> requests: the runner's text, and one JSON line for each operation.

Above `frames`, which packs. Knows which script files make up the Windows runner; not how they travel.
"""

from __future__ import annotations

import base64
import functools
import re
from enum import Enum
from importlib import resources
from typing import TYPE_CHECKING

from immy_nornir.model.values import SameObjects
from immy_nornir.model.wire import Effect, EffectOperation, Operation, ReadOperation
from immy_nornir.remote import frames
from immy_nornir.text import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from immy_nornir.model.values import Json

_NAMES = ("values", "elements", "registry", "boot", "processes", "scripts", "resources", "packages")
_COMMON = tuple(f"common/{name}" for name in _NAMES)
READING = (*_COMMON, "reading/logons", "reading/identity", "reading/software", "reading/facts", "operations")
"""Script files of requests that read, in the order in which they are read; functions only."""
ACTING = (*READING[:-1], "acting/spool", "acting/jobs", "acting/lease", "operations")
"""Script files of requests with effects."""
JOB = (*_COMMON, "acting/spool", "acting/installing", "acting/declare")
"""The part of the library that a job carries with it."""
COMMAND = "acting/commands"
"""What a job carries beside it that runs a command by hand: without it a request goes in one piece of WinRM's."""
CHUNK_BYTES = 3_000_000
"""Of operation lines in one request; PowerShell reads larger ones slowly."""


@functools.cache
def script_text(name: str) -> str:
    """The text of one of our script files, by its path below `scripts`, without the ending."""
    return resources.files(__package__).joinpath("scripts", f"{name}.ps1").read_text("utf-8").replace("\r\n", "\n")


@functools.cache
def bootstrap_text() -> str:
    """The program that reads a request from stdin and runs it; always the same."""
    return script_text("bootstrap")


def _joined(names: Sequence[str]) -> str:
    """Script files as one text, without indentation and lines of comment: it travels with every request."""
    text = "\n".join(script_text(name) for name in names)
    return re.sub(r"(?m)^[ ]+|^[ ]*#.*\n", "", text)


@functools.cache
def job_text(*, command: bool = True) -> str:
    """The script that a job runs by itself on the computer; one that runs no command by hand is shorter."""
    return f"param([string]$Role)\n{_joined((*JOB, *((COMMAND,) if command else ()), 'acting/job'))}"


class Kind(Enum):
    """Which runner a request needs: the smallest that knows its operations."""

    READING = "reading"
    ACTING = "acting"
    STARTING = "starting"
    COMMANDING = "commanding"


@functools.cache
def runner_text(kind: Kind) -> str:
    """The runner of a request; with the job's script only where a job is to be started."""
    library = _joined(READING if kind is Kind.READING else ACTING)
    job = "$null"
    if kind in (Kind.STARTING, Kind.COMMANDING):
        text = job_text(command=kind is Kind.COMMANDING)
        job = f"'{base64.b64encode(text.encode()).decode()}'"
    return f"$ImmyLibrary = {{\n{library}\n}}\n$ImmyJobText = {job}\n{_joined(('runner',))}"


@functools.cache
def _runner_line(kind: Kind) -> frames.Packed:
    return frames.pack(base64.b64encode(runner_text(kind).encode()).decode("ascii") + "\n")


def kind_of(operations: Sequence[Operation]) -> Kind:
    """The runner that these operations need."""
    names = {operation.name for operation in operations}
    if Effect.JOB_START in names:
        jobs = (one.params.get("job") for one in operations)
        commands = any(isinstance(job, dict) and job.get("kind") == "command" for job in jobs)
        return Kind.COMMANDING if commands else Kind.STARTING
    return Kind.ACTING if names & set(Effect) else Kind.READING


def operation_line(operation: Operation) -> str:
    """One operation as base64 of its JSON."""
    # Effects may carry secrets, which nothing keeps.
    return _line(SameObjects([operation])) if isinstance(operation, ReadOperation) else _encoded(operation)


@functools.lru_cache(maxsize=1024)
def _line(only: Sequence[Operation]) -> str:
    return _encoded(only[0])


def _encoded(operation: Operation) -> str:
    script = None if isinstance(operation, EffectOperation) else operation.script
    body: Mapping[str, Json] = {
        "id": operation.id,
        "op": operation.name.value,
        "params": dict(operation.params),
        "script": script,
        "timeout": operation.timeout_seconds,
    }
    return base64.b64encode(json.compact(body).encode()).decode("ascii")


def request(operations: Sequence[Operation], nonce: str) -> bytes:
    """The stdin of one request; `nonce` is 32 hex characters, new for each request."""
    # The first one says who is expected; the others are often those of many computers.
    rest = operations[1:]
    shared = len(rest) > 1 and all(isinstance(one, ReadOperation) for one in rest)
    more = _packed(SameObjects(rest)) if shared else _lines(rest)
    return frames.encode_request([f"{nonce}\n", _runner_line(kind_of(operations)), _lines(operations[:1]), more])


def _lines(operations: Sequence[Operation]) -> str:
    return "".join(f"{operation_line(operation)}\n" for operation in operations)


@functools.lru_cache(maxsize=8)
def _packed(operations: Sequence[Operation]) -> frames.Packed:
    return frames.pack(_lines(operations))


def chunks(operations: Sequence[Operation], limit: int = CHUNK_BYTES) -> Iterator[list[Operation]]:
    """The operations in their order, in requests of at most `limit` bytes; a larger operation goes alone."""
    chunk: list[Operation] = []
    size = 0
    for operation in operations:
        length = len(operation_line(operation))
        if chunk and size + length > limit:
            yield chunk
            chunk, size = [], 0
        chunk.append(operation)
        size += length
    if chunk:
        yield chunk
