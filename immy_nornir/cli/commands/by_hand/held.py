"""What is typed to be done now, on computers that something holds: refused with its reason, and not left for later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError
from immy_nornir.text.plain import listed

if TYPE_CHECKING:
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession

_TOLD = 5
QUEUES = "--wait stays until that is over, and does it then"


def held_now(engine: Engine, specs: Sequence[SessionSpec], advice: str = QUEUES) -> Mapping[str, str]:
    """Why nothing begins on some of the computers; each of them was said.

    Raises: UsageError where that is so of all of them.
    """
    from immy_nornir.decide.holds import in_force, sentence
    from immy_nornir.decide.steps.times import at_once_or_never

    if not any(at_once_or_never(one) for one in specs):
        return {}
    now = engine.clock.now()
    with engine.history.read() as reader:
        zones = reader.zones()
    found: dict[str, str] = {}
    for one in specs:
        reported = zones.get(one.computer)
        hold = in_force(engine.holds_of(one, reported), now)
        if hold is not None and at_once_or_never(one):
            found[one.computer] = sentence(hold, one.time_zone or str(reported or "UTC"))
    told = [f"{name} is {why}" for name, why in found.items()]
    if len(found) == len(specs):
        raise UsageError(listed(told, _TOLD, "; "), advice)
    for line in told[:_TOLD]:
        say(f"left out: {line}", err=True)
    if told[_TOLD:]:
        say(f"left out: {len(told) - _TOLD:,} more", err=True)
    return found


def end_held(lives: Iterable[LiveSession], held: Mapping[str, str]) -> None:
    """End the sessions of these computers before they begin, each with its reason."""
    from immy_nornir.model.record.session import EndReason, Status

    for live in lives:
        if (why := held.get(live.computer)) is not None and live.never_begun:
            live.end(Status.MISSED, why, EndReason.HELD)


def code_of(code: int, lives: Iterable[LiveSession]) -> int:
    """The exit code where some computers were held: that is not what was asked for."""
    from immy_nornir.model.record.session import EndReason

    return 6 if code in (0, 5) and any(live.recap.reason is EndReason.HELD for live in lives) else code
