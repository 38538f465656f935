"""Many computers looked over at the same time: so many at once, and none longer than its time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from immy_nornir.model.health import Health, Line
from immy_nornir.model.protocols import Clock

Look = Callable[[], Iterable[Line]]


@dataclass(slots=True)
class _Looking:
    """One computer under way; its thread adds lines, and says when it has done."""

    ends: float
    lines: list[Line] = field(default_factory=list)
    done: bool = False


def look_over(
    looks: Mapping[str, Look], workers: int, seconds: float, clock: Clock
) -> Iterator[tuple[str, list[Line]]]:
    """The lines of each computer, as they are ready; one that takes longer than `seconds` costs itself only.

    Its thread is left behind: it belongs to no run, and ends with its last time-out or with the process.
    """
    left, under_way = deque(looks.items()), dict[str, _Looking]()
    news = threading.Condition()

    def work(look: Look, one: _Looking) -> None:
        try:
            for line in look():
                one.lines.append(line)
        except Exception as error:  # noqa: BLE001 - a bug at one computer must not cost the others their lines
            one.lines.append(Line("doctor", Health.PROBLEM, f"crashed: {type(error).__name__}: {error}"))
        with news:
            one.done = True
            news.notify_all()

    while left or under_way:
        while left and len(under_way) < workers:
            name, look = left.popleft()
            one = under_way[name] = _Looking(clock.monotonic() + seconds)
            threading.Thread(target=work, args=(look, one), name=f"immy-doctor-{name}", daemon=True).start()
        with news:
            now = clock.monotonic()
            if not any(one.done or one.ends <= now for one in under_way.values()):
                news.wait(max(0.0, min(one.ends for one in under_way.values()) - now))
        now = clock.monotonic()
        for name, one in list(under_way.items()):
            if one.done or one.ends <= now:
                del under_way[name]
                yield name, _lines(one, seconds)


def _lines(one: _Looking, seconds: float) -> list[Line]:
    if one.done:
        return one.lines
    told = f"no answer to the next question within {seconds:g} seconds"
    return [*one.lines, Line("answer", Health.PROBLEM, told, "it hangs, or is very slow: --timeout SECONDS")]
