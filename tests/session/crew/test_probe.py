"""The probe: whoever answers is told of once, and nothing that is silent, broken or refused holds up the others."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from immy_nornir.model.protocols import Address
from immy_nornir.session.crew.name_lookup import Names, Target, resolve
from immy_nornir.session.crew.probe import Probe
from immy_nornir.session.crew.socket_limits import sockets_at_once
from immy_nornir.session.engine import SystemClock

ENOUGH = 60.0
NOW = 0.0
"""A time that has come already, by any clock."""


class Answers:
    """Who answered, in order; a test waits for it."""

    def __init__(self, then: Callable[[int], None] = lambda _: None) -> None:
        self.numbers: list[int] = []
        self._news = threading.Condition()
        self._then = then

    def __call__(self, number: int) -> None:
        with self._news:
            self.numbers.append(number)
            self._news.notify_all()
        self._then(number)

    def hear(self, *numbers: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: set(numbers) <= set(self.numbers), timeout=ENOUGH)


def eventually(holds: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(holds() or pause.wait(0.005) for _ in range(int(ENOUGH / 0.005)))


def at(port: int, host: str = "127.0.0.1") -> Address:
    return Address("a computer", "winrm", host, port)


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
        yield server.getsockname()[1]


@contextmanager
def silent() -> Iterator[int]:
    """A port that neither accepts nor refuses: its queue is full, and nobody takes from it."""
    if sys.platform != "linux":
        pytest.skip("elsewhere a full queue refuses")
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        where = server.getsockname()
        with socket.create_connection(where):
            yield where[1]


@contextmanager
def probing(answers: Answers, **options: float | Names) -> Iterator[Probe]:
    probe = Probe(answers, SystemClock(), **options)  # type: ignore[arg-type]  # each test knows its options
    try:
        yield probe
    finally:
        probe.close()


def test_a_computer_that_answers_is_told_of_once() -> None:
    answers = Answers()
    with listening() as port, probing(answers) as probe:
        for number in range(300):
            probe.watch(number, at(port), NOW)
        answers.hear(*range(300))
    assert sorted(answers.numbers) == list(range(300))


def test_a_computer_that_refuses_is_asked_until_it_answers() -> None:
    answers = Answers()
    with socket.socket() as closed, listening() as open_port, probing(answers) as probe:
        closed.bind(("127.0.0.1", 0))
        probe.watch(1, at(closed.getsockname()[1]), NOW)
        probe.watch(2, at(open_port), NOW)
        answers.hear(2)
        assert answers.numbers == [2]
        closed.listen()
        answers.hear(1)


def test_what_cannot_be_reached_at_all_has_not_answered() -> None:
    answers = Answers()
    with listening() as port, probing(answers) as probe:
        # A connection to a group of computers fails before anything is sent.
        probe.watch(1, at(port, "224.0.0.1"), NOW)
        probe.watch(2, at(port, "no such name, and no name at all"), NOW)
        probe.watch(3, at(port, "x" * 80), NOW)
        probe.watch(4, at(port), NOW)
        answers.hear(4)
    assert answers.numbers == [4]


def test_nobody_is_asked_before_its_time_nor_after_it_was_forgotten() -> None:
    answers = Answers()
    with listening() as port, probing(answers) as probe:
        probe.watch(1, at(port), SystemClock().monotonic() + 3600)
        probe.watch(2, at(port), SystemClock().monotonic() + 0.2)
        probe.forget(2)
        probe.watch(3, at(port), SystemClock().monotonic() + 0.3)
        answers.hear(3)
    assert answers.numbers == [3]


def test_thousands_of_silent_computers_are_asked_at_once() -> None:
    answers = Answers()
    many = min(2000, sockets_at_once())
    with silent() as dead, listening() as port, probing(answers, seconds=ENOUGH) as probe:
        for number in range(many - 1):
            probe.watch(number, at(dead), NOW)
        probe.watch(many, at(port), SystemClock().monotonic())
        answers.hear(many)
        assert eventually(lambda: probe.asking == many - 1)
        assert answers.numbers == [many]


def test_no_more_are_asked_at_once_than_there_is_room_and_one_that_ends_makes_room() -> None:
    answers = Answers()
    highest = [0]
    with silent() as dead, listening() as port, probing(answers, at_once=20, seconds=0.05) as probe:
        for number in range(200):
            probe.watch(number, at(dead), NOW)
        probe.watch(200, at(port), SystemClock().monotonic())

        def answered() -> bool:
            highest.append(probe.asking)
            return bool(answers.numbers)

        assert eventually(answered)
    assert 1 < max(highest) <= 20
    assert answers.numbers == [200]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
@pytest.mark.parametrize("at_once", [0, 1000])
def test_more_computers_than_sockets_can_be_probed(at_once: int) -> None:
    with listening() as port:
        code = (
            "import resource, threading; resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n"
            "from immy_nornir.model.protocols import Address\n"
            "from immy_nornir.session.engine import SystemClock\n"
            "from immy_nornir.session.crew.probe import Probe\n"
            "found, all_of_them = [], threading.Event()\n"
            "answered = lambda number: (found.append(number), len(found) == 300 and all_of_them.set())\n"
            f"probe = Probe(answered, SystemClock(), at_once={at_once})\n"
            "for number in range(300):\n"
            f"    probe.watch(number, Address('a', 'winrm', '127.0.0.1', {port}), 0.0)\n"
            f"print(all_of_them.wait({ENOUGH}), len(found))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "300"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_the_limit_of_sockets_is_raised_and_half_of_it_left_to_others() -> None:
    code = (
        "import resource\n"
        "from immy_nornir.session.crew.socket_limits import sockets_at_once\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 900))\n"
        "print(sockets_at_once(), sockets_at_once(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["450", "450", "900", "900"], done.stderr


def test_a_resolver_that_hangs_holds_up_nobody_else() -> None:
    answers, release = Answers(), threading.Event()

    def hang(_: str, port: int) -> Sequence[Target]:
        release.wait(ENOUGH)
        return resolve("127.0.0.1", port)

    with listening() as port, probing(answers, names=Names(SystemClock(), hang)) as probe:
        for number in range(100):
            probe.watch(number, at(port, f"pc{number}.test"), NOW)
        probe.watch(100, at(port), SystemClock().monotonic())
        answers.hear(100)
        assert answers.numbers == [100]
        release.set()
        answers.hear(*range(100))
    assert len(answers.numbers) == 101


class Broken(Names):
    """Names that raise what nobody expects, for one computer."""

    def targets(self, host: str, port: int) -> Sequence[Target]:
        if host == "bad":
            raise RuntimeError("a bug")
        return super().targets(host, port)


def test_what_nobody_expects_does_not_end_the_probe(caplog: pytest.LogCaptureFixture) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise RuntimeError("a bug of whoever is told")

    answers = Answers(fail)
    with listening() as port, probing(answers, names=Broken(SystemClock())) as probe:
        for number, host in enumerate(["127.0.0.1", "bad", "127.0.0.1", "127.0.0.1"]):
            probe.watch(number, at(port, host), NOW)
        answers.hear(0, 2, 3)
        probe.watch(4, at(port), NOW)
        answers.hear(4)
    assert sorted(answers.numbers) == [0, 2, 3, 4]
    assert "could not be probed" in caplog.text
