"""What is watched from another process: rows of the history -> what is to be seen, with the words of the live picture.

Reads through `history.tables.following`; decides and draws nothing. What a session does is read for those that are at
work, and only when it has changed.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.cli.live.detail import Detail, log_lines
from immy_nornir.cli.live.looking import TENANT
from immy_nornir.cli.live.picture import Here, Row, Seen, row_of, where
from immy_nornir.cli.times import clock
from immy_nornir.decide.runs.exit_code import Became, exit_code
from immy_nornir.decide.runs.run_state import RunState, fold_run
from immy_nornir.model.playbooks import CHANGING, ActionType
from immy_nornir.model.record.run import RunTakenUp
from immy_nornir.model.record.session import EndReason, Status, WaitKind
from immy_nornir.model.record.status import TERMINAL
from immy_nornir.model.record.words import said, waits, word

if TYPE_CHECKING:
    from immy_nornir.history.queries import Reader, RunRow
    from immy_nornir.history.tables.following import Followed

_OPEN = (Status.CREATED, Status.RUNNING, Status.WAITING)
_TIMED = (WaitKind.WINDOW, WaitKind.HOLD, WaitKind.RETRY)
"""Waits whose time is known; of others it is known only when somebody looks again."""
_LINES = 5000
"""So many lines of one computer are kept to scroll through."""
_FAILED = 100
"""So many of those that ended badly are kept for the picture."""
_RANKS = (Status.RUNNING, Status.WAITING, Status.FAILED, Status.PARTIALLY_PASSED, Status.INTERRUPTED, Status.MISSED)


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched: a run, or one session of a computer."""

    run: str = ""
    session: str = ""

    @property
    def name(self) -> str:
        """As it is typed."""
        return self.run or self.session


class Watched:
    """A run, or a session, as the history shows it; for one thread."""

    def __init__(self, reader: Reader, watch: Watch) -> None:
        self._reader = reader
        self.watch = watch
        spec = reader.run_spec(watch.run) if watch.run else None
        sessions = () if spec is None else tuple(spec.sessions)
        self.following = reader.following(watch.run, sessions if watch.run else (watch.session,))
        self._what: dict[str, str] = {}
        """What is done in a session, as far as anything is."""
        self._told: dict[str, Followed] = {}
        """The rows that the figures below are of."""
        self._here: dict[str, Here] = {}
        """By the names that they are shown with."""
        self._names: dict[str, str] = {}
        self._ended: Counter[Status] = Counter()
        self._bad: dict[str, float] = {}
        self._reboots = 0
        self._order: list[str] | None = None
        self._filtered: tuple[str, list[str]] | None = None
        self._run: RunRow | None = None
        self._waves = None if spec is None else RunState(spec)
        self._since = 0.0
        self._detail: Detail | None = None
        self._seen = 0
        self._changed(set(self.following.rows))
        self._read_run()

    @property
    def rows(self) -> Mapping[str, Followed]:
        """The sessions, by id."""
        return self.following.rows

    def look(self) -> bool:
        """Read what is new; whether anything is."""
        changed = self.following.look()
        is_new = self._read_run()
        if self._is_left:  # somebody else may be at its sessions
            changed |= self.following.sweep()
        self._changed(changed)
        return is_new or bool(changed)

    def _read_run(self) -> bool:
        if not self.watch.run:
            return False
        before = self._run
        found = self._reader.runs(1, self.watch.run)
        self._run = found[0] if found else None
        waves = self._waves
        if waves is not None:
            for stamped in self.following.run_news(waves.entries):
                waves = fold_run(waves, stamped)
                if isinstance(stamped.entry, RunTakenUp):
                    self._since = stamped.at
        changed = before != self._run or waves is not self._waves
        self._waves = waves
        return changed

    def _changed(self, ids: Iterable[str]) -> None:
        rows, ids = self.rows, set(ids)
        if not ids:
            return
        self._what |= self.following.said([one for one in ids if rows[one].status is Status.RUNNING])
        jobs = [one for one in ids if rows[one].status is Status.WAITING and _kind(rows[one]) is WaitKind.JOB]
        under_way = self.following.under_way(jobs)
        self._what |= {one: _of_job(rows[one], under_way.get(one)) for one in jobs}
        self._order = None
        for one in ids:
            self._count(rows[one])

    def _count(self, one: Followed) -> None:
        """Take a session into the figures in place of what it was before."""
        before = self._told.get(one.id)
        if before is not None:
            self._ended[before.status] -= 1
            self._reboots -= before.reboots
            self._here.pop(self._names.pop(one.id, ""), None)
            self._bad.pop(one.id, None)
        if one.status is Status.SUPERSEDED:  # another one follows it, or it is nobody's business
            self._told.pop(one.id, None)
            return
        self._told[one.id] = one
        self._ended[one.status] += 1
        self._reboots += one.reboots
        if one.status in (Status.RUNNING, Status.WAITING):
            name = one.computer if one.computer not in self._here else f"{one.computer} ({one.id})"
            self._names[one.id] = name
            self._here[name] = self.here(one)
        elif one.status not in (Status.PASSED, Status.CREATED):
            self._bad[one.id] = one.ended_at or 0.0

    # --- how it stands -----------------------------------------------------------------------------------------------

    @property
    def session(self) -> Followed | None:
        """The one session that is watched, or the one that took its place."""
        one = self.rows.get(self.watch.session)
        while one is not None and one.superseded_by in self.rows:
            one = self.rows[str(one.superseded_by)]
        return one

    @property
    def over(self) -> bool:
        """Whether nobody is at it any more."""
        if not self._is_left:
            return False
        rows = self.rows.values() if self.watch.run else [one for one in (self.session,) if one is not None]
        return not any(one.status in _OPEN and one.owner for one in rows)

    @property
    def _is_left(self) -> bool:
        """Whether the process that began it has ended, or left it."""
        return not self.watch.run or self._run is None or self._run.status != "running"

    @property
    def code(self) -> int:
        """The exit code that the command at it ends with, or would."""
        one = self.session
        rows = [one] if one is not None else list(self.rows.values())
        begun = self.following.begun() if any(row.end_reason == EndReason.NOT_APPROVED for row in rows) else set()
        check = self._waves is not None and self._waves.spec.check
        pending = self.following.pending(CHANGING) if check else set()
        became = [
            Became(
                row.status,
                _reason(row),
                deferred=row.status is Status.WAITING,
                did=row.id in begun,
                pending=row.id in pending,
            )
            for row in rows
        ]
        return exit_code(became, check=check)

    @property
    def command(self) -> str:
        """The command that began the run."""
        return "" if self._run is None else self._run.command

    # --- what is to be seen --------------------------------------------------------------------------------------

    def seen(self, now: float) -> Seen:
        """All sessions, for the picture."""
        ended = {status: number for status, number in self._ended.items() if status not in _OPEN and number}
        failed = [self.row(one, now) for one in heapq.nlargest(_FAILED, self._bad, self._bad.__getitem__)[::-1]]
        run = self._run
        began = now if run is None else run.started_at
        ends = now if run is None or run.ended_at is None or not self.over else run.ended_at
        place = where(self._waves) if self._waves is not None else ""
        pace = self._pace(max(self._since, began), ends)
        return Seen(len(self._told), self._here, ended, failed, self._reboots, place, ends - began, 0, pace, self.over)

    def _pace(self, since: float, ends: float) -> float | None:
        """Seconds for each session that has ended since the run was begun, or taken up again."""
        lately = sum(self._ended[one] for one in self._ended if one not in _OPEN)
        if self._since:
            lately = sum(1 for one in self._told.values() if one.ended_at is not None and one.ended_at >= since)
        return (ends - since) / lately if lately else None

    def here(self, one: Followed) -> Here:
        """A session that somebody is at, or that waits."""
        kind = _kind(one) if one.status is Status.WAITING else None
        until = one.due_at if kind in _TIMED else None
        return Here(one.started_at or one.created_at, one.stage, self.what(one), kind, until)

    def what(self, one: Followed) -> str:
        """What a session does, waits for, or ended with."""
        if one.status is Status.RUNNING or (one.status is Status.WAITING and _kind(one) is WaitKind.JOB):
            return self._what.get(one.id, one.reason)
        return waits(_about(one)) if one.status is Status.WAITING else one.reason

    def row(self, id_: str, now: float) -> Row:
        """One session as a row, whatever it does."""
        one = self.rows[id_]
        if one.status in (Status.RUNNING, Status.WAITING):
            return row_of(one.computer, self.here(one), now)
        elapsed = "" if one.started_at is None else clock((one.ended_at or now) - one.started_at)
        failed = one.status not in (Status.PASSED, Status.CREATED)
        return Row(one.computer, elapsed, word(one.status), one.reason, failed=failed)

    def listed(self, filter_: str) -> list[str]:
        """Ids of the sessions that a text stands in: those at work first, then those that wait, then the ended ones.

        `tenant:NAME` means exactly this tenant.
        """
        if self._order is None:
            self._order, self._filtered = sorted(self._told, key=self._rank), None
        if not filter_:
            return self._order
        if self._filtered is None or self._filtered[0] != filter_:
            tenant, wanted = filter_.removeprefix(TENANT), filter_.casefold()
            exact = filter_.startswith(TENANT)
            told = self._told
            found = [
                one
                for one in self._order
                if (told[one].tenant == tenant if exact else wanted in self._words(told[one]))
            ]
            self._filtered = filter_, found
        return self._filtered[1]

    def _rank(self, id_: str) -> tuple[int, float, str]:
        one = self._told[id_]
        rank = _RANKS.index(one.status) if one.status in _RANKS else len(_RANKS) + (one.status is Status.CREATED)
        return rank, -(one.ended_at or 0.0), one.computer

    def _words(self, one: Followed) -> str:
        return " ".join((one.computer, one.tenant, word(one.status), self.what(one))).casefold()

    def detail(self, id_: str = "") -> Detail:
        """One session with its actions and its last events; without an id the one that is watched."""
        one = self.rows[id_] if id_ else self.session
        if one is None:
            raise KeyError(id_)
        known = self._detail
        if known is None or known.session.id != one.id:
            known = Detail(one, "", ())
            self._seen = 0
        if known.session != one or not known.actions:
            events, self._seen = self.following.of_session(one.id, self._seen)
            actions = self._reader.actions(one.id)
            known = Detail(one, self.what(one), actions, [*known.log, *log_lines(events)][-_LINES:])
        self._detail = known
        return known

    def tenants(self) -> list[tuple[str, Row]]:
        """A row for each tenant, those with most to do first."""
        found: dict[str, Counter[Status]] = {}
        for one in self._told.values():
            found.setdefault(one.tenant, Counter())[one.status] += 1
        order = sorted(found, key=lambda name: (-sum(found[name][one] for one in _OPEN), name))
        return [(name, _of_tenant(name, found[name])) for name in order]


def _of_tenant(name: str, counts: Counter[Status]) -> Row:
    done = sum(number for status, number in counts.items() if status not in _OPEN)
    told = ", ".join(f"{counts[one]:,} {word(one)}" for one in Status if counts[one])
    return Row(name, f"{done:,}/{sum(counts.values()):,}", "", told)


def _kind(one: Followed) -> WaitKind | None:
    kind = one.waiting.partition(": ")[0]
    return WaitKind(kind) if kind in set(WaitKind) else None


def _about(one: Followed) -> str:
    return one.waiting.partition(": ")[2] if _kind(one) is not None else one.waiting


def _of_job(one: Followed, under_way: tuple[str, str] | None) -> str:
    """As the live picture says it."""
    about = _about(one)
    if under_way is None:
        return waits(about)
    item, kind = under_way
    return about.replace(f"the job of {item}", f"{item}: {said(kind, ActionType)} under way")


def _reason(one: Followed) -> EndReason | None:
    if one.status not in TERMINAL:
        return None
    return EndReason(one.end_reason) if one.end_reason in set(EndReason) else EndReason.UNKNOWN
