"""Keys of a terminal one by one, by names; the one place where a terminal is told to give them, and is put back.

POSIX (termios) and Windows (msvcrt). Ctrl-C stays a signal. Where no terminal is, there are no keys.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import time
from collections.abc import Iterator

_ESCAPE_SECONDS = 0.05
"""So soon the rest of a key's escape sequence follows its first character, if it is one."""

_SEQUENCES = {
    "[A": "up",
    "[B": "down",
    "OA": "up",
    "OB": "down",
    "[5~": "page up",
    "[6~": "page down",
    "[H": "home",
    "[F": "end",
    "OH": "home",
    "OF": "end",
    "[1~": "home",
    "[4~": "end",
}
_NAMES = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\t": "tab", "\x03": "ctrl-c"}
_WINDOWS = {"H": "up", "P": "down", "I": "page up", "Q": "page down", "G": "home", "O": "end"}
GONE = "gone"
"""The terminal has gone away."""


def keys_of(text: str) -> Iterator[str]:
    """The keys that a text from a terminal stands for; characters that can be typed stand for themselves.

    Sequences that are not known are left out, as are other characters that nobody types.
    """
    position = 0
    while position < len(text):
        one = text[position]
        position += 1
        if one != "\x1b":
            name = _NAMES.get(one) or (one if one.isprintable() else "")
        else:
            rest = _sequence(text[position:])
            position += len(rest)
            name = _SEQUENCES.get(rest, "") if rest else "escape"
        if name:
            yield name


def _sequence(text: str) -> str:
    """What belongs to an escape sequence after its first character; empty where that stands alone."""
    if text[:1] not in ("[", "O"):
        return ""
    for number, one in enumerate(text[1:], 1):
        if one.isalpha() or one == "~":
            return text[: number + 1]
        if not (one.isdigit() or one in ";?"):
            return text[:number]
    return text


if sys.platform == "win32":
    import msvcrt

    class Keys:
        """Keys as they are pressed; a context manager."""

        def __enter__(self) -> Keys:
            return self

        def __exit__(self, *_: object) -> None:
            return

        @contextlib.contextmanager
        def given_back(self) -> Iterator[None]:
            """The terminal reads lines meanwhile."""
            yield

        def read(self, seconds: float) -> list[str]:
            """The keys that are pressed within so many seconds; returns with the first."""
            ends = time.monotonic() + seconds
            while sys.stdin.isatty() and time.monotonic() < ends and not msvcrt.kbhit():
                time.sleep(0.02)
            if not sys.stdin.isatty():
                time.sleep(seconds)
                return []
            found: list[str] = []
            while msvcrt.kbhit():
                one = msvcrt.getwch()
                if one in ("\x00", "\xe0"):
                    found += filter(None, [_WINDOWS.get(msvcrt.getwch(), "")])
                elif one == "\x1b":
                    found.append("escape")
                else:
                    found += keys_of(one)
            if "ctrl-c" in found:
                raise KeyboardInterrupt
            return found

else:
    import select
    import termios
    import tty

    class Keys:
        """Keys as they are pressed; a context manager."""

        def __init__(self) -> None:
            self._before: list[object] | None = None
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def __enter__(self) -> Keys:
            with contextlib.suppress(termios.error, OSError, ValueError):
                self._before = termios.tcgetattr(0)
                tty.setcbreak(0)
            return self

        def __exit__(self, *_: object) -> None:
            before, self._before = self._before, None
            if before is not None:
                with contextlib.suppress(termios.error, OSError):
                    termios.tcsetattr(0, termios.TCSADRAIN, before)  # type: ignore[arg-type]  # as it was given

        @contextlib.contextmanager
        def given_back(self) -> Iterator[None]:
            """The terminal reads lines meanwhile."""
            self.__exit__()
            try:
                yield
            finally:
                self.__enter__()

        def read(self, seconds: float) -> list[str]:
            """The keys that are pressed within so many seconds; returns with the first."""
            if self._before is None:
                time.sleep(seconds)
                return []
            text = self._more(seconds)
            if text is not None and text.endswith("\x1b"):
                text += self._more(_ESCAPE_SECONDS) or ""
            return [GONE] if text is None else list(keys_of(text))

        def _more(self, seconds: float) -> str | None:
            if not select.select([0], [], [], seconds)[0]:
                return ""
            try:
                data = os.read(0, 4096)
            except OSError:
                return None
            return self._decoder.decode(data) if data else None
