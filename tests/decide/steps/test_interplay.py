"""All that holds a session back or orders it about, at once and at random: it ends, and nothing begins that may not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from immy_nornir.decide import holds
from immy_nornir.decide.limits import Needs
from immy_nornir.decide.steps.holding import approval, preflight
from immy_nornir.decide.steps.moment import Approver, Moment
from immy_nornir.decide.steps.next_step import next_step
from immy_nornir.decide.steps.reboots import no_reboot
from immy_nornir.decide.steps.room import AFTER, Room, kept, on_its_way
from immy_nornir.decide.steps.state import did_anything
from immy_nornir.decide.steps.step import Do, Finish, Note, Perform, Take, Wait
from immy_nornir.decide.steps.verdicts import verdict
from immy_nornir.model.control.holds import Hold, HoldKind
from immy_nornir.model.control.limits import Slot
from immy_nornir.model.control.orders import How, Order, OrderKind
from immy_nornir.model.deployments import TaskMode
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import ItemKind, RebootNeed
from immy_nornir.model.plan import Desire
from immy_nornir.model.playbooks import ActionType, OnFailure, Reboot, Stage, WindowOver
from immy_nornir.model.record.entries import (
    SUPERSEDE,
    ActionEnded,
    ApprovalDenied,
    ApprovalGiven,
    ContactLost,
    Detected,
    Entry,
    Finished,
    Interrupted,
    JobIntended,
    ReadyLooked,
    RebootEnded,
    RebootIntended,
    Resolved,
    Resumed,
    RetryLater,
    StageFailed,
    StopAsked,
    WindowClosed,
)
from immy_nornir.model.record.order_entries import Ordered, RebootOrdered
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status, WaitKind
from tests.decide.steps.world import LOST, Fault, Session, World, act, random_faults, session

READY = Desire("task/quiet", kind=ItemKind.TASK, mode=TaskMode.ENFORCE, preflight=True)
WORK, REBOOTS = Slot("work", 1, "one at once"), Slot("reboots", 1, "one reboot at once")
NEEDS = Needs(work=(WORK,), reboot=(REBOOTS,), after=("others",))
HOURS = 3600.0
QUIET_FROM = 120
"""From this step on nothing new happens to the session, and what holds it is lifted."""
MOST_AT_ONCE = 60
"""Entries that a record may have of one moment."""


@dataclass
class Tossed:
    """A session that anything may happen to."""

    begun: Session
    dice: random.Random
    limits: bool
    room: Room = field(default_factory=Room)
    orders: int = 0
    quiet: bool = False
    ready: bool = True
    at: tuple[float, int] = (0.0, 0)
    log: list[str] = field(default_factory=list)

    # --- what happens ---

    def happen(self) -> None:
        begun, dice, now = self.begun, self.dice, self.begun.world.now
        match dice.choice(("order", "order", "holds", "frozen", "ready", "over", "supersede", "again", "approver")):
            case "order":
                self.order(dice.choice(list(OrderKind)))
            case "holds":
                begins = now + dice.choice([-10.0, 5.0, 2 * HOURS])
                end = dice.choice([begins + 20.0, begins + 3 * HOURS, None])
                begun.holds = dice.choice([(), (Hold(dice.choice(list(HoldKind)), "a call", begins, end),)])
            case "frozen":
                begun.frozen = dice.choice(["", "the fleet is frozen"])
            case "ready":
                self.ready = not self.ready
            case "over" if dice.random() < 0.2:
                begun.run_over = "its run has run for long enough"
            case "supersede" if dice.random() < 0.2 and begun.state.stop is None and begun.state.pause is None:
                begun.append(StopAsked(SUPERSEDE, "other files; session s2 takes its place", "s2"))
            case "again":
                self.resume()
            case "approver":
                begun.approver = dice.choice(list(Approver))

    def order(self, kind: OrderKind) -> None:
        begun, dice = self.begun, self.dice
        self.orders += 1
        until = (
            begun.world.now + dice.choice([30.0, 5 * HOURS])
            if kind is OrderKind.PAUSE and dice.random() < 0.5
            else None
        )
        how = How(dice.random() < 0.4, dice.random() < 0.3, until)
        if kind is OrderKind.CANCEL and dice.random() < 0.6:
            return
        said = verdict(begun.state, Order(self.orders, begun.world.now, "ann", kind, "s1", "", how), self.moment)
        if not isinstance(said, str):
            begun.append(said)
            self.log.append(f"{begun.state.entries}: {said}")

    def resume(self) -> None:
        self.room = replace(self.room, held=frozenset(), refused="")
        self.begun.world.now += self.dice.choice([1.0, HOURS, 26 * HOURS])
        self.begun.append(Resumed("another", self.begun.state.epoch + 1, anew=self.dice.random() < 0.2))

    def calm(self) -> None:
        begun = self.begun
        self.quiet, self.ready, begun.frozen, begun.holds, begun.approver = True, True, "", (), Approver.NOT_NEEDED
        self.room = replace(self.room, refused="")
        if begun.state.pause is not None:
            self.order(OrderKind.RESUME)

    # --- the loop ---

    @property
    def moment(self) -> Moment:
        needs = NEEDS if self.limits else Needs()
        return replace(self.begun.moment, room=replace(self.room, needs=needs))

    def go(self, bound: int = 1500) -> Tossed:
        for number in range(bound):
            if number == QUIET_FROM:
                self.calm()
            if not self.quiet and self.dice.random() < 0.1:
                self.happen()
            self.once()
            if self.begun.state.finished is not None:
                return self
        raise AssertionError(f"no end: {[str(one) for one in self.begun.steps[-6:]]}")

    def once(self) -> None:
        begun = self.begun
        before, moment = begun.state, self.moment
        step = next_step(before, moment)
        begun.steps.append(step)
        if isinstance(step, Take):
            self.take(step)
            return
        self.may(step, moment)
        entries = before.entries
        match step:
            case Finish(status, message, reason):
                begun.append(Finished(status, message, reason))
            case Wait():
                self.park(step)
            case Note(entry):
                begun.append(entry)
                if isinstance(entry, Interrupted):
                    if self.dice.random() < 0.5:
                        begun.frozen = ""
                    self.resume()
            case Perform():
                begun._perform(step)
        if any(isinstance(one.entry, ActionEnded | RetryLater | RebootEnded) for one in begun.entries[entries:]):
            self.room = replace(self.room, held=kept(begun.state, self.room, None))
        self.count()

    def take(self, step: Take) -> None:
        wanted = {one.key for one in step.slots} | ({AFTER} if step.after else set())
        if step.by_force or self.quiet or self.dice.random() < 0.7:
            self.room = replace(self.room, held=self.room.held | wanted, refused="")
        else:
            self.room = replace(self.room, refused="a slot: others", until=self.begun.world.now + 3.0 * HOURS)

    def park(self, wait: Wait) -> None:
        begun = self.begun
        state = begun.state
        held = kept(state, replace(self.room, needs=NEEDS if self.limits else Needs()), wait) & self.room.held
        self.room = replace(self.room, held=held, refused="")
        used = state.job is not None or (state.reboot is not None and (state.reboot.asked or state.reboot.by_itself))
        brief = wait.kind in (WaitKind.JOB, WaitKind.REBOOT, WaitKind.RETRY) and not wait.deferred
        assert used or not held or (brief and held == {WORK.key}), f"{wait} with {held}"
        assert wait.until > begun.world.now, wait
        begun._park(wait)
        if wait.kind in (WaitKind.APPROVAL, WaitKind.BRAKES) and self.dice.random() < 0.7:
            begun.append(self.answer())

    def answer(self) -> Entry:
        if self.dice.random() < 0.3:
            return ApprovalDenied("denied by eve")
        wants = approval.asked(self.begun.state)
        return ApprovalGiven("ann", tuple(wants.actions), wants.reboots)

    # --- what must be so ---

    def count(self) -> None:
        now = self.begun.world.now
        self.at = (now, self.at[1] + 1) if self.at[0] == now else (now, 0)
        assert self.at[1] < MOST_AT_ONCE, f"it runs in a circle: {[str(one) for one in self.begun.steps[-6:]]}"

    def may(self, step: object, moment: Moment) -> None:
        """What begins here, begins with nothing against it."""
        state = self.begun.state
        match step:
            case Note(JobIntended(actions=actions, step=0)):
                always = state.actions[actions[0]].plan.always
                self.none_against(moment)
                assert always or (state.stop is None and not state.over), step
                assert approval.may_do(state, state.actions[actions[0]], moment), step
                self.was_ready()
            case Note(RebootIntended(by_itself=False)):
                ordered = state.reboot_order is not None
                self.none_against(moment)
                assert not any((state.stop, state.over, state.unready)), step
                assert ordered or approval.may_reboot(state, moment), step
                self.was_ready()
            case Perform(Do.ASK_REBOOT):
                self.none_against(moment)
                assert not any((state.stop, state.over, state.unready)), step
            case Perform(Do.START_JOB, name) if not state.actions[name].step:
                self.none_against(moment)
            case _:
                pass

    def none_against(self, moment: Moment) -> None:
        assert not moment.frozen
        assert holds.in_force(moment.holds, moment.now) is None, "it begins in spite of a hold"
        pause = self.begun.state.pause
        lifted = pause is None or self.begun.state.stop is not None or (pause.until or float("inf")) <= moment.now
        assert lifted, "it begins in spite of a pause"

    def was_ready(self) -> None:
        state = self.begun.state
        if did_anything(state) or state.reboots or not state.desires:
            return
        assert not preflight.unready(state), "it begins on a computer that is not ready"


def facts_of(tossed: list[Tossed], seed: int) -> Fault:
    cut = random_faults(seed)

    def fault(world: World, step: Perform) -> list[Entry] | None:
        wanted = tossed[0]
        gated = seed % 2 == 0
        status = FindingStatus.COMPLIANT if wanted.ready else FindingStatus.NOT_COMPLIANT
        found = (Finding("task/quiet", "", status=status, message="a call"),) if gated else ()
        match step.do:
            case Do.RESOLVE:
                return [Resolved((READY,) if gated else (), {})]
            case Do.DETECT if world.up:
                return [Detected(found)]
            case Do.LOOK_READY if world.up:
                return [ReadyLooked(found)]
        return None if wanted.quiet else cut(world, step)

    return fault


def tossed(seed: int) -> Tossed:
    dice = random.Random(seed)  # noqa: S311 - repeatable worlds
    names = [f"a{number}" for number in range(dice.randint(1, 4))]
    actions = []
    for number, name in enumerate(names):
        after = dice.sample(names[:number], min(number, dice.randint(0, 2)))
        kind = dice.choice([ActionType.INSTALL] * 3 + [ActionType.UNDETERMINED])
        actions.append(act(name, *after, kind=kind, reboot=dice.choice(list(RebootNeed)), always=dice.random() < 0.25))
    options = {
        "reboot": dice.choice(list(Reboot)),
        "on_failure": dice.choice(list(OnFailure)),
        "max_reboots": dice.randint(1, 3),
        "window": dice.choice(["now", "now", "00:10-03:00", "mon 10:00-12:00"]),
        "window_over": dice.choice(list(WindowOver)),
        "session_timeout_minutes": dice.choice([1.0, 10.0, 1440.0]),
        "preflight_hours": dice.choice([0.5, 8.0]),
    }
    spec = {"time_zone": "UTC"}
    mine: list[Tossed] = []
    begun = session(
        *actions,
        options=options,
        spec=spec,
        codes={name: dice.choices([0, 3010, 1641, 1618, 1603, LOST], [8, 3, 2, 2, 1, 1], k=4) for name in names},
        pending=dice.choice([(), ("cbs",)]),
        job_seconds=dice.choice([5.0, 900.0]),
        determined={name: act(name, *one.after) for name, one in zip(names, actions, strict=True)},
        faults=facts_of(mine, seed),
    )
    begun.approver = dice.choice(list(Approver))
    mine.append(Tossed(begun, dice, limits=dice.random() < 0.5))
    mine[0].ready = dice.random() < 0.6
    return mine[0]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("block", range(60))
def test_a_session_that_anything_happens_to_ends_and_begins_nothing_that_may_not_begin(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        one = tossed(seed)
        try:
            one.go()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        state = one.begun.state
        assert state.finished is not None, seed
        assert state.finished.message, seed
        assert state.job is None, seed
        jobs = [name for name in one.begun.world.log if name.startswith("job ")]
        assert len(jobs) == len(set(jobs)), seed
        for each in state.actions.values():
            assert each.ended is not None, (seed, each.plan.id)
            assert each.ended.message or each.ended.outcome in (Outcome.SUCCESS, Outcome.NOTHING), (seed, each.ended)


# --- what they found ----------------------------------------------------------------------------------------------


def ordered(begun: Session, kind: OrderKind, how: How | None = None) -> str:
    said = verdict(begun.state, Order(1, begun.world.now, "ann", kind, "s1", "", how or How()), begun.moment)
    if isinstance(said, str):
        return said
    begun.append(said)
    return ""


def after_a(**more: Any) -> Session:
    begun = session(act("a"), act("b"), **more)
    return begun.go_until(lambda: "a" in begun.outcomes)


def not_ready(**more: Any) -> Session:
    found = (Finding("task/quiet", "", status=FindingStatus.NOT_COMPLIANT, message="a call"),)

    def call(_: World, step: Perform) -> list[Entry] | None:
        looks: dict[Do, list[Entry]] = {
            Do.RESOLVE: [Resolved((READY,), {})],
            Do.DETECT: [Detected(found)],
            Do.LOOK_READY: [ReadyLooked(found)],
        }
        return looks.get(step.do)

    begun = session(act("a"), act("z", always=True), faults=call, **more)
    return begun.go_until(lambda: begun.waits)


def test_a_reboot_that_was_ordered_is_not_done_by_a_session_whose_time_is_over() -> None:
    begun = after_a()
    assert ordered(begun, OrderKind.REBOOT) == ""
    begun.run_over = "its run has run for 5 minutes"
    begun.go(50)
    assert begun.order == ["a"]
    assert begun.state.finished is not None
    assert begun.state.finished.message.endswith("the reboot that was ordered by ann was not done")


def test_no_reboot_can_be_ordered_of_a_session_whose_time_is_over() -> None:
    begun = after_a()
    begun.run_over = "its run has run for 5 minutes"
    begun.go_once()
    assert ordered(begun, OrderKind.REBOOT, How(now=True)) == (
        "nothing new begins in it: its run has run for 5 minutes"
    )


@pytest.mark.parametrize("how", [How(), How(now=True)], ids=["ordered", "for now"])
def test_an_ordered_reboot_waits_for_a_computer_that_is_not_ready_and_is_given_up_with_it(how: How) -> None:
    begun = not_ready(options={"preflight_hours": 1.0})
    about = "the computer to be ready: task/quiet (a call)"
    assert ordered(begun, OrderKind.REBOOT, how) == f"it would have to wait for {about}"
    begun.append(RebootOrdered(Ordered(1, "ann"), how.now))  # before it was known not to be ready
    begun.go(200)
    assert begun.order == []
    assert {reason for _, reason in begun.outcomes.values()} == {OutcomeReason.PREFLIGHT}


@pytest.mark.parametrize("ends", ["cancelled", "over", "failed"])
def test_what_always_runs_begins_on_no_computer_that_is_not_ready_where_it_follows_nothing(ends: str) -> None:
    begun = not_ready()
    match ends:
        case "cancelled":
            assert ordered(begun, OrderKind.CANCEL) == ""
        case "over":
            begun.run_over = "its run has run for 5 minutes"
        case _:
            begun.append(StageFailed(Stage.EXECUTE, "a stage failed"))
    waited = len(begun.waits)
    begun.go(50)
    assert begun.order == []
    assert len(begun.waits) == waited


@pytest.mark.parametrize("kind", list(HoldKind))
@pytest.mark.parametrize("ends", [True, False], ids=["with an end", "without"])
def test_a_reboot_for_now_minds_what_holds_the_computer(kind: HoldKind, ends: bool) -> None:
    held = Hold(kind, "a call", 0.0, 9000.0 if ends else None)
    begun = after_a()
    assert ordered(begun, OrderKind.REBOOT, How(now=True)) == ""
    begun.holds = (held,)
    for _ in range(20):
        if begun.state.finished is None and begun.world.now < 9000.0:
            begun.go_once()
    assert begun.order == ["a"]
    again = after_a()
    again.holds = (held,)
    assert ordered(again, OrderKind.REBOOT, How(now=True)).startswith("the computer is ")


def test_a_reboot_that_is_held_back_by_a_hold_says_so_where_an_action_wanted_it() -> None:
    begun = session(act("a"), options={"reboot": Reboot.AUTOMATIC})
    begun.append(WindowClosed("held: a call", OutcomeReason.HELD))
    assert no_reboot(begun.state) == (OutcomeReason.HELD, "held: a call")


def test_a_reboot_that_was_held_back_for_hours_before_it_was_asked_for_outlives_a_lost_contact() -> None:
    begun = session(act("a"), pending=("cbs",), options={"reboot": Reboot.AUTOMATIC})
    begun.go_until(lambda: begun.state.reboot is not None)
    begun.world.now += 2 * HOURS
    begun.append(Resumed("another", 2))
    begun.world.away_until = begun.world.now + 10.0
    begun.go()
    assert begun.order == ["reboot", "a"]


def test_a_computer_that_answers_and_did_not_reboot_by_itself_has_come_back() -> None:
    begun = session(act("a"), codes={"a": [1641]}, options={"reboot": Reboot.SKIP})
    begun.world.reboot = lambda _: None  # type: ignore[assignment,method-assign]  # the announced reboot does not come
    begun.go_until(lambda: begun.state.reboot is not None)
    begun.world.now += 2 * HOURS
    begun.append(Resumed("another", 2))
    begun.go()
    assert begun.state.reboot_failure == ""
    assert begun.outcomes["a"][0] is Outcome.SUCCESS


def test_a_computer_that_was_lost_before_a_long_wait_for_something_else_is_asked_again_after_it() -> None:
    begun = after_a()
    begun.holds = (Hold(HoldKind.FREEZE, "a call", 0.0, begun.world.now + 2 * HOURS),)
    begun.append(ContactLost("dropped", "cut off", "poll"))
    begun.go()
    assert begun.order == ["a", "b"]


def test_a_session_that_waits_for_a_slot_to_ask_for_its_reboot_holds_none() -> None:
    begun = session(act("a"), pending=("cbs",), options={"reboot": Reboot.AUTOMATIC})
    begun.go_until(lambda: begun.state.reboot is not None)
    room = Room(NEEDS, frozenset((WORK.key, REBOOTS.key)))
    assert kept(begun.state, room, Wait(WaitKind.SLOT, 9000.0, "a slot")) == frozenset()
    assert on_its_way(begun.state, Room(NEEDS)) is None
    assert kept(begun.state, room, None) == room.held


def test_a_session_that_is_done_when_its_time_is_over_has_passed() -> None:
    begun = session(act("a"))
    begun.go_until(lambda: begun.state.verified is not None)
    begun.run_over = "its run has run for 5 minutes"
    begun.go()
    assert begun.state.finished is not None
    assert begun.state.finished.status is Status.PASSED
