"""`immy run`: plays on computers, with live progress, a summary, a report and an exit code."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, startup, streams
from immy_nornir.cli.approving.answers import Asker
from immy_nornir.cli.approving.approval import approve, approver_of
from immy_nornir.cli.door import say
from immy_nornir.cli.extra_vars import given_variables, without_values
from immy_nornir.cli.live.tellings import told
from immy_nornir.cli.summary import end_left_runs, end_runs, exit_code, record_code, show_summary, write_report
from immy_nornir.errors import HistoryError, UsageError
from immy_nornir.model.places import Place
from immy_nornir.model.playbooks import Offline, OnFailure, Play, UserContext
from immy_nornir.model.record.run import Brakes, Pace

if TYPE_CHECKING:
    from immy_nornir.cli.live.progress import Lines, Live
    from immy_nornir.model.record.run import Approved, RunSpec
    from immy_nornir.session.before.specs import Asking
    from immy_nornir.session.engine import Engine, Listener
    from immy_nornir.session.runs import LiveRun, PlayRun


@dataclass(frozen=True, slots=True)
class _Wishes:
    """The command line of a run."""

    sources: tuple[Path, ...]
    limit: str | None
    yes: bool
    form: str
    tags: tuple[str, ...]
    command: str
    report: bool
    brakes: Brakes
    verbose: bool = False
    quiet: bool = False


def _choices(kind: type) -> click.Choice[str]:
    return click.Choice([one.value for one in kind])  # type: ignore[attr-defined]  # called with enumerations


@click.command()
@click.argument("playbook", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--on",
    "pattern",
    metavar="PATTERN",
    shell_complete=completing.patterns,
    help="Computers; instead of those of the playbook's plays, or without a playbook.",
)
@click.option(
    "--type",
    "kind",
    metavar="TYPE",
    shell_complete=completing.types,
    help="Maintenance type: full, resolution, detection, inventory, or the fleet's own.",
)
@click.option(
    "--item",
    "items",
    multiple=True,
    metavar="ITEM",
    shell_complete=completing.items,
    help="Only this item, with its prerequisites; a glob is allowed.",
)
@options.sources
@options.vault
@click.option("--limit", metavar="PATTERN", shell_complete=completing.patterns, help="Only these of the computers.")
@click.option("--tags", multiple=True, metavar="TAG", help="Only plays with one of these tags.")
@click.option(
    "--reboot", type=click.Choice(["skip", "automatic", "prompt", "force"]), help="What to do about needed reboots."
)
@click.option(
    "--window", metavar="WHEN", help="now, after_hours, HH:MM (for a night), 'sat 22:00-06:00', or an ISO time."
)
@click.option("--offline", type=_choices(Offline), help="What to do about computers that are off.")
@click.option("--user-context", type=_choices(UserContext), help="As whom user actions run.")
@click.option(
    "--on-failure", type=_choices(OnFailure), help="After a failed action: go on with what does not need it, or stop."
)
@click.option("-o", "--option", "more", multiple=True, metavar="NAME=VALUE", help="Any other option of a session.")
@options.extra
@click.option("--check", is_flag=True, help="Stop after the plan; exit code 4 when changes are pending.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the summary, and what has to be asked.")
@click.option(
    "-v", "--verbose", is_flag=True, help="A line for every entry, and in the summary each computer with what it did."
)
@click.option("--wait", is_flag=True, help="Stay until deferred sessions (window, computer off) have ended.")
@options.workers
@click.option("--per-tenant", type=click.IntRange(0), default=0, help="At most so many of one tenant at the same time.")
@click.option(
    "--splay", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Spread the starts over so long."
)
@click.option("--max-changes", type=click.IntRange(0), help="Nothing begins that would make more actions than this.")
@click.option(
    "--max-reboots", type=click.IntRange(0), help="Nothing begins that might reboot more computers than this."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask when everything is planned; brakes hold.")
@click.option("--report/--no-report", default=True, help="Write an HTML report into the state folder.")
@options.form
@click.pass_context
def run(ctx: click.Context, /, playbook: Path | None, pattern: str | None, kind: str | None, **given: Any) -> None:
    """Run a playbook, or one maintenance type on a pattern.

    PLAYBOOK is a file such as playbooks/full.yml; without one, --on names the computers; with one, --on PATTERN takes
    the place of its plays' hosts. Every computer ends with a status and a reason. Ctrl-C once: nothing new starts;
    twice: connections are closed; three times: out at once.
    """
    from immy_nornir.session.before.specs import Asking

    if given["quiet"] and given["verbose"]:
        raise UsageError("-q and -v contradict each other", "give one of them")
    if playbook is None and pattern is None:
        raise UsageError("name a playbook, or computers with --on PATTERN", "immy run playbooks/full.yml")
    root = startup.root_of(ctx, playbook)
    fleet, book = startup.load(root, given["sources"], playbook, warn=not given["quiet"])
    if book is not None:
        plays = [one for one in book.plays if not given["tags"] or set(one.tags) & set(given["tags"])]
        if kind is not None:
            raise UsageError("--type goes with --on alone; a playbook's plays have their own maintenance type")
        if pattern is not None:
            plays = [dataclasses.replace(one, hosts=pattern) for one in plays]
    else:
        plays = [Play(f"{kind or 'full'} on {pattern}", pattern or "", Place("command line"), kind or "full")]
    wanted = {
        name: given[name] for name in ("reboot", "window", "offline", "user_context", "on_failure") if given[name]
    }
    wanted |= startup.pairs(given["more"])
    asking = Asking(
        wanted, tuple(given["items"]), given_variables(given["extra"]), given["check"], bool(given.get("onboard"))
    )
    wishes = _Wishes(
        given["sources"],
        given["limit"],
        given["yes"],
        given["form"],
        given["tags"],
        shlex.join(["immy", *without_values(sys.argv[1:])]),
        given["report"],
        Brakes(given["max_changes"], given["max_reboots"]),
        given["verbose"],
        given["quiet"],
    )
    pace = Pace(given["workers"], given["per_tenant"], given["splay"], given["wait"])
    _check_items(fleet, asking.items)
    chosen = [_play_run(fleet, play, wishes) for play in plays]
    if not any(one.computers for one in chosen):
        raise UsageError("no computer is selected", "immy inventory list PATTERN shows what a pattern selects")
    implicit = {one.name: one for each in chosen for one in each.computers if one.name not in fleet.inventory.computers}
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, implicit, given["sources"])
    try:
        code = _run(engine, _begin(engine, root, playbook, chosen, asking, pace, wishes), wishes)
    finally:
        startup.close(engine)
    if engine.stop.level:
        startup.ignore_interrupts()
    ctx.exit(code)


def _check_items(fleet: Any, items: Sequence[str]) -> None:
    from immy_nornir.decide.resolve.winning_deployments import Asked

    known = list(fleet.library.items)
    for item in items:
        if not any(Asked((item,)).selects(one) for one in known):
            import difflib

            near = difflib.get_close_matches(item, [*known, *(one.partition("/")[2] for one in known)], 1)
            raise UsageError(
                f"there is no item '{item}' in the library",
                f"did you mean '{near[0]}'?"
                if near
                else "items are the folders in tasks/software and tasks/maintenance",
            )


def _play_run(fleet: Any, play: Play, wishes: _Wishes) -> PlayRun:
    from immy_nornir.decide.resolve import patterns
    from immy_nornir.session.runs import PlayRun

    kind = fleet.types.get(play.maintenance)
    if kind is None:
        import difflib

        near = difflib.get_close_matches(play.maintenance, fleet.types, 1)
        raise UsageError(
            f"there is no maintenance type '{play.maintenance}' ({play.place_of('maintenance')})",
            f"did you mean '{near[0]}'?" if near else f"there are {', '.join(fleet.types)}",
        )
    names = patterns.select(fleet.inventory, play.hosts, wishes.limit, read_file=startup.read_lines)
    return PlayRun(play, kind, startup.computers_of(fleet.inventory, names))


def _begin(
    engine: Engine, root: Path, playbook: Path | None, plays: list[PlayRun], asking: Asking, pace: Pace, wishes: _Wishes
) -> LiveRun:
    """Ask, then store the run with all its sessions; nothing has begun yet."""
    from immy_nornir.history.store import new_id
    from immy_nornir.model.record.run import RunSpec
    from immy_nornir.session.before.preview import preview, warnings
    from immy_nornir.session.taking import taking_up

    _refuse_frozen(root, plays, asking)
    run_id = new_id(engine.clock.now())
    taking_up.make_specs(engine, run_id, plays, asking)
    planned = preview(engine, [spec for one in plays for spec in one.specs])
    approved = approve(planned, yes=wishes.yes, quiet=wishes.quiet)
    for line in () if wishes.quiet else warnings(engine, [spec for one in plays for spec in one.specs]):
        say(f"warning: {line}", err=True)
    user, machine = startup.who()
    spec = RunSpec(
        run_id,
        wishes.command,
        str(playbook or ""),
        str(root),
        startup.commit_of(root),
        user,
        machine,
        options=asking.options,
        items=asking.items,
        vars=asking.vars,
        check=asking.check,
        pace=pace,
        brakes=wishes.brakes,
        onboard=asking.onboard,
    )
    run = begin(engine, spec, plays, approved, yes=wishes.yes, quiet=wishes.quiet)
    if asking.onboard and not asking.check:
        engine.history.onboard_again([one.name for each in plays for one in each.computers], f"{user}@{machine}")
    return run


def begin(
    engine: Engine, spec: RunSpec, plays: Sequence[PlayRun], approved: Approved | None, *, yes: bool, quiet: bool
) -> LiveRun:
    """Store a run whose sessions have their specs (session.taking.taking_up); nothing has begun yet."""
    from immy_nornir.session import runs
    from immy_nornir.session.approving.beforehand import set_approver
    from immy_nornir.session.taking import taking_up

    fresh, taken_up = taking_up.make_sessions(engine, plays)
    engine.approver = approver_of(yes=yes, brakes=Brakes())
    lives = [live for one in plays for live in one.sessions.values()]
    set_approver(engine, lives, approver_of(yes=yes, brakes=spec.brakes))
    run = runs.begin_run(engine, spec, plays, fresh, approved)
    taking_up.end_excluded(plays, fresh)
    startup.tell_damage(engine)
    end_left_runs(engine)
    said = [] if quiet else [*taken_up[:5], *([f"and {len(taken_up) - 5} more"] if taken_up[5:] else [])]
    for sentence in said:
        say(sentence, err=True)
    return run


@contextlib.contextmanager
def watched(
    engine: Engine, sessions: int, runs: Sequence[LiveRun] = (), *, quiet: bool = False, verbose: bool = False
) -> Iterator[Lines | Live]:
    """What surrounds the work on so many sessions: progress is shown, and Ctrl-C stops in stages."""
    from immy_nornir.cli.live.progress import progress_for

    startup.collect_rarely()
    restore = startup.on_interrupt(stops(engine))
    try:
        told = [functools.partial(getattr, run, "state") for run in runs]
        stopping = functools.partial(getattr, engine.stop, "level")
        with progress_for(sessions, told, stopping, quiet=quiet, verbose=verbose) as progress:
            engine.listener = progress
            yield progress
    finally:
        if not engine.stop.level:
            restore()


def _run(engine: Engine, run: LiveRun, wishes: _Wishes) -> int:
    spec, sessions = run.state.spec, list(run.sessions.values())
    with told(engine, Path(spec.fleet), whole=not wishes.sources):
        work_on(engine, run, quiet=wishes.quiet, verbose=wishes.verbose)
        code = exit_code(sessions, spec.check)
        reports = reports_of(engine, run, wanted=wishes.report)
        with streams.outlived():
            show_summary(engine, spec.id, sessions, reports, wishes.form, planned=spec.check, verbose=wishes.verbose)
        return record_code(engine, code)


def work_on(
    engine: Engine,
    run: LiveRun,
    *,
    quiet: bool,
    verbose: bool,
    also: Callable[[Listener], Listener] = lambda listener: listener,
) -> None:
    """Work on a run to its end, with progress; `also` makes of what is told the progress what else is told it."""
    from immy_nornir.plugins import batches
    from immy_nornir.session.approving.approvals import Approvals
    from immy_nornir.session.approving.beforehand import account_of

    with watched(engine, len(run.sessions), [run], quiet=quiet, verbose=verbose) as progress:
        engine.listener = also(progress)
        asker = Asker(engine.stop, progress.paused, lambda: engine.orders.look(engine.history, engine.clock))
        batches.execute(engine, run, run.state.spec.pace, Approvals(engine, [account_of(run)], asker))
    if run.unwritten:
        say(f"immy: the run's end was not written down: {run.unwritten}", err=True)


def reports_of(engine: Engine, run: LiveRun, *, wanted: bool) -> list[Path]:
    """The run's report, where it is wanted, and the ends of runs whose sessions it took up."""
    sessions, run_id = list(run.sessions.values()), run.state.spec.id
    report = None
    try:
        report = write_report(engine, run_id, [live.id for live in sessions]) if wanted else None
    except (HistoryError, OSError) as error:
        # What became of the computers is said all the same, and the exit code is theirs.
        say(f"immy: the report was not written: {error}", err=True)
    end_runs(engine, [live.spec.run_id for live in sessions if live.spec.run_id != run_id])
    return [report] if report else []


def _refuse_frozen(root: Path, plays: Sequence[PlayRun], asking: Asking) -> None:
    if not asking.check and any(one.type.executes for one in plays):
        refuse_frozen(root, "remove the file, or use --check")


def refuse_frozen(root: Path, advice: str) -> None:
    """Raise UsageError where a file in the fleet stops everything that changes computers."""
    why = startup.frozen_by(root)
    if why:
        raise UsageError(why, advice)


def stops(engine: Engine) -> list[Callable[[str], None]]:
    """What the first, the second and the third Ctrl-C, or another signal, do."""

    def first(by: str) -> None:
        engine.stop.raise_to(1)
        engine.history.hurry()
        _say(f"immy: stopping: no new action starts; running jobs go on on their computers ({by} again to disconnect)")

    def second(by: str) -> None:
        engine.stop.raise_to(2)
        _say(f"immy: leaving the connections ({by} again to leave at once)")

    def third(_by: str) -> None:
        engine.history.close()
        os._exit(130)

    return [first, second, third]


def _say(text: str) -> None:
    # The terminal may be what went away, or what was being written when the signal came.
    with contextlib.suppress(OSError, RuntimeError):
        say(text, err=True)
