"""The parts of a session's state that come and go: a job, how far an action is, a reboot; values only.

What changes them is the fold alone (decide.steps.state).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from immy_nornir.model.facts import Boot, Logon
from immy_nornir.model.plan import PlannedAction
from immy_nornir.model.record.entries import (
    ActionEnded,
    ApprovalDenied,
    ApprovalGiven,
    ContactBack,
    ContactLost,
    Entry,
    JobIntended,
    PendingFound,
    Refused,
    StageFailed,
    StopAsked,
    TimeOver,
    Waiting,
    WindowClosed,
)
from immy_nornir.model.record.order_entries import OrderEntry
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
from immy_nornir.model.record.session import EndReason, Purpose
from immy_nornir.model.wire import JobResult

FORGOTTEN_SECONDS = 24 * 3600.0
"""From this age of an intent on, a computer that does not know its job may have done and forgotten it."""
OVERDUE_SECONDS = 600.0
"""How long after its own time-out a job may still be asked for: the computer ends it at the time-out, if it can."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was intended, and what is known of it."""

    id: str
    purpose: Purpose
    actions: tuple[str, ...]
    """The actions that it serves."""
    step: int = 0
    boot: Boot = field(default_factory=Boot)
    """The boot in which it was intended."""
    intended_at: float = 0.0
    seen_at: float = 0.0
    """When it was first known to exist."""
    offset: int = 0
    """How far its output was read, in bytes."""
    seen: bool = False
    """It is known to exist."""
    over: bool = False
    """It has ended or is lost; `result` None means lost."""
    result: JobResult | None = None
    stop_asked: bool = False
    """The computer was told to end it."""
    sent: bool = False
    """It may have been asked for: until then it is known that nothing of it runs."""
    left_at: float = 0.0
    """When its action ended without it."""

    @property
    def unsent(self) -> bool:
        """Whether it can be taken back as if it had never been intended: what earlier steps left is looked at."""
        return not (self.sent or self.seen or self.over or self.step)


@dataclass(frozen=True, slots=True)
class ActionState:
    """How far one action is."""

    plan: PlannedAction
    attempt: int = 0
    began_at: float = 0.0
    looked_at: float = 0.0
    """When it was detected by itself."""
    job: Job | None = None
    """The last job that served it."""
    doubts: int = 0
    """How often a job of this action was lost."""
    retry_at: float | None = None
    reboot_due: bool = False
    """A reboot is owed for what it did since the last one."""
    stayed: bool = False
    """The reboot that its installer announced did not come."""
    phase: int = 0
    """The actual phase in which it last did something."""
    pending: tuple[str, ...] = ()
    """Pending-reboot sources that were there before its last job."""
    ended: ActionEnded | None = None
    ran: bool = False
    """One of its jobs is known to have begun on the computer."""
    postponed: bool = False
    """It ended well but is not as it should be yet: its verdict is given after the reboot that it owes."""

    @property
    def step(self) -> int:
        """Which of its jobs is the last."""
        return 0 if self.job is None else self.job.step

    @property
    def result(self) -> JobResult | None:
        """What its last job left."""
        return None if self.job is None else self.job.result


_SEND_NOTHING = (
    JobIntended,
    ApprovalDenied,
    ApprovalGiven,
    ContactBack,
    OrderEntry,
    PendingFound,
    Refused,
    StopAsked,
    TimeOver,
    Waiting,
    WindowClosed,
)


def sends_nothing(entry: Entry) -> bool:
    """Whether an entry after the intent of a job is one that is written without the job having been asked for.

    Another process may have asked for it, and so may have an operation that fell over.
    """
    match entry:
        case ContactLost(doing=doing):
            return doing == "connect"
        case StageFailed(reason=reason):
            return reason is not EndReason.CRASHED
        case _:
            return isinstance(entry, _SEND_NOTHING)


def taken_back(one: ActionState) -> ActionState:
    """An action whose last job was intended and never asked for."""
    attempt = one.attempt - 1
    return replace(one, attempt=attempt, began_at=one.began_at if attempt else 0.0, job=None, retry_at=None)


@dataclass(frozen=True, slots=True)
class RebootState:
    """A reboot on its way."""

    number: int
    why: str
    boot: Boot
    intended_at: float
    by_itself: bool = False
    asked: bool = False
    asked_at: float = 0.0


# --- people who are asked ------------------------------------------------------------------------------------------


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
