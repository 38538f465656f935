"""Many computers that reboot at the same time, and few workers: parked sessions hold none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import fleet, software_files

pytestmark = pytest.mark.slow


def test_four_workers_serve_forty_computers_that_reboot(tmp_path: Path) -> None:
    specs = {f"pc{number:03}": {"pending_reboots": ["windows_update"]} for number in range(1, 41)}
    with fleet(tmp_path, 40, software_files(("alpha",), ()), specs=specs) as one:
        one.lab.hold()  # nobody comes back before all have gone
        process = one.start("run", "playbooks/all.yml", "--yes", "-f", "4", "--no-report")
        eventually(lambda: len(one.lab.events("reboot")) == 40)
        assert one.lab.status()["up"] == 0
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert set(one.statuses().values()) == {"passed"}
        assert len(one.lab.events("reboot")) == 40
        assert len(one.installs()) == 40
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
