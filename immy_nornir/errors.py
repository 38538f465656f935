"""All errors that an operator can meet, as a tree by what the reader can do about them.

Lowest layer. Each class has the exit code that the command line ends with. Foreign errors are mapped to
these once, in the module that owns the foreign library. Nothing here prints.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immy_nornir.model.places import Problem


class ImmyError(Exception):
    """Root of all expected errors: what happened, and what to try."""

    exit_code = 2

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} ({self.advice})" if self.advice else self.message


class UsageError(ImmyError):
    """The command line or the names in it are off."""


class FilesError(ImmyError):
    """The fleet's files have errors; carries every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problem(s) in the fleet's files", "immy lint lists them")
        self.problems = tuple(problems)


class PatternError(ImmyError):
    """A host pattern cannot be read or names nothing."""


class SecretError(ImmyError):
    """A secret's reference leads nowhere; the message holds the reference, never a value."""


class HistoryError(ImmyError):
    """The history cannot be opened, read or written."""


class TransportError(ImmyError):
    """Something between us and a computer failed; `kind` is recorded as the outcome."""

    exit_code = 1
    kind = "transport"
    passing = False
    """Whether the failure is of a moment, so that also a first contact is worth another try."""
    nothing_sent = False
    """Whether it is certain that nothing of what was asked for had been sent."""
    said = ""
    """All that a program of ours said about it, where one did."""


class UnreachableError(TransportError):
    """No connection: off, no route, name unknown."""

    kind = "unreachable"


class NotAcceptedError(UnreachableError):
    """Who is there refused the connection: a service that restarts, a bastion that has too many at this moment."""

    passing = True


class NoRoomError(TransportError):
    """This machine itself has no descriptor, memory or process left to speak to the computer, which is not to blame."""

    kind = "no_room"
    passing = True


NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Numbers of the operating system for what this machine has no more of."""
_NO_ROOM_ON_WINDOWS = frozenset({1450, 1455})
"""Its own numbers that Python has no errno for: system resources, and the page file."""
_SAID = tuple(os.strerror(number) for number in sorted(NO_ROOM))


def inside(error: BaseException) -> list[BaseException]:
    """An exception with everything inside it: its arguments, reasons, causes and contexts."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        one = queue.pop(0)
        if not isinstance(one, BaseException) or any(one is known for known in found):
            continue
        found.append(one)
        queue += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found


def lacking(error: BaseException) -> str:
    """What this machine has no more of, where that is what an exception comes from; empty where it is something else.

    Looks through what libraries, imports and our own errors have made of it: whoever wraps it does not know that it
    says nothing of the computer, the secret or the file that it names.
    """
    return next((told for one in inside(error) if (told := _lacking(one))), "")


def _lacking(error: BaseException) -> str:
    match error:
        case MemoryError():
            return "no memory"
        case socket.gaierror(errno=socket.EAI_MEMORY):
            return "no memory"
        case OSError(errno=number) if number in NO_ROOM:
            return error.strerror or os.strerror(number)
        case BlockingIOError(errno=errno.EAGAIN):  # so says what makes a process
            return error.strerror or "no more processes"
        case OSError() if getattr(error, "winerror", 0) in _NO_ROOM_ON_WINDOWS:
            return str(error.strerror)
        case RuntimeError() if "start new thread" in str(error):  # what Python says; it has no kind of its own
            return "no more threads"
        case ImportError():  # a library of machine code: the loader has words only
            return next((said for said in _SAID if said in str(error)), "")
        case _:
            return ""


def no_room(told: str, doing: str = "for it") -> NoRoomError:
    """The error that says of something that this machine has no room `doing`; `told` is what it lacks."""
    return NoRoomError(f"this machine has no room {doing}: {told}", "ulimit -n, fewer workers")


class AuthenticationError(TransportError):
    """The computer refused the user or the password."""

    kind = "authentication"


class CertificateError(TransportError):
    """The certificate or host key is not the one that is trusted."""

    kind = "certificate"


class TransportTimeoutError(TransportError):
    """The computer did not answer within the deadline; `output` is what had come of the answer until then."""

    kind = "timeout"

    def __init__(self, message: str, advice: str = "", output: bytes = b"") -> None:
        super().__init__(message, advice)
        self.output = output


class GarbledError(TransportError):
    """The computer's answer is empty, cut off or not what the protocol says; never read as 'not installed'."""

    kind = "garbled"


class DroppedError(TransportError):
    """An established connection ended before the answer was whole."""

    kind = "dropped"
    passing = True


class RefusedError(TransportError):
    """The computer runs no scripts of ours: ConstrainedLanguage, no usable shell, blocked by security software."""

    kind = "refused"


class DeclinedError(RefusedError):
    """What was asked for was not begun, for certain: nothing was sent, or the computer's own frame says so."""


class BusyError(DeclinedError):
    """Another session is at work on the computer; nothing was done. `session` is its id, where that was said."""

    kind = "busy"

    def __init__(self, message: str, advice: str = "", session: str = "") -> None:
        super().__init__(message, advice)
        self.session = session


_HELD = re.compile(r"\s*lease (?:busy|lost): (?P<who>.*?)(?:, until (?P<until>\d{1,12}))?(?: \(line \d+\))?", re.DOTALL)


def refused(text: str, doing: str = "") -> DeclinedError:
    """What a computer's own words mean that it did not do something, which `doing` names (docs/wire.md)."""
    held = _HELD.fullmatch(text)
    if held is None:
        return DeclinedError(f"{doing}: {text}" if doing else text)
    until = f", until {datetime.fromtimestamp(int(held['until']), UTC):%Y-%m-%d %H:%M} UTC" if held["until"] else ""
    named = re.match(r"session (\S+) of ", held["who"])
    told = f"another session is at work on this computer: {held['who']}{until}"
    return BusyError(told, session=named[1] if named else "")
