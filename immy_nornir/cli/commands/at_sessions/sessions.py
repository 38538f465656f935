"""`immy sessions`: the record, readable while runs go on; taking up what was interrupted; orders (commands.orders)."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, screens, startup, streams
from immy_nornir.cli.approving.choice import Chosen, check_names, find
from immy_nornir.cli.approving.orders import Wish, lift
from immy_nornir.cli.commands.at_sessions import orders
from immy_nornir.cli.commands.at_sessions.onboard import onboard
from immy_nornir.cli.commands.at_sessions.stuck import stuck
from immy_nornir.cli.commands.by_hand.rerun import rerun
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.live.tellings import told
from immy_nornir.cli.times import Zone
from immy_nornir.errors import UsageError
from immy_nornir.model.control.orders import How, OrderKind
from immy_nornir.model.record.status import Status
from immy_nornir.text import json
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from immy_nornir.decide.agenda import Deferred
    from immy_nornir.history.queries import Reader, SessionRow
    from immy_nornir.model.playbooks import Fleet
    from immy_nornir.model.record.run import Pace
    from immy_nornir.session.approving.approvals import Account
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.runs import LiveRun

SCHEMA_VERSION = 1


@click.group()
def sessions() -> None:
    """Look at maintenance sessions, give them orders, and take up interrupted ones."""


for _command in (orders.cancel, orders.pause, orders.reboot):
    sessions.add_command(_command)


sessions.add_command(stuck)
sessions.add_command(onboard)
sessions.add_command(rerun)


def _reader(ctx: click.Context) -> Reader:
    from immy_nornir.history.queries import FILE, Reader

    return Reader(startup.state_of(ctx, startup.root_of(ctx)) / FILE)


@sessions.command("list")
@click.argument("computer", required=False, shell_complete=completing.computers)
@click.option(
    "--run",
    "run_id",
    metavar="RUN",
    shell_complete=completing.runs,
    help="Only sessions of this run; `last` is the newest.",
)
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice([one.value for one in Status]), help="Only these statuses."
)
@click.option("--tenant", shell_complete=completing.tenants, help="Only this tenant.")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@options.form
@click.pass_context
def list_(
    ctx: click.Context,
    computer: str | None,
    run_id: str | None,
    statuses: tuple[str, ...],
    tenant: str | None,
    limit: int,
    form: str,
) -> None:
    """List sessions, newest first."""
    from immy_nornir.history.queries import Asked

    with _reader(ctx) as reader:
        if run_id == "last":
            newest = reader.runs(1)
            run_id = newest[0].id if newest else None
        rows = reader.sessions(Asked(run_id, computer, tenant, statuses, limit))
        if not rows:
            check_names(reader, run=run_id, computer=computer, tenant=tenant)
    if form == "json":
        say_json(json.indented({"schema_version": SCHEMA_VERSION, "sessions": [_plain(row) for row in rows]}))
        return
    if rows:
        screens.show_sessions(rows, time.time())
    else:
        say("no sessions", err=True)


@sessions.command()
@click.argument("session", shell_complete=completing.sessions)
@click.option("--commands", is_flag=True, help="What ran, where and as whom, to be tried by hand; without secrets.")
@options.form
@click.pass_context
def show(ctx: click.Context, session: str, form: str, *, commands: bool) -> None:
    """Show one session: what was found, planned, done and why.

    SESSION is an id, its beginning, or a computer's name.
    """
    with _reader(ctx) as reader:
        row = find(reader, session)
        jobs = reader.jobs(row.id)
        repeats = reader.rerun_of(row.id)
        ordered = reader.orders("WHERE o.session_id=?", row.id)
        record = reader.record(row.id) if commands else None
    if record is not None:
        for line in screens.commands_of(*record):
            say(line)
        return
    if form == "json":
        document = {
            "schema_version": SCHEMA_VERSION,
            "session": _plain(row),
            "jobs": [dataclasses.asdict(one) for one in jobs],
            "rerun_of": repeats[0] or None,
            "reason": repeats[1],
            "orders": [dataclasses.asdict(one) for one in ordered],
        }
        say_json(json.indented(document))
        return
    for line in screens.of_session(row, jobs, ordered, repeats):
        say(line)


@sessions.command()
@click.argument("session", shell_complete=completing.sessions)
@click.option("-f", "--follow", is_flag=True, help="Stay and show what comes, until the session ends.")
@options.form
@click.pass_context
def log(ctx: click.Context, session: str, follow: bool, form: str) -> None:
    """Show a session's log, entry by entry."""
    with _reader(ctx) as reader:
        row = find(reader, session)
        seen = 0
        zone: Zone | None = None
        while True:
            entries = reader.log(row.id, seen)
            for entry in entries:
                seen = entry.seq
                if form == "json":
                    say_json(json.line({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(entry)}))
                else:
                    if zone is None:
                        zone = Zone((entry.at, time.time()))
                        say(f"times are {zone.offset}")
                    say(f"{zone.when(entry.at)}  {entry.text}")
            if not follow or (
                not entries and find(reader, row.id).status not in (Status.RUNNING, Status.WAITING, Status.CREATED)
            ):
                return
            time.sleep(0.5)


@sessions.command()
@options.choosing
@click.option(
    "--due", is_flag=True, help="Deferred sessions too: those that wait for a window or for a computer that was off."
)
@options.sources
@options.vault
@options.workers
@click.option("--reason", default="", metavar="TEXT", help="Why what is paused goes on; it stands in the record.")
@click.option("--wait", is_flag=True, help="Stay until deferred sessions have ended.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask about what was not approved before; brakes hold.")
@options.form
@click.pass_context
def resume(
    ctx: click.Context,
    /,
    due: bool,
    sources: tuple[Path, ...],
    workers: int,
    wait: bool,
    yes: bool,
    form: str,
    reason: str,
    **chosen: Any,
) -> None:
    """Take up interrupted sessions where they stopped, and let paused ones go on, if they are named or chosen.

    Jobs are asked for first, nothing runs twice. A run that was left goes on with its waves, and under its brakes. A
    SESSION that is named goes on at once; one that a process is at is ordered to go on.
    """
    from immy_nornir.cli.commands.run import refuse_frozen
    from immy_nornir.cli.summary import end_left_runs
    from immy_nornir.model.record.run import Pace
    from immy_nornir.session.taking.taking_up import left_runs

    root = startup.root_of(ctx)
    meant = Chosen(chosen["names"], chosen["run_id"], chosen["tenant"], chosen["everything"])
    wish = Wish(OrderKind.RESUME, How(), reason, yes, options.ORDER_SECONDS, form, sources)
    lifted, left = lift(startup.state_of(ctx, root), meant, wish)
    if left is not None and not left:
        ctx.exit(lifted)
    ids = tuple(left or ())
    refuse_frozen(root, "remove the file first")
    fleet, _ = startup.load(root, sources)
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, {}, sources)
    try:
        engine.history.mend()
        end_left_runs(engine)
        ready, early = ((), False) if ids or not due else _due(engine, wait=wait)
        rows = _left(engine, fleet, ids, ready)
        runs, alone = left_runs(engine, rows, in_waves=not meant.names)
        damaged = startup.tell_damage(engine)
        runs, alone, accounts, held = _approved(engine, runs, alone, yes=yes)
        if runs or alone:
            with told(engine, root, whole=not sources):
                code = _resume(engine, runs, alone, Pace(workers, wait=wait), form, accounts)
            code = 1 if (held or damaged) and code != 130 else 5 if early and code in (0, 4) else code
        else:
            code = 1 if damaged else 5 if early else 0
            say("no session is due" if early else "no session is interrupted", err=True)
            if form == "json":
                say_json(json.line({"schema_version": SCHEMA_VERSION, "sessions": []}))
    finally:
        startup.close(engine)
    if engine.stop.level:
        startup.ignore_interrupts()
    ctx.exit(code or lifted)


def _approved(
    engine: Engine, runs: Sequence[LiveRun], alone: Sequence[LiveSession], *, yes: bool
) -> tuple[list[LiveRun], list[LiveSession], list[Account], bool]:
    """What may go on, with its accounts, and whether anything may not, which is told.

    Raises: UsageError where nothing may.
    """
    from immy_nornir.cli.approving.approval import approve_alone, approve_rest, approver_of, one_each
    from immy_nornir.model.record.run import Brakes
    from immy_nornir.session.approving.beforehand import account_of

    engine.approver = approver_of(yes=yes, brakes=Brakes())
    held: list[UsageError] = []
    going: list[LiveRun] = []
    for run in runs:
        try:
            approve_rest(engine, run, yes=yes)
            going.append(run)
        except UsageError as error:
            held.append(error)
    accounts: list[Account] = []
    try:
        accounts = approve_alone(engine, alone, yes=yes)
    except UsageError as error:
        held.append(error)
        alone = ()
    accounts = one_each([*(account_of(run) for run in going), *accounts])
    if held and not (going or alone):
        raise held[0]
    for why in held:
        say(f"immy: {why}; it is left as it is", err=True)
    return going, list(alone), accounts, bool(held)


def _left(engine: Engine, fleet: Fleet, ids: Sequence[str], ready: Collection[str]) -> list[SessionRow]:
    """The sessions that are meant; those of computers that the inventory has no more are told and left."""
    from immy_nornir.history.queries import OPEN, Asked
    from immy_nornir.model.record.session import WaitKind
    from immy_nornir.model.record.words import process_of

    with engine.history.read() as reader:
        if ids:
            rows = [find(reader, one) for one in ids]
            for row in rows:
                if row.status in OPEN and row.owner:
                    raise UsageError(
                        f"session {row.id} of {row.computer} is {row.status}: {process_of(row.owner)} is at it",
                        "wait for its end, or stop that process",
                    )
        else:
            rows = reader.sessions(Asked(statuses=[Status.INTERRUPTED]))
            rows += reader.sessions_of(sorted(ready))
            if not ready and startup.is_terminal():  # somebody is there who can be asked
                asking = reader.sessions(Asked(statuses=[Status.WAITING]))
                rows += [row for row in asking if not row.owner and row.waiting.startswith(f"{WaitKind.APPROVAL}:")]
    engine.names, unknown = startup.known_computers(fleet.inventory, {row.computer for row in rows})
    if unknown:
        say(f"not in the inventory any more, left as they are: {', '.join(unknown)}", err=True)
    return [row for row in rows if row.computer not in unknown]


def _waiting(engine: Engine) -> list[Deferred]:
    """The deferred sessions that nobody is at."""
    return [one.deferred for one in engine.history.agenda(engine.clock.now()).left if one.deferred.kind]


def _due(engine: Engine, *, wait: bool) -> tuple[Collection[str], bool]:
    """The deferred sessions that go on now, one turn of the agenda, and whether any are left for their time."""
    from immy_nornir.decide.agenda import due_now

    waiting, now = _waiting(engine), engine.clock.now()
    # Whoever stays goes on with all of them: each when its time comes.
    ready = {one.id for one in waiting} if wait else due_now(waiting, now)
    return ready, _tell_early(waiting, ready, now)


def _tell_early(waiting: Sequence[Deferred], ready: Collection[str], now: float) -> bool:
    """Say how many wait for a time that has not come, and when the first one does; whether any do."""
    early = [one.due_at for one in waiting if one.id not in ready and one.due_at > now]
    if early:
        zone = Zone([min(early)])
        told = f"{counted(len(early), 'session')} left for a time that has not come yet"
        say(f"{told}, the next at {zone.when(min(early))} ({zone.offset})", err=True)
    return bool(early)


def _resume(
    engine: Engine,
    runs: Sequence[LiveRun],
    alone: Sequence[LiveSession],
    pace: Pace,
    form: str,
    accounts: Sequence[Account],
) -> int:
    from immy_nornir.cli.approving.answers import Asker
    from immy_nornir.cli.commands.run import watched
    from immy_nornir.cli.summary import RESUMED, end_runs, exit_code, record_code, show_summary
    from immy_nornir.plugins import batches
    from immy_nornir.session.approving.approvals import Approvals

    lives = [*alone, *(live for run in runs for live in run.sessions.values())]
    with watched(engine, len(lives), runs) as progress:
        asker = Asker(engine.stop, progress.paused, lambda: engine.orders.look(engine.history, engine.clock))
        batches.resume(engine, runs, alone, pace, Approvals(engine, accounts, asker))
    for run in runs:
        if run.unwritten:
            say(f"immy: the end of run {run.state.spec.id} was not written down: {run.unwritten}", err=True)
    reports = end_runs(engine, [live.spec.run_id for live in lives])
    with streams.outlived():
        show_summary(engine, RESUMED, lives, reports, form)
    return record_code(engine, exit_code(lives, False))


def _plain(row: SessionRow) -> dict[str, Any]:
    return dataclasses.asdict(row)
