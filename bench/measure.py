"""Commands as processes, measured by what the system says of them when they end (POSIX only)."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measured:
    """One command: seconds by the clock, CPU seconds of it and all its children, its peak memory in MB."""

    wall: float
    cpu: float
    memory_mb: float
    code: int
    out: str


class BenchError(Exception):
    """A command did not do what was to be measured."""


def measure(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None, codes: Sequence[int] = (0,)
) -> Measured:
    """Run a command to its end; an exit code that was not expected is an error with what it said."""
    with (folder / "stdout.txt").open("w+") as out, (folder / "stderr.txt").open("w+") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, said = out.read(), err.read()
    if process.returncode not in codes:
        raise BenchError(f"{' '.join(command)[:200]} ended with {process.returncode}:\n{text[-1500:]}\n{said[-1500:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, text)


def median_of(runs: int, once: Callable[[], Measured]) -> Measured:
    """Several runs; the median of each figure by itself."""
    every = [once() for _ in range(runs)]
    return Measured(
        statistics.median(one.wall for one in every),
        statistics.median(one.cpu for one in every),
        statistics.median(one.memory_mb for one in every),
        every[-1].code,
        every[-1].out,
    )
