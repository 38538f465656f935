"""Ordered actions -> phases between reboots, with the fewest planned reboots.

The model. Phases count from 0; between two phases lies exactly one reboot, so every phase but the first begins with
one. An empty first phase means: reboot before anything is done. With p(a) the phase of action a:

    p(b) >= p(a)       b depends on a; inside a phase the given order holds, in which dependencies come first
    p(b) >  p(a)       b depends on a, and a declares `after` or b declares `before`
    p(b) >= 1          b declares `before`, or a reboot is pending before execution

So `before` asks for a reboot between everything that the action builds on and itself, `after` for one between itself
and everything that builds on it. `if_needed` and `never` ask for nothing in the plan. One more reboot ends the session
when an action of the last phase declares `after`. Any number of actions share one reboot.

The earliest possible phases (longest paths) make both the number of phases and the one more at the end as small as they
can be. Among all cuts of that cost the one is taken that keeps the given order: an action moves in front of a reboot,
past actions that stand before it in the order, only if the cost would rise otherwise.

Not here: whether a reboot is allowed, and the order itself (decide.plan.order).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.model.items import RebootNeed

Cut = list[tuple[str, ...]]
Edges = Mapping[str, Collection[str]]
"""For an id, the ids that it depends on."""


@dataclass(frozen=True, slots=True)
class PhaseInput:
    """One action to be cut into a phase."""

    id: str
    need: RebootNeed = RebootNeed.NEVER


def cut(ordered: Sequence[PhaseInput], edges: Edges, pending_reboot: bool) -> Cut:  # noqa: FBT001
    """The phases, ids in the given order; empty when there are no actions.

    `ordered` has dependencies first (edges against it are ignored). Edges may lead through ids that are not among the
    actions. With `pending_reboot` the first phase is empty.
    """
    return _cut(ordered, edges, first=int(pending_reboot), booted=False)


def recut(remaining: Sequence[PhaseInput], edges: Edges) -> Cut:
    """The phases of what is left right after a reboot, planned or not; `remaining` in the order of the plan.

    The reboot serves every `before` whose dependencies are done, so the first phase may hold such actions.
    """
    return _cut(remaining, edges, first=0, booted=True)


def count_reboots(phases: Cut, ordered: Sequence[PhaseInput]) -> int:
    """Planned reboots of a cut: those between its phases, and the one at the end if its last phase asks for it."""
    if not phases:
        return 0
    last = set(phases[-1])
    return len(phases) - 1 + any(one.need is RebootNeed.AFTER and one.id in last for one in ordered)


def _cut(ordered: Sequence[PhaseInput], edges: Edges, *, first: int, booted: bool) -> Cut:
    if not ordered:
        return []
    needs = {one.id: one.need for one in ordered}
    before = _dependencies(ordered, edges)
    earliest: dict[str, int] = {}
    for one in ordered:
        floor = 1 if one.need is RebootNeed.BEFORE and not booted else first
        earliest[one.id] = max((earliest[a] + _gap(needs, a, one.id) for a in before[one.id]), default=floor)
        earliest[one.id] = max(earliest[one.id], floor)
    last = max(earliest.values())
    latest = _latest(ordered, needs, before, earliest, last)
    phase: dict[str, int] = {}
    current = first
    for one in ordered:
        least = max((phase[a] + _gap(needs, a, one.id) for a in before[one.id]), default=0)
        phase[one.id] = min(max(current, earliest[one.id], least), latest[one.id])
        current = max(current, phase[one.id])
    return [tuple(one.id for one in ordered if phase[one.id] == number) for number in range(last + 1)]


def _gap(needs: Mapping[str, RebootNeed], a: str, b: str) -> int:
    return int(needs[a] is RebootNeed.AFTER or needs[b] is RebootNeed.BEFORE)


def _dependencies(ordered: Sequence[PhaseInput], edges: Edges) -> dict[str, set[str]]:
    """Dependencies among the actions: through ids that are not among them, never against the order."""
    place = {one.id: number for number, one in enumerate(ordered)}
    found: dict[str, set[str]] = {}
    for one in ordered:
        waiting, seen = list(edges.get(one.id, ())), set[str]()
        found[one.id] = set()
        while waiting:
            other = waiting.pop()
            if other in seen:
                continue
            seen.add(other)
            if other not in place:
                waiting.extend(edges.get(other, ()))
            elif place[other] < place[one.id]:
                found[one.id].add(other)
    return found


def _latest(
    ordered: Sequence[PhaseInput],
    needs: Mapping[str, RebootNeed],
    before: Mapping[str, set[str]],
    earliest: Mapping[str, int],
    last: int,
) -> dict[str, int]:
    """The last phase in which each action may stand without a further reboot."""
    owed = any(one.need is RebootNeed.AFTER and earliest[one.id] == last for one in ordered)
    latest = {one.id: last - int(one.need is RebootNeed.AFTER and not owed) for one in ordered}
    for one in reversed(ordered):
        for a in before[one.id]:
            latest[a] = min(latest[a], latest[one.id] - _gap(needs, a, one.id))
    return latest
