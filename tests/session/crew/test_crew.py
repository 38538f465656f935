"""The crew: few threads for all runs, waits that hold no thread, limits of the process, stops in stages."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from immy_nornir.decide.steps.step import Wait
from immy_nornir.model.protocols import Address
from immy_nornir.model.record.session import WaitKind
from immy_nornir.session.crew.crew import Crew, Seat
from immy_nornir.session.crew.settled import Parked
from tests.history.sample import StillClock

ENOUGH = 60.0


def parked(seconds: float, kind: WaitKind = WaitKind.JOB, address: Address | None = None, now: float = 0.0) -> Parked:
    return Parked(Wait(kind, (now or time.time()) + seconds, "a test"), address)


def threads(name: str = "immy-worker") -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith(name)}


def legs(*waits: Parked) -> Callable[[bool], str | Parked]:
    """A seat's work that waits some times and then says how often it was woken."""
    left = list(waits)
    woken: list[bool] = []

    def work(seen: bool) -> str | Parked:
        woken.append(seen)
        return left.pop(0) if left else " ".join("woken" if one else "due" for one in woken[1:])

    return work


def test_threads_are_few_and_serve_one_run_after_the_other() -> None:
    before = threads()
    seen: list[set[threading.Thread]] = []
    meet = threading.Barrier(3)

    def work(_: bool) -> int:
        meet.wait(ENOUGH)
        return threading.get_ident()

    with Crew(3) as crew:
        assert threads() == before, "none before there is work"
        for _ in range(2):
            done = crew.run([Seat(str(number), work) for number in range(9)])
            assert len(set(done.values())) == 3
            seen.append(threads() - before)
    assert len(seen[0]) == 3
    assert seen[0] == seen[1]
    for one in seen[0]:
        one.join(ENOUGH)
        assert not one.is_alive()


def test_no_more_threads_begin_than_there_is_work() -> None:
    before = threads()
    with Crew(50) as crew:
        assert crew.run([Seat("a", legs()), Seat("b", legs())]) == {"a": "", "b": ""}
        assert len(threads() - before) <= 2


def test_who_is_named_at_a_glance_is_called_at_once_however_long_it_would_wait() -> None:
    rested: Counter[str] = Counter()

    def work(name: str) -> Callable[[bool], str | Parked]:
        def one(_: bool) -> str | Parked:
            rested[name] += 1
            return parked(3600.0, WaitKind.APPROVAL) if rested[name] < 3 else "called"

        return one

    with Crew(2) as crew:
        # Named again and again, before they rest and while they do: no call is lost, and none is needed twice.
        names = [str(number) for number in range(20)]
        done = crew.run([Seat(name, work(name)) for name in names], lambda: names)
    assert done == dict.fromkeys(names, "called")
    assert set(rested.values()) == {3}


def test_who_is_named_before_it_rests_is_called_when_it_does() -> None:
    entered, named = threading.Event(), threading.Event()
    calls: list[bool] = []

    def work(woken: bool) -> str | Parked:
        calls.append(woken)
        if len(calls) > 1:
            return "called"
        entered.set()
        assert named.wait(ENOUGH)
        return parked(3600.0, WaitKind.APPROVAL)

    def glance() -> list[str]:
        if not entered.is_set() or named.is_set():
            return []
        threading.Timer(0.05, named.set).start()
        return ["a"]

    with Crew(1) as crew:
        assert crew.run([Seat("a", work)], glance) == {"a": "called"}


def test_a_run_of_nobody_ends() -> None:
    with Crew(2) as crew:
        assert crew.run([]) == {}


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_exception_costs_its_own_seat_only(error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    def bad(_: bool) -> str:
        raise error("bad")

    with Crew(1) as crew:
        assert crew.run([Seat("a", bad), Seat("b", legs()), Seat("c", bad), Seat("d", legs())]) == {"b": "", "d": ""}
    assert "a ended with an error" in caplog.text


def test_whoever_waits_holds_no_thread_and_is_called_when_it_is_due() -> None:
    order: list[str] = []

    def noted(name: str, work: Callable[[bool], str | Parked]) -> Seat[str]:
        def and_note(woken: bool) -> str | Parked:
            order.append(name)
            return work(woken)

        return Seat(name, and_note)

    with Crew(1) as crew:
        began = time.monotonic()
        done = crew.run([noted("a", legs(parked(0.8))), noted("b", legs(parked(0.1))), noted("c", legs())])
        assert time.monotonic() - began >= 0.75
    assert done == {"c": "", "b": "due", "a": "due"}
    assert order == ["a", "b", "c", "b", "a"]


def test_somebody_looks_what_is_due_while_others_are_at_work() -> None:
    """One that waited is due while the only thread of before is in the middle of something, which waits for it."""
    over = threading.Event()

    def waits(_: bool) -> bool:
        return over.wait(ENOUGH)

    first = legs(parked(0.05))

    def sets(woken: bool) -> str | Parked:
        outcome = first(woken)
        if not isinstance(outcome, Parked):
            over.set()
        return outcome

    with Crew(2) as crew:
        seats: list[Seat[object]] = [Seat("short", sets), Seat("long", waits)]
        assert crew.run(seats) == {"short": "due", "long": True}


def test_time_is_that_of_the_clock_that_was_given() -> None:
    clock = StillClock()
    order: list[str] = []

    def hours(_: bool) -> str | Parked:
        order.append("hours")
        return "done" if len(order) > 1 else parked(7200, WaitKind.WINDOW, now=clock.at)

    def moves(_: bool) -> str:
        order.append("moves")
        clock.at += 7200
        return "moved"

    with Crew(1, clock=clock) as crew:
        assert crew.run([Seat("a", hours), Seat("b", moves)]) == {"b": "moved", "a": "done"}
    assert order == ["hours", "moves", "hours"]


def test_splay_spreads_the_starts_and_keeps_no_thread() -> None:
    random.seed(1)
    pauses = [random.uniform(0.0, 0.5) for _ in range(6)]  # noqa: S311 - what the crew will draw
    random.seed(1)
    began = time.monotonic()
    with Crew(1) as crew:
        starts = crew.run([Seat(str(number), lambda _: time.monotonic()) for number in range(6)], splay=0.5)
    assert list(starts) == [str(number) for number in sorted(range(6), key=pauses.__getitem__)]
    assert all(starts[str(number)] >= began + pause for number, pause in enumerate(pauses))


class Busy:
    """Seats of a tenant that stay until a test lets them go, and how many of a tenant were there together."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.highest: Counter[str] = Counter()
        self.news = threading.Condition()

    def seat(self, tenant: str, number: int, until: Callable[[], bool]) -> Seat[str]:
        def work(_: bool) -> str:
            with self.news:
                self.now[tenant] += 1
                self.highest[tenant] = max(self.highest[tenant], self.now[tenant])
                self.news.notify_all()
                assert self.news.wait_for(until, ENOUGH)
                self.now[tenant] -= 1
            return tenant

        return Seat(f"{tenant}{number}", work, tenant)


def test_a_tenant_at_its_limit_lets_the_others_go_on() -> None:
    busy = Busy()
    small = [busy.seat("small", number, lambda: True) for number in range(5)]
    # The big tenant's stay until all of the small one, who came after thousands of them, were there.
    came = threading.Event()
    big = [busy.seat("big", number, came.is_set) for number in range(3000)]

    def tell(_: bool) -> str:
        with busy.news:
            came.set()
            busy.news.notify_all()
        return "small"

    with Crew(4, per_tenant=2) as crew:
        done = crew.run([*big, *small, Seat("last", tell, "small")])
    assert len(done) == 3006
    assert busy.highest["big"] == 2
    assert busy.highest["small"] <= 2


def test_two_runs_at_one_time_share_threads_and_limits_and_each_ends_for_itself() -> None:
    busy = Busy()
    done: dict[str, dict[str, str]] = {}
    release = threading.Event()

    def run(name: str, seats: list[Seat[str]]) -> threading.Thread:
        def work() -> None:
            done[name] = crew.run(seats)

        one = threading.Thread(target=work, daemon=True)
        one.start()
        return one

    with Crew(3, per_tenant=2) as crew:
        slow = run("slow", [busy.seat("a", number, release.is_set) for number in range(2)])
        with busy.news:
            assert busy.news.wait_for(lambda: busy.now["a"] == 2, ENOUGH)
        blocked = run("blocked", [busy.seat("a", number, release.is_set) for number in range(2, 4)])
        quick = run("quick", [busy.seat("b", number, lambda: True) for number in range(20)])
        quick.join(ENOUGH)
        assert list(done) == ["quick"], "its run has ended, while another goes on"
        with busy.news:
            release.set()
            busy.news.notify_all()
        slow.join(ENOUGH)
        blocked.join(ENOUGH)
    assert {name: len(one) for name, one in done.items()} == {"quick": 20, "slow": 2, "blocked": 2}
    assert busy.highest["a"] == 2


# --- the probe ------------------------------------------------------------------------------------------------


def test_a_computer_that_answers_is_woken_and_one_without_an_address_is_when_it_is_due() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Crew(2) as crew:
        address = Address("a", "winrm", "127.0.0.1", server.getsockname()[1])
        here = Address("c", "local", "localhost", 0)
        done = crew.run(
            [
                Seat("a", legs(*[parked(0.05, WaitKind.REBOOT, address)] * 3)),
                Seat("b", legs(parked(0.05, WaitKind.REBOOT))),
                Seat("c", legs(parked(0.05, WaitKind.CONNECTIVITY, here))),
                Seat("d", legs(parked(0.05, WaitKind.JOB, address))),
            ]
        )
    assert done == {"a": "woken woken woken", "b": "woken", "c": "woken", "d": "due"}


def test_a_computer_that_is_silent_is_looked_at_all_the_same() -> None:
    clock = StillClock()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = Address("a", "winrm", "127.0.0.1", closed.getsockname()[1])
        waits = legs(parked(10, WaitKind.REBOOT, address, now=clock.at))
        seen: list[float] = []

        def moves(_: bool) -> str | Parked:
            seen.append(clock.at)
            clock.at += 15
            return "moved" if len(seen) > 2 else parked(0, now=clock.at)

        with Crew(1, clock=clock) as crew:
            done = crew.run([Seat("a", waits), Seat("b", moves)])
    assert done["a"] == "woken"
    # It was due after ten seconds and is late after forty: the third move brings the clock there.
    assert list(done) == ["b", "a"]


# --- stops ----------------------------------------------------------------------------------------------------


def test_the_first_degree_of_a_stop_calls_all_who_wait() -> None:
    level = [0]
    seen: list[int] = []

    def work(_: bool) -> str | Parked:
        seen.append(level[0])
        if level[0]:
            return "stopped"
        if len(seen) == 5:
            level[0] = 1
        return parked(3600, WaitKind.WINDOW)

    address = Address("a", "winrm", "127.0.0.1", 1)
    with Crew(1, stop=lambda: level[0]) as crew:
        waits = legs(parked(3600, WaitKind.REBOOT, address))
        done = crew.run([Seat("r", waits), *(Seat(str(number), work) for number in range(5))])
    assert done == {"r": "due", **{str(number): "stopped" for number in range(5)}}
    assert seen == [0] * 5 + [1] * 5


def test_the_second_degree_waits_for_nobody_and_keeps_nothing_that_comes_later() -> None:
    level = [0]
    release, ended = threading.Event(), threading.Event()
    begun: list[str] = []

    def stuck(_: bool) -> str:
        begun.append("stuck")
        level[0] = 2
        release.wait(ENOUGH)
        ended.set()
        return "too late"

    def never(_: bool) -> str:
        begun.append("never")
        return "never"

    before = threads()
    crew = Crew(1, stop=lambda: level[0])
    done = crew.run([Seat("a", legs()), Seat("b", stuck), Seat("c", never)])
    assert done == {"a": ""}
    assert not ended.is_set()
    mine = threads() - before
    crew.close()
    release.set()
    for one in mine:
        one.join(ENOUGH)
    assert ended.is_set()
    assert done == {"a": ""}
    assert begun == ["stuck"]


def test_a_run_that_was_left_leaves_nothing_behind_for_the_next() -> None:
    level = [0]
    calls: list[str] = []

    def waits(_: bool) -> Parked:
        calls.append("waits")
        level[0] = 2
        return parked(0.3)

    with Crew(1, stop=lambda: level[0]) as crew:
        assert crew.run([Seat("a", waits)]) == {}
        level[0] = 0
        assert crew.run([Seat("b", legs(parked(0.4)))]) == {"b": "due"}
    assert calls == ["waits"]


def test_a_crew_that_is_closed_lets_its_runs_go() -> None:
    crew = Crew(1)
    begun = threading.Event()
    waits = legs(parked(3600, WaitKind.WINDOW))

    def work(woken: bool) -> str | Parked:
        begun.set()
        return waits(woken)

    def close() -> None:
        assert begun.wait(ENOUGH)
        crew.close()

    closer = threading.Thread(target=close, daemon=True)
    closer.start()
    assert crew.run([Seat("a", work)]) == {}
    closer.join(ENOUGH)
