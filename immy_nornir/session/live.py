"""One session in this process: its folded state, its connection, and the loop over `next_step`.

The loop writes what is about to happen, does it, and writes what came of it; it decides nothing. `advance` never
raises an expected error: whatever goes wrong becomes an entry.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from immy_nornir.decide.steps.next_step import Do, Finish, Note, Perform, Wait, next_step
from immy_nornir.decide.steps.state import State, fold
from immy_nornir.errors import HistoryError, ImmyError
from immy_nornir.history.projection import stage_of
from immy_nornir.history.store import Busy
from immy_nornir.model.facts import Facts
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import Entry, Finished, Interrupted, Noted, Resumed, StageFailed, Stamped, Waiting
from immy_nornir.model.record.session import Status
from immy_nornir.session import operations
from immy_nornir.session.action_lines import Told, told

if TYPE_CHECKING:
    from immy_nornir.model.inventory import Computer
    from immy_nornir.model.protocols import Address, Connection
    from immy_nornir.model.wire import Answer, JobStatus, ReadOperation
    from immy_nornir.session.engine import Engine

_CRASHES = 3
"""How many operations of one session may raise something unexpected before it ends as failed."""


@dataclass(frozen=True, slots=True)
class Parked:
    """The session waits and holds nothing; look again at `until`, or sooner when the computer answers at `address`."""

    wait: Wait
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The session has ended, in this process at least."""

    status: Status
    message: str


@dataclass(slots=True)
class LiveSession:
    """A session that this process may advance; used by one thread at a time."""

    engine: Engine
    state: State
    connection: Connection | None = None
    address: Address | None = None
    ahead: dict[str, tuple[ReadOperation, Answer]] = field(default_factory=dict)
    """What was read on this leg before it was its turn, by operation; valid until the connection is closed."""
    found: tuple[str, int, JobStatus] | None = None
    """A job's id, the offset that was asked for, and what came with the computer's name when this leg began."""
    known: Facts | None = None
    """What the history knew of the computer when this leg began."""
    crashes: int = 0
    begun: bool = False
    refused: Settled | None = None
    """Why this process may not advance it: another is at work, or it has ended."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while an entry is written: `abandon` comes from another thread."""
    abandoned: bool = False
    waited: tuple[int, Waiting] | None = None
    """The last wait and how many entries there were: the same wait again is not worth another entry."""
    before: LiveSession | None = None
    """An older session of the computer that has to be settled first."""
    reboots_planned: int = 0
    """How many reboots the plan of a session that has ended held."""
    left: tuple[Told, ...] | None = None
    """What is left of the actions of a session that has ended."""

    @property
    def id(self) -> str:
        """The session's id."""
        return self.state.spec.id

    @property
    def computer(self) -> str:
        """The computer's name."""
        return self.state.spec.computer

    @property
    def told(self) -> tuple[Told, ...]:
        """What became of each action so far."""
        return told(self.state) if self.left is None else self.left

    # --- the record ---

    def append(self, entry: Entry, *, durable: bool = False) -> None:
        """Fold and store one entry, and tell the listener."""
        with self.lock:
            if self.abandoned:
                raise HistoryError("this process has left the session")
            stamped = Stamped(self.state.entries + 1, self.engine.clock.now(), entry)
            state = fold(self.state, stamped)
            self.engine.history.append(state, stamped, durable=durable)
            self.state = state
        with contextlib.suppress(Exception):  # a terminal that went away must not cost the session
            self.engine.listener(state, stamped)

    # --- the loop ---

    def advance(self, *, woken: bool = False) -> Parked | Settled:
        """Go on until the session waits or ends; `woken` when the computer was just seen to answer."""
        try:
            return self._after_before(woken=woken) or self._advance(woken=woken)
        except HistoryError as error:
            return self._leave(f"history: {error.message}")
        except Exception as error:  # noqa: BLE001 - a bug of ours must end as an outcome of this computer alone
            return self._crashed(error)

    def _after_before(self, *, woken: bool) -> Parked | Settled | None:
        """Settle what has to come first; None when this session may begin."""
        if self.before is None:
            return None
        before = self.before
        match before.advance(woken=woken):
            case Parked(wait) as parked:
                if wait.deferred and self.state.waiting is None and self.state.finished is None:
                    about = f"session {before.id}, which comes first: {wait.about}"
                    self.append(Waiting(wait.kind, wait.until, about, deferred=True))
                return parked
            case Settled(Status.INTERRUPTED, message) if before.refused is None:
                text = f"before it began; session {before.id} comes first: {message}"
                self.append(Interrupted(text))
                return Settled(Status.INTERRUPTED, text)
            case Settled():
                self.before = None
        return None

    def _crashed(self, error: Exception) -> Settled:
        self.close()
        text = f"crashed: {type(error).__name__}: {self.engine.redactor.clean(str(error))}"
        with contextlib.suppress(HistoryError):
            self.append(Finished(Status.FAILED, text))
        return Settled(Status.FAILED, text)

    def _advance(self, *, woken: bool) -> Parked | Settled:
        refused = self.begin()
        if refused is not None:
            return refused
        if self.state.waiting is not None:
            self.waited = (self.state.entries, self.state.waiting)
        self.state = replace(self.state, waiting=None, checked_at=0.0 if woken else self.state.checked_at)
        while True:
            step = next_step(self.state, self.engine.clock.now())
            if self.engine.stop.level and not isinstance(step, Finish):
                return self._interrupt(step)
            match step:
                case Finish(status, message):
                    if self.state.finished is None:
                        self.append(Finished(status, message))
                    self.close()
                    self._forget()
                    return Settled(status, message)
                case Wait() as wait:
                    return self._park(wait)
                case Note(durable=True) | Perform(Do.ASK_REBOOT | Do.START_JOB) if why := self.engine.frozen():
                    settled = self._interrupt(step, f"{why}; stopped")
                    # Others may look at the computer meanwhile, a later play of this run among them.
                    self.engine.history.release([self.computer])
                    return settled
                case Note(entry, durable):
                    self.append(entry, durable=durable)
                case Perform(do, action_id):
                    self._perform(do, action_id)

    def begin(self) -> Settled | None:
        """Own the session's computer from now on; the end where somebody else does, or the session has ended.

        Only a session that nobody has begun is written to when the computer is taken: another may be at work on it.
        """
        if not self.begun:
            self.begun = True
            self.refused = self._claim()
        return self.refused

    def _claim(self) -> Settled | None:
        if self.state.finished is not None:
            return Settled(self.state.finished.status, self.state.finished.message)
        claimed = self.engine.history.claim(self.computer, self.id)
        if isinstance(claimed, Busy):
            message = f"session {claimed.session_id} is at work on this computer ({claimed.owner})"
            if self.state.entries:
                return self._leave(message)
            self.append(Finished(Status.MISSED, message))
            return Settled(Status.MISSED, message)
        if self.state.entries:
            finished = self._catch_up()
            if finished is not None:
                self.engine.history.release([self.computer])
                return Settled(finished.status, finished.message)
        self.append(Resumed(self.engine.history.owner, claimed))
        return None

    def _forget(self) -> None:
        """Keep of an ended session what summaries say of it: a run holds all its sessions, the history the rest."""
        self.left = self.told
        self.reboots_planned = 0 if self.state.plan is None else self.state.plan.reboots
        verified = None if self.state.verified is None else replace(self.state.verified, findings=())
        self.state = replace(
            self.state, definitions={}, desires=(), facts=Facts(), findings={}, verified=verified, plan=None, actions={}
        )

    def _catch_up(self) -> Finished | None:
        """Take in what another process wrote between our reading of the record and our owning it."""
        newest = self.engine.history.state_of(self.id)
        if newest is not None and newest.entries > self.state.entries:
            self.state = newest
        return self.state.finished

    def _leave(self, message: str) -> Settled:
        """Stop here without a word in the record, which another writes or which cannot be written."""
        self.close()
        self.state = replace(self.state, interrupted=Interrupted(message))
        return Settled(Status.INTERRUPTED, message)

    def abandon(self) -> None:
        """Leave a session that another thread may still be in: that thread writes no further entry."""
        if self.before is not None:
            self.before.abandon()
        state = self.state
        deferred = state.waiting is not None and state.waiting.deferred
        if state.finished is None and state.interrupted is None and not deferred:
            with contextlib.suppress(HistoryError):
                self.append(Interrupted("stopped by the operator" + self._left_open(None)))
        with self.lock:
            self.abandoned = True

    def _interrupt(self, step: object, why: str = "stopped by the operator") -> Settled:
        self.close()
        message = why + self._left_open(step)
        self.append(Interrupted(message))
        return Settled(Status.INTERRUPTED, message)

    def _left_open(self, step: object) -> str:
        """What a stop leaves open; `step` would have been the next, where that is known."""
        state = self.state
        action = state.actions.get(state.current)
        if action is not None and action.seen and not action.over:
            left = f"; the job of {state.current} goes on on the computer"
        elif action is not None and not action.over:
            left = f"; whether the job of {state.current} was begun is not known yet"
        elif action is not None:
            left = f" before the result of {state.current} was looked at"
        elif isinstance(step, Wait):
            left = f" while waiting for {step.about}"
        elif state.waiting is not None:
            left = f" while waiting for {state.waiting.about}"
        elif self.waited is not None and self.waited[0] == state.entries:
            left = f" while waiting for {self.waited[1].about}"
        elif state.entries <= 1:
            left = " before it began"
        else:
            left = " between two steps"
        return left

    def _park(self, wait: Wait) -> Parked:
        self.close()
        known = self.state.waiting
        if known is None and self.waited is not None and self.waited[0] == self.state.entries:
            known = self.waited[1]
        if known is None or (known.kind, known.about, known.deferred) != (wait.kind, wait.about, wait.deferred):
            self.append(Waiting(wait.kind, wait.until, wait.about, wait.deferred))
        else:
            self.state = replace(self.state, waiting=known)
        return Parked(wait, self.address)

    def _perform(self, do: Do, action_id: str) -> None:
        before = self.state.entries
        try:
            for entry in operations.perform(self, do, action_id):
                self.append(entry)
        except HistoryError:
            raise
        except ImmyError as error:
            for entry in operations.failed(self, do, action_id, error):
                self.append(entry)
        except Exception as error:  # noqa: BLE001 - a bug of ours must end as an outcome of this computer alone
            self.crashes += 1
            self.close()
            text = self.engine.redactor.clean(f"{type(error).__name__}: {error}")
            if self.crashes >= _CRASHES or do in (Do.RESOLVE, Do.MAKE_PLAN):
                self.append(StageFailed(Stage(stage_of(self.state)), f"crashed in {do}: {text}"))
            else:
                self.append(Noted(f"crashed in {do}: {text}"))
        if self.state.entries == before and do in (Do.POLL_JOB, Do.CHECK_BOOT):
            stumbles = 0 if do is Do.POLL_JOB else self.state.stumbles
            self.state = replace(self.state, checked_at=self.engine.clock.now(), stumbles=stumbles)

    # --- the connection ---

    def connected(self) -> Connection:
        """The open connection of this leg, opened now if there is none.

        Raises: TransportError, SecretError, UsageError.
        """
        if self.connection is None:
            if self.address is None:
                self.address = self.engine.address_of(self.described)
            self.connection = self.engine.connect(self.address)
        return self.connection

    @property
    def described(self) -> Computer:
        """The computer, with the variables of the play and the command line over those of the inventory."""
        computer, given = self.engine.computer(self.computer), self.state.spec.vars
        if not given:
            return computer
        origins = {name: place for name, place in computer.origins.items() if name not in given}
        return replace(computer, variables={**computer.variables, **given}, origins=origins)

    def stored(self) -> Facts:
        """The facts that the history has of the computer, as they were when this leg began."""
        if self.known is None:
            with self.engine.history.read() as reader:
                self.known = reader.facts(self.computer)
        return self.known

    def read(self, operations: Sequence[ReadOperation], more: Sequence[ReadOperation] = ()) -> dict[str, Answer]:
        """One answer for each operation, from what was read ahead where it is there; if it must be asked, so is `more`.

        Raises: TransportError, SecretError, UsageError.
        """
        known = {one.id: found[1] for one in operations if (found := self.ahead.get(one.id)) and found[0] == one}
        missing = [one for one in operations if one.id not in known]
        if missing:
            names = {one.id for one in missing}
            extra = [one for one in more if one.id not in names]
            said = self.connected().read([*missing, *extra])
            known |= {name: said[name] for name in names}
            self.ahead |= {one.id: (one, said[one.id]) for one in (*missing, *extra)}
        return {one.id: known[one.id] for one in operations}

    def close(self) -> None:
        """Free the connection; the state knows that the next thing needs a new one."""
        connection, self.connection = self.connection, None
        self.ahead, self.known, self.found = {}, None, None
        if connection is not None:
            connection.close()
        self.state = replace(self.state, connected=False) if self.state.connected else self.state
