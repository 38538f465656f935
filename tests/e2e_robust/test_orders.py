"""Orders from another shell: cancelled, paused, resumed, rebooted, by whoever is at a session, or by who orders."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


def order(one: Fleet, *arguments: str, expect: int = 0) -> list[dict[str, Any]]:
    """Order something in a shell of its own; what became of it."""
    document = json.loads(one.immy("sessions", *arguments, "--format", "json", expect=expect))
    listed: list[dict[str, Any]] = document["orders"]
    return listed


def items(one: Fleet) -> list[str]:
    return [str(event["item"]) for event in one.lab.events("installer_started")]


def test_what_is_cancelled_begins_nothing_new_after_the_action_under_way(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: len(items(one)) == 2)
        (said,) = order(one, "cancel", "pc001", "--reason", "the wrong day")
        assert said["state"] == "done"
        assert said["answer"].startswith("cancelling: the job of software/alpha runs a package manager and ends at ")
        assert "cancelling, by " in one.sessions("pc001")[0]["reason"]
        one.lab.release()
        assert process.wait(ENOUGH) == 1
        assert one.statuses() == {"pc001": "cancelled", "pc002": "passed"}
        assert items(one).count("software/beta") == 1
        row = one.sessions("pc001")[0]
        assert row["reason"].startswith("cancelled by ")
        assert "the wrong day" in row["reason"]
        (ended,) = order(one, "cancel", "pc001")
        assert (ended["state"], ended["answer"]) == ("done", "the session has ended: cancelled")
        order(one, "pause", "pc001", expect=1)


__all__ = ["Knobs", "kill", "signal"]
