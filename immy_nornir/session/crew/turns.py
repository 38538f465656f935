"""Who may start next, and who waits until when: two plain structures, which their owner guards with its lock."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """A queue for each tenant and a round of the tenants that may start one more.

    Tenants take turns, each in its own order of coming; those at their limit stand in no round, so that however many
    they have queued, taking the next one costs the same.
    """

    def __init__(self, limit: int = 0) -> None:
        """At most `limit` of a tenant are taken and not done; 0: no limit."""
        self._limit = limit if limit > 0 else math.inf
        self._queues: dict[str, deque[T]] = {}
        self._taken: Counter[str] = Counter()
        self._round: deque[str] = deque()
        self._listed: set[str] = set()

    def __bool__(self) -> bool:
        """Whether one may start now."""
        return bool(self._round)

    def put(self, tenant: str, one: T) -> None:
        """Queue one behind the others of its tenant."""
        self._queues.setdefault(tenant, deque()).append(one)
        self._list(tenant)

    def take(self) -> T | None:
        """The next one that may start; its tenant has one more at work until `done`."""
        if not self._round:
            return None
        tenant = self._round.popleft()
        self._listed.remove(tenant)
        queue = self._queues[tenant]
        one = queue.popleft()
        if not queue:
            del self._queues[tenant]
        self._taken[tenant] += 1
        self._list(tenant)
        return one

    def done(self, tenant: str) -> None:
        """One that was taken is at work no more."""
        self._taken[tenant] -= 1
        if not self._taken[tenant]:
            del self._taken[tenant]
        self._list(tenant)

    def _list(self, tenant: str) -> None:
        if tenant in self._queues and tenant not in self._listed and self._taken[tenant] < self._limit:
            self._listed.add(tenant)
            self._round.append(tenant)


class Waiting(Generic[T]):
    """What waits, each under a number of its own, handed out once: when it is due or when it is asked for."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._held: dict[int, T] = {}
        self._numbers = itertools.count(1)

    def put(self, one: T, due: float) -> int:
        """Keep one until `due`; the number by which it can be taken before."""
        number = next(self._numbers)
        self._held[number] = one
        heapq.heappush(self._heap, (due, number))
        return number

    def take(self, number: int) -> T | None:
        """The one of this number, unless it is gone already."""
        return self._held.pop(number, None)

    def next_due(self) -> float:
        """When the next one is due; infinity when none waits."""
        while self._heap and self._heap[0][1] not in self._held:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def due(self, now: float) -> list[tuple[int, T]]:
        """Take all that are due, with their numbers, the earliest first."""
        found = []
        while self.next_due() <= now:
            _, number = heapq.heappop(self._heap)
            found.append((number, self._held.pop(number)))
        return found

    def held(self) -> list[tuple[int, T]]:
        """All that wait, with their numbers, in the order in which they came."""
        return list(self._held.items())
