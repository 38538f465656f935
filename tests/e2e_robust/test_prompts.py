"""People who are asked before a reboot, through the command line: what each says decides, and the record tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs

from .fleets import Fleet, fleet, software_files, write

pytestmark = pytest.mark.slow

BOOK = """
- name: asked
  hosts: tenants:!pc009:!pc010
  maintenance: full
  options: {reboot: prompt, prompt_minutes: 0.08, prompt_later_minutes: [600]}
- name: told
  hosts: pc009:pc010
  maintenance: full
  options: {reboot: automatic, countdown_minutes: 0.05}
"""
PEOPLE: dict[str, dict[str, Any]] = {
    "pc002": {"users": ("CORP\\ann",), "answers": {"CORP\\ann": "now"}},
    "pc003": {"users": ("CORP\\ann",), "answers": {"CORP\\ann": "refuse"}},
    "pc004": {"users": ("CORP\\ann",)},
    "pc005": {"users": ("CORP\\ann",), "answers": {"CORP\\ann": "later 600"}},
    "pc006": {"users": ("CORP\\ann",), "answers": {"CORP\\ann": "now"}, "logons": {"CORP\\ann": "locked"}},
    "pc007": {"users": ("CORP\\ann",), "answers": {"CORP\\ann": "forged"}},
    "pc008": {"users": ("CORP\\ann",), "answers": {"CORP\\ann": "now"}, "role": "server"},
    "pc009": {"users": ("CORP\\ann",)},
    "pc010": {"users": ("CORP\\ann", "CORP\\bob"), "answers": {"CORP\\ann": "now", "CORP\\bob": "now"}},
    "pc011": {"users": ("CORP\\ann", "CORP\\bob"), "answers": {"CORP\\ann": "now", "CORP\\bob": "refuse"}},
}


def reboots(one: Fleet) -> dict[str, int]:
    """How often each computer was rebooted."""
    return dict(one.sql("SELECT computer, reboots FROM sessions"))


def told(one: Fleet, computer: str) -> str:
    """What the log of a computer's session says, as people read it."""
    (row,) = one.sessions(computer)
    return "\n".join(entry["text"] for entry in one.log(row["id"]))


def test_what_people_say_decides_and_the_record_tells_it(tmp_path: Path) -> None:
    files = {**software_files(("alpha",), ("alpha",)), "playbooks/all.yml": BOOK}
    with fleet(tmp_path, 11, files, specs=PEOPLE, knobs=Knobs(install_seconds=0.0)) as one:
        write(one.root, {"playbooks/all.yml": BOOK})
        one.immy("run", "playbooks/all.yml", "--yes", expect=None)
        assert {name for name, number in reboots(one).items() if number} == {"pc001", "pc002", "pc009", "pc010"}
        statuses = one.statuses()
        assert statuses.pop("pc005") == "waiting"
        assert set(statuses.values()) == {"passed"}, statuses
        assert "agreed: CORP\\ann agreed" in told(one, "pc002")
        assert "refused: CORP\\ann said no" in told(one, "pc003")
        assert "refused: CORP\\ann did not answer" in told(one, "pc004")
        assert "refused: CORP\\ann (locked) did not answer" in told(one, "pc006")
        assert "refused: CORP\\ann did not answer" in told(one, "pc007"), "what nobody offered is no answer"
        assert "it is a server" in told(one, "pc008")
        assert not [
            each for each in one.lab.events("job_created") if each["kind"] == "ask" and each["computer"] == "pc008"
        ]
        assert "agreed: the countdown is over" in told(one, "pc009")
        assert "agreed: all who were told agreed" in told(one, "pc010")
        assert "refused: CORP\\bob said no" in told(one, "pc011")
        waiting = json.loads(one.immy("sessions", "stuck", "--format", "json", expect=None))["stuck"]
        (held,) = [each for each in waiting if each["computer"] == "pc005"]
        assert held["causes"][0]["cause"] == "prompt"
        assert "CORP\\ann put it off" in held["causes"][0]["what"]
        report = one.immy("report", "--format", "markdown")
        assert "said no" in report
