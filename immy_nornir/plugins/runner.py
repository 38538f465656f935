"""The `immy` runner for Nornir: few threads, many sessions, a true result for every host.

Nornir's ThreadedRunner starts every host whatever happens, loses all results to one exception, and cannot be
stopped. This one has a bounded number of daemon threads, parks hosts whose task returned a wait, probes in one
thread which computers answer again, limits tenants, spreads starts, guards processors, and stops in stages.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nornir.core.inventory import Host
from nornir.core.processor import Processors
from nornir.core.task import AggregatedResult, MultiResult, Result, Task

from immy_nornir.model.record.session import WaitKind
from immy_nornir.plugins.probe import Probe
from immy_nornir.plugins.tasks import parking
from immy_nornir.session.live import Parked

_AT_ONCE = 2
"""From this stop level on, workers in the middle of something are not waited for."""
_PROBED = (WaitKind.REBOOT, WaitKind.CONNECTIVITY)
_log = logging.getLogger("immy_nornir.runner")


@dataclass(slots=True)
class _Seat:
    """One host on its way through the runner."""

    host: Host
    tenant: str = ""
    legs: int = 0
    woken: bool = False
    parked: Parked | None = None
    due: float = 0.0
    """When its wait is over, by the clock that never jumps."""


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


@dataclass(slots=True)
class _Board:
    """What the threads share, under one lock."""

    ready: deque[_Seat] = field(default_factory=deque)
    parked: list[tuple[float, int, _Seat]] = field(default_factory=list)
    running: int = 0
    by_tenant: Counter[str] = field(default_factory=Counter)
    left: int = 0
    over: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)


class ImmyRunner:
    """Nornir RunnerPlugin; options: `num_workers`, `per_tenant` (0: no limit), `splay` (seconds)."""

    def __init__(
        self,
        num_workers: int = 32,
        per_tenant: int = 0,
        splay: float = 0.0,
        stop: Callable[[], int] = lambda: 0,
        tenant_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.num_workers = num_workers
        self.per_tenant = per_tenant
        self.splay = splay
        self._stop = stop
        self._tenant_of = tenant_of
        self._numbers = itertools.count()

    def run(self, task: Task, hosts: Sequence[Host]) -> AggregatedResult:
        """Run the task on every host; every host has a result, whatever happened to it."""
        results = AggregatedResult(task.name)
        board = _Board(left=len(hosts))
        broken: set[int] = set()
        now = time.monotonic()
        for host in hosts:
            seat = _Seat(host, self._tenant_of(host.name))
            if self.splay > 0:
                self._park(board, seat, now + random.uniform(0.0, self.splay))  # noqa: S311 - spreading, not secrecy
            else:
                board.ready.append(seat)
        probe = Probe()
        for number in range(min(self.num_workers, len(hosts))):
            args = (board, task, results, broken)
            threading.Thread(target=self._work, args=args, name=f"immy-worker-{number}", daemon=True).start()
        threading.Thread(target=self._probing, args=(board, probe), name="immy-probe", daemon=True).start()
        try:
            self._watch(board)
        finally:
            with board.changed:
                board.over = True
                board.changed.notify_all()
        for host in hosts:
            if host.name not in results:
                results[host.name] = _lost(task, host)
        return results

    def _watch(self, board: _Board) -> None:
        """Wake what is due, until nothing is left; short waits, so that signals reach the main thread."""
        with board.changed:
            while board.left and self._stop() < _AT_ONCE:
                now = time.monotonic()
                stopping = self._stop() > 0
                while board.parked and (stopping or board.parked[0][0] <= now):
                    _, _, seat = heapq.heappop(board.parked)
                    if not stopping and seat.parked is not None and seat.parked.wait.kind in _PROBED and not seat.woken:
                        self._park(board, seat, now + 0.25)  # the probing thread decides
                        continue
                    board.ready.append(seat)
                    board.changed.notify()
                due = board.parked[0][0] - now if board.parked else 0.2
                board.changed.wait(min(max(due, 0.01), 0.2))

    def _park(self, board: _Board, seat: _Seat, at: float) -> None:
        heapq.heappush(board.parked, (at, next(self._numbers), seat))

    def _take(self, board: _Board) -> _Seat | None:
        with board.changed:
            while not board.over:
                for _ in range(len(board.ready)):
                    seat = board.ready.popleft()
                    if not self.per_tenant or board.by_tenant[seat.tenant] < self.per_tenant:
                        board.running += 1
                        board.by_tenant[seat.tenant] += 1
                        return seat
                    board.ready.append(seat)
                board.changed.wait(0.2)
        return None

    def _work(self, board: _Board, task: Task, results: AggregatedResult, broken: set[int]) -> None:
        while (seat := self._take(board)) is not None:
            outcome = self._leg(task, seat, broken)
            with board.changed:
                board.running -= 1
                board.by_tenant[seat.tenant] -= 1
                if is_parked(outcome):
                    seat.parked = outcome[0].result
                    seat.woken = False
                    pause = max(0.0, seat.parked.wait.until - time.time())
                    seat.due = time.monotonic() + pause
                    self._park(board, seat, seat.due)
                else:
                    results[seat.host.name] = outcome
                    board.left -= 1
                board.changed.notify_all()

    def _leg(self, task: Task, seat: _Seat, broken: set[int]) -> MultiResult:
        copy = task.copy()
        copy.processors = _Guarded(task.processors, broken, first=seat.legs == 0)
        seat.legs += 1
        try:
            with parking(woken=seat.woken):
                outcome: MultiResult = copy.start(seat.host)
        except BaseException as error:  # noqa: BLE001 - SystemExit in a task must not cost the others their results
            outcome = MultiResult(task.name)
            outcome.append(
                Result(host=seat.host, failed=True, exception=error, result=f"{type(error).__name__}: {error}")
            )
            copy.processors.task_instance_completed(copy, seat.host, outcome)  # Nornir did not come to it
        for one in outcome:
            if one.host is None:
                one.host = seat.host
        return outcome

    def _probing(self, board: _Board, probe: Probe) -> None:
        """Ask all computers that are being waited for, together, whether they answer."""
        while True:
            with board.changed:
                if board.over:
                    return
                now = time.monotonic()
                waiting = [
                    seat
                    for _, _, seat in board.parked
                    if seat.parked is not None
                    and seat.parked.wait.kind in _PROBED
                    and not seat.woken
                    and seat.due <= now
                ]
            addresses = {seat.host.name: seat.parked.address for seat in waiting if seat.parked is not None}
            try:
                answering = probe.answering(addresses)
            except Exception:  # noqa: BLE001 - without this thread those that wait would wait for ever
                answering = frozenset(addresses)
                _log.warning("the computers that are waited for could not be probed", exc_info=True)
            with board.changed:
                for seat in waiting:
                    seat.woken = seat.woken or seat.host.name in answering or self._late(seat)
                board.changed.notify_all()
                if not board.over:
                    board.changed.wait(0.25)

    @staticmethod
    def _late(seat: _Seat) -> bool:
        """A computer that is silent is looked at now and then all the same: the session keeps its own deadline."""
        return time.monotonic() - seat.due >= 30.0


def _lost(task: Task, host: Host) -> MultiResult:
    outcome = MultiResult(task.name)
    outcome.append(Result(host=host, failed=True, result="stopped before it ended"))
    return outcome
