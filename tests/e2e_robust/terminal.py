"""`immy` on a terminal of its own: what it shows is read, and what an operator types is written."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.waiting import ENOUGH, turns

from .fleets import Fleet

if sys.platform != "win32":
    import termios

QUESTION = "Go on?"


@dataclass
class Terminal:
    """The operator's side of a terminal."""

    process: subprocess.Popen[bytes]
    ours: int
    shown: str = ""
    raw: str = ""
    """With what rules a terminal."""
    _looked: int = 0

    def expect(self, text: str) -> str:
        """Wait until a text is shown after the last one that was waited for; what was shown up to it."""
        for _ in turns(f"'{text}' on the terminal"):
            found = self.shown.find(text, self._looked)
            if found >= 0:
                before, self._looked = self.shown[self._looked : found], found + len(text)
                return before
            if not self._read() and self.process.poll() is not None and not self._read():
                break
        raise AssertionError(f"'{text}' was not shown:\n{self.shown}")

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self.ours, f"{text}\n".encode())

    def press(self, keys: str) -> None:
        """Press keys, one after the other."""
        os.write(self.ours, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal so large."""
        termios.tcsetwinsize(self.ours, (lines, columns))

    def reads_lines(self) -> bool:
        """Whether what is typed is shown, and given line by line, as a shell wants it."""
        both = termios.ICANON | termios.ECHO
        return bool(termios.tcgetattr(self.ours)[3] & both == both)

    def hang_up(self) -> None:
        """Let the terminal go away."""
        os.close(self.ours)
        self.ours = -1

    def end(self) -> int:
        """The exit code, once it has ended."""
        for _ in turns("the end of the process"):
            self._read()
            if self.process.poll() is not None:
                break
        self._read()
        return self.process.wait(ENOUGH)

    def _read(self) -> bool:
        if not select.select([self.ours], [], [], 0.1)[0]:
            return False
        with suppress(OSError):  # nobody has the other end any more
            data = os.read(self.ours, 65536)
            text = data.decode("utf-8", "replace")
            self.raw += text
            self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
            return bool(data)
        return False


@contextmanager
def terminal(
    one: Fleet, *arguments: str, environment: Mapping[str, str] | None = None, whole: bool = False
) -> Iterator[Terminal]:
    """`immy` with standard input and error on a terminal; `whole`: standard output too."""
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (24, 80) if whole else (0, 0))
    one.environment = {**one.environment, "TERM": "xterm", "COLUMNS": "160", **(environment or {})}
    process = one.start(*arguments, stdin=its, stderr=its, **({"stdout": its} if whole else {}))
    os.close(its)
    screen = Terminal(process, ours)
    try:
        yield screen
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(ENOUGH)
        if screen.ours >= 0:
            os.close(ours)
