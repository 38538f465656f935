"""`immy doctor` over a lab of computers that are wrong in their ways: each costs itself only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .fleets import PASSWORD, fleet, software_files

pytestmark = pytest.mark.slow

SPECS: dict[str, dict[str, Any]] = {
    "well": {},
    "off": {"misbehave": ("off",)},
    "password": {"misbehave": ("refuse_password",)},
    "hangs": {"misbehave": ("hang",)},
    "constrained": {"misbehave": ("constrained",)},
    "garbage": {"misbehave": ("garbage",)},
    "full": {"disk_free_gb": 0.2, "pending_reboots": ("windows_update",)},
    "plain": {"values": {"doctor": {"administrator": False, "msi_busy": True, "user": f"corp\\ann {PASSWORD}"}}},
}
VARIABLES: dict[str, dict[str, Any]] = {"stranger": {"immy_identity": {"name": "somebody-else"}}}


def test_what_is_wrong_with_each_computer_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    with fleet(tmp_path, [*SPECS, "stranger"], software_files(), specs=SPECS, variables=VARIABLES) as one:
        document = json.loads(one.immy("doctor", "all", "--timeout", "20", "--format", "json", expect=1))
        found = {each["computer"]: {line["check"]: line for line in each["lines"]} for each in document["computers"]}
        verdicts = {each["computer"]: each["health"] for each in document["computers"]}
        assert verdicts == {"well": "ok"} | dict.fromkeys([*list(SPECS)[1:], "stranger"], "problem")
        bad = {
            name: [check for check, line in lines.items() if line["health"] == "problem"]
            for name, lines in found.items()
        }
        assert bad.pop("off") in (["port"], ["login"]), "it takes connections and drops them at once"
        assert bad == {
            "well": [],
            "password": ["login"],
            "hangs": ["answer"],
            "constrained": ["shell"],
            "garbage": ["login"],
            "full": ["disk"],
            "plain": ["rights"],
            "stranger": ["identity"],
        }
        assert "user or password was refused" in found["password"]["login"]["found"]
        assert "windows_update" in found["full"]["reboot"]["found"]
        assert "_MSIExecute" in found["plain"]["packages"]["found"]
        assert PASSWORD not in json.dumps(document)
        assert not one.lab.events("installer_started")
        assert not (one.root / ".immy").exists()

        text = one.immy("doctor", "well,full", expect=1)
        assert "2 looked over: 1 ok, 0 warnings, 1 problem" in text
        assert "  problem  disk       0.2 GB are free on the system's disk\n" in text
        one.immy("doctor", "well")
        assert "did you mean" in (one.immy("doctor", "wel", expect=2) or one.said)
