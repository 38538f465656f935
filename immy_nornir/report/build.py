"""Rows of the history -> a Report; pure: no clock, no database, no formatting beyond sentences from `words`.

All text of a report comes through here: what is hidden in it becomes visible (`text.visible`), and for one tenant
whatever tells of others is left out (`narrow`).
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from immy_nornir.history.queries import ActionRow, JobRow, RunRow, SessionRow
from immy_nornir.history.tables.about import About, MachineRow
from immy_nornir.model.record.session import Outcome, Status
from immy_nornir.report import causes, words
from immy_nornir.report.model import (
    UNFINISHED,
    ActionPart,
    ComputerPart,
    JobPart,
    RebootPart,
    Report,
    RunPart,
    SessionPart,
    TenantPart,
    Totals,
)
from immy_nornir.report.narrow import narrow
from immy_nornir.text.visible import visible

Row = TypeVar("Row", RunRow, SessionRow, ActionRow, JobRow, MachineRow)

_NO_JOBS: Mapping[str, Sequence[JobRow]] = MappingProxyType({})
_NOTHING = About()

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
    about: About = _NOTHING,
) -> Report:
    """The report of a run: `jobs` by session id where their output is wanted, times in seconds since 1970.

    With `only_tenant` the sessions are that tenant's, and nothing of others or of the operator is in it. Tenants and
    computers are sorted by name as people sort them (pc2 before pc10); the order of `sessions` is free.
    """
    weak = sorted({one.computer for one in sessions if one.id in about.weak}, key=_natural)
    if only_tenant:
        run, sessions, jobs = narrow(run, sessions, jobs, about.others)
    titles = {item: readable(title) for item, title in about.titles.items()}
    found = sorted((_session(one, jobs.get(one.id, ()), titles) for one in sessions), key=_place)
    parts = [dataclasses.replace(one, anchor=str(number)) for number, one in enumerate(found, 1)]
    by_tenant: dict[str, list[SessionPart]] = defaultdict(list)
    for part in parts:
        by_tenant[part.tenant].append(part)
    tenants = tuple(_tenant(name, its, about.machines) for name, its in by_tenant.items())
    attention = tuple(sorted((one for one in parts if one.status in ATTENTION), key=lambda one: _WORST[one.status]))
    shared = causes.shared(attention)
    return Report(
        run=_run(shown(run)),
        generated_at=generated_at,
        totals=_totals([computer for tenant in tenants for computer in tenant.computers]),
        tenants=tenants,
        attention=attention,
        unfinished=tuple(one for one in parts if one.status in OPEN),
        causes=shared,
        cards=causes.cards(attention, shared),
        not_compliant=causes.not_compliant(parts),
        owed=tuple(dict.fromkeys(one.computer for one in parts if one.reboot_owed)),
        only_tenant=readable(only_tenant),
        weak_secrets=tuple(map(readable, weak)),
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


def _session(row: SessionRow, jobs: Sequence[JobRow], titles: Mapping[str, str]) -> SessionPart:
    of_action: dict[str, list[JobPart]] = defaultdict(list)
    for job in jobs:
        of_action[job.action_id].append(_job(shown(job)))
    actions = tuple(
        _action(shown(one), tuple(of_action.get(one.id, ())), titles.get(one.item, "")) for one in row.actions
    )
    row = shown(row)
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
        reboot_list=tuple(RebootPart(readable(why), readable(outcome)) for why, outcome in row.reboot_reasons),
        end_reason=row.end_reason,
    )


def _action(row: ActionRow, jobs: tuple[JobPart, ...], title: str) -> ActionPart:
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
        title=title,
    )


def readable(text: str) -> str:
    """A stranger's text with lines that end with a newline, and escapes for everything hidden.

    Nothing is taken away: what a control character has kept apart must not come together (a secret, for one).
    """
    return visible(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True)


def shown(row: Row) -> Row:
    """The row with all its texts readable."""
    hidden: dict[str, Any] = {
        name: readable(value)
        for name in row.__dataclass_fields__
        if type(value := getattr(row, name)) is str and not value.isprintable()
    }
    return dataclasses.replace(row, **hidden) if hidden else row


def _job(row: JobRow) -> JobPart:
    return JobPart(
        row.job_id,
        row.attempt,
        row.step,
        row.state,
        row.exit_code,
        row.error,
        row.seconds,
        row.output,
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


def _tenant(name: str, sessions: Sequence[SessionPart], machines: Mapping[str, MachineRow]) -> TenantPart:
    by_computer: dict[str, list[SessionPart]] = defaultdict(list)
    for one in sessions:
        by_computer[one.computer].append(one)
    computers = tuple(_computer(computer, found, machines) for computer, found in by_computer.items())
    return TenantPart(name, _totals(computers), computers, words.tenant_title(name))


def _computer(name: str, sessions: Sequence[SessionPart], machines: Mapping[str, MachineRow]) -> ComputerPart:
    machine = shown(machines.get(name, _NO_MACHINE))
    worst = min((one.status for one in sessions), key=_WORST.__getitem__)
    about = (machine.system, machine.serial, machine.seen_at, machine.primary_user)
    return ComputerPart(name, worst, tuple(sessions), *about)


_NO_MACHINE = MachineRow()


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
