"""Shells that this process left open on computers, to be deleted at the next contact with them.

A connection that ends takes the memory of its transport with it, and on old Windows a user has five shells. Shared by
all threads of the process; nothing is sent here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import Protocol

MOST = 30
"""Of one user on one computer: as many as Windows lets a user have by default."""

_lock = threading.Lock()
_left: dict[Hashable, deque[str]] = {}


class Place(Protocol):
    """A user on a computer."""

    @property
    def url(self) -> str:
        """Where WinRM listens."""
        ...

    @property
    def username(self) -> str:
        """Whose shells they are."""
        ...


def left(place: Place, shell: str) -> None:
    """Remember a shell that could not be deleted."""
    with _lock:
        shells = _left.setdefault((place.url, place.username), deque(maxlen=MOST))
        if shell not in shells:
            shells.append(shell)


def taken(place: Place) -> tuple[str, ...]:
    """Those that are remembered; from now on they are the caller's."""
    with _lock:
        return tuple(_left.pop((place.url, place.username), ()))
