"""The messages that wait -> their channels, each channel in a thread of its own; what became of each is stored.

At least once: the outcome is stored after the channel took the message, so whoever is killed between the two leaves it
waiting, and it is sent again with the same id. Two processes never send one message at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.decide.runs.telling.sending import MOST_TRIES, RETRIES, STRIKES, due_of, next_try, quiet_until
from immy_nornir.errors import ImmyError
from immy_nornir.history.tables import tellings as table
from immy_nornir.model.control.telling import Channel, Telling, ToldState
from immy_nornir.telling.asking import asked
from immy_nornir.telling.channels import tell

if TYPE_CHECKING:
    from immy_nornir.session.engine import Engine

_TURN_SECONDS = 0.1
_GONE = "the fleet has no such channel any more"


@dataclass(slots=True)
class Sent:
    """What became of the messages of one turn."""

    told: list[Telling] = field(default_factory=list)
    failed: list[Telling] = field(default_factory=list)
    """Those that are tried again, and those that are given up."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sender:
    """Sends for one process; used by one thread at a time."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self._rests: dict[str, float] = {}
        """Until when, by the clock that never jumps, a channel that failed is left alone by this process."""

    def send(self, stop: threading.Event, stopping: Callable[[], bool] = lambda: False) -> Sent:
        """Send what is due. When `stop` is set, or `stopping` says so, what is left waits. Raises: HistoryError."""
        engine, sent = self._engine, Sent()
        by_channel: dict[str, list[Telling]] = {}
        for one in asked(engine.history, table.waiting):
            by_channel.setdefault(one.message.channel, []).append(one)
        channels = {one.name: one for one in engine.fleet.channels}
        self._drop([one for name, its in by_channel.items() if name not in channels for one in its], sent)
        wanted = {name: its for name, its in by_channel.items() if name in channels and not self._is_resting(name)}
        threads = [
            threading.Thread(
                target=self._send_all, args=(channels[name], its, sent, stop), name=f"immy-tell-{name}", daemon=True
            )
            for name, its in wanted.items()
        ]
        _wait(threads, stop, stopping)
        return sent

    def send_one(self, channel: Channel, one: Telling) -> Telling:
        """Send a message once, whatever the hour."""
        history = self._engine.history
        asked(history, lambda connection: table.claim(connection, one, history.owner, history.is_alive))
        after = self._tried(channel, one, threading.Event())
        after = replace(after, state=ToldState.GIVEN_UP) if after.state is ToldState.WAITING else after
        asked(history, lambda connection: table.settle(connection, after))
        return after

    def _is_resting(self, name: str) -> bool:
        return self._engine.clock.monotonic() < self._rests.get(name, 0.0)

    def _drop(self, gone: Sequence[Telling], sent: Sent) -> None:
        for one in gone:
            after = replace(one, state=ToldState.GIVEN_UP, outcome=_GONE)
            self._settle(after)
            sent.failed.append(after)

    def _send_all(self, channel: Channel, waiting: Sequence[Telling], sent: Sent, stop: threading.Event) -> None:
        """What is due of one channel; a channel that keeps failing, or hangs, is left for the next turn."""
        try:
            self._send_due(channel, waiting, sent, stop)
        except ImmyError:
            return  # the history cannot be written: what was sent is sent again, with the same id

    def _send_due(self, channel: Channel, waiting: Sequence[Telling], sent: Sent, stop: threading.Event) -> None:
        engine, history = self._engine, self._engine.history
        quiet = quiet_until(channel, engine.clock.now())
        blocked: set[str] = set()
        failures = 0
        for one in [*due_of(waiting, engine.clock.now())]:
            if stop.is_set() or failures >= STRIKES:
                break
            if one.message.lane and blocked & {one.message.lane, "*"}:
                continue
            if quiet:
                self._settle(replace(one, next_at=quiet, outcome="waits for the end of the quiet hours"))
                continue
            if not asked(history, lambda it: table.claim(it, one, history.owner, history.is_alive)):  # noqa: B023 - at once
                continue
            after = self._tried(channel, one, stop)
            self._settle(after)
            with sent.lock:
                if after.state is ToldState.TOLD:
                    sent.told.append(after)
                elif after.tries > one.tries:
                    sent.failed.append(after)
            if after.state is ToldState.WAITING:
                blocked.add(one.message.lane)
                failures += STRIKES if self._is_resting(channel.name) else 1
        if failures >= STRIKES:
            self._rests[channel.name] = engine.clock.monotonic() + RETRIES[0]

    def _tried(self, channel: Channel, one: Telling, stop: threading.Event) -> Telling:
        """One try: how the message stands after it."""
        engine = self._engine
        try:
            outcome = tell(channel, one.message, engine.secrets, self._folder, stop)
        except Exception as error:  # noqa: BLE001 - whatever a channel does, the others and the runs go on
            text = engine.redactor.clean(f"{type(error).__name__}: {error}")
            return self._failed(one, f"a fault of immy: {text}")
        if outcome.told:
            now = engine.clock.now()
            return replace(one, state=ToldState.TOLD, tries=one.tries + 1, told_at=now, outcome="")
        if outcome.stopped:
            return replace(one, outcome="it was stopped while it was sent")
        if outcome.slow:
            self._rests[channel.name] = engine.clock.monotonic() + RETRIES[0]
        return self._failed(one, engine.redactor.clean(outcome.said))

    def _failed(self, one: Telling, said: str) -> Telling:
        tries = one.tries + 1
        again = next_try(tries, self._engine.clock.now())
        if again is None:
            return replace(one, state=ToldState.GIVEN_UP, tries=tries, outcome=f"{said} (tried {MOST_TRIES} times)")
        return replace(one, tries=tries, next_at=again, outcome=said)

    def _settle(self, after: Telling) -> None:
        asked(self._engine.history, lambda connection: table.settle(connection, after))


def _wait(threads: Sequence[threading.Thread], stop: threading.Event, stopping: Callable[[], bool]) -> None:
    """Wait for their end; who interrupts it, stops them."""
    for one in threads:
        one.start()
    try:
        for one in threads:
            while one.is_alive():
                one.join(_TURN_SECONDS)
                if stopping():
                    stop.set()
    except KeyboardInterrupt:
        stop.set()
    for one in threads:
        one.join(5.0)


def said_of(sent: Sent) -> Mapping[str, Sequence[Telling]]:
    """What failed, by channel."""
    found: dict[str, list[Telling]] = {}
    for one in sent.failed:
        found.setdefault(one.message.channel, []).append(one)
    return found
