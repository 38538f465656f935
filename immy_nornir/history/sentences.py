"""Entries of a record as sentences for people: logs, live progress, the column `text` of the history; pure."""

from __future__ import annotations

from typing import assert_never

from immy_nornir.decide.steps.holding.approval import Wanted
from immy_nornir.decide.steps.holding.preflight import unready
from immy_nornir.decide.steps.orders import at
from immy_nornir.decide.steps.state import State
from immy_nornir.model.record.entries import (
    ActionEnded,
    ApprovalDenied,
    ApprovalGiven,
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Determined,
    Entry,
    FactsCollected,
    Finished,
    Interrupted,
    JobEnded,
    JobIntended,
    JobSeen,
    JobWithdrawn,
    Noted,
    NotReady,
    Outdated,
    PendingFound,
    Planned,
    ReadyLooked,
    RebootAsked,
    RebootEnded,
    RebootInherited,
    RebootIntended,
    Refused,
    Resolved,
    Resumed,
    RetryLater,
    StageFailed,
    StopAsked,
    TimeOver,
    Verified,
    Waiting,
    WindowClosed,
)
from immy_nornir.model.record.order_entries import (
    CancelAsked,
    JobStopAsked,
    OrderEntry,
    PauseAsked,
    PauseLifted,
    RebootOrdered,
)
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
)
from immy_nornir.model.record.run import (
    Approved,
    RunEnded,
    RunEntry,
    RunHalted,
    RunLeft,
    RunTakenUp,
    WaveBegan,
    WaveEnded,
)
from immy_nornir.model.record.words import process_of, word


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _job_name(entry: JobSeen | JobEnded, state: State | None) -> str:
    job = None if state is None else state.job
    return f"job {entry.job_id}" if job is None or not job.actions else ", ".join(job.actions)


def sentence(entry: Entry, state: State | None = None) -> str:  # noqa: C901 - one case for each kind of entry
    """An entry for people; with the state after it, jobs are told by their actions."""
    match entry:
        case Resumed(owner, epoch):
            return f"{'taken up' if epoch > 1 else 'begun'} by {process_of(owner)}"
        case Connected(identity):
            return f"connected to {identity.name} ({identity.system.get('os') or identity.platform})"
        case Refused(kind, message):
            return f"{kind}: {message}"
        case ContactLost(kind, message, doing):
            return f"no contact{f' while {doing}' if doing else ''}: {kind.replace('_', ' ')}: {message}"
        case ContactBack(identity):
            return f"{identity.name} answers again"
        case Resolved(desires):
            return f"{_count(len(desires), 'item')} deployed"
        case FactsCollected(facts, problems):
            return f"facts collected: {', '.join(facts.values)}" + (f"; {'; '.join(problems)}" if problems else "")
        case Detected(findings):
            return f"{_count(len(findings), 'item')} detected"
        case ReadyLooked():
            missing = () if state is None else unready(state)
            return f"not ready: {', '.join(missing)}" if missing else "ready"
        case Planned(plan, outlook):
            todo = sum(1 for one in plan.actions if one.to_do)
            phases, reboots = _count(len(plan.phases), "phase"), _count(plan.reboots, "reboot")
            about = f"; {outlook.text}" if outlook is not None else ""
            return f"planned {todo} of {_count(len(plan.actions), 'action')} in {phases}, {reboots}{about}"
        case RebootInherited(session):
            return f"session {session} owes a reboot"
        case ApprovalGiven(by, actions, reboots):
            return f"approved by {by}: {Wanted(actions, reboots)}"
        case ApprovalDenied(why):
            return f"not approved: {why}"
        case StageFailed(stage, message):
            return f"stage {stage} failed: {message}"
        case Determined(action):
            return f"{action.id}: {word(action.type)}: {action.why}"
        case JobIntended(_, actions, attempt, step):
            return f"{', '.join(actions)}: attempt {attempt}{f', step {step + 1}' if step else ''}"
        case JobSeen():
            return f"{_job_name(entry, state)}: running"
        case JobEnded(_, result, _, message):
            name = _job_name(entry, state)
            if result is None:
                return f"{name}: its job is lost: {message}"
            code = f"exit code {result.exit_code}" if result.exit_code is not None else "no exit code"
            return f"{name}: {code}{f', {result.error}' if result.error else ''} after {result.seconds:.1f} s"
        case ActionEnded() as ended:
            said = f": {ended.message}" if ended.message else ""
            return f"{ended.action_id}: {word(ended.outcome)} ({word(ended.reason)}){said}"
        case JobWithdrawn(job_id, message):
            return f"job {job_id} was not begun: {message}"
        case RetryLater(action_id, _, message):
            return f"{action_id}: {message}"
        case RebootIntended(number, why, _, by_itself):
            return f"reboot {number}{' by itself' if by_itself else ''}: {why}"
        case RebootAsked(number):
            return f"reboot {number} asked for"
        case RebootEnded(number, identity, message):
            return f"reboot {number} done" if identity is not None else f"reboot {number}: {message}"
        case PendingFound(names):
            return f"pending reboots: {', '.join(names) or 'none'}"
        case Waiting(kind, _, about):
            return f"waiting ({word(kind)}): {about}"
        case Verified(findings, undone):
            return f"{_count(len(findings), 'item')} verified" + (
                f"; not converged: {'; '.join(undone)}" if undone else ""
            )
        case StopAsked(kind, message):
            return f"{kind}: {message}"
        case CancelAsked() | PauseAsked() | PauseLifted() | RebootOrdered() | JobStopAsked():
            return _order(entry)
        case UsersLooked() | QuestionIntended() | QuestionShown() | QuestionAnswered() | QuestionEnded():
            return _question(entry)
        case LogonAwaited():
            return _question(entry)
        case Noted(message) | Interrupted(message) | Outdated(message) | WindowClosed(message):
            return message
        case TimeOver(message) | NotReady(message):
            return message
        case Finished(status, message):
            return f"{word(status)}: {message}"
        case _ as never:
            assert_never(never)


def _question(entry: QuestionEntry) -> str:
    match entry:
        case LogonAwaited(user):
            return f"the logon of {user} is waited for"
        case UsersLooked(logons):
            return f"logged on: {', '.join(f'{one.name} ({one.state})' for one in logons) or 'nobody'}"
        case QuestionIntended(_, kind, about, users):
            asked = "asked whether it may reboot" if kind is QuestionKind.CONSENT else "told that it reboots soon"
            return f"{', '.join(users)} {'is' if len(users) == 1 else 'are'} {asked}: {about}"
        case QuestionShown(_, impossible):
            return f"shown, but not to {'; '.join(impossible)}" if impossible else "shown"
        case QuestionAnswered(_, user, said, minutes):
            return f"{user}: {word(said)}" + (f" (in {minutes} minutes)" if said is Said.LATER else "")
        case QuestionEnded(_, verdict, why):
            return f"{word(verdict)}: {why}"
        case _ as never:
            assert_never(never)


def _order(entry: OrderEntry | JobStopAsked) -> str:
    match entry:
        case CancelAsked(ordered, now, kill):
            how = ", its job stopped at once" if now else ""
            return f"to be cancelled{how}{', an installer too' if kill else ''}: by {ordered}"
        case PauseAsked(ordered, until):
            return f"to be paused{f' until {at(until)}' if until is not None else ''}: by {ordered}"
        case PauseLifted(ordered):
            return "goes on: the time of its pause is over" if ordered is None else f"goes on: by {ordered}"
        case RebootOrdered(ordered, now):
            how = ", whatever its window and business hours say" if now else ""
            return f"a reboot was ordered{how}: by {ordered}"
        case JobStopAsked(job_id):
            return f"job {job_id}: told to stop"
        case _ as never:
            assert_never(never)


def run_sentence(entry: RunEntry) -> str:
    """An entry of a run's record for people."""
    match entry:
        case Approved(by, changes, reboots):
            return f"approved by {by}: {_count(changes, 'change')}, {_count(reboots, 'reboot')}"
        case RunTakenUp(owner):
            return f"taken up by {owner}"
        case WaveBegan(play, wave):
            return f"play {play + 1}: wave {wave + 1} began"
        case WaveEnded(play, wave, settled, bad):
            return f"play {play + 1}: wave {wave + 1} ended: {_count(settled, 'computer')}, {bad} failed"
        case RunHalted(play, why):
            return f"{f'play {play + 1}' if play is not None else 'the run'} is halted: {why}"
        case RunLeft(why):
            return f"left: {why}"
        case RunEnded(message):
            return f"ended: {message}" if message else "ended"
        case _ as never:
            assert_never(never)
