"""Limits on one HTTP exchange as a whole: how long it may take and how much may come.

A read time-out counts from byte to byte, so that a computer that sends one a second would hold its worker for ever.
One thread for the whole process looks at all exchanges under way and cuts the sockets of those that are too late.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

MAXIMUM_BYTES = 64_000_000
"""Of one answer, and of all output of one request."""
_LOOK_SECONDS = 0.5


class TooSlowError(requests.ReadTimeout):
    """The answer began to come, or did not, and was not whole in time."""


class TooMuchError(requests.RequestException):
    """More came than any answer of WinRM may hold."""

    def __init__(self) -> None:
        super().__init__(f"the answer has more than {MAXIMUM_BYTES:,} bytes")


@dataclass(eq=False, slots=True)
class _Exchange:
    """One message and its answer."""

    ends: float
    cut: Callable[[], None]
    late: bool = False


@dataclass(slots=True)
class _Watch:
    """Exchanges under way, and the thread that ends those that are too late."""

    under_way: dict[int, _Exchange] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None

    def add(self, exchange: _Exchange) -> None:
        self.under_way[id(exchange)] = exchange
        if self.thread is None:
            with self.lock:
                if self.thread is None:
                    self.thread = threading.Thread(target=self._look, name="immy-limits", daemon=True)
                    self.thread.start()

    def remove(self, exchange: _Exchange) -> None:
        self.under_way.pop(id(exchange), None)

    def _look(self) -> None:
        while True:
            now = time.monotonic()
            for exchange in list(self.under_way.values()):
                if now >= exchange.ends:
                    exchange.late = True
                    exchange.cut()
            time.sleep(_LOOK_SECONDS)


_watch = _Watch()


@contextlib.contextmanager
def at_most(seconds: float, cut: Callable[[], None]) -> Iterator[None]:
    """Call `cut` from another thread when this takes longer, once and again until it is over.

    Raises TooSlowError instead of whatever the cut made of it.
    """
    exchange = _Exchange(time.monotonic() + seconds, cut)
    _watch.add(exchange)
    try:
        yield
    except Exception as error:
        if exchange.late:
            raise TooSlowError(f"not whole after {seconds:g} s") from error
        raise
    finally:
        _watch.remove(exchange)
    if exchange.late:  # headers that end with the socket look whole
        raise TooSlowError(f"not whole after {seconds:g} s")


def cut(connection: Any) -> None:
    """End the socket of an HTTP connection under whoever reads from it; also where it is TLS."""
    sock = getattr(connection, "sock", None)
    if isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):
            # Not the method of an SSLSocket, which takes the session away from the reading thread.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def bounded(pieces: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
    """The function that gives an answer's content in pieces, but raising TooMuchError after `MAXIMUM_BYTES`."""

    def stream(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        size = 0
        for piece in pieces(*args, **kwargs):
            size += len(piece)
            if size > MAXIMUM_BYTES:
                raise TooMuchError
            yield piece

    return stream
