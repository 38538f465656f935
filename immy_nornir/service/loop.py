"""The service: turn after turn of `decide.agenda`, on one crew, until it is told to stop.

What begins is stored with its occasion before anybody works on it; a service that is killed at any point leaves runs
that the next one takes up, and occasions that it has not begun. Each run has a thread of its own, which waits; the
threads that work are the crew's. Not here: when something is due (decide), which files are served (service.served).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from immy_nornir.decide.agenda import (
    LOOKBACK_SECONDS,
    Agenda,
    AgendaMoment,
    Begin,
    Skip,
    TakeUp,
    Watched,
    agenda,
    rule_of,
)
from immy_nornir.errors import HistoryError, ImmyError
from immy_nornir.model.record.run import Pace
from immy_nornir.model.record.session import WaitKind
from immy_nornir.service import beginning, taking
from immy_nornir.service.answers import Answers
from immy_nornir.session.reins.orders import in_turn

if TYPE_CHECKING:
    from immy_nornir.decide.agenda import Deferred
    from immy_nornir.history.agenda_rows import Left, Written
    from immy_nornir.model.control.schedules import Occasion, Schedule
    from immy_nornir.service.works import Work, Works
    from immy_nornir.session.crew.crew import Crew
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.runs import LiveRun

TURN_SECONDS = 5.0
"""The longest time between two turns: files, orders and computers that answer are seen by then."""
AGAIN_SECONDS = 60.0
"""What could not be begun is tried again after so long."""
JUMP_SECONDS = 300.0
"""A clock that moved so far from the one that never jumps is let settle before anything begins by it."""
SETTLE_SECONDS = 30.0
MOST_RUNS = 64
"""So many runs are at work at once; what is due beyond them begins when one has ended."""


@dataclass(slots=True)
class AtWork:
    """Sessions that a thread of this process waits for."""

    thread: threading.Thread
    runs: Sequence[LiveRun]
    alone: Sequence[LiveSession]
    occasion: Occasion | None = None
    crashed: str = ""

    @property
    def lives(self) -> list[LiveSession]:
        """All of them."""
        return [*self.alone, *(live for run in self.runs for live in run.sessions.values())]

    @property
    def busy(self) -> set[str]:
        """The ids of those of which more comes here, with the older sessions that are settled before them."""
        return {one.id for live in self.lives if not live.rests for one in in_turn(live)}


@dataclass(frozen=True, slots=True)
class Health:
    """How the service is, after a turn."""

    at: float
    next_at: float | None
    at_work: Sequence[str]
    """Runs."""
    waiting: int
    """Sessions that wait for their computer."""
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the service needs of whoever started it."""

    who: tuple[str, str]
    """The user and the machine that runs are begun by."""
    commit: Callable[[], str]
    """Of the files that are served now."""
    say: Callable[[str], None]
    ended: Callable[[AtWork], None]
    """Told of what has ended or was left, by the main thread: summary and report."""
    health: Callable[[Health], None] = lambda _: None
    look: Callable[[], None] = lambda: None
    """Looks at what is served, and switches to it."""
    problems: Callable[[], Sequence[str]] = tuple
    tell: Callable[[], None] = lambda: None
    """Called in each turn, and must be quick: whoever tells people of it does so in a thread of its own."""


@dataclass(slots=True)
class Service:
    """Used by one thread; `stop` of the engine ends it."""

    engine: Engine
    crew: Crew
    works: Works
    around: Surroundings
    pace: Pace = field(default_factory=Pace)
    takes_up: bool = True
    """Whether sessions that wait are taken up when their time comes."""
    at_work: list[AtWork] = field(default_factory=list)
    _answers: Answers = field(init=False)
    _asked: dict[str, tuple[float, int]] = field(default_factory=dict)
    """When sessions were looked at last to be taken up, and how often they were taken up."""
    _failed: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Schedules that could not begin: since when, and why."""
    _crowded: set[str] = field(default_factory=set)
    """Schedules that were due, and did not begin because so many runs were at work."""
    _clocks: tuple[float, float] | None = None
    _settled_at: float = -math.inf
    _known_until: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By schedule: its rule, and until when what became of its occasions is written down."""
    _trouble: str = ""
    _said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._answers = Answers(self.engine)

    def serve(self) -> bool:
        """Turn after turn until the operator stops it; then what is at work is waited for. True."""
        engine = self.engine
        try:
            while not engine.stop.level:
                made = self.turn()
                until = min(TURN_SECONDS, max(0.2, made.next_at - engine.clock.now()))
                self._rest(until)
        finally:
            self._answers.close()
        self.finish()
        return True

    def once(self) -> bool:
        """One turn, and the end of what it began; whether the turn was sound."""
        try:
            self.turn()
        finally:
            self._answers.close()
        sound = not (self._trouble or self._failed)
        self.finish()
        return sound

    def _rest(self, seconds: float) -> None:
        ends = self.engine.clock.monotonic() + seconds
        while not self.engine.stop.level and (left := ends - self.engine.clock.monotonic()) > 0:
            if self._answers.news.wait(min(left, 0.2)):  # signals reach the main thread between two waits only
                self._answers.news.clear()
                return

    def finish(self) -> None:
        """Wait for what is at work; its threads see a stop by themselves."""
        while self.at_work:
            for one in self.at_work:
                one.thread.join(0.2)
            self._reap()

    # --- one turn ---

    def turn(self) -> Agenda:
        """Do what is due now. What fails is said, and tried again in a later turn."""
        engine = self.engine
        self._reap()
        self._guarded("the files", self.around.look)
        self._guarded("the files", engine.look_at_files)
        now = engine.clock.now()
        if not self._clock_is_settled(now):
            return Agenda((), now + SETTLE_SECONDS)
        try:
            made = self._turn(now)
            self._trouble = ""
        except Exception as error:  # noqa: BLE001 - its end would interrupt all that is at work
            told, self._trouble = self._told(error)
            self._once("turn", f"{told}; it is tried again")
            made = Agenda((), now + TURN_SECONDS)
        self._tell_health(now, made)
        self.around.tell()
        return made

    def _turn(self, now: float) -> Agenda:
        works = self.works.now()
        schedules = [one.schedule for one in works.values()]
        longest = max((one.start_within + one.stagger for one in schedules), default=0.0)
        settled = self._settled_until(schedules, now)
        all_settled = len(settled) == len(schedules)
        since = min(settled.values(), default=now) if all_settled else now - LOOKBACK_SECONDS - longest
        # A run that is at work may have begun long before the time until which everything is known.
        written = self.engine.history.agenda(since, self._runs_at_work())
        for gone in written.watches.keys() - self.works.schedules().keys():
            self.engine.history.watch(gone, None)  # one that comes back owes nothing of the past
        there = {one.deferred.id for one in written.left} | self._busy()
        self._asked = {session: at for session, at in self._asked.items() if session in there}
        left = {one.deferred.id: one for one in self._left(written)} if self.takes_up else {}
        self._answers.watch([one for one in left.values() if one.deferred.kind == "connectivity"])
        made = agenda(
            AgendaMoment(
                now,
                schedules,
                self.works.occasions,
                written.watches,
                written.known,
                self._keys_at_work(written),
                self._held(works, now),
                [self._with_asked(one.deferred, now) for one in left.values()],
                self._answers.taken(),
                settled,
                self._troubles(),
            )
        )
        if self._do(made, works, left, now):
            # A second earlier: what may begin until this very moment may still be missed.
            sure = {one.name: now - one.start_within - one.stagger - 1.0 for one in schedules}
            self._known_until = {one.name: (rule_of(one), sure[one.name]) for one in schedules}
        return made

    def _do(self, made: Agenda, works: Mapping[str, Work], left: Mapping[str, Left], now: float) -> bool:
        """Do it all; whether nothing of it was put off."""
        put_off = False
        for todo in made.todo:
            if self.engine.stop.level:
                return False
            match todo:
                case Watched(schedule, watch):
                    self.engine.history.watch(schedule, watch)
                case Skip(occasion, why):
                    self._crowded.discard(occasion.schedule)
                    self._skip(occasion, why)
                case Begin(occasion) if sum(bool(one.runs) for one in self.at_work) < MOST_RUNS:
                    self._crowded.discard(occasion.schedule)
                    self._begin(works[occasion.schedule], occasion, now)
                case Begin(occasion):
                    self._crowded.add(occasion.schedule)
                    told = f"{_name(occasion)}: it is due, and waits: {MOST_RUNS} runs are at work, the most at once"
                    self._once(f"crowded {occasion.schedule}", told)
                    put_off = True
                case TakeUp(ids):
                    self._take_up([left[one] for one in ids], now)
        return not put_off

    def _troubles(self) -> dict[str, str]:
        """Why schedules that were due could not begin when it was tried last."""
        crowded = dict.fromkeys(self._crowded, f"{MOST_RUNS} runs were at work all the time, the most at once")
        return {**crowded, **{name: f"it could not begin: {why}" for name, (_, why) in self._failed.items()}}

    def _settled_until(self, schedules: Sequence[Schedule], now: float) -> dict[str, float]:
        """Until when all of a schedule is known; of one that says something else, or by another clock, it is not."""
        known = ((one, self._known_until.get(one.name)) for one in schedules)
        return {one.name: it[1] for one, it in known if it is not None and it[0] == rule_of(one) and it[1] <= now}

    def _skip(self, occasion: Occasion, why: str) -> None:
        with contextlib.suppress(HistoryError):  # another service was quicker
            self.engine.history.skip(occasion, why)
            self.around.say(f"{_name(occasion)}: skipped: {why}")

    def _begin(self, work: Work, occasion: Occasion, now: float) -> None:
        try:
            run = beginning.begin(self.engine, work, occasion, self.pace, self.around.who, self.around.commit())
        except Exception as error:  # noqa: BLE001 - a bug in one schedule must not end the service
            told, why = self._told(error)
            self._failed[occasion.schedule] = (now, why)
            self._once(occasion.schedule, f"{_name(occasion)}: could not begin: {told}; it is tried again")
            return
        self._failed.pop(occasion.schedule, None)
        self._said.pop(occasion.schedule, None)
        self._said.pop(f"crowded {occasion.schedule}", None)
        computers = len({live.computer for live in run.sessions.values()})
        self.around.say(f"{_name(occasion)}: run {run.state.spec.id} began: {computers:,} computers")
        self._start([run], (), occasion)

    def _take_up(self, left: Sequence[Left], now: float) -> None:
        free = self._free(left, now)
        for one in left:
            _, tries = self._asked.get(one.deferred.id, (0.0, 0))
            self._asked[one.deferred.id] = now, tries + (one in free)
        left = free
        if not left:
            return
        busy = {run.state.spec.id for one in self.at_work for run in one.runs}
        runs, alone = taking.take(self.engine, left, busy, self.works.schedules(), now)
        if runs or alone:
            ids = [live.id for live in (*alone, *(live for run in runs for live in run.sessions.values()))]
            self.around.say(f"goes on with {len(ids):,} sessions that waited")
        for run in runs:
            self._start([run], ())
        if alone:
            self._start([], alone)

    def _start(self, runs: Sequence[LiveRun], alone: Sequence[LiveSession], occasion: Occasion | None = None) -> None:
        one = AtWork(threading.Thread(), runs, alone, occasion)

        def work() -> None:
            try:
                beginning.go(
                    self.engine, runs, alone, self.pace, self.crew, self.around.say, fresh=occasion is not None
                )
            except Exception as error:  # noqa: BLE001 - a bug in one run must not end the service
                one.crashed = f"{type(error).__name__}: {self.engine.redactor.clean(str(error))}"
                for live in one.lives:
                    live.abandon("a fault of immy ended the work on its run")

        name = runs[0].state.spec.id if runs else "alone"
        one.thread = threading.Thread(target=work, name=f"immy-run-{name}", daemon=True)
        self.at_work.append(one)
        one.thread.start()

    # --- what the agenda depends on ---

    def _free(self, left: Sequence[Left], now: float) -> list[Left]:
        """Without what has begun with an occasion of this turn, what is held still, and what waits behind that."""
        busy, schedules = self._busy(), self.works.schedules()
        held = [one for one in left if taking.is_held(self.engine, one, schedules, now)]
        gone = busy | {one.deferred.id for one in held}
        free = [one for one in left if one.deferred.id not in gone]
        moved = {one.run_id for one in free if one.deferred.kind != WaitKind.TURN}
        stuck = {one.run_id for one in held} - moved
        return [one for one in free if one.deferred.kind != WaitKind.TURN or one.run_id not in stuck]

    def _left(self, written: Written) -> list[Left]:
        """Sessions that may be taken up: of computers that there are, and that nobody is at in this process."""
        busy = self._busy()
        return [one for one in written.left if one.deferred.id not in busy and self.works.knows(one.computer)]

    def _busy(self) -> set[str]:
        return {session for one in self.at_work for session in one.busy}

    def _with_asked(self, one: Deferred, now: float) -> Deferred:
        asked, tries = self._asked.get(one.id, (math.inf, 0))
        if asked > now:
            return one
        return dataclasses.replace(one, asked_at=asked, tries=tries, probed=one.id in self._answers.probed)

    def _keys_at_work(self, written: Written) -> dict[tuple[str, str], str]:
        """Of runs that were taken up too; one whose sessions all wait for their time is not at work."""
        runs = self._runs_at_work()
        began = (one for one in written.known if one.run_id in runs)
        return {(one.occasion.schedule, one.occasion.part): one.run_id for one in began}

    def _runs_at_work(self) -> set[str]:
        return {run.state.spec.id for one in self.at_work for run in one.runs}

    def _held(self, works: Mapping[str, Work], now: float) -> dict[str, str]:
        frozen = self.engine.frozen("") or self.engine.unreadable
        held = {name: frozen for name, one in works.items() if one.changes} if frozen else {}
        for name, (since, why) in self._failed.items():
            if abs(now - since) < AGAIN_SECONDS:
                held.setdefault(name, why)
        return held

    def _clock_is_settled(self, now: float) -> bool:
        steady = self.engine.clock.monotonic()
        before, self._clocks = self._clocks, (now, steady)
        if before is not None and abs((now - before[0]) - (steady - before[1])) >= JUMP_SECONDS:
            self._settled_at = steady + SETTLE_SECONDS
            hours = ((now - before[0]) - (steady - before[1])) / 3600
            self.around.say(f"the clock moved by {hours:+.1f} h; nothing begins for {SETTLE_SECONDS:.0f} s")
        return steady >= self._settled_at

    # --- what has ended ---

    def _reap(self) -> None:
        for one in [each for each in self.at_work if not each.thread.is_alive()]:
            self.at_work.remove(one)
            if one.crashed:
                self.around.say(f"a bug of immy ended the work on a run: {one.crashed}")
            self._guarded("the report", functools.partial(self.around.ended, one))

    def _guarded(self, what: str, call: Callable[[], None]) -> None:
        try:
            call()
            self._said.pop(what, None)
        except Exception as error:  # noqa: BLE001 - a report that cannot be made ends no other run
            self._once(what, f"{what}: {self._told(error)[0]}")

    def _told(self, error: Exception) -> tuple[str, str]:
        """What went wrong, and the same in short; called while it is handled."""
        if isinstance(error, ImmyError):
            return str(error), error.message
        text = str(error) if isinstance(error, OSError) else f"a fault of immy; {self.engine.keep_bug()}"
        return text, text

    def _once(self, about: str, text: str) -> None:
        """Say what has not been said last time."""
        if self._said.get(about) != text:
            self._said[about] = text
            self.around.say(text)

    def _tell_health(self, now: float, made: Agenda) -> None:
        problems = [
            *self.around.problems(),
            *self.works.problems.values(),
            *filter(None, (self._trouble, self.engine.unreadable)),
        ]
        self._failed = {name: one for name, one in self._failed.items() if abs(now - one[0]) < 3 * AGAIN_SECONDS}
        problems += [f"schedule {name} could not begin: {why}" for name, (_, why) in sorted(self._failed.items())]
        runs = [run.state.spec.id for one in self.at_work for run in one.runs]
        next_at = made.next_at if math.isfinite(made.next_at) else None
        self._guarded(
            "the health file", lambda: self.around.health(Health(now, next_at, runs, self._answers.count, problems))
        )


def _name(occasion: Occasion) -> str:
    part = f" ({occasion.part})" if occasion.part else ""
    return f"{occasion.schedule}{part}, due {occasion.told}" if occasion.told else f"{occasion.schedule}{part}"
