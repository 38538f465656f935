"""What all sessions of one process share: the fleet, the history, the clock, the way to connect, the stop flag."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from immy_nornir.decide.holds import unending
from immy_nornir.decide.limits import NOTHING, Member, Needs, needs_of
from immy_nornir.decide.resolve import host_variables
from immy_nornir.decide.resolve.desires import SharedDesires
from immy_nornir.decide.resolve.winning_deployments import Targets
from immy_nornir.decide.runs.run_state import RunState
from immy_nornir.decide.steps.moment import Approver
from immy_nornir.decide.steps.state import State, reported_zone
from immy_nornir.errors import ImmyError
from immy_nornir.history import codec
from immy_nornir.history.own_files import keep_bug
from immy_nornir.history.store import History
from immy_nornir.model.control.holds import Hold
from immy_nornir.model.control.limits import NO_LIMITS
from immy_nornir.model.inventory import Computer
from immy_nornir.model.items import Item, Software, Task
from immy_nornir.model.playbooks import Fleet, Play
from immy_nornir.model.protocols import Address, Clock, Connect, Secrets
from immy_nornir.model.record.entries import Stamped
from immy_nornir.model.record.run import RunSpec, RunStamped
from immy_nornir.model.record.session import SessionSpec
from immy_nornir.model.values import Value, texts_of
from immy_nornir.session.limits.limiter import Limiter
from immy_nornir.session.reins.holds import Holds
from immy_nornir.session.reins.orders import Orders
from immy_nornir.session.reins.settling import Settling
from immy_nornir.text.redaction.redact import Redactor

LOOK_SECONDS = 5.0
"""How often the files of the fleet are looked at while sessions are under way."""


class SystemClock:
    """The real time."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(slots=True)
class StopFlag:
    """How far the operator wants to stop: 0 not, 1 no new action, 2 connections closed."""

    level: int = 0
    changed: threading.Event = field(default_factory=threading.Event)

    def raise_to(self, level: int) -> None:
        """Stop at least this far."""
        self.level = max(self.level, level)
        self.changed.set()


class Listener(Protocol):
    """Told of every entry, after it was stored or queued; must be quick and must not raise."""

    def __call__(self, state: State, stamped: Stamped) -> None:
        """One entry of one session, with the state after it; called from worker threads."""
        ...


def nobody(state: State, stamped: Stamped) -> None:
    """A listener that listens to nothing."""


RunListener = Callable[[RunState, RunStamped], None]
"""Told of every entry of a run's record, after it was stored; must be quick and must not raise."""


@dataclass(slots=True)
class Engine:
    """The sessions' surroundings; made once for a command."""

    fleet: Fleet
    history: History
    clock: Clock
    secrets: Secrets
    redactor: Redactor
    connect: Connect
    address_of: Callable[[Computer], Address]
    targets: Targets
    stop: StopFlag = field(default_factory=StopFlag)
    listener: Listener = nobody
    run_listener: RunListener = lambda _state, _stamped: None
    names: Mapping[str, Computer] = field(default_factory=dict)
    """Computers that the inventory has not, such as the implicit localhost."""
    shared: SharedDesires = field(default_factory=SharedDesires)
    learned: dict[int, tuple[object, bool]] = field(default_factory=dict)
    """Deployments and definitions whose secrets are known, by identity, and whether any of them is weak."""
    definitions: dict[str, Item] = field(default_factory=dict)
    """Definitions of items by content hash, of all sessions: it only grows, and what a hash means never changes."""
    frozen: Callable[[str], str] = lambda _computer: ""
    """Why nothing may be changed on a computer at this moment, with no end said; empty when it may. Asked before each
    effect."""
    holds: Holds = field(default_factory=Holds)
    """What else keeps computers as they are."""
    play_of: Callable[[RunSpec, str], Play | None] = lambda _run, _name: None
    """A play of a run as the files have it now; None where the run had no playbook. Raises ImmyError: it is gone."""
    reload: Callable[[], tuple[Fleet, Targets] | None] = lambda: None
    """The fleet as its files are now, where they have changed since they were read. Raises ImmyError: no fleet."""
    files: int = 0
    """How often the files were read again."""
    patience: float = 0.0
    """How many seconds a session waits for another one of this process on its computer."""
    approver: Approver = Approver.NOT_NEEDED
    """Who approves what sessions plan anew because the files say otherwise than when they began."""
    orders: Orders = field(default_factory=Orders)
    """What other shells order of the sessions of this process."""
    settling: Settling = field(default_factory=Settling)
    """Which of them settle what was left on their computers."""
    unreadable: str = ""
    """Why the files could not be read again; nothing is begun by older ones."""
    limiter: Limiter = field(init=False)
    """Who has the slots of the fleet's limits."""
    _holding: dict[str, bool] = field(default_factory=dict)
    """Whether a definition holds a secret in clear, by its hash."""
    _reload_lock: threading.Lock = field(default_factory=threading.Lock)
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        self.limiter = Limiter(self.history, self.clock)

    def holds_secret(self, value: Value | Item) -> bool:
        """Whether a value or a definition holds a secret in clear that is known, and no weak one."""
        if isinstance(value, Software | Task):
            digest = codec.fingerprint(value)
            known = self._holding.get(digest)
            if known is None:
                known = self._holding[digest] = any(self._holds(one) for one in _executed(codec.dump(value, Item)))
            return known
        return any(self._holds(one) for one in texts_of(value))

    def _holds(self, text: str) -> bool:
        return self.redactor.clean(text, weak=False) != text

    def keep_bug(self) -> str:
        """Keep the details of a fault of ours that is being handled; where they are, or that they are nowhere."""
        return keep_bug(self.history.folder, self.redactor.clean)

    def look_at_files(self) -> None:
        """Read the fleet again where its files have changed; looked for once in a few seconds."""
        now = self.clock.monotonic()
        if now - self._looked_at < LOOK_SECONDS or not self._reload_lock.acquire(blocking=False):
            return
        try:
            self._looked_at = now
            found = self.reload()
            if found is not None:
                self.fleet, self.targets = found
                self.shared, self.learned = SharedDesires(), {}  # of the older ones, which would stay for ever
                self.files += 1
            self.unreadable = ""
        except ImmyError as error:
            self.unreadable = f"the files have changed and cannot be read: {error.message}"
        finally:
            self._reload_lock.release()

    @contextlib.contextmanager
    def files_held(self) -> Iterator[None]:
        """Nobody reads the fleet's files meanwhile; the next look finds them changed."""
        with self._reload_lock:
            yield
            self._looked_at = 0.0

    def holds_of(self, spec: SessionSpec, reported: object) -> tuple[Hold, ...]:
        """What keeps a session's computer as it is, now or later; `reported` is the zone that it says it stands in."""
        known = self.fleet.inventory.computers.get(spec.computer) or self.names.get(spec.computer)
        return self.holds.of(self.fleet, self.history, self.clock, spec, known, reported)

    def held(self, state: State, unread: str) -> tuple[str, tuple[Hold, ...]]:
        """Why a session may change nothing, with nobody having said an end, and what else holds its computer.

        Nothing holds one that only looks. `unread` says that its files could not be read.
        """
        spec = state.spec
        if not spec.type.executes or spec.check:
            return "", ()
        frozen, holds = unending(self.holds_of(spec, reported_zone(state)), spec.computer)
        return self.frozen(spec.computer) or self.unreadable or unread or frozen, holds

    def keep_definitions(self, definitions: Mapping[str, Item]) -> None:
        """Make definitions known to every session of this process, and to the history."""
        self.definitions.update(definitions)
        self.history.keep_definitions(definitions)

    def needs_of(self, spec: SessionSpec) -> Needs:
        """What a session needs by the limits as they were read last; a site that cannot be read is none."""
        limits = self.fleet.limits
        if limits == NO_LIMITS:
            return NOTHING
        try:
            computer = self.computer(spec.computer)
        except KeyError:  # gone from the inventory; what is under way there is settled
            return needs_of(limits, Member(spec.computer, spec.tenant))
        try:
            site = host_variables.own({**computer.variables, **spec.vars}, "immy_site")
        except ImmyError:
            site = None
        return needs_of(limits, Member(computer.name, computer.tenant, str(site or ""), computer.groups))

    def stored(self, session_id: str) -> State | None:
        """A stored session, folded, with its definitions among ours; None when there is none, or it is damaged."""
        state = self.history.state_of(session_id)
        if state is None:
            return None
        self.definitions.update(state.definitions)
        return replace(state, definitions=self.definitions)

    def computer(self, name: str) -> Computer:
        """A computer of the fleet by name; raises KeyError."""
        found = self.fleet.inventory.computers.get(name)
        return found if found is not None else self.names[name]


_EXECUTED = frozenset({"text", "content", "arguments", "url", "value"})
"""Where the bytes of definitions stand that are executed or written: scripts, files, arguments, registry values."""


def _executed(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        for name, child in data.items():
            if name in _EXECUTED:
                yield from texts_of(child)
            elif name != "parameters":  # those are looked at by their values
                yield from _executed(child)
    elif isinstance(data, list):
        for child in data:
            yield from _executed(child)
