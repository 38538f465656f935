"""What sessions plan, for people: the same work on many computers is one line; with `-v` computer by computer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from immy_nornir.session.live import LiveSession
    from immy_nornir.session.recap import ActionLine

_NAMED = 3


def plan_lines(sessions: Sequence[LiveSession], *, verbose: bool) -> Iterator[str]:
    """What would be done, most computers first; then the reboots."""
    work: dict[str, list[str]] = {}
    reboots = [live.computer for live in sessions if live.recap.reboots_planned]
    for live in sessions:
        planned = [one for one in live.recap.actions if one.to_do]
        if verbose and (planned or live.recap.reboots_planned):
            yield f"  {live.computer}:"
            yield from (f"    {_work(one)}: {one.why}" for one in planned)
            if live.recap.reboots_planned:
                yield f"    reboots: {live.recap.reboots_planned}"
        for one in planned:
            work.setdefault(_work(one), []).append(live.computer)
    if verbose:
        return
    for text, names in sorted(work.items(), key=lambda each: -len(each[1])):
        yield f"  {text} on {_computers(names)}"
    if reboots:
        yield f"  reboot {_computers(reboots)}"


def _work(one: ActionLine) -> str:
    versions = f" {one.found} -> {one.version}" if one.found and one.version else f" {one.version or one.found}"
    return f"{one.type} {one.id}{versions.rstrip()}"


def _computers(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if names[_NAMED:] else ""
    return f"{len(names):,} computer{'' if len(names) == 1 else 's'}: {', '.join(names[:_NAMED])}{more}"
