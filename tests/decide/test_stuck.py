"""What holds a session that is open: every cause of `sessions stuck`, each read off a record that a session wrote."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from immy_nornir.cli.main import immy
from immy_nornir.decide.health.stuck import Cause, Holding, OpenSession, Stuck, Surroundings, causes, machine_of, stuck
from immy_nornir.decide.steps.moment import Approver
from immy_nornir.decide.steps.next_step import LOST_PATIENCE_SECONDS
from immy_nornir.decide.steps.state import fold_all
from immy_nornir.decide.steps.step import Do, Perform
from immy_nornir.decide.steps.under_way import OVERDUE_SECONDS
from immy_nornir.model.control.orders import Order, OrderKind
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.playbooks import Offline, Reboot, Stage
from immy_nornir.model.record.entries import (
    ContactLost,
    Entry,
    Interrupted,
    JobSeen,
    RetryLater,
    StageFailed,
    Waiting,
)
from immy_nornir.model.record.session import EndReason, Status, WaitKind
from tests.decide.steps.world import Session, World, act, session

ROOT = Path(__file__).resolve().parent.parent.parent
OWNER = "here-123-abc"
LIVES = {"owner": OWNER, "alive": True}
NIGHT = "2030-01-01T22:00"


def seen(one: Session, **more: Any) -> OpenSession:
    """A session as the history has it."""
    return OpenSession("s1", "PC1", status=Status.RUNNING, state=one.state, entries=one.entries, **{**LIVES, **more})


def held(one: OpenSession, now: float, **around: Any) -> list[Holding]:
    return list(causes(one, Surroundings(now, "here", **around)))


def working(**more: Any) -> Session:
    """A session whose job is under way, and has said so."""
    begun = session(act("a"), job_seconds=1e9, **more)
    return begun.go_until(lambda: begun.state.job is not None and begun.state.job.seen)


def waiting(entry: Waiting) -> Session:
    begun = working()
    begun.append(entry)
    return begun


def off(offline: Offline = Offline.SKIP) -> Session:
    begun = session(act("a"), options={"offline": offline}, reachable=False)
    return begun.go_until(lambda: begun.state.waiting)


def rebooting(minutes: float = 30, *, answers: bool = True) -> Session:
    begun = session(
        act("a", reboot=RebootNeed.AFTER),
        options={"reboot": Reboot.AUTOMATIC, "reboot_timeout_minutes": minutes},
        comes_back=False,
    )
    begun.go_until(lambda: begun.state.reboot is not None and (begun.state.reboot.asked or not answers))
    return begun


def at_window() -> Session:
    begun = session(act("a"), options={"window": NIGHT})
    return begun.go_until(lambda: begun.state.waiting)


def asking() -> Session:
    begun = session(act("a"))
    begun.approver = Approver.PERSON
    return begun.go_until(lambda: begun.state.waiting)


def ordered(at: float) -> Order:
    return Order(1, at, "ana@here", OrderKind.CANCEL, "s1", "wrong tenant")


def interrupted(message: str) -> Session:
    begun = working()
    begun.append(Interrupted(message))
    return begun


def failed(message: str) -> Session:
    begun = session(act("a"))
    begun.append(StageFailed(Stage.EXECUTE, message, EndReason.BUSY))
    return begun


def lost() -> Session:
    begun = working()
    begun.append(ContactLost("dropped", "no answer"))
    return begun


def talking(seconds: float) -> Session:
    """A job that has written something until now, so long after its beginning."""
    begun = working()
    begun.world.now += seconds
    begun.append(JobSeen(begun.state.job.id if begun.state.job else "", "still here\n", 11))
    return begun


Case = Callable[[], "tuple[OpenSession, float, dict[str, Any]]"]


def case(make: Callable[[], Session], after: float = 0.0, frozen: str = "", service: bool = False, **more: Any) -> Case:
    """A session so long after its last entry."""

    def made() -> tuple[OpenSession, float, dict[str, Any]]:
        one = make()
        return seen(one, **more), one.world.now + after, {"frozen": frozen, "service": service}

    return made


def with_order(alive: bool) -> Case:
    def made() -> tuple[OpenSession, float, dict[str, Any]]:
        one = working()
        return seen(one, alive=alive, orders=(ordered(one.world.now),)), one.world.now + 90, {}

    return made


CASES: dict[str, tuple[Case, Cause, bool, str, str]] = {
    "a damaged record": (
        lambda: (OpenSession("s1", "PC1", damage="ValueError: no JSON"), 0.0, {}),
        Cause.DAMAGED,
        True,
        "its record is damaged: ValueError: no JSON",
        "sessions resume",
    ),
    "a process that died at a job": (
        case(working, alive=False),
        Cause.DEAD,
        True,
        "its process 123 on here has died; the job of a goes on on the computer",
        "sessions resume s1",
    ),
    "a process of another machine": (
        case(working, owner="mars-77-xyz", alive=False),
        Cause.ELSEWHERE,
        True,
        "the process that was at it is of mars, and cannot be seen from here",
        "sessions resume s1",
    ),
    "a session that was interrupted": (
        case(lambda: interrupted("stopped by the operator")),
        Cause.LEFT,
        True,
        "nobody is at it: stopped by the operator",
        "sessions resume s1",
    ),
    "one that was interrupted by FREEZE": (
        case(lambda: interrupted("frozen; stopped"), frozen="the fleet is frozen by FREEZE"),
        Cause.FROZEN,
        True,
        "the fleet is frozen by FREEZE",
        "sessions resume s1",
    ),
    "one that was interrupted, of a schedule that a service serves": (
        case(lambda: interrupted("stopped by the operator"), service=True, of_schedule=True),
        Cause.LEFT,
        False,
        "the service goes on with it",
        "sessions resume s1",
    ),
    "one that was interrupted, of no schedule, though a service is at work": (
        case(lambda: interrupted("stopped by the operator"), service=True),
        Cause.LEFT,
        True,
        "nobody is at it: stopped by the operator",
        "sessions resume s1",
    ),
    "one of a schedule that was interrupted by FREEZE, while a service is at work": (
        case(
            lambda: interrupted("frozen; stopped"),
            frozen="the fleet is frozen by FREEZE in origin/main",
            service=True,
            of_schedule=True,
        ),
        Cause.FROZEN,
        False,
        "the fleet is frozen by FREEZE in origin/main",
        "sessions resume s1",
    ),
    "an order that nobody is there to obey": (
        with_order(False),
        Cause.ORDERED,
        True,
        "cancel was ordered by ana@here: wrong tenant; nobody",
        "sessions resume s1",
    ),
    "an order that its process has not come to": (
        with_order(True),
        Cause.ORDERED,
        False,
        "its process has not come to it yet",
        "sessions log -f s1",
    ),
    "a computer that another session has": (
        case(working, holder="s9", holder_owner="here-9-z"),
        Cause.LEASE,
        False,
        "session s9 is at work on its computer (here-9-z)",
        "sessions show s9",
    ),
    "a computer that another history has": (
        case(
            lambda: failed("another session is at work on this computer: session x of mars, until 2030-01-01 10:00 UTC")
        ),
        Cause.LEASE,
        False,
        "session x of mars, until 2030-01-01 10:00 UTC",
        "sessions log -f s1",
    ),
    "a computer that is off, for a while": (
        case(lost),
        Cause.AWAY,
        False,
        "its computer does not answer: no answer",
        "doctor PC1",
    ),
    "a computer that is off, without end": (
        case(lambda: off(Offline.APPLY_ON_CONNECT), owner="", alive=False),
        Cause.AWAY,
        False,
        "it is waited for without end",
        "sessions resume --due",
    ),
    "a window": (
        case(at_window, after=-100, owner="", alive=False),
        Cause.WINDOW,
        False,
        f"it waits for window {NIGHT}",
        "sessions resume --due",
    ),
    "a window that has opened, and nobody is there": (
        case(at_window, after=100 * 365 * 86400.0, owner="", alive=False),
        Cause.WINDOW,
        True,
        "its time has come, and nobody is at it",
        "sessions resume --due",
    ),
    "a window that has opened, while a service is at work": (
        case(at_window, after=100 * 365 * 86400.0, service=True, owner="", alive=False),
        Cause.WINDOW,
        False,
        f"it waits for window {NIGHT}",
        "sessions resume --due",
    ),
    "people who are asked": (
        case(lambda: waiting(Waiting(WaitKind.PROMPT, 9.0, "ann to answer whether it may reboot: updates"))),
        Cause.PROMPT,
        False,
        "it waits for ann to answer",
        "sessions show s1",
    ),
    "a user who is not logged on": (
        case(lambda: waiting(Waiting(WaitKind.LOGON, 9.0, "ann to log on, until noon", deferred=True)), owner=""),
        Cause.LOGON,
        False,
        "it waits for ann to log on",
        "explain PC1",
    ),
    "an earlier wave": (
        case(lambda: waiting(Waiting(WaitKind.TURN, 9.0, "an earlier wave, which waits", deferred=True)), owner=""),
        Cause.TURN,
        False,
        "an earlier wave, which waits",
        "sessions resume --due",
    ),
    "a hold of its computer": (
        case(lambda: waiting(Waiting(WaitKind.HOLD, 9e9, "the end of a freeze", deferred=True)), owner=""),
        Cause.HOLD,
        False,
        "held: the end of a freeze",
        "freeze --list",
    ),
    "a computer that is not ready": (
        case(lambda: waiting(Waiting(WaitKind.PREFLIGHT, 9e9, "task/mains_power", deferred=True)), owner=""),
        Cause.PREFLIGHT,
        False,
        "not ready: task/mains_power",
        "sessions resume --due",
    ),
    "somebody's approval": (case(asking), Cause.APPROVAL, True, "somebody to approve 1 action", "sessions resume s1"),
    "brakes": (
        case(lambda: waiting(Waiting(WaitKind.BRAKES, 9e9, "the brakes of its run"))),
        Cause.BRAKES,
        False,
        "the brakes of its run",
        "runs show r1",
    ),
    "a pause": (
        case(lambda: waiting(Waiting(WaitKind.PAUSE, 0.0, "by ana: the boss is presenting"))),
        Cause.PAUSE,
        True,
        "it is paused: by ana",
        "sessions resume s1",
    ),
    "room": (
        case(lambda: waiting(Waiting(WaitKind.SLOT, 9e9, "no more files"))),
        Cause.SLOT,
        False,
        "it waits for room",
        "sessions log -f s1",
    ),
    "another try": (
        case(lambda: waiting(Waiting(WaitKind.RETRY, 9e9, "another installation on the computer to end"))),
        Cause.RETRY,
        False,
        "another installation on the computer",
        "sessions log -f s1",
    ),
    "a reboot that does not end": (
        case(rebooting, after=600),
        Cause.REBOOT,
        False,
        "it has not come back",
        "sessions reboot s1",
    ),
    "a reboot that nobody could ask for": (
        case(lambda: rebooting(answers=False), after=600),
        Cause.REBOOT,
        False,
        "its computer does not answer, to be rebooted",
        "doctor PC1",
    ),
    "a job that says nothing": (
        case(working, after=1000),
        Cause.SILENT_JOB,
        False,
        "the job of a has written nothing",
        "sessions cancel s1 --now",
    ),
    "a deadline that is near": (
        case(lambda: talking(3300)),
        Cause.DEADLINE,
        False,
        "the deadline of a is near",
        "sessions cancel s1",
    ),
    "a session that has nearly taken its time": (
        case(lambda: working(options={"session_timeout_minutes": 10}), after=500),
        Cause.DEADLINE,
        False,
        "the time of the session is nearly over",
        "sessions log -f s1",
    ),
    "a deadline that is over": (
        case(lambda: talking(3700)),
        Cause.DEADLINE,
        False,
        "the deadline of a is over",
        "sessions cancel s1",
    ),
    "a process that says nothing": (
        case(lambda: session(act("a")), after=3600),
        Cause.QUIET,
        True,
        "lives and has written nothing",
        "sessions cancel s1",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_session_that_does_not_simply_work_is_named_with_what_to_type(name: str) -> None:
    make, cause, needs, words, command = CASES[name]
    one, now, around = make()
    found = held(one, now, **around)
    assert found[0].cause is cause
    assert {each.cause for each in found} <= {cause, Cause.DEAD}
    assert words in found[0].what.replace("its computer has not", "it has not")
    assert found[0].needs_somebody is needs
    assert command in [step.words for step in found[0].next]


def test_every_cause_has_a_case_and_stands_in_the_page() -> None:
    assert {cause for _, cause, _, _, _ in CASES.values()} == set(Cause)
    page = (ROOT / "docs" / "troubleshooting" / "stuck.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(Cause)


@pytest.mark.parametrize("name", CASES)
def test_the_commands_that_are_named_exist(name: str) -> None:
    one, now, around = CASES[name][0]()
    for holding in held(one, now, **around):
        for step in holding.next:
            assert understood(shlex.split(step.words)) == "", step.words


_BUILT_ELSEWHERE = {"cancel", "reboot"}
"""Subcommands of `immy sessions` that come with orders."""


def understood(words: Sequence[str], command: click.Command = immy) -> str:
    if isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return "" if words[0] in _BUILT_ELSEWHERE else f"there is no {words[0]}"
        return understood(words[1:], found)
    try:
        command.make_parser(click.Context(command)).parse_args(list(words))
    except click.ClickException as error:
        return error.format_message()
    return ""


WORKING: dict[str, Case] = {
    "a job within its time": case(working, after=600),
    "a job that waits for itself": case(lambda: waiting(Waiting(WaitKind.JOB, 9e9, "the job of a"))),
    "a job that has just written": case(lambda: talking(2000), after=600),
    "a young reboot": case(rebooting, after=60),
    "a session before its first entry": lambda: (
        OpenSession("s1", "PC1", state=replace(session(act("a")).state, epoch=0), owner=OWNER, alive=True),
        1e9,
        {},
    ),
    "an order of this moment": lambda: (seen(one := working(), orders=(ordered(one.world.now),)), one.world.now, {}),
    "one that has just begun": case(lambda: session(act("a")), after=60),
    "one that has ended": case(lambda: session(act("a")).go(), alive=False),
}


@pytest.mark.parametrize("name", WORKING)
def test_a_session_that_works_has_no_cause(name: str) -> None:
    one, now, around = WORKING[name]()
    assert held(one, now, **around) == []


def test_since_and_until_are_those_of_the_record() -> None:
    one = rebooting()
    (found,) = held(seen(one), one.world.now + 600)
    assert one.state.reboot is not None
    assert (found.since, found.until) == (one.state.reboot.asked_at, one.state.reboot.asked_at + 1800)
    assert "console" in found.advice

    one = lost()
    (found,) = held(seen(one), one.world.now)
    assert (found.since, found.until) == (one.state.lost_at, one.state.lost_at + LOST_PATIENCE_SECONDS)

    one = at_window()
    (found,) = held(seen(one), one.world.now)
    assert found.until == one.waits[-1].until

    one = working()
    job = one.state.job
    assert job is not None
    one.append(JobSeen(job.id, "1\n2\n3\n4\n5\n6\n7\n", 14))
    spoke = one.world.now
    (found,) = held(seen(one), one.world.now + 1000)
    assert found.evidence == ("3", "4", "5", "6", "7")
    assert (found.since, found.until) == (spoke, job.seen_at + 3600)
    assert OVERDUE_SECONDS == 600


def test_those_that_need_somebody_come_first() -> None:
    fine, dead = seen(lost()), replace(seen(working(), alive=False), id="s2")
    found, total = stuck([fine, dead, seen(working())], Surroundings(1010.0, "here"))
    assert total == 3
    assert [(one.session.id, one.needs_somebody) for one in found] == [("s2", True), ("s1", False)]
    assert isinstance(found[0], Stuck)


@pytest.mark.parametrize(
    ("owner", "machine"),
    [("here-1-abc", "here"), ("a-b-c-12-xyz", "a-b-c"), ("", ""), ("somebody", ""), ("a-b-c", "")],
)
def test_an_owner_tells_its_machine(owner: str, machine: str) -> None:
    assert machine_of(owner) == machine


def test_no_state_of_any_session_breaks_it() -> None:
    """At every entry of an eventful session, with its owner alive and dead, at once and a year later."""

    def fault(world: World, step: Perform) -> list[Entry] | None:
        if step.do is Do.POLL_JOB and len(world.log) == 1 and not world.used.get("x"):
            world.used["x"] = 1
            return [ContactLost("dropped", "cut off", "polling")]
        return None

    begun = session(
        act("a", reboot=RebootNeed.AFTER),
        act("b", "a"),
        act("z", always=True),
        options={"reboot": Reboot.AUTOMATIC, "retries": 3},
        codes={"a": [1618, 3010], "b": [1641]},
        faults=fault,
    )
    begun.keep = True
    begun.go()
    assert begun.notes(RetryLater)
    for number in range(1, len(begun.entries)):
        entries = begun.entries[:number]
        for alive in (True, False):
            for after in (0.0, 365 * 86400.0):
                state = fold_all(begun.state.spec, {}, entries)
                one = OpenSession("s1", "PC1", owner=OWNER, alive=alive, state=state, entries=entries)
                found = held(one, entries[-1].at + after)
                assert found or alive
