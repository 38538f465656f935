"""When the sessions of a wave that wait for somebody's approval are asked about, all together; pure."""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 0.95
"""Once so many have a plan, the others are waited for a while only."""
PATIENCE_SECONDS = 300.0
"""So long: one computer that hangs must not keep all others from their answer."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How far a wave is on its way to one question."""

    since: float | None = None
    """Since when (seconds of a clock that never jumps) nearly all have a plan; None: not yet, or just asked."""

    def after(self, total: int, unplanned: int, now: float) -> Gathering:
        """The gathering as it is now; `unplanned` of `total` sessions that can ask may still do so."""
        if total - unplanned < SHARE * total:
            return Gathering()
        return self if self.since is not None else Gathering(now)

    def is_over(self, unplanned: int, now: float) -> bool:
        """Whether to ask now."""
        return not unplanned or (self.since is not None and now - self.since >= PATIENCE_SECONDS)
