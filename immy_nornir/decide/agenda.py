"""What begins by itself at this moment: `agenda(moment) -> Begin | Skip | TakeUp, ...`, and when to look again; pure.

One turn of it is `immy sessions resume --due`; the service (service.loop) takes turn after turn, and `--simulate` plays
it with a clock of its own. When a schedule is due is decide.schedules; what an occasion's run does is not known here.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from immy_nornir.model.control.schedules import KnownOccasion, Occasion, OccasionState, Overlap, Schedule
from immy_nornir.model.record.session import WaitKind

LOOKBACK_SECONDS = 31 * 86400.0
"""Occasions that nobody was there for are told so far back; of older ones there is no word."""
TOLD = 50
"""So many missed occasions of a schedule are written down one by one; of more only the newest."""
CONNECTIVITY_SECONDS = 600.0
"""A computer that no probe asks is taken up so often, though nobody has seen it answer."""
HOLD_SECONDS = 120.0
"""How often it is asked whether what holds a computer was lifted."""
LEFT_SECONDS = 3600.0
"""What nobody can go on with now, for whatever reason, is tried at least so often."""
FUTURE_SECONDS = 60.0
"""What was written down later than this was so while the clock was wrong."""

Occasions = Callable[[Schedule, float, float], Iterable[Occasion]]
"""The occasions of a schedule after one time and until another, in the order in which they are due."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Since when a schedule has said what it says: what it would have done before that is nobody's loss."""

    rule: str
    since: float


@dataclass(frozen=True, slots=True)
class Deferred:
    """A session that waits, with nobody at it."""

    id: str
    kind: str
    """A WaitKind, as far as it is known."""
    due_at: float
    asked_at: float = 0.0
    """When it was taken up last."""
    tries: int = 0
    """How often it was taken up in this process; what is only left unfinished again is asked ever more rarely."""
    run: str = ""
    """Of what waits for its turn: the run whose earlier wave has to come first."""
    probed: bool = False
    """Whether its computer is asked all the time by a probe: it is taken up when that hears of it."""


@dataclass(frozen=True, slots=True)
class AgendaMoment:
    """What the agenda depends on."""

    now: float
    schedules: Sequence[Schedule] = ()
    occasions: Occasions = lambda _schedule, _after, _until: ()
    watched: Mapping[str, Watch] = field(default_factory=dict)
    known: Sequence[KnownOccasion] = ()
    at_work: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Runs whose sessions are being worked on, by schedule and part; what waits for a night is not at work."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Why nothing of a schedule may begin now, though it is due."""
    deferred: Sequence[Deferred] = ()
    answered: frozenset[str] = frozenset()
    """Sessions whose computer was just seen to answer."""
    settled: Mapping[str, float] = field(default_factory=dict)
    """Until when everything of a schedule is known: who looks again and again need not look at a month."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why a schedule could not begin when it was tried last."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A schedule that says something new: it is watched from now on."""

    schedule: str
    watch: Watch


@dataclass(frozen=True, slots=True)
class Begin:
    """An occasion begins."""

    occasion: Occasion


@dataclass(frozen=True, slots=True)
class Skip:
    """An occasion never begins."""

    occasion: Occasion
    why: str


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Sessions whose time has come, or whose computer answers."""

    sessions: tuple[str, ...]


Todo = Watched | Begin | Skip | TakeUp


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is to be done now, in order, and when there is something to do next as far as is known."""

    todo: tuple[Todo, ...]
    next_at: float


def agenda(moment: AgendaMoment) -> Agenda:
    """What begins by itself now; the same moment has the same agenda, whenever and however often it is asked for."""
    todo: list[Todo] = []
    next_at = math.inf
    known = {(one.occasion.schedule, one.occasion.part, one.occasion.due_at): one for one in _believed(moment)}
    for schedule in moment.schedules:
        watch = moment.watched.get(schedule.name)
        rule = rule_of(schedule)
        if watch is None or watch.rule != rule:
            watch = Watch(rule, moment.now)
            todo.append(Watched(schedule.name, watch))
        todo += _due(schedule, watch, known, moment)
        upcoming = next(iter(moment.occasions(schedule, moment.now, moment.now + 7 * 86400.0)), None)
        if upcoming is not None:
            next_at = min(next_at, upcoming.due_at)
    ready = _with_turns([one for one in moment.deferred if _ready(one, moment)], moment.deferred)
    if ready:
        todo.append(TakeUp(tuple(one.id for one in moment.deferred if one.id in ready)))
    waiting = (_again(one) for one in moment.deferred if one.id not in ready)
    return Agenda(tuple(todo), min(next_at, min(waiting, default=math.inf)))


def rule_of(schedule: Schedule) -> str:
    """A schedule's times as a short text: it changes with them."""
    parts = (schedule.when, schedule.zone, schedule.stagger, schedule.first, schedule.last)
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _believed(moment: AgendaMoment) -> Iterator[KnownOccasion]:
    """What is known, but for what was skipped while the clock was far ahead; what began then has begun."""
    for one in moment.known:
        if one.state is OccasionState.BEGAN or one.at <= moment.now + FUTURE_SECONDS:
            yield one


def _due(
    schedule: Schedule,
    watch: Watch,
    known: Mapping[tuple[str, str, float], KnownOccasion],
    moment: AgendaMoment,
) -> list[Todo]:
    """What becomes of a schedule's occasions until now that nothing is known about."""
    now = moment.now
    newest = max((due for name, _, due in known if name == schedule.name and due <= now), default=-math.inf)
    # Those of before the newest that is known are known too, but for those that may still begin.
    settled = moment.settled.get(schedule.name, -math.inf)
    after = max(watch.since, newest - schedule.start_within - schedule.stagger - 1.0, now - LOOKBACK_SECONDS)
    after = max(after, settled) if settled <= now else after
    found = (
        one for one in moment.occasions(schedule, after, now) if (schedule.name, one.part, one.due_at) not in known
    )
    open_: list[Occasion] = []
    missed: list[Occasion] = []
    for one in found:
        (open_ if now - one.due_at <= schedule.start_within else missed).append(one)
    late = f"nobody was there to begin it within {_told(schedule.start_within)}"
    left_out = len(missed) - TOLD
    if left_out > 0:
        late += f", nor {left_out} before the last {TOLD}"
    todo: list[Todo] = [Skip(one, _why_missed(schedule, late, moment)) for one in missed[-TOLD:]]
    last = {one.part: one for one in open_}
    for one in open_:
        todo += _now(schedule, one, last[one.part], moment)
    return todo


def _why_missed(schedule: Schedule, late: str, moment: AgendaMoment) -> str:
    return f"paused: {schedule.paused}" if schedule.paused else _trouble(schedule, moment) or late


def _trouble(schedule: Schedule, moment: AgendaMoment) -> str:
    return moment.held.get(schedule.name) or moment.troubles.get(schedule.name, "")


def _now(schedule: Schedule, one: Occasion, last: Occasion, moment: AgendaMoment) -> Iterator[Todo]:
    """What becomes of an occasion that may still begin; nothing where it waits."""
    if schedule.paused:
        yield Skip(one, f"paused: {schedule.paused}")
    elif one.due_at < last.due_at:
        yield Skip(one, f"the one of {last.told or 'later'} is due too")
    elif schedule.name in moment.held:
        return
    elif (run := moment.at_work.get((schedule.name, one.part))) is not None:
        if schedule.overlap is Overlap.SKIP:
            yield Skip(one, f"the one before is still at work (run {run})")
    else:
        yield Begin(one)


def _told(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h" if minutes % 60 == 0 and minutes else f"{minutes} min"


# --- sessions that wait ---------------------------------------------------------------------------------------

_ANSWERED = (WaitKind.APPROVAL, WaitKind.BRAKES)
"""Waits that end with somebody's answer: nobody is here to give it."""


def _ready(one: Deferred, moment: AgendaMoment) -> bool:
    if one.kind in (*_ANSWERED, WaitKind.TURN):
        return False
    return one.id in moment.answered or _again(one) <= moment.now


def due_now(waiting: Sequence[Deferred], now: float) -> set[str]:
    """The ids of those that somebody who asks for what is due goes on with.

    Each computer that is off, held or not ready is asked, and whoever asks can give the approvals.
    """
    asked = (*_ANSWERED, WaitKind.CONNECTIVITY, WaitKind.HOLD, WaitKind.PREFLIGHT)
    moment = AgendaMoment(now, deferred=waiting)
    return _with_turns([one for one in waiting if one.kind in asked or _ready(one, moment)], waiting)


def _with_turns(ready: Sequence[Deferred], all_: Sequence[Deferred]) -> set[str]:
    """The ids of those, with what waits for its turn behind them."""
    runs = {one.run for one in ready}
    held = {one.run for one in all_ if one.kind != WaitKind.TURN}
    turns = (one for one in all_ if one.kind == WaitKind.TURN and (one.run in runs or one.run not in held))
    return {one.id for one in ready} | {one.id for one in turns}


def _again(one: Deferred) -> float:
    """When a session is taken up though nothing was heard of its computer."""
    if one.kind in (*_ANSWERED, WaitKind.TURN):
        return math.inf
    if one.kind == WaitKind.CONNECTIVITY:
        return max(one.due_at, one.asked_at + (LEFT_SECONDS if one.probed else CONNECTIVITY_SECONDS))
    if one.kind in (WaitKind.HOLD, WaitKind.PAUSE):  # it may be lifted at any time
        return one.asked_at + HOLD_SECONDS
    longer = 2.0 ** min(one.tries - 1, 6) if one.tries and not one.kind else 1.0
    return max(one.due_at, one.asked_at + min(60.0 * longer, LEFT_SECONDS))


# --- playing it -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _World:
    """What a simulation remembers."""

    known: list[KnownOccasion] = field(default_factory=list)
    watched: dict[str, Watch] = field(default_factory=dict)
    runs: list[tuple[float, int, tuple[str, str]]] = field(default_factory=list)
    """A heap of (end, number, schedule and part)."""


@dataclass(frozen=True, slots=True)
class Played:
    """What happened in a simulation, at its time."""

    at: float
    todo: Begin | Skip


def simulate(
    schedules: Sequence[Schedule], occasions: Occasions, begin: float, end: float, run_seconds: float
) -> Iterator[Played]:
    """Play the agenda from one time to another, each run taking so long; nothing is begun, and nothing written."""
    world = _World(watched={one.name: Watch(rule_of(one), begin) for one in schedules})
    numbers = itertools.count(1)
    now = begin
    while now <= end:
        while world.runs and world.runs[0][0] <= now:
            heapq.heappop(world.runs)
        at_work = {key: f"{number}" for _, number, key in world.runs}
        made = agenda(AgendaMoment(now, schedules, occasions, world.watched, world.known, at_work))
        for todo in made.todo:
            match todo:
                case Begin(occasion):
                    world.known.append(KnownOccasion(occasion, OccasionState.BEGAN, now))
                    heapq.heappush(world.runs, (now + run_seconds, next(numbers), (occasion.schedule, occasion.part)))
                    yield Played(now, todo)
                case Skip(occasion):
                    world.known.append(KnownOccasion(occasion, OccasionState.SKIPPED, now))
                    yield Played(now, todo)
        # Only what may still matter: a year has many occasions.
        oldest = now - max((one.start_within + one.stagger for one in schedules), default=0.0) - 86400.0
        world.known = [one for one in world.known if one.occasion.due_at >= oldest]
        ends = world.runs[0][0] if world.runs else math.inf
        queued = any(one.overlap is Overlap.QUEUE for one in schedules)
        now = max(now + 1.0, min(made.next_at, ends if queued else math.inf))
