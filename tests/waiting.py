"""Waiting in tests: for a state and never for a time, and never without an end.

`tests/test_habits.py` keeps it: loops that wait are written with these.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

ENOUGH = 300.0
"""Seconds for what comes in moments on any machine: only what hangs takes them."""


def turns(what: str, seconds: float = ENOUGH) -> Iterator[int]:
    """Turns of a loop that is left when something came; the test fails when it does not come, and says what."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        yield number
        number += 1
    pytest.fail(f"{what}: not within {seconds:g} s")


def eventually(holds: Callable[[], object], what: str = "what is asked for here", seconds: float = ENOUGH) -> None:
    """Wait until something is so."""
    for _ in turns(what, seconds):
        if holds():
            return
        time.sleep(0.01)


def all_end(threads: Iterable[threading.Thread], seconds: float = ENOUGH) -> None:
    """Wait for the end of threads."""
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
        assert not thread.is_alive(), f"{thread.name}: no end within {seconds:g} s"
