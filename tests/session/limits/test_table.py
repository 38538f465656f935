"""Slots in random worlds: never above a limit, nobody starves, whatever is combined something always goes on."""

from __future__ import annotations

import random

import pytest

from immy_nornir.model.control.limits import Slot
from immy_nornir.session.limits.table import Table


def slot(key: str, most: int = 1) -> Slot:
    return Slot(key, most, f"at most {most} of {key}")


def test_all_that_is_wanted_comes_at_once_or_nothing() -> None:
    table = Table()
    assert table.ask("a", [slot("x")])
    assert not table.ask("b", [slot("x"), slot("y")])
    assert table.held("b") == frozenset()
    assert table.leave("a") == ["b"]
    assert table.held("b") == {"x", "y"}


def test_who_needs_more_is_not_passed_for_ever_by_those_who_need_less() -> None:
    table = Table()
    table.ask("x", [slot("x")])
    table.ask("y", [slot("y")])
    assert not table.ask("both", [slot("x"), slot("y")])
    assert not table.ask("late", [slot("x")])
    assert table.leave("x") == []
    assert not table.ask("later", [slot("x")]), "the free one is kept for who came before"
    assert table.leave("y") == ["both"]


def test_who_has_begun_comes_before_who_has_not() -> None:
    table = Table()
    table.ask("begun", [slot("work")])
    for number in range(20):
        table.ask(f"new{number}", [slot("work")])
    table.ask("other", [slot("reboot")])
    assert not table.ask("begun", [slot("work"), slot("reboot")])
    assert table.keep("begun") == [], "it waits and holds nothing, and its place in the queue stays the first"
    assert table.leave("other") == ["begun"]


def test_who_waits_for_others_to_be_done_keeps_nothing_from_them() -> None:
    table = Table()
    table.come("seat of guest", ["guests"])
    assert not table.ask("host", [slot("reboot")], ["guests"])
    assert table.why("host")[0] == "guests"
    assert table.ask("guest", [slot("reboot")])
    table.leave("guest")
    assert table.go("seat of guest") == ["host"]


def test_by_force_a_limit_is_passed_and_counts_until_it_is_free_again() -> None:
    table = Table()
    table.ask("a", [slot("x")])
    assert table.ask("b", [slot("x")], force=True)
    assert table.used("x") == 2
    assert not table.ask("c", [slot("x")])
    assert table.leave("a") == []
    assert table.leave("b") == ["c"]


def test_a_higher_limit_of_new_files_lets_in_who_waits() -> None:
    table = Table()
    table.ask("a", [slot("x")])
    assert not table.ask("b", [slot("x")])
    assert table.ask("c", [slot("x", 3)]), "there is room for both now"
    assert not table.waits("b")


class World:
    """Sessions that each do a few things, which need slots; a guest group's sessions hold a host group's back."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - repeatable worlds
        dice = self.dice
        self.slots = [slot(f"limit{number}", dice.randint(1, 3)) for number in range(dice.randint(1, 5))]
        self.table = Table()
        self.left: dict[str, list[tuple[list[Slot], list[str]]]] = {}
        self.busy: set[str] = set()
        self.waiting: dict[str, int] = {}
        for number in range(dice.randint(2, 12)):
            who = f"s{number}"
            group = dice.choice(["guests", "hosts", ""])
            work = [one for one in self.slots if dice.random() < 0.4]
            todo = []
            for _ in range(dice.randint(1, 4)):
                more = [one for one in self.slots if dice.random() < 0.3]
                todo.append(([*work, *more], ["guests"] if group == "hosts" and dice.random() < 0.5 else []))
            self.left[who] = todo
            self.table.come(f"seat/{who}", [group] if group else [])

    def ask(self, who: str) -> None:
        wanted, after = self.left[who][0]
        if self.table.ask(who, wanted, after):
            self.begin(who)
        else:
            self.waiting[who] = 0
            self.woken(self.table.keep(who))

    def begin(self, who: str) -> None:
        self.waiting.pop(who, None)
        self.busy.add(who)

    def woken(self, names: list[str]) -> None:
        for who in names:
            assert who in self.waiting
            self.begin(who)

    def end(self, who: str) -> None:
        self.busy.discard(who)
        self.left[who].pop(0)
        if self.left[who]:
            keep = [one.key for one in self.left[who][0][0]] if self.dice.random() < 0.5 else []
            self.woken(self.table.keep(who, keep))
            self.ask(who)
            return
        del self.left[who]
        self.woken(self.table.leave(who))
        self.woken(self.table.go(f"seat/{who}"))

    def check(self) -> None:
        for one in self.slots:
            assert self.table.used(one.key) <= one.most
        for who in self.waiting:
            assert not self.table.held(who), "whoever waits holds nothing"
            assert self.table.waits(who)
        for who in self.busy:
            assert {one.key for one in self.left[who][0][0]} <= self.table.held(who)

    def go(self) -> None:
        for who in list(self.left):
            self.ask(who)
            self.check()
        for _ in range(sum(map(len, self.left.values()))):
            assert self.busy, f"nothing goes on any more, {self.waiting} wait"
            self.end(self.dice.choice(sorted(self.busy)))
            self.check()
        assert not self.left, "somebody starves"
        assert self.table.waiting() == 0
        assert all(self.table.used(one.key) == 0 for one in self.slots)


@pytest.mark.parametrize("block", range(4))
def test_in_no_world_a_limit_is_passed_or_anybody_waits_for_ever(block: int) -> None:
    for seed in range(block * 250, block * 250 + 250):
        World(seed).go()


def test_thousands_who_wait_for_a_few_places_are_served_in_order_without_looking_at_all_of_them() -> None:
    table, places = Table(), [slot("work", 200), slot("tenant", 100)]
    names = [f"s{number}" for number in range(3000)]
    running = [name for name in names if table.ask(name, places)]
    served = list(running)
    for _ in names:
        woken = table.leave(running.pop(0))
        running += woken
        served += woken
    assert served == names
