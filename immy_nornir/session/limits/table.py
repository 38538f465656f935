"""Who has which slots and who waits for them: a plain structure, which its owner guards with its lock.

Whoever waits has a rank, which is the order of first coming and stays until it has left: so who has begun comes before
who has not. All that is wanted is given in one go. In each queue those before count as if they had it already: nobody
is passed for ever, and whoever is first everywhere gets its slots when those who have them end. A wait for the sessions
of other groups stands in no queue before they are done: it would keep from its place whom it waits for.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from immy_nornir.model.control.limits import Slot
from immy_nornir.text.plain import and_more

_NAMED = 3


@dataclass(slots=True)
class _Asking:
    """What somebody waits for."""

    slots: Sequence[Slot]
    after: Sequence[str]
    queued: tuple[str, ...] = ()
    """In which queues it stands."""


@dataclass(slots=True)
class _Count:
    """One limit."""

    slot: Slot
    users: dict[str, None] = field(default_factory=dict)
    queue: list[tuple[int, str]] = field(default_factory=list)
    """Rank and name of those who wait, in order."""


class Table:
    """Names of sessions in, names of those that may go on out."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._held: dict[str, set[str]] = {}
        self._asking: dict[str, _Asking] = {}
        self._ranks: dict[str, int] = {}
        self._next = 0
        self._present: dict[str, dict[str, None]] = {}
        self._barred: dict[str, dict[str, None]] = {}
        """Group -> those who wait for its sessions."""

    def ask(self, who: str, slots: Sequence[Slot], after: Sequence[str] = (), *, force: bool = False) -> bool:
        """Whether all of this is `who`'s now; else it waits for all of it. By force it is, whatever the limits say."""
        if who not in self._ranks:
            self._ranks[who], self._next = self._next, self._next + 1
        self._unask(who)
        raised = [key for slot in slots if self._count(slot) for key in (slot.key,)]
        if force:
            for slot in slots:
                self._have(who, slot)
            return True
        self._asking[who] = _Asking(slots, after)
        self._line_up(who)
        if self._may(who):
            self._grant(who)
        for key in raised:
            self._look(key, [])
        return who not in self._asking

    def keep(self, who: str, keys: Collection[str] = ()) -> list[str]:
        """Give back all but these; who got what it waited for by that. It goes on waiting for what it asked for."""
        freed = [key for key in self._held.get(who, ()) if key not in keys]
        for key in freed:
            self._held[who].discard(key)
            self._counts[key].users.pop(who, None)
        if who in self._asking:
            self._step_out(who)
            self._line_up(who)
        return self._freed(freed)

    def leave(self, who: str) -> list[str]:
        """Give everything back and wait for nothing; who got what it waited for by that."""
        asking = self._asking.get(who)
        touched = [*(asking.queued if asking is not None else ()), *self._held.get(who, ())]
        self._unask(who)
        for key in self._held.pop(who, ()):
            self._counts[key].users.pop(who, None)
        self._ranks.pop(who, None)
        woken = self._freed(touched)
        for key in set(touched):
            count = self._counts.get(key)
            if count is not None and not count.users and not count.queue:
                del self._counts[key]
        return woken

    def held(self, who: str) -> frozenset[str]:
        """What somebody has."""
        return frozenset(self._held.get(who, ()))

    def shared(self, who: str) -> frozenset[str]:
        """What of it other processes have a word in."""
        return frozenset(key for key in self._held.get(who, ()) if self._counts[key].slot.shared)

    def waits(self, who: str) -> bool:
        """Whether somebody has asked for what it has not got."""
        return who in self._asking

    def waiting(self) -> int:
        """How many wait."""
        return len(self._asking)

    def used(self, key: str) -> int:
        """How many slots of a limit are taken."""
        return len(self._counts[key].users) if key in self._counts else 0

    # --- groups whose sessions are waited for ---

    def come(self, who: str, groups: Iterable[str]) -> None:
        """Somebody is at work, or will be, who holds others back."""
        for group in groups:
            self._present.setdefault(group, {})[who] = None

    def go(self, who: str) -> list[str]:
        """It is done; who got what it waited for by that."""
        woken: list[str] = []
        for group in [name for name, those in self._present.items() if who in those]:
            del self._present[group][who]
            if self._present[group]:
                continue
            del self._present[group]
            for barred in list(self._barred.pop(group, ())):
                self._step_out(barred)
                self._line_up(barred)
                if self._may(barred):
                    self._grant(barred)
                    woken.append(barred)
        return woken

    def why(self, who: str) -> tuple[str, Slot | None, tuple[str, ...]]:
        """For what somebody waits: a group whose sessions are not done, or a limit; and who is there."""
        asking = self._asking[who]
        for group in asking.after:
            if there := self._present.get(group):
                return group, None, tuple(there)
        for key in asking.queued:
            count = self._counts[key]
            if self._place(count, who) + len(count.users) >= count.slot.most:
                return "", count.slot, tuple(count.users)
        return "", None, ()

    # --- inside ---

    def _count(self, slot: Slot) -> bool:
        """Know a limit by its newest number; whether that has risen."""
        count = self._counts.get(slot.key)
        if count is None:
            self._counts[slot.key] = _Count(slot)
            return False
        risen = slot.most > count.slot.most
        count.slot = slot
        return risen

    def _line_up(self, who: str) -> None:
        """Stand in the queue of each slot that is missing, unless others have to be done first."""
        asking = self._asking[who]
        barring = [group for group in asking.after if self._present.get(group)]
        for group in barring:
            self._barred.setdefault(group, {})[who] = None
        held = self._held.get(who, ())
        missing = {} if barring else {slot.key: slot for slot in asking.slots if slot.key not in held}
        asking.queued = tuple(missing)
        for key, slot in missing.items():
            bisect.insort(self._counts.setdefault(key, _Count(slot)).queue, (self._ranks[who], who))

    def _step_out(self, who: str) -> None:
        asking = self._asking[who]
        for key in asking.queued:
            queue = self._counts[key].queue
            del queue[bisect.bisect_left(queue, (self._ranks[who], who))]
        asking.queued = ()
        for group in asking.after:
            self._barred.get(group, {}).pop(who, None)

    def _unask(self, who: str) -> None:
        if who in self._asking:
            self._step_out(who)
            del self._asking[who]

    def _place(self, count: _Count, who: str) -> int:
        return bisect.bisect_left(count.queue, (self._ranks[who], who))

    def _may(self, who: str) -> bool:
        asking = self._asking[who]
        if any(self._present.get(group) for group in asking.after):
            return False
        counts = [self._counts[key] for key in asking.queued]
        return all(self._place(count, who) + len(count.users) < count.slot.most for count in counts)

    def _grant(self, who: str) -> None:
        asking = self._asking[who]
        self._unask(who)
        for slot in asking.slots:
            self._have(who, slot)

    def _have(self, who: str, slot: Slot) -> None:
        self._counts.setdefault(slot.key, _Count(slot)).users[who] = None
        self._held.setdefault(who, set()).add(slot.key)

    def _freed(self, keys: Iterable[str]) -> list[str]:
        woken: list[str] = []
        for key in keys:
            self._look(key, woken)
        return woken

    def _look(self, key: str, woken: list[str]) -> None:
        """Give their slots to those whose place in this queue is good enough now, if it is so in their others, too."""
        count = self._counts.get(key)
        if count is None or not count.queue:
            return
        for _, who in count.queue[: max(0, count.slot.most - len(count.users))]:
            if self._may(who):
                self._grant(who)
                woken.append(who)


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more."""
    more = and_more(len(names) - _NAMED)
    return f"{', '.join(names[:_NAMED])}{more}"
