"""`immy schedule run|status`: the service that begins what is due, and how it is.

Parts of the group `schedule`. What is due, and what becomes of it, is decide.agenda and service.loop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import options, startup
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.times import Zone
from immy_nornir.errors import HistoryError, ImmyError, UsageError
from immy_nornir.text import json
from immy_nornir.text.plain import and_more

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from immy_nornir.model.control.schedules import Schedule
    from immy_nornir.model.places import Problem
    from immy_nornir.model.playbooks import Fleet, Playbook
    from immy_nornir.service.loop import AtWork, Health
    from immy_nornir.service.served import Served
    from immy_nornir.service.works import Works
    from immy_nornir.session.engine import Engine
    from immy_nornir.telling.teller import Teller

SCHEMA_VERSION = 1
HEALTH = "service.json"
LOCK = "service.lock"
PATIENCE_SECONDS = 2 * 3600.0
"""So long a session waits for another one of the service on its computer: an inventory for the full maintenance."""
STALE_SECONDS = 120.0
"""A service that has not taken a turn for so long is not well."""


@click.command()
@click.option(
    "--ref", metavar="REF", help="Serve this Git ref, such as origin/main: fetched, checked, then switched to."
)
@click.option("--once", is_flag=True, help="Begin what is due now, stay until it has settled, and end.")
@click.option("--simulate", is_flag=True, help="Only say what would begin and when; nothing is begun or written.")
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How far to simulate.")
@click.option("--start", metavar="TIME", help="When the simulation begins, as an ISO time; now if it is not given.")
@click.option(
    "--run-minutes", type=click.FloatRange(0), default=60.0, show_default=True, help="How long a simulated run takes."
)
@options.sources
@options.vault
@options.workers
@click.option("--per-tenant", type=click.IntRange(0), default=0, help="At most so many of one tenant at the same time.")
@click.option("--due/--no-due", default=True, help="Take up deferred sessions when their time comes.")
@options.form
@click.pass_context
def run(ctx: click.Context, /, ref: str | None, sources: tuple[Path, ...], form: str, **given: Any) -> None:
    """Begin what the schedules say when it is due, until it is stopped.

    Deferred sessions go on when their time comes or their computer answers. Of several services on one state folder
    one works and the others wait. Ctrl-C or SIGTERM once: nothing new begins, and what is at work is left for the next
    one; twice: connections are closed.
    """
    root = startup.root_of(ctx)
    if given["simulate"]:
        _simulate(ctx, root, sources, form, given)
        return
    state = startup.state_of(ctx, root)
    if ref is not None and any(one.is_absolute() for one in sources):
        raise UsageError("with --ref an inventory is part of what is served", "give -i relative to the fleet's folder")
    lock = _wait_for_turn(state, wait=not given["once"])
    if lock is None:
        ctx.exit(0)
    try:
        served = _served(root, state, ref, sources) if ref is not None else None
        _serve(ctx, root if served is None else served.root, state, sources, given, served)
    finally:
        lock.release()


def _wait_for_turn(state: Path, *, wait: bool) -> Any:
    """The lock of the one service that works here; None where another has it, and nobody waits for its end any more."""
    from immy_nornir.history.locks import SoleLock
    from immy_nornir.history.own_files import make_folder

    make_folder(state)
    lock, stopped, told = SoleLock(state / LOCK), [False], False
    restore = startup.on_interrupt([lambda _by: stopped.__setitem__(0, True)])
    try:
        while not lock.take():
            if stopped[0]:
                return None
            if not wait:
                say(f"another service is at work here ({_owner(state)}): what is due is left to it", err=True)
                return None
            if not told:
                say(f"another service is at work here ({_owner(state)}); this one waits for its end", err=True)
                told = True
            time.sleep(0.5)
        return lock
    finally:
        restore()


def _owner(state: Path) -> str:
    health = _health(state)
    return f"process {health['pid']} on {health['machine']}" if health else f"it holds {startup.near(state / LOCK)}"


def _served(root: Path, state: Path, ref: str, sources: Sequence[Path]) -> Served:
    from immy_nornir.cli.commands.files.lint import problems_of
    from immy_nornir.model.places import Level
    from immy_nornir.service.served import Served
    from immy_nornir.session.engine import SystemClock

    def check(folder: Path) -> str:
        try:
            found = problems_of(folder, [folder / one for one in sources] or None)
        except ImmyError as error:
            return error.message
        errors = [one for one in found if one.level is Level.ERROR]
        more = and_more(len(errors) - 1)
        return f"{errors[0]}{more}" if errors else ""

    served = Served(root, ref, state.absolute() / "served", check, SystemClock(), _tell)
    served.begin()
    return served


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # whoever read it may have gone; the service stays
        say(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}", err=True)


def _serve(
    ctx: click.Context,
    root: Path,
    state: Path,
    sources: Sequence[Path],
    given: dict[str, Any],
    served: Served | None,
) -> None:
    from immy_nornir.model.record.run import Pace
    from immy_nornir.plugins import batches
    from immy_nornir.service.loop import Service

    engine = _engine(root, state, [root / one if served is not None else one for one in sources])
    if served is not None:
        _watch_ref(engine, served)
    engine.patience = PATIENCE_SECONDS
    startup.collect_rarely()
    pace = Pace(given["workers"], given["per_tenant"])
    restore = startup.on_interrupt(_stops(engine))
    teller = _teller(engine, root, whole=not sources)
    try:
        works = _works(engine, root)
        with batches.crew_of(engine, pace) as crew:
            around = _surroundings(engine, state, root, served, teller)
            service = Service(engine, crew, works, around, pace, takes_up=given["due"])
            names = ", ".join(one.name for one in engine.fleet.schedules) or "none"
            _tell(f"serves {root.absolute()}; schedules: {names}")
            sound = service.once() if given["once"] else service.serve()
        teller.finish(lambda: engine.stop.level > 1)
    finally:
        teller.close()
        if served is not None:
            served.close()
        startup.close(engine)
    if not engine.stop.level:
        restore()
    else:
        startup.ignore_interrupts()
    _say_ended(engine, state)
    ctx.exit(0 if sound else 1)


def _engine(root: Path, state: Path, sources: Sequence[Path]) -> Engine:
    """The engine of a service: errors of the schedules stop it as those of all other files do."""
    from immy_nornir.cli.commands.scheduling.schedule import judged

    def scheduled(fleet: Fleet) -> list[Problem]:
        return judged(root, fleet, books=False)

    fleet, _ = startup.load(root, sources, scheduled=scheduled)
    engine: Engine = startup.engine_of(root, state, fleet, {}, sources, scheduled=scheduled)
    return engine


def _watch_ref(engine: Engine, served: Served) -> None:
    """FREEZE of the ref holds beside that of the folder; the fleet changes while nobody reads it."""
    of_folder = engine.frozen
    engine.frozen = lambda computer: served.frozen() or of_folder(computer)
    served.hold = engine.files_held
    served.start()


def _works(engine: Engine, root: Path) -> Works:
    from immy_nornir.cli.vault import current
    from immy_nornir.service.works import Works

    vault = current()
    known: dict[tuple[int, str], Playbook] = {}

    def book_of(fleet: Fleet, path: Path) -> Playbook:
        key = (engine.files, str(path))
        if known and next(iter(known))[0] != engine.files:  # of files that were read before
            known.clear()
        if key not in known:
            if not path.exists():
                raise UsageError(f"the playbook {path} is gone")
            known[key] = startup.load_book(root, fleet, path, vault)
        return known[key]

    return Works(engine, book_of, startup.read_lines)


def _teller(engine: Engine, root: Path, *, whole: bool) -> Teller:
    from immy_nornir.telling.teller import Teller

    teller = Teller(engine, root, _tell, whole)
    teller.begin()
    return teller


def _surroundings(engine: Engine, state: Path, root: Path, served: Served | None, teller: Teller) -> Any:
    from immy_nornir.service.loop import Surroundings

    return Surroundings(
        startup.who(),
        lambda: startup.commit_of(root),
        _tell,
        lambda one: _ended(engine, one),
        lambda health: _write_health(state, health, served),
        served.look if served is not None else lambda: None,
        (lambda: served.problems) if served is not None else tuple,
        teller.wake,
    )


def _stops(engine: Engine) -> list[Callable[[str], None]]:
    from immy_nornir.cli.commands.run import stops

    return stops(engine)


def _ended(engine: Engine, one: AtWork) -> None:
    """A line about each run that has ended or was left, and its report."""
    from collections import Counter

    from immy_nornir.cli.summary import end_runs, write_report
    from immy_nornir.model.record.session import Status
    from immy_nornir.model.record.words import word

    statuses = Counter(live.recap.status for live in one.lives)
    said = ", ".join(f"{number} {word(status)}" for status, number in statuses.most_common()) or "nothing to do"
    ended = [live for live in one.lives if live.recap.status not in (Status.WAITING, Status.INTERRUPTED)]
    for run in one.runs:
        told = f"run {run.state.spec.id}: {said}"
        if ended or one.occasion is not None:  # what waits still has nothing new to report
            report = write_report(engine, run.state.spec.id, [live.id for live in run.sessions.values()])
            told += f"; report: {startup.near(report)}"
        _tell(told)
        if run.unwritten:
            _tell(f"the end of run {run.state.spec.id} was not written down: {run.unwritten}")
    if one.alone:
        _tell(f"sessions that waited: {said}")
    ours = {run.state.spec.id for run in one.runs}
    end_runs(engine, [live.spec.run_id for live in ended if live.spec.run_id not in ours])


# --- health ---------------------------------------------------------------------------------------------------


def _write_health(state: Path, health: Health, served: Served | None) -> None:
    from immy_nornir.history.own_files import write_own

    user, machine = startup.who()
    document = {
        "schema_version": SCHEMA_VERSION,
        **dataclasses.asdict(health),
        "pid": os.getpid(),
        "user": user,
        "machine": machine,
        "ref": served.ref if served is not None else "",
        "commit": served.commit if served is not None else "",
        "frozen": served.frozen() if served is not None else "",
        "ended": False,
    }
    # Whoever reads it meanwhile sees the one or the other, and no half.
    new = state / f"{HEALTH}.new"
    write_own(new, json.indented(document))
    new.replace(state / HEALTH)


def _say_ended(engine: Engine, state: Path) -> None:
    health = _health(state)
    if health:
        from immy_nornir.history.own_files import write_own

        with contextlib.suppress(OSError, HistoryError):  # on a full disk it reads as if it had died
            write_own(state / HEALTH, json.indented({**health, "ended": True, "at": engine.clock.now()}))


def _health(state: Path) -> dict[str, Any]:
    try:
        found = json.parse((state / HEALTH).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and {"pid", "machine", "at", "problems", "at_work"} <= found.keys() else {}


def service_of(state: Path) -> tuple[dict[str, Any], bool]:
    """What the service of a state folder last told of itself, empty where it never did; and whether one is at work."""
    from immy_nornir.history.locks import is_taken

    return _health(state), is_taken(state / LOCK)


@click.command()
@options.form
@click.pass_context
def status(ctx: click.Context, form: str) -> None:
    """Say how the service is; exit code 0 when it works and has nothing to complain about, else 1."""
    state = startup.state_of(ctx, startup.root_of(ctx))
    health, alive = service_of(state)
    problems = [str(one) for one in health.get("problems", ())]
    if not alive:
        ended = "it was stopped" if health.get("ended") else "it has died" if health else "it never ran here"
        problems = [f"no service is at work: {ended}; immy schedule run begins it"]
    elif not health or health.get("ended"):  # what is written down is of the one before
        health, problems = {}, ["it is starting: its first turn is under way"]
    elif time.time() - float(health["at"]) > STALE_SECONDS:
        problems.insert(0, f"it has not taken a turn for {(time.time() - float(health['at'])) / 60:.0f} minutes")
    healthy = not problems
    if form == "json":
        say_json(json.indented({"schema_version": SCHEMA_VERSION, "healthy": healthy, **health, "problems": problems}))
    else:
        _show(health, problems, alive=alive)
    ctx.exit(0 if healthy else 1)


def _show(health: dict[str, Any], problems: Sequence[str], *, alive: bool) -> None:
    if alive and health:
        times = [float(health["at"]), *([float(health["next_at"])] if health.get("next_at") else [])]
        zone = Zone(times)
        say(f"process {health['pid']} of {health['user']} on {health['machine']}; times are {zone.offset}")
        say(f"  last turn: {zone.when(times[0])}; next: {zone.when(times[1]) if len(times) > 1 else 'nothing is due'}")
        if health.get("ref"):
            say(f"  serves {health['ref']} at {str(health['commit'])[:12]}")
        say(f"  runs at work: {', '.join(health['at_work']) or 'none'}; computers waited for: {health['waiting']:,}")
    for one in problems:
        say(f"  problem: {one}")


# --- simulation -----------------------------------------------------------------------------------------------


def _simulate(ctx: click.Context, root: Path, sources: Sequence[Path], form: str, given: dict[str, Any]) -> None:
    from immy_nornir.decide.agenda import Begin, simulate

    begin = _time(given["start"])
    end = begin + given["days"] * 86400.0
    engine = _engine(root, startup.state_of(ctx, root), sources)
    try:
        works = _works(engine, root)
        found = works.now()
        schedules: list[Schedule] = [one.schedule for one in found.values()]
        for problem in works.problems.values():
            say(problem, err=True)
        zone = Zone((begin, end))
        if form == "text":
            say(f"times are {zone.offset}", err=True)
        for one in simulate(schedules, works.occasions, begin, end, given["run_minutes"] * 60.0):
            occasion, begins = one.todo.occasion, isinstance(one.todo, Begin)
            computers = len(found[occasion.schedule].parts.get(occasion.part, ()))
            why = "" if isinstance(one.todo, Begin) else one.todo.why
            if form == "json":
                row = {
                    "at": one.at,
                    "begins": begins,
                    **dataclasses.asdict(occasion),
                    "computers": computers,
                    "why": why,
                }
                say_json(json.line({"schema_version": SCHEMA_VERSION, **row}))
                continue
            part = f" ({occasion.part})" if occasion.part else ""
            told = f"begins: {computers:,} computers" if begins else f"skipped: {why}"
            say(f"{zone.when(one.at)}  {occasion.schedule}{part}, due {occasion.told}: {told}")
    finally:
        startup.close(engine)


def _time(text: str | None) -> float:
    from datetime import datetime

    if text is None:
        return time.time()
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"'{text}' is no time", "write it like 2030-01-31T22:00") from None
