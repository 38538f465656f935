"""Moments and lengths of time on screens: the operator's local time, with its offset from UTC said once.

A screen makes one `Zone` of all its moments. JSON has seconds since 1970 or ISO in UTC, and reports are in UTC: they
are read elsewhere. What a computer does by its own clock, such as its window, is told in its own zone, which is named.
"""

from __future__ import annotations

import time
from collections.abc import Iterable


def offset_of(at: float) -> str:
    """The operator's offset from UTC at a moment, such as `UTC+02:00`."""
    text = time.strftime("%z", time.localtime(at))
    return f"UTC{text[:3]}:{text[3:5]}"


class Zone:
    """How the moments of one screen are written: those of one offset without it, others each with its own."""

    def __init__(self, moments: Iterable[float | None]) -> None:
        offsets = {offset_of(at) for at in moments if at is not None}
        self._shared = len(offsets) <= 1
        self.offset = next(iter(offsets), "") if self._shared else "local"
        """What is said once: the offset, or that each moment has its own."""

    def when(self, at: float | None) -> str:
        """A moment; empty when there is none."""
        if at is None:
            return ""
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        return text if self._shared else f"{text} {offset_of(at)}"


def clock(seconds: float) -> str:
    """A length of time for columns: `0:07`, `12:05`, `3:07:00`."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
