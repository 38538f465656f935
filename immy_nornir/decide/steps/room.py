"""Whether limits leave room for the next step of a session, and what it may keep of them while it waits; pure.

A session that waits for a slot holds none: what it needs for a step it takes in one go, with what it needs to be worked
on. What is on its way already (a job, a reboot that an installer began) has its slots by force: it cannot be held back.
So a limit is passed where something comes by itself or is taken up, and never by what begins here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from immy_nornir.decide.limits import NOTHING, Needs, of_item
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Do, Perform, Step, Take, Wait
from immy_nornir.decide.steps.under_way import FORGOTTEN_SECONDS, OVERDUE_SECONDS, Job
from immy_nornir.model.control.limits import Slot
from immy_nornir.model.record.session import WaitKind


@dataclass(frozen=True, slots=True)
class Room:
    """What a session needs of the limits, has of them, and was refused a moment ago."""

    needs: Needs = NOTHING
    held: frozenset[str] = frozenset()
    refused: str = ""
    """For which limit it has to wait, and who is there; empty when it was not refused."""
    until: float = 0.0
    """When it is worth asking again, if nobody says so before."""
    pacing: bool = False
    """It waits for its turn to open a connection, and for no slot."""
    may_connect: bool = False
    """It was its turn to open a connection, and it has not yet."""


NO_ROOM_NEEDED = Room()
_CONNECTS = (Do.CONNECT, Do.CHECK_BOOT, Do.ASK_REBOOT)


def for_contact(room: Room, step: Step, *, connected: bool) -> Step | None:
    """What is to be done before a step that speaks with the computer; None when it may be done now."""
    if not isinstance(step, Perform):
        return None
    needs = room.needs
    if (instead := _unless(room, needs.work)) is not None:
        return instead
    if connected or step.do not in _CONNECTS or not needs.connections_per_second or room.may_connect:
        return None
    return _wait(room) if room.refused else Take(connect=True)


def for_action(state: State, room: Room, action_id: str) -> Step | None:
    """What is to be done before work on an action begins; None when it may begin."""
    return _unless(room, (*room.needs.work, *_of_action(state, room, action_id)))


def for_reboot(room: Room) -> Step | None:
    """What is to be done before a reboot is intended or asked for; None when it may be."""
    return _unless(room, (*room.needs.work, *room.needs.reboot), room.needs.after)


@dataclass(frozen=True, slots=True)
class Left:
    """What is used still when its session has left the computer."""

    slots: tuple[Slot, ...]
    until: float
    """When the computer has ended it at the latest; a day where that time is over already: nobody can tell."""


def left_behind(state: State, room: Room) -> Left | None:
    """The slots of jobs that were left at work, in case nobody from this process looks after them."""
    jobs = state.left if state.job is None or not state.job.seen or state.job.over else (*state.left, state.job)
    slots = {one.key: one for job in jobs for name in job.actions for one in _of_action(state, room, name)}
    if not slots:
        return None
    return Left(tuple(slots.values()), max(_ends_at(state, job) for job in jobs))


def _ends_at(state: State, job: Job) -> float:
    seconds = max((state.actions[name].plan.timeout_seconds for name in job.actions), default=0.0)
    latest = (job.seen_at or job.intended_at) + seconds + OVERDUE_SECONDS
    return latest if job.left_at < latest else job.left_at + FORGOTTEN_SECONDS


def on_its_way(state: State, room: Room) -> Take | None:
    """What is taken by force, for it is used already; None where the session has all of that."""
    used = _used(state, room)
    missing = tuple(one for one in used if one.key not in room.held)
    return Take(missing, by_force=True) if missing else None


def kept(state: State, room: Room, wait: Wait | None) -> frozenset[str]:
    """What a session keeps of its slots while it waits, or after something has ended; all others it gives back."""
    keep = {one.key for one in _used(state, room)}
    reboot = state.reboot is not None
    if reboot and wait is None:
        keep |= {one.key for one in room.needs.reboot}
    short = wait is None or (not wait.deferred and wait.kind in (WaitKind.JOB, WaitKind.REBOOT, WaitKind.RETRY))
    if short:
        keep |= {one.key for one in room.needs.work}
    return frozenset(keep)


def _used(state: State, room: Room) -> tuple[Slot, ...]:
    """The slots of what is under way on the computer: it has them, whatever the limits say."""
    job, reboot = state.job, state.reboot
    at_work = state.left if job is None else (*state.left, job)
    used = [one for each in at_work for name in each.actions for one in _of_action(state, room, name)]
    on_its_way = reboot is not None and (reboot.asked or reboot.by_itself)
    if on_its_way:
        used += room.needs.reboot
    return (*room.needs.work, *used) if job is not None or on_its_way else tuple(used)


def _of_action(state: State, room: Room, action_id: str) -> tuple[Slot, ...]:
    item = state.definitions.get(state.actions[action_id].plan.definition)
    return () if item is None else of_item(room.needs, item)


def _unless(room: Room, slots: Iterable[Slot], after: tuple[str, ...] = ()) -> Step | None:
    wanted = tuple(slots)
    needed = {one.key for one in wanted}
    if after:
        needed.add(AFTER)
    if needed <= room.held:
        return None
    return _wait(room) if room.refused else Take(wanted, after)


AFTER = "after others"
"""That the order of reboots lets it reboot now."""


def _wait(room: Room) -> Wait:
    return Wait(WaitKind.SLOT, room.until, room.refused)
