"""Telling of one process: what has ended or happened becomes messages, and these are sent. Nothing here raises.

Whatever goes wrong with telling is said in one line and tried again later; runs, sessions and exit codes are none of
its business. In between, a thread of its own tells what cannot wait for the end of a run.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.decide.runs.telling.tellings import RUN_KINDS
from immy_nornir.errors import ImmyError
from immy_nornir.history.tables import tellings as table
from immy_nornir.model.control.telling import ToldState
from immy_nornir.model.inventory import Computer
from immy_nornir.telling.asking import asked
from immy_nornir.telling.collecting import Known, collect
from immy_nornir.telling.sender import Sender, Sent, said_of
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from immy_nornir.decide.runs.run_state import RunState
    from immy_nornir.model.record.run import RunStamped
    from immy_nornir.session.engine import Engine


_TURN_SECONDS = 0.1
_HERE = Computer("localhost")
"""It is there, though no file names it."""


@dataclass(slots=True)
class Teller:
    """Made once for a command that works on runs; `begin` it before there is anything to tell."""

    engine: Engine
    folder: Path
    """Where commands are started, and relative paths of secrets count from."""
    say: Callable[[str], None]
    whole: bool = True
    """Whether the inventory is the fleet's own: who is not in it is gone."""
    _sender: Sender = field(init=False)
    _stop: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _closed: bool = False
    _said: str = ""

    def __post_init__(self) -> None:
        self._sender = Sender(self.engine, self.folder)

    def begin(self) -> None:
        """What ends from now on is told; without channels nothing is, and nothing of it later."""
        engine = self.engine
        with self._guarded():
            if engine.fleet.channels:
                asked(engine.history, lambda connection: table.begin(connection, engine.clock.now()))
            else:
                engine.history.tell_nobody()
            engine.run_listener = self._heard

    def _heard(self, state: RunState, stamped: RunStamped) -> None:  # noqa: ARG002 - a listener's signature
        if isinstance(stamped.entry, RUN_KINDS):
            self.wake()

    def wake(self) -> None:
        """Tell what there is, by and by, in a thread of its own."""
        if not self.engine.fleet.channels or self._closed:
            return
        self._news.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on, name="immy-telling", daemon=True)
            self._thread.start()

    def _go_on(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            if self._closed:
                return
            self.tell()

    def tell(self, stopping: Callable[[], bool] = lambda: False) -> Sent:
        """Make messages of what is new, and send what is due; what became of those that were tried."""
        sent = Sent()
        while not self._turn.acquire(timeout=_TURN_SECONDS):
            if stopping():
                self._stop.set()
        try:
            with self._guarded():
                sent = self._told(stopping)
        finally:
            self._turn.release()
        return sent

    def _told(self, stopping: Callable[[], bool]) -> Sent:
        engine, channels = self.engine, self.engine.fleet.channels
        if not channels:
            return Sent()
        asked(engine.history, lambda connection: table.begin(connection, engine.clock.now()))
        engine.history.flush(table.SECONDS)
        known = [*engine.fleet.inventory.computers.values(), *engine.names.values(), _HERE]
        computers = frozenset((one.tenant, one.name) for one in known)
        collect(
            engine.history,
            Known(channels, computers if self.whole else None),
            engine.clock.now(),
            engine.redactor.clean,
        )
        sent = self._sender.send(self._stop, stopping)
        self._say_failed(sent)
        return sent

    def _say_failed(self, sent: Sent) -> None:
        for channel, failed in said_of(sent).items():
            given_up = sum(one.state is ToldState.GIVEN_UP for one in failed)
            later = f"{counted(given_up, 'message')} given up" if given_up else "it is tried again (immy tell due)"
            self.say(f"telling {channel}: {failed[-1].outcome}; {later}")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except ImmyError as error:
            self._once(f"telling: {error}; it is tried again (immy tell due)")
        except Exception:  # noqa: BLE001 - a fault here is no fault of a run
            self._once(f"telling: a fault of immy; {self.engine.keep_bug()}")

    @property
    def troubled(self) -> bool:
        """Whether telling itself could not be done, which was said."""
        return bool(self._said)

    def _once(self, text: str) -> None:
        text = self.engine.redactor.clean(text)
        if text != self._said:
            self._said = text
            self.say(text)

    def close(self) -> None:
        """No thread of it is at work any more; what it was sending is ended, and waits."""
        self._closed = True
        self._stop.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def finish(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """The end of a command: tell what there is, once, and close."""
        self._closed = True  # the thread ends with its turn
        self._news.set()
        try:
            self.tell(stopping)
        except KeyboardInterrupt:
            self.say("telling was stopped; what waits is told later (immy tell due)")
        self.close()
