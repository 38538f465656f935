"""A computer that is not ready is waited for, looked at again, and not touched before it is; by the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from immy_nornir.lab import Lab

from .fleets import Fleet, write

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="local computers are POSIX ones")]

FOLDER = "parameters: {folder: {type: text, required: true}}\n"
FILES = {
    "inventory/hosts.yml": "all: {hosts: {localhost: {ansible_connection: local}}}\n",
    "playbooks/here.yml": "- name: here\n  hosts: localhost\n  options: {preflight_minutes: 0.01}\n",
    "tasks/maintenance/quiet/task.yml": f"platform: linux\npreflight: true\n{FOLDER}test: test.sh\n",
    "tasks/maintenance/quiet/test.sh": (
        'echo look >> "$IMMY_FOLDER/looks"\n'
        'test -e "$IMMY_FOLDER/ready" && exit 0\n'
        'test -e "$IMMY_FOLDER/broken" && { echo "no clue" >&2; exit 9; }\n'
        "exit 1\n"
    ),
    "tasks/maintenance/thing/task.yml": f"platform: linux\n{FOLDER}test: test.sh\nset: set.sh\n",
    "tasks/maintenance/thing/test.sh": 'test -e "$IMMY_FOLDER/done"\n',
    "tasks/maintenance/thing/set.sh": 'touch "$IMMY_FOLDER/done"\n',
}
RUN = ("run", "playbooks/here.yml", "--yes", "--no-report")


@pytest.fixture
def here(tmp_path: Path) -> Fleet:
    folder = tmp_path / "effects"
    folder.mkdir()
    params = {"folder": str(folder)}
    rules = [{"item": f"task/{name}", "target": "localhost", "params": params} for name in ("quiet", "thing")]
    write(tmp_path, {**FILES, "playbooks/deployments/here.yml": json.dumps(rules)})
    return Fleet(tmp_path, Lab([], folder=tmp_path / "lab"), {"IMMY_SPOOL": str(tmp_path / "spool")})


def test_not_ready_waits_and_ready_begins_and_the_record_says_both(here: Fleet) -> None:
    folder = here.root / "effects"
    here.immy(*RUN, expect=5)
    (row,) = here.sessions()
    assert row["status"] == "waiting"
    assert "not ready: the computer to be ready: task/quiet" in row["waiting"].replace("preflight", "not ready", 1)
    assert not (folder / "done").exists()
    (folder / "broken").touch()
    here.immy("sessions", "resume", "--due", expect=5)
    assert "not known" in here.sessions()[0]["waiting"]
    assert not (folder / "done").exists()
    (folder / "ready").touch()
    here.immy("sessions", "resume", "--due")
    assert (folder / "done").exists()
    shown = here.show("localhost")
    assert shown["session"]["status"] == "passed"
    outcomes = {one["id"]: one["outcome"] for one in shown["session"]["actions"]}
    assert outcomes == {"task/quiet": "nothing", "task/thing": "success"}
    assert any(line["kind"] == "ReadyLooked" and line["text"] == "ready" for line in here.log("localhost"))


def test_what_is_never_ready_is_missed_at_its_deadline_or_failed_and_can_be_switched_off(here: Fleet) -> None:
    folder = here.root / "effects"
    here.immy(*RUN, "--wait", "-o", "preflight_hours=0.0005", "--item", "task/thing", expect=None)
    (row,) = here.sessions()
    assert row["status"] == "missed"
    assert "not ready within 0.0005 hours: task/quiet" in row["reason"]
    here.immy(*RUN, "--wait", "-o", "preflight_hours=0.0005", "-o", "preflight=failed", expect=1)
    assert here.sessions()[0]["status"] == "failed"
    assert not (folder / "done").exists()
    here.immy(*RUN, "--check", expect=4)
    here.immy(*RUN, "-o", "preflight=off")
    assert (folder / "done").exists()
