"""What changes in a run, or in one session, as another process sees it: by a cursor over the entries, and cheaply.

Every entry has a key that only grows, whoever writes (schema, m002): who knows the last key has missed nothing. Rows of
sessions are read again where entries came, and now and then where anything else of them changed. Use `queries.Reader`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from immy_nornir.errors import HistoryError, UsageError
from immy_nornir.history.rows import whole
from immy_nornir.model.record.run import RunStamped
from immy_nornir.model.record.status import TERMINAL, Status

MOST = 2000
"""So many entries are read in one go."""
SWEEP_LOOKS = 8
"""Every so many looks at a history that changes, rows are looked at that no entry tells of."""
_SOME = 500
_STATUSES: Mapping[object, Status] = {one.value: one for one in Status}
_INSIDE = ("JobSeen", "JobEnded", "ActionEnded", "Waiting", "Finished")
"""Kinds of entries of which more is told than their sentence."""
_CURSOR = re.compile(r"([0-9a-f]{8})-(\d{1,18})-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a history was read: the keys of the last entries of sessions and of runs."""

    history: str
    """How the id of the history begins: keys of another one mean nothing in it."""
    entries: int = 0
    runs: int = 0

    def __str__(self) -> str:
        return f"{self.history}-{self.entries}-{self.runs}"


def cursor_of(text: str) -> Cursor:
    """A cursor as it was told. Raises: UsageError for what is none."""
    found = _CURSOR.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"'{text}' is no cursor", 'give the "cursor" of the last line that was read')
    return Cursor(found[1], int(found[2]), int(found[3]))


@dataclass(frozen=True, slots=True)
class Followed:
    """One session, as far as it is followed; `status` is interrupted where its process died without a word."""

    id: str
    run_id: str
    computer: str
    tenant: str
    type: str
    status: Status
    reason: str
    stage: str
    waiting: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    due_at: float | None
    owner: str
    reboots: int
    entries: int
    end_reason: str
    superseded_by: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the record of a session, or of a run (then the session is empty)."""

    cursor: Cursor
    """To go on behind it."""
    at: float
    run: str
    session: str
    computer: str
    tenant: str
    seq: int
    kind: str
    text: str
    about: str = ""
    """The outcome of an action, the kind of a wait, or the status at the end."""
    output: str = ""
    """What a job has written."""


_COLUMNS = ", ".join(Followed.__dataclass_fields__)
_STAMPS = "SELECT id, entries, owner, status FROM sessions"
_IN = f"kind IN ({','.join(map(repr, _INSIDE))})"
_ENTRIES = (
    f"SELECT id, session_id, seq, at, kind, text, CASE WHEN {_IN} THEN data END AS data, "  # noqa: S608 - constants
    f"CASE WHEN {_IN} THEN packed END AS packed FROM entries"
)

Ask = Callable[[str, Sequence[Any]], list[sqlite3.Row]]


class Following:
    """One run with all sessions of its waves, or one session; for one thread. Raises HistoryError where it is gone."""

    def __init__(
        self, ask: Ask, path: Path, is_alive: Callable[[str], bool], run: str, sessions: Iterable[str]
    ) -> None:
        """With a `run` its sessions are followed, and those of others that it took up; else `sessions` alone."""
        self._ask = ask
        self._path = path
        self._is_alive = is_alive
        self._run = run
        self._file = _identity(path)
        self._raw: dict[str, Followed] = {}
        """As the rows have them: without a look at their owners."""
        self._strange: set[str] = set()
        """Sessions that are none of ours."""
        self._left: set[str] = set()
        """Heirs that were not read yet."""
        self._owners: set[str] = set()
        self._gone: set[str] = set()
        self._version: int | None = None
        self._looks = 0
        self.rows: dict[str, Followed] = {}
        """By id."""
        self.history = str(ask("SELECT value FROM meta WHERE name='history_id'", ())[0][0])[:8]
        self._seen = self.newest()
        if run:
            self._take(ask(f"SELECT {_COLUMNS} FROM sessions WHERE run_id=? ORDER BY number", (run,)))  # noqa: S608 - constants
        self._read([one for one in sessions if one not in self._raw])
        self._heirs()
        self._stand(set(self._raw))

    # --- rows -----------------------------------------------------------------------------------------------------

    def look(self) -> set[str]:
        """Read what has changed since the last look; the ids of the sessions that have, in whatever way."""
        if _identity(self._path) != self._file:
            raise HistoryError(f"{self._path} was removed or replaced", "look at the one that is there now")
        version = int(self._ask("PRAGMA data_version", ())[0][0])
        changed: set[str] = set()
        if version != self._version:
            self._version, self._looks = version, self._looks + 1
            changed = self._news()
            if self._looks % SWEEP_LOOKS == 0:
                changed |= self._swept()
            changed |= self._read(changed) | self._heirs()
        return self._stand(changed)

    def sweep(self) -> set[str]:
        """Read also what no entry tells of, such as who is at a session."""
        return self._stand(self._read(self._swept()) | self._heirs())

    def _news(self) -> set[str]:
        """The sessions of ours that entries came for."""
        sql = "SELECT max(id), session_id FROM entries WHERE id>? GROUP BY session_id"
        found = {str(row[1]): int(row[0]) for row in self._ask(sql, (self._seen.entries,))}
        self._seen = replace(self._seen, entries=max([self._seen.entries, *found.values()]))
        return {one for one in found if self._is_ours(one)}

    def _is_ours(self, session: str) -> bool:
        if session in self._raw:
            return True
        if session in self._strange or not self._run:
            return False
        ours = bool(self._ask("SELECT 1 FROM sessions WHERE id=? AND run_id=?", (session, self._run)))
        if not ours:
            self._strange.add(session)
        return ours

    def _swept(self) -> set[str]:
        """The sessions whose rows are not as they were."""
        rows = self._ask(f"{_STAMPS} WHERE run_id=?", (self._run,)) if self._run else []
        others = [one.id for one in self._raw.values() if not self._run or one.run_id != self._run]
        for some in _parts(others):
            rows += self._ask(f"{_STAMPS} WHERE id IN ({_marks(some)})", some)
        raw = self._raw
        return {
            str(id_)
            for id_, entries, owner, status in rows
            if (known := raw.get(id_)) is None or (known.entries, known.owner, known.status) != (entries, owner, status)
        }

    def _read(self, ids: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for some in _parts(list(ids)):
            found |= self._take(self._ask(f"SELECT {_COLUMNS} FROM sessions WHERE id IN ({_marks(some)})", some))  # noqa: S608 - marks
        return found

    def _take(self, rows: Iterable[sqlite3.Row]) -> set[str]:
        taken: set[str] = set()
        for row in rows:
            damage: list[str] = []
            one = whole(Followed, {**dict(row), "status": _STATUSES.get(row["status"], row["status"])}, damage.append)
            if row["status"] not in _STATUSES:
                damage.append(f"status is {one.status!r:.60}")
            if damage:
                told = f"its record is damaged: {'; '.join(damage[:3])}"
                one = replace(one, status=Status.FAILED, reason=told)
            self._raw[one.id] = one
            taken.add(one.id)
            if one.superseded_by and one.superseded_by not in self._raw:
                self._left.add(one.superseded_by)
        return taken

    def _heirs(self) -> set[str]:
        """Those that took the place of ours are ours, too."""
        found: set[str] = set()
        while self._left:
            ids, self._left = self._left - self._raw.keys(), set()
            found |= self._read(ids)
        return found

    def _stand(self, changed: set[str]) -> set[str]:
        """Look who is at the sessions; the ids of those that stand otherwise than before."""
        raw = self._raw
        self._owners |= {raw[one].owner for one in changed if _is_open(raw[one])}
        alive = {owner for owner in self._owners if self._is_alive(owner)}
        if gone := self._owners - alive - self._gone:
            # Whoever has gone may have left its sessions in order before.
            changed = changed | self._read([one.id for one in raw.values() if one.owner in gone])
            self._gone |= gone
        found = set()
        for id_ in changed:
            one = raw[id_]
            if _is_open(one) and one.owner not in alive and not self._is_alive(one.owner):
                one = replace(one, status=Status.INTERRUPTED)
            if self.rows.get(id_) != one:
                self.rows[id_] = one
                found.add(id_)
        return found

    # --- events -----------------------------------------------------------------------------------------------------

    def newest(self) -> Cursor:
        """The cursor behind everything that is there."""
        sql = "SELECT coalesce((SELECT max(id) FROM entries), 0), coalesce((SELECT max(id) FROM run_entries), 0)"
        entries, runs = self._ask(sql, ())[0]
        return Cursor(self.history, int(entries), int(runs))

    def oldest(self) -> Cursor:
        """The cursor before everything that is ours."""
        firsts = []
        for some in _parts(list(self._raw)):
            sql = f"SELECT min(id) FROM entries WHERE session_id IN ({_marks(some)}) AND seq=1"  # noqa: S608 - marks
            firsts += [int(row[0]) for row in self._ask(sql, some) if row[0] is not None]
        first = self._ask("SELECT min(id) FROM run_entries WHERE run_id=?", (self._run,))[0][0]
        newest = self.newest()
        return Cursor(
            self.history,
            min(firsts, default=newest.entries + 1) - 1,
            newest.runs if first is None else int(first) - 1,
        )

    def check(self, cursor: Cursor) -> Cursor:
        """The cursor, where it is one of this history. Raises: UsageError."""
        if cursor.history != self.history:
            raise UsageError(f"the cursor {cursor} is of another history", "begin without --after")
        return cursor

    def events(self, after: Cursor) -> tuple[list[Event], Cursor]:
        """Entries behind a cursor, at most `MOST`, and the cursor behind all that were looked at.

        Each sequence keeps its own order; between the two the time decides.
        """
        entries = self._ask(f"{_ENTRIES} WHERE id>? ORDER BY id LIMIT ?", (after.entries, MOST))
        sql = "SELECT id, run_id, seq, at, kind, data FROM run_entries WHERE id>? ORDER BY id LIMIT ?"
        runs = self._ask(sql, (after.runs, MOST)) if self._run else []
        if len(entries) == MOST:
            runs = list(itertools.takewhile(lambda row: _at(row) <= _at(entries[-1]), runs))
        end = Cursor(
            self.history,
            int(entries[-1]["id"]) if entries else after.entries,
            int(runs[-1]["id"]) if runs else after.runs,
        )
        return list(self._merged(entries, [row for row in runs if row["run_id"] == self._run], after)), end

    def _merged(self, entries: list[sqlite3.Row], runs: list[sqlite3.Row], cursor: Cursor) -> Iterator[Event]:
        position = 0
        for row in entries:
            while position < len(runs) and _at(runs[position]) < _at(row):
                cursor = replace(cursor, runs=int(runs[position]["id"]))
                yield _of_run(runs[position], cursor)
                position += 1
            cursor = replace(cursor, entries=int(row["id"]))
            if self._is_ours(str(row["session_id"])):
                yield self._of_session(row, cursor)
        for row in runs[position:]:
            cursor = replace(cursor, runs=int(row["id"]))
            yield _of_run(row, cursor)

    def _of_session(self, row: sqlite3.Row, cursor: Cursor) -> Event:
        session = str(row["session_id"])
        if session not in self._raw:
            self._read([session])
        one = self._raw[session]
        about, output = _inside(row)
        names = (one.run_id, session, one.computer, one.tenant)
        return Event(cursor, _at(row), *names, int(row["seq"]), str(row["kind"]), str(row["text"]), about, output)

    def of_session(self, session: str, after: int) -> tuple[list[Event], int]:
        """The entries of a session behind a number, and the number of the last one."""
        rows = self._ask(f"{_ENTRIES} WHERE session_id=? AND seq>? ORDER BY seq", (session, after))
        cursor = Cursor(self.history)
        return [self._of_session(row, cursor) for row in rows], int(rows[-1]["seq"]) if rows else after

    # --- what is asked about single ones -----------------------------------------------------------------------------

    def said(self, ids: Sequence[str]) -> dict[str, str]:
        """The sentence of the last entry of each of these sessions."""
        found: dict[str, str] = {}
        for some in _parts(ids):
            last = "SELECT s.id, e.text FROM sessions s JOIN entries e ON e.session_id=s.id AND e.seq=s.entries"
            sql = f"{last} WHERE s.id IN ({_marks(some)})"
            found |= {str(row[0]): str(row[1]) for row in self._ask(sql, some)}
        return found

    def under_way(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """The action (id, type) that is under way in each of these sessions, where one is."""
        found: dict[str, tuple[str, str]] = {}
        for some in _parts(ids):
            sql = f"SELECT session_id, id, type FROM actions WHERE status='running' AND session_id IN ({_marks(some)})"  # noqa: S608 - marks
            found |= {str(row[0]): (str(row[1]), str(row[2])) for row in self._ask(sql, some)}
        return found

    def run_news(self, after: int) -> list[RunStamped]:
        """The entries of the run's record behind a number; those that are damaged tell nothing."""
        from immy_nornir.history import codec

        found = []
        sql = "SELECT seq, at, data FROM run_entries WHERE run_id=? AND seq>? ORDER BY seq"
        for row in self._ask(sql, (self._run, after)):
            with contextlib.suppress(Exception):
                found.append(RunStamped(int(row[0]), float(row[1]), codec.run_entry_from(row[2])))
        return found

    def begun(self) -> set[str]:
        """The sessions that have begun something on their computers."""
        rebooted = {one.id for one in self._raw.values() if one.reboots}
        return rebooted | self._having("attempts>0")

    def pending(self, changing: Iterable[str]) -> set[str]:
        """The sessions that plan reboots, or actions of these types that have not ended."""
        types = ",".join(f"'{one}'" for one in sorted(changing))
        return self._having(f"((planned_phase>0 AND held IS NULL) OR (outcome IS NULL AND type IN ({types})))")

    def _having(self, what: str) -> set[str]:
        found: set[str] = set()
        for some in _parts(list(self._raw)):
            sql = f"SELECT DISTINCT session_id FROM actions WHERE {what} AND session_id IN ({_marks(some)})"  # noqa: S608 - marks
            found |= {str(row[0]) for row in self._ask(sql, some)}
        return found


def _of_run(row: sqlite3.Row, cursor: Cursor) -> Event:
    from immy_nornir.history import codec
    from immy_nornir.history.sentences import run_sentence

    try:
        text = run_sentence(codec.run_entry_from(row["data"]))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, what comes after it is still worth reading
        text = f"damaged: {type(error).__name__}"
    return Event(cursor, _at(row), str(row["run_id"]), "", "", "", int(row["seq"]), str(row["kind"]), text)


def _inside(row: sqlite3.Row) -> tuple[str, str]:
    """What is told of an entry beside its sentence; empty where it is damaged."""
    if row["kind"] not in _INSIDE:
        return "", ""
    from immy_nornir.history import codec
    from immy_nornir.text import json

    try:
        data = json.parse(row["data"] if row["packed"] is None else codec.unpack(row["packed"]))
        about = data.get("outcome") or data.get("kind") or data.get("status") or ""
        return str(about), str(data.get("output") or "")
    except Exception:  # noqa: BLE001 - its sentence is still worth reading
        return "", ""


def _at(row: sqlite3.Row) -> float:
    at = row["at"]
    return float(at) if isinstance(at, int | float) else 0.0


def _is_open(one: Followed) -> bool:
    return bool(one.owner) and one.status not in TERMINAL and one.status is not Status.INTERRUPTED


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _SOME):
        yield ids[start : start + _SOME]


def _marks(some: Sequence[str]) -> str:
    return ",".join("?" * len(some))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - twice a second
    except OSError:
        return None
    return status.st_dev, status.st_ino
