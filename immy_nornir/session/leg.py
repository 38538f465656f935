"""One session's way to its computer in this process: the connection, and what was heard on it.

A leg is no part of the record: a session that another process takes up begins with a new one. Operations read through
it (session.operations, session.effects); it decides nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from immy_nornir.decide.detect.identity import identity_mismatch
from immy_nornir.decide.steps.moment import NO_CONTACT, Contact
from immy_nornir.errors import BusyError, ImmyError
from immy_nornir.model.record.entries import Entry, Refused
from immy_nornir.model.wire import Lease
from immy_nornir.session.hearing.heard import Heard
from immy_nornir.session.limits.claim import Claim

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.model.facts import Facts, Identity
    from immy_nornir.model.inventory import Computer
    from immy_nornir.model.protocols import Address, Connection
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.model.wire import Answer, JobStatus, ReadOperation
    from immy_nornir.session.engine import Engine


T = TypeVar("T")
LEASE_SECONDS = 900.0
"""How long a lease holds without news of its session."""


@dataclass(slots=True)
class Leg:
    """Used by one thread at a time; holds a socket only between `connected` and `close`."""

    engine: Engine
    spec: SessionSpec
    contact: Contact = NO_CONTACT
    identity: Identity | None = None
    """What the computer said of itself when this connection began, where that was not worth an entry."""
    address: Address | None = None
    connection: Connection | None = None
    ahead: dict[str, tuple[ReadOperation, Answer]] = field(default_factory=dict)
    """What was read before it was its turn, by operation; valid until the connection is closed."""
    found: tuple[str, int, JobStatus] | None = None
    """A job's id, the offset that was asked for, and what came with the computer's name when it was met again."""
    epoch: int = 0
    """That of the session's owner, which is this process."""
    ended: str = ""
    """A session of this history that has ended, and had not let its lease go."""
    claim: Claim = field(init=False)
    """What it has of the limits."""
    facts: Facts | None = None
    """What the history knew of the computer when this connection began."""

    def __post_init__(self) -> None:
        self.claim = Claim(self.engine, self.spec)

    @property
    def described(self) -> Computer:
        """The computer, with the variables of the play and the command line over those of the inventory."""
        computer, given = self.engine.computer(self.spec.computer), self.spec.vars
        if not given:
            return computer
        origins = {name: place for name, place in computer.origins.items() if name not in given}
        return replace(computer, variables={**computer.variables, **given}, origins=origins)

    def connected(self) -> Connection:
        """The open connection, opened now if there is none.

        Raises: TransportError, SecretError, UsageError.
        """
        if self.connection is None:
            if self.address is None:
                self.address = self.engine.address_of(self.described)
            if isinstance(self.address.password, str):
                self.engine.redactor.add(self.address.password)
            self.connection = Heard(self.engine.connect(self.address), self.engine.redactor)
            self.connection.carry(self.lease())
        return self.connection

    def lease(self, seconds: float = LEASE_SECONDS) -> Lease:
        """The session's lease of its computer."""
        history = self.engine.history
        holder = f"session {self.spec.id} of {history.owner}"
        return Lease(history.id, self.spec.id, self.epoch, holder, seconds, self.ended)

    def act(self, effect: Callable[[Connection], T], seconds: float = LEASE_SECONDS) -> T:
        """Do something that takes the lease, once more where it is held by a session of ours that has ended.

        Its process may have died before it could let it go. Raises: BusyError, any TransportError, SecretError.
        """
        connection = self.connected()
        connection.carry(self.lease(seconds))
        try:
            return effect(connection)
        except BusyError as error:
            if error.session in ("", self.ended) or not self.engine.history.has_ended(error.session):
                raise
            self.ended = error.session
        connection.carry(self.lease(seconds))
        return effect(connection)

    def release(self) -> None:
        """Let the lease go; where the computer does not answer it ends by itself."""
        with contextlib.suppress(ImmyError):
            self.connected().release()

    def stored(self) -> Facts:
        """The facts that the history has of the computer, as they were when this connection began."""
        if self.facts is None:
            with self.engine.history.read() as reader:
                self.facts = reader.facts(self.spec.computer)
        return self.facts

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
        """Free the connection and what came over it; may be repeated."""
        connection, self.connection = self.connection, None
        self.ahead, self.facts, self.found, self.identity = {}, None, None, None
        self.contact = self.contact.closed()
        if connection is not None:
            connection.close()


def refuse_stranger(state: State, leg: Leg, identity: Identity) -> list[Entry]:
    """The end of a session whose computer is another one than is meant; nothing when it is the one."""
    wrong = identity_mismatch(state.spec.pinned_identity, identity, state.identity)
    if not wrong:
        return []
    leg.close()
    return [Refused("identity", wrong)]
