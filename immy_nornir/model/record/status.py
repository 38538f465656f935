"""The statuses of a session; apart from what a session is, for commands that only list them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Statuses of a session."""

    CREATED = "created"
    RUNNING = "running"
    WAITING = "waiting"
    PASSED = "passed"
    PARTIALLY_PASSED = "partially_passed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSED = "missed"
    INTERRUPTED = "interrupted"
    SUPERSEDED = "superseded"
    """A newer session of the same work, or changed files, took its place; outside exit codes, waves and percentages."""


TERMINAL = frozenset(
    {
        Status.PASSED,
        Status.PARTIALLY_PASSED,
        Status.FAILED,
        Status.CANCELLED,
        Status.MISSED,
        Status.SUPERSEDED,
    }
)

STATUSES: Mapping[Status, str] = {
    Status.CREATED: "not begun",
    Status.RUNNING: "running",
    Status.WAITING: "waiting",
    Status.PASSED: "passed",
    Status.PARTIALLY_PASSED: "partially passed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.MISSED: "missed",
    Status.INTERRUPTED: "interrupted",
    Status.SUPERSEDED: "superseded",
}
"""What a person reads for them (model.record.words)."""
