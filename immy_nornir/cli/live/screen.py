"""The screen of whoever watches on a terminal: drawn when something changed, ruled by keys, always put back."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from immy_nornir.cli.live.detail import detail_of
from immy_nornir.cli.live.keys import Keys
from immy_nornir.cli.live.looking import Look, Page, foot_of, pressed
from immy_nornir.cli.live.picture import Row, View, heads_of, view_of
from immy_nornir.cli.live.progress import FullScreen

if TYPE_CHECKING:
    from types import FrameType

    from immy_nornir.cli.live.watched import Watched
    from immy_nornir.model.control.orders import OrderKind

LOOK_SECONDS = 1.0
_KEY_SECONDS = 0.25
"""How long a key is waited for in one go: a terminal that changes its size is drawn anew as soon."""
_STOP = getattr(signal, "SIGTSTP", signal.SIGTERM)
_AROUND = 2
"""Lines above a list: the bar, which of how many is chosen."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an order is for: a session, or what a run has of a tenant, or all of it."""

    name: str
    session: str = ""
    tenant: str = ""


Order = Callable[["OrderKind", Chosen], None]


def watch_on_screen(watched: Watched, order: Order) -> bool:
    """Show what is watched until it is over, or somebody has seen enough; whether it is over.

    `order` asks and says on the terminal, which it has for itself meanwhile.
    """
    with _signals(dict.fromkeys(("SIGTERM", "SIGHUP"), _end)), Keys() as keys, FullScreen() as screen:
        shown = _Screen(watched, order, keys, screen)
        with _signals({"SIGTSTP": shown.to_stop}):
            return shown.run()


class Ended(KeyboardInterrupt):
    """The process is to end, whatever the operator is being asked."""


class _Screen:
    def __init__(self, watched: Watched, order: Order, keys: Keys, screen: FullScreen) -> None:
        self._watched = watched
        self._order = order
        self._keys = keys
        self._screen = screen
        alone = watched.session is not None
        self._look = Look(Page.COMPUTER if alone else Page.PICTURE, alone=alone)
        self._size = (0, 0)
        self._stale = True
        self._stopped = False

    def run(self) -> bool:
        """Look, draw, read keys, again and again."""
        looked, drawn = -LOOK_SECONDS, None
        while True:
            now, size = time.monotonic(), _size()
            if now - looked >= LOOK_SECONDS:
                self._watched.look()
                looked, self._stale = now, True
            if self._stale or size != self._size:
                view = self._view(time.time(), size[1])
                self._stale, self._size = False, size
                if (view, size) != drawn:
                    drawn = (view, size)
                    self._screen.draw(view, size)
            if self._watched.over:
                return True
            for key in self._keys.read(_KEY_SECONDS):
                self._stale = True
                self._look = pressed(self._look, key, self._ids(), self._lines(size[1]))
                if self._look.ended:
                    return False
                if self._look.order is not None:
                    self._do(self._look.order)
                    looked, drawn = -LOOK_SECONDS, None
            if self._stopped:
                self._stop()
                looked, drawn = -LOOK_SECONDS, None

    def _stop(self) -> None:
        """Let the shell have the terminal, as Ctrl-Z does, until it lets this process go on."""
        self._stopped = False
        with self._screen.away(), self._keys.given_back():
            before = signal.signal(_STOP, signal.SIG_DFL)
            os.kill(os.getpid(), _STOP)
            signal.signal(_STOP, before)

    def to_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        """Remember that the shell wants the terminal."""
        self._stopped = True

    def _do(self, kind: OrderKind) -> None:
        with self._screen.away(), self._keys.given_back():
            self._order(kind, self._chosen())

    # --- what is where one looks -----------------------------------------------------------------------------------

    def _ids(self) -> list[str]:
        look = self._look
        match look.page:
            case Page.TENANTS:
                return [name for name, _ in self._watched.tenants()]
            case Page.COMPUTER | Page.ACTIONS:
                one = self._watched.detail(look.session)
                return [""] * (len(one.actions) if look.page is Page.ACTIONS else len(one.log) + 1)
            case _:
                return self._watched.listed(look.filter)

    def _lines(self, height: int) -> int:
        return max(1, height - _AROUND - 5)

    def _chosen(self) -> Chosen:
        look, watched = self._look, self._watched
        if look.page is Page.PICTURE:
            return Chosen("the run")
        if look.page in (Page.COMPUTER, Page.ACTIONS):
            one = watched.detail(look.session).session
            return Chosen(one.computer, session=one.id)
        ids = self._ids()
        if not ids:
            return Chosen("the run")
        chosen = ids[min(look.at, len(ids) - 1)]
        if look.page is Page.TENANTS:
            return Chosen(f"tenant {chosen}", tenant=chosen)
        return Chosen(watched.rows[chosen].computer, session=chosen)

    def _view(self, now: float, height: int) -> View:
        look, watched = self._look, self._watched
        foot = foot_of(look, self._chosen().name)
        room = height - len(foot)
        if look.page is Page.PICTURE:
            return replace(view_of(watched.seen(now), now, room), foot=foot)
        if look.page in (Page.COMPUTER, Page.ACTIONS):
            one = watched.detail(look.session)
            return replace(detail_of(one, now, room, look.at, whole=look.page is Page.ACTIONS), foot=foot)
        return replace(self._list(now, room), foot=foot)

    def _list(self, now: float, height: int) -> View:
        look, watched = self._look, self._watched
        seen = watched.seen(now)
        heads = heads_of(seen)
        room = max(1, height - len(heads) - _AROUND)
        tenants = dict(watched.tenants()) if look.page is Page.TENANTS else {}
        ids = list(tenants) or watched.listed(look.filter)
        at = min(look.at, max(len(ids) - 1, 0))
        first = max(0, min(at - room // 2, len(ids) - room))
        rows = [
            _marked(tenants[one] if tenants else watched.row(one, now), chosen=number == at)
            for number, one in enumerate(ids[first : first + room], first)
        ]
        which = f"'{look.filter}': " if look.filter else ""
        place = f"{which}{at + 1:,} of {len(ids):,}" if ids else f"{which}none"
        return View(seen.total, sum(seen.ended.values()), (*heads, place), "", tuple(rows))


def _marked(row: Row, *, chosen: bool) -> Row:
    return replace(row, name=f"{'>' if chosen else ' '} {row.name}")


def _size() -> tuple[int, int]:
    """Columns and lines of the terminal as it is now."""
    with contextlib.suppress(OSError, ValueError):
        size = os.get_terminal_size(sys.stdout.fileno())
        if size.columns and size.lines:
            return size.columns, size.lines
    size = shutil.get_terminal_size()
    return size.columns, size.lines


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of handlers
    """End by an exception, so that the terminal is put back before."""
    raise Ended


@contextlib.contextmanager
def _signals(handlers: Mapping[str, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """These handlers of signals meanwhile, of those that there are here and that are not ignored."""
    known = {getattr(signal, name): handler for name, handler in handlers.items() if hasattr(signal, name)}
    before = {
        one: signal.signal(one, handler) for one, handler in known.items() if signal.getsignal(one) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, old)
