"""All errors that an operator can meet, as a tree by what the reader can do about them.

Lowest layer. Each class has the exit code that the command line ends with. Foreign errors are mapped to
these once, in the module that owns the foreign library. Nothing here prints.
"""

from __future__ import annotations

import errno
import re
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
