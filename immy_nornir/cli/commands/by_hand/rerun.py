"""`immy sessions rerun`: ended sessions again, with their own arguments and the files of today."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, startup, streams
from immy_nornir.cli.door import say
from immy_nornir.cli.live.tellings import told
from immy_nornir.errors import UsageError
from immy_nornir.model.record.status import Status
from immy_nornir.text.plain import and_more

if TYPE_CHECKING:
    from immy_nornir.history.queries import Reader, SessionRow
    from immy_nornir.model.playbooks import Fleet
    from immy_nornir.model.record.run import RunSpec
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.taking.again import Again

_TOLD = 5
_CODES = (3, 130, 1, 6, 5, 4, 2, 0)
"""Of several runs the first of these."""


@click.command()
@click.argument("names", nargs=-1, metavar="[SESSION|COMPUTER]...", shell_complete=completing.sessions)
@click.option(
    "--run",
    "run_id",
    metavar="RUN",
    shell_complete=completing.runs,
    help="All sessions of this run; `last`: the newest.",
)
@click.option("--tenant", shell_complete=completing.tenants, help="Of those, only this tenant's.")
@click.option("--failed", is_flag=True, help="Only what failed, was held up by that, or is not as it should be.")
@click.option(
    "--action", "item", metavar="ITEM", shell_complete=completing.items, help="Only this item, with its prerequisites."
)
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the record.")
@options.sources
@options.vault
@options.workers
@click.option("--max-changes", type=click.IntRange(0), help="As of immy run; else that of the old run.")
@click.option("--max-reboots", type=click.IntRange(0), help="As of immy run; else that of the old run.")
@click.option("--wait", is_flag=True, help="Stay until deferred sessions have ended.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask when everything is planned; brakes hold.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the summary, and what has to be asked.")
@click.option("-v", "--verbose", is_flag=True, help="A line for every entry.")
@options.form
@click.pass_context
def rerun(ctx: click.Context, /, names: tuple[str, ...], run_id: str | None, **given: Any) -> None:
    """Do ended sessions again, with their own arguments and the files of today.

    SESSION is an id, its beginning, or a computer's name for its newest session. Maintenance type, items, options and
    variables are those of the command that began the old session; a new run with new sessions is made of them. The
    playbook may have changed since; what it says now counts.
    """
    if bool(names) == bool(run_id):
        raise UsageError(
            "name sessions, or a run with --run", "immy sessions rerun PC1, or immy sessions rerun --run last"
        )
    if given["quiet"] and given["verbose"]:
        raise UsageError("-q and -v contradict each other", "give one of them")
    root = startup.root_of(ctx)
    fleet, _ = startup.load(root, given["sources"])
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, {}, given["sources"])
    try:
        with engine.history.read() as reader:
            rows = _meant(reader, names, run_id, given["tenant"])
        _refuse(engine, fleet, rows)
        again = _by_runs(engine, rows, failed=given["failed"], item=given["item"])
        with told(engine, root, whole=not given["sources"]):
            codes = [_again(engine, root, old, wanted, given) for old, wanted in again.items() if not engine.stop.level]
    finally:
        startup.close(engine)
    if engine.stop.level:
        startup.ignore_interrupts()
    ctx.exit(next(code for code in _CODES if code in codes))


def _meant(reader: Reader, names: Sequence[str], run_id: str | None, tenant: str | None) -> list[SessionRow]:
    """The sessions that are meant, oldest first; of those that another took the place of, only that other."""
    from immy_nornir.cli.approving.choice import find
    from immy_nornir.cli.commands.report import run_named
    from immy_nornir.history.queries import Asked

    if run_id is None:
        found = {row.id: row for row in (find(reader, name) for name in names)}
        rows = sorted(found.values(), key=lambda row: row.created_at)
    else:
        run = run_named(reader, None if run_id == "last" else run_id)
        rows = [row for row in reversed(reader.sessions(Asked(run.id))) if row.status is not Status.SUPERSEDED]
    rows = [row for row in rows if tenant is None or row.tenant == tenant]
    if not rows:
        raise UsageError("no session is meant", "immy sessions list shows them")
    return rows


def _refuse(engine: Engine, fleet: Fleet, rows: Sequence[SessionRow]) -> None:
    """Raise UsageError for sessions that have not ended, and for computers that are gone."""
    from immy_nornir.model.record.status import TERMINAL

    going = [row for row in rows if row.status not in TERMINAL]
    if going:
        told = ", ".join(f"{row.id} of {row.computer} is {row.status}" for row in going[:_TOLD])
        more = and_more(len(going) - _TOLD)
        left = any(row.status is Status.INTERRUPTED for row in going)
        advice = (
            f"immy sessions resume {going[0].id}" if left else f"wait for its end: immy sessions log -f {going[0].id}"
        )
        raise UsageError(f"what has not ended cannot be done again: {told}{more}", advice)
    engine.names, unknown = startup.known_computers(fleet.inventory, {row.computer for row in rows})
    if unknown:
        raise UsageError(f"not in the inventory any more: {', '.join(unknown)}", "name the sessions of the others")


def _by_runs(engine: Engine, rows: Sequence[SessionRow], *, failed: bool, item: str | None) -> dict[str, list[Again]]:
    """What is to be done again, by the run that the old sessions are of.

    Raises: UsageError where nothing is, or no session had the item.
    """
    from immy_nornir.decide.runs.left_undone import left_undone
    from immy_nornir.session.taking.again import Again

    found: dict[str, list[Again]] = {}
    calm: list[str] = []
    for row in rows:
        state = engine.stored(row.id)
        if state is None:
            raise UsageError(f"the record of session {row.id} is damaged", "immy run does its work anew")
        only: tuple[str, ...] = ()
        if item is not None:
            only = _named(state, item)
        elif failed and row.status is Status.PASSED:
            calm.append(row.computer)
            continue
        elif failed and state.plan is not None and state.spec.by_hand is None:
            only = left_undone(state)
        found.setdefault(row.run_id, []).append(Again(state, only))
    if not found:
        raise UsageError(f"nothing failed on {', '.join(calm[:_TOLD])}{' and others' if calm[_TOLD:] else ''}")
    return found


def _named(state: Any, item: str) -> tuple[str, ...]:
    """The item of that name in a session. Raises: UsageError with what it had."""
    import difflib

    from immy_nornir.decide.runs.left_undone import asking_for

    had = {one.plan.item: one for one in state.actions.values()}
    known = next((name for name in had if item in (name, name.partition("/")[2])), None)
    where = f"session {state.spec.id} of {state.spec.computer}"
    if known is None or state.spec.by_hand is not None:
        near = difflib.get_close_matches(item, [*had, *(name.partition("/")[2] for name in had)], 1)
        advice = f"did you mean '{near[0]}'?" if near else f"immy sessions show {state.spec.id} lists what it had"
        raise UsageError(f"{where} had no item '{item}'", advice)
    because = tuple(dict.fromkeys(asking_for(state, had[known])))
    if known not in because:
        raise UsageError(
            f"{known} was in {where} only for {', '.join(because)}", f"--action {because[0]} does both again"
        )
    return (known,)


def _again(engine: Engine, root: Path, old_run: str, wanted: Sequence[Again], given: Any) -> int:
    """One new run; its exit code."""
    from immy_nornir.cli.approving.approval import approve
    from immy_nornir.cli.commands.by_hand.exec import ask
    from immy_nornir.cli.commands.by_hand.held import code_of, end_held, held_now
    from immy_nornir.cli.commands.run import begin, refuse_frozen, reports_of, work_on
    from immy_nornir.cli.summary import exit_code, record_code, show_summary
    from immy_nornir.history.store import new_id
    from immy_nornir.model.record.run import Approved
    from immy_nornir.session.before.preview import preview
    from immy_nornir.session.taking.again import plays_again

    with engine.history.read() as reader:
        old = reader.run_spec(old_run)
    if old is None:
        raise UsageError(f"run {old_run} is from before runs were records: what it was asked is not known")
    run_id = new_id(engine.clock.now())
    if given["wait"] and all(one.state.spec.by_hand is not None for one in wanted):
        kept = {name: value for name, value in old.options.items() if name != "window_over"}
        old = dataclasses.replace(old, options=kept)
    plays = plays_again(engine, old, run_id, wanted)
    if not old.check and any(one.type.executes for one in plays):
        refuse_frozen(root, "remove the file first")
    specs = [spec for one in plays for spec in one.specs]
    held = held_now(engine, specs)
    approved = approve(preview(engine, specs), yes=given["yes"], quiet=given["quiet"])
    by_hand = specs[0].by_hand
    if by_hand is not None:
        free = [one for one in specs if one.computer not in held]
        approved = Approved(ask(free, by_hand, yes=given["yes"]), len(free))
    spec = _spec(run_id, root, old, given)
    run = begin(engine, spec, plays, approved, yes=given["yes"], quiet=given["quiet"])
    lives = list(run.sessions.values())
    end_held(lives, held)
    if not given["quiet"]:
        say(f"run {run_id} repeats {len(specs)} of run {old_run}", err=True)
    work_on(engine, run, quiet=given["quiet"], verbose=given["verbose"])
    reports = reports_of(engine, run, wanted=by_hand is None)
    with streams.outlived():
        show_summary(engine, run_id, lives, reports, given["form"], planned=old.check, verbose=given["verbose"])
    code = exit_code(lives, old.check)
    return record_code(engine, code if by_hand is None else code_of(code, lives))


def _spec(run_id: str, root: Path, old: RunSpec, given: Any) -> RunSpec:
    """A run with the arguments of an old one."""
    from immy_nornir.cli.extra_vars import without_values
    from immy_nornir.model.record.run import Brakes, Pace, RunSpec

    user, machine = startup.who()
    given_brakes = [given[name] for name in ("max_changes", "max_reboots")]
    brakes = [mine if mine is not None else theirs for mine, theirs in zip(given_brakes, _figures(old), strict=True)]
    return RunSpec(
        run_id,
        shlex.join(["immy", *without_values(sys.argv[1:])]),
        old.playbook,
        str(root),
        startup.commit_of(root),
        user,
        machine,
        options=old.options,
        items=old.items,
        vars=old.vars,
        check=old.check,
        pace=Pace(given["workers"], old.pace.per_tenant, wait=given["wait"]),
        brakes=Brakes(*brakes),
        rerun_of=old.id,
        reason=given["reason"],
    )


def _figures(old: Any) -> tuple[int | None, int | None]:
    return old.brakes.max_changes, old.brakes.max_reboots
