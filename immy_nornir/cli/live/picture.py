"""The live picture of sessions at work: entries -> what is to be seen at a moment, in so many lines; draws nothing.

The lines are words first: the picture says the same without colours, and fits 80 columns.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.cli.times import clock
from immy_nornir.decide.steps.orders import told
from immy_nornir.history.projection import stage_of, status_of
from immy_nornir.history.sentences import sentence
from immy_nornir.model.record.entries import Finished, Interrupted, RebootEnded, Stamped
from immy_nornir.model.record.session import Status, WaitKind
from immy_nornir.model.record.words import WAITS_FOR, waits, word
from immy_nornir.report.words import count, took

if TYPE_CHECKING:
    from immy_nornir.decide.runs.run_state import RunState
    from immy_nornir.decide.steps.state import State

FEWEST_FOR_AN_END = 0.1
"""Before this part has ended nobody can say how long the rest takes."""
_AT_WORK = (None, WaitKind.JOB)
_FIXED = 6
"""Lines that are no rows: the bar, three of figures, one that stops, one for the rest."""

_ORDER = (Status.PASSED, *(one for one in Status if one is not Status.PASSED))


@dataclass(frozen=True, slots=True)
class Row:
    """One computer, or a group of them, in the picture."""

    name: str
    elapsed: str
    stage: str
    what: str
    failed: bool = False
    until: str = ""
    """When what it waits for is expected."""


@dataclass(frozen=True, slots=True)
class View:
    """What is to be seen."""

    total: int
    ended: int
    heads: tuple[str, ...]
    stopping: str
    rows: tuple[Row, ...]
    lines: tuple[str, ...] = ()
    """What is shown below the rows as it is."""
    foot: tuple[str, ...] = ()
    """What the keys do; at the bottom."""


@dataclass(frozen=True, slots=True)
class Here:
    """A session that somebody is at, or that waits."""

    began: float
    stage: str
    what: str
    waits: WaitKind | None
    """None: something is done on its computer."""
    until: float | None = None
    """When what it waits for is expected, where that is to be told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What sessions come to at one moment; whoever looks has made it of entries, or of the history."""

    total: int
    here: Mapping[str, Here]
    ended: Mapping[Status, int]
    failed: Sequence[Row]
    """Those that ended badly, the last one last."""
    reboots: int
    where: str
    elapsed: float
    stopping: int = 0
    pace: float | None = None
    """Seconds for each computer that has ended; None: as long as all has taken until now."""
    over: bool = False
    """Nobody is at them any more."""


def view_of(seen: Seen, now: float, height: int) -> View:
    """What is to be seen on a screen of so many lines."""
    done = sum(seen.ended.values())
    return View(seen.total, done, heads_of(seen), stopping_words(seen.stopping), _rows(seen, now, height))


def heads_of(seen: Seen) -> tuple[str, ...]:
    """How far all is, in figures; no estimate before a tenth has ended."""
    done, here = sum(seen.ended.values()), seen.here
    parts = [f"{done:,} of {count(seen.total, 'computer')}", count(seen.reboots, "reboot"), took(seen.elapsed)]
    halts = seen.stopping or seen.over
    if not halts and seen.total > done >= max(1, seen.total * FEWEST_FOR_AN_END):
        pace = seen.elapsed / done if seen.pace is None else seen.pace
        parts.append(f"about {_about(pace * (seen.total - done))} left")
    at_work = sum(one.waits in _AT_WORK for one in here.values())
    standing = [f"{at_work:,} at work", f"{len(here) - at_work:,} waiting"]
    if (rest := seen.total - done - len(here)) > 0:
        standing.append(f"{rest:,} {word(Status.CREATED)}")
    said = [f"{seen.ended[status]:,} {word(status)}" for status in _ORDER if seen.ended.get(status)]
    heads = [", ".join(parts), seen.where, "; ".join(", ".join(some) for some in (standing, said) if some)]
    return tuple(filter(None, heads))


class Picture:
    """What the entries of sessions come to; told by worker threads, looked at by another."""

    def __init__(self, total: int, runs: Sequence[Callable[[], RunState]], stopping: Callable[[], int]) -> None:
        """`runs` are asked how far they are, `stopping` how far the operator wants to stop."""
        self._total = total
        self._runs = runs
        self._stopping = stopping
        self._lock = threading.Lock()
        self._here: dict[str, Here] = {}
        self._ended: Counter[Status] = Counter()
        self._failed: list[Row] = []
        self._reboots = 0

    def take(self, state: State, stamped: Stamped) -> None:
        """Take in one entry."""
        name, entry = state.spec.computer, stamped.entry
        with self._lock:
            here = self._here.get(name)
            if isinstance(entry, RebootEnded) and entry.identity is not None:
                self._reboots += 1
            if not isinstance(entry, Finished | Interrupted):
                began = stamped.at if here is None else here.began
                waits = None if state.waiting is None else state.waiting.kind
                self._here[name] = Here(began, stage_of(state), _what(state, stamped), waits)
                return
            self._here.pop(name, None)
            status, reason = status_of(state)
            if status is Status.SUPERSEDED:  # another session follows it: its computer has not come to its end
                return
            self._ended[status] += 1
            asked = status is Status.INTERRUPTED and self._stopping()  # no news to who stopped it
            if status is not Status.PASSED and not asked:
                elapsed = "" if here is None else clock(stamped.at - here.began)
                self._failed.append(Row(name, elapsed, word(status), reason, failed=True))

    def view(self, now: float, elapsed: float, height: int) -> View:
        """What is to be seen at a moment, after `elapsed` seconds of work, on a screen of so many lines."""
        with self._lock:
            here, failed, ended, reboots = dict(self._here), self._failed[-height:], dict(self._ended), self._reboots
        wave = next(filter(None, (where(one()) for one in self._runs)), "")
        seen = Seen(self._total, here, ended, failed, reboots, wave, elapsed, self._stopping())
        return view_of(seen, now, height)


def where(run: RunState) -> str:
    """How far a run is in its plays and waves: `play 1 of 2 'weekly', wave 2 of 5`; empty where nobody is at it."""
    if not run.began or run.finished is not None or run.left:
        return ""
    number = max(run.began)
    plays = run.spec.plays
    play = plays[number]
    which = f"play {number + 1} of {len(plays)} " if len(plays) > 1 else "play "
    return f"{which}'{play.name}', wave {run.began[number]} of {len(play.waves)}"


def stopping_words(level: int) -> str:
    """What becomes of everything while it stops; empty when it does not."""
    if not level:
        return ""
    if level == 1:
        return "Stopping: no new action starts, running jobs go on. Ctrl-C again: disconnect."
    return "Stopping: leaving the connections. Ctrl-C again: out at once."


def _about(seconds: float) -> str:
    """An estimate, no finer than it can be."""
    return took(round(seconds / 60) * 60 if seconds > 120 else max(10, round(seconds / 10) * 10))


def _what(state: State, stamped: Stamped) -> str:
    waiting = state.waiting
    if waiting is None:
        return sentence(stamped.entry, state)
    if waiting.kind is WaitKind.JOB and state.current in state.actions:
        plan = state.actions[state.current].plan
        return told(state, f"{plan.id}: {word(plan.type)} under way")
    return waits(told(state, waiting.about))


def _rows(seen: Seen, now: float, height: int) -> tuple[Row, ...]:
    """Those that ended badly last, those at work, those that wait: these together where there are many of them."""
    room = max(height - _FIXED, 4)
    shown = seen.failed[-max(2, room // 3) :]
    busy = [(name, one) for name, one in seen.here.items() if one.waits in _AT_WORK]
    idle = [(name, one) for name, one in seen.here.items() if one.waits not in _AT_WORK]
    left = room - len(shown)
    if len(busy) + len(idle) <= left:
        return (*shown, *(row_of(name, one, now) for name, one in (*busy, *idle)))
    groups = _groups(idle)
    places = max(1, left - len(groups))
    more = [Row(f"and {len(busy) - places + 1:,} more", "", "", "at work")] if len(busy) > places else []
    rows = [row_of(name, one, now) for name, one in busy[: places - len(more)]]
    return (*shown, *rows, *more, *groups)


def _groups(idle: Sequence[tuple[str, Here]]) -> list[Row]:
    """A row for each kind of wait, most computers first."""
    kinds: dict[WaitKind, dict[str, list[str]]] = {}
    for name, one in idle:
        if one.waits is not None:
            kinds.setdefault(one.waits, {}).setdefault(one.what, []).append(name)
    rows = []
    for kind, abouts in sorted(kinds.items(), key=lambda each: -sum(map(len, each[1].values()))):
        number, about = sum(map(len, abouts.values())), next(iter(abouts))
        same = len(abouts) == 1
        what = about if same else f"for {WAITS_FOR[kind]}; {abouts[about][0]} {about}"
        rows.append(Row(f"{number:,} waiting", "", "", what))
    return rows


def row_of(name: str, one: Here, now: float) -> Row:
    """A session that somebody is at, or that waits, as a row."""
    until = "" if one.until is None or one.until < now + 1 else f"in {clock(one.until - now)}"
    return Row(name, clock(now - one.began), one.stage, one.what, until=until)
