"""Actions with their dependencies -> one stable total order.

The order, from strongest to weakest: dependencies first, always; a software's configuration task right after it; class
(prerequisite, software, configuration, post); first / normal / last inside the class; new or changed for the computer;
higher priority; name. An action that something earlier depends on moves up to just before it. Not here: which
dependencies there are, and reboots (decide.plan.phases).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.errors import ImmyError
from immy_nornir.model.items import OrderClass, OrderPlace

_CLASSES = {value: rank for rank, value in enumerate(OrderClass)}
_PLACES = {value: rank for rank, value in enumerate(OrderPlace)}


class CycleError(ImmyError):
    """Dependencies lead back to where they began; `ids` is the circle, each needs the next and the last the first."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        steps = [f"{one} needs {other}" for one, other in zip(ids, [*ids[1:], ids[0]], strict=True)]
        super().__init__(f"dependencies in a circle: {', '.join(steps)}", "remove one of these dependencies")


@dataclass(frozen=True, slots=True)
class OrderKey:
    """What the place of one action depends on; `id` is unique among the actions sorted."""

    id: str
    order_class: OrderClass = OrderClass.SOFTWARE
    order: OrderPlace = OrderPlace.NORMAL
    fresh: bool = False
    """New or changed for this computer since its last session."""
    priority: int = 0
    name: str = ""

    @property
    def rank(self) -> tuple[int, int, bool, int, str, str]:
        """The place without dependencies; smaller comes first."""
        return (_CLASSES[self.order_class], _PLACES[self.order], not self.fresh, -self.priority, self.name, self.id)


def sort(
    actions: Sequence[OrderKey],
    edges: Mapping[str, Collection[str]],
    follows: Mapping[str, str] | None = None,
) -> list[str]:
    """The ids of all actions in the order in which they run; the order of `actions` does not matter.

    `edges` gives for an id what must come before it; ids that are not among the actions are ignored. `follows` gives
    for a configuration task the software that it runs right after, as closely as dependencies allow; it never
    makes a circle. Raises CycleError.
    """
    ranks = {action.id: action.rank for action in actions}
    if not follows and not any(edges.get(one) for one in ranks):  # hardly any computer's items need one another
        return sorted(ranks, key=ranks.__getitem__)
    needs = {one: {before for before in edges.get(one, ()) if before in ranks} for one in ranks}
    _refuse_cycle(needs, ranks)
    followers = _add_followers(needs, ranks, follows or {})
    return _Placing(needs, ranks, followers).all()


_Ranks = Mapping[str, tuple[int, int, bool, int, str, str]]


def _refuse_cycle(needs: Mapping[str, set[str]], ranks: _Ranks) -> None:
    done: set[str] = set()
    for root in sorted(needs, key=ranks.__getitem__):
        path: dict[str, list[str]] = {}  # the ids on the way down, each with what is still to visit
        if root not in done:
            path[root] = sorted(needs[root])
        while path:
            one = next(reversed(path))
            if not path[one]:
                done.add(one)
                del path[one]
                continue
            other = path[one].pop()
            if other in path:
                ids = list(path)
                raise CycleError(ids[ids.index(other) :])
            if other not in done:
                path[other] = sorted(needs[other])


def _reaches(needs: Mapping[str, set[str]], start: str, goal: str) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        one = waiting.pop()
        if one == goal:
            return True
        new = needs[one] - seen
        seen |= new
        waiting.extend(new)
    return False


def _add_followers(needs: dict[str, set[str]], ranks: _Ranks, follows: Mapping[str, str]) -> dict[str, list[str]]:
    """Make every follower need its leader, and the leader what its followers need, wherever that makes no circle."""
    followers: dict[str, list[str]] = {}
    for one in sorted((one for one in follows if one in ranks), key=ranks.__getitem__):
        leader = follows[one]
        if leader in ranks and not _reaches(needs, leader, one):
            needs[one].add(leader)
            followers.setdefault(leader, []).append(one)
    for leader, its in followers.items():
        for one in its:
            for before in sorted(needs[one] - {leader}, key=ranks.__getitem__):
                if not _reaches(needs, before, leader):
                    needs[leader].add(before)
    return followers


class _Placing:
    """One sort: roots in the order of their ranks, each after what it needs, followers directly behind."""

    def __init__(self, needs: Mapping[str, set[str]], ranks: _Ranks, followers: Mapping[str, list[str]]) -> None:
        self._needs = needs
        self._ranks = ranks
        self._followers = followers
        self._placed: dict[str, None] = {}
        self._late: list[str] = []

    def all(self) -> list[str]:
        """Place everything."""
        for root in sorted(self._needs, key=self._ranks.__getitem__):
            self._with_needs(root)
        return list(self._placed)

    def _with_needs(self, root: str) -> None:
        stack = [root]
        while stack:
            one = stack[-1]
            missing = [need for need in self._needs[one] if need not in self._placed]
            if missing and one not in self._placed:
                stack.append(min(missing, key=self._ranks.__getitem__))
                continue
            stack.pop()
            self._place(one)

    def _place(self, one: str) -> None:
        waiting = [one]
        while waiting:
            current = waiting.pop(0)
            if current in self._placed:
                continue
            self._placed[current] = None
            self._late.extend(self._followers.get(current, ()))
            ready = [late for late in self._late if all(need in self._placed for need in self._needs[late])]
            self._late = [late for late in self._late if late not in ready and late not in self._placed]
            waiting = ready + waiting
