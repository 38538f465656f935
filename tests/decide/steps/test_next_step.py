"""Sessions driven by a fake world: reboots, retries, lost contact, stops, windows and resumption."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.decide.steps.moment import NO_CONTACT, Moment
from immy_nornir.decide.steps.next_step import next_step
from immy_nornir.decide.steps.state import fold, fold_all
from immy_nornir.decide.steps.step import Do, Finish, Note, Perform, Wait
from immy_nornir.model.items import RebootNeed
from immy_nornir.model.playbooks import ActionType, OnFailure, Reboot
from immy_nornir.model.record.entries import Connected, ContactLost, Noted, Stamped
from immy_nornir.model.record.session import SessionSpec, Status
from tests.decide.builders import identity
from tests.decide.steps.world import LOST, act, session

AUTO = {"reboot": Reboot.AUTOMATIC}
FORCE = {"reboot": Reboot.FORCE}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("full", "connect resolve collect_facts detect make_plan start_job poll_job verify_action verify"),
        ("resolution", "connect resolve detect make_plan start_job poll_job verify_action verify"),
        ("detection", "connect resolve collect_facts detect make_plan"),
        ("inventory", "connect collect_facts"),
    ],
)
def test_a_straight_run_does_the_stages_of_its_type(kind: str, expected: str) -> None:
    actions = [act("a")] if kind in ("full", "resolution") else []
    done = session(*actions, kind=BUILT_IN_TYPES[kind]).go()
    performed = dict.fromkeys(str(one.do) for one in done.steps if isinstance(one, Perform))
    assert list(performed) == expected.split()
    assert done.state.finished is not None
    assert done.state.finished.status is Status.PASSED


ENDS: list[tuple[str, list[Any], dict[str, Any], Status, list[str], dict[str, str]]] = [
    ("independents go on after 3010, dependents wait for the reboot",
     [act("a"), act("b", "a"), act("c")], {"options": AUTO, "codes": {"a": [3010]}},
     Status.PASSED, ["a", "c", "reboot", "b"], {"a": "success", "b": "success", "c": "success"}),
    ("3010 without dependents reboots once at the end",
     [act("a"), act("b")], {"options": AUTO, "codes": {"a": [3010], "b": [3010]}},
     Status.PASSED, ["a", "b", "reboot"], {"a": "success", "b": "success"}),
    ("3010 under skip is done, its dependents are skipped",
     [act("a"), act("b", "a"), act("c")], {"codes": {"a": [3010]}},
     Status.PARTIALLY_PASSED, ["a", "c"], {"a": "success", "b": "skipped", "c": "success"}),
    ("a dependent through what needed nothing waits for the reboot too",
     [act("a"), act("n", "a", kind=ActionType.NONE), act("b", "n")], {"options": AUTO, "codes": {"a": [3010]}},
     Status.PASSED, ["a", "reboot", "b"], {"a": "success", "n": "nothing", "b": "success"}),
    ("what is not there after its reboot has failed, and its dependents do not begin",
     [act("a"), act("b", "a"), act("c")], {"options": AUTO, "codes": {"a": [3010]}, "never": {"a"}},
     Status.PARTIALLY_PASSED, ["a", "c", "reboot"], {"a": "failed", "b": "skipped", "c": "success"}),
    ("what is there after its reboot frees its dependents",
     [act("a"), act("b", "a")], {"options": AUTO, "codes": {"a": [3010]}, "needs_boot": {"a"}},
     Status.PASSED, ["a", "reboot", "b"], {"a": "success", "b": "success"}),
    ("1641 is waited for and not asked for",
     [act("a"), act("b", "a")], {"options": AUTO, "codes": {"a": [1641]}},
     Status.PASSED, ["a", "reboot by itself", "b"], {"a": "success", "b": "success"}),
    ("1641 is waited for under skip too",
     [act("a"), act("b", "a")], {"codes": {"a": [1641]}},
     Status.PASSED, ["a", "reboot by itself", "b"], {"a": "success", "b": "success"}),
    ("1618 is tried again, others go on meanwhile",
     [act("a"), act("b")], {"codes": {"a": [1618, 0]}},
     Status.PASSED, ["a", "b", "a"], {"a": "success", "b": "success"}),
    ("1618 for ever ends after the retries",
     [act("a"), act("b", "a")], {"codes": {"a": [1618]}},
     Status.FAILED, ["a", "a", "a"], {"a": "failed", "b": "skipped"}),
    ("before reboots first",
     [act("a", reboot=RebootNeed.BEFORE)], {"options": AUTO},
     Status.PASSED, ["reboot", "a"], {"a": "success"}),
    ("before is served by a reboot that is past",
     [act("a", reboot=RebootNeed.BEFORE)], {"options": AUTO, "pending": ("cbs",)},
     Status.PASSED, ["reboot", "a"], {"a": "success"}),
    ("before wants a reboot after what it builds on",
     [act("a"), act("b", "a", reboot=RebootNeed.BEFORE)], {"options": AUTO, "pending": ("cbs",)},
     Status.PASSED, ["reboot", "a", "reboot", "b"], {"a": "success", "b": "success"}),
    ("after reboots before its dependents",
     [act("a", reboot=RebootNeed.AFTER), act("b", "a")], {"options": AUTO},
     Status.PASSED, ["a", "reboot", "b"], {"a": "success", "b": "success"}),
    ("after reboots at the end",
     [act("a", reboot=RebootNeed.AFTER)], {"options": AUTO},
     Status.PASSED, ["a", "reboot"], {"a": "success"}),
    ("pending before execution reboots first",
     [act("a")], {"options": AUTO, "pending": ("cbs",)},
     Status.PASSED, ["reboot", "a"], {"a": "success"}),
    ("pending before execution is left alone under skip",
     [act("a")], {"pending": ("cbs",)},
     Status.PASSED, ["a"], {"a": "success"}),
    ("pending sources that are ignored do not count",
     [act("a")], {"options": {**AUTO, "ignore_pending_reboots": ("cbs",)}, "pending": ("cbs",)},
     Status.PASSED, ["a"], {"a": "success"}),
    ("pending without work does not reboot",
     [], {"options": AUTO, "pending": ("cbs",)},
     Status.PASSED, [], {}),
    ("a source that no reboot clears does not reboot for ever",
     [act("a")], {"options": AUTO, "pending": ("cbs",), "pending_stays": True},
     Status.PASSED, ["reboot", "a"], {"a": "success"}),
    ("a newly found pending reboot lets dependents wait",
     [act("a"), act("b", "a"), act("c")], {"options": AUTO, "pending_after": {"a": ("rename",)}},
     Status.PASSED, ["a", "c", "reboot", "b"], {"a": "success", "b": "success", "c": "success"}),
    ("force reboots once at the end",
     [act("a"), act("b")], {"options": FORCE},
     Status.PASSED, ["a", "b", "reboot"], {"a": "success", "b": "success"}),
    ("force reboots with nothing done",
     [], {"options": FORCE},
     Status.PASSED, ["reboot"], {}),
    ("force does not reboot in detection",
     [], {"options": FORCE, "kind": BUILT_IN_TYPES["detection"]},
     Status.PASSED, [], {}),
    ("force does not reboot in inventory",
     [], {"options": FORCE, "kind": BUILT_IN_TYPES["inventory"]},
     Status.PASSED, [], {}),
    ("force does not reboot when only checking",
     [], {"options": FORCE, "spec": {"check": True}},
     Status.PASSED, [], {}),
    ("reboots are capped",
     [act("a"), act("b", "a"), act("c", "b")],
     {"options": {**AUTO, "max_reboots": 1}, "codes": {"a": [3010], "b": [3010]}},
     Status.PARTIALLY_PASSED, ["a", "reboot", "b"], {"a": "success", "b": "success", "c": "skipped"}),
    ("a reboot that never comes back fails the session and skips the rest",
     [act("a"), act("b", "a")], {"options": AUTO, "codes": {"a": [3010]}, "comes_back": False},
     Status.FAILED, ["a", "reboot"], {"a": "success", "b": "skipped"}),
    ("a failure skips its dependents, and theirs, and nothing else",
     [act("a"), act("b", "a"), act("c", "b"), act("d")], {"codes": {"a": [1603]}},
     Status.PARTIALLY_PASSED, ["a", "d"], {"a": "failed", "b": "skipped", "c": "skipped", "d": "success"}),
    ("on_failure stop skips the rest",
     [act("a"), act("b")], {"options": {"on_failure": OnFailure.STOP}, "codes": {"a": [1603]}},
     Status.FAILED, ["a"], {"a": "failed", "b": "skipped"}),
    ("post-actions run after a failure, even of what they follow",
     [act("p", "a", always=True), act("a")], {"options": {"on_failure": OnFailure.STOP}, "codes": {"a": [1603]}},
     Status.PARTIALLY_PASSED, ["a", "p"], {"a": "failed", "p": "success"}),
    ("a lost job that is done after all is a success",
     [act("a")], {"codes": {"a": [LOST]}, "done": {"a"}},
     Status.PASSED, ["a"], {"a": "success"}),
    ("a lost job that is still needed is begun anew",
     [act("a")], {"codes": {"a": [LOST, 0]}},
     Status.PASSED, ["a", "a"], {"a": "success"}),
    ("a job that is lost again and again fails",
     [act("a")], {"codes": {"a": [LOST]}},
     Status.FAILED, ["a", "a", "a"], {"a": "failed"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("actions", "given", "status", "effects", "outcomes"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS]
)
def test_execution(
    actions: list[Any], given: dict[str, Any], status: Status, effects: list[str], outcomes: dict[str, str]
) -> None:
    done = session(*actions, **given).go()
    assert done.order == effects
    assert {name: str(outcome) for name, (outcome, _) in done.outcomes.items()} == outcomes
    assert done.state.finished is not None
    assert done.state.finished.status is status, done.state.finished.message


@pytest.mark.parametrize("kind", ["authentication", "certificate", "refused"])
def test_who_was_let_in_before_is_asked_again_when_refused_and_not_for_ever(kind: str) -> None:
    spec = SessionSpec("s", "r", "pc", type=BUILT_IN_TYPES["full"])
    state = fold_all(spec, {}, [Stamped(1, 0.0, Connected(identity())), Stamped(2, 0.0, Noted("a new leg"))])
    contact, now, asked = NO_CONTACT, 0.0, 0
    for _ in range(1000):
        step = next_step(state, Moment(now, contact))
        if isinstance(step, Note | Finish):
            break
        if isinstance(step, Wait):
            assert not step.deferred
            now = step.until
            continue
        assert step == Perform(Do.CONNECT)
        asked += 1
        lost = Stamped(state.entries + 1, now, ContactLost(kind, "not now", "connect"))
        contact, state = contact.after(state, lost), fold(state, lost)
    else:
        pytest.fail(f"it is asked again for ever, {asked} times so far")
    assert now >= 60
    # A changed password must not lock the account.
    assert asked == (6 if kind != "refused" else asked)
    assert asked < 30
