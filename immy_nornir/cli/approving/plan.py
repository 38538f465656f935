"""What sessions plan, for people: the same work on many computers is one line; with `-v` computer by computer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.model.record.words import word
from immy_nornir.text.plain import and_more, counted

if TYPE_CHECKING:
    from immy_nornir.session.recap import ActionLine, Recap

_NAMED = 3
_LINES = 40
_LATE = 5


@dataclass(frozen=True, slots=True)
class ComputerPlan:
    """What one session would do."""

    computer: str
    actions: Sequence[ActionLine]
    reboots: int
    """Planned."""
    may_reboot: bool = False
    """None is planned, yet one may be needed."""
    late: str = ""
    """Why it may not fit into its window."""


def plan_of(computer: str, recap: Recap) -> ComputerPlan:
    """All that a session would do."""
    actions = [one for one in recap.actions if one.to_do]
    return ComputerPlan(computer, actions, recap.reboots_planned, late=recap.late)


def plan_lines(plans: Sequence[ComputerPlan], *, verbose: bool) -> Iterator[str]:
    """What would be done, most computers first; then the reboots."""
    if verbose:
        for plan in plans:
            yield from _of_computer(plan)
        return
    work: dict[str, list[str]] = {}
    for plan in plans:
        for one in plan.actions:
            work.setdefault(_work(one), []).append(plan.computer)
    ordered = sorted(work.items(), key=lambda each: -len(each[1]))
    for text, names in ordered[:_LINES]:
        yield f"  {text} on {_computers(names)}"
    if ordered[_LINES:]:
        yield f"  and {len(ordered) - _LINES} more kinds of work, each on {len(ordered[_LINES][1])} or fewer"
    if reboots := [plan.computer for plan in plans if plan.reboots]:
        yield f"  reboot {_computers(reboots)}"
    if may := [plan.computer for plan in plans if plan.may_reboot and not plan.reboots]:
        yield f"  reboot if needed {_computers(may)}"
    late = [plan for plan in plans if plan.late]
    yield from (f"  warning: {plan.computer}: {plan.late}" for plan in late[:_LATE])
    if late[_LATE:]:
        yield f"  warning: {len(late) - _LATE} more may not fit into their windows"


def _of_computer(plan: ComputerPlan) -> Iterator[str]:
    if not (plan.actions or plan.reboots or plan.may_reboot):
        return
    yield f"  {plan.computer}:"
    yield from (f"    {_work(one)}: {one.why}" for one in plan.actions)
    if plan.reboots:
        yield f"    reboots: {plan.reboots}"
    elif plan.may_reboot:
        yield "    reboots: if needed"
    if plan.late:
        yield f"    warning: {plan.late}"


def _work(one: ActionLine) -> str:
    versions = f" {one.found} -> {one.version}" if one.found and one.version else f" {one.version or one.found}"
    return f"{word(one.type)} {one.id}{versions.rstrip()}"


def _computers(names: Sequence[str]) -> str:
    more = and_more(len(names) - _NAMED)
    return f"{counted(len(names), 'computer')}: {', '.join(names[:_NAMED])}{more}"
