"""Sessions through Nornir: one `nornir.run` for each batch of sessions that a run wants advanced together.

Not here: which sessions these are (session.runs), threads and waiting (session.crew). Nothing here prints.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from nornir.core import Nornir
from nornir.core.configuration import Config, LoggingConfig
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.runners import RunnerPlugin
from nornir.core.state import GlobalState

from immy_nornir.model.record.run import Pace
from immy_nornir.plugins.runner import ImmyRunner
from immy_nornir.plugins.tasks import maintain, seat_of
from immy_nornir.session.approving.approvals import Approvals
from immy_nornir.session.crew.crew import Crew
from immy_nornir.session.engine import Engine
from immy_nornir.session.live import LiveSession
from immy_nornir.session.runs import LiveRun, Work
from immy_nornir.session.taking.taking_up import by_age, computers_alone, take_up


def nornir_of(names: Sequence[str], runner: RunnerPlugin) -> Nornir:
    """A Nornir over these computers, with a state of its own and without Nornir's logging."""
    hosts = Hosts({name: Host(name=name) for name in names})
    inventory = Inventory(hosts=hosts, groups=Groups(), defaults=Defaults())
    config = Config(logging=LoggingConfig(enabled=False))
    return Nornir(inventory=inventory, runner=runner, config=config, data=GlobalState())


def crew_of(engine: Engine, pace: Pace) -> Crew:
    """The crew of a command."""
    return Crew(pace.workers, pace.per_tenant, lambda: engine.stop.level, engine.clock)


def work_of(
    engine: Engine, pace: Pace, crew: Crew, approvals: Approvals | None = None, run: LiveRun | None = None
) -> Work:
    """How this process advances sessions: all batches share one crew."""

    def work(name: str, sessions: Mapping[str, LiveSession]) -> None:
        tenants = {computer: live.spec.tenant for computer, live in sessions.items()}
        asks = tuple if approvals is None else functools.partial(approvals.look, name, sessions)

        def glance() -> Sequence[str]:
            over = () if run is None else run.look_at_the_time()
            engine.orders.look(engine.history, engine.clock)
            return [*over, *engine.orders.to_call(sessions), *asks()]

        runner = ImmyRunner(splay=pace.splay, tenant_of=tenants.__getitem__, crew=crew, glance=glance)
        with _expected(engine, list(sessions.values())):
            nornir_of(list(sessions), runner).run(task=maintain, name=name, sessions=sessions, wait=pace.wait)
        if engine.stop.level > 1:
            for live in sessions.values():
                live.abandon()

    return work


def execute(
    engine: Engine, run: LiveRun, pace: Pace, approvals: Approvals | None = None, crew: Crew | None = None
) -> None:
    """Work on a run, wave after wave; afterwards every session has a status of its own.

    By a crew of its own, or with others by the one that is given.
    """
    with contextlib.nullcontext(crew) if crew is not None else crew_of(engine, pace) as at_work:
        run.go(work_of(engine, pace, at_work, approvals, run))


@contextlib.contextmanager
def _expected(engine: Engine, lives: Sequence[LiveSession]) -> Iterator[None]:
    """Whoever is to reboot after others waits for those of these sessions that have not begun yet, too."""
    ordered = any(one.reboot_after for one in engine.fleet.limits.groups)
    for live in lives if ordered else ():
        engine.limiter.come(seat_of(live), engine.needs_of(live.spec).counts_as)
    try:
        yield
    finally:
        for live in lives if ordered else ():
            engine.limiter.go(seat_of(live))


def resume(
    engine: Engine,
    runs: Sequence[LiveRun],
    alone: Sequence[LiveSession],
    pace: Pace,
    approvals: Approvals | None = None,
    crew: Crew | None = None,
) -> None:
    """Go on with runs that were left, oldest first, and with the sessions that no wave holds any more.

    Sessions of one computer follow each other, oldest first.
    """
    before, after = by_age(alone, runs)
    _by_themselves(engine, before, pace, approvals, crew)
    for run in runs:
        if not engine.stop.level:
            take_up(run)
            # Who goes on was spread when it began.
            again = replace(run.state.spec.pace, workers=pace.workers, wait=pace.wait, splay=0.0)
            execute(engine, run, again, approvals, crew)
    _by_themselves(engine, after, pace, approvals, crew)


def _by_themselves(
    engine: Engine, alone: Sequence[LiveSession], pace: Pace, approvals: Approvals | None, crew: Crew | None
) -> None:
    with contextlib.nullcontext(crew) if crew is not None else crew_of(engine, pace) as at_work:
        work = work_of(engine, pace, at_work, approvals)
        for sessions in computers_alone(alone):
            if not engine.stop.level:
                work("resume", sessions)


def settle(engine: Engine, lives: Sequence[LiveSession], pace: Pace, seconds: float) -> None:
    """Bring cancelled sessions to their end, as far as that comes in so many seconds; what is left is interrupted."""
    timer = threading.Timer(seconds, engine.stop.raise_to, [1])
    timer.daemon = True
    timer.start()
    try:
        _by_themselves(engine, lives, pace, None, None)
    finally:
        timer.cancel()
