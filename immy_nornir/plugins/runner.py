"""The `immy` runner for Nornir: a thin adapter between `nornir.run` and the crew of the process.

Nornir's ThreadedRunner starts every host whatever happens, loses all results to one exception, and cannot be
stopped. This one gives the crew a seat for each host, guards processors, and has a true result for every host.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nornir.core.inventory import Host
from nornir.core.processor import Processors
from nornir.core.task import AggregatedResult, MultiResult, Result, Task

from immy_nornir.plugins.tasks import parking
from immy_nornir.session.crew.crew import Crew, Seat
from immy_nornir.session.crew.settled import Parked

_log = logging.getLogger("immy_nornir.runner")


class _Guarded(Processors):
    """Processors of one leg: a host starts once and completes once; one that raises is left out from then on."""

    def __init__(self, inner: Processors, broken: set[int], *, first: bool) -> None:
        super().__init__(inner)
        self._broken = broken
        self._first = first

    def _each(self, call: Callable[[Any], None]) -> None:
        for processor in self:
            if id(processor) in self._broken:
                continue
            try:
                call(processor)
            except BaseException:  # noqa: BLE001 - a foreign processor must not cost the run its results
                self._broken.add(id(processor))
                _log.warning("processor %s failed and is left out from now on", type(processor).__name__)

    def task_instance_started(self, task: Task, host: Host) -> None:
        """Passed on for the first leg only."""
        if self._first:
            self._each(lambda one: one.task_instance_started(task, host))

    def task_instance_completed(self, task: Task, host: Host, results: MultiResult) -> None:
        """Passed on for the last leg only."""
        if not is_parked(results):
            self._each(lambda one: one.task_instance_completed(task, host, results))

    def subtask_instance_started(self, task: Task, host: Host) -> None:
        """Passed on."""
        self._each(lambda one: one.subtask_instance_started(task, host))

    def subtask_instance_completed(self, task: Task, host: Host, results: MultiResult) -> None:
        """Passed on."""
        self._each(lambda one: one.subtask_instance_completed(task, host, results))


def is_parked(results: MultiResult) -> bool:
    """Whether a host's task asks to be called again later."""
    return bool(results) and isinstance(results[0].result, Parked)


class ImmyRunner:
    """Nornir RunnerPlugin; options: `num_workers`, `per_tenant` (0: no limit), `splay` (seconds).

    With a crew it joins that one, whose workers and limits count; without, it has one of its own for each run.
    """

    def __init__(
        self,
        num_workers: int = 32,
        per_tenant: int = 0,
        splay: float = 0.0,
        stop: Callable[[], int] = lambda: 0,
        tenant_of: Callable[[str], str] = lambda _: "",
        crew: Crew | None = None,
        glance: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`glance` goes with a crew, which calls the hosts that it names."""
        self.num_workers = num_workers
        self.per_tenant = per_tenant
        self.splay = splay
        self._stop = stop
        self._tenant_of = tenant_of
        self._crew = crew
        self._glance = glance

    def run(self, task: Task, hosts: Sequence[Host]) -> AggregatedResult:
        """Run the task on every host; every host has a result, whatever happened to it."""
        broken: set[int] = set()
        seats = [Seat(host.name, _Legs(task, host, broken), self._tenant_of(host.name)) for host in hosts]
        results = AggregatedResult(task.name)
        if self._crew is not None:
            results.update(self._crew.run(seats, self._glance, self.splay))
        else:
            with Crew(self.num_workers, self.per_tenant, self._stop) as crew:
                results.update(crew.run(seats, splay=self.splay))
        for host in hosts:
            if host.name not in results:
                results[host.name] = _lost(task, host)
        return results


class _Legs:
    """A host's task, called again after each of its waits."""

    def __init__(self, task: Task, host: Host, broken: set[int]) -> None:
        self._task = task
        self._host = host
        self._broken = broken
        self._first = True

    def __call__(self, woken: bool) -> MultiResult | Parked:  # noqa: FBT001 - the form of a seat's work
        """What became of the host, or its wait."""
        copy = self._task.copy()
        copy.processors = _Guarded(self._task.processors, self._broken, first=self._first)
        self._first = False
        try:
            with parking(woken=woken):
                outcome: MultiResult = copy.start(self._host)
        except BaseException as error:  # noqa: BLE001 - SystemExit in a task must not cost the host its result
            outcome = MultiResult(self._task.name)
            text = f"{type(error).__name__}: {error}"
            outcome.append(Result(host=self._host, failed=True, exception=error, result=text))
            copy.processors.task_instance_completed(copy, self._host, outcome)  # Nornir did not come to it
        if is_parked(outcome):
            parked: Parked = outcome[0].result
            return parked
        for one in outcome:
            if one.host is None:
                one.host = self._host
        return outcome


def _lost(task: Task, host: Host) -> MultiResult:
    outcome = MultiResult(task.name)
    outcome.append(Result(host=host, failed=True, result="stopped before it ended"))
    return outcome
