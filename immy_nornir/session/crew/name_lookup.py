"""Names of computers -> where to connect to, without waiting: threads of their own ask the operating system."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from immy_nornir.model.protocols import Clock

Target = tuple[int, int, int, tuple[object, ...]]
"""Family, type and protocol of a socket, and the address in that family's form."""
Resolve = Callable[[str, int], Sequence[Target]]
"""May take its time; raises OSError for a name that does not exist."""

KEPT_SECONDS = 180.0
FAILED_SECONDS = 10.0
THREADS = 8


def resolve(host: str, port: int, flags: int = 0) -> Sequence[Target]:
    """Ask the operating system; raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, kind, protocol, target) for family, kind, protocol, _, target in found]


@dataclass(frozen=True, slots=True)
class _Known:
    targets: tuple[Target, ...]
    until: float


class Names:
    """Remembers names for some minutes; a resolver that hangs costs the names that it was asked for."""

    def __init__(self, clock: Clock, resolve: Resolve = resolve) -> None:
        self._clock = clock
        self._resolve = resolve
        self._known: dict[tuple[str, int], _Known] = {}
        self._asked: set[tuple[str, int]] = set()
        self._questions: queue.SimpleQueue[tuple[str, int] | None] = queue.SimpleQueue()
        self._threads = 0
        self._lock = threading.Lock()

    def targets(self, host: str, port: int) -> Sequence[Target]:
        """Where `host` is, as far as that is known at this moment; asks for what is not, and never waits.

        What was known goes on to count while it is asked for again.
        """
        try:
            return resolve(host, port, socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)
        except (OSError, ValueError, OverflowError):
            pass
        key = (host, port)
        with self._lock:
            known = self._known.get(key)
            if (known is None or known.until <= self._clock.monotonic()) and key not in self._asked:
                self._asked.add(key)
                self._questions.put(key)
                self._one_more()
            return () if known is None else known.targets

    def close(self) -> None:
        """Let the threads go, each when its question is answered."""
        with self._lock:
            for _ in range(self._threads):
                self._questions.put(None)
            self._threads = THREADS

    def _one_more(self) -> None:
        if self._threads >= THREADS:
            return
        thread = threading.Thread(target=self._work, name=f"immy-names-{self._threads}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # no more threads: those that are silent are looked at now and then all the same
        self._threads += 1

    def _work(self) -> None:
        while (key := self._questions.get()) is not None:
            try:
                found = tuple(self._resolve(*key))
            except Exception:  # noqa: BLE001 - whatever a name does to the resolver, the next one is asked for
                found = ()
            with self._lock:
                before = self._known.get(key)
                seconds = KEPT_SECONDS if found else FAILED_SECONDS
                targets = found or (before.targets if before is not None else ())
                self._known[key] = _Known(targets, self._clock.monotonic() + seconds)
                self._asked.discard(key)
