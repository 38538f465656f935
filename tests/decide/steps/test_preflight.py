"""When a session's first effect waits for its computer to be ready, is looked at again, and is given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from immy_nornir.decide.steps.holding.preflight import held
from immy_nornir.decide.steps.moment import Moment
from immy_nornir.decide.steps.state import State, fold_all
from immy_nornir.decide.steps.step import Do, Note, Perform, Wait
from immy_nornir.model.deployments import TaskMode
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import ItemKind
from immy_nornir.model.plan import Desire
from immy_nornir.model.playbooks import Options, Preflight
from immy_nornir.model.record.entries import (
    Detected,
    Entry,
    NotReady,
    ReadyLooked,
    Resolved,
    Stamped,
    StopAsked,
    Waiting,
)
from immy_nornir.model.record.session import SessionSpec, WaitKind

GATE = Desire("task/quiet", kind=ItemKind.TASK, mode=TaskMode.ENFORCE, preflight=True)
OTHER = Desire("task/other", kind=ItemKind.TASK, mode=TaskMode.ENFORCE)
LOOK = Perform(Do.LOOK_READY)
YES, NO, UNKNOWN = FindingStatus.COMPLIANT, FindingStatus.NOT_COMPLIANT, FindingStatus.UNKNOWN


def said(status: FindingStatus) -> tuple[Finding, ...]:
    return (Finding("task/quiet", "", status=status, message="an MSI is being installed"),)


def state(*entries: tuple[float, Entry], desires: tuple[Desire, ...] = (GATE, OTHER), **options: object) -> State:
    spec = SessionSpec("s", "r", "pc", options=replace(Options(), **options))  # type: ignore[arg-type]
    record = [(0.0, Resolved(desires)), *entries]
    return fold_all(spec, {}, [Stamped(number, at, entry) for number, (at, entry) in enumerate(record, 1)])


def waits(at: float) -> tuple[float, Entry]:
    return at, Waiting(WaitKind.PREFLIGHT, at + 600, "the computer to be ready", deferred=True)


@pytest.mark.parametrize(
    ("now", "entries", "wanted"),
    [
        pytest.param(150, [(100.0, Detected(said(YES)))], None, id="a fresh yes lets it begin"),
        pytest.param(300, [(100.0, Detected(said(YES)))], LOOK, id="an old yes is asked for again"),
        pytest.param(90, [(100.0, Detected(said(YES)))], LOOK, id="so is one of a clock that was set back"),
        pytest.param(300, [(100.0, Detected(())), (250.0, ReadyLooked(said(YES)))], None, id="a later yes counts"),
        pytest.param(100, [(100.0, Detected(said(NO)))], 700.0, id="a no waits"),
        pytest.param(90, [(100.0, Detected(said(NO)))], LOOK, id="one of a clock that was set back does not"),
        pytest.param(100, [(100.0, Detected(said(UNKNOWN)))], 700.0, id="unknown is no"),
        pytest.param(100, [(100.0, Detected(()))], 700.0, id="what nobody looked at is no"),
        pytest.param(700, [(100.0, Detected(said(NO))), waits(100.0)], LOOK, id="and is looked at again"),
        pytest.param(
            28_500,
            [(100.0, Detected(said(NO))), waits(100.0), (28_400.0, ReadyLooked(said(NO)))],
            28_900.0,
            id="the last wait ends at the deadline",
        ),
        pytest.param(
            28_900,
            [(100.0, Detected(said(NO))), waits(100.0), (28_400.0, ReadyLooked(said(NO)))],
            LOOK,
            id="where it is looked at once more",
        ),
        pytest.param(
            28_901,
            [(100.0, Detected(said(NO))), waits(100.0), (28_901.0, ReadyLooked(said(NO)))],
            "not ready within 8 hours: task/quiet (an MSI is being installed)",
            id="and then given up",
        ),
        pytest.param(
            900_000,
            [(100.0, Detected(said(NO))), waits(100.0)],
            LOOK,
            id="a session that was away for a week looks before it gives up",
        ),
        pytest.param(100, [(100.0, Detected(said(NO))), (101.0, NotReady("x"))], None, id="nothing after the end"),
        pytest.param(
            100, [(100.0, Detected(said(NO))), (101.0, StopAsked("cancel", "x"))], None, id="nor when stopped"
        ),
    ],
)
def test_before_the_first_effect(now: float, entries: list[tuple[float, Entry]], wanted: object) -> None:
    match held(state(*entries), Moment(now)):
        case Wait(WaitKind.PREFLIGHT, until, about, True):
            assert until == wanted
            assert "task/quiet" in about
        case Note(NotReady(message)):
            assert message == wanted
        case step:
            assert step == wanted


def test_nobody_is_held_who_has_no_preflight_or_whose_option_is_off() -> None:
    no = (100.0, Detected(said(NO)))
    assert held(state(no, desires=(OTHER,)), Moment(100)) is None
    assert held(state(no, preflight=Preflight.OFF), Moment(100)) is None
    assert held(state(no, desires=(replace(GATE, not_applicable="not for linux"),)), Moment(100)) is None
    assert isinstance(held(state(no, desires=(replace(GATE, error="no such item"),)), Moment(100)), Wait)
