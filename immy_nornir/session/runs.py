"""A run in this process: its sessions, its record, and the loop over `next_wave`.

Every computer of every play has a session row before the first one starts. The loop writes what is decided, lets the
sessions of a wave be worked on by whoever is given (plugins.batches), and decides nothing; what it left, another
process takes up from the record. Nothing here prints.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from immy_nornir.decide.runs.next_wave import Begin, End, Standing, Write, is_held, never_begun, next_wave, waves_of
from immy_nornir.decide.runs.run_state import RunState, fold_run
from immy_nornir.decide.steps.holding.deadlines import run_over, run_spent, spent
from immy_nornir.errors import HistoryError
from immy_nornir.model.playbooks import Options
from immy_nornir.model.record.run import (
    Approved,
    PlaySpec,
    RunEnded,
    RunEntry,
    RunHalted,
    RunLeft,
    RunSpec,
    RunStamped,
    WaveEnded,
)
from immy_nornir.model.record.session import EndReason, Outcome, Status, WaitKind
from immy_nornir.session.live import LiveSession
from immy_nornir.session.recap import Recap

if TYPE_CHECKING:
    from immy_nornir.model.control.schedules import Occasion
    from immy_nornir.model.inventory import Computer
    from immy_nornir.model.playbooks import MaintenanceType, Play
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.session.engine import Engine

Work = Callable[[str, Mapping[str, LiveSession]], None]
"""Advances sessions, by computer, until each has settled or is deferred; the first argument names what is done."""


@dataclass(slots=True)
class PlayRun:
    """One play with its computers and their sessions, in order."""

    play: Play
    type: MaintenanceType
    computers: list[Computer]
    specs: list[SessionSpec] = field(default_factory=list)
    sessions: dict[str, LiveSession] = field(default_factory=dict)
    """By computer."""

    @property
    def spec(self) -> PlaySpec:
        """The play as the run's record keeps it: its sessions, cut into waves in the play's order."""
        names = in_order(list(self.sessions), self.play.order)
        waves = tuple(tuple(self.sessions[name].id for name in wave) for wave in waves_of(names, self.play.serial))
        return PlaySpec(self.play.name, waves, self.play.max_fail_percentage)


def in_order(names: Sequence[str], order: str) -> list[str]:
    """Computers in a play's order."""
    match order:
        case "sorted":
            return sorted(names)
        case "reverse_sorted":
            return sorted(names, reverse=True)
        case "reverse_inventory":
            return list(reversed(names))
        case "shuffle":
            return random.sample(names, len(names))
        case _:
            return list(names)


_HOLDS = (WaitKind.WINDOW, WaitKind.HOLD, WaitKind.APPROVAL, WaitKind.TURN)
"""Waits of a wave that those after it wait for, too."""


def standing_of(recap: Recap, *, left: bool) -> Standing:
    """How a session stands for its wave; `left` when nothing more comes of it in this process."""
    if recap.reason is None and not left:
        return Standing.PENDING
    if recap.reason is None:
        return Standing.WAITING if recap.deferred and recap.waits_for in _HOLDS else Standing.LEFT
    if recap.status is Status.SUPERSEDED or recap.reason is EndReason.CANCELLED:
        return Standing.LEFT
    if recap.reason is EndReason.NOT_APPROVED:
        return Standing.DENIED
    if recap.status is Status.MISSED or recap.reason is EndReason.EXCLUDED:
        return Standing.MISSED
    if recap.status is Status.FAILED or (recap.status is Status.PARTIALLY_PASSED and recap.wrong):
        return Standing.FAILED
    unknown = any(one.outcome is Outcome.UNKNOWN for one in recap.actions)
    return Standing.UNKNOWN if unknown else Standing.FINE


class LiveRun:
    """A run that this process goes on with; used by one thread."""

    def __init__(
        self,
        engine: Engine,
        state: RunState,
        sessions: Mapping[str, LiveSession],
        others: Mapping[str, Standing] | None = None,
    ) -> None:
        """`sessions` are those to be advanced here, by id; `others` are those that are not, such as ended ones."""
        self.engine = engine
        self.state = state
        self.sessions = sessions
        self._others = others or {}
        self._worked_on: set[str] = set()
        self._time_due = -math.inf
        """When to look again whether it has taken as long as it may, by a clock that never jumps."""
        self.unwritten = ""
        """Why the run's record does not hold how it went on; empty when it does."""

    def append(self, entry: RunEntry) -> None:
        """Fold and store one entry of the run's record; it is on the disk when this returns."""
        stamped = RunStamped(self.state.entries + 1, self.engine.clock.now(), entry)
        after = fold_run(self.state, stamped)
        self.engine.history.append_run(after, stamped)
        self.state = after
        self.engine.run_listener(after, stamped)

    def go(self, work: Work) -> None:
        """Wave after wave, until none is left or the operator stops; then every session has a status of its own.

        Where the run's record cannot be written no further wave begins, and `unwritten` says why.
        """
        try:
            self._go(work)
        except HistoryError as error:
            self.unwritten = error.message
            for live in self.sessions.values():
                if not live.rests:
                    live.leave(f"history: {error.message}")

    def _go(self, work: Work) -> None:
        while not self.engine.stop.level:
            match next_wave(self.state, self._standing):
                case Write(entries):
                    for entry in entries:
                        self.append(self._timed(entry))
                    self.look_at_the_time()
                case Begin(play, ids):
                    self._work(play, ids, work)
                case End():
                    break
        self._end()

    # --- how long it may take ---

    def _timed(self, entry: RunEntry) -> RunEntry:
        """A wave's end with how long its longest session has run."""
        if not isinstance(entry, WaveEnded):
            return entry
        wave = self.state.spec.plays[entry.play].waves[entry.wave]
        return replace(entry, seconds=max(map(self._spent, wave), default=0.0))

    def _spent(self, session: str) -> float:
        live = self.sessions.get(session)
        if live is None:
            return 0.0
        state = live.state_now
        return live.recap.spent if state is None else spent(state, self.engine.clock.now())

    def look_at_the_time(self) -> list[str]:
        """Let no further wave begin, and nothing in its sessions, once the run has taken as long as it may.

        The computers whose sessions have to be called for it, once. Raises: HistoryError.
        """
        state, plays, now = self.state, self.state.spec.plays, self.engine.clock.monotonic()
        if now < self._time_due:
            return []
        limits = [live.spec.options.run_timeout_minutes for live in self.sessions.values()]
        under_way = [
            map(self._spent, play.waves[wave])
            for number, play in enumerate(plays)
            for wave in range(state.ended.get(number, 0), state.began.get(number, 0))
        ]
        seconds = run_spent(state.spent, under_way)
        minutes = min(limits, default=Options().run_timeout_minutes)
        why = run_over(minutes, seconds)
        self._time_due = now + max(1.0, minutes * 60.0 - seconds)  # not before: it runs no faster than the clock
        if not why:
            return []
        if None not in state.halted:
            self.append(RunHalted(None, why))
        called = [live for live in self.sessions.values() if not live.rests and not live.run_over]
        for live in called:
            live.run_over = why
        return [live.computer for live in called]

    def _standing(self, session: str) -> Standing:
        live = self.sessions.get(session)
        if live is None:
            return self._others.get(session, Standing.LEFT)
        if live.before is not None and session not in self._worked_on:
            return Standing.PENDING  # an older session waits to be settled, whatever becomes of this one
        return standing_of(live.recap, left=live.rests)

    def _work(self, play: int, ids: Sequence[str], work: Work) -> None:
        lives = [self.sessions[one] for one in ids]
        self._worked_on.update(ids)
        for live in lives:
            older = live.before
            while older is not None:
                older.superseded_by = live.id
                older = older.before
        work(self.state.spec.plays[play].name, {live.computer: live for live in lives})

    def _end(self) -> None:
        """End the sessions whose wave never comes, leave those whose wave may come, and write down how it stands."""
        never = never_begun(self.state)
        held = set() if self.engine.stop.level else self._held()
        for name, live in self.sessions.items():
            if live.rests or not live.never_begun:
                continue  # taken up again, it stays as it was left
            if why := never.get(name, ""):
                live.end(Status.CANCELLED, why, EndReason.HALTED)
            elif name in held:
                live.wait_for_turn("an earlier wave, which waits for its window, or for approval")
            elif live.recap.status is not Status.INTERRUPTED:
                live.interrupt("stopped by the operator before it began")
        if held:
            self.append(RunLeft("a wave waits for its window, or for approval"))
            return
        if any(live.recap.reason is None and not live.recap.deferred for live in self.sessions.values()):
            self.append(
                RunLeft("stopped by the operator" if self.engine.stop.level else "some sessions were interrupted")
            )
        else:
            self.append(RunEnded())

    def _held(self) -> set[str]:
        """The sessions of waves that come after one that waits for its window."""
        state = self.state
        numbers = [one for one in range(len(state.spec.plays)) if is_held(state, one, self._standing)]
        waves = (wave for one in numbers for wave in state.spec.plays[one].waves[state.began.get(one, 0) :])
        return {session for wave in waves for session in wave}


def begin_run(
    engine: Engine,
    spec: RunSpec,
    plays: Sequence[PlayRun],
    fresh: Sequence[SessionSpec],
    approved: Approved | None,
    occasion: Occasion | None = None,
) -> LiveRun:
    """Store a run with its `fresh` sessions (session.taking.taking_up made them), and what was approved beforehand.

    Raises: HistoryError, where the occasion that it begins for has begun before: nothing is stored then.
    """
    state = RunState(replace(spec, plays=tuple(one.spec for one in plays)))
    sessions = {live.id: live for one in plays for live in one.sessions.values()}
    engine.history.begin_run(state.spec, fresh, occasion)
    run = LiveRun(engine, state, sessions)
    if approved is not None:
        run.append(approved)
    return run
