"""The operations of a session that ask or tell people on its computer: each is a job in a person's own session.

Whom to ask, and what comes of it, is decided before (decide.steps.holding.asking). What such a job leaves is a claim of
its person: a code that was offered counts as the answer, and anything else as silence.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Mapping
from importlib import resources
from typing import TYPE_CHECKING

from immy_nornir.decide import asking_texts
from immy_nornir.decide.plan.users import logons_of
from immy_nornir.decide.steps.job_ids import job_id
from immy_nornir.decide.steps.step import Do
from immy_nornir.errors import DeclinedError, ImmyError
from immy_nornir.model.items import Language, Platform
from immy_nornir.model.record.entries import ContactBack, Entry
from immy_nornir.model.record.question_entries import (
    QuestionAnswered,
    QuestionShown,
    Said,
    UsersLooked,
)
from immy_nornir.model.record.session import Outcome
from immy_nornir.model.wire import JobSpec, JobState, JobStatus
from immy_nornir.session.leg import refuse_stranger
from immy_nornir.text import templates

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.decide.steps.under_way import Question
    from immy_nornir.model.values import Json, Value
    from immy_nornir.session.leg import Leg

_MARGIN_SECONDS = 60
"""A dialog closes itself at its time; a job that is still there so much later is ended."""
_MOST_TITLES = 5


def _look_users(state: State, leg: Leg, _: str) -> list[Entry]:
    identity = leg.connected().identify()
    if refused := refuse_stranger(state, leg, identity):
        return refused
    leg.identity = identity
    before = state.identity
    changed = before is None or before.boot.differs(identity.boot) or before.pending_reboots != identity.pending_reboots
    again: list[Entry] = [ContactBack(identity)] if changed else []
    return [*again, UsersLooked(logons_of(identity))]


def _show(state: State, leg: Leg, _: str) -> list[Entry]:
    question = _question(state)
    params = _params(state, leg, question)
    impossible = []
    for user in question.open_users:
        spec = JobSpec(
            _job(state, question, user),
            "ask",
            {"script": _script(_platform(state)), "language": _language(_platform(state)), "params": params},
            f"user:{user}",
            int(question.asked.seconds) + _MARGIN_SECONDS,
            action="ask",
        )
        if why := _started(leg, spec):
            impossible.append(f"{user}: {why}")
    return [QuestionShown(question.asked.number, tuple(impossible)), *_heard(state, leg, question)]


def _started(leg: Leg, spec: JobSpec) -> str:
    """Start the job of a question; why that cannot be, or nothing."""
    try:
        leg.act(lambda connection: connection.start_job(spec))
    except DeclinedError as error:
        return leg.engine.redactor.clean(error.message)
    return ""


def _hear(state: State, leg: Leg, _: str) -> list[Entry]:
    return _heard(state, leg, _question(state))


def _close(state: State, leg: Leg, _: str) -> list[Entry]:
    """End what is still shown; who answered at the last moment did."""
    question = _question(state)
    entries = _heard(state, leg, question)
    answered = {one.user for one in entries if isinstance(one, QuestionAnswered)}
    for user in question.open_users:
        if user in answered:
            continue
        with contextlib.suppress(DeclinedError):
            leg.connected().stop_job(_job(state, question, user))
        entries.append(QuestionAnswered(question.asked.number, user, Said.SILENT))
    return entries


def _heard(state: State, leg: Leg, question: Question) -> list[Entry]:
    connection, found = leg.connected(), list[Entry]()
    for user in question.open_users:
        answer = _answer(question, user, connection.wait_job(_job(state, question, user), 0, 0.0))
        if answer is not None:
            found.append(answer)
    return found


def _answer(question: Question, user: str, status: JobStatus) -> QuestionAnswered | None:
    """What a job's end says; None while there is no end."""
    number, asked = question.asked.number, question.asked
    silent = QuestionAnswered(number, user, Said.SILENT)
    if status.state in (JobState.LOST, JobState.ABSENT):
        return silent
    if status.state is not JobState.FINISHED:
        return None
    code = None if status.result is None else status.result.exit_code
    if code not in asking_texts.codes_of(asked.kind, asked.later):
        return silent
    if code == asking_texts.NOW:
        return QuestionAnswered(number, user, Said.NOW)
    if code == asking_texts.REFUSE:
        return QuestionAnswered(number, user, Said.REFUSED)
    return QuestionAnswered(number, user, Said.LATER, asked.later[code - asking_texts.LATER])


def _question(state: State) -> Question:
    assert state.questions.question is not None  # noqa: S101 - next_step asks only then
    return state.questions.question


def _job(state: State, question: Question, user: str) -> str:
    who = hashlib.blake2b(user.encode(), digest_size=5).hexdigest()
    return job_id(state.spec.id, f"ask-{question.asked.number}-{who}", 1, 0)


def _platform(state: State) -> Platform:
    return Platform.WINDOWS if state.identity is None else state.identity.platform


def _language(platform: Platform) -> Json:
    return (Language.POWERSHELL if platform is Platform.WINDOWS else Language.SH).value


@functools.cache
def _script(platform: Platform) -> str:
    """The dialog of a platform."""
    windows = platform is Platform.WINDOWS
    package = "immy_nornir.remote.windows" if windows else "immy_nornir.remote.posix"
    parts = ("scripts", "asking", "dialog.ps1") if windows else ("scripts", "dialog.sh")
    return resources.files(package).joinpath(*parts).read_text("utf-8").replace("\r\n", "\n")


def _params(state: State, leg: Leg, question: Question) -> dict[str, Json]:
    variables = leg.described.variables
    try:
        texts = asking_texts.texts_of(variables.get("immy_prompt_texts"))
    except ValueError:
        texts = asking_texts.texts_of(None)  # lint has told it; nobody goes without a question for it
    clean = leg.engine.redactor.clean
    values: dict[str, Value] = {"reason": _reason(state), "computer": state.spec.computer, "tenant": state.spec.tenant}

    def render(text: str, more: Mapping[str, Value]) -> str:
        try:
            return clean(str(templates.expand(text, {**variables, **more})))[: asking_texts.LONGEST]
        except ImmyError:
            return clean(text)

    made: dict[str, Json] = dict(
        asking_texts.params_of(question.asked.kind, question.asked.later, texts, render, values)
    )
    return {**made, "seconds": int(question.asked.seconds)}


def _reason(state: State) -> str:
    """What was done that the reboot is for, by the items' titles."""
    done = [
        one.plan
        for one in state.actions.values()
        if one.reboot_due or (one.attempt and one.ended is not None and one.ended.outcome is Outcome.SUCCESS)
    ]
    items = (state.definitions.get(one.definition) for one in done)
    titles = dict.fromkeys(one.title for one in items if one is not None)
    return ", ".join(list(titles)[:_MOST_TITLES]) or "updates"


PERFORM: Mapping[Do, Callable[[State, Leg, str], list[Entry]]] = {
    Do.LOOK_USERS: _look_users,
    Do.SHOW_QUESTION: _show,
    Do.HEAR_ANSWERS: _hear,
    Do.CLOSE_QUESTION: _close,
}
