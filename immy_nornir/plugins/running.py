"""Plays -> sessions -> waves through Nornir: what `immy run` does between loading files and rendering results.

Every computer of every play has a session row before the first one starts, and a status when this returns.
Sessions left by a dead process are taken up first. Nothing here prints.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nornir.core import Nornir
from nornir.core.configuration import Config, LoggingConfig
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.runners import RunnerPlugin
from nornir.core.state import GlobalState

from immy_nornir.decide.detect.facts import facts_for, known_names, presumed
from immy_nornir.decide.resolve.host_variables import is_excluded, is_onboarding
from immy_nornir.decide.resolve.winning_deployments import Asked, choose
from immy_nornir.decide.steps.state import State
from immy_nornir.history.projection import status_of
from immy_nornir.history.queries import Asked as Question
from immy_nornir.history.queries import SessionRow
from immy_nornir.model.deployments import StateKind
from immy_nornir.model.inventory import Computer
from immy_nornir.model.items import ItemKind, Platform, RebootNeed, Software
from immy_nornir.model.playbooks import ActionType, MaintenanceType, Play, Reboot
from immy_nornir.model.record.entries import Finished, Interrupted, StopAsked
from immy_nornir.model.record.session import Outcome, SessionSpec, Status
from immy_nornir.plugins.runner import ImmyRunner
from immy_nornir.plugins.tasks import maintain
from immy_nornir.session.crew import Crew
from immy_nornir.session.engine import Engine
from immy_nornir.session.live import LiveSession
from immy_nornir.session.specs import Asking, merge_options, specs_of, variables_given

EXCLUDED = "excluded from maintenance (immy_excluded)"
RESUMABLE_SECONDS = 24 * 3600.0
"""A session interrupted longer ago is not continued with its old plan: what it left is settled, then it ends."""


@dataclass(slots=True)
class PlayRun:
    """One play with its computers and their sessions, in order."""

    play: Play
    type: MaintenanceType
    computers: list[Computer]
    sessions: dict[str, LiveSession] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run will touch at the most, by what the deployments say; detection may find less to do."""

    computers: int
    tenants: int
    software: int
    tasks: int
    uninstalls: int
    reboots: int

    def __str__(self) -> str:
        most = [
            _count(number, word)
            for number, word in ((self.software, "installation"), (self.uninstalls, "uninstall"), (self.tasks, "task"))
            if number
        ]
        parts = [_count(self.computers, "computer"), _count(self.tenants, "tenant")]
        if most:
            parts.append(f"at the most {', '.join(most)}")
        parts.append(f"{_count(self.reboots, 'computer')} may reboot" if self.reboots else "no reboots")
        return ", ".join(parts)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def preview(engine: Engine, plays: Sequence[PlayRun], asking: Asking) -> Preview:
    """Count by resolving with the facts of the history, as the sessions will."""
    software = tasks = uninstalls = reboots = 0
    names: set[str] = set()
    tenants: set[str] = set()
    with engine.history.read() as reader:
        stored = {computer.name: reader.facts(computer.name) for run in plays for computer in run.computers}
    for run in plays:
        if not run.type.executes or asking.check:
            continue
        given = variables_given(run.play, asking.vars)
        items = asking.items or run.play.items
        for computer in run.computers:
            names.add(computer.name)
            tenants.add(computer.tenant)
            variables = known_names(computer, given)
            onboarding = is_onboarding(variables)
            asked = Asked(items, bool(asking.items), onboarding)
            options = merge_options(computer, run.play.options, asking.options, variables)
            known = stored[computer.name]
            facts = facts_for(presumed(computer.name, known, Platform.WINDOWS), known)
            may = options.reboot is Reboot.FORCE or bool(facts["pending_reboots"])
            candidates = engine.targets.of_computer(computer.name)
            for choice in choose(candidates, computer, facts, asked, variables).values():
                winner = choice.winner
                if winner is None:
                    continue
                may = may or _may_reboot(engine, choice.item)
                if choice.item.startswith("task/"):
                    tasks += ActionType.ENFORCE in run.type.does and ItemKind.TASK in run.type.looks_at
                elif winner.state is not None and winner.state.kind is StateKind.ABSENT:
                    uninstalls += ActionType.UNINSTALL in run.type.does
                else:
                    software += 1
            reboots += options.reboot is not Reboot.SKIP and may
    return Preview(len(names), len(tenants), software, tasks, uninstalls, reboots)


def _may_reboot(engine: Engine, item: str) -> bool:
    found = engine.fleet.library.items.get(item, {}).values()
    return any(
        one.reboot is not RebootNeed.NEVER and (isinstance(one, Software) or one.reboot is not None) for one in found
    )


# --- sessions -------------------------------------------------------------------------------------------------


def create(engine: Engine, run_id: str, plays: Sequence[PlayRun], asking: Asking) -> list[str]:
    """Make and store the sessions of all plays; returns sentences about sessions that are taken up again.

    A computer whose last session was interrupted less than a day ago by the same work goes on with that session.
    """
    now = engine.clock.now()
    said: list[str] = []
    with engine.history.read() as reader:
        names = {computer.name for run in plays for computer in run.computers}
        left: dict[str, list[SessionRow]] = {}
        for row in reversed(reader.sessions(Question(statuses=(Status.INTERRUPTED, Status.WAITING)))):
            if row.computer in names and not (row.status is Status.WAITING and row.owner):
                left.setdefault(row.computer, []).append(row)
        seen = {name: reader.facts(name) for name in names}
    left_over: dict[str, list[State]] = {}
    first = 1
    for run in plays:
        specs = specs_of(run_id, first, run.play, run.type, run.computers, seen, asking, now)
        first += len(specs)
        fresh: list[SessionSpec] = []
        for spec in specs:
            if spec.computer not in left_over:
                left_over[spec.computer] = _left_over(engine, left.get(spec.computer, ()))
            olds = left_over[spec.computer]
            again = next((old for old in olds if old.stop is None and _goes_on(old.spec, spec, now)), None)
            if again is not None:
                olds.remove(again)
                run.sessions[spec.computer] = LiveSession(engine, again)
                said.append(f"{spec.computer}: session {again.spec.id} is taken up again")
                continue
            fresh.append(spec)
            run.sessions[spec.computer] = LiveSession(engine, State(spec))
        engine.history.create_sessions(fresh)
        for spec in fresh:
            _at_once(run.sessions[spec.computer], run)
    for computer, olds in left_over.items():
        for old in olds:
            # Whoever only looks settles nothing that acts.
            acts = old.spec.type.executes and not old.spec.check
            lives = [
                run.sessions[computer]
                for run in plays
                if computer in run.sessions and (not acts or (run.type.executes and not asking.check))
            ]
            if not lives:
                continue
            # A deferred session goes on waiting for its time, unless this run is asked for the same work.
            if old.interrupted is None and not any(_same_work(old.spec, live.state.spec) for live in lives):
                continue
            before = LiveSession(engine, old)
            before.before, lives[0].before = lives[0].before, before
            said.append(f"{computer}: session {old.spec.id}, which was left unfinished, is settled first")
    return said


def _left_over(engine: Engine, rows: Sequence[SessionRow]) -> list[State]:
    """Interrupted sessions of one computer, oldest first."""
    states = (engine.history.state_of(row.id) for row in rows)
    return [state for state in states if state is not None and state.finished is None]


def _goes_on(old: SessionSpec, new: SessionSpec, now: float) -> bool:
    return _same_work(old, new) and now - old.created_at < RESUMABLE_SECONDS


def _same_work(old: SessionSpec, new: SessionSpec) -> bool:
    same = (old.type, old.items, old.play, old.check, old.vars) == (new.type, new.items, new.play, new.check, new.vars)
    return same and _values(old) == _values(new)


def _values(spec: SessionSpec) -> tuple[object, ...]:
    o = spec.options
    return (o.reboot, o.user_context, o.window, o.offline, o.on_failure, o.reboots_in_business_hours)


def _at_once(live: LiveSession, run: PlayRun) -> None:
    """End sessions that may not begin: a computer that is excluded from maintenance still gives its inventory."""
    variables = known_names(live.engine.computer(live.computer), live.state.spec.vars)
    if is_excluded(variables) and run.type.name != "inventory":
        live.append(Finished(Status.CANCELLED, EXCLUDED))


def supersede(live: LiveSession, by: str) -> None:
    """Tell an older session to start nothing new, unless another process has taken it up meanwhile."""
    if live.begin() is None and live.state.stop is None:
        live.append(StopAsked("supersede", f"superseded by session {by}"))


# --- waves ----------------------------------------------------------------------------------------------------


def waves(names: Sequence[str], serial: Sequence[str]) -> Iterator[list[str]]:
    """Cut computers into waves: numbers or percentages of all, the last size repeats; no `serial`: one wave."""
    left = list(names)
    sizes = list(serial) or ["100%"]
    position = 0
    while left:
        text = str(sizes[min(position, len(sizes) - 1)])
        size = int(len(names) * float(text.rstrip("%")) / 100) if text.endswith("%") else int(text)
        size = max(1, size)
        yield left[:size]
        left = left[size:]
        position += 1


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


def nornir_of(names: Sequence[str], runner: RunnerPlugin) -> Nornir:
    """A Nornir over these computers, with a state of its own and without Nornir's logging."""
    hosts = Hosts({name: Host(name=name) for name in names})
    inventory = Inventory(hosts=hosts, groups=Groups(), defaults=Defaults())
    config = Config(logging=LoggingConfig(enabled=False))
    return Nornir(inventory=inventory, runner=runner, config=config, data=GlobalState())


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run goes."""

    workers: int = 32
    per_tenant: int = 0
    splay: float = 0.0
    wait: bool = False


def execute(engine: Engine, plays: Sequence[PlayRun], pace: Pace) -> None:
    """Run all plays, wave after wave; afterwards every session has a status of its own.

    A wave whose failures pass its play's `max_fail_percentage` is followed by no further wave, nor by a later play; one
    that fails as a whole by no further wave of its play.
    """
    with _crew(engine, pace) as crew:
        _execute(engine, plays, pace, crew)


def _crew(engine: Engine, pace: Pace) -> Crew:
    return Crew(pace.workers, pace.per_tenant, pace.splay, lambda: engine.stop.level, engine.clock)


def _execute(engine: Engine, plays: Sequence[PlayRun], pace: Pace, crew: Crew) -> None:
    ended = ""
    for run in plays:
        done, halted = 0, ended
        names = in_order(list(run.sessions), run.play.order)
        for wave in waves(names, run.play.serial):
            if halted or engine.stop.level:
                break
            _wave(engine, run, wave, pace, crew)
            done += len(wave)
            ended, halted = _too_bad([run.sessions[name] for name in wave], run.play.max_fail_percentage)
        for name in names[done:]:
            _not_begun(run.sessions[name], halted)


def _too_bad(wave: Sequence[LiveSession], percentage: float) -> tuple[str, str]:
    """Why nothing may follow a wave in the run, and in its play; empty when it may.

    Deferred sessions are neither good nor bad yet.
    """
    settled = [live for live in wave if live.state.finished is not None]
    failed = [live for live in settled if _failed(live)]
    missed = sum(1 for live in settled if status_of(live.state)[0] is Status.MISSED)
    bad = len(failed) + missed
    told = f"{bad} of {_count(len(settled), 'computer')} of a wave failed"
    if settled and 100.0 * bad / len(settled) > percentage:
        why = f"{told}: more than max_fail_percentage {percentage:g}"
        return why, why
    # A computer that is off says nothing about what was done to the others.
    whole = bool(failed) and bad == len(wave)
    return "", f"{told}: a wave that fails as a whole is the last of its play" if whole else ""


def _failed(live: LiveSession) -> bool:
    """Whether something went wrong; what was skipped on purpose did not, nor what could not be found out."""
    status, _ = status_of(live.state)
    verified = live.state.verified
    wrong = any(one.outcome is Outcome.FAILED for one in live.told) or bool(verified and verified.not_converged)
    return status is Status.FAILED or (status is Status.PARTIALLY_PASSED and wrong)


def _wave(engine: Engine, run: PlayRun, names: Sequence[str], pace: Pace, crew: Crew) -> None:
    for name in names:
        live = run.sessions[name]
        while live.before is not None:
            supersede(live.before, run.sessions[name].id)
            live = live.before
    tenants = {name: run.sessions[name].state.spec.tenant for name in names}
    runner = ImmyRunner(tenant_of=tenants.__getitem__, crew=crew)
    _run_sessions(engine, runner, {name: run.sessions[name] for name in names}, run.play.name, pace)


def _run_sessions(
    engine: Engine, runner: RunnerPlugin, sessions: Mapping[str, LiveSession], name: str, pace: Pace
) -> None:
    nornir_of(list(sessions), runner).run(task=maintain, name=name, sessions=sessions, wait=pace.wait)
    if engine.stop.level > 1:
        for live in sessions.values():
            live.abandon()


def _not_begun(live: LiveSession, halted: str) -> None:
    """End a session whose wave never came; one that was taken up again stays as it was left, and can be resumed."""
    if live.state.finished is not None or live.state.entries:
        return
    if halted:
        live.append(Finished(Status.CANCELLED, halted))
    else:
        live.append(Interrupted("stopped by the operator before it began"))


def resume(engine: Engine, rows: Sequence[SessionRow], pace: Pace) -> list[LiveSession]:
    """Take up interrupted or deferred sessions again, those of one computer one after the other, oldest first.

    Sessions of computers that the inventory no longer has are left as they are, and are not in the answer.
    """
    lives: list[LiveSession] = []
    for row in sorted(rows, key=lambda one: (one.created_at, one.id)):
        state = engine.history.state_of(row.id)
        if state is not None and state.finished is None and _is_known(engine, row.computer):
            lives.append(LiveSession(engine, state))
    with _crew(engine, pace) as crew:
        _one_after_the_other(engine, lives, pace, crew)
    return lives


def _one_after_the_other(engine: Engine, lives: Sequence[LiveSession], pace: Pace, crew: Crew) -> None:
    waiting = list(lives)
    while waiting and not engine.stop.level:
        sessions: dict[str, LiveSession] = {}
        for live in waiting:
            sessions.setdefault(live.computer, live)
        waiting = [live for live in waiting if sessions[live.computer] is not live]
        tenants = {name: live.state.spec.tenant for name, live in sessions.items()}
        runner = ImmyRunner(tenant_of=tenants.__getitem__, crew=crew)
        _run_sessions(engine, runner, sessions, "resume", pace)


def _is_known(engine: Engine, name: str) -> bool:
    return name in engine.fleet.inventory.computers or name in engine.names
