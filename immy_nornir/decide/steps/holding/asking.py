"""Who has to be asked, or told, before a session reboots its computer, and what comes of the answers; pure.

`reboot: prompt` asks everybody who is logged on with a desktop; the most careful answer counts. A locked or
disconnected session is somebody who says nothing, not nobody. Servers, where many work at a time, are never asked, and
not rebooted. What says yes is an answer that was offered, of one who was asked, to that question: it may agree or put
off, never widen what the session may do. `automatic` and `force` only tell everybody how long there is to save work.
Held back by the gate (decide.steps.gate); how a question is shown is session.asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from immy_nornir.decide.resolve.primary_user import serves_many
from immy_nornir.decide.steps import times
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Do, Note, Perform, Step, Wait
from immy_nornir.decide.steps.under_way import Question, Questions
from immy_nornir.decide.times.time_zones import told
from immy_nornir.model.facts import Identity, Logon, LogonState
from immy_nornir.model.playbooks import Otherwise, Reboot
from immy_nornir.model.record.question_entries import (
    QuestionAnswered,
    QuestionEnded,
    QuestionIntended,
    QuestionKind,
    Said,
    Verdict,
)
from immy_nornir.model.record.session import WaitKind

FRESH_SECONDS = 60.0
"""Who is logged on is looked at again when that was seen longer ago."""
AGREED_SECONDS = 600.0
"""Who agreed longer ago is asked again: what holds the reboot back meanwhile may take a night."""
GRACE_SECONDS = 90.0
"""A question closes itself at its deadline; its last word is waited for so long."""
MOST_AGAIN = 3
"""So often in a row somebody who has come meanwhile is asked too; then it counts as silence."""


def is_server(identity: Identity | None) -> bool:
    """Whether nobody there is to be asked: what serves many (a multi-session Windows calls itself a server)."""
    return identity is not None and serves_many(identity.system)


def held(state: State, moment: Moment, why: str) -> Step | None:
    """What comes before a reboot for this reason: a look, a question, a wait, its end; None when it may be."""
    options = state.spec.options
    if state.stop is not None or state.failure is not None:
        return None
    asked = state.questions
    if asked.question is not None:
        return _open(state, asked, asked.question, moment)
    if asked.agreed_at and moment.now - asked.agreed_at <= AGREED_SECONDS:
        return None
    if options.reboot is Reboot.PROMPT and state.reboot_order is None:
        return _consent(state, asked, moment, why)
    return _countdown(state, asked, moment, why)


def instead(state: State, step: Step, moment: Moment) -> Step | None:
    """The end of a question that nothing asks any more: it does not stay on people's screens. None where it stays."""
    question = state.questions.question
    if question is None or _asks(step):
        return None
    there = moment.contact.connected and state.lost is None and moment.now < question.deadline
    if there and question.shown and question.open_users:
        return Perform(Do.CLOSE_QUESTION)
    return Note(QuestionEnded(question.asked.number, Verdict.WITHDRAWN, "it is not asked any more"))


_ASKING = (Do.LOOK_USERS, Do.SHOW_QUESTION, Do.HEAR_ANSWERS, Do.CLOSE_QUESTION, Do.CONNECT)


def _asks(step: Step) -> bool:
    match step:
        case Perform(do):
            return do in _ASKING
        case Wait(kind):
            return kind in (WaitKind.PROMPT, WaitKind.CONNECTIVITY, WaitKind.RETRY, WaitKind.SLOT)
        case Note(entry):
            return isinstance(entry, QuestionEnded)
        case _:
            return False


def by_user(state: State) -> bool:
    """Whether the people there agreed to a reboot now: then business hours do not hold it back."""
    return bool(state.questions.agreed_at) and state.questions.agreed_by_user


def agreed(state: State) -> bool:
    """Whether a reboot that wants consent has it."""
    return bool(state.questions.agreed_at) or state.spec.options.reboot is not Reboot.PROMPT


def _consent(state: State, asked: Questions, moment: Moment, why: str) -> Step:
    options, number = state.spec.options, asked.number + 1
    if moment.now < asked.postponed_until:
        about = f"{asked.postponed_why}; asked again {told(asked.postponed_until, times.told_zone(state))}"
        return Wait(WaitKind.PROMPT, asked.postponed_until, about, deferred=True)
    if is_server(state.identity):
        return Note(QuestionEnded(number, Verdict.REFUSED, "it is a server, whose users are never asked"))
    if not _looked(state, asked, moment):
        return Perform(Do.LOOK_USERS)
    users = _askable(asked.logons)
    if not users:
        return Note(_nobody(state, number))
    later = _later(state, asked, moment)
    return Note(
        QuestionIntended(number, QuestionKind.CONSENT, why, users, options.prompt_minutes * 60.0, later), durable=True
    )


def _countdown(state: State, asked: Questions, moment: Moment, why: str) -> Step | None:
    seconds, number = state.spec.options.countdown_minutes * 60.0, asked.number + 1
    if seconds <= 0:
        return None
    if not _looked(state, asked, moment):
        return Perform(Do.LOOK_USERS)
    users = _askable(asked.logons)
    if not users:
        return None
    return Note(QuestionIntended(number, QuestionKind.COUNTDOWN, why, users, seconds), durable=True)


def _looked(state: State, asked: Questions, moment: Moment) -> bool:
    return state.resumed_at <= asked.looked_at <= moment.now <= asked.looked_at + FRESH_SECONDS


def _askable(logons: Sequence[Logon]) -> tuple[str, ...]:
    return tuple(one.name for one in logons if one.desktop)


def _nobody(state: State, number: int) -> QuestionEnded:
    if state.spec.options.prompt_nobody is Otherwise.REBOOT:
        return QuestionEnded(number, Verdict.AGREED, "nobody is logged on who could be asked")
    return QuestionEnded(number, Verdict.REFUSED, "nobody is logged on who could be asked (prompt_nobody: skip)")


def _later(state: State, asked: Questions, moment: Moment) -> tuple[int, ...]:
    """The times that may be offered: while it may be put off, and when nothing else would hold it back then."""
    options = state.spec.options
    if asked.postponements >= options.prompt_postponements:
        return ()
    return tuple(one for one in options.prompt_later_minutes if _is_free(state, moment, moment.now + one * 60.0))


def _is_free(state: State, moment: Moment, at: float) -> bool:
    return times.window(state, replace(moment, now=at)) is None


# --- a question that is open ------------------------------------------------------------------------------------


def _open(state: State, asked: Questions, question: Question, moment: Moment) -> Step:
    if not question.shown and moment.now < question.deadline:
        return Perform(Do.SHOW_QUESTION)
    until = question.deadline if question.asked.kind is QuestionKind.COUNTDOWN else question.deadline + GRACE_SECONDS
    if not _is_settled(state, question) and question.shown and moment.now < until:
        pause = 3.0 if moment.now - question.began_at < 60 else 15.0
        if question.open_users and not moment.resting(pause):
            return Perform(Do.HEAR_ANSWERS)
        again = moment.contact.checked_at + pause if question.open_users else until
        return Wait(WaitKind.PROMPT, min(again, until), _about(question))
    if question.shown and question.open_users:
        return Perform(Do.CLOSE_QUESTION)  # nobody answers any more, and no window stays
    refused = any(_stops(state, one) for one in question.answers.values())
    if question.asked.kind is QuestionKind.CONSENT and not refused and not _looked(state, asked, moment):
        return Perform(Do.LOOK_USERS)
    return Note(verdict(state, asked, question, moment.now))


def _is_settled(state: State, question: Question) -> bool:
    """Whether nobody has to be waited for any more."""
    answers = question.answers.values()
    if question.asked.kind is QuestionKind.COUNTDOWN:
        return not question.open_users and all(one.said is Said.NOW for one in answers)
    return not question.open_users or any(_stops(state, one) for one in answers)


def _about(question: Question) -> str:
    users = ", ".join(question.open_users or question.asked.users)
    if question.asked.kind is QuestionKind.COUNTDOWN:
        return f"the end of the countdown that {users} see: {question.asked.about}"
    return f"{users} to answer whether it may reboot: {question.asked.about}"


def _stops(state: State, answer: QuestionAnswered) -> bool:
    """Whether no other answer matters any more."""
    return answer.said is Said.REFUSED and state.spec.options.prompt_refusal is Otherwise.SKIP


def verdict(state: State, asked: Questions, question: Question, now: float) -> QuestionEnded:
    """What comes of a question: the most careful answer of those who are still logged on."""
    number, options = question.asked.number, state.spec.options
    if question.asked.kind is QuestionKind.COUNTDOWN:
        early = _is_settled(state, question)
        return QuestionEnded(number, Verdict.AGREED, "all who were told agreed" if early else "the countdown is over")
    here = set(_askable(asked.logons))
    refused = [one for one in question.answers.values() if one.said is Said.REFUSED]
    if refused and options.prompt_refusal is Otherwise.SKIP:
        return QuestionEnded(number, Verdict.REFUSED, f"{_names(refused)} said no")
    answers = [_answer(question, name) for name in question.asked.users if name in here]
    new = here.difference(question.asked.users)
    if not answers and not new:
        return _nobody(state, number)
    silent = [one for one in answers if one.said is Said.SILENT]
    if silent and options.prompt_silence is Otherwise.SKIP:
        away = _states(asked.logons, silent)
        users = tuple(one.user for one in silent)
        return QuestionEnded(number, Verdict.REFUSED, f"{away} did not answer", silent=users)
    later = [one for one in answers if one.said is Said.LATER]
    if later:
        minutes = max(one.minutes for one in later)
        return QuestionEnded(number, Verdict.POSTPONED, f"{_names(later)} put it off", now + minutes * 60.0)
    if new and asked.again < MOST_AGAIN:
        return QuestionEnded(number, Verdict.AGAIN, f"{', '.join(sorted(new))} logged on meanwhile")
    if new and options.prompt_silence is Otherwise.SKIP:
        return QuestionEnded(number, Verdict.REFUSED, f"{', '.join(sorted(new))} logged on meanwhile, unasked")
    by_them = all(one.said is Said.NOW for one in answers) and not refused and not new
    against = f"{_names([*refused, *silent])} did not agree, and it is done all the same"
    why = f"{_names(answers)} agreed" if by_them else against
    return QuestionEnded(number, Verdict.AGREED, why, by_user=by_them)


def _answer(question: Question, user: str) -> QuestionAnswered:
    return question.answers.get(user) or QuestionAnswered(question.asked.number, user, Said.SILENT)


def _names(answers: Sequence[QuestionAnswered]) -> str:
    return ", ".join(dict.fromkeys(one.user for one in answers))


def _states(logons: Sequence[Logon], answers: Sequence[QuestionAnswered]) -> str:
    """Names, with what kept them from answering."""
    known = {one.name: one.state for one in logons}
    plain = (LogonState.ACTIVE, LogonState.UNKNOWN)
    return ", ".join(
        one.user if (state := known.get(one.user, LogonState.UNKNOWN)) in plain else f"{one.user} ({state})"
        for one in answers
    )
