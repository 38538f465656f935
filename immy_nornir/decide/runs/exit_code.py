"""The exit code of a command by what became of its sessions: whoever was at them, and whoever watched, say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from immy_nornir.model.record.session import EndReason, Status

_OUTSIDE = (EndReason.EXCLUDED, EndReason.HELD, EndReason.SUPERSEDED)
"""Who is excluded or held on purpose has not failed: else no run over a fleet with such a computer could be fine. A
session whose place another took says nothing."""
_AWAY = (EndReason.AWAY, EndReason.BUSY)
"""A computer that is off, or that somebody else is at work on, did not fail: nothing was done to it."""


@dataclass(frozen=True, slots=True)
class Became:
    """What became of one session."""

    status: Status
    reason: EndReason | None
    """None: it has not ended."""
    elsewhere: bool = False
    """Another process is at work on its computer; that one says what becomes of it."""
    deferred: bool = False
    did: bool = False
    """Whether anything was begun on its computer."""
    pending: bool = False
    """Whether changes are left that it only planned."""


def exit_code(sessions: Sequence[Became], *, check: bool) -> int:
    """Of several codes the first of 130, 2, 1, 6, 5, 4, 0; 2: somebody, or a brake, said no, and nothing was done."""
    sessions = [one for one in sessions if one.reason not in _OUTSIDE]
    ours = [one for one in sessions if not one.elsewhere]
    reached = [one for one in ours if one.status is not Status.MISSED or one.reason not in _AWAY]
    statuses = [one.status for one in reached]
    if Status.INTERRUPTED in statuses:
        return 130
    if any(one.reason is EndReason.NOT_APPROVED for one in reached) and not any(one.did for one in reached):
        return 2
    if any(one not in (Status.PASSED, Status.WAITING) for one in statuses):
        return 1
    if len(reached) < len(ours):
        return 6
    if any(one.deferred for one in sessions) or len(ours) < len(sessions):
        return 5
    if check and any(one.pending for one in sessions):
        return 4
    return 0
