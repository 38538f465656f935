"""The tables of what is told: messages with what became of them, open tickets, and how far the record was read.

Messages are stored in one transaction with that, so that nothing is told twice by another id, and nothing is left out;
who sends one owns its row as long as its process lives. Functions of a connection.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from immy_nornir.history import codec
from immy_nornir.history.tables import occasions
from immy_nornir.history.tables.about import Others
from immy_nornir.model.control.schedules import KnownOccasion, OccasionState
from immy_nornir.model.control.telling import Message, Telling, Ticket, TicketChange, TicketState, ToldState
from immy_nornir.model.record.entries import Stamped
from immy_nornir.model.record.run import RunStamped
from immy_nornir.model.record.session import SessionSpec
from immy_nornir.text import json

Statement = tuple[str, tuple[object, ...]]
_META = "telling"
END: Statement = ("DELETE FROM meta WHERE name=?", (_META,))
"""Nobody is told anything any more: what happens until there is somebody again is not told later."""
_CHUNK = 500
_LOOKBACK_SECONDS = 15 * 86400.0
"""An occasion is skipped at most so long after it was due (decide.agenda looks back less, and staggers a week)."""
_COLUMNS = (
    "id, at, channel, key, event, run_id, tenant, lane, title, text, body, state, tries, next_at, told_at, outcome"
)
Alive = Callable[[str], bool]
SECONDS = 15.0
"""So long these questions wait for another program that holds the file: telling can be done later."""


@dataclass(frozen=True, slots=True)
class ReadTo:
    """How far the record was read."""

    since: float
    """What ended before is not told: there was nobody to tell."""
    turn: int = 0
    run_entry: int = 0
    skipped_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Unheard:
    """What has been written since, of runs that nobody is at."""

    read_to: ReadTo
    sessions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Ids of ended sessions by their run, in the order in which they ended."""
    run_entries: Sequence[tuple[str, RunStamped]] = ()
    skipped: Sequence[KnownOccasion] = ()
    tickets: Sequence[Ticket] = ()
    """Those that are open."""
    last_run_entry: int = 0

    @property
    def anything(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.sessions or self.run_entries or self.skipped)


def begin(connection: sqlite3.Connection, now: float) -> None:
    """From now on the record is read; what was there before is not told."""
    if _read_to(connection) is None:
        last = connection.execute("SELECT coalesce(max(id), 0) FROM run_entries").fetchone()[0]
        _write(connection, ReadTo(now, 0, int(last), now))


def _read_to(connection: sqlite3.Connection) -> ReadTo | None:
    row = connection.execute("SELECT value FROM meta WHERE name=?", (_META,)).fetchone()
    with contextlib.suppress(ValueError, TypeError, KeyError):  # damaged, it begins anew
        if row is not None:
            found = json.parse(row[0])
            return ReadTo(
                float(found["since"]), int(found["turn"]), int(found["run_entry"]), float(found["skipped_at"])
            )
    return None


def _write(connection: sqlite3.Connection, to: ReadTo) -> None:
    value = {"since": to.since, "turn": to.turn, "run_entry": to.run_entry, "skipped_at": to.skipped_at}
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?,?)", (_META, json.line(value)))


# --- reading the record ---------------------------------------------------------------------------------------------


def unheard(connection: sqlite3.Connection, kinds: Sequence[str], alive: Alive, now: float) -> Unheard | None:
    """What is to be told; `kinds` are the entries of runs that tell anything. None: nobody is told anything."""
    to = _read_to(connection)
    if to is None:
        return None
    sql = (
        "SELECT s.id, s.run_id FROM sessions s WHERE s.ended_at>=? "
        "AND NOT EXISTS (SELECT 1 FROM told_sessions t WHERE t.session_id=s.id) ORDER BY s.ended_at, s.number"
    )
    by_run: dict[str, list[str]] = {}
    for session, run_id in connection.execute(sql, (to.since,)):
        by_run.setdefault(str(run_id), []).append(str(session))
    known: dict[str, bool] = {}
    sessions = {run: ids for run, ids in by_run.items() if not _is_at_work(connection, run, alive, known)}
    entries, last = _run_entries(connection, to.run_entry, kinds)
    skipped = [
        one
        for one in occasions.since(connection, now - _LOOKBACK_SECONDS)
        if one.state is OccasionState.SKIPPED and one.at > to.skipped_at
    ]
    return Unheard(to, sessions, entries, skipped, _open_tickets(connection), last)


def _is_at_work(connection: sqlite3.Connection, run_id: str, alive: Alive, known: dict[str, bool]) -> bool:
    """Whether a living process is at the run, or at a session of it: its end is told when that is over."""
    sql = (
        "SELECT owner FROM runs WHERE id=? AND status='running' UNION "
        "SELECT owner FROM sessions WHERE run_id=? AND owner<>'' AND status IN ('created', 'running', 'waiting')"
    )
    for (owner,) in connection.execute(sql, (run_id, run_id)).fetchall():
        if owner not in known:
            known[owner] = alive(str(owner))
        if known[owner]:
            return True
    return False


def _run_entries(
    connection: sqlite3.Connection, after: int, kinds: Sequence[str]
) -> tuple[list[tuple[str, RunStamped]], int]:
    last = int(connection.execute("SELECT coalesce(max(id), 0) FROM run_entries").fetchone()[0])
    marks = ",".join("?" * len(kinds))
    sql = f"SELECT run_id, seq, at, data FROM run_entries WHERE id>? AND id<=? AND kind IN ({marks}) ORDER BY id"  # noqa: S608 - marks
    found = []
    for run_id, seq, at, data in connection.execute(sql, (after, last, *kinds)):
        with contextlib.suppress(Exception):  # one that is damaged tells nothing
            found.append((str(run_id), RunStamped(int(seq), float(at), codec.run_entry_from(data))))
    return found, last


def _open_tickets(connection: sqlite3.Connection) -> list[Ticket]:
    sql = "SELECT tenant, computer, item, reason FROM tickets WHERE resolved_at IS NULL"
    return [Ticket(*map(str, row)) for row in connection.execute(sql)]


def entries_of(
    connection: sqlite3.Connection, sessions: Sequence[str], kinds: Sequence[str]
) -> Iterator[tuple[str, Stamped]]:
    """The entries of these kinds of sessions, session by session in their order."""
    wanted = ",".join("?" * len(kinds))
    for marks, some in _chunks(sessions):
        sql = (
            f"SELECT session_id, seq, at, data, packed FROM entries WHERE session_id IN ({marks}) "  # noqa: S608 - marks
            f"AND kind IN ({wanted}) ORDER BY session_id, seq"
        )
        for session, seq, at, data, packed in connection.execute(sql, [*some, *kinds]):
            with contextlib.suppress(Exception):  # one that is damaged tells nothing
                text = codec.unpack(packed) if packed is not None else data
                yield str(session), Stamped(int(seq), float(at), codec.entry_from(text))


def specs(connection: sqlite3.Connection, sessions: Sequence[str]) -> dict[str, SessionSpec]:
    """What sessions were asked to do, as far as that can be read."""
    found: dict[str, SessionSpec] = {}
    for marks, some in _chunks(sessions):
        sql = f"SELECT id, spec FROM sessions WHERE id IN ({marks})"  # noqa: S608 - marks
        for session, packed in connection.execute(sql, some):
            with contextlib.suppress(Exception):  # damaged, it is as if nothing were known of it
                found[str(session)] = codec.load(json.parse(codec.unpack(packed)), SessionSpec)
    return found


@dataclass(frozen=True, slots=True)
class Everybody:
    """Of whom the history knows: read once for all tenants."""

    computers: frozenset[tuple[str, str]]
    """(tenant, computer)."""
    people: frozenset[str]

    def but(self, tenant: str) -> Others:
        """Whom nobody of a tenant is told of."""
        own = {computer for its, computer in self.computers if its == tenant}
        computers = frozenset(computer for _, computer in self.computers) - own
        return Others(computers, frozenset(its for its, _ in self.computers) - {tenant}, self.people)


def everybody(connection: sqlite3.Connection) -> Everybody:
    """All tenants with their computers, and the users and machines that runs were started by and on."""
    rows = connection.execute("SELECT DISTINCT tenant, computer FROM sessions")
    people = connection.execute("SELECT DISTINCT user FROM runs UNION SELECT DISTINCT machine FROM runs")
    return Everybody(
        frozenset((str(tenant), str(computer)) for tenant, computer in rows),
        frozenset(str(name) for (name,) in people if name),
    )


def tenants_of(connection: sqlite3.Connection, run_id: str) -> list[str]:
    """The tenants whose computers a run is about."""
    sql = "SELECT DISTINCT tenant FROM sessions WHERE run_id=? ORDER BY tenant"
    return [str(tenant) for (tenant,) in connection.execute(sql, (run_id,))]


def _storable(text: str) -> str:
    """As projection's: halves of characters, which no database takes, become `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _chunks(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    for start in range(0, len(names), _CHUNK):
        some = list(names[start : start + _CHUNK])
        yield ",".join("?" * len(some)), some


# --- writing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of what was unheard."""

    messages: Sequence[Message]
    changes: Sequence[TicketChange]
    sessions: Sequence[str]


def keep(connection: sqlite3.Connection, of: Unheard, heard: Heard, now: float) -> bool:
    """Store all of it; False, and nothing is, where another process was quicker."""
    to = _read_to(connection)
    if to is None or to.turn != of.read_to.turn:
        return False
    for one in heard.messages:
        put(connection, one, now)
    for change in heard.changes:
        _keep_change(connection, change, now)
    connection.executemany("INSERT OR IGNORE INTO told_sessions VALUES (?)", [(one,) for one in heard.sessions])
    skipped = max((one.at for one in of.skipped), default=0.0)
    last = max(to.run_entry, of.last_run_entry)
    _write(connection, ReadTo(to.since, to.turn + 1, last, max(to.skipped_at, skipped)))
    return True


def put(connection: sqlite3.Connection, one: Message, now: float) -> Telling | None:
    """Store a message that waits; one that the channel has already is left as it is: None."""
    sql = (
        "INSERT OR IGNORE INTO tellings (at, channel, key, event, run_id, tenant, lane, title, text, body) "
        "VALUES (?,?,?,?,?,?,?,?,?,?)"
    )
    values = (one.channel, one.key, one.event, one.run_id, one.tenant, one.lane, one.title, one.text, one.body)
    done = connection.execute(sql, (now, *map(_storable, values)))
    return Telling(int(done.lastrowid or 0), one, now, ToldState.WAITING) if done.rowcount == 1 else None


def _keep_change(connection: sqlite3.Connection, change: TicketChange, now: float) -> None:
    ticket = change.ticket
    about = [_storable(one) for one in (ticket.tenant, ticket.computer, ticket.item, ticket.reason)]
    match change.state:
        case TicketState.OPENED:
            sql = (
                "INSERT OR REPLACE INTO tickets "
                "(key, tenant, computer, item, reason, opened_at, opened_by, seen_at, seen_by) "
                "VALUES (?,?,?,?,?,?,?,?,?)"
            )
            connection.execute(sql, (ticket.key, *about, now, change.session, now, change.session))
        case TicketState.STILL:
            sql = "UPDATE tickets SET seen_at=?, seen_by=? WHERE key=?"
            connection.execute(sql, (now, change.session, ticket.key))
        case TicketState.RESOLVED:
            sql = "UPDATE tickets SET resolved_at=?, resolved_by=?, why=? WHERE key=?"
            connection.execute(sql, (now, change.session, change.why, ticket.key))


def times_told(connection: sqlite3.Connection, run_id: str, tenant: str) -> int:
    """How often anything was made of a run for a tenant, or for all: each time all its messages at one moment."""
    sql = "SELECT count(DISTINCT at) FROM tellings WHERE run_id=? AND tenant=?"
    return int(connection.execute(sql, (_storable(run_id), _storable(tenant))).fetchone()[0])


# --- sending --------------------------------------------------------------------------------------------------------


def waiting(connection: sqlite3.Connection) -> list[Telling]:
    """The messages that wait, oldest first."""
    return _read(connection, "WHERE state='waiting' ORDER BY id", ())


def claim(connection: sqlite3.Connection, one: Telling, owner: str, alive: Alive) -> bool:
    """Own a message that waits; False where it waits no more, was tried meanwhile, or a living process has it."""
    sql = "SELECT owner, tries FROM tellings WHERE id=? AND state='waiting'"
    row = connection.execute(sql, (one.number,)).fetchone()
    if row is None or row[1] != one.tries or (row[0] and row[0] != owner and alive(str(row[0]))):
        return False
    connection.execute("UPDATE tellings SET owner=? WHERE id=?", (owner, one.number))
    return True


def settle(connection: sqlite3.Connection, one: Telling) -> None:
    """Store what became of a message, and let it go."""
    sql = "UPDATE tellings SET state=?, tries=?, next_at=?, told_at=?, outcome=?, owner='' WHERE id=?"
    values = (one.state.value, one.tries, one.next_at, one.told_at, _storable(one.outcome), one.number)
    connection.execute(sql, values)


def newest(connection: sqlite3.Connection, limit: int, states: Sequence[str] = ()) -> list[Telling]:
    """The newest messages, newest first; none in a history from before there were any."""
    where = f"WHERE state IN ({','.join('?' * len(states))}) " if states else ""
    try:
        return _read(connection, f"{where}ORDER BY id DESC LIMIT ?", (*states, limit))
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise


def _read(connection: sqlite3.Connection, where: str, values: Sequence[object]) -> list[Telling]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM tellings {where}", values)  # noqa: S608 - constants of this module
    return [found for row in rows if (found := _telling(tuple(row))) is not None]


def _telling(row: tuple[Any, ...]) -> Telling | None:
    """None for a row that no message can be: somebody else wrote it."""
    number, at, channel, key, event, run_id, tenant, lane, title, text, body, state, tries, next_at, told_at, said = row
    message = Message(*map(str, (key, channel, event, title, text, body, run_id, tenant, lane)))
    try:
        when = None if told_at is None else float(told_at)
        return Telling(int(number), message, float(at), ToldState(state), int(tries), float(next_at), when, str(said))
    except (ValueError, TypeError):
        return None
