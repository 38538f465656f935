"""Entries about people who are asked, or told, on a session's computer before it is rebooted. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.model.facts import Logon


class QuestionKind(StrEnum):
    """What people see."""

    CONSENT = "consent"
    """They say whether the computer may reboot."""
    COUNTDOWN = "countdown"
    """They are told when it will, and may only say that it may at once."""


class Said(StrEnum):
    """What one person said."""

    NOW = "now"
    LATER = "later"
    REFUSED = "refused"
    SILENT = "silent"
    """Nothing until the deadline: away, locked, disconnected, or no answer that was offered."""


class Verdict(StrEnum):
    """What comes of a question."""

    AGREED = "agreed"
    POSTPONED = "postponed"
    REFUSED = "refused"
    """No reboot: somebody said so, or nobody said anything and that counts so."""
    WITHDRAWN = "withdrawn"
    """It is not asked any more: something else holds the reboot back, or nothing needs it now."""
    AGAIN = "again"
    """Somebody else has come meanwhile, and is asked too."""


@dataclass(frozen=True, slots=True)
class UsersLooked:
    """Who is logged on, as it was seen now."""

    logons: tuple[Logon, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionIntended:
    """From here on people may see the question. Durable before it is shown."""

    number: int
    kind: QuestionKind
    about: str
    """Why the computer is to reboot."""
    users: tuple[str, ...]
    seconds: float
    later: tuple[int, ...] = ()
    """The times that are offered, in minutes from now."""


@dataclass(frozen=True, slots=True)
class QuestionShown:
    """The computer took the question; to some it may have been impossible to show, which counts as silence."""

    number: int
    impossible: tuple[str, ...] = ()
    """Each with its reason."""


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """One person's answer."""

    number: int
    user: str
    said: Said
    minutes: int = 0
    """For `later`."""


@dataclass(frozen=True, slots=True)
class QuestionEnded:
    """The end of a question, or what holds where nobody is asked."""

    number: int
    verdict: Verdict
    why: str
    until: float = 0.0
    """For `postponed`."""
    by_user: bool = False
    """All who were asked said that it may be now: business hours do not hold it back."""
    silent: tuple[str, ...] = ()
    """Who was asked and did not answer, where that decided it."""


@dataclass(frozen=True, slots=True)
class LogonAwaited:
    """From here on the logon of a person is waited for, as nobody else may do what is left."""

    user: str
    until: float


QuestionEntry = LogonAwaited | UsersLooked | QuestionIntended | QuestionShown | QuestionAnswered | QuestionEnded
