"""Entries of a record -> rows that can be asked for with SQL; pure.

The entries are the truth; every other row can be made again from them. One sentence a row
says for people what happened.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any, assert_never

from immy_nornir.decide.steps.state import ActionState, State
from immy_nornir.history import codec
from immy_nornir.model.facts import Identity
from immy_nornir.model.plan import Plan
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import (
    ActionEnded,
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
    Noted,
    PendingFound,
    Planned,
    RebootAsked,
    RebootEnded,
    RebootIntended,
    Refused,
    Resolved,
    Resumed,
    RetryLater,
    StageFailed,
    Stamped,
    StopAsked,
    Verified,
    Waiting,
)
from immy_nornir.model.record.session import Status

Statement = tuple[str, tuple[Any, ...]]
_LARGE = 2000
"""Entries longer than this are stored compressed."""


def rows(state: State, stamped: Stamped, clean: Callable[[str], str]) -> list[Statement]:
    """The statements that store one entry, given the state after it; `clean` takes secrets out of every text."""
    session = state.spec.id
    statements = [_session_row(state, stamped), *_details(state, session, stamped, clean)]
    return [_entry_row(session, stamped, clean), *_cleaned(statements, clean)]


def _cleaned(statements: list[Statement], clean: Callable[[str], str]) -> list[Statement]:
    """The statements with clean texts; words of our own enumerations are no plain texts and stay."""
    # One look at all texts together: hardly ever is there anything to replace.
    together = "\n".join([value for _, values in statements for value in values if type(value) is str])
    if together.isascii() and clean(together) == together:
        return statements
    return [
        (sql, tuple([storable(clean(value)) if type(value) is str else value for value in values]))
        for sql, values in statements
    ]


def storable(text: str) -> str:
    """The text with `?` for halves of characters, which computers send and no database takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _entry_row(session: str, stamped: Stamped, clean: Callable[[str], str]) -> Statement:
    data = storable(clean(codec.entry_text(_lean(stamped.entry))))
    kind, text = type(stamped.entry).__name__, storable(clean(sentence(stamped.entry)))
    pack = codec.pack_shared if isinstance(stamped.entry, Resolved) else codec.pack
    packed = pack(data) if len(data) > _LARGE else None
    return (
        "INSERT OR IGNORE INTO entries (session_id, seq, at, kind, text, data, packed) VALUES (?,?,?,?,?,?,?)",
        (
            session,
            stamped.seq,
            stamped.at,
            kind,
            text,
            None if packed else data,
            packed,
        ),
    )


def _lean(entry: Entry) -> Entry:
    """An entry without the job's output, which the jobs table holds."""
    return dataclasses.replace(entry, output="") if isinstance(entry, JobSeen | JobEnded) else entry


def _session_row(state: State, stamped: Stamped) -> Statement:
    status, reason = status_of(state)
    waiting = f"{state.waiting.kind}: {state.waiting.about}" if state.waiting is not None else ""
    ended = stamped.at if state.finished is not None else None
    return (
        (
            "UPDATE sessions SET status=?, reason=?, stage=?, waiting=?, epoch=?, reboots=?, entries=?, "
            "started_at=coalesce(started_at, ?), ended_at=? WHERE id=?"
        ),
        (
            status,
            reason,
            stage_of(state),
            waiting,
            state.epoch,
            state.reboots,
            stamped.seq,
            stamped.at,
            ended,
            state.spec.id,
        ),
    )


def status_of(state: State) -> tuple[Status, str]:
    """The session's status and its reason."""
    if state.finished is not None:
        return state.finished.status, state.finished.message
    if state.interrupted is not None:
        return Status.INTERRUPTED, state.interrupted.message
    if state.waiting is not None:
        return Status.WAITING, state.waiting.about
    return Status.RUNNING if state.entries else Status.CREATED, ""


def stage_of(state: State) -> str:
    """The stage that the session is in."""
    for stage in state.spec.stages:
        if stage not in state.done:
            return stage.value
    return Stage.REPORT.value


def _details(state: State, session: str, stamped: Stamped, clean: Callable[[str], str]) -> list[Statement]:
    match stamped.entry:
        case Connected(identity) | ContactBack(identity):
            return [*_identity_rows(state.spec.computer, identity, stamped.at, clean), *_paid(state, session)]
        case FactsCollected(facts):
            return [
                _fact_row(state.spec.computer, section, value, facts.collected_at.get(section, stamped.at), clean)
                for section, value in facts.values.items()
            ]
        case Planned(plan):
            return _action_rows(state, plan)
        case Determined(action):
            return [_action_update(state, action.id, stamped.at)]
        case JobIntended() as job:
            sql = f"{_JOB_ROW} DO UPDATE SET intended_at=excluded.intended_at"
            values = (job.job_id, session, job.action_id, job.attempt, job.step, stamped.at)
            return [(sql, values), _action_update(state, job.action_id, stamped.at)]
        case JobSeen() as seen:
            job_id = state.actions[seen.action_id].job_id
            sql = "UPDATE jobs SET state='running', output=output||? WHERE job_id=?"
            return [_job_row(state, seen.action_id), (sql, (seen.output, job_id))]
        case JobEnded() as over:
            ended = _job_end(state.actions[over.action_id].job_id, over, stamped.at)
            return [_job_row(state, over.action_id), ended]
        case ActionEnded(action_id=action_id) | RetryLater(action_id=action_id):
            return [_action_update(state, action_id, stamped.at)]
        case RebootIntended() as reboot:
            sql = "INSERT OR REPLACE INTO reboots (session_id, number, why, intended_at) VALUES (?,?,?,?)"
            return [(sql, (session, reboot.number, reboot.why, stamped.at))]
        case RebootAsked(number):
            return [("UPDATE reboots SET asked_at=? WHERE session_id=? AND number=?", (stamped.at, session, number))]
        case RebootEnded() as back:
            outcome = "rebooted" if back.identity is not None else back.message
            sql = "UPDATE reboots SET ended_at=?, outcome=? WHERE session_id=? AND number=?"
            return [(sql, (stamped.at, outcome, session, back.number)), *_paid(state, session)]
        case Finished():
            return [("DELETE FROM active WHERE computer=? AND session_id=?", (state.spec.computer, session))]
        case _:
            return []


def _paid(state: State, session: str) -> list[Statement]:
    """No action still needs a reboot once the computer has started anew."""
    if state.owed or not any(one.ended is not None and one.ended.reboot_owed for one in state.actions.values()):
        return []
    return [("UPDATE actions SET reboot_owed=0 WHERE session_id=?", (session,))]


_JOB_ROW = (
    "INSERT INTO jobs (job_id, session_id, action_id, attempt, step, state, intended_at) "
    "VALUES (?,?,?,?,?,'intended',?) ON CONFLICT (job_id)"
)


def _job_row(state: State, action_id: str) -> Statement:
    """The row that output is added to: its intent may lie in a journal that is imported later."""
    one = state.actions[action_id]
    values = (one.job_id, state.spec.id, action_id, one.attempt, one.step, one.began_at)
    return f"{_JOB_ROW} DO NOTHING", values


def _job_end(job_id: str, over: JobEnded, at: float) -> Statement:
    result = over.result
    return (
        "UPDATE jobs SET state=?, exit_code=?, error=?, seconds=?, output=output||?, ended_at=? WHERE job_id=?",
        (
            "finished" if result is not None else "lost",
            result.exit_code if result is not None else None,
            result.error if result is not None else over.message,
            result.seconds if result is not None else None,
            over.output,
            at,
            job_id,
        ),
    )


def _identity_rows(computer: str, identity: Identity, at: float, clean: Callable[[str], str]) -> list[Statement]:
    about = {
        "name": identity.name,
        "domain": identity.domain,
        "uuid": identity.uuid,
        "uuid_source": identity.uuid_source,
        "platform": identity.platform.value,
        **{key: value for key, value in identity.system.items() if key not in ("time", "disk_free_gb")},
    }
    return [
        _fact_row(computer, "system", about, at, clean),
        _fact_row(computer, "pending_reboots", list(identity.pending_reboots), at, clean),
        _fact_row(computer, "users", {"logged_on": list(identity.users)}, at, clean),
    ]


def _fact_row(computer: str, section: str, value: Any, at: float, clean: Callable[[str], str]) -> Statement:
    data = storable(clean(codec.line(value)))
    digest = hashlib.sha256(data.encode()).hexdigest()[:32]
    return (
        (
            "INSERT INTO facts (computer, section, hash, value, changed_at, collected_at) VALUES (?,?,?,?,?,?) "
            "ON CONFLICT (computer, section) DO UPDATE SET collected_at=excluded.collected_at, "
            "value=CASE WHEN hash=excluded.hash THEN value ELSE excluded.value END, "
            "changed_at=CASE WHEN hash=excluded.hash THEN changed_at ELSE excluded.changed_at END, hash=excluded.hash"
        ),
        (computer, section, digest, codec.pack(data), at, at),
    )


_ACTION_COLUMNS = (
    "session_id, id, position, item, instance, type, reason, why, desired, found, version, deployment, held, "
    "planned_phase, phase, attempts, status, outcome, outcome_reason, message, after, reboot_owed, began_at, ended_at"
)


def _action_rows(state: State, plan: Plan) -> list[Statement]:
    sql = f"INSERT OR REPLACE INTO actions ({_ACTION_COLUMNS}) VALUES ({','.join('?' * 24)})"  # noqa: S608 - constants
    return [(sql, _action_values(state, one.id, position, None)) for position, one in enumerate(plan.actions)]


def _action_update(state: State, action_id: str, at: float) -> Statement:
    plan = state.plan
    position = [one.id for one in plan.actions].index(action_id) if plan is not None else 0
    sql = f"INSERT OR REPLACE INTO actions ({_ACTION_COLUMNS}) VALUES ({','.join('?' * 24)})"  # noqa: S608 - constants
    return (sql, _action_values(state, action_id, position, at))


def _action_values(state: State, action_id: str, position: int, at: float | None) -> tuple[Any, ...]:
    one = state.actions[action_id]
    plan, ended = one.plan, one.ended
    return (
        state.spec.id,
        action_id,
        position,
        plan.item,
        plan.instance,
        plan.type.value,
        plan.reason.value,
        plan.why,
        plan.desired,
        plan.found,
        plan.version,
        plan.deployment,
        plan.held.value if plan.held else None,
        plan.phase,
        one.phase if one.attempt else None,
        one.attempt,
        action_status(one),
        ended.outcome.value if ended else None,
        ended.reason.value if ended else None,
        ended.message if ended else "",
        ended.found if ended else "",
        int(ended.reboot_owed) if ended else 0,
        one.began_at or None,
        at if ended else None,
    )


def action_status(one: ActionState) -> str:
    """Where an action is: `ended`, `retry`, `running` or `planned`."""
    if one.ended is not None:
        return "ended"
    if one.retry_at is not None:
        return "retry"
    return "running" if one.job_id else "planned"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def sentence(entry: Entry) -> str:  # noqa: C901 - one case for each kind of entry, nothing else
    """An entry for people."""
    match entry:
        case Resumed(owner, epoch):
            return f"taken up by {owner}" if epoch > 1 else f"begun by {owner}"
        case Connected(identity):
            return f"connected to {identity.name} ({identity.system.get('os') or identity.platform})"
        case Refused(kind, message):
            return f"{kind}: {message}"
        case ContactLost(kind, message, doing):
            return f"no contact{f' while {doing}' if doing else ''}: {kind}: {message}"
        case ContactBack(identity):
            return f"{identity.name} answers again"
        case Resolved(desires):
            return f"{_count(len(desires), 'item')} deployed"
        case FactsCollected(facts, problems):
            return f"facts collected: {', '.join(facts.values)}" + (f"; {'; '.join(problems)}" if problems else "")
        case Detected(findings):
            return f"{_count(len(findings), 'item')} detected"
        case Planned(plan):
            todo = sum(1 for one in plan.actions if one.to_do)
            phases, reboots = _count(len(plan.phases), "phase"), _count(plan.reboots, "reboot")
            return f"planned {todo} of {_count(len(plan.actions), 'action')} in {phases}, {reboots}"
        case StageFailed(stage, message):
            return f"stage {stage} failed: {message}"
        case Determined(action):
            return f"{action.id}: {action.type}: {action.why}"
        case JobIntended(action_id, attempt, _, step):
            return f"{action_id}: attempt {attempt}{f', step {step + 1}' if step else ''}"
        case JobSeen(action_id):
            return f"{action_id}: running"
        case JobEnded(action_id, result, _, message):
            if result is None:
                return f"{action_id}: its job is lost: {message}"
            code = f"exit code {result.exit_code}" if result.exit_code is not None else "no exit code"
            return f"{action_id}: {code}{f', {result.error}' if result.error else ''} after {result.seconds:.1f} s"
        case ActionEnded() as ended:
            return f"{ended.action_id}: {ended.outcome} ({ended.reason}){f': {ended.message}' if ended.message else ''}"
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
            return f"waiting ({kind}): {about}"
        case Verified(findings, missing):
            return f"{_count(len(findings), 'item')} verified" + (
                f"; not converged: {'; '.join(missing)}" if missing else ""
            )
        case StopAsked(kind, message):
            return f"{kind}: {message}"
        case Noted(message) | Interrupted(message):
            return message
        case Finished(status, message):
            return f"{status}: {message}"
        case _ as never:
            assert_never(never)
