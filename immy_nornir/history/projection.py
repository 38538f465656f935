"""Entries of a record -> rows that can be asked for with SQL; pure.

The entries are the truth; every other row can be made again from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from immy_nornir.decide.onboarding import has_passed, identity_of
from immy_nornir.decide.runs.run_state import RunState
from immy_nornir.decide.steps.orders import answer_to, told
from immy_nornir.decide.steps.state import State, reported_zone
from immy_nornir.decide.steps.under_way import ActionState
from immy_nornir.history import codec
from immy_nornir.history.sentences import sentence
from immy_nornir.history.tables import orders, sightings
from immy_nornir.model.control.orders import OrderState
from immy_nornir.model.facts import Identity, Logon
from immy_nornir.model.plan import Plan
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import (
    ActionEnded,
    Connected,
    ContactBack,
    Determined,
    FactsCollected,
    Finished,
    JobEnded,
    JobIntended,
    JobSeen,
    JobWithdrawn,
    Planned,
    RebootAsked,
    RebootEnded,
    RebootIntended,
    Resolved,
    RetryLater,
    Stamped,
)
from immy_nornir.model.record.order_entries import CancelAsked, PauseAsked, PauseLifted, RebootOrdered
from immy_nornir.model.record.question_entries import UsersLooked
from immy_nornir.model.record.run import RunSpec, RunStamped
from immy_nornir.model.record.session import SessionSpec, Status

Statement = tuple[str, tuple[Any, ...]]
_LARGE = 2000
"""Entries longer than this are stored compressed."""
SESSION_ROW = (
    "UPDATE sessions SET status=?, reason=?, end_reason=?, stage=?, waiting=?, due_at=?, superseded_by=?, "
    "epoch=?, reboots=?, entries=?, started_at=coalesce(started_at, ?), ended_at=? WHERE id=?"
)
"""What a session's row says after an entry. Of several in one transaction the first and the last leave what all do."""


def rows(state: State, stamped: Stamped) -> list[Statement]:
    """The statements that store one entry, given the state after it.

    What strangers said was cleaned when it was heard (session.hearing): nothing is replaced here.
    """
    statements = [_session_row(state, stamped), *_details(state, state.spec.id, stamped)]
    return [_entry_row(state, stamped), *_storable(statements)]


def _storable(statements: list[Statement]) -> list[Statement]:
    return [
        (sql, values if _is_plain(values) else tuple([storable(one) if type(one) is str else one for one in values]))
        for sql, values in statements
    ]


def _is_plain(values: tuple[Any, ...]) -> bool:
    for one in values:  # noqa: SIM110 - a generator takes three times as long, for each value of each row
        if type(one) is str and not one.isascii():
            return False
    return True


def storable(text: str) -> str:
    """The text with `?` for halves of characters, which computers send and no database takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _entry_row(state: State, stamped: Stamped) -> Statement:
    data = storable(codec.entry_text(stamped.entry))
    kind, text = type(stamped.entry).__name__, storable(sentence(stamped.entry, state))
    pack = codec.pack_shared if isinstance(stamped.entry, Resolved) else codec.pack
    packed = pack(data) if len(data) > _LARGE else None
    return (
        "INSERT OR IGNORE INTO entries (session_id, seq, at, kind, text, data, packed) VALUES (?,?,?,?,?,?,?)",
        (
            state.spec.id,
            stamped.seq,
            stamped.at,
            kind,
            text,
            None if packed else data,
            packed,
        ),
    )


def _session_row(state: State, stamped: Stamped) -> Statement:
    status, reason = status_of(state)
    waiting = f"{state.waiting.kind}: {told(state, state.waiting.about)}" if state.waiting is not None else ""
    finished, waiting_for = state.finished, state.waiting
    ended = stamped.at if finished is not None else None
    return (
        SESSION_ROW,
        (
            status,
            reason,
            "" if finished is None else finished.reason.value,
            stage_of(state),
            waiting,
            None if waiting_for is None else waiting_for.until,
            None if state.stop is None else state.stop.by or None,
            state.epoch,
            state.reboots,
            stamped.seq,
            stamped.at,
            ended,
            state.spec.id,
        ),
    )


def session_rows(specs: Sequence[SessionSpec], owner: str, run: RunSpec | None = None) -> list[Statement]:
    """The statements that store sessions as created, with their places in the waves of a run."""
    sql = (
        "INSERT INTO sessions (id, run_id, number, computer, tenant, type, play, play_number, wave, status, "
        "created_at, owner, spec) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
    )
    plays = () if run is None else run.plays
    places = {
        session: (number, wave)
        for number, play in enumerate(plays)
        for wave, sessions in enumerate(play.waves)
        for session in sessions
    }
    return [
        (
            sql,
            (
                spec.id,
                spec.run_id,
                number_of(spec.id),
                spec.computer,
                spec.tenant,
                spec.type.name,
                spec.play,
                *places.get(spec.id, (None, None)),
                Status.CREATED.value,
                spec.created_at,
                owner,
                codec.pack(codec.text(spec)),
            ),
        )
        for spec in specs
    ]


def number_of(session_id: str) -> int:
    """A session's number in its run: ids sort by it as numbers do."""
    digits = session_id.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def run_rows(state: RunState, stamped: RunStamped) -> list[Statement]:
    """The statements that store one entry of a run's record, given the state after it."""
    data = storable(codec.run_entry_text(stamped.entry))
    ended = stamped.at if state.finished is not None or state.left else None
    status = "ended" if state.finished is not None else "interrupted" if state.left else "running"
    note = state.left or (state.finished.message if state.finished is not None else "")
    return [
        (
            "INSERT OR IGNORE INTO run_entries (run_id, seq, at, kind, data) VALUES (?,?,?,?,?)",
            (state.spec.id, stamped.seq, stamped.at, type(stamped.entry).__name__, data),
        ),
        ("UPDATE runs SET status=?, ended_at=?, note=? WHERE id=?", (status, ended, note, state.spec.id)),
    ]


def status_of(state: State) -> tuple[Status, str]:
    """The session's status and its reason."""
    if state.finished is not None:
        return state.finished.status, state.finished.message
    if state.interrupted is not None:
        return Status.INTERRUPTED, told(state, state.interrupted.message)
    if state.waiting is not None:
        return Status.WAITING, told(state, state.waiting.about)
    return Status.RUNNING if state.entries else Status.CREATED, told(state, "")


def stage_of(state: State) -> str:
    """The stage that the session is in."""
    for stage in state.spec.stages:
        if stage not in state.done:
            return stage.value
    return Stage.REPORT.value


def _details(state: State, session: str, stamped: Stamped) -> list[Statement]:
    match stamped.entry:
        case Connected(identity) | ContactBack(identity):
            here = _seen(state, identity, stamped.at)
            return [*_identity_rows(state.spec.computer, identity, stamped.at), *here, *_paid(state, session)]
        case UsersLooked(logons):
            return _seen(state, logons, stamped.at)
        case Resolved(facts=seen):
            whose = {"primary_user": seen.get("primary_user") or ""}
            return [_fact_row(state.spec.computer, "primary_user", whose, stamped.at)]
        case FactsCollected(facts):
            return [
                _fact_row(state.spec.computer, section, value, facts.collected_at.get(section, stamped.at))
                for section, value in facts.values.items()
            ]
        case Planned(plan):
            return _action_rows(state, plan)
        case Determined(action):
            return [_action_update(state, action.id, stamped.at)]
        case JobIntended() | JobSeen() | JobEnded() | JobWithdrawn() as of_job:
            return _about_job(state, of_job, stamped.at)
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
            here = [] if back.identity is None else _seen(state, back.identity, stamped.at)
            return [(sql, (stamped.at, outcome, session, back.number)), *here, *_paid(state, session)]
        case CancelAsked(ordered) | PauseAsked(ordered) | PauseLifted(ordered) | RebootOrdered(ordered):
            # In the transaction of its entry: no order is taken in without an answer, or answered without an entry.
            said = answer_to(state, stamped.entry)
            return [] if ordered is None else [orders.answered(ordered.order, OrderState.DONE, said, stamped.at)]
        case Finished(status):
            gone = ("DELETE FROM active WHERE computer=? AND session_id=?", (state.spec.computer, session))
            ended = orders.ended_with(session, status, stamped.at)
            return [gone, ended, *_onboarded(state, session, stamped.at)]
        case _:
            return []


def _seen(state: State, who: Identity | Sequence[Logon], at: float) -> list[Statement]:
    return sightings.seen(state.spec.computer, who, state.spec.time_zone, reported_zone(state), at)


def _about_job(state: State, entry: JobIntended | JobSeen | JobEnded | JobWithdrawn, at: float) -> list[Statement]:
    match entry:
        case JobIntended(actions=actions):
            return [*_job_rows(state), *(_action_update(state, name, at) for name in actions)]
        case JobSeen():
            return [*_job_rows(state), ("UPDATE jobs SET state='running' WHERE job_id=?", (_job_id(state),))]
        case JobEnded():
            return [*_job_rows(state), _job_end(_job_id(state), entry, at)]
        case JobWithdrawn(job_id):
            back = [name for name, one in state.actions.items() if one.job is None]
            gone: Statement = ("DELETE FROM jobs WHERE job_id=?", (job_id,))
            return [gone, *(_action_update(state, name, at) for name in back)]


def _onboarded(state: State, session: str, at: float) -> list[Statement]:
    """That the computer's onboarding has ended, where it has."""
    if state.identity is None or not has_passed(state):
        return []
    sql = "INSERT OR IGNORE INTO onboarded (computer, session_id, identity, at) VALUES (?,?,?,?)"
    return [(sql, (state.spec.computer, session, identity_of(state.identity), at))]


def _paid(state: State, session: str) -> list[Statement]:
    """No action still needs a reboot once the computer has started anew."""
    if state.owed or not any(one.ended is not None and one.ended.reboot_owed for one in state.actions.values()):
        return []
    return [("UPDATE actions SET reboot_owed=0 WHERE session_id=?", (session,))]


_JOB_ROW = (
    "INSERT INTO jobs (job_id, session_id, action_id, attempt, step, purpose, state, intended_at) "
    "VALUES (?,?,?,?,?,?,'intended',?) ON CONFLICT (job_id) DO NOTHING"
)


def _job_rows(state: State) -> list[Statement]:
    """The row of the job under way: its intent may lie in a journal that is imported later."""
    job = state.job
    if job is None:
        return []
    attempt = state.actions[job.actions[0]].attempt if job.actions else 1
    actions = "\n".join(job.actions)
    return [(_JOB_ROW, (job.id, state.spec.id, actions, attempt, job.step, job.purpose.value, job.intended_at))]


def _job_id(state: State) -> str:
    return "" if state.job is None else state.job.id


def _job_end(job_id: str, over: JobEnded, at: float) -> Statement:
    result = over.result
    return (
        "UPDATE jobs SET state=?, exit_code=?, error=?, seconds=?, ended_at=? WHERE job_id=?",
        (
            "finished" if result is not None else "lost",
            result.exit_code if result is not None else None,
            result.error if result is not None else over.message,
            result.seconds if result is not None else None,
            at,
            job_id,
        ),
    )


def _identity_rows(computer: str, identity: Identity, at: float) -> list[Statement]:
    about = {
        "name": identity.name,
        "domain": identity.domain,
        "uuid": identity.uuid,
        "uuid_source": identity.uuid_source,
        "platform": identity.platform.value,
        **{key: value for key, value in identity.system.items() if key not in ("time", "disk_free_gb")},
    }
    return [
        _fact_row(computer, "system", about, at),
        _fact_row(computer, "pending_reboots", list(identity.pending_reboots), at),
        _fact_row(computer, "users", {"logged_on": list(identity.users)}, at),
    ]


def _fact_row(computer: str, section: str, value: Any, at: float) -> Statement:
    data = storable(codec.line(value))
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
    "planned_phase, phase, attempts, status, outcome, outcome_reason, message, after, reboot_owed, began_at, ended_at, "
    "definition"
)


def _action_rows(state: State, plan: Plan) -> list[Statement]:
    sql = f"INSERT OR REPLACE INTO actions ({_ACTION_COLUMNS}) VALUES ({','.join('?' * 25)})"  # noqa: S608 - constants
    return [(sql, _action_values(state, one.id, position, None)) for position, one in enumerate(plan.actions)]


def _action_update(state: State, action_id: str, at: float) -> Statement:
    plan = state.plan
    position = [one.id for one in plan.actions].index(action_id) if plan is not None else 0
    sql = f"INSERT OR REPLACE INTO actions ({_ACTION_COLUMNS}) VALUES ({','.join('?' * 25)})"  # noqa: S608 - constants
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
        plan.definition,
    )


def action_status(one: ActionState) -> str:
    """Where an action is: `ended`, `retry`, `running` or `planned`."""
    if one.ended is not None:
        return "ended"
    if one.retry_at is not None:
        return "retry"
    return "planned" if one.job is None else "running"
