"""The service: what is due begins once, whoever dies, waits, or serves what; and says how it is."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import random
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files, write

pytestmark = pytest.mark.slow

ONE = software_files(("alpha",), ())
EACH_MINUTE = """
- name: each minute
  when: "* * * * *"
  zone: UTC
  hosts: tenants
  maintenance: full
  options: {reboot: automatic}
  max_changes: 1000
  max_reboots: 1000
"""
SERVICE = ("schedule", "run")


def schedules(text: str = EACH_MINUTE) -> dict[str, str]:
    """A fleet of one software, with schedules."""
    return {**ONE, "playbooks/schedules.yml": text}


def watched_for(one: Fleet, minutes: float) -> None:
    """As if the service had seen its schedules so long ago for the first time: it was there once, and went away."""
    if not one.state.joinpath("history.db").exists() or not one.sql("SELECT 1 FROM meta WHERE name LIKE 'watch:%'"):
        one.immy(*SERVICE, "--once")
    connection = sqlite3.connect(one.state / "history.db", timeout=ENOUGH)
    sql = (
        "UPDATE meta SET value=json_set(value, '$.since', json_extract(value, '$.since') - ?) WHERE name LIKE 'watch:%'"
    )
    with connection:
        connection.execute(sql, (minutes * 60.0,))
    connection.close()


def occasions(one: Fleet) -> Counter[str]:
    """How many occasions began, and how many were skipped."""
    return Counter(dict(one.sql("SELECT state, count(*) FROM occasions GROUP BY state")))


def status(one: Fleet, expect: int | None = None) -> dict[str, Any]:
    """What `schedule status` says."""
    found: dict[str, Any] = json.loads(one.immy("schedule", "status", "--format", "json", expect=expect))
    return found


def serving(one: Fleet, *arguments: str) -> subprocess.Popen[bytes]:
    """A service that has taken a turn."""
    process = one.start(*SERVICE, *arguments)
    eventually(lambda: status(one).get("pid") == process.pid and "at" in status(one), "the service has taken a turn")
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    """Stop a service as systemd does; it ends with 0."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(ENOUGH) == 0


def test_what_is_due_begins_once_and_a_new_schedule_owes_nothing(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, schedules()) as one:
        one.immy(*SERVICE, "--once")
        assert not occasions(one), "it was not there before"
        watched_for(one, 4)
        one.immy(*SERVICE, "--once")
        found = occasions(one)
        assert found["began"] == 1
        assert found["skipped"] >= 2, "of those that were missed the newest begins"
        assert one.statuses() == {"pc001": "passed", "pc002": "passed"}
        assert set(one.installs().values()) == {1}
        (run,) = json.loads(one.immy("runs", "list", "--format", "json"))["runs"]
        assert run["command"].startswith("immy schedule run: each minute, due 20")
        assert run["status"] == "ended"
        assert (one.state / "reports" / f"{run['id']}.html").exists()
        reasons = {reason for (reason,) in one.sql("SELECT reason FROM occasions WHERE state='skipped'")}
        assert any("is due too" in reason for reason in reasons)
        one.immy("report", "--format", "markdown")


def test_a_service_is_well_while_it_works_and_says_when_it_is_not(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, schedules(EACH_MINUTE.replace("* * * * *", "0 3 * * *"))) as one:
        one.immy("schedule", "status", expect=1)
        process = serving(one)
        found = status(one, expect=0)
        assert found["healthy"]
        assert found["next_at"] is not None
        assert "next: 20" in one.immy("schedule", "status")

        write(one.root, {"playbooks/schedules.yml": EACH_MINUTE.replace("hosts", "hostz")})
        eventually(lambda: not status(one)["healthy"], "it says that the files are bad")
        assert any("hostz" in problem or "files" in problem for problem in status(one, expect=1)["problems"])
        write(one.root, {"playbooks/schedules.yml": EACH_MINUTE.replace("* * * * *", "0 4 * * *")})
        eventually(lambda: status(one)["healthy"], "and that they are good again")

        one.immy(*SERVICE, "--once")
        assert "another service is at work here" in one.said, "cron does not pile up beside it"
        second = one.start(*SERVICE)
        eventually(
            lambda: any("another service is at work here" in text for text in errors(one)), "the second one waits"
        )
        assert second.poll() is None
        assert status(one)["pid"] == process.pid
        kill(process)
        eventually(lambda: status(one).get("pid") == second.pid, "the second one takes over")
        ended(second)
        assert "it was stopped" in status(one, expect=1)["problems"][0]


def errors(one: Fleet) -> list[str]:
    """What all processes said."""
    return [path.read_text("utf-8") for path in one.root.glob("err-*.txt")]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_what_a_service_left_the_next_one_goes_on_with(tmp_path: Path, how: int) -> None:
    with fleet(tmp_path, 2, schedules(), knobs=Knobs(install_seconds=0.5)) as one:
        watched_for(one, 2)
        one.lab.hold()
        process = one.start(*SERVICE)
        eventually(lambda: len(one.lab.events("installer_started")) == 2, "installers are at work")
        process.send_signal(how)
        process.wait(ENOUGH)
        one.lab.release()
        write(one.root, {"playbooks/schedules.yml": EACH_MINUTE + "  paused: enough\n"})
        one.immy(*SERVICE, "--once")
        assert one.statuses() == {"pc001": "passed", "pc002": "passed"}
        assert set(one.installs().values()) == {1}, "nothing ran twice"
        assert occasions(one)["began"] == 1
        assert {row["status"] for row in json.loads(one.immy("runs", "list", "--format", "json"))["runs"]} == {"ended"}


def test_a_night_that_is_over_is_settled_and_nothing_new_begins_at_noon(tmp_path: Path) -> None:
    two = {**software_files(("alpha", "beta"), ()), "playbooks/schedules.yml": EACH_MINUTE}
    with fleet(tmp_path, 1, two) as one:
        watched_for(one, 2)
        one.lab.hold()
        process = one.start(*SERVICE)
        eventually(lambda: bool(one.lab.events("installer_started")), "an installer is at work")
        kill(process)
        one.lab.release()
        connection = sqlite3.connect(one.state / "history.db", timeout=ENOUGH)
        with connection:
            connection.execute("UPDATE occasions SET due_at=due_at-9*3600 WHERE state='began'")
        connection.close()
        write(one.root, {"playbooks/schedules.yml": EACH_MINUTE + "  paused: it is noon\n"})
        one.immy(*SERVICE, "--once")
        (session,) = one.sessions()
        assert session["status"] == "cancelled"
        assert "the time of each minute is over" in session["reason"]
        assert [event["item"] for event in one.lab.events("installer_started")] == ["software/alpha"]
        outcomes = {row["id"]: row["outcome"] for row in one.show(session["id"])["session"]["actions"]}
        assert outcomes == {"software/alpha": "success", "software/beta": "cancelled"}, "and what was done is recorded"


def test_freeze_holds_what_changes_and_what_only_looks_begins(tmp_path: Path) -> None:
    looks = EACH_MINUTE.replace("each minute", "looking").replace("full", "detection")
    with fleet(tmp_path, 1, schedules(EACH_MINUTE + looks)) as one:
        watched_for(one, 1.5)
        (one.root / "FREEZE").write_text("audit\n", encoding="utf-8")
        one.immy(*SERVICE, "--once")
        assert {name for (name,) in one.sql("SELECT DISTINCT schedule FROM occasions WHERE state='began'")} == {
            "looking"
        }
        assert not one.installs()
        (one.root / "FREEZE").unlink()
        one.immy(*SERVICE, "--once")
        assert set(one.installs().values()) == {1}, "it waited, and begins when nothing holds it any more"


def test_deferred_sessions_go_on_when_their_time_comes_or_their_computer_answers(tmp_path: Path) -> None:
    quiet = EACH_MINUTE.replace("* * * * *", "0 3 1 1 *")
    with fleet(tmp_path, 3, schedules(quiet), specs={"pc002": {"misbehave": ("off",)}}) as one:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)
        run = ("run", "playbooks/all.yml", "--yes", "--no-report")
        process = serving(one)
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=25)
        one.immy(*run, "--limit", "pc001", "--window", soon.isoformat(), expect=5)
        one.immy(*run, "--limit", "pc002", "--offline", "apply_on_connect", expect=5)
        one.immy(*run, "--limit", "pc003", "--window", later.isoformat(), expect=5)
        eventually(lambda: one.statuses()["pc001"] == "passed", "its window has opened")
        assert one.statuses()["pc002"] == "waiting"
        machine = one.lab.computers["pc002"]
        machine.spec = dataclasses.replace(machine.spec, misbehave=())
        eventually(lambda: one.statuses()["pc002"] == "passed", "its computer answers")
        assert one.statuses()["pc003"] == "waiting"
        assert len(one.log(one.sessions("pc003")[0]["id"])) < 15, "what waits is not written down again and again"
        ended(process)
        assert set(one.installs().values()) == {1}


def test_a_simulation_says_what_would_begin_and_writes_nothing(tmp_path: Path) -> None:
    hourly = EACH_MINUTE.replace("* * * * *", "0 * * * *")
    with fleet(tmp_path, 2, schedules(hourly)) as one:
        said = one.immy(*SERVICE, "--simulate", "--days", "1", "--start", "2030-01-01T00:30", "--run-minutes", "90")
        lines = said.splitlines()
        assert len(lines) == 24
        assert sum("begins: 2 computers" in line for line in lines) == 12
        assert sum("skipped: the one before is still at work" in line for line in lines) == 12
        assert not (one.state / "history.db").exists() or not occasions(one)


def git(folder: Path, *arguments: str) -> str:
    """Git in a folder, as somebody."""
    command = ["git", "-c", "user.name=An Operator", "-c", "user.email=operator@example.invalid", "-C", str(folder)]
    return subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True, timeout=ENOUGH
    ).stdout.strip()


def pushed(one: Fleet, message: str) -> str:
    """The fleet's files committed and pushed by somebody else's clone; the commit."""
    git(
        one.root,
        "add",
        "-A",
        "inventory",
        "playbooks",
        "tasks",
        *(["FREEZE"] if (one.root / "FREEZE").exists() else []),
    )
    git(one.root, "commit", "-qam", message)
    git(one.root, "push", "-q", "origin", "HEAD:main")
    return git(one.root, "rev-parse", "HEAD")


def test_a_git_ref_is_served_and_the_last_good_commit_stays(tmp_path: Path) -> None:
    with fleet(tmp_path / "work", 1, schedules(EACH_MINUTE.replace("* * * * *", "0 3 1 1 *"))) as one:
        git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
        git(one.root, "init", "-q", "-b", "main")
        git(one.root, "remote", "add", "origin", str(tmp_path / "remote.git"))
        good = pushed(one, "good")
        process = serving(one, "--ref", "origin/main")
        assert status(one, expect=0)["commit"] == good

        write(
            one.root,
            {"playbooks/deployments/all.yml": "- {item: software/alpha, target: nobody_there, state: latest}\n"},
        )
        bad = pushed(one, "bad")
        eventually(lambda: not status(one)["healthy"], "it says that the newest commit is bad")
        found = status(one, expect=1)
        assert found["commit"] == good
        assert bad[:12] in found["problems"][0]
        assert "nobody_there" in found["problems"][0]

        write(one.root, {"playbooks/deployments/all.yml": ONE["playbooks/deployments/all.yml"], "FREEZE": "an audit\n"})
        frozen = pushed(one, "frozen")
        eventually(lambda: status(one)["commit"] == frozen, "it serves the next good one")
        run = ("run", "playbooks/all.yml", "--yes", "--no-report")
        soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=25)).isoformat()
        (one.root / "FREEZE").unlink()  # of the operator's own folder: the ref says it still
        one.immy(*run, "--window", soon, expect=5)
        eventually(lambda: "FREEZE in origin/main" in json.dumps(one.sessions()), "FREEZE of the ref is obeyed")
        assert not one.installs()
        found = json.loads(one.immy("sessions", "stuck", "--format", "json", expect=None))
        assert "FREEZE in origin/main" in json.dumps(found["stuck"])
        ended(process)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(one, marks=pytest.mark.soak) for one in range(3, 50))])
def test_a_service_that_is_killed_at_any_point_begins_nothing_twice_and_loses_nothing(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments to kill at
    many = "".join(EACH_MINUTE.replace("each minute", f"schedule {number}") for number in range(5))
    with fleet(tmp_path, 3, schedules(many), knobs=Knobs(install_seconds=0.3)) as one:
        watched_for(one, 2)
        for _ in range(3):
            process = one.start(*SERVICE)
            reached = chance.choice(
                [
                    lambda: occasions(one)["began"] >= 1,
                    lambda: occasions(one)["began"] >= 4,
                    lambda: bool(one.lab.events("job_created")),
                    lambda: bool(one.lab.events("installer_finished")),
                ]
            )
            eventually(reached, "it has come so far")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 1.5))
            kill(process)
        write(one.root, {"playbooks/schedules.yml": many.replace("  zone: UTC", "  zone: UTC\n  paused: enough")})
        one.immy(*SERVICE, "--once", expect=None)
        assert set(one.installs().values()) == {1}
        began = one.sql("SELECT o.schedule, o.due_at, o.run_id FROM occasions o WHERE o.state='began'")
        assert len({run for _, _, run in began}) == len(began)
        runs = {run for (run,) in one.sql("SELECT id FROM runs")}
        assert {run for _, _, run in began} == runs, "no run without its occasion, no occasion without its run"
        jobs = Counter(str(event["job_id"]) for event in one.lab.events("job_created"))
        assert set(jobs.values()) == {1}
        assert not {row["status"] for row in one.sessions()} & {"running", "created", "interrupted"}
