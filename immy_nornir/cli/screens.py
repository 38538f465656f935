"""Sessions and runs of the history as lines and tables for people: one word for one fact, local times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from immy_nornir.cli import table
from immy_nornir.cli.times import Zone, clock
from immy_nornir.model.record.status import STATUSES, Status

if TYPE_CHECKING:
    from immy_nornir.decide.runs.run_state import RunState
    from immy_nornir.decide.steps.state import State
    from immy_nornir.history.queries import JobRow, RunRow, SessionRow
    from immy_nornir.model.control.orders import Order
    from immy_nornir.model.facts import Finding
    from immy_nornir.model.items import Item
    from immy_nornir.model.record.entries import Stamped
    from immy_nornir.model.record.session import SessionSpec

_LAST_LINES = 10
"""Of a job's output so many are shown."""


def show_sessions(rows: Sequence[SessionRow], now: float) -> None:
    """Sessions as a table, in the operator's local time."""
    from immy_nornir.model.record.words import waits

    zone = Zone(row.started_at or row.created_at for row in rows)
    heads = ("SESSION", f"STARTED ({zone.offset})", "TOOK", "COMPUTER", "TENANT", "TYPE", "STATUS", "REASON")
    cells = [
        (
            row.id,
            zone.when(row.started_at or row.created_at),
            "" if row.started_at is None else clock((row.ended_at or now) - row.started_at),
            row.computer,
            row.tenant,
            row.type,
            STATUSES[row.status],
            waits(_waits(row)) if row.status is Status.WAITING else row.reason,
        )
        for row in rows
    ]
    table.show(heads, cells)


def _waits(row: SessionRow) -> str:
    """What a session waits for, without the word of its kind."""
    kind, sign, about = row.waiting.partition(": ")
    return about if sign and kind.isalpha() else row.waiting


def of_session(
    row: SessionRow, jobs: Sequence[JobRow], orders: Sequence[Order] = (), repeats: tuple[str, str] = ("", "")
) -> Iterator[str]:
    """One session with its actions and jobs."""
    from immy_nornir.model.playbooks import ActionType
    from immy_nornir.model.record.session import Outcome, OutcomeReason
    from immy_nornir.model.record.words import STATES, said, waits

    zone = Zone((row.created_at, row.started_at, row.ended_at))
    yield f"session {row.id} of {row.computer} ({row.tenant}), {row.type}, play '{row.play}'"
    if repeats[0]:
        yield f"  a rerun of session {repeats[0]}" + (f": {repeats[1]}" if repeats[1] else "")
    why = waits(_waits(row)) if row.status is Status.WAITING else row.reason
    yield f"  {STATUSES[row.status]}: {why}" if why else f"  {STATUSES[row.status]}"
    times = [f"{what} {zone.when(at)}" for what, at in (("created", row.created_at), ("started", row.started_at)) if at]
    times.append(f"ended {zone.when(row.ended_at)}" if row.ended_at else "not ended")
    if row.started_at and row.ended_at:
        times.append(f"took {clock(row.ended_at - row.started_at)}")
    yield f"  {', '.join(times)} ({zone.offset}); stage {row.stage}"
    for label, phases in (("planned", row.planned_phases), ("actual", row.phases)):
        if len(phases) > 1:
            yield (f"  phases, {label}: " + " | reboot | ".join(", ".join(one) or "nothing" for one in phases))
    for number, (why, outcome) in enumerate(row.reboot_reasons, 1):
        yield f"  reboot {number}: {why}: {outcome or 'under way'}"
    for order in orders:
        why = f": {order.reason}" if order.reason else ""
        answer = f": {order.answer}" if order.answer else ""
        yield f"  order {order.id}: {order.kind}, {order.state}, {zone.when(order.at)} by {order.by}{why}{answer}"
    for action in row.actions:
        end = STATES.get(action.status, action.status)
        if action.outcome:
            end = f"{said(action.outcome, Outcome)} ({said(action.outcome_reason or '', OutcomeReason)})"
        yield f"  {action.id}: {said(action.type, ActionType)}: {end}"
        if action.type == ActionType.RUN:
            yield f"      {action.why}" + (f"; {action.message}" if action.message else "")
            continue
        after = f", afterwards {action.after}" if action.after and action.attempts else ""
        about = f"found {action.found or 'nothing'}, wanted {action.desired or 'by another item'}{after}"
        yield (
            f"      {about}; {action.why}"
            + (f"; {action.message}" if action.message and action.message != action.why else "")
        )
    for job in jobs:
        code = "" if job.exit_code is None else f", exit code {job.exit_code}"
        yield f"  job {job.job_id}: {job.state}{code}{f', {job.error}' if job.error else ''}"
        lines = job.output.splitlines()
        for line in (["[...]"] if len(lines) > _LAST_LINES else []) + lines[-_LAST_LINES:]:
            yield f"      | {line}"


def commands_of(spec: SessionSpec, items: Mapping[str, Item], entries: Sequence[Stamped]) -> Iterator[str]:
    """What a session ran on its computer, where and as whom, as it can be tried by hand; without secrets."""
    from immy_nornir.decide.plan.by_hand import by_hand
    from immy_nornir.decide.plan.commands import command_step
    from immy_nornir.decide.plan.job_steps import steps_of
    from immy_nornir.decide.steps.state import State, fold
    from immy_nornir.model.items import Context
    from immy_nornir.model.record.entries import Detected, JobIntended, RebootIntended, Verified
    from immy_nornir.model.record.words import word

    state, zone = State(spec, items), Zone(one.at for one in entries)
    yield f"# session {spec.id} on {spec.computer}; times are {zone.offset}"
    for stamped in entries:
        state = fold(state, stamped)
        when = zone.when(stamped.at)
        match stamped.entry:
            case Detected(findings):
                yield f"\n# {when}: detection, as the user of the connection; it changes nothing"
                yield from _detected(state, items, findings)
            case Verified():
                yield f"\n# {when}: everything was detected again, in the same way"
            case RebootIntended(number, why):
                yield f"\n# {zone.when(stamped.at)}: reboot {number}: {why}"
            case JobIntended(_, actions, attempt, step):
                plan = state.actions[actions[0]].plan
                who = "a user who is logged on" if plan.context is Context.USER else "the system account"
                yield f"\n# {zone.when(stamped.at)}: {plan.id}: {word(plan.type)}, attempt {attempt}, as {who}"
                item = items.get(plan.definition)
                steps = () if item is None else steps_of(plan, item, state.findings.get(plan.id))
                if spec.by_hand is not None and state.identity is not None:
                    steps = (command_step(spec.by_hand, state.identity.platform),)
                yield from by_hand(steps[step]) if step < len(steps) else ["# its definition is not known any more"]


def _detected(state: State, items: Mapping[str, Item], findings: Sequence[Finding]) -> Iterator[str]:
    from immy_nornir.decide.detect.by_hand import looked_at
    from immy_nornir.decide.detect.detection import detection_of
    from immy_nornir.model.items import Platform

    seen = {(one.item, one.instance) for one in findings}
    looked = [one for one in state.desires if (one.item, one.instance) in seen]
    platform = Platform.WINDOWS if state.identity is None else state.identity.platform
    for operation in detection_of(looked, items).operations:
        yield f"# {operation.id}"
        yield from looked_at(operation, platform)


# --- runs -----------------------------------------------------------------------------------------------------


def show_runs(rows: Sequence[RunRow], counts: Mapping[str, Mapping[Status, int]], now: float) -> None:
    """Runs as a table, in the operator's local time."""
    from immy_nornir.model.record.words import RUNS

    zone = Zone(row.started_at for row in rows)
    heads = ("RUN", f"STARTED ({zone.offset})", "TOOK", "STATUS", "BY", "COMPUTERS", "COMMAND")
    cells = [
        (
            row.id,
            zone.when(row.started_at),
            _took(row, now),
            RUNS.get(row.status, row.status),
            f"{row.user}@{row.machine}",
            _counted(counts.get(row.id, {})),
            row.command,
        )
        for row in rows
    ]
    table.show(heads, cells)


def _took(row: RunRow, now: float) -> str:
    if row.ended_at is None and row.status != "running":
        return ""
    return clock((row.ended_at or now) - row.started_at)


def _counted(counts: Mapping[Status, int]) -> str:
    return ", ".join(f"{counts[one]:,} {STATUSES[one]}" for one in STATUSES if counts.get(one)) or "none"


def of_run(
    row: RunRow, state: RunState | None, counts: Mapping[Status, int], bad: Sequence[SessionRow], now: float
) -> Iterator[str]:
    """One run: who began it, how far it is, and the sessions that did not pass."""
    from immy_nornir.model.record.words import RUNS, waits
    from immy_nornir.report.words import count

    zone = Zone((row.started_at, row.ended_at))
    yield f"run {row.id}: {row.command}"
    ended = f"ended {zone.when(row.ended_at)}" if row.ended_at else "not ended"
    took = f", took {_took(row, now)}" if row.ended_at else ""
    yield f"  {RUNS.get(row.status, row.status)}{f': {row.note}' if row.note else ''}"
    yield f"  started {zone.when(row.started_at)} by {row.user}@{row.machine}, {ended}{took} ({zone.offset})"
    yield f"  fleet {row.fleet}" + (f", commit {row.commit}" if row.commit else "")
    if state is not None:
        if state.spec.rerun_of:
            yield f"  a rerun of run {state.spec.rerun_of}" + (f": {state.spec.reason}" if state.spec.reason else "")
        for number, play in enumerate(state.spec.plays):
            yield f"  play '{play.name}': {_waves(state, number)}"
    yield f"  {count(sum(counts.values()), 'session')}: {_counted(counts)}"
    for one in bad:
        why = waits(_waits(one)) if one.status is Status.WAITING else one.reason
        yield f"  {one.computer}: {STATUSES[one.status]}{f': {why}' if why else ''}"


def _waves(state: RunState, play: int) -> str:
    from immy_nornir.report.words import count

    waves = state.spec.plays[play].waves
    began, ended = state.began.get(play, 0), state.ended.get(play, 0)
    sessions = count(sum(map(len, waves)), "session")
    how = f"{began} of {count(len(waves), 'wave')} begun, {ended} ended, {sessions}"
    halted = state.why_halted(play)
    return f"{how}; halted: {halted}" if halted else how
