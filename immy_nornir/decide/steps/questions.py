"""What a session's state holds of people who are asked, folded from their entries; pure.

Not here: whom to ask, and what comes of the answers (decide.steps.holding.asking).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from immy_nornir.model.facts import Logon
from immy_nornir.model.record.question_entries import (
    LogonAwaited,
    QuestionAnswered,
    QuestionEnded,
    QuestionEntry,
    QuestionIntended,
    QuestionKind,
    QuestionShown,
    Said,
    UsersLooked,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is open."""

    asked: QuestionIntended
    began_at: float
    shown: bool = False
    answers: Mapping[str, QuestionAnswered] = field(default_factory=dict)

    @property
    def open_users(self) -> tuple[str, ...]:
        """Who has not answered."""
        return tuple(one for one in self.asked.users if one not in self.answers)

    @property
    def deadline(self) -> float:
        """Until when it is shown."""
        return self.began_at + self.asked.seconds


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything that was asked in a session."""

    looked_at: float = 0.0
    """When it was last looked who is logged on."""
    logons: tuple[Logon, ...] = ()
    number: int = 0
    """Of the last question."""
    again: int = 0
    """How often in a row somebody else had come meanwhile."""
    question: Question | None = None
    agreed_at: float = 0.0
    agreed_by_user: bool = False
    postponements: int = 0
    postponed_until: float = 0.0
    postponed_why: str = ""
    awaited: str = ""
    """Whose logon is waited for."""
    awaited_until: float = 0.0
    refused: str = ""
    """Why the computer is not rebooted in this session."""


NOTHING_ASKED = Questions()


def fold_question(asked: Questions, entry: QuestionEntry, at: float) -> Questions:
    """What was asked after one more entry."""
    match entry:
        case LogonAwaited(user, until):
            return replace(asked, awaited=user, awaited_until=until)
        case UsersLooked(logons):
            return replace(asked, looked_at=at, logons=logons)
        case QuestionIntended() as intended:
            return replace(asked, number=intended.number, question=Question(intended, at), postponed_until=0.0)
        case QuestionShown():
            shown = None if asked.question is None else replace(asked.question, shown=True)
            return replace(asked, question=shown)
        case QuestionAnswered() as answer:
            if asked.question is None or answer.number != asked.number:
                return asked
            known = answer if _offered(asked.question.asked, answer) else replace(answer, said=Said.SILENT, minutes=0)
            answers = {**asked.question.answers, answer.user: known}
            return replace(asked, question=replace(asked.question, answers=answers))
        case QuestionEnded() as ended:
            return _ended(replace(asked, number=max(asked.number, ended.number), question=None), ended, at)
        case _ as never:
            assert_never(never)


def _offered(asked: QuestionIntended, answer: QuestionAnswered) -> bool:
    """Whether an answer is one of those that were offered to the one who gave it; anything else is none."""
    if answer.user not in asked.users:
        return False
    match answer.said:
        case Said.NOW | Said.SILENT:
            return True
        case Said.LATER:
            return answer.minutes in asked.later
        case Said.REFUSED:
            return asked.kind is QuestionKind.CONSENT


def _ended(asked: Questions, ended: QuestionEnded, at: float) -> Questions:
    match ended.verdict:
        case Verdict.AGREED:
            return replace(asked, agreed_at=at, agreed_by_user=ended.by_user, again=0)
        case Verdict.POSTPONED:
            until, number = ended.until, asked.postponements + 1
            return replace(asked, postponed_until=until, postponed_why=ended.why, postponements=number, again=0)
        case Verdict.REFUSED:
            return replace(asked, refused=ended.why, again=0)
        case Verdict.WITHDRAWN:
            return replace(asked, again=0)
        case Verdict.AGAIN:
            return replace(asked, again=asked.again + 1)
        case _ as never:
            assert_never(never)


def after_reboot(asked: Questions) -> Questions:
    """What holds in a new boot: who agreed to the last one is asked again before the next."""
    return replace(asked, agreed_at=0.0, agreed_by_user=False, question=None, postponed_until=0.0, looked_at=0.0)
