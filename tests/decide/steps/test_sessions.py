"""Sessions in a world that is not kind: lost contact, stops, windows, resumption, and random trouble."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.decide.steps.next_step import CONNECT_TRIES
from immy_nornir.decide.steps.step import Do, Perform
from immy_nornir.model.items import RebootNeed, UpgradeStrategy
from immy_nornir.model.playbooks import ActionType, Offline, OnFailure, Reboot
from immy_nornir.model.record.entries import (
    ActionEnded,
    ContactLost,
    Entry,
    Finished,
    JobEnded,
    JobIntended,
    RebootIntended,
    Refused,
    RetryLater,
    StageFailed,
    StopAsked,
)
from immy_nornir.model.record.question_entries import Said
from immy_nornir.model.record.session import ByHand, Outcome, OutcomeReason, Status, WaitKind
from tests.decide.builders import software
from tests.decide.steps.people import People, Person
from tests.decide.steps.world import LOST, Fault, Session, World, act, random_faults, resume, session

AUTO = {"reboot": Reboot.AUTOMATIC}
FORCE = {"reboot": Reboot.FORCE}


def status(done: Session) -> Status:
    assert done.state.finished is not None
    return done.state.finished.status


def message(done: Session) -> str:
    assert done.state.finished is not None
    return done.state.finished.message


def every_action_has_an_outcome(done: Session) -> bool:
    return all(one.ended is not None for one in done.state.actions.values())


def at(do: Do, *entries: Entry, times: int = 1, then: Callable[[World], None] | None = None) -> Fault:
    """Answer an operation with these entries, the first times that it is asked for."""
    left = [times]

    def fault(world: World, step: Perform) -> list[Entry] | None:
        if step.do is not do or not left[0]:
            return None
        left[0] -= 1
        if then is not None:
            then(world)
        return list(entries)

    return fault


# --- contact -------------------------------------------------------------------------------------------------------

CUT = ContactLost("dropped", "cut off", "something")
_SELDOM = (Do.STOP_JOB, Do.LOOK_READY, Do.CLOSE_QUESTION)
EVERYWHERE = [one for one in Do if one not in (Do.CHECK_BOOT, Do.RESOLVE, Do.MAKE_PLAN, *_SELDOM)]


def eventful(**more: Any) -> Session:
    """A session that passes through nearly every operation: an undetermined action, jobs, a countdown and a reboot."""
    todo = act("u", "b", kind=ActionType.UNDETERMINED)
    people = People([Person("ann", says=[(20.0, Said.NOW, 0)] * 9)])  # who sees a countdown, and lets it be
    given: dict[str, Any] = {"options": AUTO, "codes": {"a": [3010]}, "determined": {"u": act("u", "b")}}
    given["people"] = people
    return session(act("a"), act("b", "a"), todo, **{**given, **more})


def test_the_eventful_session_performs_everything() -> None:
    done = eventful().go()
    assert {one.do for one in done.steps if isinstance(one, Perform)} == set(Do) - set(_SELDOM)
    assert status(done) is Status.PASSED


@pytest.mark.parametrize("kind", ["dropped", "timeout", "unreachable", "garbled"])
@pytest.mark.parametrize("do", [one for one in EVERYWHERE if one is not Do.CONNECT])
def test_contact_that_is_lost_once_changes_nothing(do: Do, kind: str) -> None:
    done = eventful(faults=at(do, ContactLost(kind, "cut off", do))).go()
    assert status(done) is Status.PASSED
    assert done.order == ["a", "reboot", "b", "u"]


def test_a_job_that_outlives_its_time_out_by_far_is_given_up() -> None:
    done = session(act("a", timeout_seconds=600), act("b"), job_seconds=1e9).go()
    assert status(done) is Status.FAILED
    assert {one.ended.reason for one in done.state.actions.values() if one.ended} == {OutcomeReason.DEADLINE}


@pytest.mark.parametrize("do", [one for one in EVERYWHERE if one is not Do.CONNECT])
def test_a_computer_that_stays_away_ends_the_session_and_every_action(do: Do) -> None:
    def leave(world: World) -> None:
        world.reachable = False

    done = eventful(faults=at(do, CUT, then=leave)).go()
    assert status(done) is Status.FAILED
    assert "contact" in message(done) or "come back" in message(done)
    assert every_action_has_an_outcome(done)
    assert done.world.now - 1000.0 < 3 * 3600


def test_a_job_whose_computer_stays_away_is_in_doubt() -> None:
    def leave(world: World) -> None:
        world.reachable = False

    done = session(act("a"), act("b"), faults=at(Do.POLL_JOB, CUT, then=leave)).go()
    assert done.outcomes["a"] == (Outcome.FAILED, OutcomeReason.IN_DOUBT)
    assert done.outcomes["b"][0] is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("unreachable", Status.MISSED), ("timeout", Status.MISSED), ("garbled", Status.FAILED)],
)
def test_a_computer_that_never_answered_ends_at_once(kind: str, expected: Status) -> None:
    done = session(act("a"), faults=at(Do.CONNECT, ContactLost(kind, "no answer"), times=99)).go()
    assert status(done) is expected
    assert not done.waits


@pytest.mark.parametrize(
    "lost",
    [
        ContactLost("dropped", "reset"),
        ContactLost("dropped", "reset", passing=True),
        ContactLost("unreachable", "connection refused", passing=True),
    ],
)
def test_a_first_contact_that_fails_for_a_moment_is_tried_a_few_times(lost: ContactLost) -> None:
    done = session(act("a"), faults=at(Do.CONNECT, lost, times=3)).go()
    assert status(done) is Status.PASSED
    never = session(act("a"), faults=at(Do.CONNECT, lost, times=99)).go()
    assert status(never) is Status.MISSED
    assert sum(step == Perform(Do.CONNECT) for step in never.steps) == CONNECT_TRIES
    assert never.world.now - 1000.0 < 20
    typed = session(act("a"), faults=at(Do.CONNECT, lost, times=99), spec={"by_hand": ByHand(("x",))}).go()
    assert status(typed) is Status.MISSED
    assert typed.world.now - 1000.0 < (3 if lost.kind == "unreachable" else 20)


def test_those_that_were_turned_away_together_do_not_come_back_together() -> None:
    lost = ContactLost("dropped", "kex_exchange_identification: Connection closed by remote host", passing=True)
    back = []
    for number in range(30):
        one = session(act("a"), faults=at(Do.CONNECT, lost))
        one.state = dataclasses.replace(one.state, spec=dataclasses.replace(one.state.spec, id=f"s{number}"))
        back.append(one.go().waits[0].until)
    assert max(back) - min(back) > 0.6
    assert max(sum(abs(one - other) < 0.1 for other in back) for one in back) < 15


def test_apply_on_connect_waits_until_the_computer_is_there() -> None:
    later = {"offline": Offline.APPLY_ON_CONNECT}
    done = session(act("a"), options=later, away_until=1000.0 + 3 * 86400).go(5000)
    assert status(done) is Status.PASSED
    assert {one.kind for one in done.waits[:5]} == {WaitKind.CONNECTIVITY}


def test_apply_on_connect_does_not_wait_for_what_is_no_computer_of_ours() -> None:
    later = {"offline": Offline.APPLY_ON_CONNECT}
    done = session(act("a"), options=later, faults=at(Do.CONNECT, ContactLost("garbled", "HTML"), times=99)).go()
    assert status(done) is Status.FAILED


@pytest.mark.parametrize("kind", ["dropped", "timeout", "garbled"])
def test_answering_to_its_name_alone_does_not_keep_a_session_alive(kind: str) -> None:
    done = session(act("a"), faults=at(Do.VERIFY, ContactLost(kind, "cut off", "verify"), times=999)).go(300)
    assert status(done) is Status.FAILED
    assert f"{kind}" in message(done)


def test_a_refusal_ends_the_session_and_every_action() -> None:
    done = session(act("a"), act("b"), faults=at(Do.START_JOB, Refused("identity", "another computer"))).go()
    assert status(done) is Status.FAILED
    assert message(done) == "identity: another computer"
    assert every_action_has_an_outcome(done)


def test_a_failed_stage_ends_the_session() -> None:
    done = session(act("a"), faults=at(Do.DETECT, StageFailed(BUILT_IN_TYPES["full"].stages[3], "no"))).go()
    assert (status(done), message(done)) == (Status.FAILED, "detect: no")


# --- reboots -------------------------------------------------------------------------------------------------------


def test_a_reboot_is_asked_for_until_the_computer_takes_it() -> None:
    lost = ContactLost("unreachable", "no answer", "ask_reboot")
    done = session(act("a", reboot=RebootNeed.AFTER), options=AUTO, faults=at(Do.ASK_REBOOT, lost, times=5)).go(200)
    assert done.order == ["a", "reboot"]
    assert status(done) is Status.PASSED


def test_a_reboot_that_cannot_be_asked_for_ends_within_its_patience() -> None:
    lost = ContactLost("unreachable", "no answer", "ask_reboot")
    done = session(act("a", reboot=RebootNeed.AFTER), options=AUTO, faults=at(Do.ASK_REBOOT, lost, times=10**6)).go(999)
    assert status(done) is Status.FAILED
    assert done.world.now < 1000.0 + 2 * 3600


def test_a_reboot_that_never_comes_back_says_so() -> None:
    done = session(act("a", reboot=RebootNeed.AFTER), options=AUTO, comes_back=False).go(999)
    assert "did not come back from its reboot within 30 minutes" in message(done)


def test_a_reboot_by_others_serves_those_who_wait_for_one() -> None:
    def reboot(world: World) -> None:
        world.reboot("reboot by others")

    faults = at(Do.VERIFY_ACTION, CUT, then=reboot)
    done = session(act("a"), act("b", "a"), options=AUTO, codes={"a": [3010]}, faults=faults).go()
    assert done.order == ["a", "reboot by others", "b"]


@pytest.mark.parametrize(("option", "expected"), [("skip", ["a"]), ("automatic", ["a", "reboot"])])
def test_an_installer_that_does_not_reboot_as_it_said(option: str, expected: list[str]) -> None:
    begun = session(act("a"), options={"reboot": Reboot(option)}, codes={"a": [1641]})
    begun.world.told = _stays(begun.world)  # type: ignore[method-assign]  # this world's installer lies
    begun.go(999)
    assert begun.order == expected
    assert begun.outcomes["a"][0] is Outcome.SUCCESS


def _stays(world: World) -> Any:
    real = world.told

    def told(job_id: str, *, seen: bool) -> list[Entry]:
        before, away = world.boot, world.away_until
        entries = real(job_id, seen=seen)
        world.boot, world.away_until = before, away
        world.log = [one for one in world.log if one != "reboot by itself"]
        return entries

    return told


def test_a_soft_reboot_of_an_earlier_step_is_not_forgotten() -> None:
    item = software("a", upgrade=UpgradeStrategy.UNINSTALL_FIRST)
    action = act("a", kind=ActionType.UPDATE, definition="d")
    done = session(action, act("b", "a"), options=AUTO, codes={"a": [3010, 0]}, definitions={"d": item}).go()
    assert done.order == ["a", "a", "reboot", "b"]


def test_a_retry_goes_on_with_the_step_that_asked_for_it() -> None:
    item = software("a", upgrade=UpgradeStrategy.UNINSTALL_FIRST)
    action = act("a", kind=ActionType.UPDATE, definition="d")
    done = session(action, codes={"a": [0, 1618, 0]}, definitions={"d": item}).go()
    assert done.world.log == ["job s1/a/1", "job s1/a/1.1", "job s1/a/2.1"]
    assert status(done) is Status.PASSED


def test_an_always_action_that_wants_a_reboot_is_skipped_when_reboots_fail() -> None:
    last = act("p", always=True, reboot=RebootNeed.BEFORE)
    done = session(act("a"), last, options=AUTO, comes_back=False, pending=("cbs",)).go(999)
    assert status(done) is Status.FAILED
    assert every_action_has_an_outcome(done)


# --- windows -------------------------------------------------------------------------------------------------------

MONDAY_NOON = datetime(2030, 1, 7, 12, 0, tzinfo=UTC).timestamp()
HOURS = "mon-fri 08:00-18:00"


def windowed(window: str, **more: Any) -> Session:
    options = {"window": window, **more.pop("options", {})}
    actions = more.pop("actions", [act("a")])
    spec = {"business_hours": HOURS, "time_zone": "UTC", **more.pop("spec", {})}
    begun = session(*actions, options=options, spec={**spec}, now=MONDAY_NOON, **more)
    object.__setattr__(begun.state.spec, "created_at", MONDAY_NOON)
    return begun


def hour(done: Session) -> str:
    job = next(iter(done.world.jobs.values()))
    return datetime.fromtimestamp(job.ends_at - 5, UTC).strftime("%a %H:%M")


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("now", "Mon 12:00"),
        ("after_hours", "Mon 18:00"),
        ("22:30", "Mon 22:30"),
        ("06:00", "Tue 06:00"),
        ("2030-01-09T03:00", "Wed 03:00"),
        ("2030-01-07T05:00", "Mon 12:00"),
    ],
)
def test_detection_happens_at_once_and_execution_in_the_window(window: str, expected: str) -> None:
    done = windowed(window).go()
    assert hour(done) == expected
    assert done.entries[4].at < MONDAY_NOON + 60
    assert status(done) is Status.PASSED


def test_a_session_without_work_does_not_wait_for_its_window() -> None:
    done = windowed("after_hours", actions=[]).go()
    assert not done.waits


def test_force_waits_for_the_window_even_with_nothing_done() -> None:
    done = windowed("22:30", actions=[], options=FORCE).go()
    assert done.order == ["reboot"]
    assert done.world.now > MONDAY_NOON + 10 * 3600


@pytest.mark.parametrize("window", ["after_hours", "25:99", "sometime"])
def test_a_window_that_cannot_be_worked_out_ends_the_session(window: str) -> None:
    done = windowed(window, spec={"business_hours": None}, actions=[act("a"), act("p", always=True)]).go()
    assert status(done) is Status.FAILED
    assert "window" in message(done)
    assert done.order == []
    assert every_action_has_an_outcome(done)


@pytest.mark.parametrize("option", [Reboot.AUTOMATIC, Reboot.FORCE])
def test_business_hours_hold_back_reboots(option: Reboot) -> None:
    options = {"reboot": option, "reboots_in_business_hours": False}
    done = windowed("now", actions=[act("a", reboot=RebootNeed.AFTER)], options=options).go()
    assert hour(done) == "Mon 12:00"
    (reboot,) = [one for one in done.entries if isinstance(one.entry, RebootIntended)]
    assert datetime.fromtimestamp(reboot.at, UTC).strftime("%H:%M") == "18:00"


@pytest.mark.parametrize("option", [Reboot.AUTOMATIC, Reboot.FORCE])
@pytest.mark.parametrize("hours", ["mon-sun 00:00-24:00", "always", {"mon-fri": "8"}])
def test_business_hours_that_never_end_hold_back_every_reboot(option: Reboot, hours: Any) -> None:
    options = {"reboot": option, "reboots_in_business_hours": False}
    actions = [act("a", reboot=RebootNeed.AFTER), act("b", "a"), act("c")]
    spec = {"business_hours": hours}
    done = windowed("now", actions=actions, options=options, spec=spec, pending=("cbs",)).go()
    assert "reboot" not in done.order
    assert "not rebooted: reboots are held back in business hours, and" in message(done)
    assert done.outcomes["b"] == (Outcome.SKIPPED, OutcomeReason.REBOOTS_SKIPPED)
    assert done.outcomes["c"][0] is Outcome.SUCCESS


def test_a_stop_ends_the_wait_for_a_window() -> None:
    begun = windowed("22:30", actions=[act("a"), act("p", always=True)])
    begun.go_until(lambda: begun.waits)
    begun.append(StopAsked("cancel", "cancelled by ana"))
    begun.world.now = MONDAY_NOON + 60
    begun.go(20)
    assert status(begun) is Status.CANCELLED
    assert begun.order == []
    assert every_action_has_an_outcome(begun)


# --- stop ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(34))
def test_a_stop_in_any_state_starts_nothing_new_but_post_actions(number: int) -> None:
    todo = act("u", "b", kind=ActionType.UNDETERMINED)
    given: dict[str, Any] = {"options": AUTO, "codes": {"a": [3010]}, "determined": {"u": act("u", "b")}}
    begun = session(act("a"), act("b", "a"), todo, act("p", always=True), **given)
    for _ in range(number):
        begun.go_once()
    assert begun.state.finished is None
    before, busy = list(begun.order), begun.state.current
    begun.append(StopAsked("cancel", "cancelled by ana"))
    begun.go()
    assert status(begun) is Status.CANCELLED
    assert every_action_has_an_outcome(begun)
    new = begun.order[len(before) :]
    assert set(new) <= {busy, "p", "reboot"}
    assert "reboot" not in new or begun.state.reboots
    if begun.state.plan is not None:
        assert "p" in begun.order


def test_a_stop_while_the_computer_is_away_ends_at_once() -> None:
    begun = session(act("a"), act("p", always=True), options={"offline": Offline.APPLY_ON_CONNECT})
    begun.go_until(lambda: begun.state.plan is not None)
    begun.world.reachable = False
    begun.append(ContactLost("dropped", "cut off", "start_job"))
    begun.append(StopAsked("cancel", "cancelled by ana"))
    begun.go(60)
    assert status(begun) is Status.CANCELLED
    assert begun.world.now < 1000.0 + 600
    assert every_action_has_an_outcome(begun)


# --- resumption ----------------------------------------------------------------------------------------------------

RESUMED: dict[str, dict[str, Any]] = {
    "eventful": {},
    "by itself": {"codes": {"a": [1641]}},
    "retries": {"codes": {"a": [1618, 0], "b": [1618, 3010]}},
    "lost jobs": {"codes": {"a": [LOST, 0], "b": [LOST, LOST, 0]}},
    "failures": {"codes": {"b": [1603]}},
    "forced": {"options": FORCE, "pending": ("cbs",)},
}


@pytest.mark.parametrize("name", RESUMED)
def test_interrupted_at_any_entry_and_resumed_it_ends_the_same(name: str) -> None:
    straight = eventful(**RESUMED[name])
    straight.keep = True
    straight.go()
    for kept, world in straight.snapshots:
        if any(isinstance(one.entry, Finished) for one in kept):
            continue
        again = resume(straight, kept, world)
        assert again.go(400).outcomes == straight.outcomes, kept[-1]
        assert status(again) is status(straight)
        assert again.order == straight.order
        assert len(again.world.jobs) == len(straight.world.jobs)


def test_resumed_after_a_night_a_reboot_under_way_is_looked_at_once_more() -> None:
    straight = eventful()
    straight.keep = True
    straight.go()
    for kept, world in straight.snapshots:
        if any(isinstance(one.entry, Finished) for one in kept):
            continue
        world.now += 12 * 3600
        again = resume(straight, kept, world).go(400)
        assert status(again) is Status.PASSED, kept[-1]
        assert again.order == straight.order


# --- random worlds -------------------------------------------------------------------------------------------------


def random_session(seed: int) -> Session:
    dice = random.Random(seed)  # noqa: S311 - repeatable worlds
    names = [f"a{number}" for number in range(dice.randint(1, 6))]
    actions = []
    for number, name in enumerate(names):
        after = dice.sample(names[:number], min(number, dice.randint(0, 2)))
        kind = dice.choice([ActionType.INSTALL] * 3 + [ActionType.UNDETERMINED, ActionType.NONE])
        need = dice.choice([RebootNeed.IF_NEEDED] * 3 + list(RebootNeed))
        actions.append(act(name, *after, kind=kind, reboot=need, always=dice.random() < 0.15))
    codes = {name: dice.choices([0, 3010, 1641, 1618, 1603, LOST], [8, 3, 2, 2, 1, 2], k=4) for name in names}
    options = {
        "reboot": dice.choice([Reboot.SKIP, Reboot.AUTOMATIC, Reboot.FORCE]),
        "on_failure": dice.choice(list(OnFailure)),
        "offline": dice.choice(list(Offline)),
        "max_reboots": dice.randint(0, 5),
        "window": dice.choice(["now", "now", "22:00"]),
    }
    begun = session(
        *actions,
        options=options,
        codes=codes,
        pending=dice.choice([(), ("cbs",)]),
        pending_stays=dice.random() < 0.2,
        comes_back=dice.random() < 0.9,
        determined={name: act(name, *one.after) for name, one in zip(names, actions, strict=True)},
        faults=random_faults(seed),
    )
    if options["offline"] is Offline.APPLY_ON_CONNECT:
        begun.world.comes_back = True  # it would rightly be waited for, for ever
    if dice.random() < 0.2:
        begun.stop_at = dice.randint(0, 60)
    return begun


@pytest.mark.parametrize("block", range(10))
@pytest.mark.sampled(3)
def test_any_world_comes_to_an_end_with_an_outcome_for_every_action(block: int) -> None:
    for seed in range(block * 40, block * 40 + 40):
        done = random_session(seed).go(3000)
        assert every_action_has_an_outcome(done), seed
        assert done.state.reboot is None, seed
        asked = [one for one in done.world.log if one == "reboot"]
        limit = done.state.spec.options.max_reboots
        assert len(asked) <= limit, seed
        if done.state.spec.options.reboot is Reboot.SKIP:
            assert not asked, seed


@pytest.mark.parametrize("block", range(5))
@pytest.mark.sampled(2)
def test_no_job_begins_before_the_one_before_it_has_ended(block: int) -> None:
    for seed in range(block * 40, block * 40 + 40):
        done = random_session(seed).go(3000)
        jobs = [one.removeprefix("job ") for one in done.world.log if one.startswith("job ")]
        assert len(jobs) == len(set(jobs)), seed
        under_way = ""
        for stamped in done.entries:
            entry = stamped.entry
            match entry:
                case JobIntended(job_id=job_id):
                    assert under_way == "", seed
                    under_way = job_id
                case JobEnded(job_id=job_id):
                    assert under_way == job_id, seed
                    under_way = ""
                case RetryLater() | ActionEnded() if under_way and under_way.split("/")[1] in entry.action_id:
                    under_way = ""
                case _:
                    pass


@pytest.mark.parametrize("block", range(4))
@pytest.mark.sampled(1)
def test_random_worlds_interrupted_anywhere_lose_nothing(block: int) -> None:
    dice = random.Random(block)  # noqa: S311 - repeatable worlds
    for seed in range(block * 10, block * 10 + 10):
        straight = random_session(seed)
        straight.keep = True
        straight.go(3000)
        kept, world = dice.choice([one for one in straight.snapshots if one[0]])
        again = resume(straight, kept, world).go(3000)
        assert every_action_has_an_outcome(again), seed
        jobs = [one for one in again.world.log if one.startswith("job ")]
        assert len(jobs) == len(set(jobs)), seed


def test_retries_are_noted_with_their_time() -> None:
    done = session(act("a"), codes={"a": [1618, 0]}).go()
    (later,) = done.notes(RetryLater)
    assert later.at - 60 < done.world.now
    assert any(one.kind is WaitKind.RETRY for one in done.waits)
