"""What `immy freeze` stores, in the table `freezes`; functions of a connection, for the store's thread and readers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from immy_nornir.model.holds import Freeze

COLUMNS: Final = "id, at, by, pattern, until, reason, lifted_at, lifted_by"
IN_FORCE: Final = f"SELECT {COLUMNS} FROM freezes WHERE lifted_at IS NULL AND (until IS NULL OR until>?) ORDER BY id"  # noqa: S608 - constants
ALL: Final = f"SELECT {COLUMNS} FROM freezes ORDER BY id DESC"  # noqa: S608 - constants
_ADD: Final = "INSERT INTO freezes (at, by, pattern, until, reason) VALUES (?,?,?,?,?)"
_LIFT: Final = "UPDATE freezes SET lifted_at=?, lifted_by=? WHERE id=? AND lifted_at IS NULL"


def freeze_of(row: Sequence[object]) -> Freeze:
    """A row as a value; what is damaged counts as in force."""
    number, at, by, pattern, until, reason, lifted_at, lifted_by = row
    return Freeze(
        int(str(number)),
        float(at) if isinstance(at, int | float) else 0.0,
        str(by),
        str(pattern),
        float(until) if isinstance(until, int | float) else None,
        str(reason),
        float(lifted_at) if isinstance(lifted_at, int | float) else None,
        str(lifted_by),
    )


def add(connection: sqlite3.Connection, freeze: Freeze) -> Freeze:
    """Store one; the answer has its number."""
    values = (freeze.at, freeze.by, freeze.pattern, freeze.until, freeze.reason)
    number = connection.execute(_ADD, values).lastrowid
    return replace(freeze, id=number or 0)


def lift(connection: sqlite3.Connection, numbers: Sequence[int], at: float, by: str) -> list[int]:
    """Lift those of these numbers that are in force; the numbers of those."""
    return [one for one in numbers if connection.execute(_LIFT, (at, by, one)).rowcount]
