"""When a message is sent, tried again, or given up; pure, the time is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from immy_nornir.decide.times.windows import opening
from immy_nornir.model.control.telling import Channel, Telling

RETRIES = (60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)
"""How long after each failed try the next one comes, in seconds; after the last of them it is given up."""
MOST_TRIES = len(RETRIES) + 1
STRIKES = 3
"""After so many failures of a channel in one turn, or one that took all of its time, the rest waits for the next."""


def next_try(tries: int, now: float) -> float | None:
    """When a message is tried again that has failed so many times; None: it is given up."""
    return now + RETRIES[tries - 1] if tries <= len(RETRIES) else None


def quiet_until(channel: Channel, now: float) -> float:
    """When a channel's quiet hours end; 0 where it is not quiet now."""
    if not channel.quiet or not channel.zone:
        return 0.0
    found = opening(channel.quiet, None, channel.zone, now, now)
    return found.ends if found is not None and found.begins <= now < found.ends else 0.0


def due_of(waiting: Sequence[Telling], now: float) -> Iterator[Telling]:
    """The messages of one channel that are due, in their order; behind one that waits nothing of its lane is."""
    blocked: set[str] = set()
    for one in sorted(waiting, key=lambda each: each.number):
        lane = one.message.lane
        if lane and (lane in blocked or "*" in blocked or (lane == "*" and blocked)):
            continue
        if one.next_at <= now:
            yield one
        elif lane:
            blocked.add(lane)
