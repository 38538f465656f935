"""What an operator sees while sessions run: a live picture on a terminal, a line per event in a pipe.

Told of entries by worker threads; draws on standard error; decides nothing.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.history.projection import stage_of, status_of
from immy_nornir.history.sentences import sentence
from immy_nornir.model.record.entries import (
    ActionEnded,
    ContactLost,
    Determined,
    Finished,
    Interrupted,
    JobIntended,
    Noted,
    Planned,
    RebootAsked,
    RebootEnded,
    RebootIntended,
    RetryLater,
    Stamped,
    Verified,
    Waiting,
)
from immy_nornir.model.record.session import Outcome, Status, WaitKind

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State

_TOLD = (
    ContactLost,
    Determined,
    Finished,
    Interrupted,
    JobIntended,
    Noted,
    Planned,
    RebootAsked,
    RebootEnded,
    RebootIntended,
    RetryLater,
    Verified,
)
_GOOD = (Status.PASSED,)
_ROWS = 12


def worth_a_line(entry: object) -> bool:
    """Whether an entry is told in a pipe: what was done and decided, not every no-op."""
    if isinstance(entry, ActionEnded):
        return entry.outcome not in (Outcome.NOTHING, Outcome.LEFT, Outcome.NOT_COMPLIANT)
    if isinstance(entry, Waiting):
        return entry.kind in (WaitKind.WINDOW, WaitKind.CONNECTIVITY, WaitKind.RETRY)
    return isinstance(entry, _TOLD)


def _is_superseded(entry: object) -> bool:
    """Whether a session ended that another one follows: its computer has not come to its end."""
    return isinstance(entry, Finished) and entry.status is Status.SUPERSEDED


class Lines:
    """One line for each event."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._ended = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Lines hinder nobody."""
        yield

    def __call__(self, state: State, stamped: Stamped) -> None:
        """Tell one entry."""
        if not worth_a_line(stamped.entry):
            return
        clock = time.strftime("%H:%M:%S", time.localtime(stamped.at))
        with self._lock:
            count = ""
            if isinstance(stamped.entry, Finished | Interrupted) and not _is_superseded(stamped.entry):
                self._ended += 1
                count = f" [{self._ended}/{self._total}]"
            click.echo(f"{clock} {state.spec.computer}: {sentence(stamped.entry, state)}{count}", err=True)


class Live:
    """A picture that is drawn again a few times a second: counts, the computers at work, what failed."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._lock = threading.Lock()
        self._states: dict[str, tuple[str, str]] = {}
        self._ended: Counter[str] = Counter()
        self._failed: list[tuple[str, str]] = []
        self._reboots = 0
        self._began = time.monotonic()
        self._live: Any = None

    def __enter__(self) -> Live:
        from rich.console import Console
        from rich.live import Live as RichLive

        console = Console(stderr=True)
        self._live = RichLive(get_renderable=self._picture, console=console, refresh_per_second=5, transient=True)
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No picture meanwhile; what happens is taken in all the same."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start(refresh=True)

    def __call__(self, state: State, stamped: Stamped) -> None:
        """Take in one entry."""
        name = state.spec.computer
        with self._lock:
            if isinstance(stamped.entry, RebootEnded) and stamped.entry.identity is not None:
                self._reboots += 1
            if _is_superseded(stamped.entry):
                self._states.pop(name, None)
            elif isinstance(stamped.entry, Finished | Interrupted):
                status, reason = status_of(state)
                self._states.pop(name, None)
                self._ended[status.value] += 1
                if status not in _GOOD:
                    self._failed.append((name, f"{status.value.replace('_', ' ')}: {reason}"))
            else:
                self._states[name] = (stage_of(state), sentence(stamped.entry, state))

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.padding import Padding
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            states, failed, ended = dict(self._states), list(self._failed), Counter(self._ended)
        done = sum(ended.values())
        seconds = time.monotonic() - self._began
        left = f", about {seconds / done * (self._total - done):.0f} s left" if 0 < done < self._total else ""
        head = Text(f"{done} of {self._total} computers, {self._reboots} reboots, {seconds:.0f} s{left}  ")
        for status, number in ended.items():
            head.append(f" {status.replace('_', ' ')} {number}", style="green" if status == "passed" else "red")
        head.no_wrap = True
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
        shown = [name for name, _ in failed[-_ROWS // 2 :]] + list(states)[:_ROWS]
        table.add_column("computer", no_wrap=True, min_width=min(max(map(len, shown), default=0), 32))
        table.add_column("stage", no_wrap=True, min_width=9)
        table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
        for name, why in failed[-_ROWS // 2 :]:
            table.add_row(Text(name, style="red"), "", Text(why))
        rows = list(states.items())
        for name, (stage, what) in rows[:_ROWS]:
            table.add_row(Text(name), Text(stage, style="cyan"), Text(what))
        if len(rows) > _ROWS:
            table.add_row(f"and {len(rows) - _ROWS} more", "", "")
        return Group(Padding(ProgressBar(total=max(self._total, 1), completed=done), 0), head, table)


def progress_for(total: int) -> Lines | Live:
    """The kind that fits where standard error goes."""
    return Live(total) if sys.stderr.isatty() else Lines(total)
