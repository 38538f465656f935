"""Which sessions an operator means: by id or its beginning, by computer, all of a run, of a tenant, of the history."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.errors import UsageError
from immy_nornir.model.control.orders import OrderKind
from immy_nornir.model.record.status import Status

if TYPE_CHECKING:
    from immy_nornir.history.queries import Reader, SessionRow

NOT_ENDED = (Status.CREATED, Status.RUNNING, Status.WAITING, Status.INTERRUPTED)


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
    rows = reader.sessions(Asked(run, None, chosen.tenant, NOT_ENDED))
    if not rows:
        check_names(reader, run=run, tenant=chosen.tenant)
    return rows[::-1]


def _named(reader: Reader, name: str, kind: OrderKind) -> list[SessionRow]:
    """A session, or those of a computer that have not ended; where all have, the newest."""
    from immy_nornir.history.queries import Asked

    of_computer = (
        [] if reader.sessions(Asked(ids=[name])) else reader.sessions(Asked(computer=name, statuses=NOT_ENDED))
    )
    at_work = [row for row in of_computer if not nobody_at(row)]
    if kind is OrderKind.REBOOT and at_work:  # whoever waits somewhere does not reboot
        return at_work
    return of_computer[::-1] or [find(reader, name)]


def nobody_at(row: SessionRow) -> bool:
    """Whether no living process is at a session that has not ended."""
    return row.status is Status.INTERRUPTED or (row.status in NOT_ENDED and not row.owner)


def is_paused(row: SessionRow) -> bool:
    """Whether a session is held by a pause, as its row tells it."""
    return row.status in NOT_ENDED and row.reason.startswith("paused by ")


def find(reader: Reader, text: str) -> SessionRow:
    """A session by id, by the beginning of its id, or the newest of a computer.

    Raises: UsageError with what is near.
    """
    from immy_nornir.history.queries import Asked

    exact = reader.sessions(Asked(ids=[text]), actions=True) or reader.sessions(
        Asked(computer=text, limit=1), actions=True
    )
    if exact:
        return exact[0]
    rows = reader.sessions(Asked())
    begins = [row for row in rows if row.id.startswith(text)]
    if len(begins) == 1:
        return reader.sessions(Asked(ids=[begins[0].id]), actions=True)[0]
    if begins:
        raise UsageError(
            f"{len(begins)} sessions begin with '{text}'", f"such as {', '.join(row.id for row in begins[:4])}"
        )
    near = difflib.get_close_matches(text, {name for row in rows for name in (row.id, row.computer)}, 3)
    raise UsageError(
        f"there is no session '{text}'", f"did you mean {' or '.join(near)}?" if near else "immy sessions list"
    )


def check_names(reader: Reader, **asked: str | None) -> None:
    """Raise UsageError for a run, a computer or a tenant that no session has."""
    from immy_nornir.history.queries import Asked

    rows = reader.sessions(Asked())
    known = {
        "run": {row.run_id for row in rows},
        "computer": {row.computer for row in rows},
        "tenant": {row.tenant for row in rows},
    }
    for kind, name in asked.items():
        if name is not None and rows and name not in known[kind]:
            near = difflib.get_close_matches(name, known[kind], 3)
            advice = f"did you mean {' or '.join(near)}?" if near else "immy sessions list shows them"
            raise UsageError(f"no session is of a {kind} '{name}'", advice)
