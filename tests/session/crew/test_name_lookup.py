"""A resolver may hang, fail or lie: whoever asks for a name does not wait for it."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from immy_nornir.session.crew.name_lookup import FAILED_SECONDS, KEPT_SECONDS, Names, Target, resolve
from tests.history.sample import StillClock

ENOUGH = 60.0


class Resolver:
    """The operating system's, as bad as one likes."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answered = threading.Condition()
        self.gone: set[str] = set()
        self.release = threading.Event()

    def __call__(self, host: str, port: int) -> Sequence[Target]:
        if host.startswith("hangs"):
            self.release.wait(ENOUGH)
        with self.answered:
            self.asked[host] += 1
            self.answered.notify_all()
        if host in self.gone:
            raise OSError("no such name")
        if host.startswith("odd"):
            raise RuntimeError("a bug of the resolver")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, ("127.0.0.1", port))]

    def wait_for(self, host: str, times: int) -> None:
        with self.answered:
            assert self.answered.wait_for(lambda: self.asked[host] >= times, ENOUGH)


@contextmanager
def names(clock: StillClock) -> Iterator[tuple[Names, Resolver]]:
    resolver = Resolver()
    made = Names(clock, resolver)
    try:
        yield made, resolver
    finally:
        resolver.release.set()
        made.close()


def known(made: Names, host: str) -> bool:
    """Ask until the answer is there; the resolver's thread needs a moment to write it down."""
    pause = threading.Event()
    for _ in range(int(ENOUGH / 0.01)):
        if made.targets(host, 22):
            return True
        pause.wait(0.01)
    return False


def test_numbers_are_known_at_once() -> None:
    with names(StillClock()) as (made, resolver):
        [(family, kind, _, where)] = made.targets("127.0.0.1", 5986)
        assert (family, kind, where) == (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 5986))
        assert made.targets("::1", 22)[0][0] == socket.AF_INET6
    assert not resolver.asked


def test_a_name_is_asked_for_once_and_remembered_for_some_minutes() -> None:
    clock = StillClock()
    with names(clock) as (made, resolver):
        assert made.targets("pc1", 22) == ()
        assert known(made, "pc1")
        clock.at += KEPT_SECONDS - 1
        assert made.targets("pc1", 22)
        assert resolver.asked["pc1"] == 1
        clock.at += 2
        resolver.gone.add("pc1")
        assert made.targets("pc1", 22), "what was known goes on to count"
        resolver.wait_for("pc1", 2)


def test_a_name_that_does_not_exist_is_asked_for_again_after_a_while() -> None:
    clock = StillClock()
    with names(clock) as (made, resolver):
        resolver.gone.add("pc1")
        assert made.targets("pc1", 22) == ()
        resolver.wait_for("pc1", 1)
        assert known(made, "other")
        assert made.targets("pc1", 22) == ()
        assert resolver.asked["pc1"] == 1
        resolver.gone.clear()
        clock.at += FAILED_SECONDS + 1
        assert known(made, "pc1")


@pytest.mark.parametrize("bad", ["hangs", "odd"])
def test_names_that_hang_or_break_the_resolver_cost_themselves_alone(bad: str) -> None:
    with names(StillClock()) as (made, _):
        for number in range(3):
            assert made.targets(f"{bad}{number}", 22) == ()
        assert known(made, "good")
        assert made.targets(f"{bad}0", 22) == ()


def test_more_names_that_hang_than_there_are_threads_block_nobody_who_asks() -> None:
    with names(StillClock()) as (made, _):
        for number in range(500):
            assert made.targets(f"hangs{number}", 22) == ()
        assert made.targets("127.0.0.1", 22)
        assert sum(thread.name.startswith("immy-names") for thread in threading.enumerate()) < 20


def test_the_operating_system_knows_this_computer() -> None:
    assert resolve("localhost", 22)
