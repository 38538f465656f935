"""Many computers that reboot at the same time, and few workers: parked sessions hold none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs

from .fleets import Fleet, fleet, software_files

pytestmark = pytest.mark.slow


def absences(one: Fleet) -> list[tuple[float, float]]:
    """From when to when each computer was away."""
    down = {str(event["computer"]): float(str(event["time"])) for event in one.lab.events("reboot")}
    return [(down[str(event["computer"])], float(str(event["time"]))) for event in one.lab.events("booted")]


def test_four_workers_serve_forty_computers_that_reboot(tmp_path: Path) -> None:
    files = software_files(("alpha",), ("alpha",))
    with fleet(tmp_path, 40, files, knobs=Knobs(reboot_seconds=2.0)) as one:
        one.immy("run", "playbooks/all.yml", "--yes", "-f", "4", "--no-report", timeout=120)
        assert set(one.statuses().values()) == {"passed"}
        away = absences(one)
        assert len(away) == 40
        moments = [begin for begin, _ in away]
        assert max(sum(begin <= at < end for begin, end in away) for at in moments) > 3 * 4
        assert set(one.installs().values()) == {1}


def whole(root: Path, computers: int, reboots: tuple[str, ...], seconds: float) -> float:
    root.mkdir()
    knobs = Knobs(reply_delay=0.02, powershell_start=0.6, install_seconds=1.0, reboot_seconds=seconds)
    with fleet(root, computers, software_files(reboots=reboots), knobs=knobs) as one:
        began = time.monotonic()
        one.immy("run", "playbooks/all.yml", "--yes", "-f", "16", timeout=1200)
        took = time.monotonic() - began
        assert set(one.statuses().values()) == {"passed"}
        assert len(one.statuses()) == computers
        assert len(one.lab.events("reboot")) == (computers if reboots else 0)
        return took


@pytest.mark.soak
def test_reboots_of_three_hundred_cost_little_more_than_one(tmp_path: Path) -> None:
    without = whole(tmp_path / "without", 300, (), 20.0)
    with_reboots = whole(tmp_path / "with", 300, ("beta",), 20.0)
    assert with_reboots <= 1.5 * without + 20.0, (without, with_reboots)
