"""What was written since the last time -> messages that wait, and tickets; stored in one transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from immy_nornir.decide.plan.commands import COMMAND
from immy_nornir.decide.plan.trials import TEST
from immy_nornir.decide.runs.telling.tellings import (
    RUN_KINDS,
    SESSION_KINDS,
    SessionAbout,
    tellings_of,
    tellings_of_occasion,
    tellings_of_run,
)
from immy_nornir.decide.runs.telling.tickets import ItemSeen, Seen, changes_of
from immy_nornir.history.tables import tellings as table
from immy_nornir.history.tables.about import About
from immy_nornir.model.control.telling import OF_COMPUTERS, Channel, Event, Message, Ticket, TicketChange
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.session import Outcome, Status
from immy_nornir.report import words
from immy_nornir.report.build import build
from immy_nornir.telling.asking import asked
from immy_nornir.telling.messages import Clean, News, message_of, messages_of
from immy_nornir.telling.scopes import matches, tenants_for

if TYPE_CHECKING:
    from immy_nornir.history.queries import SessionRow
    from immy_nornir.history.rows import RunRow
    from immy_nornir.history.store import History
    from immy_nornir.history.tables.tellings import Unheard

_NOT_TOLD = (COMMAND, TEST)
"""Types of sessions that somebody began by hand and looks at himself."""
_TIMES = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What the fleet says."""

    channels: Sequence[Channel]
    computers: frozenset[tuple[str, str]] | None
    """All (tenant, computer); None where another inventory was given."""


def collect(history: History, known: Known, now: float, clean: Clean) -> int:
    """Store messages of what has ended or happened since; how many. Raises: HistoryError."""
    kinds = [one.__name__ for one in RUN_KINDS]
    for _ in range(_TIMES):
        found = asked(history, lambda connection: table.unheard(connection, kinds, history.is_alive, now))
        if found is None or not found.anything:
            return 0
        heard = _Collector(history, known, found, now, clean).heard()
        if asked(history, lambda connection: table.keep(connection, found, heard, now)):  # noqa: B023 - called at once
            return len(heard.messages)
    return 0  # others are quicker: they tell it


class _Collector:
    """Reads what belongs to what is unheard, and makes messages of it."""

    def __init__(self, history: History, known: Known, found: Unheard, now: float, clean: Clean) -> None:
        self._history, self._known, self._found, self._now, self._clean = history, known, found, now, clean

    def heard(self) -> table.Heard:
        """All of it."""
        messages: list[Message] = list(self._of_work())
        changes: list[TicketChange] = []
        sessions: list[str] = []
        standing: set[Ticket] = set(self._found.tickets)
        runs = {}
        if self._found.sessions:
            with self._history.read() as reader:
                runs = {one.id: one for one in reader.runs() if one.id in self._found.sessions}
        for run in sorted(runs.values(), key=lambda one: (one.started_at, one.id)):
            ids = self._found.sessions[run.id]
            sessions += ids
            rows = self._rows(run, ids)
            if not rows:
                continue
            its = changes_of(standing, self._seen(rows, standing), self._known.computers)
            standing = (standing | {one.ticket for one in its}) - {
                one.ticket for one in its if one.state.value == "resolved"
            }
            changes += its
            messages += self._of_run(run, rows, its)
        return table.Heard(messages, changes, sessions)

    # --- the operator's own work ---

    def _of_work(self) -> Iterator[Message]:
        for run_id, stamped in self._found.run_entries:
            events = [one for one in tellings_of_run(run_id, stamped) if self._is_wanted(one)]
            tenants = asked(self._history, lambda it: table.tenants_of(it, run_id)) if events else ()  # noqa: B023 - at once
            for event in events:
                yield from self._each(event, tenants)
        for known in self._found.skipped:
            for event in tellings_of_occasion(known):
                yield from self._each(event, [event.tenant] if event.tenant else [])

    def _is_wanted(self, event: Event) -> bool:
        return any(event.kind in channel.events for channel in self._known.channels)

    def _each(self, event: Event, tenants: Sequence[str]) -> Iterator[Message]:
        for channel in self._known.channels:
            if event.kind not in channel.events or event.kind in OF_COMPUTERS:
                continue
            for tenant in tenants_for(channel, tenants):
                yield message_of(channel, event, tenant, self._now, self._clean)

    # --- what runs brought ---

    def _rows(self, run: RunRow, ids: Sequence[str]) -> list[SessionRow]:
        """The sessions that are told of, in the order in which they ended."""
        with self._history.read() as reader:
            spec = reader.run_spec(run.id)
            if spec is not None and spec.check:
                return []
            rows = {one.id: one for one in reader.sessions_of(ids, actions=True)}
        told = (rows[one] for one in ids if one in rows)
        return [one for one in told if one.type not in _NOT_TOLD and one.status is not Status.SUPERSEDED]

    def _seen(self, rows: Sequence[SessionRow], standing: set[Ticket]) -> list[Seen]:
        open_on = {one.computer for one in standing}
        ids = [one.id for one in rows if one.computer in open_on]
        specs = asked(self._history, lambda connection: table.specs(connection, ids)) if ids else {}
        found = []
        for row in rows:
            spec = specs.get(row.id)
            whole = spec is not None and not (spec.items or spec.only or spec.check) and Stage.PLAN in spec.type.stages
            judged = frozenset(one.value for one in spec.type.looks_at) if spec is not None and whole else frozenset()
            kind = row.reason.partition(":")[0]
            items = [ItemSeen(one.id, one.outcome, one.outcome_reason) for one in row.actions]
            contact = kind if kind in words.CONTACT else ""
            found.append(Seen(row.id, row.tenant, row.computer, row.status, row.end_reason, contact, items, judged))
        return found

    def _events(self, rows: Sequence[SessionRow]) -> list[Event]:
        about = {
            one.id: SessionAbout(
                one.id,
                one.run_id,
                one.tenant,
                one.computer,
                [action.id for action in one.actions if action.outcome == Outcome.FAILED],
            )
            for one in rows
        }
        kinds = [one.__name__ for one in SESSION_KINDS]
        entries = asked(self._history, lambda connection: [*table.entries_of(connection, list(about), kinds)])
        return [event for session, stamped in entries for event in tellings_of(about[session], stamped)]

    def _of_run(self, run: RunRow, rows: Sequence[SessionRow], changes: Sequence[TicketChange]) -> Iterator[Message]:
        if not any(channel.events & OF_COMPUTERS for channel in self._known.channels):
            return
        events = self._events(rows)
        with self._history.read() as reader:
            about = reader.about(rows)
        everybody = asked(self._history, table.everybody)
        tenants = sorted({one.tenant for one in rows} | {one.ticket.tenant for one in changes})
        made: dict[str, News] = {}
        for channel in self._known.channels:
            for tenant in tenants_for(channel, tenants):
                if tenant not in made:
                    made[tenant] = self._news(run, rows, events, changes, about, everybody, tenant)
                yield from messages_of(channel, made[tenant], self._now, self._clean)

    def _news(
        self,
        run: RunRow,
        rows: Sequence[SessionRow],
        events: Sequence[Event],
        changes: Sequence[TicketChange],
        about: About,
        everybody: table.Everybody,
        tenant: str,
    ) -> News:
        ours = [one for one in rows if matches(one.tenant, tenant)]
        told = about if not tenant else dataclasses.replace(about, others=everybody.but(tenant))
        report = build(run, ours, generated_at=self._now, only_tenant=tenant, about=told)
        number = 1 + asked(self._history, lambda connection: table.times_told(connection, run.id, tenant))
        return News(
            report,
            number,
            [one for one in events if matches(one.tenant, tenant)],
            [one for one in changes if matches(one.ticket.tenant, tenant)],
            tenant,
            about.titles,
        )
