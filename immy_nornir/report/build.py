"""Rows of the history -> a Report; pure: no clock, no database, no formatting beyond sentences from `words`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from immy_nornir.history.queries import ActionRow, JobRow, RunRow, SessionRow
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status
from immy_nornir.report import words
from immy_nornir.report.model import (
    UNFINISHED,
    ActionPart,
    Cause,
    ComputerPart,
    JobPart,
    RebootPart,
    Report,
    RunPart,
    SessionPart,
    TenantPart,
    Totals,
)

_NO_JOBS: Mapping[str, Sequence[JobRow]] = MappingProxyType({})

ATTENTION = (Status.FAILED, Status.PARTIALLY_PASSED, Status.INTERRUPTED, Status.MISSED)
"""Statuses that somebody has to look at, the worst first."""

OPEN = (Status.RUNNING, Status.WAITING, Status.CREATED)
"""Statuses of sessions that have not ended."""

_WORST = {status: place for place, status in enumerate(words.STATUSES)}
_OUTCOME_ORDER = (*Outcome, UNFINISHED)


def build(
    run: RunRow,
    sessions: Sequence[SessionRow],
    jobs: Mapping[str, Sequence[JobRow]] = _NO_JOBS,
    *,
    generated_at: float,
    only_tenant: str = "",
) -> Report:
    """The report of a run: `jobs` by session id where their output is wanted, times in seconds since 1970.

    Tenants and computers are sorted by name as people sort them (pc2 before pc10); the order of `sessions` is free.
    """
    parts = sorted((_session(one, jobs.get(one.id, ())) for one in sessions), key=_place)
    by_tenant: dict[str, list[SessionPart]] = defaultdict(list)
    for part in parts:
        by_tenant[part.tenant].append(part)
    tenants = tuple(_tenant(name, found) for name, found in by_tenant.items())
    attention = tuple(sorted((one for one in parts if one.status in ATTENTION), key=lambda one: _WORST[one.status]))
    return Report(
        run=_run(run),
        generated_at=generated_at,
        totals=_totals([computer for tenant in tenants for computer in tenant.computers]),
        tenants=tenants,
        attention=attention,
        unfinished=tuple(one for one in parts if one.status in OPEN),
        causes=_causes(attention),
        not_compliant=_not_compliant(parts),
        owed=tuple(dict.fromkeys(one.computer for one in parts if one.reboot_owed)),
        only_tenant=only_tenant,
    )


def _run(row: RunRow) -> RunPart:
    return RunPart(
        row.id,
        row.command,
        row.playbook,
        row.fleet,
        row.commit,
        row.user,
        row.machine,
        row.status,
        row.note,
        row.started_at,
        row.ended_at,
        _between(row.started_at, row.ended_at),
    )


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else max(end - begin, 0.0)


# --- sessions ------------------------------------------------------------------------------------------------


def _session(row: SessionRow, jobs: Sequence[JobRow]) -> SessionPart:
    of_action: dict[str, list[JobPart]] = defaultdict(list)
    for job in jobs:
        of_action[job.action_id].append(_job(job))
    actions = tuple(_action(one, tuple(of_action.get(one.id, ()))) for one in row.actions)
    return SessionPart(
        id=row.id,
        computer=row.computer,
        tenant=row.tenant,
        type=row.type,
        play=row.play,
        status=row.status,
        reason=row.reason,
        text=words.session_sentence(row.status, row.reason),
        stage=row.stage,
        waiting=row.waiting,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        seconds=_between(row.started_at, row.ended_at),
        reboots=row.reboots,
        counts=_counts(one.outcome or UNFINISHED for one in actions),
        actions=actions,
        reboot_list=tuple(RebootPart(why, outcome) for why, outcome in row.reboot_reasons),
    )


def _action(row: ActionRow, jobs: tuple[JobPart, ...]) -> ActionPart:
    return ActionPart(
        id=row.id,
        item=row.item,
        type=row.type,
        reason=row.reason,
        why=words.why_sentence(row.why, row.reason),
        found=row.found,
        desired=row.desired,
        after=row.after,
        version=row.version,
        deployment=row.deployment,
        held=row.held,
        planned_phase=row.planned_phase,
        phase=row.phase,
        attempts=row.attempts,
        status=row.status,
        outcome=row.outcome,
        outcome_reason=row.outcome_reason,
        message=row.message,
        text=words.end_sentence(row.outcome, row.outcome_reason, row.held, row.status),
        reboot_owed=row.reboot_owed,
        began_at=row.began_at,
        ended_at=row.ended_at,
        seconds=_between(row.began_at, row.ended_at),
        jobs=jobs,
    )


_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def readable(output: str) -> str:
    """What a job wrote without colours, cursor movements and other control characters; lines end with a newline."""
    text = _ESCAPES.sub("", output).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def _job(row: JobRow) -> JobPart:
    return JobPart(
        row.job_id,
        row.attempt,
        row.step,
        row.state,
        row.exit_code,
        row.error,
        row.seconds,
        readable(row.output),
        row.intended_at,
        row.ended_at,
    )


def _place(one: SessionPart) -> tuple[object, ...]:
    return *_natural(one.tenant), "", *_natural(one.computer), "", one.created_at, *_natural(one.id)


_DIGITS = re.compile(r"(\d+)", re.ASCII)


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts pc2 before pc10, and never compares a number with a text."""
    pieces = _DIGITS.split(name.casefold())
    # The name itself last, so that names that differ only in case or leading zeros keep apart.
    return (*((int(one), "") if one.isdigit() else (-1, one) for one in pieces), (-2, name))


# --- sums ----------------------------------------------------------------------------------------------------


def _tenant(name: str, sessions: Sequence[SessionPart]) -> TenantPart:
    by_computer: dict[str, list[SessionPart]] = defaultdict(list)
    for one in sessions:
        by_computer[one.computer].append(one)
    computers = tuple(
        ComputerPart(computer, min((one.status for one in found), key=_WORST.__getitem__), tuple(found))
        for computer, found in by_computer.items()
    )
    return TenantPart(name, _totals(computers), computers)


def _totals(computers: Sequence[ComputerPart]) -> Totals:
    sessions = [one for computer in computers for one in computer.sessions]
    statuses = Counter(computer.status for computer in computers)
    outcomes: Counter[str] = Counter()
    for one in sessions:
        outcomes.update(one.counts)
    return Totals(
        computers=len(computers),
        sessions=len(sessions),
        actions=outcomes.total(),
        by_status={status.value: statuses[status] for status in _WORST_FIRST if statuses[status]},
        by_outcome=_ordered(outcomes),
        reboots=sum(one.reboots for one in sessions),
        reboots_owed=sum(any(one.reboot_owed for one in computer.sessions) for computer in computers),
    )


_WORST_FIRST = tuple(Status(one) for one in words.STATUSES)


def _counts(outcomes: Iterable[str]) -> dict[str, int]:
    return _ordered(Counter(outcomes))


def _ordered(counted: Counter[str]) -> dict[str, int]:
    """Known outcomes in their order, then any that a newer history has."""
    known = {name: counted[name] for name in _OUTCOME_ORDER if counted[name]}
    return {str(name): number for name, number in {**known, **counted}.items()}


def _not_compliant(sessions: Sequence[SessionPart]) -> tuple[Cause, ...]:
    """What audits found not to be so, by item, with the first one's sentence."""
    computers: dict[str, dict[str, ActionPart]] = defaultdict(dict)
    for one in sessions:
        for action in one.actions:
            if action.outcome == Outcome.NOT_COMPLIANT:
                computers[action.id].setdefault(one.computer, action)
    found = []
    for item, by_name in computers.items():
        first = next(iter(by_name.values()))
        found.append(Cause(item, Outcome.NOT_COMPLIANT.value, first.text, first.message or first.why, tuple(by_name)))
    return tuple(sorted(found, key=lambda cause: (-len(cause.computers), cause.item)))


def _causes(sessions: Sequence[SessionPart]) -> tuple[Cause, ...]:
    """What went wrong on more than one computer: by item and reason, or by the session's own reason."""
    computers: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    examples: dict[tuple[str, str, str], str] = {}
    for one in sessions:
        bad = [action for action in one.bad_actions if action.outcome_reason != OutcomeReason.DEPENDENCY]
        keys = [((action.item, action.outcome or "", action.text), action.message) for action in bad]
        contact = words.contact_sentence(one.reason)
        own = ("", one.status.value, contact or one.text), one.reason if contact else ""
        for key, example in keys or [own]:
            computers[key][one.computer] = None
            examples.setdefault(key, example)
    shared = [
        Cause(item, outcome, text, examples[item, outcome, text], tuple(names))
        for (item, outcome, text), names in computers.items()
        if len(names) > 1
    ]
    return tuple(sorted(shared, key=lambda cause: (-len(cause.computers), cause.item, cause.outcome, cause.text)))
