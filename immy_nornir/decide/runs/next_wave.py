"""Which wave of a run is next: `next_wave(run, standing_of) -> Begin | Write | End`; pure.

A wave is held by every session of it that has neither ended nor been left; one that waits for a window or a computer
that is off holds nothing. Not here: what becomes of sessions whose wave never comes (session.runs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from immy_nornir.decide.runs.run_state import RunState
from immy_nornir.model.record.run import PlaySpec, RunEntry, RunHalted, WaveBegan, WaveEnded
from immy_nornir.text.plain import counted


class Standing(StrEnum):
    """How a session stands, as far as waves care."""

    PENDING = "pending"
    """It has something to do for whoever is at the run now."""
    LEFT = "left"
    """It was left, waits for a computer that is off, or belongs to others: neither good nor bad yet."""
    WAITING = "waiting"
    """It waits for its window, or for approval: the following waves come after it."""
    FINE = "fine"
    UNKNOWN = "unknown"
    """It has ended without anything wrong, yet of something it could not be told how it is: neither good nor bad."""
    MISSED = "missed"
    """Nothing was done, good or bad: its computer was off, busy or excluded, or its window had closed."""
    FAILED = "failed"
    DENIED = "denied"
    """Somebody, or a brake, said no to what it would have done."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Let these sessions begin, or go on."""

    play: int
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """Write these entries into the run's record."""

    entries: tuple[RunEntry, ...]


@dataclass(frozen=True, slots=True)
class End:
    """No further wave begins."""


StandingOf = Callable[[str], Standing]
"""How a session stands, by its id; asked only for those of the wave that counts."""


def next_wave(run: RunState, standing_of: StandingOf) -> Begin | Write | End:
    """The one next step of a run."""
    for number, play in enumerate(run.spec.plays):
        wave = run.ended.get(number, 0)
        if wave < run.began.get(number, 0):
            pending = tuple(one for one in play.waves[wave] if standing_of(one) is Standing.PENDING)
            if pending:
                return Begin(number, pending)
            if is_held(run, number, standing_of):
                continue  # other plays are others' business
            return Write(_ended(play, number, wave, standing_of))
        if wave < len(play.waves) and not run.why_halted(number):
            return Write((WaveBegan(number, wave),))
    return End()


def is_held(run: RunState, number: int, standing_of: StandingOf) -> bool:
    """Whether following waves of a play wait for one that waits for its window, or for approval."""
    play, wave = run.spec.plays[number], run.ended.get(number, 0)
    if wave >= run.began.get(number, 0) or wave + 1 >= len(play.waves) or run.why_halted(number):
        return False
    return any(standing_of(one) is Standing.WAITING for one in play.waves[wave])


def _ended(play: PlaySpec, number: int, wave: int, standing_of: StandingOf) -> tuple[RunEntry, ...]:
    """The end of a wave, with what must not follow it.

    One whose failures pass the play's percentage is followed by no other wave of the run, one that failed wherever
    anything was done by none of its play. The percentage is of the computers that something was done to: one that is
    off, busy or excluded is neither good nor bad. A wave of none but those says nothing about what would be done, and
    the next may begin: else one switched-off laptop, chosen to be the first, would end every rollout. A no, of somebody
    or of a brake, is one to all that would follow. The halt stands before the end: whoever is killed between the two
    halts again.
    """
    sessions = play.waves[wave]
    stands = [standing_of(one) for one in sessions]
    failed, missed = stands.count(Standing.FAILED), stands.count(Standing.MISSED)
    denied = stands.count(Standing.DENIED)
    settled = failed + stands.count(Standing.FINE)
    ended = WaveEnded(number, wave, settled, failed)
    away = f" ({missed:,} more could not be worked on)" if missed else ""
    told = f"{failed:,} of {counted(settled, 'computer')} of a wave failed{away}"
    if denied:
        return RunHalted(None, f"{counted(denied, 'computer')} of a wave: not approved"), ended
    if settled and 100.0 * failed / settled > play.max_fail_percentage:
        return RunHalted(None, f"{told}: more than max_fail_percentage {play.max_fail_percentage:g}"), ended
    if failed and failed + missed == len(sessions):
        return RunHalted(number, f"{told}: a wave that fails as a whole is the last of its play"), ended
    return (ended,)


def never_begun(run: RunState) -> dict[str, str]:
    """The sessions of waves that have not begun, and why they never will; the reason is empty where they still may."""
    return {
        session: run.why_halted(number)
        for number, play in enumerate(run.spec.plays)
        for sessions in play.waves[run.began.get(number, 0) :]
        for session in sessions
    }


def waves_of(names: Sequence[str], serial: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Cut computers into waves: numbers or percentages of all, the last size repeats; no `serial`: one wave."""
    left = tuple(names)
    sizes = list(serial) or ["100%"]
    position = 0
    while left:
        text = str(sizes[min(position, len(sizes) - 1)])
        size = int(len(names) * float(text.rstrip("%")) / 100) if text.endswith("%") else int(text)
        size = max(1, size)
        yield left[:size]
        left = left[size:]
        position += 1
