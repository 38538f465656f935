"""The small interface between WS-Management and whatever executes command lines behind it.

Simulated and backed computers implement it; the service in front does not care which. Everything here is called in
the lab's event loop and returns at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sink(Protocol):
    """Where a started command line puts what it writes."""

    def output(self, stream: str, data: bytes) -> None:
        """Bytes of `stdout` or `stderr`."""
        ...

    def done(self, exit_code: int) -> None:
        """The last call: it ended."""
        ...


class Process(Protocol):
    """A started command line."""

    def write(self, data: bytes, *, end: bool) -> None:
        """Bytes for its stdin; `end` closes it after them."""
        ...

    def end(self) -> None:
        """End it with everything that it started, but not jobs; may be repeated."""
        ...


class Machine(Protocol):
    """What executes."""

    def start(self, command_line: str, environment: Mapping[str, str], sink: Sink) -> Process:
        """Start a command line as the shell's user."""
        ...

    def went_down(self) -> None:
        """The computer loses power now: everything that runs ends."""
        ...

    def came_up(self) -> None:
        """The computer is up again, in a new boot."""
        ...

    def close(self) -> None:
        """The lab stops; nothing may go on running."""
        ...
