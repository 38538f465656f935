"""People on the computer of a pure world: when they are there, and what they say when they are asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from immy_nornir.decide.steps.under_way import Question
from immy_nornir.model.facts import Logon, LogonState
from immy_nornir.model.record.entries import Entry
from immy_nornir.model.record.question_entries import QuestionAnswered, QuestionKind, QuestionShown, Said, UsersLooked


@dataclass
class Person:
    """Somebody, whose state may change with time."""

    name: str
    states: list[tuple[float, LogonState | None]] = field(default_factory=lambda: [(0.0, LogonState.ACTIVE)])
    """From these times on; None: logged off."""
    says: list[tuple[float, Said, int]] = field(default_factory=list)
    """To one question after the other; nothing to later ones."""
    desktop: bool = True

    def state(self, now: float) -> LogonState | None:
        found = None
        for begins, state in self.states:
            found = state if begins <= now else found
        return found


@dataclass
class People:
    """Everybody there."""

    persons: list[Person] = field(default_factory=list)
    asked: dict[str, list[float]] = field(default_factory=dict)
    """When each was asked."""
    kinds: list[QuestionKind] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    """On whose screen something is."""

    def look(self, now: float) -> list[Entry]:
        found = ((one, one.state(now)) for one in self.persons)
        return [UsersLooked(tuple(Logon(one.name, state, one.desktop) for one, state in found if state is not None))]

    def show(self, question: Question, now: float) -> list[Entry]:
        self.kinds.append(question.asked.kind)
        for name in question.open_users:
            self.asked.setdefault(name, []).append(now)
            self.shown.add(name)
        return [QuestionShown(question.asked.number)]

    def hear(self, question: Question, now: float) -> list[Entry]:
        return [said for name in question.open_users if (said := self._said(question, name, now)) is not None]

    def close(self, question: Question, now: float) -> list[Entry]:
        heard = {one.user: one for one in self.hear(question, now) if isinstance(one, QuestionAnswered)}
        self.shown -= set(question.open_users)
        number = question.asked.number
        return [heard.get(name) or QuestionAnswered(number, name, Said.SILENT) for name in question.open_users]

    def _said(self, question: Question, name: str, now: float) -> Entry | None:
        person = next(one for one in self.persons if one.name == name)
        number, since = len(self.asked.get(name, ())), self.asked.get(name, [now])[-1]
        if number and number <= len(person.says):
            after, said, minutes = person.says[number - 1]
            if now >= since + after and person.state(since + after) is LogonState.ACTIVE:
                self.shown.discard(name)
                return QuestionAnswered(question.asked.number, name, said, minutes)
        if now >= question.deadline or person.state(now) is None:
            self.shown.discard(name)
            return QuestionAnswered(question.asked.number, name, Said.SILENT)
        return None
