"""Changed copies mean what `dataclasses.replace` means, for every class of the state and the record."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from immy_nornir.decide.runs.run_state import RunState
from immy_nornir.decide.steps.state import State
from immy_nornir.decide.steps.under_way import ActionState, Job
from immy_nornir.model.copies import replace
from immy_nornir.model.record.run import RunSpec
from immy_nornir.model.record.session import Purpose, SessionSpec
from tests.decide.steps.world import act

STATE = State(SessionSpec("r-1", "r", "pc"), entries=3)


@dataclasses.dataclass(frozen=True)
class WithoutSlots:
    a: int
    b: int = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    a: int
    b: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("a is below zero")
        object.__setattr__(self, "b", self.a + 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Base:
    a: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Derived(Base):
    b: int = 2


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        pytest.param(STATE, {"entries": 4, "at": 2.0}, id="a session's state"),
        pytest.param(STATE, {}, id="nothing changed"),
        pytest.param(RunState(RunSpec("r", "immy run")), {"left": "gone"}, id="a run's state"),
        pytest.param(ActionState(act("software/a")), {"attempt": 2}, id="an action"),
        pytest.param(Job("j", Purpose.ACT, ("a",)), {"seen": True}, id="a job"),
        pytest.param(WithoutSlots(1), {"b": 3}, id="a class without slots"),
        pytest.param(Checked(1), {"a": 5}, id="a class that looks at what it is given"),
        pytest.param(Derived(1), {"a": 4, "b": 5}, id="a class with a base"),
    ],
)
def test_a_changed_copy_is_what_the_standard_librarys_is(value: Any, changes: dict[str, Any]) -> None:
    before = repr(value)
    copy = replace(value, **changes)
    assert copy == dataclasses.replace(value, **changes)
    assert type(copy) is type(value)
    assert repr(value) == before, "the value itself stays"


def test_a_copy_is_as_frozen_as_any_other_value() -> None:
    copy = replace(STATE, entries=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        copy.entries = 5  # type: ignore[misc]  # that is the point


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match="State has no field 'entires'"):
        replace(STATE, entires=4)  # type: ignore[call-arg]  # a name with a slip
    with pytest.raises(TypeError, match="running"):
        replace(STATE, running=True)  # type: ignore[call-arg]  # a property


def test_what_a_class_looks_at_is_looked_at_in_a_copy_too() -> None:
    with pytest.raises(ValueError, match="below zero"):
        replace(Checked(1), a=-1)
