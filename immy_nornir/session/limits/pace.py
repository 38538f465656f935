"""When a connection may be opened: so many in any second, in the order of asking; its owner guards it with its lock."""

from __future__ import annotations

import bisect
import math
from collections import deque


class Pace:
    """Whoever asks too early keeps its place, and is told when its turn will come."""

    def __init__(self) -> None:
        self._opened: deque[float] = deque()
        self._places: dict[str, int] = {}
        self._queue: list[int] = []
        self._next = 0

    def ask(self, who: str, rate: float, now: float) -> float:
        """0 when it may be opened now, which counts; else in how many seconds it is worth asking again."""
        span = max(1.0, 1.0 / rate)
        most = max(1, math.floor(rate * span))
        while self._opened and self._opened[0] <= now - span:
            self._opened.popleft()
        place = self._places.get(who)
        if place is None:
            place, self._next = self._next, self._next + 1
            self._places[who] = place
            self._queue.append(place)
        before = bisect.bisect_left(self._queue, place)
        free = most - len(self._opened)
        if before < free:
            self.forget(who)
            self._opened.append(now)
            return 0.0
        oldest = self._opened[0] + span - now if self._opened else 0.0
        return float(max(0.0, oldest) + span * ((before - max(0, free)) // most) + 0.02)

    def forget(self, who: str) -> None:
        """It does not wait for a turn any more."""
        place = self._places.pop(who, None)
        if place is not None:
            del self._queue[bisect.bisect_left(self._queue, place)]
