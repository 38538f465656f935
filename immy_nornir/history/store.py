"""The history of one state folder, open for writing by this process; anybody may read it at the same time.

Opening migrates, imports a journal left by a full disk, and marks sessions of dead processes as interrupted. Reading is
in `queries`. One session at a time owns a computer, with an epoch that rises at every take-over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import secrets
import socket
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from immy_nornir.decide.agenda import Watch
from immy_nornir.decide.runs.run_state import RunState, fold_run_all
from immy_nornir.decide.steps.state import State
from immy_nornir.errors import HistoryError
from immy_nornir.history import (
    agenda_rows,
    codec,
    locks,
    opening,
    own_files,
    projection,
    queries,
    records,
    schema,
    troubles,
)
from immy_nornir.history.agenda_rows import Written
from immy_nornir.history.leftovers import BLOB, Leftovers
from immy_nornir.history.tables import occasions, orders, tellings
from immy_nornir.history.writer import HURRY_SECONDS, PATIENCE_SECONDS, Writer, blob_line, journal_line, run_line
from immy_nornir.model.control.holds import Freeze
from immy_nornir.model.control.orders import Order, OrderState
from immy_nornir.model.control.schedules import KnownOccasion, Occasion, OccasionState
from immy_nornir.model.items import Item
from immy_nornir.model.protocols import Clock
from immy_nornir.model.record.entries import Stamped
from immy_nornir.model.record.run import RunSpec, RunStamped
from immy_nornir.model.record.session import SessionSpec

FILE = queries.FILE
T = TypeVar("T")
_GUARD = (
    "SELECT 1 FROM active WHERE computer=? AND session_id=? AND owner=? "
    "AND NOT EXISTS (SELECT 1 FROM entries WHERE session_id=? AND seq=?)"
)
"""The computer is the session's and ours, and nobody else has written an entry at this place of the record."""
_AGAIN = "UPDATE onboarded SET again_at=?, again_by=?, again_why=? WHERE computer=? AND again_at IS NULL"
_NETWORK = ("nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "webdav")


@dataclass(frozen=True, slots=True)
class Claimed:
    """The computer is this process's."""

    epoch: int
    entries: int
    """How many entries the session's record has."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another living process works on the computer."""

    session_id: str
    owner: str


def new_id(now: float) -> str:
    """An id that sorts by time: 7 characters of seconds, 5 of chance, for many may begin in one second."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    seconds = int(now)
    text = ""
    for _ in range(7):
        seconds, digit = divmod(seconds, 32)
        text = alphabet[digit] + text
    return text + "".join(secrets.choice(alphabet) for _ in range(5))


class History:
    """Write access to the history; close it. Every method may be called from any thread."""

    def __init__(self, folder: Path, clock: Clock, clean: Callable[[str], str] = lambda text: text) -> None:
        """`clean` takes secrets out of every text before it is stored."""
        self.folder = folder
        self._clean = clean
        self.path = folder / FILE
        self._clock = clock
        self._prepare()
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{new_id(clock.now())}"
        self._lock = locks.OwnerLock(self.owners, self.owner)
        self._kept: set[str] = set()
        """Hashes of definitions that this process has stored."""
        self._idle: list[queries.Reader] = []
        """Reading connections that nobody uses now; appending and popping need no lock."""
        self._closed = False
        self._writer = Writer(self.path, folder / f"journal-{self.owner}.jsonl")
        self._leftovers = Leftovers(self._writer, folder, self.owners, self.owner, clock, clean)
        try:
            self._leftovers.take_in()
        except BaseException:
            self.close()
            raise
        self._writer.be_patient()

    def ask(self, question: Callable[[sqlite3.Connection], T], patience: float = PATIENCE_SECONDS) -> T:
        """What a function of a table's module (history.tables) answers, in a transaction of its own.

        Raises: HistoryError where another program holds the file for so many seconds.
        """
        return self._writer.call(question, patience)

    def tell_nobody(self) -> None:
        """What happens until somebody is told again is never told."""
        self._writer.put([tellings.END])

    def is_alive(self, owner: str) -> bool:
        """Whether the process that owns something by this name still runs."""
        return locks.is_alive(self.owners, owner)

    @property
    def owners(self) -> Path:
        """The folder of the owners' lock files."""
        return self.folder / "owners"

    def _prepare(self) -> None:
        """Make the folder and the file, and bring its schema up; a folder that is there keeps its rights."""
        try:
            own_files.make_folder(self.folder)
            kind = opening.file_system(self.folder)
            if kind in _NETWORK:
                raise HistoryError(
                    f"{self.folder} is on a network file system ({kind}), where SQLite's locks do not hold",
                    "give a local folder with --state",
                )
            # Two processes that make the database at the same time would take the other's tables for strange ones.
            with locks.alone(self.folder / "opening.lock"):
                for end in ("-wal", "-shm", "-journal"):
                    own_files.refuse_link(self.path.with_name(FILE + end))
                os.close(own_files.open_own(self.path, os.O_RDWR))  # SQLite gives the files beside it the same rights
                connection = sqlite3.connect(self.path, timeout=opening.WAIT_SECONDS)
                try:
                    troubles.check(connection)
                    connection.execute("PRAGMA journal_mode=WAL")
                    schema.migrate(connection)
                finally:
                    connection.close()
        except (OSError, sqlite3.Error) as error:
            raise troubles.refusal(self.path, "opened", error) from error

    @functools.cached_property
    def id(self) -> str:
        """The history's own id: the same for every process and for ever, and no other history's."""
        sql = "SELECT value FROM meta WHERE name='history_id'"
        return str(self._writer.call(lambda connection: connection.execute(sql).fetchone()[0]))

    # --- runs and sessions ---

    def begin_run(self, spec: RunSpec, sessions: Sequence[SessionSpec] = (), occasion: Occasion | None = None) -> None:
        """Store a run as running, and its sessions as created: no computer of it is ever missing from the record.

        With the occasion that it begins for, in one transaction. Raises: HistoryError where that has begun before.
        """
        sql = (
            "INSERT INTO runs (id, started_at, command, playbook, fleet, commit_id, user, machine, owner, spec, "
            "status) VALUES (?,?,?,?,?,?,?,?,?,?,'running')"
        )
        told = (spec.command, spec.playbook, spec.fleet, spec.commit, spec.user, spec.machine)
        about = [projection.storable(one) for one in told]  # a folder's name may be no text
        packed = codec.pack(codec.text(spec))
        row = (sql, (spec.id, self._clock.now(), *about, self.owner, packed))
        statements = [row, *projection.session_rows(sessions, self.owner, spec)]
        if occasion is None:
            self._writer.commit(statements, "")
            return
        now = self._clock.now()
        known = KnownOccasion(occasion, OccasionState.BEGAN, now, spec.id)
        self._writer.commit([*statements, agenda_rows.row(known)], "", agenda_rows.guard(occasion, now))

    def skip(self, occasion: Occasion, why: str) -> None:
        """Store that an occasion never begins. Raises: HistoryError where it has begun, or was skipped before."""
        now = self._clock.now()
        known = KnownOccasion(occasion, OccasionState.SKIPPED, now, reason=self._clean(why))
        self._writer.commit([agenda_rows.row(known)], "", agenda_rows.guard(occasion, now))

    def agenda(self, since: float, runs: Collection[str] = ()) -> Written:
        """What is written down about sessions that wait, and about occasions since then and those of these runs."""

        def read(connection: sqlite3.Connection) -> Written:
            return Written(
                agenda_rows.watches(connection),
                occasions.for_agenda(connection, since, runs),
                agenda_rows.deferred(connection),
            )

        return self._writer.call(read)

    def watch(self, schedule: str, watch: Watch | None) -> None:
        """Store since when a schedule says what it says; None forgets one that is gone."""
        self._writer.commit([agenda_rows.watch_row(schedule, watch)], "")

    def create_sessions(self, specs: Sequence[SessionSpec]) -> None:
        """Store sessions as created."""
        self._writer.commit(projection.session_rows(specs, self.owner), "")

    def create_successor(self, spec: SessionSpec) -> SessionSpec:
        """Store a session that takes another's place in its run; `spec` has the other's id, the answer its own."""

        def create(connection: sqlite3.Connection) -> SessionSpec:
            sql = "SELECT coalesce(max(number), 0) FROM sessions WHERE run_id=?"
            number = int(connection.execute(sql, (spec.run_id,)).fetchone()[0]) + 1
            new = dataclasses.replace(spec, id=f"{spec.run_id}-{number}")
            connection.execute(*projection.session_rows([new], self.owner)[0])
            place = "(SELECT play_number, wave FROM sessions WHERE id=?)"
            sql = f"UPDATE sessions SET (play_number, wave) = {place} WHERE id=?"  # noqa: S608 - constants
            connection.execute(sql, (spec.id, new.id))
            return new

        return self._writer.call(create)

    def accept(self, computer: str, by: str, reason: str) -> dict[str, str] | None:
        """Forget by what a computer was known, and keep that with the reason; None where it was never seen."""

        def forget(connection: sqlite3.Connection) -> dict[str, str] | None:
            system = records.facts(connection, computer).values.get("system")
            if not isinstance(system, dict):
                return None
            before = {name: str(system.get(name) or "") for name in ("uuid", "uuid_source", "name", "domain")}
            sql = "INSERT INTO accepted (computer, at, by, reason, before) VALUES (?,?,?,?,?)"
            values = (computer, self._clock.now(), by, self._clean(reason), codec.line(before))
            connection.execute(sql, values)
            connection.execute("DELETE FROM facts WHERE computer=?", (computer,))
            connection.execute(_AGAIN, (self._clock.now(), by, self._clean(reason), computer))
            return before

        return self._writer.call(forget)

    def freeze(self, new: Freeze) -> Freeze:
        """Store that computers are frozen; the answer has its number."""
        clean = dataclasses.replace(new, at=self._clock.now(), reason=self._clean(new.reason))
        return self._writer.call(lambda connection: records.add_freeze(connection, clean))

    def unfreeze(self, numbers: Sequence[int], by: str) -> list[int]:
        """Lift freezes; the numbers of those that were in force."""
        return self._writer.call(lambda connection: records.lift_freezes(connection, numbers, self._clock.now(), by))

    def onboard_again(self, computers: Sequence[str], by: str) -> None:
        """What has passed of the onboarding of computers before counts no more."""
        now = self._clock.now()
        self._writer.commit([(_AGAIN, (now, by, "onboarded again", name)) for name in computers], "")

    def has_ended(self, session_id: str) -> bool:
        """Whether a session of this history has ended; False for one that it does not know."""
        sql = "SELECT ended_at IS NOT NULL FROM sessions WHERE id=?"
        row = self._writer.call(lambda connection: connection.execute(sql, (session_id,)).fetchone())
        return bool(row and row[0])

    def ended_since(self, spec: SessionSpec, at: float) -> str:
        """Another session of the computer that was begun and has ended after a time; empty when there is none."""
        sql = (
            "SELECT id FROM sessions WHERE computer=? AND id<>? AND ended_at>? AND started_at IS NOT NULL "
            "AND status NOT IN ('missed') ORDER BY ended_at DESC LIMIT 1"
        )
        rows = self._writer.call(lambda connection: connection.execute(sql, (spec.computer, spec.id, at)).fetchall())
        return str(rows[0][0]) if rows else ""

    def append_run(self, state: RunState, stamped: RunStamped) -> None:
        """Store one entry of a run's record, given the state after it; it is on the disk when this returns."""

        def line() -> str:
            return run_line(state.spec.id, stamped.seq, stamped.at, codec.run_entry_text(stamped.entry))

        self._writer.commit(projection.run_rows(state, stamped), line)

    def run_of(self, run_id: str) -> RunState | None:
        """A stored run, folded; None when there is none of this id, or it is from before runs were records."""
        try:
            found = self._writer.call(lambda connection: records.run_record(connection, run_id))
            return None if found is None else fold_run_all(*found)
        except (sqlite3.Error, HistoryError):
            raise
        except records.DAMAGE:
            pass
        # Without its record it is as a run of old: its sessions go on by themselves.
        sql = "UPDATE runs SET spec=NULL, note=? WHERE id=?"
        self._writer.commit([(sql, ("its record is damaged; its waves are not known any more", run_id))], "")
        return None

    def claim_run(self, run_id: str) -> bool:
        """Be the process that is at a run; False where another living one is, or it has ended."""

        def take(connection: sqlite3.Connection) -> bool:
            row = connection.execute("SELECT owner, status FROM runs WHERE id=?", (run_id,)).fetchone()
            if row is None or row[1] == "ended":
                return False
            if row[1] == "running" and row[0] != self.owner and locks.is_alive(self.owners, row[0]):
                return False
            connection.execute("UPDATE runs SET owner=?, status='running' WHERE id=?", (self.owner, run_id))
            return True

        return self._writer.call(take)

    def end_run(self, run_id: str, status: str) -> None:
        """Store how a run from before runs were records ended."""
        sql = "UPDATE runs SET ended_at=?, status=? WHERE id=?"
        self._writer.commit([(sql, (self._clock.now(), status, run_id))], "")

    def claim(self, computer: str, session_id: str) -> Claimed | Busy:
        """Make a session the active one of its computer, or say who else is at work."""

        def take(connection: sqlite3.Connection) -> Claimed | Busy:
            row = connection.execute(
                "SELECT session_id, owner, epoch FROM active WHERE computer=?", (computer,)
            ).fetchone()
            others = row is not None and (row[0], row[1]) != (session_id, self.owner)
            if others and locks.is_alive(self.owners, row[1], surely=True):
                return Busy(row[0], row[1])
            own = connection.execute("SELECT epoch FROM sessions WHERE id=?", (session_id,)).fetchone()
            sql = "SELECT coalesce(max(seq), 0) FROM entries WHERE session_id=?"
            entries = int(connection.execute(sql, (session_id,)).fetchone()[0])
            epoch = max(row[2] if row else 0, own[0] if own else 0) + 1
            connection.execute(
                "INSERT OR REPLACE INTO active (computer, session_id, owner, epoch) VALUES (?,?,?,?)",
                (computer, session_id, self.owner, epoch),
            )
            connection.execute("UPDATE sessions SET owner=? WHERE id=?", (self.owner, session_id))
            return Claimed(epoch, entries)

        return self._writer.call(take)

    def append(self, state: State, stamped: Stamped, *, durable: bool = False) -> None:
        """Store one entry, given the state after it.

        A durable one is on the disk when this returns, and only if the session still owns its computer.
        Raises: HistoryError when it could not be made durable, or another process has taken the session over.
        """

        def line() -> str:  # needed only where SQLite cannot be written
            entry = codec.entry_text(stamped.entry)
            return journal_line(state.spec.id, stamped.seq, stamped.at, entry)

        statements = projection.rows(state, stamped)
        if not durable:
            self._writer.put(statements, line)
            return
        session = state.spec.id
        values = (state.spec.computer, session, self.owner, session, stamped.seq)
        self._writer.commit(statements, line, (_GUARD, values))

    def keep_definitions(self, definitions: Mapping[str, Item]) -> None:
        """Store item definitions by content hash; known ones are not stored again."""
        new = {digest: item for digest, item in definitions.items() if digest not in self._kept}
        if not new:
            return
        statements = [(BLOB, (digest, "item", codec.pack(codec.text(item, Item)))) for digest, item in new.items()]

        def lines() -> str:
            return "\n".join(blob_line(digest, codec.text(item, Item)) for digest, item in new.items())

        # Known from when they are stored: where SQLite could not be written, the next session tries again.
        self._writer.put(statements, lines, stored=lambda: self._kept.update(new))

    def state_of(self, session_id: str) -> State | None:
        """A stored session, folded; None when there is none of this id, or its record is damaged, which ends it."""
        return self._leftovers.state_of(session_id)

    def mend(self, ids: Sequence[str] | None = None) -> None:
        """Make damaged rows of sessions again from their entries; without `ids` all sessions are looked through."""
        self._leftovers.mend(ids)

    @property
    def damaged(self) -> Mapping[str, str]:
        """Sessions and files that this process found damaged, and what was done about each, for people."""
        return self._leftovers.damaged

    @contextlib.contextmanager
    def read(self) -> Iterator[queries.Reader]:
        """A reading connection for one thread; they are kept open, since opening one takes longer than asking."""
        try:
            reader = self._idle.pop()
        except IndexError:
            reader = queries.Reader(self.path, written=True)
        try:
            yield reader
        finally:
            if self._closed:
                reader.close()
            else:
                self._idle.append(reader)

    def defer(self, computer: str, session_id: str) -> None:
        """Leave a session waiting with no owner: whoever resumes it takes it up."""
        self._writer.put(
            [
                ("UPDATE sessions SET owner='' WHERE id=?", (session_id,)),
                ("DELETE FROM active WHERE computer=? AND session_id=?", (computer, session_id)),
            ]
        )

    def take_slots(self, session: str, computer: str, most: Mapping[str, int], *, force: bool = False) -> str:
        """Empty when all these slots, each of so many, are the session's now; else who has one. By force they are."""
        asker = locks.Asker(session, computer, self.owner, self._clock.now())
        alive = functools.partial(locks.is_alive, self.owners)
        return self._writer.call(lambda connection: locks.take_slots(connection, asker, most, alive, force=force))

    def keep_slots(self, session: str, keys: Collection[str] = ()) -> None:
        """Give back all slots of a session but these."""
        self._writer.put([locks.keep_slots(session, keys)])

    def leave_slots(self, session: str, computer: str, keys: Collection[str], until: float) -> None:
        """Give back all but these, which what the session left on its computer uses until then."""
        self._writer.put(locks.leave_slots(session, computer, keys, self._clock.now(), until))

    def settle_slots(self, session: str, computer: str) -> None:
        """Give back what all sessions but this one left on a computer."""
        self._writer.put([locks.settle_slots(session, computer)])

    def place_orders(self, placed: Sequence[Order]) -> list[int]:
        """Store orders; the ids that they get. They are on the disk when this returns."""
        clean = [dataclasses.replace(one, reason=self._clean(one.reason)) for one in placed]
        return self._writer.call(lambda connection: orders.place(connection, clean))

    def close_orders(self, sessions: Iterable[str]) -> None:
        """Answer the open orders of those of these sessions that have ended."""
        names, at = list(sessions), self._clock.now()
        self._writer.call(lambda connection: orders.close_ended(connection, names, at))

    def answer_order(self, order: int, state: OrderState, answer: str) -> None:
        """Say what became of an order that is no entry of its session; the first answer stays."""
        self._writer.put([orders.answered(order, state, self._clean(answer), self._clock.now())])

    def my_orders(self) -> list[Order]:
        """The open orders of all sessions that are this process's."""
        with self.read() as reader:
            return reader.orders("JOIN sessions s ON s.id=o.session_id WHERE o.state='open' AND s.owner=?", self.owner)

    def orders_of(self, session: str) -> list[Order]:
        """The open orders of a session."""
        with self.read() as reader:
            return reader.orders("WHERE o.state='open' AND o.session_id=?", session)

    def hole(self) -> str:
        """Why the record of this process is not whole; empty when it is."""
        return self._writer.hole()

    def release(self, computers: Iterable[str]) -> None:
        """Give up computers whose sessions this process leaves unfinished."""
        sql = "DELETE FROM active WHERE computer=? AND owner=?"
        self._writer.put([(sql, (name, self.owner)) for name in computers])

    def flush(self, patience: float = PATIENCE_SECONDS) -> None:
        """Return when everything appended before is stored; raises HistoryError when it is not in so many seconds.

        What is not stored then is in the journal.
        """
        self._writer.flush(patience)

    def hurry(self) -> None:
        """Wait no longer than a moment for another program that holds the file."""
        self._writer.be_patient(HURRY_SECONDS)

    def left_in_journal(self) -> Path | None:
        """The journal, where it holds what could not be stored; asked after `close`."""
        return self._writer.left_in_journal()

    def close(self) -> None:
        """Store what is left, then let the owner's lock go."""
        self._closed = True
        # Before the writer: the last connection to be closed moves everything into the one file.
        while self._idle:
            self._idle.pop().close()
        self._writer.close()
        self._lock.release()
