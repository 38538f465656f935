"""Orders as the command line gives them: for which sessions, the question before many, the answers, the exit code.

The sessions that a process is at are its business: it is waited for until it has answered. Those that nobody is at are
taken over here (session.taking_over).
"""

from __future__ import annotations

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

import click

from immy_nornir.cli import completing, startup, table
from immy_nornir.cli.door import known_secrets, say, say_json
from immy_nornir.errors import FilesError, ImmyError, UsageError
from immy_nornir.model.orders import How, Order, OrderKind, OrderState
from immy_nornir.model.record.status import STATUSES, Status
from immy_nornir.text import json
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from immy_nornir.history.queries import Reader, SessionRow
    from immy_nornir.history.store import History
    from immy_nornir.model.playbooks import Fleet

SCHEMA_VERSION = 1
WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.2
_END_SECONDS = 3.0
"""How much longer a session that was cancelled is given to end, so that its end can be told."""
_OPEN = (Status.CREATED, Status.RUNNING, Status.WAITING, Status.INTERRUPTED)
_TOLD = 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """The sessions that are meant: by id or computer, or all of a run, of a tenant, of the history."""

    names: tuple[str, ...] = ()
    run: str | None = None
    tenant: str | None = None
    all: bool = False

    @property
    def many(self) -> bool:
        """Whether they were not named one by one."""
        return self.all or self.run is not None or self.tenant is not None

    def refuse_both(self) -> None:
        """Raise UsageError for no choice, and for two that contradict each other."""
        if self.names and self.many:
            raise UsageError("sessions are named beside --run, --tenant or --all", "give one or the other")
        if not self.names and not self.many:
            raise UsageError("no session is named", "name sessions or computers, or give --run, --tenant or --all")
        if self.all and (self.run is not None or self.tenant is not None):
            raise UsageError("--all stands beside --run or --tenant", "give one or the other")


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


def choosing(command: Any) -> Any:
    """The options that choose sessions."""
    for option in (
        click.argument("names", nargs=-1, metavar="[SESSION|COMPUTER]...", shell_complete=completing.sessions),
        click.option("--run", "run_id", metavar="RUN", shell_complete=completing.runs, help="All of a run, or `last`."),
        click.option("--tenant", shell_complete=completing.tenants, help="All of this tenant."),
        click.option("--all", "everything", is_flag=True, help="All that have not ended."),
    ):
        command = option(command)
    return command


def asking(command: Any) -> Any:
    """The options that every order has."""
    for option in (
        click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the record."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask, however many they are."),
        click.option(
            "--wait",
            type=click.FloatRange(0),
            default=WAIT_SECONDS,
            show_default=True,
            metavar="SECONDS",
            help="How long an answer is waited for.",
        ),
    ):
        command = option(command)
    return command


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


# --- which sessions -------------------------------------------------------------------------------------------


def chosen_rows(reader: Reader, chosen: Chosen, kind: OrderKind) -> list[SessionRow]:
    """The sessions that are meant, oldest first. Raises: UsageError for names that nothing has."""
    from immy_nornir.history.queries import Asked

    if chosen.names:
        found = [row for name in chosen.names for row in _named(reader, name, kind)]
        return list({row.id: row for row in found}.values())
    run = chosen.run
    if run == "last":
        newest = reader.runs(1)
        run = newest[0].id if newest else None
    rows = reader.sessions(Asked(run, None, chosen.tenant, _OPEN))
    if not rows:
        from immy_nornir.cli.commands.sessions import check_names

        check_names(reader, run=run, tenant=chosen.tenant)
    return rows[::-1]


def _named(reader: Reader, name: str, kind: OrderKind) -> list[SessionRow]:
    """A session, or those of a computer that have not ended; where all have, the newest."""
    from immy_nornir.cli.commands.sessions import find
    from immy_nornir.history.queries import Asked

    of_computer = [] if reader.sessions(Asked(ids=[name])) else reader.sessions(Asked(computer=name, statuses=_OPEN))
    at_work = [row for row in of_computer if not nobody_at(row)]
    if kind is OrderKind.REBOOT and at_work:  # whoever waits somewhere does not reboot
        return at_work
    return of_computer[::-1] or [find(reader, name)]


def nobody_at(row: SessionRow) -> bool:
    """Whether no living process is at a session that has not ended."""
    return row.status is Status.INTERRUPTED or (row.status in _OPEN and not row.owner)


def is_paused(row: SessionRow) -> bool:
    """Whether a session is held by a pause, as its row tells it."""
    return row.status in _OPEN and row.reason.startswith("paused by ")


# --- the order ------------------------------------------------------------------------------------------------


def order(ctx: click.Context, chosen: Chosen, wish: Wish) -> int:
    """Ask where they are many, place the orders, wait for the answers and tell them; the exit code."""
    from immy_nornir.history.queries import FILE, Reader
    from immy_nornir.history.store import History
    from immy_nornir.session.engine import SystemClock

    chosen.refuse_both()
    state = startup.state_of(ctx, startup.root_of(ctx))
    refuse_strangers(state)
    with Reader(state / FILE) as reader:
        rows = chosen_rows(reader, chosen, wish.kind)
    if not rows:
        return show([], {}, wish.form)
    if chosen.many and len(rows) > 1 and not wish.yes:
        _ask(wish.kind, rows)
    history = History(state, SystemClock(), known_secrets().clean)
    engines = _Engines(ctx, wish, history)
    try:
        ids = place(history, rows, wish)
        orders = waited_for(history, ids, wish, engines.take_over)
        with history.read() as reader:
            after = {row.id: row for row in reader.sessions_of([row.id for row in rows])}
    finally:
        history.close()
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
        if any(row.status not in _OPEN for row in now.values()):
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
            soon = {row.id for row in reader.sessions_of(sorted(soon)) if row.status in _OPEN and not nobody_at(row)}
        if soon:
            time.sleep(_LOOK_SECONDS)


class _Engines:
    """The engine of this process, made where a session has to be taken over: only that needs the fleet's files."""

    def __init__(self, ctx: click.Context, wish: Wish, history: History) -> None:
        self._ctx = ctx
        self._wish = wish
        self._history = history
        self._fleet: Fleet | None = None
        self.said: dict[str, str] = {}
        """Why a session was not taken over."""

    def take_over(self, rows: Sequence[SessionRow], seconds: float) -> None:
        """Take sessions over, and bring to their end what is cancelled."""
        from immy_nornir.cli.approving.approval import set_settling
        from immy_nornir.model.record.run import Pace
        from immy_nornir.plugins import batches
        from immy_nornir.session.taking_over import take_over

        root = startup.root_of(self._ctx)
        try:
            if self._fleet is None:
                self._fleet, _ = startup.load(root, self._wish.sources, quiet=True)
        except ImmyError as error:
            why = error.problems[0] if isinstance(error, FilesError) and error.problems else error.message
            self.said |= {row.id: f"the files cannot be read: {why}" for row in rows}
            return
        names, unknown = startup.known_computers(self._fleet.inventory, {row.computer for row in rows})
        self.said |= {row.id: "its computer is not in the inventory" for row in rows if row.computer in unknown}
        state = startup.state_of(self._ctx, root)
        engine = startup.engine_of(root, state, self._fleet, names, self._wish.sources, self._history)
        lives = take_over(engine, [row.id for row in rows if row.computer not in unknown])
        if lives:
            set_settling(engine, lives)
            batches.settle(engine, lives, Pace(wait=False), seconds)


def refuse_strangers(state: Path) -> None:
    """Raise UsageError for another account than the owner of the state folder, or root."""
    if sys.platform == "win32" or not state.exists():
        return
    owner, me = state.stat().st_uid, os.geteuid()
    if me not in (0, owner):
        import pwd

        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = str(owner)
        raise UsageError(f"the history in {startup.near(state)} is {name}'s", f"order as {name}, or as root")


def _ask(kind: OrderKind, rows: Sequence[SessionRow]) -> None:
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
        if row is not None and row.status not in _OPEN and answer == "cancelling":
            answer = f"{STATUSES[row.status]}: {row.reason}"
        yield one.session_id, "" if row is None else row.computer, _state(one), answer


def _state(one: Order) -> str:
    return one.kind.value if one.state is OrderState.DONE else f"{one.kind.value}: {one.state.value}"


def _answer(one: Order, said: dict[str, str]) -> str:
    if one.state is not OrderState.OPEN:
        return one.answer
    why = said.get(one.session_id) or "nobody has answered yet"
    return f"{why}; whoever is at the session, or takes it up, carries it out"
