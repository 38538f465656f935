"""Operations -> payloads of requests: the runner's text, and one JSON line for each operation.

Before `frames` on the way out. Knows which script files make up the Windows runner; not how they travel.
"""

from __future__ import annotations

import base64
import functools
import json
from importlib import resources
from typing import TYPE_CHECKING

from immy_nornir.model.wire import Effect, EffectOperation, Operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from immy_nornir.model.values import Json

LIBRARY = ("values", "registry", "processes", "identity", "software", "resources")
"""Script files with functions only, in the order in which they are read."""
JOB_LIBRARY: tuple[str, ...] = ()
"""The part of the library that a job carries with it."""
CHUNK_BYTES = 3_000_000
"""Of operation lines in one request; PowerShell reads larger ones slowly."""


@functools.cache
def script_text(name: str) -> str:
    """The text of one of our script files, without the ending."""
    return resources.files(__package__).joinpath(f"{name}.ps1").read_text("utf-8").replace("\r\n", "\n")


@functools.cache
def bootstrap_text() -> str:
    """The program that reads a request from stdin and runs it; always the same."""
    return script_text("bootstrap")


@functools.cache
def job_text() -> str:
    """The script that a job runs by itself on the computer."""
    return "\n".join([*(script_text(name) for name in JOB_LIBRARY), script_text("job")])


@functools.cache
def runner_text(with_job: bool = False) -> str:  # noqa: FBT001 - a cache key, called by name
    """The runner of a request; with the job's script only where a job is to be started."""
    library = "\n".join(script_text(name) for name in LIBRARY)
    job = f"'{base64.b64encode(job_text().encode()).decode()}'" if with_job else "$null"
    return f"$ImmyLibrary = {{\n{library}\n}}\n$ImmyJobText = {job}\n{script_text('runner')}"


def operation_line(operation: Operation) -> str:
    """One operation as base64 of its JSON."""
    script = None if isinstance(operation, EffectOperation) else operation.script
    body: Mapping[str, Json] = {
        "id": operation.id,
        "op": operation.name.value,
        "params": dict(operation.params),
        "script": script,
        "timeout": operation.timeout_seconds,
    }
    return base64.b64encode(json.dumps(body, separators=(",", ":")).encode()).decode("ascii")


@functools.cache
def _runner_line(with_job: bool) -> str:  # noqa: FBT001 - a cache key
    return base64.b64encode(runner_text(with_job).encode()).decode("ascii")


def payload(operations: Sequence[Operation], nonce: str) -> str:
    """The text of one request; `nonce` is 32 hex characters, new for each request."""
    with_job = any(operation.name is Effect.JOB_START for operation in operations)
    lines = [nonce, _runner_line(with_job), *(operation_line(operation) for operation in operations)]
    return "\n".join(lines) + "\n"


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
