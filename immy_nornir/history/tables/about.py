"""What a report tells beside sessions: titles of items, the machine behind each computer, and who must not be named.

Functions of a reading connection; `queries.Reader` offers them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from immy_nornir.history import codec
from immy_nornir.model.record.entries import WEAK_SECRET
from immy_nornir.text import json

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class MachineRow:
    """What the last contact told of a computer; empty where nobody knows."""

    system: str = ""
    """Name and version of the operating system."""
    serial: str = ""
    seen_at: float | None = None
    """When it last answered, of whatever run."""
    primary_user: str = ""
    """Whose it was when it was last resolved; empty where it was nobody's, or nobody knew."""


@dataclass(frozen=True, slots=True)
class Others:
    """Whom a report for one tenant must not name."""

    computers: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    """Users and machines that runs were started by and on."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known beside the sessions of a report."""

    titles: Mapping[str, str] = field(default_factory=dict)
    """Item -> the title that its definition gives."""
    machines: Mapping[str, MachineRow] = field(default_factory=dict)
    """Computer -> machine."""
    others: Others = field(default_factory=Others)
    weak: frozenset[str] = frozenset()
    """Sessions of which a secret could be masked only as a whole word."""


def weak(connection: sqlite3.Connection, sessions: Sequence[str]) -> frozenset[str]:
    """The sessions that noted that a secret of theirs is weak."""
    found: set[str] = set()
    for marks, some in _chunks(sessions):
        sql = f"SELECT session_id FROM entries WHERE kind='Noted' AND text=? AND session_id IN ({marks})"  # noqa: S608 - marks
        found |= {one for (one,) in connection.execute(sql, [WEAK_SECRET, *some])}
    return frozenset(found)


def titles(connection: sqlite3.Connection, sessions: Sequence[str]) -> dict[str, str]:
    """The titles of the items that these sessions had, by the definitions that they had."""
    found: dict[str, str] = {}
    pinned: dict[str, str] = {}
    for marks, some in _chunks(sessions):
        sql = f"SELECT DISTINCT item, definition FROM actions WHERE definition<>'' AND session_id IN ({marks})"  # noqa: S608 - marks
        pinned |= dict(connection.execute(sql, some).fetchall())
    for item, digest in pinned.items():
        row = connection.execute("SELECT data FROM blobs WHERE hash=?", (digest,)).fetchone()
        with contextlib.suppress(Exception):  # a damaged definition costs its title
            found[item] = str(json.parse(codec.unpack(row[0]))["title"])
    return found


def machines(connection: sqlite3.Connection, computers: Sequence[str]) -> dict[str, MachineRow]:
    """What the last contacts told of computers, as far as there were any."""
    about: dict[str, dict[str, Any]] = {}
    seen: dict[str, float] = {}
    for marks, some in _chunks(computers):
        sql = f"SELECT computer, max(collected_at) FROM facts WHERE computer IN ({marks}) GROUP BY computer"  # noqa: S608 - marks
        seen |= {one: at for one, at in connection.execute(sql, some) if isinstance(at, int | float)}
        sections = "('system', 'hardware', 'primary_user')"
        sql = f"SELECT computer, value FROM facts WHERE section IN {sections} AND computer IN ({marks})"  # noqa: S608 - marks
        for computer, packed in connection.execute(sql, some):
            with contextlib.suppress(Exception):  # damaged facts cost themselves
                about.setdefault(computer, {}).update(json.parse(codec.unpack(packed)))
    return {computer: _machine(about.get(computer, {}), at) for computer, at in seen.items()}


def _machine(known: Mapping[str, Any], seen_at: float) -> MachineRow:
    system, version = (_word(known.get(key)) for key in ("os", "version"))
    whole = system if not version or version in system else f"{system} {version}".strip()
    return MachineRow(whole, _word(known.get("serial")), seen_at, _word(known.get("primary_user")))


def _word(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def others(connection: sqlite3.Connection, tenant: str) -> Others:
    """Everybody of whom the history knows, beside one tenant and its computers."""
    rows = list(connection.execute("SELECT DISTINCT tenant, computer FROM sessions"))
    own = {computer for its, computer in rows if its == tenant}
    people = connection.execute("SELECT DISTINCT user FROM runs UNION SELECT DISTINCT machine FROM runs")
    return Others(
        frozenset(computer for _, computer in rows) - own,
        frozenset(its for its, _ in rows) - {tenant},
        frozenset(name for (name,) in people if name),
    )


def _chunks(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    for start in range(0, len(names), _CHUNK):
        some = list(names[start : start + _CHUNK])
        yield ",".join("?" * len(some)), some
