"""The table of orders: who ordered what of which session, and what its owner said to it.

Orders are placed by any process; answered by the owner of their session, in the transaction of the entry that they
become (history.projection), or as refused. An order of a session that has ended is answered with that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from immy_nornir.history import codec
from immy_nornir.model.control.orders import How, Order, OrderKind, OrderState
from immy_nornir.model.record.status import STATUSES, Status
from immy_nornir.text import json

Statement = tuple[str, tuple[object, ...]]
_COLUMNS = "o.id, o.at, o.by, o.kind, o.session_id, o.reason, o.how, o.state, o.answer, o.ended_at"
_CLOSE = (
    "UPDATE orders SET state=CASE kind WHEN 'cancel' THEN 'done' ELSE 'refused' END, ended_at=?, answer=? "
    "WHERE state='open' AND session_id=?"
)


def answered(order: int, state: OrderState, answer: str, at: float) -> Statement:
    """The statement that answers an order; the first answer stays."""
    return "UPDATE orders SET state=?, answer=?, ended_at=? WHERE id=? AND state='open'", (
        state.value,
        answer,
        at,
        order,
    )


def ended_with(session: str, status: str, at: float) -> Statement:
    """The statement that answers what is open of a session that ends: to be cancelled it was in a way, nothing else."""
    return _CLOSE, (at, _ended(status), session)


def _ended(status: str) -> str:
    told = STATUSES[Status(status)] if status in set(Status) else status
    return f"the session has ended: {told}"


def place(connection: sqlite3.Connection, orders: Sequence[Order]) -> list[int]:
    """Store orders, whose ids are given here; those of sessions that have ended are answered at once."""
    ids = []
    for one in orders:
        sql = "INSERT INTO orders (at, by, kind, session_id, reason, how) VALUES (?,?,?,?,?,?)"
        values = (one.at, one.by, one.kind.value, one.session_id, one.reason, codec.text(one.how))
        ids.append(int(connection.execute(sql, values).lastrowid or 0))
    close_ended(connection, {one.session_id for one in orders}, orders[0].at if orders else 0.0)
    return ids


def close_ended(connection: sqlite3.Connection, sessions: Iterable[str], at: float) -> None:
    """Answer the open orders of sessions that have ended."""
    for session in sorted(sessions):
        sql = "SELECT status FROM sessions WHERE id=? AND ended_at IS NOT NULL"
        row = connection.execute(sql, (session,)).fetchone()
        if row is not None:
            connection.execute(*ended_with(session, str(row[0]), at))


def read(connection: sqlite3.Connection, where: str, values: Sequence[object] = ()) -> list[Order]:
    """Orders, oldest first; none in a history from before there were any."""
    known = "SELECT 1 FROM sqlite_master WHERE type='table' AND name='orders'"
    if connection.execute(known).fetchone() is None:
        return []
    sql = f"SELECT {_COLUMNS} FROM orders o {where} ORDER BY o.id"  # noqa: S608 - constants of this module's callers
    return [order for row in connection.execute(sql, values) if (order := _order(tuple(row))) is not None]


def _order(row: tuple[object, ...]) -> Order | None:
    """None for a row that no order can be: somebody else wrote it."""
    number, at, by, kind, session, reason, how, state, answer, ended = row
    try:
        meant: How = codec.load(json.parse(str(how)), How)
        kinds = OrderKind(str(kind)), OrderState(str(state))
        end = None if ended is None else float(str(ended))
        return Order(
            int(str(number)),
            float(str(at)),
            str(by),
            kinds[0],
            str(session),
            str(reason),
            meant,
            kinds[1],
            str(answer),
            end,
        )
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no order
        return None
