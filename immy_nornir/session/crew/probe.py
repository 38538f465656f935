"""Which of the computers that are waited for answer on their port: one thread, many sockets, no protocol is spoken."""

from __future__ import annotations

import contextlib
import errno
import heapq
import logging
import math
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from immy_nornir.model.protocols import Address, Clock
from immy_nornir.session.crew.name_lookup import Names, Target
from immy_nornir.session.crew.socket_limits import sockets_at_once

SECONDS = 2.0
"""How long a computer may take to accept."""
PAUSE = 0.25
"""Before a computer is asked again, and after the kernel had no more to give."""
PER_SECOND = 4000
"""With more computers than this the pauses grow, so that a network that is gone is not asked without end."""

_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC})
_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})
_log = logging.getLogger("immy_nornir.probe")


@dataclass(slots=True)
class _Ask:
    number: int
    socket: socket.socket
    ends: float
    open: bool = True


class _Asks:
    """The connections that are being opened at this moment, and a bell that other threads ring."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._order: deque[_Ask] = deque()
        self.count = 0
        self._selector = selectors.DefaultSelector()
        try:
            self._bell, self._ear = socket.socketpair()
        except OSError:
            self._selector.close()
            raise
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)

    def ring(self) -> None:
        """End a wait of another thread."""
        with contextlib.suppress(OSError):  # a bell with no room left is ringing
            self._bell.send(b"!")

    def begin(self, number: int, target: Target) -> bool:
        """Begin to connect; False where that has failed at once. Raises OSError for what the kernel does not give."""
        family, kind, protocol, where = target
        one = socket.socket(family, kind, protocol)
        try:
            one.setblocking(False)
            code = one.connect_ex(where)
            if code in _NO_ROOM:
                raise OSError(code, os.strerror(code))
            if code not in _UNDER_WAY:
                one.close()
                return False
            ask = _Ask(number, one, self._clock.monotonic() + self._seconds)
            self._selector.register(one, selectors.EVENT_WRITE, ask)
        except BaseException:
            one.close()
            raise
        self._order.append(ask)
        self.count += 1
        return True

    def heard(self, seconds: float) -> Iterator[tuple[int, bool]]:
        """What has come to an end after at most `seconds`: its number, and whether it was accepted."""
        now = self._clock.monotonic()
        while self._order and not self._order[0].open:
            self._order.popleft()
        ends = self._order[0].ends if self._order else math.inf
        pause = min(seconds, max(0.0, ends - now))
        for key, _ in self._selector.select(None if pause == math.inf else pause):
            if isinstance(key.data, _Ask):
                accepted = key.data.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                self._end(key.data)
                yield key.data.number, accepted
            else:
                with contextlib.suppress(OSError):
                    self._ear.recv(4096)
        now = self._clock.monotonic()
        while self._order and (not self._order[0].open or self._order[0].ends <= now):
            ask = self._order.popleft()
            if ask.open:
                self._end(ask)
                yield ask.number, False

    def _end(self, ask: _Ask) -> None:
        ask.open = False
        self.count -= 1
        self._selector.unregister(ask.socket)
        ask.socket.close()

    def close(self) -> None:
        """Close everything."""
        for ask in self._order:
            if ask.open:
                ask.socket.close()
        self.count = 0
        self._selector.close()
        self._bell.close()
        self._ear.close()


@dataclass(slots=True)
class _Watched:
    address: Address
    at: float
    """When it is asked next, by the clock that never jumps."""
    tries: int = 0


class Probe:
    """Asks each computer again and again until it answers or is forgotten, as many at once as the kernel allows.

    `answered` is called with a computer's number once, from the probe's thread. Nothing that a computer, a name or the
    kernel does ends this thread; what cannot be asked is silent.
    """

    def __init__(
        self,
        answered: Callable[[int], None],
        clock: Clock,
        names: Names | None = None,
        at_once: int = 0,
        seconds: float = SECONDS,
    ) -> None:
        """`at_once` sockets; 0: as many as the process may hold."""
        self._answered = answered
        self._clock = clock
        self._names = names if names is not None else Names(clock)
        self._at_once = at_once
        self._seconds = seconds
        self._lock = threading.Lock()
        self._watched: dict[int, _Watched] = {}
        self._due: list[tuple[float, int]] = []
        self._thread: threading.Thread | None = None
        self._asks: _Asks | None = None
        self._rung = False
        self._complained = False
        self._over = threading.Event()

    @property
    def asking(self) -> int:
        """How many computers are being asked at this moment."""
        asks = self._asks
        return 0 if asks is None else asks.count

    def watch(self, number: int, address: Address, at: float) -> None:
        """Ask a computer from `at` on; the number is the caller's."""
        with self._lock:
            self._watched[number] = _Watched(address, at)
            heapq.heappush(self._due, (at, number))
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="immy-probe", daemon=True)
                with contextlib.suppress(RuntimeError):  # no more threads: the next one that is watched tries again
                    thread.start()
                    self._thread = thread
            self._ring()

    def forget(self, number: int) -> None:
        """Ask no more; an answer that is under way may still come."""
        with self._lock:
            self._watched.pop(number, None)

    def close(self) -> None:
        """Ask nobody any more."""
        self._over.set()
        with self._lock:
            self._watched.clear()
            self._rung = False
            self._ring()
        self._names.close()

    def _ring(self) -> None:
        if self._asks is not None and not self._rung:
            self._rung = True
            self._asks.ring()

    # --- the probe's thread ---

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                with contextlib.closing(_Asks(self._clock, self._seconds)) as asks:
                    self._go_on(asks)
            except Exception:  # noqa: BLE001 - without this thread those that wait would be looked at late
                self._complain()
                self._over.wait(PAUSE)

    def _go_on(self, asks: _Asks) -> None:
        with self._lock:
            self._asks = asks
            self._due = sorted((one.at, number) for number, one in self._watched.items())
        try:
            at_once = self._at_once or sockets_at_once()
            while not self._over.is_set():
                pause = self._begin(asks, at_once)
                for number, accepted in asks.heard(pause):
                    self._heard(number, accepted=accepted)
        finally:
            with self._lock:
                self._asks = None

    def _begin(self, asks: _Asks, at_once: int) -> float:
        """Ask those whose time has come, as far as there is room; how long until there is more to do here."""
        now = self._clock.monotonic()
        with self._lock:
            self._rung = False
        while asks.count < at_once:
            number, one = self._next(now)
            if one is None:
                with self._lock:
                    return max(0.0, self._due[0][0] - now) if self._due else math.inf
            begun = False
            try:
                begun = self._ask(asks, number, one)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._again(number)
                    return PAUSE
            except Exception:  # noqa: BLE001 - one that cannot be asked is silent; the others are asked
                self._complain()
            if not begun:
                self._again(number)
        return math.inf

    def _next(self, now: float) -> tuple[int, _Watched | None]:
        with self._lock:
            while self._due and self._due[0][0] <= now:
                _, number = heapq.heappop(self._due)
                one = self._watched.get(number)
                if one is not None:
                    return number, one
        return 0, None

    def _ask(self, asks: _Asks, number: int, one: _Watched) -> bool:
        targets = self._names.targets(one.address.host, one.address.port)
        if not targets:
            return False
        target = targets[one.tries % len(targets)]
        one.tries += 1
        return asks.begin(number, target)

    def _again(self, number: int) -> None:
        with self._lock:
            one = self._watched.get(number)
            if one is not None:
                one.at = self._clock.monotonic() + max(PAUSE, len(self._watched) / PER_SECOND)
                heapq.heappush(self._due, (one.at, number))

    def _heard(self, number: int, *, accepted: bool) -> None:
        if not accepted:
            self._again(number)
            return
        with self._lock:
            known = self._watched.pop(number, None)
        if known is None:
            return
        try:
            self._answered(number)
        except Exception:  # noqa: BLE001 - what one answer does must not silence the others
            self._complain()

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("computers that are waited for could not be probed", exc_info=True)
