"""The agenda: nothing due is lost or begun twice, whenever its process dies, waits or sees another clock."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from immy_nornir.decide.agenda import (
    AgendaMoment,
    Begin,
    Deferred,
    Skip,
    TakeUp,
    Watch,
    Watched,
    agenda,
    rule_of,
    simulate,
)
from immy_nornir.model.control.schedules import KnownOccasion, Occasion, OccasionState, Overlap, Schedule
from immy_nornir.model.places import Place

HOUR = 3600.0
DAY = 24 * HOUR
START = 1_800_000_000.0
NIGHTLY = Schedule("nightly", Place("playbooks/schedules.yml", 1), "daily 22:00")


def every(period: float, parts: tuple[str, ...] = ("",)) -> object:
    """Occasions at all multiples of a period, those of further parts a minute later each."""

    def occasions(schedule: Schedule, after: float, until: float) -> Iterator[Occasion]:
        first = int((after - 60.0 * len(parts)) // period)
        for number in range(first, int(until // period) + 1):
            for place, part in enumerate(parts):
                due = number * period + 60.0 * place
                if after < due <= until:
                    yield Occasion(schedule.name, part, due, f"{due:.0f}")

    return occasions


def moment(now: float, **given: object) -> AgendaMoment:
    """A moment with the nightly schedule, watched for a month."""
    watched = {"nightly": Watch(rule_of(NIGHTLY), START - 30 * DAY)}
    made = AgendaMoment(now, (NIGHTLY,), every(DAY), watched)  # type: ignore[arg-type]
    return replace(made, **given)  # type: ignore[arg-type]


LAST = START // DAY * DAY
"""The occasion before START."""


def known(due: float, state: OccasionState = OccasionState.BEGAN, at: float | None = None) -> KnownOccasion:
    """An occasion about which something is known."""
    return KnownOccasion(Occasion("nightly", "", due, f"{due:.0f}"), state, due if at is None else at)


DONE = [known(LAST - number * DAY) for number in range(1, 31)]


def test_what_is_due_begins_once() -> None:
    made = agenda(moment(LAST, known=DONE))
    assert made.todo == (Begin(Occasion("nightly", "", LAST, f"{LAST:.0f}")),)
    assert made.next_at == LAST + DAY
    assert agenda(moment(LAST + 5, known=[*DONE, known(LAST)])).todo == ()


@pytest.mark.parametrize(("late", "begins"), [(0.0, True), (2 * HOUR, True), (2 * HOUR + 1, False), (23 * HOUR, False)])
def test_a_missed_one_begins_so_late_and_no_later(late: float, begins: bool) -> None:
    (todo,) = agenda(moment(LAST + late, known=DONE)).todo
    assert isinstance(todo, Begin if begins else Skip)
    if isinstance(todo, Skip):
        assert todo.why == "nobody was there to begin it within 2 h"


def test_a_schedule_that_is_new_or_says_something_new_owes_nothing_of_the_past() -> None:
    for watched in ({}, {"nightly": Watch("another rule", START - 30 * DAY)}):
        made = agenda(moment(LAST + 60, watched=watched))
        assert made.todo == (Watched("nightly", Watch(rule_of(NIGHTLY), LAST + 60)),)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schedules": (replace(NIGHTLY, paused="audit"),)}, "paused: audit"),
        ({"at_work": {("nightly", ""): "r1"}}, "the one before is still at work (run r1)"),
    ],
)
def test_what_may_not_begin_is_skipped_with_its_reason(change: dict[str, object], why: str) -> None:
    (todo,) = agenda(moment(LAST, known=DONE, **change)).todo
    assert isinstance(todo, Skip)
    assert todo.why == why


@pytest.mark.parametrize(
    "change",
    [
        {"held": {"nightly": "frozen"}},
        {"schedules": (replace(NIGHTLY, overlap=Overlap.QUEUE),), "at_work": {("nightly", ""): "r1"}},
    ],
)
def test_what_is_held_waits_as_long_as_it_may_begin(change: dict[str, object]) -> None:
    assert agenda(moment(LAST, known=DONE, **change)).todo == ()
    (todo,) = agenda(moment(LAST + 2 * HOUR + 1, known=DONE, **change)).todo
    assert isinstance(todo, Skip)
    assert isinstance(agenda(moment(LAST + HOUR, known=DONE)).todo[0], Begin), "and begins when nothing holds it"


def test_of_several_that_may_begin_late_the_newest_does() -> None:
    hourly = moment(LAST + 600, occasions=every(HOUR), known=[known(LAST - n * HOUR) for n in range(3, 9)])
    kinds = [(type(one).__name__, one.occasion.due_at) for one in agenda(hourly).todo]  # type: ignore[union-attr]
    assert kinds == [("Skip", LAST - 2 * HOUR), ("Skip", LAST - HOUR), ("Begin", LAST)]


def test_years_without_a_service_are_told_shortly() -> None:
    since = {"nightly": Watch(rule_of(NIGHTLY), START - 3000 * DAY)}
    todo = agenda(moment(START, watched=since, occasions=every(600.0))).todo
    missed = [one for one in todo if isinstance(one, Skip) and "nobody" in one.why]
    assert len(missed) == 50
    assert "nor 4" in missed[0].why
    assert isinstance(todo[-1], Begin)


def test_what_was_skipped_while_the_clock_was_far_ahead_begins_when_its_time_comes() -> None:
    ahead = known(LAST, OccasionState.SKIPPED, at=LAST + 400 * DAY)
    assert isinstance(agenda(moment(LAST, known=[*DONE, ahead])).todo[0], Begin)
    assert agenda(moment(LAST, known=[*DONE, known(LAST, at=LAST + 400 * DAY)])).todo == (), "what began has begun"


@pytest.mark.parametrize(
    ("one", "answered", "taken"),
    [
        (Deferred("s", "window", LAST), False, True),
        (Deferred("s", "window", LAST + 1), False, False),
        (Deferred("s", "window", LAST - DAY, LAST - 30), False, False),
        (Deferred("s", "connectivity", LAST + DAY), True, True),
        (Deferred("s", "connectivity", LAST - 60, LAST - 60), False, False),
        (Deferred("s", "connectivity", LAST - 60, LAST - 600), False, True),
        (Deferred("s", "approval", LAST - DAY), False, False),
        (Deferred("s", "approval", LAST - DAY), True, False),
        (Deferred("s", "", LAST - DAY), False, True),
        (Deferred("s", "turn", LAST, run="r"), False, True),
        (Deferred("s", "", 0.0, LAST - 60, tries=1), False, True),
        (Deferred("s", "", 0.0, LAST - 60, tries=2), False, False),
        (Deferred("s", "", 0.0, LAST - HOUR, tries=99), False, True),
        (Deferred("s", "preflight", LAST, LAST - 60, tries=99), False, True),
        (Deferred("s", "a kind that nobody knows", LAST), False, True),
    ],
)
def test_a_session_goes_on_when_its_time_has_come_or_its_computer_answers(
    one: Deferred, answered: bool, taken: bool
) -> None:
    found = agenda(
        moment(LAST, known=[*DONE, known(LAST)], deferred=[one], answered=frozenset({"s"} if answered else ()))
    )
    assert found.todo == ((TakeUp(("s",)),) if taken else ())


def test_what_waits_for_its_turn_is_looked_at_when_something_before_it_moves() -> None:
    turn = Deferred("second", "turn", LAST - DAY, run="r")
    for first, taken in [
        (Deferred("first", "window", LAST + 60, run="r"), None),
        (Deferred("first", "approval", LAST - 60, run="r"), None),
        (Deferred("first", "window", LAST - 60, run="r"), ("first", "second")),
        (Deferred("other", "window", LAST + 60, run="another"), ("second",)),
    ]:
        todo = agenda(moment(LAST, known=[*DONE, known(LAST)], deferred=[first, turn])).todo
        assert todo == (() if taken is None else (TakeUp(taken),))


# --- whole worlds ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class World:
    """A service that dies and begins again, by a clock that jumps; what it wrote stays."""

    chance: random.Random
    occasions: object
    schedule: Schedule
    known: dict[tuple[str, float], KnownOccasion] = field(default_factory=dict)
    watched: dict[str, Watch] = field(default_factory=dict)
    began: list[tuple[str, float]] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)

    def turn(self, now: float) -> None:
        """One turn, which may die between two of the things that it does."""
        at_work = {("nightly", part): "r" for part, end in self.ends.items() if now < end}
        listed = list(self.known.values())
        made = agenda(
            AgendaMoment(now, (self.schedule,), self.occasions, self.watched, listed, at_work)  # type: ignore[arg-type]
        )
        for todo in made.todo:
            if self.chance.random() < 0.1:
                return
            match todo:
                case Watched(name, watch):
                    self.watched[name] = watch
                case Begin(one):
                    assert 0 <= now - one.due_at <= self.schedule.start_within
                    self.began.append((one.part, one.due_at))
                    self.ends[one.part] = now + self.chance.uniform(0, 3 * HOUR)
                    self.known[one.part, one.due_at] = KnownOccasion(one, OccasionState.BEGAN, now, "r")
                case Skip(one):
                    assert (one.part, one.due_at) not in self.began
                    self.known[one.part, one.due_at] = KnownOccasion(one, OccasionState.SKIPPED, now)


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(one, marks=pytest.mark.soak) for one in range(6, 200))])
def test_no_occasion_is_lost_or_begins_twice_in_any_world(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - worlds
    parts = ("",) if chance.random() < 0.5 else ("a", "b", "c")
    schedule = replace(NIGHTLY, overlap=chance.choice(list(Overlap)), start_within=chance.choice([600.0, 2 * HOUR]))
    occasions = every(chance.choice([DAY, HOUR, 1800.0]), parts)
    world = World(chance, occasions, schedule)
    begin = now = START
    end = begin + 4 * DAY
    for _ in range(10):  # the first of which may die
        world.turn(now)
    highest = begin
    for _ in range(3000):
        if now >= end:
            break
        match chance.random():
            case low if low < 0.01:
                now += chance.choice([-3 * HOUR, -300.0, 6 * HOUR, 400 * DAY])
                world.turn(now)
                now = min(now, highest)  # and somebody sets it right
            case low if low < 0.03:
                now += chance.uniform(0, 8 * HOUR)  # nobody is there
            case _:
                now += chance.uniform(1, 300)
        world.turn(now)
        highest = max(highest, now)
    for _ in range(200):  # turns that do not die
        now += 60.0
        world.turn(now)
    last = now - schedule.start_within - 300.0
    due = {(one.part, one.due_at) for one in occasions(schedule, world.watched["nightly"].since, last)}  # type: ignore[operator]
    assert len(world.began) == len(set(world.began)), "none began twice"
    lost = due - world.known.keys()
    assert not lost, "each began, or was skipped with its reason"


def test_a_simulation_begins_what_is_due_and_says_what_overlaps() -> None:
    played = list(simulate([NIGHTLY], every(HOUR), START, START + DAY, 90 * 60.0))  # type: ignore[arg-type]
    assert len(played) == 24
    assert [isinstance(one.todo, Begin) for one in played[:4]] == [True, False, True, False]
    queued = replace(NIGHTLY, overlap=Overlap.QUEUE)
    late = list(simulate([queued], every(HOUR), START, START + DAY, 90 * 60.0))  # type: ignore[arg-type]
    assert any(isinstance(one.todo, Begin) and one.at > one.todo.occasion.due_at for one in late)
