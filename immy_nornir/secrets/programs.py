"""Programs that print a secret: started from a list of words without a shell, with a time-out.

What they write to their error stream is dropped, it may hold secrets; messages tell the exit code. Not here: which
programs, and what their output is for.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

MOST_BYTES = 1_000_000
"""More is no secret, but a program that does something else."""


class ProgramError(Exception):
    """Why a program gave nothing, without anything that it wrote."""


def output_of(words: Sequence[str], seconds: float, environment: Mapping[str, str], folder: Path) -> bytes:
    """What a program writes to its standard output, which ends with exit code 0 within the time.

    Its standard input is empty. Raises ProgramError.
    """
    try:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=folder,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its words cannot be those of a program"
        raise ProgramError(f"'{words[0]}' cannot be started: {str(reason).lower()}") from None
    found = b""

    def read() -> None:
        nonlocal found
        assert process.stdout is not None  # noqa: S101 - asked for above
        with process.stdout as pipe:
            found = pipe.read(MOST_BYTES + 1)

    # A child of it may keep the pipe open: then the reading ends with this process, and nobody waits for it.
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        reader.join(seconds)
        if reader.is_alive():
            raise ProgramError(f"it had not ended after {seconds:g} seconds")
        if len(found) > MOST_BYTES:
            raise ProgramError(f"it writes more than {MOST_BYTES:,} bytes")
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"it had not ended after {seconds:g} seconds") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code:
        raise ProgramError(f"it ended with exit code {code}; what it said is not shown, it may hold secrets")
    return found
