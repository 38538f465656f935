"""A pure fake computer that answers what `next_step` asks for, and the loop of a session without I/O."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from immy_nornir.decide.steps.gate import effect_of, may_begin
from immy_nornir.decide.steps.moment import NO_CONTACT, Approver, Contact, Moment
from immy_nornir.decide.steps.next_step import next_step
from immy_nornir.decide.steps.orders import was_stopped
from immy_nornir.decide.steps.state import State, fold, fold_all, meaning_of, rebooted_since
from immy_nornir.decide.steps.step import Do, Finish, Note, Perform, Step, Wait
from immy_nornir.model.control.holds import Hold
from immy_nornir.model.facts import Boot, Facts, Finding, FindingStatus, Identity
from immy_nornir.model.items import ExitMeaning, Item, RebootNeed
from immy_nornir.model.plan import Plan, PlannedAction, Reason
from immy_nornir.model.playbooks import ActionType, MaintenanceType, Options, Reboot
from immy_nornir.model.record.entries import (
    ActionEnded,
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Determined,
    Entry,
    FactsCollected,
    Finished,
    JobEnded,
    JobSeen,
    PendingFound,
    Planned,
    RebootAsked,
    RebootEnded,
    Resolved,
    Resumed,
    RetryLater,
    Stamped,
    StopAsked,
    Verified,
    Waiting,
)
from immy_nornir.model.record.order_entries import JobStopAsked
from immy_nornir.model.record.session import Outcome, OutcomeReason, SessionSpec, WaitKind
from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobResult
from tests.decide.builders import FULL
from tests.decide.steps.people import People

STOPPED = -2
"""In place of an exit code: it was told to stop."""
LOST = -1
"""In place of an exit code: the job leaves no result."""
Fault = Callable[["World", Perform], "list[Entry] | None"]


@dataclass
class Job:
    ends_at: float
    code: int
    boot: int


@dataclass
class World:
    """One computer. `codes` are the exit codes of an action's jobs in order, the last one for ever."""

    plan: Plan
    codes: dict[str, list[int]] = field(default_factory=dict)
    needs_boot: set[str] = field(default_factory=set)
    """Actions whose item is as it should be only after the next boot."""
    never: set[str] = field(default_factory=set)
    """Actions that end well and do nothing."""
    pending: tuple[str, ...] = ()
    pending_after: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Action -> what is pending after its job."""
    pending_stays: bool = False
    job_seconds: float = 5.0
    away_seconds: float = 40.0
    time_zone: Json = "UTC"
    role: str = "workstation"
    comes_back: bool = True
    reachable: bool = True
    determined: dict[str, PlannedAction] = field(default_factory=dict)
    not_converged: tuple[str, ...] = ()
    faults: Fault | None = None
    now: float = 1000.0
    boot: int = 1
    away_until: float = 0.0
    jobs: dict[str, Job] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    waits_for_boot: set[str] = field(default_factory=set)
    people: People = field(default_factory=People)
    log: list[str] = field(default_factory=list)
    """Effects, in order: `job ID`, `reboot`."""
    used: dict[str, int] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        return self.reachable and self.now >= self.away_until

    def identity(self) -> Identity:
        boot, system = Boot(str(self.boot)), {"time_zone": self.time_zone, "role": self.role}
        return Identity("PC1", uuid="u", uuid_source="smbios", boot=boot, pending_reboots=self.pending, system=system)

    def reboot(self, why: str) -> None:
        self.log.append(why)
        self.boot += 1
        self.away_until = self.now + self.away_seconds if self.comes_back else float("inf")
        self.pending = self.pending if self.pending_stays else ()
        self.done |= self.waits_for_boot
        self.waits_for_boot = set()

    def run(self, action_id: str, job_id: str) -> None:
        codes = self.codes.get(action_id, [0])
        number = self.used.get(action_id, 0)
        self.used[action_id] = number + 1
        code = codes[min(number, len(codes) - 1)]
        self.log.append(f"job {job_id}")
        self.jobs[job_id] = Job(self.now + self.job_seconds, code, self.boot)
        if code in (0, 3010, 1641) and action_id not in self.never:
            (self.waits_for_boot if action_id in self.needs_boot else self.done).add(action_id)
            self.pending = tuple(dict.fromkeys((*self.pending, *self.pending_after.get(action_id, ()))))

    def told(self, job_id: str, *, seen: bool) -> list[Entry]:
        job = self.jobs.get(job_id)
        if job is None:
            return [JobEnded(job_id, None, message="the computer knows nothing of it", unknown=True)]
        if job.code == LOST or (self.now < job.ends_at and job.boot != self.boot):
            return [JobEnded(job_id, None, message="it left no result")]
        if self.now < job.ends_at:
            return [] if seen else [JobSeen(job_id)]
        if job.code == 1641 and job.boot == self.boot:
            self.reboot("reboot by itself")
        if job.code == STOPPED:
            return [JobEnded(job_id, JobResult(None, "stopped"))]
        return [JobEnded(job_id, JobResult(job.code))]

    def perform(self, state: State, step: Perform) -> list[Entry]:
        self.now += 1.0
        if self.faults is not None:
            entries = self.faults(self, step)
            if entries is not None:
                return entries
        if not self.up:
            if step.do is Do.CHECK_BOOT:
                return []
            return [ContactLost("unreachable", "no answer", f"{step.do} {step.action_id}".strip())]
        return self._answer(state, step)

    def _answer(self, state: State, step: Perform) -> list[Entry]:
        one = state.actions.get(step.action_id)
        match step.do:
            case Do.CONNECT:
                known = state.identity is not None
                return [ContactBack(self.identity()) if known else Connected(self.identity())]
            case Do.RESOLVE:
                return [Resolved(())]
            case Do.COLLECT_FACTS:
                return [FactsCollected(Facts())]
            case Do.DETECT:
                return [Detected(())]
            case Do.MAKE_PLAN:
                return [Planned(self.plan)]
            case Do.VERIFY:
                return [Verified((), self.not_converged)]
            case Do.LOOK_USERS:
                return self.people.look(self.now)
            case Do.SHOW_QUESTION | Do.HEAR_ANSWERS | Do.CLOSE_QUESTION:
                return self._ask(state, step.do)
            case Do.ASK_REBOOT:
                assert state.reboot is not None
                if state.reboot.boot.differs(Boot(str(self.boot))):
                    return [RebootEnded(state.reboot.number, self.identity(), "it had rebooted already")]
                self.reboot("reboot")
                return [RebootAsked(state.reboot.number)]
            case Do.CHECK_BOOT:
                assert state.reboot is not None
                if state.reboot.boot.differs(Boot(str(self.boot))):
                    return [RebootEnded(state.reboot.number, self.identity())]
                return []
            case _:
                assert one is not None
                return self._about(state, step)

    def _ask(self, state: State, do: Do) -> list[Entry]:
        question = state.questions.question
        assert question is not None
        ask = {Do.SHOW_QUESTION: self.people.show, Do.HEAR_ANSWERS: self.people.hear}.get(do, self.people.close)
        return ask(question, self.now)

    def _about(self, state: State, step: Perform) -> list[Entry]:
        one = state.actions[step.action_id]
        match step.do:
            case Do.DETERMINE if one.plan.id in self.determined:
                return [Determined(self.determined[one.plan.id])]
            case Do.DETERMINE if one.plan.type is not ActionType.UNDETERMINED:
                return [Determined(one.plan)]  # looked at again: it is still to be done
            case Do.DETERMINE:
                return [ActionEnded(one.plan.id, Outcome.NOTHING, OutcomeReason.ALREADY_SO)]
            case Do.START_JOB:
                assert state.job is not None
                if state.job.id not in self.jobs:
                    self.run(one.plan.id, state.job.id)
                return self.told(state.job.id, seen=False)
            case Do.STOP_JOB:
                assert state.job is not None
                self.jobs[state.job.id].ends_at, self.jobs[state.job.id].code = self.now, STOPPED
                self.done.discard(one.plan.id)
                return [JobStopAsked(state.job.id)]
            case Do.POLL_JOB:
                assert state.job is not None
                return self.told(state.job.id, seen=state.job.seen)
            case _:
                return self._judge(state, step)

    def _judge(self, state: State, step: Perform) -> list[Entry]:
        one = state.actions[step.action_id]
        entries: list[Entry] = []
        new = set(self.pending) - set(state.pending)
        if self.pending != state.pending:
            entries.append(PendingFound(self.pending))
        soft = meaning_of(state, one) is ExitMeaning.SOFT_REBOOT
        owed = soft or one.plan.reboot is RebootNeed.AFTER or (bool(new) and one.plan.reboot is RebootNeed.IF_NEEDED)
        satisfied = one.plan.id in self.done or (soft and one.plan.id in self.waits_for_boot)
        status = FindingStatus.FOUND if satisfied else FindingStatus.NOT_FOUND
        found = Finding(one.plan.item, one.plan.instance, status, "1.0" if satisfied else None)
        later = one.plan.id not in self.done and soft and not rebooted_since(state, one)
        if later and state.spec.options.reboot is not Reboot.SKIP:
            found = Finding(one.plan.item, one.plan.instance, FindingStatus.NOT_FOUND, None)
            return [
                *entries,
                ActionEnded(one.plan.id, Outcome.SUCCESS, OutcomeReason.REBOOT_PENDING, "", "", found, True),
            ]
        if satisfied:
            ended = ActionEnded(one.plan.id, Outcome.SUCCESS, OutcomeReason.VERIFIED, "", "1.0", found, owed)
            return [*entries, ended]
        if (stopper := was_stopped(state)) and one.result is not None and one.result.error == "stopped":
            return [*entries, ActionEnded(one.plan.id, Outcome.CANCELLED, OutcomeReason.CANCELLED, stopper)]
        if one.result is None and one.doubts <= 2:
            return [*entries, RetryLater(one.plan.id, self.now, "lost and still needed")]
        reason = OutcomeReason.IN_DOUBT if one.result is None else OutcomeReason.EXIT_CODE
        return [*entries, ActionEnded(one.plan.id, Outcome.FAILED, reason, "it did not work", "", found, owed)]


@dataclass
class Session:
    """The loop of a session, as the real one does it, with a world in place of a computer."""

    world: World
    state: State
    entries: list[Stamped] = field(default_factory=list)
    contact: Contact = NO_CONTACT
    frozen: str = ""
    holds: tuple[Hold, ...] = ()
    run_over: str = ""
    approver: Approver = Approver.NOT_NEEDED
    answer: Callable[[State], Entry] | None = None
    """What somebody says while the session waits for approval."""
    held: list[str] = field(default_factory=list)
    """What the gate held back, by the name of the effect."""
    steps: list[Step] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    snapshots: list[tuple[list[Stamped], World]] = field(default_factory=list)
    """Before each entry: what was recorded, and the world that had the effect already."""
    keep: bool = False
    stop_at: int = -1
    """Number of the step before which a stop is asked for."""

    def append(self, entry: Entry) -> None:
        if self.keep:
            self.snapshots.append((list(self.entries), copy.deepcopy(self.world)))
        stamped = Stamped(self.state.entries + 1, self.world.now, entry)
        self.contact = self.contact.after(self.state, stamped)
        self.state = fold(self.state, stamped)
        self.entries.append(stamped)
        folded = fold_all(self.state.spec, self.state.definitions, self.entries) if self.keep else self.state
        assert folded == self.state, "the record does not give the state again"

    @property
    def moment(self) -> Moment:
        return Moment(
            self.world.now,
            self.contact,
            frozen=self.frozen,
            approver=self.approver,
            holds=self.holds,
            run_over=self.run_over,
        )

    def go(self, bound: int = 2000) -> Session:
        """To the end."""
        for number in range(bound):
            self.go_once(number)
            if self.state.finished is not None:
                return self
        last = ", ".join(str(one) for one in self.steps[-6:])
        raise AssertionError(f"no end within {bound} steps: {last}")

    def go_until(self, holds: Callable[[], object], bound: int = 2000) -> Session:
        """To the first state in which this is so."""
        for _ in range(bound):
            if holds():
                return self
            self.go_once()
        raise AssertionError(f"not so within {bound} steps: {', '.join(str(one) for one in self.steps[-6:])}")

    def go_once(self, number: int = -2) -> None:
        """One step, the one with this number."""
        if number == self.stop_at and self.state.finished is None:
            self.append(StopAsked("cancel", "cancelled by ana"))
        step = next_step(self.state, self.moment)
        self.steps.append(step)
        effect = effect_of(self.state, step)
        assert effect is None or may_begin(self.state, effect, self.moment) is None, "an effect passed by the gate"
        match step:
            case Finish(status, message, reason):
                if self.state.finished is None:
                    self.append(Finished(status, message, reason))
            case Wait():
                self._park(step)
            case Note(entry):
                self.append(entry)
            case Perform():
                self._perform(step)

    def _perform(self, step: Perform) -> None:
        entries = self.world.perform(self.state, step)
        for entry in entries:
            self.append(entry)
        if not entries and step.do is Do.LOOK_READY:
            self.contact = self.contact.ready_as_before(self.world.now)
        elif not entries:
            self.contact = self.contact.looked(self.world.now, achieved=step.do in (Do.POLL_JOB, Do.HEAR_ANSWERS))

    def _park(self, wait: Wait) -> None:
        assert wait.until > self.world.now, f"waits for the past: {wait}"
        known = self.state.waiting
        self.waits.append(wait)
        self.contact = self.contact.closed()
        if known is None or (known.kind, known.about, known.deferred) != (wait.kind, wait.about, wait.deferred):
            self.append(Waiting(wait.kind, wait.until, wait.about, wait.deferred))
        if wait.kind is WaitKind.APPROVAL and self.answer is not None:
            self.append(self.answer(self.state))
        else:
            self.world.now = wait.until

    @property
    def outcomes(self) -> dict[str, tuple[Outcome, OutcomeReason]]:
        return {
            one.plan.id: (one.ended.outcome, one.ended.reason)
            for one in self.state.actions.values()
            if one.ended is not None
        }

    @property
    def order(self) -> list[str]:
        """Effects in their order, jobs by the item's name."""
        return [one.split("/")[1] if one.startswith("job") else one for one in self.world.log]

    def notes(self, kind: type[Entry]) -> list[Any]:
        return [one.entry for one in self.entries if isinstance(one.entry, kind)]


def act(name: str, *after: str, kind: ActionType = ActionType.INSTALL, **more: Any) -> PlannedAction:
    """An action to do, after others."""
    fields: dict[str, Any] = {
        "id": name,
        "item": name,
        "instance": "",
        "kind": "software",
        "type": kind,
        "reason": Reason.SOFTWARE_MISSING,
        "why": "missing",
        "after": after,
        "reboot": RebootNeed.IF_NEEDED,
    }
    return PlannedAction(**{**fields, **more})


def session(
    *actions: PlannedAction,
    kind: MaintenanceType = FULL,
    options: Mapping[str, Any] | None = None,
    definitions: Mapping[str, Item] | None = None,
    spec: Mapping[str, Any] | None = None,
    **world: Any,
) -> Session:
    """A session that has not begun, in a world where everything works unless it is told otherwise."""
    asked = SessionSpec(
        "s1", "r1", "PC1", type=kind, options=Options(**(options or {})), **{"created_at": 1000.0, **(spec or {})}
    )
    made = World(Plan(actions), **world)
    begun = Session(made, State(asked, definitions or {}))
    begun.append(Resumed("me", 1))
    return begun


def resume(before: Session, entries: Iterable[Stamped], world: World) -> Session:
    """Another process goes on from a record, in a world as it is now."""
    kept = list(entries)
    state = fold_all(before.state.spec, before.state.definitions, kept)
    again = Session(world, state, kept)
    again.append(Resumed("another", 2))
    return again


def random_faults(seed: int) -> Fault:
    """Contact that is lost now and then, before or after the effect."""
    chance = random.Random(seed)  # noqa: S311 - repeatable faults

    def fault(world: World, step: Perform) -> list[Entry] | None:
        if step.do in (Do.MAKE_PLAN, Do.RESOLVE):
            return None
        dice = chance.random()
        if dice < 0.12:
            return [] if step.do is Do.CHECK_BOOT else [ContactLost("dropped", "cut off", step.do)]
        if dice < 0.16:
            world.away_until = max(world.away_until, world.now + chance.choice([5.0, 60.0, 400.0]))
        if dice < 0.18:
            world.reboot("reboot by others")
        return None

    return fault
