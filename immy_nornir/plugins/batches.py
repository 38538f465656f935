"""Sessions through Nornir: one `nornir.run` for each batch of sessions that a run wants advanced together.

Not here: which sessions these are (session.runs), threads and waiting (plugins.runner). Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nornir.core import Nornir
from nornir.core.configuration import Config, LoggingConfig
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.runners import RunnerPlugin
from nornir.core.state import GlobalState

from immy_nornir.model.record.run import Pace
from immy_nornir.plugins.runner import ImmyRunner
from immy_nornir.plugins.tasks import maintain
from immy_nornir.session.engine import Engine
from immy_nornir.session.live import LiveSession
from immy_nornir.session.runs import LiveRun, Work
from immy_nornir.session.taking_up import computers_alone, take_up


def nornir_of(names: Sequence[str], runner: RunnerPlugin) -> Nornir:
    """A Nornir over these computers, with a state of its own and without Nornir's logging."""
    hosts = Hosts({name: Host(name=name) for name in names})
    inventory = Inventory(hosts=hosts, groups=Groups(), defaults=Defaults())
    config = Config(logging=LoggingConfig(enabled=False))
    return Nornir(inventory=inventory, runner=runner, config=config, data=GlobalState())


def work_of(engine: Engine, pace: Pace) -> Work:
    """How this process advances sessions."""

    def work(name: str, sessions: Mapping[str, LiveSession]) -> None:
        tenants = {computer: live.spec.tenant for computer, live in sessions.items()}
        runner = ImmyRunner(
            pace.workers, pace.per_tenant, pace.splay, lambda: engine.stop.level, lambda computer: tenants[computer]
        )
        nornir_of(list(sessions), runner).run(task=maintain, name=name, sessions=sessions, wait=pace.wait)
        if engine.stop.level > 1:
            for live in sessions.values():
                live.abandon()

    return work


def execute(engine: Engine, run: LiveRun, pace: Pace) -> None:
    """Work on a run, wave after wave; afterwards every session has a status of its own."""
    run.go(work_of(engine, pace))


def resume(engine: Engine, runs: Sequence[LiveRun], alone: Sequence[LiveSession], pace: Pace) -> None:
    """Go on with runs that were left, oldest first, after the sessions that no wave holds any more.

    Sessions of one computer follow each other, oldest first.
    """
    work = work_of(engine, pace)
    for sessions in computers_alone(alone):
        if engine.stop.level:
            return
        work("resume", sessions)
    for run in runs:
        if engine.stop.level:
            return
        take_up(run)
        run.go(work)
