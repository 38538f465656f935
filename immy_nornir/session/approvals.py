"""Who says that sessions may do what they plan: gathers those that wait for it, asks once for all, writes the answer.

Looked at by the thread that waits for a wave (session.crew), which may stay in the question as long as it takes. What
is approved, and that nothing else begins, is decide.steps.approval and its gate; how the question looks is the asker's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from immy_nornir.decide.runs.asking import Gathering
from immy_nornir.decide.steps import approval
from immy_nornir.decide.steps.moment import Approver
from immy_nornir.model.record.entries import ApprovalDenied, ApprovalGiven
from immy_nornir.model.record.run import Approved, Brakes

if TYPE_CHECKING:
    from immy_nornir.decide.steps.approval import Wanted
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession


@dataclass(frozen=True, slots=True)
class Question:
    """What sessions of one run want to do, that nobody has approved yet."""

    about: str
    """The play, or what else they are worked on for."""
    approver: Approver
    asking: Sequence[tuple[LiveSession, Wanted]]
    unplanned: Sequence[str]
    """Computers that may still come to a plan."""
    changes: int
    """Actions of the whole run with these: begun, approved, and asked for."""
    reboots: int
    """Computers of the whole run that rebooted or may, with these."""
    over: str
    """The brake that these would pass: then it is only told, and the answer is no."""


@dataclass(frozen=True, slots=True)
class Yes:
    """They may."""

    by: str


@dataclass(frozen=True, slots=True)
class No:
    """They may not."""

    why: str


Ask = Callable[[Question], Yes | No | None]
"""Answers a question; None: whoever was asked wants everything to stop."""


@dataclass(frozen=True, slots=True)
class Account:
    """A run whose sessions are asked about, with the figures that it must not pass."""

    run: str
    brakes: Brakes
    lives: Sequence[LiveSession]
    sessions: Sequence[str] = ()
    """Ids of all its sessions, those included that are not advanced here."""
    record: Callable[[Approved], None] = lambda _: None
    """Keeps what was approved in the run's record."""


@dataclass(slots=True)
class Approvals:
    """The questions of one process; used by one thread."""

    engine: Engine
    accounts: Sequence[Account]
    ask: Ask
    _gathering: Gathering = field(default_factory=Gathering)

    def look(self, about: str, sessions: Mapping[str, LiveSession]) -> list[str]:
        """Ask if it is time to; the computers whose sessions have an answer, and have to be called again.

        Raises: HistoryError, where it cannot be counted what was approved before.
        """
        asking = [live for live in sessions.values() if live.waits_for_approval]
        if not asking:
            return []
        at_rest = {id(live) for live in asking}
        unplanned = [name for name, live in sessions.items() if id(live) not in at_rest and live.may_ask]
        now = self.engine.clock.monotonic()
        self._gathering = self._gathering.after(len(sessions), len(unplanned), now)
        if not self._gathering.is_over(len(unplanned), now):
            return []
        answered = [name for account in self.accounts for name in self._asked(account, about, asking, unplanned)]
        self._gathering = Gathering()
        return answered

    def _asked(
        self, account: Account, about: str, asking: Sequence[LiveSession], unplanned: Sequence[str]
    ) -> list[str]:
        ours = {id(live) for live in account.lives}
        lives = [live for live in asking if id(live) in ours]
        answered: list[str] = []
        for approver in (Approver.BRAKES, Approver.PERSON):
            for_them = [live for live in lives if live.approver is approver]
            answered += self._ask(account, about, approver, for_them, unplanned)
        return answered

    def _ask(
        self,
        account: Account,
        about: str,
        approver: Approver,
        lives: Sequence[LiveSession],
        unplanned: Sequence[str],
    ) -> Sequence[str]:
        states = [(live, live.state_now) for live in lives]
        wanted = [(live, wants) for live, state in states if state is not None and (wants := approval.wanted(state))]
        if not wanted:
            return []
        changes, reboots = self._approved(account)
        changes += sum(len(wants.actions) for _, wants in wanted)
        reboots += sum(wants.reboots for _, wants in wanted)
        question = Question(
            about, approver, wanted, unplanned, changes, reboots, over(account.brakes, changes, reboots)
        )
        match self._answer(question):
            case None:
                return []
            case Yes(by):
                if question.approver is Approver.PERSON:
                    account.record(Approved(by, changes, reboots))
                for live, wants in wanted:
                    live.answer(ApprovalGiven(by, wants.actions, wants.reboots))
            case No(why):
                for live, _ in wanted:
                    live.answer(ApprovalDenied(why))
        return [live.computer for live, _ in wanted]

    def _answer(self, question: Question) -> Yes | No | None:
        if question.approver is Approver.BRAKES and not question.over:
            return Yes("--yes")
        answer = self.ask(question)
        return No(question.over) if question.over else answer

    def _approved(self, account: Account) -> tuple[int, int]:
        """What the run has begun, and what was approved and has not begun: actions, and computers that reboot."""
        self.engine.history.flush()
        with self.engine.history.read() as reader:
            changes, reboots = reader.work_done(account.run, [*account.sessions, *(one.id for one in account.lives)])
        states = (live.state_now for live in account.lives)
        promised = [approval.promised(state) for state in states if state is not None]
        return changes + sum(len(one.actions) for one in promised), reboots + sum(one.reboots for one in promised)


def over(brakes: Brakes, changes: int, reboots: int) -> str:
    """The brake that these figures pass; empty where they pass none."""
    if brakes.max_changes is not None and changes > brakes.max_changes:
        actions = f"{changes:,} action{'' if changes == 1 else 's'}"
        return f"it would do {actions} in all, and --max-changes is {brakes.max_changes}"
    if brakes.max_reboots is not None and reboots > brakes.max_reboots:
        computers = f"{reboots:,} computer{'' if reboots == 1 else 's'}"
        return f"it might reboot {computers} in all, and --max-reboots is {brakes.max_reboots}"
    return ""
