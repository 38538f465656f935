"""The standard streams of the process: those that are missing are opened, and one that goes away costs no exit code.

Imports nothing of ours, so that it is there before anything can fail.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO


class _Unfailing(io.RawIOBase):
    """The raw stream of a text stream, as long as that one takes what is written; the rest is dropped.

    What is said on standard error only tells of the work. Whoever closed the pipe or filled the disk behind it must
    change neither the work nor its exit code, wherever the line was written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream  # it would close the raw one when it goes
        self._under: BinaryIO = getattr(stream.buffer, "raw", stream.buffer)

    def write(self, data: Any, /) -> int:
        """Pass data on; all of it counts as written when it cannot be."""
        try:
            written = self._under.write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """As the stream below."""
        return self._under.isatty()

    def fileno(self) -> int:
        """As the stream below."""
        return self._under.fileno()


def open_all() -> None:
    """Open the standard streams that the caller closed, and make standard error one that never fails.

    A closed descriptor would be the next file's that is opened, and what was meant for the terminal would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _to_nowhere(number)
    # Python has no object for a stream that was closed when it started.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
    said = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Unfailing(said)), encoding=said.encoding, errors="backslashreplace", line_buffering=True
    )
    # A character that the terminal's encoding lacks is shown by its number; what is typed there is read somehow.
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stdin, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


_lost: list[OSError] = []


@contextlib.contextmanager
def outlived() -> Iterator[None]:
    """What is said at the end of work that is done: output that cannot be written changes no exit code but 0."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        _lost.append(error)
        _to_nowhere(sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            sys.stderr.write(f"immy: the output cannot be written: {error.strerror}\n")


def settle(code: int) -> int:
    """Hand over what still waits for standard output; the exit code that the process ends with.

    What standard output did not take makes 1 (nobody reads it) or 2 (it has no room) of a 0, and leaves any other code
    as it is. Python's own end finds nothing to write any more: it would make 120 of whatever the code is.
    """
    try:
        sys.stdout.flush()
    except ValueError:
        return code
    except OSError as error:
        _lost.append(error)
        _to_nowhere(sys.stdout.fileno())
    if _lost and not code:
        return 1 if _lost[0].errno == errno.EPIPE else 2
    return code


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
