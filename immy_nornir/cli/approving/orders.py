"""Orders as the command line gives them: for which sessions, the question before many, the answers, the exit code.

The sessions that a process is at are its business: it is waited for until it has answered. Those that nobody is at are
taken over here (session.taking.taking_up).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immy_nornir.cli import startup, table
from immy_nornir.cli.approving.choice import NOT_ENDED, Chosen, chosen_rows, find, is_paused, nobody_at
from immy_nornir.cli.door import known_secrets, say, say_json
from immy_nornir.errors import FilesError, ImmyError, UsageError
from immy_nornir.history.own_files import foreign_owner
from immy_nornir.model.control.orders import How, Order, OrderKind, OrderState
from immy_nornir.model.record.status import STATUSES
from immy_nornir.text import json
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from immy_nornir.history.queries import Reader, SessionRow
    from immy_nornir.history.store import History
    from immy_nornir.model.playbooks import Fleet

SCHEMA_VERSION = 1
_LOOK_SECONDS = 0.2
_END_SECONDS = 3.0
"""How much longer a session that was cancelled is given to end, so that its end can be told."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is ordered."""

    kind: OrderKind
    how: How
    reason: str
    yes: bool
    wait: float
    form: str
    sources: tuple[Path, ...] = ()


# --- times ----------------------------------------------------------------------------------------------------

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def until_of(text: str, now: float) -> float:
    """A length of time such as 90m or 2h, a time of the day here, or an ISO time, as an instant.

    Raises: UsageError for what is none of them, and for what is over.
    """
    length = re.fullmatch(r"(\d{1,6})\s*([smhd])", text.strip(), re.ASCII)
    if length is not None:
        return now + int(length[1]) * _UNITS[length[2]]
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip(), re.ASCII)
    try:
        if clock is not None:
            today = datetime.fromtimestamp(now).astimezone()
            at = datetime(today.year, today.month, today.day, int(clock[1]), int(clock[2]))  # noqa: DTZ001 - local
            at = at if at.timestamp() > now else at + timedelta(days=1)
        else:
            at = datetime.fromisoformat(text.strip())
        found = at.timestamp()
    except (ValueError, OverflowError, OSError):
        advice = "write a length such as 90m or 2h, a time such as 14:30, or 2030-02-01T14:30"
        raise UsageError(f"'{text}' is no time until which to pause", advice) from None
    if found <= now:
        raise UsageError(f"the time {text}, until which to pause, is over", "give one that is still to come")
    return found


# --- the order ------------------------------------------------------------------------------------------------


def order(root: Path, state: Path, chosen: Chosen, wish: Wish) -> int:
    """Ask where they are many, place the orders, wait for the answers and tell them; the exit code."""
    from immy_nornir.history.queries import FILE, Reader

    chosen.refuse_both()
    refuse_strangers(state)
    with Reader(state / FILE) as reader:
        rows = chosen_rows(reader, chosen, wish.kind)
    if not rows:
        return show([], {}, wish.form)
    if chosen.many and len(rows) > 1 and not wish.yes:
        ask(wish.kind, rows)
    with _history(state) as history:
        engines = _Engines(root, wish, history)
        ids = place(history, rows, wish)
        orders = waited_for(history, ids, wish, engines.take_over)
        with history.read() as reader:
            after = {row.id: row for row in reader.sessions_of([row.id for row in rows])}
    return show(orders, after, wish.form, engines.said)


def place(history: History, rows: Sequence[SessionRow], wish: Wish) -> list[int]:
    """Store one order for each session."""
    now = time.time()
    by = ordered_by()
    return history.place_orders([Order(0, now, by, wish.kind, row.id, wish.reason, wish.how) for row in rows])


def ordered_by() -> str:
    """Who orders: the account, on which machine, and who became it by sudo."""
    user, machine = startup.who()
    before = os.environ.get("SUDO_USER", "")
    return f"{user}{f' ({before})' if before and before != user else ''}@{machine}"


def waited_for(
    history: History,
    ids: Sequence[int],
    wish: Wish,
    take_over: Callable[[Sequence[SessionRow], float], None],
) -> list[Order]:
    """The orders, when all are answered or it has been waited long enough; what nobody is at is taken over once."""
    ends, tried = time.monotonic() + wish.wait, set[str]()
    while True:
        with history.read() as reader:
            orders = _placed(reader, ids)
            left = {one.session_id for one in orders if one.state is OrderState.OPEN}
            now = {row.id: row for row in reader.sessions_of(sorted(left))} if left else {}
        alone = [row for row in now.values() if nobody_at(row) and row.id not in tried]
        if alone:
            tried.update(row.id for row in alone)
            take_over(alone, max(1.0, ends - time.monotonic()))
            history.flush()
            continue
        if any(row.status not in NOT_ENDED for row in now.values()):
            history.close_orders(left)
            continue
        if not left or time.monotonic() >= ends:
            break
        time.sleep(_LOOK_SECONDS)
    if wish.kind is OrderKind.CANCEL:
        _ended(history, orders, min(_END_SECONDS, wish.wait))
    return orders


def _placed(reader: Reader, ids: Sequence[int]) -> list[Order]:
    found: list[Order] = []
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        found += reader.orders(f"WHERE o.id IN ({','.join('?' * len(some))})", *some)
    return found


def _ended(history: History, orders: Sequence[Order], seconds: float) -> None:
    """Give sessions that are cancelled, and whose job is not waited for, a moment to end."""
    soon = {one.session_id for one in orders if one.state is OrderState.DONE and one.answer == "cancelling"}
    ends = time.monotonic() + seconds
    while soon and time.monotonic() < ends:
        with history.read() as reader:
            soon = {
                row.id for row in reader.sessions_of(sorted(soon)) if row.status in NOT_ENDED and not nobody_at(row)
            }
        if soon:
            time.sleep(_LOOK_SECONDS)


def lift(state: Path, chosen: Chosen, wish: Wish) -> tuple[int, list[str] | None]:
    """Order what is paused to go on: the exit code of that, and the sessions that have to be taken up here.

    Those are None where nothing was chosen, so that all that were left are meant. What nobody is at goes on when it is
    taken up. Raises: UsageError.
    """
    from immy_nornir.history.queries import FILE, Reader

    if not chosen.names and not chosen.many:
        return 0, None
    chosen.refuse_both()
    refuse_strangers(state)
    with Reader(state / FILE) as reader:
        rows = [find(reader, one) for one in chosen.names] or chosen_rows(reader, chosen, wish.kind)
    living = [row for row in rows if row.status in NOT_ENDED and not nobody_at(row)]
    living = [row for row in living if chosen.names or is_paused(row)]
    left = [row for row in rows if nobody_at(row) or (chosen.names and row.status not in NOT_ENDED)]
    paused = [row for row in left if is_paused(row)]
    if chosen.many and len(living) + len(paused) > 1 and not wish.yes:
        ask(wish.kind, [*living, *paused])
    if not living and not paused:
        return 0, [row.id for row in left]
    with _history(state) as history:
        place(history, paused, wish)
        orders = waited_for(history, place(history, living, wish), wish, lambda _rows, _seconds: None)
    form = wish.form if not left else "text"
    code = show(orders, {row.id: row for row in living}, form) if living else 0
    return code, [row.id for row in left]


@contextlib.contextmanager
def _history(state: Path) -> Iterator[History]:
    from immy_nornir.history.store import History
    from immy_nornir.session.engine import SystemClock

    history = History(state, SystemClock(), known_secrets().clean)
    try:
        yield history
    finally:
        history.close()


class _Engines:
    """The engine of this process, made where a session has to be taken over: only that needs the fleet's files."""

    def __init__(self, root: Path, wish: Wish, history: History) -> None:
        self._root = root
        self._wish = wish
        self._history = history
        self._fleet: Fleet | None = None
        self.said: dict[str, str] = {}
        """Why a session was not taken over."""

    def take_over(self, rows: Sequence[SessionRow], seconds: float) -> None:
        """Take sessions over, and bring to their end what is cancelled."""
        from immy_nornir.model.record.run import Pace
        from immy_nornir.plugins import batches
        from immy_nornir.session.approving.beforehand import set_settling
        from immy_nornir.session.taking.taking_up import take_over

        root = self._root
        try:
            if self._fleet is None:
                self._fleet, _ = startup.load(root, self._wish.sources, quiet=True)
        except ImmyError as error:
            why = error.problems[0] if isinstance(error, FilesError) and error.problems else error.message
            self.said |= {row.id: f"the files cannot be read: {why}" for row in rows}
            return
        names, unknown = startup.known_computers(self._fleet.inventory, {row.computer for row in rows})
        self.said |= {row.id: "its computer is not in the inventory" for row in rows if row.computer in unknown}
        engine = startup.engine_of(root, self._history.folder, self._fleet, names, self._wish.sources, self._history)
        lives = take_over(engine, [row.id for row in rows if row.computer not in unknown])
        if lives:
            set_settling(engine, lives)
            batches.settle(engine, lives, Pace(wait=False), seconds)


def refuse_strangers(state: Path) -> None:
    """Raise UsageError for another account than the owner of the state folder, or root."""
    name = foreign_owner(state)
    if name:
        raise UsageError(f"the history in {startup.near(state)} is {name}'s", f"order as {name}, or as root")


def ask(kind: OrderKind, rows: Sequence[SessionRow]) -> None:
    """Ask before many sessions are touched. Raises: UsageError for no, and where nobody can be asked."""
    statuses = Counter(row.status for row in rows)
    told = ", ".join(f"{statuses[one]:,} {STATUSES[one]}" for one in STATUSES if statuses[one])
    about = ", ".join(
        (
            counted(len(rows), "session"),
            counted(len({row.computer for row in rows}), "computer"),
            counted(len({row.tenant for row in rows}), "tenant"),
        )
    )
    say(f"{kind}: {about} ({told}).", err=True)
    if not startup.is_terminal():
        raise UsageError("nobody is there who could say yes", "add --yes")
    say("Go on? [y, N]: ", err=True, nl=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("the operator said no; nothing was ordered")


# --- the answers ----------------------------------------------------------------------------------------------


def show(
    orders: Sequence[Order],
    rows: dict[str, SessionRow],
    form: str,
    said: dict[str, str] | None = None,
) -> int:
    """Tell what became of orders; the exit code: 1 where one was refused, 5 where one is open."""
    said = said or {}
    if form == "json":
        document = {"schema_version": SCHEMA_VERSION, "orders": [_plain(one, rows, said) for one in orders]}
        say_json(json.indented(document))
    elif not orders:
        say("no session that has not ended", err=True)
    else:
        table.show(("SESSION", "COMPUTER", "ORDER", "ANSWER"), list(_cells(orders, rows, said)))
    if any(one.state is OrderState.REFUSED for one in orders):
        return 1
    return 5 if any(one.state is OrderState.OPEN for one in orders) else 0


def _plain(one: Order, rows: dict[str, SessionRow], said: dict[str, str]) -> dict[str, Any]:
    row = rows.get(one.session_id)
    return {
        **dataclasses.asdict(one),
        "answer": _answer(one, said),
        "computer": "" if row is None else row.computer,
        "status": "" if row is None else row.status,
    }


def _cells(
    orders: Sequence[Order], rows: dict[str, SessionRow], said: dict[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    for one in orders:
        row = rows.get(one.session_id)
        answer = _answer(one, said)
        if row is not None and row.status not in NOT_ENDED and answer == "cancelling":
            answer = f"{STATUSES[row.status]}: {row.reason}"
        yield one.session_id, "" if row is None else row.computer, _state(one), answer


def _state(one: Order) -> str:
    return one.kind.value if one.state is OrderState.DONE else f"{one.kind.value}: {one.state.value}"


def _answer(one: Order, said: dict[str, str]) -> str:
    if one.state is not OrderState.OPEN:
        return one.answer
    why = said.get(one.session_id) or "nobody has answered yet"
    return f"{why}; whoever is at the session, or takes it up, carries it out"
