"""Orders from other shells in every state of a session: what becomes of each, and what begins afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from immy_nornir.decide.plan.job_kinds import kind_of
from immy_nornir.decide.plan.job_steps import Step
from immy_nornir.decide.steps.orders import PAUSE_PATIENCE_SECONDS, told
from immy_nornir.decide.steps.step import Do, Perform
from immy_nornir.decide.steps.verdicts import verdict
from immy_nornir.model.control.job_kinds import JobKind
from immy_nornir.model.control.orders import How, Order, OrderKind
from immy_nornir.model.items import Declarative, DriverVersion, Item, PackageState, RegistryValue, Scripts
from immy_nornir.model.playbooks import ActionType, Reboot, Stage
from immy_nornir.model.record.entries import ContactLost, RebootIntended, StageFailed, StopAsked
from immy_nornir.model.record.order_entries import PauseLifted
from immy_nornir.model.record.session import Outcome, Status, WaitKind
from tests.decide.builders import FULL, software, task
from tests.decide.steps.world import Session, act, random_faults, session

AUTO = {"reboot": Reboot.AUTOMATIC}
CANCEL, PAUSE, RESUME, REBOOT = OrderKind


def order(begun: Session, kind: OrderKind, how: How | None = None, number: int = 7) -> str:
    """Order something; why it is refused, or nothing."""
    one = Order(number, begun.world.now, "ann@desk", kind, "s1", "a call", how or How())
    said = verdict(begun.state, one, begun.moment)
    if isinstance(said, str):
        return said
    begun.append(said)
    return ""


def eventful(**more: Any) -> Session:
    todo = act("u", "b", kind=ActionType.UNDETERMINED)
    given: dict[str, Any] = {"options": AUTO, "codes": {"a": [3010]}, "determined": {"u": act("u", "b")}, **more}
    return session(act("a"), act("b", "a"), todo, act("p", always=True), **given)


def ended(begun: Session) -> Status:
    assert begun.state.finished is not None
    return begun.state.finished.status


def new(begun: Session) -> Session:
    return begun


def in_a_job(begun: Session) -> Session:
    return begun.go_until(lambda: begun.state.job is not None and begun.state.job.seen)


def between(begun: Session) -> Session:
    return in_a_job(begun).go_until(lambda: begun.state.job is None)


def paused(begun: Session) -> Session:
    order(between(begun), PAUSE, number=1)
    return begun


def cancelled(begun: Session) -> Session:
    order(in_a_job(begun), CANCEL, number=1)
    return begun


def superseded(begun: Session) -> Session:
    in_a_job(begun).append(StopAsked("supersede", "files", "run-2"))
    return begun


def failed(begun: Session) -> Session:
    in_a_job(begun).append(StageFailed(Stage.EXECUTE, "no"))
    return begun


def rebooting(begun: Session) -> Session:
    return begun.go_until(lambda: begun.state.reboot is not None)


def frozen(begun: Session) -> Session:
    between(begun).frozen = "the fleet is frozen"
    return begun


def away(begun: Session) -> Session:
    between(begun).append(ContactLost("unreachable", "no answer"))
    return begun


NOT_PAUSED = "it is not paused"
ENDS = "it is about to end"
STATES: dict[str, tuple[Callable[[Session], Session], str, str, str, str]] = {
    # Why cancel, pause, resume and reboot are refused; empty: they are not.
    "not begun": (new, "", "", NOT_PAUSED, ""),
    "in a job": (in_a_job, "", "", NOT_PAUSED, "the job of a runs an installer and ends at "),
    "between two actions": (between, "", "", NOT_PAUSED, ""),
    "paused": (paused, "", "", "", "it is paused by ann@desk: a call"),
    "cancelled": (cancelled, "", "it is being cancelled", NOT_PAUSED, "it is being cancelled"),
    "superseded": (superseded, "session run-2 takes", "session run-2 takes", NOT_PAUSED, "session run-2 takes"),
    "failed": (failed, "", ENDS, NOT_PAUSED, ENDS),
    "rebooting": (rebooting, "", "", NOT_PAUSED, "it reboots already"),
    "frozen": (frozen, "", "", NOT_PAUSED, "the fleet is frozen"),
    "away": (away, "", "", NOT_PAUSED, ""),
}


@pytest.mark.parametrize("kind", list(OrderKind))
@pytest.mark.parametrize("name", STATES)
def test_what_becomes_of_an_order_in_every_state(name: str, kind: OrderKind) -> None:
    come, *refused = STATES[name]
    begun = come(eventful())
    said, expected = order(begun, kind), refused[list(OrderKind).index(kind)]
    assert said.startswith(expected) if expected else said == ""
    assert (7 in begun.state.orders) == (not expected)


LOOKS = {
    "a session that only plans": {"spec": {"check": True}},
    "a type that changes nothing": {"kind": FULL.__class__("look", FULL.stages[:4], frozenset(), frozenset())},
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_changes_nothing_is_cancelled_and_nothing_else(name: str) -> None:
    begun = session(act("a"), **LOOKS[name])  # type: ignore[arg-type]
    assert order(begun, PAUSE) == order(begun, REBOOT) == "it only looks, and changes nothing"
    assert order(begun, CANCEL) == ""


@pytest.mark.parametrize("faults", [None, 3, 4])
@pytest.mark.parametrize("number", range(0, 34, 2))
def test_nothing_begins_while_it_is_paused_and_everything_is_done_afterwards(number: int, faults: int | None) -> None:
    begun = eventful(faults=None if faults is None else random_faults(faults))
    for _ in range(number):
        begun.go_once()
    if begun.state.finished is not None or order(begun, PAUSE):
        return
    may = {begun.state.current} | ({"reboot"} if begun.state.reboot is not None and begun.state.reboot.asked else set())
    before = list(begun.order)
    begun.go_until(lambda: begun.waits and begun.waits[-1].kind is WaitKind.PAUSE and begun.waits[-1].deferred)
    ours = [one for one in begun.order[len(before) :] if "by others" not in one]
    assert set(ours) <= may
    assert told(begun.state, "the words of the wait").startswith("paused by ann@desk: a call (")
    assert order(begun, RESUME, number=8) == ""
    begun.go()
    assert ended(begun) is Status.PASSED
    jobs = [one for one in begun.order if one in "abup"]
    assert sorted(jobs) == ["a", "b", "p", "u"]


def test_the_waves_wait_for_a_pause_a_while_and_then_go_on_without_it() -> None:
    begun = paused(eventful())
    began = begun.world.now
    begun.go_until(lambda: begun.waits and begun.waits[-1].deferred)
    assert not begun.waits[-2].deferred
    assert begun.world.now - began >= PAUSE_PATIENCE_SECONDS


def test_a_pause_ends_at_its_time_and_the_record_says_so() -> None:
    begun = between(eventful())
    assert order(begun, PAUSE, How(until=begun.world.now)).startswith("the time until which")
    until = begun.world.now + 600.0
    order(begun, PAUSE, How(until=until))
    begun.go()
    assert begun.notes(PauseLifted) == [PauseLifted()]
    assert begun.world.now > until


@pytest.mark.parametrize("number", range(1, 34, 2))
def test_an_ordered_reboot_comes_once_between_two_actions_and_counts(number: int) -> None:
    plain = eventful().go()
    begun = eventful()
    for _ in range(number):
        begun.go_once()
    if order(begun, REBOOT):
        return
    begun.go()
    assert ended(begun) is Status.PASSED
    ordered = [one for one in begun.notes(RebootIntended) if one.why == "ordered by ann@desk: a call"]
    assert len({one.number for one in ordered}) == 1
    assert begun.state.reboots == begun.order.count("reboot") <= plain.state.reboots + 1


HOURS = {"business_hours": "daily 00:00-23:59", "time_zone": "UTC"}


def test_an_ordered_reboot_keeps_to_the_hours_unless_it_is_for_now() -> None:
    options = {"reboot": Reboot.SKIP, "reboots_in_business_hours": False}
    begun = between(session(act("a"), act("b"), options=options, spec=HOURS))
    assert order(begun, REBOOT).startswith("it would have to wait for the end of business hours, to reboot: ")
    assert order(begun, REBOOT, How(now=True), 8) == ""
    begun.go()
    assert begun.order == ["a", "reboot", "b"]


def test_an_ordered_reboot_is_one_of_those_that_a_session_may_do() -> None:
    begun = between(session(act("a"), act("b"), options={"max_reboots": 0}))
    assert order(begun, REBOOT) == "it has rebooted 0 times already, and max_reboots is 0"


# --- the job under way --------------------------------------------------------------------------------------------

INSTALLER = {"url": "https://a/b.exe"}
KINDS: dict[str, tuple[Item, Step, JobKind]] = {
    "a package manager": (software("a"), Step("install", "package", {}), JobKind.PACKAGES),
    "an installer": (software("a"), Step("install", "installer", INSTALLER), JobKind.INSTALLER),
    "an update's file": (software("a"), Step("install", "installer", {"url": "https://a/kb1.msu?x"}), JobKind.UPDATES),
    "a script that installs": (software("a"), Step("install", "script", {"script": "1"}), JobKind.INSTALLER),
    "a script afterwards": (software("a"), Step("post_install", "script", {"script": "1"}), JobKind.SCRIPT),
    "a driver": (software("a", detection=DriverVersion("x")), Step("install", "installer", {}), JobKind.DRIVER),
    "a script": (task("a"), Step("set", "script", {"script": "Set-Item x"}), JobKind.SCRIPT),
    "msiexec": (task("a"), Step("set", "script", {"script": "& msiexec.exe /x"}), JobKind.INSTALLER),
    "winget": (task("a"), Step("set", "script", {"script": "winget upgrade --all"}), JobKind.PACKAGES),
    "apt": (task("a"), Step("set", "script", {"script": "apt-get -y upgrade"}), JobKind.PACKAGES),
    "another word": (task("a"), Step("set", "script", {"script": "adapt the captions"}), JobKind.SCRIPT),
    "updates": (task("a"), Step("set", "script", {"script": "Install-WindowsUpdate"}), JobKind.UPDATES),
    "a driver's tool": (task("a"), Step("set", "script", {"script": "pnputil /add"}), JobKind.DRIVER),
    "firmware": (task("a"), Step("set", "script", {"script": "fwupdmgr update"}), JobKind.FIRMWARE),
    "said": (task("a", runs=JobKind.FIRMWARE), Step("set", "script", {"script": "./x"}), JobKind.FIRMWARE),
    "said to be harmless": (
        task("a", runs=JobKind.SCRIPT),
        Step("set", "script", {"script": "winget"}),
        JobKind.SCRIPT,
    ),
    "said, and known better": (software("a", runs=JobKind.SCRIPT), Step("install", "package", {}), JobKind.PACKAGES),
    "settings": (
        task("a", body=Declarative((RegistryValue("k", "v"),))),
        Step("set", "declare", {"resources": [{"resource": "registry"}]}),
        JobKind.SETTINGS,
    ),
    "declared packages": (
        task("a", body=Declarative((PackageState("p", "apt"),))),
        Step("set", "declare", {"resources": [{"resource": "registry"}, {"resource": "package"}]}),
        JobKind.PACKAGES,
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_a_job_runs_is_known_by_its_definition(name: str) -> None:
    item, step, kind = KINDS[name]
    assert kind_of(item, step) is kind


ORDERS = {"cancel": How(), "now": How(now=True), "kill": How(now=True, kill=True)}
STOPPED = {
    JobKind.SETTINGS: ("now", "kill"),
    JobKind.SCRIPT: ("now", "kill"),
    JobKind.INSTALLER: ("kill",),
    JobKind.PACKAGES: ("kill",),
}


@pytest.mark.parametrize("how", ORDERS)
@pytest.mark.parametrize("kind", list(JobKind))
def test_only_what_may_be_cut_off_is_stopped(kind: JobKind, how: str) -> None:
    item = task("a", body=Scripts(set=task("x").body.set), runs=kind)  # type: ignore[union-attr]
    begun = session(act("a", kind=ActionType.ENFORCE, definition="d"), definitions={"d": item}, job_seconds=500.0)
    in_a_job(begun)
    assert order(begun, CANCEL, ORDERS[how]) == ""
    begun.go_once()
    stops = Perform(Do.STOP_JOB, "a") in begun.steps
    assert stops == (how in STOPPED.get(kind, ()))
    begun.go()
    assert ended(begun) is Status.CANCELLED
    assert begun.state.finished is not None
    assert begun.state.finished.message.startswith("cancelled by ann@desk: a call; ")
    expected = Outcome.CANCELLED if stops else Outcome.SUCCESS
    assert begun.outcomes["a"][0] is expected


def test_a_cancelled_session_waits_for_its_computer_until_its_job_was_asked_for() -> None:
    begun = in_a_job(session(act("a"), act("b")))
    begun.world.reachable = False
    order(begun, CANCEL)
    begun.go_until(lambda: begun.waits and begun.waits[-1].deferred)
    assert told(begun.state, "the computer").startswith("cancelling, by ann@desk: a call; waits for the computer")
    begun.world.now += 86400.0
    begun.world.reachable = True
    begun.go()
    assert {name: outcome for name, (outcome, _) in begun.outcomes.items()} == {
        "a": Outcome.SUCCESS,
        "b": Outcome.CANCELLED,
    }


def test_an_order_that_was_taken_in_stays_so_in_another_process() -> None:
    begun = paused(eventful())
    assert begun.state.orders == {1}
    assert order(begun, REBOOT).startswith("it is paused")
    assert order(begun, CANCEL, number=3) == ""
    assert begun.state.pause is None
    begun.go()
    assert ended(begun) is Status.CANCELLED
