"""What earlier processes left, and who goes on with it: a new session, an old one, or the run that it is of.

A session that a process left is taken up by whoever is asked for the same work within a day; else it is settled first
by the next session of its computer that may act. Runs are taken up with their waves (session.runs).
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from immy_nornir.decide.detect.facts import known_names
from immy_nornir.decide.resolve.host_variables import is_excluded
from immy_nornir.decide.runs.next_wave import Standing
from immy_nornir.decide.runs.run_state import RunState
from immy_nornir.decide.steps.gate import left_open
from immy_nornir.decide.steps.orders import paused
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.step import Wait
from immy_nornir.errors import HistoryError
from immy_nornir.history.queries import Asked as Question
from immy_nornir.history.queries import SessionRow
from immy_nornir.model.control.orders import OrderKind, OrderState
from immy_nornir.model.record.entries import Interrupted, Waiting
from immy_nornir.model.record.run import RunEnded, RunTakenUp
from immy_nornir.model.record.session import TERMINAL, EndReason, SessionSpec, Status
from immy_nornir.session.before.inputs import changes
from immy_nornir.session.before.specs import Asking, refuse_past_window, specs_of
from immy_nornir.session.hearing.known_secrets import refuse_clear
from immy_nornir.session.live import LiveSession
from immy_nornir.session.recap import recap_of
from immy_nornir.session.reins.orders import take_in
from immy_nornir.session.runs import LiveRun, PlayRun, standing_of

if TYPE_CHECKING:
    from immy_nornir.model.record.run import RunSpec
    from immy_nornir.session.engine import Engine

EXCLUDED = "excluded from maintenance (immy_excluded)"
RESUMABLE_SECONDS = 24 * 3600.0
"""A session interrupted longer ago is not continued with its old plan: what it left is settled, then it ends."""


def make_specs(engine: Engine, run_id: str, plays: Sequence[PlayRun], asking: Asking) -> None:
    """Give every play the specs of its sessions, numbered through the run.

    Raises: UsageError for an option of a computer, a play or the command line, and for a window that is past.
    """
    with engine.history.read() as reader:
        seen = {name: reader.facts(name) for name in {one.name for run in plays for one in run.computers}}
        onboarded = reader.onboarded()
    first, now = 1, engine.clock.now()
    for run in plays:
        run.specs = specs_of(run_id, first, run.play, run.type, run.computers, seen, asking, now, onboarded)
        for spec in run.specs:
            refuse_past_window(spec, seen.get(spec.computer), now)
        first += len(run.specs)


def make_sessions(engine: Engine, plays: Sequence[PlayRun]) -> tuple[list[SessionSpec], list[str]]:
    """Give every play its sessions: those that are to be stored, and sentences about those that are taken up again.

    Raises: UsageError for a variable that is a known secret in clear.
    """
    said: list[str] = []
    fresh: list[SessionSpec] = []
    left = _left_over(engine, {spec.computer for run in plays for spec in run.specs})
    for run in plays:
        for spec in run.specs:
            olds = left[spec.computer]
            again = next((old for old in olds if old.stop is None and _goes_on(engine, old, spec)), None)
            if again is not None:
                olds.remove(again)
                run.sessions[spec.computer] = LiveSession(engine, again, made_now=True, anew=True)
                engine.settling.hold(run.sessions[spec.computer])
                said.append(f"{spec.computer}: session {again.spec.id} is taken up again")
                continue
            fresh.append(spec)
            run.sessions[spec.computer] = LiveSession(engine, State(spec, engine.definitions), made_now=True)
    for computer, olds in left.items():
        for old in olds:
            live = _settled_by(old, [run.sessions[computer] for run in plays if computer in run.sessions])
            if live is not None:
                before = LiveSession(engine, old)
                before.before, live.before = live.before, before
                engine.settling.hold(live)
                said.append(f"{computer}: session {old.spec.id}, which was left unfinished, is settled first")
    refuse_clear(engine, fresh)
    return fresh, said


def end_excluded(plays: Sequence[PlayRun], fresh: Sequence[SessionSpec]) -> None:
    """End sessions that may not begin: a computer that is excluded from maintenance still gives its inventory."""
    new = {spec.id for spec in fresh}
    for run in plays:
        for live in run.sessions.values():
            if live.id in new:
                _end_if_excluded(live)


def _end_if_excluded(live: LiveSession) -> None:
    if live.spec.type.name == "inventory":
        return
    if is_excluded(known_names(live.engine.computer(live.computer), live.spec.vars)):
        live.end(Status.CANCELLED, EXCLUDED, EndReason.EXCLUDED)


def _left_over(engine: Engine, names: set[str]) -> dict[str, list[State]]:
    """Interrupted and deferred sessions of these computers that nobody is at, oldest first."""
    found: dict[str, list[State]] = {name: [] for name in names}
    with engine.history.read() as reader:
        rows = reader.sessions(Question(statuses=(Status.INTERRUPTED, Status.WAITING)))
    engine.history.mend([row.id for row in rows if row.status is Status.FAILED])  # what is damaged reads so
    for row in reversed(rows):
        if row.computer not in names or engine.orders.is_here(row.id):
            continue  # an earlier run of this process goes on with it
        if not (row.status is Status.WAITING and row.owner):
            state = engine.stored(row.id)
            if state is not None and state.finished is None:
                found[row.computer].append(state)
    return found


def _settled_by(old: State, lives: Sequence[LiveSession]) -> LiveSession | None:
    """The session that an older one is settled before, if it is."""
    # Whoever only looks settles nothing that acts.
    acts = old.spec.type.executes and not old.spec.check
    able = [one for one in lives if not acts or (one.spec.type.executes and not one.spec.check)]
    if not able:
        return None
    # A deferred session goes on waiting for its time, unless this run is asked for the same work.
    if old.interrupted is None and not any(_same_work(old.spec, one.spec) for one in able):
        return None
    return able[0]


def _goes_on(engine: Engine, old: State, new: SessionSpec) -> bool:
    """Whether an old session is the new one, begun before: the same work, by files that say the same, not long ago."""
    if not _same_work(old.spec, new) or new.created_at - old.spec.created_at >= RESUMABLE_SECONDS:
        return False
    return not changes(engine, old, new)


def _same_work(old: SessionSpec, new: SessionSpec) -> bool:
    if any(one.by_hand is not None or one.trial is not None for one in (old, new)):
        return False  # typed again, it is meant again
    ours, theirs = ((one.type.name, one.items, one.only, one.rerun_of, one.play, one.check) for one in (old, new))
    return ours == theirs


# --- runs that were left ---------------------------------------------------------------------------------------


def left_runs(
    engine: Engine, rows: Sequence[SessionRow], *, in_waves: bool, at_work: Collection[str] = ()
) -> tuple[list[LiveRun], list[LiveSession]]:
    """Runs that go on with these sessions in their waves, oldest first, and sessions that go on by themselves.

    A session is its newest run's. Those whose wave is over, and those that were begun before in a wave that a halt
    forbids, go on by themselves: what they left is settled; so do those of runs `at_work` in this process. Runs that
    another process is at are left alone, with their sessions; a run of which nothing is left is ended. Without
    `in_waves` all sessions go on by themselves.
    """
    wanted = {row.id: row for row in rows}
    runs: list[LiveRun] = []
    alone: list[LiveSession] = []
    taken: set[str] = set()
    with engine.history.read() as reader:
        specs, heirs = reader.run_specs() if in_waves else [], reader.heirs()
    for spec in specs:  # newest first
        # The wave of a session that was superseded is that of the one in its place.
        ids = {_heir(heirs, one): one for one in spec.sessions}
        mine = [wanted[one] for one in ids if one in wanted and one not in taken]
        taken.update(ids)
        if spec.id in at_work:
            alone += _lives(engine, mine)
            continue
        if not mine and not _nothing_left(engine, list(ids)):
            continue
        # Owned before it is read: another process may be writing its last entry now.
        state = engine.history.run_of(spec.id) if engine.history.claim_run(spec.id) else None
        if state is None:
            taken.difference_update(one.id for one in mine)
            continue
        lives = _lives(engine, mine)
        apart = _apart(state, lives, ids)
        alone += apart
        held = {ids[live.id]: live for live in lives if live not in apart}
        runs.append(LiveRun(engine, state, held, _others(engine, state, held, heirs)))
    alone += _lives(engine, [row for row in rows if row.id not in taken])
    alone.sort(key=lambda live: (live.spec.created_at, live.id))
    return runs[::-1], alone


def newest_runs(
    engine: Engine, lives: Sequence[LiveSession]
) -> Iterator[tuple[RunSpec | None, str, list[LiveSession]]]:
    """The sessions by the newest run that each is of: that one's brakes and approval hold. None: it is no record."""
    left = {live.id: live for live in lives}
    with engine.history.read() as reader:
        heirs = reader.heirs()
        for spec in reader.run_specs():
            ids = (_heir(heirs, one) for one in spec.sessions)
            ours = [left.pop(one) for one in ids if one in left]
            if ours:
                yield spec, spec.id, ours
        for run_id in dict.fromkeys(live.spec.run_id for live in left.values()):
            yield reader.run_spec(run_id), run_id, [live for live in left.values() if live.spec.run_id == run_id]


def _nothing_left(engine: Engine, ids: Sequence[str]) -> bool:
    """Whether every session of a run has ended: its process died before it could write the run's end."""
    with engine.history.read() as reader:
        return all(row.status in TERMINAL for row in reader.sessions_of(ids))


def _heir(heirs: Mapping[str, str], session: str) -> str:
    while session in heirs:
        session = heirs[session]
    return session


def _apart(state: RunState, lives: Sequence[LiveSession], ids: Mapping[str, str]) -> list[LiveSession]:
    places = {
        session: (number, wave)
        for number, play in enumerate(state.spec.plays)
        for wave, sessions in enumerate(play.waves)
        for session in sessions
    }
    found = []
    for live in lives:
        number, wave = places[ids[live.id]]
        over = wave < state.ended.get(number, 0)
        forbidden = wave >= state.began.get(number, 0) and bool(state.why_halted(number))
        if over or (forbidden and not live.never_begun):
            found.append(live)
    return found


def _others(
    engine: Engine, state: RunState, held: Mapping[str, LiveSession], heirs: Mapping[str, str]
) -> dict[str, Standing]:
    """How the sessions stand that are not advanced here, as far as their wave is not over."""
    ids = [
        one
        for number, play in enumerate(state.spec.plays)
        for sessions in play.waves[state.ended.get(number, 0) : state.began.get(number, 0)]
        for one in sessions
        if one not in held
    ]
    by_heir = {_heir(heirs, one): one for one in ids}
    with engine.history.read() as reader:
        return {by_heir[row.id]: _standing(engine, row) for row in reader.sessions_of(list(by_heir))}


def _standing(engine: Engine, row: SessionRow) -> Standing:
    """How a session stands that is not advanced here: one that has ended, or is left or others' business."""
    state = engine.stored(row.id)
    return Standing.LEFT if state is None else standing_of(recap_of(state), left=True)


def _lives(engine: Engine, rows: Sequence[SessionRow]) -> list[LiveSession]:
    """Sessions that can go on; those of computers that are excluded by now end before they ever began."""
    states = (engine.stored(row.id) for row in sorted(rows, key=lambda one: (one.created_at, one.id)))
    lives = [LiveSession(engine, state) for state in states if state is not None and state.finished is None]
    for live in lives:
        if live.never_begun:
            _end_if_excluded(live)
    return [live for live in lives if not live.rests]


def take_up(run: LiveRun) -> None:
    """Write down that this process goes on with the run."""
    run.append(RunTakenUp(run.engine.history.owner))


def runs_without_end(engine: Engine) -> list[str]:
    """Runs that have not ended, of whose sessions nothing is left, oldest first; a living process may be at one."""
    with engine.history.read() as reader:
        rows = [row for row in reader.runs() if row.status != "ended"]
        specs = {spec.id: spec for spec in reader.run_specs()} if rows else {}
        found = []
        for row in reversed(rows):
            spec = specs.get(row.id)
            ids = [] if spec is None else spec.sessions
            sessions = [*reader.sessions(Question(run_id=row.id)), *reader.sessions_of(ids)]
            if row.status == "interrupted" and all(one.status in TERMINAL for one in sessions):
                found.append(row.id)
    return found


def end_run(engine: Engine, run_id: str) -> bool:
    """Write down the end of a run of which nothing is left, unless its process lives or has done so; whether it was."""
    if not engine.history.claim_run(run_id):
        return False
    state = engine.history.run_of(run_id)
    if state is None:
        engine.history.end_run(run_id, "ended")
    else:
        LiveRun(engine, state, {}).append(RunEnded("its last sessions went on without it"))
    return True


def by_age(
    alone: Sequence[LiveSession], runs: Sequence[LiveRun]
) -> tuple[Sequence[LiveSession], Sequence[LiveSession]]:
    """Sessions that go on by themselves, before these runs and after them: a computer's older session comes first."""
    oldest: dict[str, float] = {}
    for run in runs:
        for live in run.sessions.values():
            oldest[live.computer] = min(live.spec.created_at, oldest.get(live.computer, live.spec.created_at))
    later = {live.id for live in alone if live.spec.created_at > oldest.get(live.computer, live.spec.created_at)}
    return [live for live in alone if live.id not in later], [live for live in alone if live.id in later]


def computers_alone(lives: Sequence[LiveSession]) -> list[Mapping[str, LiveSession]]:
    """Sessions in turns, so that those of one computer follow each other, oldest first."""
    turns: list[dict[str, LiveSession]] = []
    for live in lives:
        turn = next((one for one in turns if live.computer not in one), None)
        if turn is None:
            turn = {}
            turns.append(turn)
        turn[live.computer] = live
    return list(turns)


# --- sessions that nobody is at, of which something is ordered -----------------------------------------------------

_NOBODY = "nobody is at it, so nothing would reboot: take it up first (immy sessions resume)"


def take_over(engine: Engine, ids: Sequence[str]) -> list[LiveSession]:
    """Own sessions that nobody is at, write what was ordered into their records, and let them go again.

    The answer is those that are cancelled and have to be brought to their end (plugins.batches); nothing else goes on
    here. Where another process was quicker, or works on the computer, the orders stay open: its owner answers them.
    """
    found: list[LiveSession] = []
    for name in ids:
        with contextlib.suppress(HistoryError):
            live = _taken_over(engine, name)
            found += [live] if live is not None else []
    return found


def _taken_over(engine: Engine, name: str) -> LiveSession | None:
    for order in engine.history.orders_of(name):
        if order.kind is OrderKind.REBOOT:  # hours later nobody would expect it any more
            engine.history.answer_order(order.id, OrderState.REFUSED, _NOBODY)
    engine.history.flush()
    state = engine.stored(name)
    if state is None or state.finished is not None or not engine.history.orders_of(name):
        return None
    live = LiveSession(engine, state)
    with live.seat:
        if live.begin() is not None:
            return None
        take_in(live, engine.history)
        after = live.state_now
        if after is None or after.cancel is not None:
            return None if after is None else live
        _rest(live)
    return None


def _rest(live: LiveSession) -> None:
    """Leave a session with nobody at it, as it was found: what it waits for, and its job, go on waiting and at work."""
    state = live.state
    held = paused(state, live.moment)
    if isinstance(held, Wait) and state.job is None and state.reboot is None:
        live.append(Waiting(held.kind, held.until, held.about, deferred=True))
        live.defer()
        return
    live.append(Interrupted(f"nobody goes on with it{left_open(state)}"))
    live.engine.history.release([live.computer])
