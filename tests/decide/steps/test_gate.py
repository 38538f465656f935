"""One gate for effects: everything that acts passes it, and nothing else in the package starts anything."""

from __future__ import annotations

import ast
import random
from functools import cache
from pathlib import Path

import pytest

import immy_nornir
from immy_nornir.decide.steps.gate import Begin, Create, Reboot, effect_of, may_begin
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.step import Do, Note, Perform
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.playbooks import Reboot as Option
from immy_nornir.model.record.entries import ContactBack, ContactLost, Interrupted, JobIntended, RebootIntended
from immy_nornir.model.record.session import Status, WaitKind
from tests.decide.steps.world import Session, act, random_faults, session

PACKAGE = Path(immy_nornir.__file__).parent
ACTS = {Do.START_JOB, Do.ASK_REBOOT, Do.DETERMINE}


def eventful(seed: int) -> Session:
    todo = act("u", "b", kind=ActionType.UNDETERMINED)
    return session(
        act("a", reboot=RebootNeed.AFTER),
        act("b", "a"),
        todo,
        act("z", always=True),
        options={"reboot": Option.AUTOMATIC},
        codes={"a": [3010], "b": [1641]},
        determined={"u": act("u", "b")},
        faults=random_faults(seed),
    )


@pytest.mark.parametrize("block", range(4))
@pytest.mark.sampled(2)
def test_nothing_acts_while_the_fleet_is_frozen_wherever_that_comes(block: int) -> None:
    dice = random.Random(block)  # noqa: S311 - repeatable moments
    for seed in range(block * 30, block * 30 + 30):
        begun = eventful(seed)
        freezes_at = dice.randint(0, 40)
        for number in range(400):
            if number == freezes_at:
                begun.frozen, before = "the fleet is frozen", list(begun.world.log)
            begun.go_once(number)
            last = begun.steps[-1]
            if begun.frozen:
                assert not isinstance(last, Perform) or last.do not in ACTS
                assert not isinstance(last, Note) or not isinstance(last.entry, JobIntended), seed
            if begun.state.finished is not None or begun.state.interrupted is not None:
                break
        if begun.frozen:
            ours = [one for one in begun.world.log[len(before) :] if "by others" not in one and "by itself" not in one]
            assert ours == [], seed


def test_a_session_that_is_stopped_by_freeze_says_what_it_leaves_open() -> None:
    begun = session(act("a"))
    begun.go_until(lambda: begun.notes(JobIntended))
    begun.frozen = "the fleet is frozen by FREEZE: Christmas"
    begun.append(ContactLost("dropped", "cut off", "start_job a"))
    begun.append(ContactBack(begun.world.identity()))
    begun.go_once()
    (left,) = begun.notes(Interrupted)
    assert left.message.startswith("the fleet is frozen by FREEZE: Christmas; stopped; whether the job of a was begun")


def test_effects_are_known_by_what_they_begin() -> None:
    begun = session(act("a", reboot=RebootNeed.AFTER), options={"reboot": Option.AUTOMATIC}).go()
    state = begun.state
    assert effect_of(state, Perform(Do.START_JOB, "a")) == Create("a")
    assert effect_of(state, Perform(Do.DETERMINE, "a")) == Begin("a")
    assert effect_of(state, Perform(Do.ASK_REBOOT)) == Reboot(asked=True)
    assert effect_of(state, Perform(Do.POLL_JOB, "a")) is None
    intent = begun.notes(RebootIntended)[0]
    assert effect_of(state, Note(intent)) == Reboot(asked=False)
    # That an installer reboots by itself is no decision of ours.
    assert effect_of(state, Note(RebootIntended(1, "", intent.boot, by_itself=True))) is None
    assert may_begin(state, Reboot(asked=False), Moment(begun.world.now)) == Perform(Do.LOOK_USERS)


@cache
def calls(file: Path) -> set[str]:
    """The names that are called, without what stands before their last dot."""
    called = (one.func for one in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(one, ast.Call))
    return {one.attr if isinstance(one, ast.Attribute) else ast.unparse(one).rpartition(".")[2] for one in called}


def callers(name: str, *folders: str) -> set[str]:
    found = set()
    for folder in folders:
        for file in sorted((PACKAGE / folder).rglob("*.py")):
            if name in calls(file):
                found.add(file.relative_to(PACKAGE).as_posix())
    return found


@pytest.mark.parametrize(
    ("name", "places"),
    [
        # The question is asked at one place, and only there are the times and the freeze looked at.
        ("may_begin", {"decide/steps/next_step.py"}),
        # Whether a time that people may choose lies in it is the other one who asks.
        ("window", {"decide/steps/gate.py", "decide/steps/holding/asking.py"}),
        ("business_hours", {"decide/steps/gate.py"}),
        ("next_step", {"session/live.py"}),
        # Intents are made where the steps are chosen, and nowhere else.
        ("JobIntended", {"decide/steps/execution.py"}),
        ("RebootIntended", {"decide/steps/execution.py", "decide/steps/reboots.py"}),
        # What reaches the computer is sent by one operation each, which the loop performs when the step says so.
        ("start_job", {"session/effects.py", "session/asking.py", "session/hearing/heard.py"}),
        ("reboot", {"session/effects.py", "session/hearing/heard.py"}),
        ("perform", {"session/operations.py"}),
        ("attempt", {"session/live.py"}),
    ],
)
def test_nothing_else_starts_an_effect(name: str, places: set[str]) -> None:
    assert callers(name, "decide", "session", "plugins", "cli") == places


@pytest.mark.parametrize("hours", [None, "rubbish"])
@pytest.mark.parametrize("need", list(RebootNeed))
@pytest.mark.parametrize("faults", [None, *range(6)])
def test_a_window_that_never_opens_ends_the_session_whatever_always_runs(
    hours: str | None, need: RebootNeed, faults: int | None
) -> None:
    done = session(
        act("a", reboot=RebootNeed.AFTER),
        act("z", always=True, reboot=need),
        options={"reboot": Option.AUTOMATIC, "window": "after_hours"},
        spec={"business_hours": hours},
        faults=None if faults is None else random_faults(faults),
    ).go()
    assert [one for one in done.world.log if "by others" not in one] == []
    assert done.state.finished is not None
    assert done.state.finished.status in (Status.FAILED, Status.MISSED)
    assert all(one.ended is not None for one in done.state.actions.values())


def test_who_waits_for_a_window_goes_on_waiting_while_the_fleet_is_frozen() -> None:
    begun = session(act("a"), options={"window": "2030-01-01T00:00:00Z"})
    begun.frozen = "the fleet is frozen"
    begun.go_until(lambda: begun.waits)
    assert begun.waits[0].kind is WaitKind.WINDOW
    assert begun.notes(Interrupted) == []
