"""Telling beside a command that works on runs: what ends or happens meanwhile is told, and its exit code is its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.cli.door import say_error

if TYPE_CHECKING:
    from immy_nornir.session.engine import Engine
    from immy_nornir.telling.teller import Teller


def teller_of(engine: Engine, root: Path, *, whole: bool) -> Teller:
    """The telling of this process; `whole`: its inventory is the fleet's own."""
    from immy_nornir.telling.teller import Teller

    return Teller(engine, root, _say, whole)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, RuntimeError):  # whoever read it may have gone
        say_error(f"immy: {text}")


@contextlib.contextmanager
def told(engine: Engine, root: Path, *, whole: bool) -> Iterator[None]:
    """What runs bring in here is told at the end; one more Ctrl-C than before leaves the rest for later."""
    teller = teller_of(engine, root, whole=whole)
    teller.begin()
    try:
        yield
        level = engine.stop.level
        teller.finish(lambda: engine.stop.level > min(level, 1))
    finally:
        teller.close()
