"""What an operator sees while sessions run: a live picture on a terminal, a line per event in a pipe.

Told of entries by worker threads; draws on standard error; decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from immy_nornir.cli.door import say
from immy_nornir.cli.live.picture import Picture, View
from immy_nornir.cli.times import offset_of
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
from immy_nornir.model.record.order_entries import CancelAsked, JobStopAsked, PauseAsked, PauseLifted, RebootOrdered
from immy_nornir.model.record.question_entries import QuestionEnded
from immy_nornir.model.record.session import Outcome, Status, WaitKind
from immy_nornir.text.visible import visible

if TYPE_CHECKING:
    from immy_nornir.decide.runs.run_state import RunState
    from immy_nornir.decide.steps.state import State

_TOLD = frozenset(
    one.__name__
    for one in (
        CancelAsked,
        JobStopAsked,
        PauseAsked,
        PauseLifted,
        RebootOrdered,
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
        QuestionEnded,
        RetryLater,
        Verified,
    )
)
_TOLD_WAITS = (
    WaitKind.WINDOW,
    WaitKind.HOLD,
    WaitKind.PAUSE,
    WaitKind.CONNECTIVITY,
    WaitKind.RETRY,
    WaitKind.SLOT,
    WaitKind.PREFLIGHT,
    WaitKind.PROMPT,
    WaitKind.LOGON,
)


def worth_a_line(entry: object) -> bool:
    """Whether an entry is told in a pipe: what was done and decided, not every no-op."""
    about = entry.outcome if isinstance(entry, ActionEnded) else entry.kind if isinstance(entry, Waiting) else ""
    return is_worth_a_line(type(entry).__name__, about)


def is_worth_a_line(kind: str, about: str) -> bool:
    """As `worth_a_line`, of an entry as the history has it; `about` is an action's outcome, or the kind of a wait."""
    if kind == ActionEnded.__name__:
        return about not in (Outcome.NOTHING, Outcome.LEFT, Outcome.NOT_COMPLIANT)
    if kind == Waiting.__name__:
        return about in _TOLD_WAITS
    return kind in _TOLD


def _is_superseded(entry: object) -> bool:
    """Whether a session ended that another one follows: its computer has not come to its end."""
    return isinstance(entry, Finished) and entry.status is Status.SUPERSEDED


class Lines:
    """One line for each event that is worth it, or for every one."""

    def __init__(self, total: int, *, everything: bool = False) -> None:
        self._total = total
        self._everything = everything
        self._ended = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Lines:
        say(f"times are local ({offset_of(time.time())})", err=True)
        return self

    def __exit__(self, *_: object) -> None:
        return

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Lines hinder nobody."""
        yield

    def __call__(self, state: State, stamped: Stamped) -> None:
        """Tell one entry."""
        if not (self._everything or worth_a_line(stamped.entry)):
            return
        clock = time.strftime("%H:%M:%S", time.localtime(stamped.at))
        with self._lock:
            count = ""
            if isinstance(stamped.entry, Finished | Interrupted) and not _is_superseded(stamped.entry):
                self._ended += 1
                count = f" [{self._ended}/{self._total}]"
            say(f"{clock} {state.spec.computer}: {sentence(stamped.entry, state)}{count}", err=True)


class Quiet(Lines):
    """Nothing at all: only the summary is wanted."""

    def __enter__(self) -> Quiet:
        return self

    def __call__(self, state: State, stamped: Stamped) -> None:
        """Tell nothing."""


class Live:
    """The picture on a terminal, drawn again a few times a second."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._began = time.monotonic()
        self._paused = 0.0
        self._console: Any = None
        self._live: Any = None

    def __enter__(self) -> Live:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._console = Console(stderr=True)
        self._live = RichLive(get_renderable=self._seen, console=self._console, refresh_per_second=5, transient=True)
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No picture meanwhile; what happens is taken in all the same, and nobody's thinking counts as work."""
        began = time.monotonic()
        self._live.stop()
        try:
            yield
        finally:
            self._paused += time.monotonic() - began
            self._live.start(refresh=True)

    def __call__(self, state: State, stamped: Stamped) -> None:
        """Take in one entry."""
        self._picture.take(state, stamped)

    def _seen(self) -> Any:
        elapsed = time.monotonic() - self._began - self._paused
        return drawn(self._picture.view(time.time(), elapsed, self._console.height))


def drawn(view: View) -> Any:
    """A view as something that rich can print."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    heads = [Text(visible(line), no_wrap=True, overflow="ellipsis") for line in view.heads]
    if view.stopping:
        heads.append(Text(visible(view.stopping), style="bold yellow"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    widest = max((len(row.name) for row in view.rows), default=0)
    table.add_column("computer", no_wrap=True, min_width=min(widest, 24), max_width=32, overflow="ellipsis")
    table.add_column("elapsed", no_wrap=True, justify="right")
    table.add_column("stage", no_wrap=True, min_width=9)
    table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
    untils = any(row.until for row in view.rows)
    if untils:
        table.add_column("until", no_wrap=True, justify="right")
    for row in view.rows:
        style = "red" if row.failed else ""
        table.add_row(
            Text(visible(row.name), style=style),
            row.elapsed,
            Text(row.stage, style=style or "cyan"),
            Text(visible(row.what)),
            *([row.until] if untils else []),
        )
    bars = [Padding(ProgressBar(total=view.total, completed=view.ended), 0)] if view.total else []
    lines = [Text(visible(line), no_wrap=True, overflow="ellipsis") for line in view.lines]
    return Group(*bars, *heads, *([table] if view.rows else []), *lines)


def show(view: View) -> None:
    """Print a view once on standard output, as wide as the terminal is."""
    from rich.console import Console

    Console().print(drawn(view))


class FullScreen:
    """A terminal's other screen, on which views are drawn whole; what was there before comes back at the end."""

    def __init__(self) -> None:
        self._console: Any = None
        self._live: Any = None

    def __enter__(self) -> FullScreen:
        from rich.console import Console

        self._console = Console()
        self._begin()
        return self

    def _begin(self) -> None:
        from rich.live import Live as RichLive

        self._live = RichLive(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.__enter__()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # the terminal may have gone away
            self._live.__exit__(None, None, None)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """The usual screen meanwhile."""
        self._live.stop()
        try:
            yield
        finally:
            self._begin()

    def draw(self, view: View, size: tuple[int, int]) -> None:
        """Draw a view on a terminal of so many columns and lines, with its last line at the bottom."""
        from rich.layout import Layout
        from rich.text import Text

        self._console.size = size
        whole = Layout()
        foot = Text("\n".join(map(visible, view.foot)), style="bold", no_wrap=True, overflow="ellipsis")
        whole.split_column(Layout(drawn(view), name="view"), Layout(foot, size=max(len(view.foot), 1), name="foot"))
        self._live.update(whole, refresh=True)


def progress_for(
    total: int,
    runs: Sequence[Callable[[], RunState]] = (),
    stopping: Callable[[], int] = int,
    *,
    quiet: bool = False,
    verbose: bool = False,
) -> Lines | Live:
    """The kind that fits what is wanted and where standard error goes."""
    if quiet:
        return Quiet(total)
    # A terminal that cannot move its cursor would show no picture at all.
    moves = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    return Live(Picture(total, runs, stopping)) if moves and not verbose else Lines(total, everything=verbose)
