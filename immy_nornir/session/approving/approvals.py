"""Who says that sessions may do what they plan: gathers those that wait for it, asks once for all, writes the answer.

Looked at by the thread that waits for a wave (session.crew), which may stay in the question as long as it takes. What
is approved, and that nothing else begins, is decide.steps.holding and its gate; how the question looks is the asker's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from immy_nornir.decide.runs.asking import Gathering
from immy_nornir.decide.steps.holding import approval
from immy_nornir.decide.steps.moment import Approver
from immy_nornir.model.record.entries import ApprovalDenied, ApprovalGiven
from immy_nornir.model.record.run import Approved, Brakes
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from immy_nornir.decide.steps.holding.approval import Wanted
    from immy_nornir.decide.steps.state import State
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession


ASKED = (Approver.BRAKES, Approver.PERSON)


@dataclass(frozen=True, slots=True)
class Question:
    """What sessions of one run want to do, that nobody has approved yet."""

    about: str
    """The play, or what else they are worked on for."""
    approver: Approver
    asking: Sequence[tuple[LiveSession, Wanted]]
    unplanned: Sequence[str]
    """Computers that may still come to a plan."""
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
class _Count:
    """What a run does, in sets: what begins while it is counted is in several of them, and counts once."""

    actions: set[tuple[str, str]] = field(default_factory=set)
    """(session, action)."""
    computers: set[str] = field(default_factory=set)
    """That reboot."""

    def add(self, state: State, wants: Wanted) -> None:
        session = state.spec
        self.actions |= {(session.id, one.id) for one in wants.actions}
        if wants.reboots:
            self.computers.add(session.computer)


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
        asking = [live for live in sessions.values() if live.waits_for_approval and live.approver in ASKED]
        if not asking:
            return []
        at_rest = {id(live) for live in asking}
        unplanned = [name for name, live in sessions.items() if id(live) not in at_rest and live.may_ask]
        total = sum(live.approver in ASKED for live in sessions.values())
        now = self.engine.clock.monotonic()
        self._gathering = self._gathering.after(total, len(unplanned), now)
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
        for approver in ASKED:
            states = [(live, live.state_now) for live in lives if live.approver is approver]
            wanted = [(live, state, approval.asked(state)) for live, state in states if state is not None]
            if wanted:
                answered += self._settle(account, about, approver, wanted, unplanned)
        return answered

    def _settle(
        self,
        account: Account,
        about: str,
        approver: Approver,
        wanted: Sequence[tuple[LiveSession, State, Wanted]],
        unplanned: Sequence[str],
    ) -> Sequence[str]:
        count = self._count(account)
        for _, state, wants in wanted:
            count.add(state, wants)
        changes, reboots = len(count.actions), len(count.computers)
        brake = over(account.brakes, changes, reboots)
        question = Question(about, approver, [(live, wants) for live, _, wants in wanted], unplanned, brake)
        match self._answer(question):
            case None:
                return []
            case Yes(by):
                if approver is Approver.PERSON:
                    account.record(Approved(by, changes, reboots))
                for live, state, wants in wanted:
                    live.answer(ApprovalGiven(by, wants.actions, wants.reboots), state)
            case No(why):
                for live, state, _ in wanted:
                    live.answer(ApprovalDenied(why), state)
        return [live.computer for live, _, _ in wanted]

    def _answer(self, question: Question) -> Yes | No | None:
        if question.approver is Approver.BRAKES and not question.over:
            return Yes("--yes")
        answer = self.ask(question)
        return No(question.over) if question.over else answer

    def _count(self, account: Account) -> _Count:
        """What the run has begun, and what was approved and has not begun, here or with nobody at it."""
        count = _Count()
        if account.brakes == Brakes():
            return count
        here = [state for live in account.lives if (state := live.state_now) is not None]
        ids = {*account.sessions, *(live.id for live in account.lives)}
        self.engine.history.flush()  # after the states: what begins in between is in both
        with self.engine.history.read() as reader:
            actions, computers, left = reader.work_of(account.run, ids)
        known = {state.spec.id for state in here}
        elsewhere = [state for one in left if one not in known and (state := self.engine.stored(one)) is not None]
        count.actions |= actions
        count.computers |= computers
        for state in (*here, *elsewhere):
            count.add(state, approval.promised(state))
        return count


def over(brakes: Brakes, changes: int, reboots: int) -> str:
    """The brake that these figures pass; empty where they pass none."""
    if brakes.max_changes is not None and changes > brakes.max_changes:
        return f"it would do {counted(changes, 'action')} in all, and --max-changes is {brakes.max_changes}"
    if brakes.max_reboots is not None and reboots > brakes.max_reboots:
        return f"it might reboot {counted(reboots, 'computer')} in all, and --max-reboots is {brakes.max_reboots}"
    return ""
