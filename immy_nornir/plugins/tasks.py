"""The Nornir task of a maintenance session: a plain function for `nr.run`, under any runner.

Under the `immy` runner a session that has to wait returns a parked Result and its thread is free; under any other
runner the same function blocks through its waits.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping

from nornir.core.task import Result, Task

from immy_nornir.model.record.session import Outcome, Status, WaitKind
from immy_nornir.session.crew.settled import Parked, Settled
from immy_nornir.session.live import LiveSession

_may_park: contextvars.ContextVar[bool] = contextvars.ContextVar("immy_may_park", default=False)
_woken: contextvars.ContextVar[bool] = contextvars.ContextVar("immy_woken", default=False)

GOOD = (Status.PASSED,)


@contextlib.contextmanager
def parking(*, woken: bool) -> Iterator[None]:
    """What the `immy` runner wraps each leg in: the task may park instead of blocking."""
    allowed, seen = _may_park.set(True), _woken.set(woken)
    try:
        yield
    finally:
        _may_park.reset(allowed)
        _woken.reset(seen)


def maintain(task: Task, sessions: Mapping[str, LiveSession], *, wait: bool = False) -> Result:
    """Advance the host's session to its end, or to its next wait where the runner can park it.

    The Result's value is a map of the session's id, status, reason and action outcomes; it has failed when the session
    did not pass. With `wait`, deferred waits (a window, a computer that is off) are waited for too.
    """
    live = sessions[task.host.name]
    woken = _woken.get()
    while True:
        match live.advance(woken=woken):
            case Settled():
                live.engine.limiter.go(seat_of(live))
                return _result(task, live)
            case Parked(pause) as parked:
                if pause.deferred and (not wait or pause.kind is WaitKind.APPROVAL):
                    live.defer()
                    live.engine.limiter.go(seat_of(live))
                    return _result(task, live)
                if _may_park.get():
                    return Result(host=task.host, result=parked)
                woken = False
                until = pause.until - live.engine.clock.now()
                # Whoever gives a slot back wakes nobody here.
                live.engine.clock.sleep(max(0.0, min(until, 1.0) if pause.kind is WaitKind.SLOT else until))


def seat_of(live: LiveSession) -> str:
    """The name under which others' reboots may wait for what this host does."""
    return f"{id(live)}/{live.computer}"


_BAD = (Status.FAILED, Status.PARTIALLY_PASSED, Status.MISSED, Status.CANCELLED, Status.INTERRUPTED)


def _result(task: Task, live: LiveSession) -> Result:
    recap = live.recap
    changed = any(one.attempted and one.outcome is Outcome.SUCCESS for one in recap.actions)
    return Result(host=task.host, result=summary(live), changed=changed, failed=recap.status in _BAD)


def summary(live: LiveSession) -> dict[str, object]:
    """A session for people and scripts: ids, status, and what became of each action."""
    recap = live.recap
    return {
        "session": live.id,
        "status": recap.status.value,
        "reason": recap.message,
        "reboots": recap.reboots,
        "actions": {one.id: one.sentence for one in recap.actions},
    }
