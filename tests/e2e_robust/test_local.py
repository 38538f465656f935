"""A real installer on this very machine outlives a killed immy, is not started again, and its end is recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from immy_nornir.lab import Lab
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, kill, write

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="local computers are POSIX ones")]

BOOK = "- {name: here, hosts: localhost, maintenance: full}\n"
INSTALL = """echo begun >> "$IMMY_FOLDER/counter"
printf 'first line\\n'
while [ ! -e "$IMMY_FOLDER/go" ]; do sleep 0.1; done
touch "$IMMY_FOLDER/installed"
printf 'last line\\n'
"""
FILES = {
    "inventory/hosts.yml": "all: {hosts: {localhost: {ansible_connection: local}}}\n",
    "playbooks/here.yml": BOOK,
    "tasks/maintenance/thing/task.yml": (
        "platform: linux\nparameters: {folder: {type: text, required: true}}\ntest: test.sh\nset: set.sh\n"
    ),
    "tasks/maintenance/thing/test.sh": 'test -e "$IMMY_FOLDER/installed"\n',
    "tasks/maintenance/thing/set.sh": INSTALL,
    "tasks/software/app/software.yml": (
        "platform: linux\nparameters: {folder: {type: text, required: true}}\n"
        "detect: {script: detect.sh}\nversions: [{version: '1.0'}]\ninstall: {script: install.sh}\n"
    ),
    "tasks/software/app/detect.sh": 'test -e "$IMMY_FOLDER/installed" && echo 1.0\nexit 0\n',
    "tasks/software/app/install.sh": INSTALL,
}


@pytest.fixture
def here(tmp_path: Path) -> Fleet:
    write(tmp_path, FILES)
    spool = tmp_path / "spool"
    return Fleet(tmp_path, Lab([], folder=tmp_path / "lab"), {"IMMY_SPOOL": str(spool)})


def deploy(one: Fleet, item: str) -> Path:
    folder = one.root / "effects"
    folder.mkdir()
    rule = {"item": item, "target": "localhost", "params": {"folder": str(folder)}}
    rule |= {"mode": "enforce"} if item.startswith("task/") else {"state": "latest"}
    write(one.root, {"playbooks/deployments/here.yml": json.dumps([rule])})
    return folder


@pytest.mark.parametrize("item", ["task/thing", "software/app"])
@pytest.mark.parametrize("again", [("run", "playbooks/here.yml", "--yes"), ("sessions", "resume")])
@pytest.mark.sampled
def test_an_installer_outlives_its_killed_immy(here: Fleet, item: str, again: tuple[str, ...]) -> None:
    folder = deploy(here, item)
    process = here.start("run", "playbooks/here.yml", "--yes")
    eventually((folder / "counter").exists)
    kill(process)
    assert not (folder / "installed").exists()
    assert here.statuses() == {"localhost": "interrupted"}

    process = here.start(*again)
    eventually(lambda: here.statuses()["localhost"] in ("running", "waiting"))
    (folder / "go").touch()
    assert process.wait(ENOUGH) == 0

    assert (folder / "counter").read_text() == "begun\n"
    shown = here.show("localhost")
    assert shown["session"]["status"] == "passed"
    [job] = shown["jobs"]
    assert (job["state"], job["exit_code"]) == ("finished", 0)
    assert job["output"].splitlines() == ["first line", "last line"]
    here.immy("run", "playbooks/here.yml", "--yes")
    assert (folder / "counter").read_text() == "begun\n"


def test_an_installer_that_was_killed_too_is_begun_again_because_detection_says_so(here: Fleet) -> None:
    folder = deploy(here, "task/thing")
    script = 'echo "$PPID $$" > "$IMMY_FOLDER/pids"\n' + INSTALL
    write(here.root, {"tasks/maintenance/thing/set.sh": script})
    process = here.start("run", "playbooks/here.yml", "--yes")
    eventually((folder / "counter").exists)
    kill(process)
    for pid in (folder / "pids").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    (folder / "go").touch()

    here.immy("sessions", "resume")

    assert (folder / "counter").read_text() == "begun\nbegun\n"
    assert [job["state"] for job in here.show("localhost")["jobs"]] == ["lost", "finished"]


def test_the_reason_of_a_failed_job_is_the_line_that_matters(here: Fleet) -> None:
    """Also where an error made no bad exit code: what the script said stands beside what detection says."""
    said = "E: Unable to locate package foo"
    write(here.root, {"tasks/software/app/install.sh": f"echo begun\necho '{said}' >&2\necho bye\nexit 100\n"})
    deploy(here, "software/app")
    here.immy("run", "playbooks/here.yml", "--yes", "--no-report", expect=1)
    (action,) = here.show("localhost")["session"]["actions"]
    assert (action["outcome_reason"], action["message"]) == ("exit_code", f"exit code 100: {said}")
    write(here.root, {"tasks/software/app/install.sh": "echo 'fatal: licence server refused' >&2\necho bye\n"})
    here.immy("run", "playbooks/here.yml", "--yes", "--no-report", expect=1)
    (action,) = here.show("localhost")["session"]["actions"]
    assert action["outcome_reason"] == "not_converged"
    assert action["message"].startswith("it ended well, but: ")
    assert action["message"].endswith(": fatal: licence server refused")


def test_a_script_task_with_get_shows_before_and_after(here: Fleet) -> None:
    """What `get` cannot say costs nothing: the verdict is the one of `test`."""
    get = 'test -e "$IMMY_FOLDER/installed" && echo on || echo off\n'
    task = FILES["tasks/maintenance/thing/task.yml"] + "get: get.sh\n"
    write(here.root, {"tasks/maintenance/thing/task.yml": task, "tasks/maintenance/thing/get.sh": get})
    folder = deploy(here, "task/thing")
    (folder / "go").touch()
    here.immy("run", "playbooks/here.yml", "--yes", "--no-report")
    (action,) = here.show("localhost")["session"]["actions"]
    assert (action["found"], action["after"]) == ("not compliant: off", "compliant: on")
    write(here.root, {"tasks/maintenance/thing/get.sh": "exit 3\n"})
    here.immy("run", "playbooks/here.yml", "--yes", "--no-report")
    (action,) = here.show("localhost")["session"]["actions"]
    assert (action["found"], action["outcome"]) == ("compliant", "nothing")


def test_what_ran_can_be_tried_by_hand_and_holds_no_secret(here: Fleet) -> None:
    here.environment["THING_PIN"] = "9f-Secret-77"
    task = FILES["tasks/maintenance/thing/task.yml"].replace(
        "required: true}}", "required: true}, pin: {type: secret}}"
    )
    write(here.root, {"tasks/maintenance/thing/task.yml": task})
    folder = deploy(here, "task/thing")
    rule = {"item": "task/thing", "target": "localhost", "mode": "enforce"}
    rule |= {"params": {"folder": str(folder), "pin": {"secret": "env:THING_PIN"}}}  # type: ignore[dict-item]
    write(here.root, {"playbooks/deployments/here.yml": json.dumps([rule])})
    (folder / "go").touch()
    here.immy("run", "playbooks/here.yml", "--yes", "--no-report")
    said = here.immy("sessions", "show", "localhost", "--commands")
    assert "detection, as the user of the connection; it changes nothing" in said
    assert said.index("# test:task/thing") < said.index("task/thing: enforce, attempt 1, as the system account")
    assert f"export IMMY_FOLDER='{folder}'" in said
    assert "export IMMY_PIN='<secret: env:THING_PIN>'" in said
    assert "9f-Secret-77" not in said
    (folder / "installed").unlink()
    done = subprocess.run(["sh", "-c", said], check=False, timeout=ENOUGH, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "first line\nlast line\n")
    assert (folder / "installed").exists()
