"""Orders from another shell: cancelled, paused, resumed, rebooted, by whoever is at a session, or by who orders."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.cli.approving.orders import refuse_strangers
from immy_nornir.errors import UsageError
from immy_nornir.lab import Knobs
from immy_nornir.lab.spec import Misbehaviour
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files, write

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
RULES = "playbooks/deployments/all.yml"
CLOSED = "2999-01-01T00:00"


def order(one: Fleet, *arguments: str, expect: int = 0) -> list[dict[str, Any]]:
    """Order something in a shell of its own; what became of it."""
    document = json.loads(one.immy("sessions", *arguments, "--format", "json", expect=expect))
    listed: list[dict[str, Any]] = document["orders"]
    return listed


def items(one: Fleet, computer: str = "") -> list[str]:
    begun = one.lab.events("installer_started")
    return [str(event["item"]) for event in begun if computer in ("", event["computer"])]


def reason(one: Fleet, computer: str) -> str:
    return str(one.sessions(computer)[0]["reason"])


def told(one: Fleet, session: str) -> list[str]:
    return [str(entry["text"]) for entry in one.log(session)]


def test_what_is_cancelled_begins_nothing_new_after_the_action_under_way(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: len(items(one)) == 2)
        (said,) = order(one, "cancel", "pc001", "--reason", "the wrong day")
        assert said["state"] == "done"
        assert said["answer"].startswith("cancelling: the job of software/alpha runs a package manager and ends at ")
        assert reason(one, "pc001").startswith("cancelling, by ")
        assert "cancelling, by " in one.immy("sessions", "list")
        one.lab.release()
        assert process.wait(ENOUGH) == 1
        assert one.statuses() == {"pc001": "cancelled", "pc002": "passed"}
        assert items(one, "pc001") == ["software/alpha"]
        assert reason(one, "pc001").startswith("cancelled by ")
        assert "the wrong day; 1 done, 1 cancelled" in reason(one, "pc001")
        (over,) = order(one, "cancel", "pc001")
        assert (over["state"], over["answer"]) == ("done", "the session has ended: cancelled")
        order(one, "pause", "pc001", expect=1)


def test_a_paused_session_holds_until_it_is_resumed_and_reboots_when_that_is_ordered(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: bool(items(one)))
        (busy,) = order(one, "reboot", "pc001", expect=1)
        assert busy["answer"].startswith("the job of software/alpha runs a package manager and ends at ")
        (said,) = order(one, "pause", "pc001", "--reason", "a call", "--until", "8h")
        assert said["answer"].startswith("paused after the action under way: the job of software/alpha ")
        one.lab.release()
        eventually(lambda: one.sessions()[0]["waiting"].startswith("pause: paused by "))
        (held,) = order(one, "reboot", "pc001", expect=1)
        assert held["answer"].startswith("it is paused by ")
        shown = one.immy("sessions", "show", "pc001")
        assert "  waiting: paused by " in shown
        assert ": a call (until " in shown
        assert "order 2: pause" in shown
        assert items(one) == ["software/alpha"]
        one.lab.hold()
        (lifted,) = order(one, "resume", "pc001", "--reason", "it is over")
        assert (lifted["state"], lifted["answer"]) == ("done", "goes on")
        eventually(lambda: len(items(one)) == 2)
        (again,) = order(one, "resume", "pc001", expect=1)
        assert again["answer"] == "it is not paused"
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        log = told(one, "pc001")
        assert any(line.startswith("to be paused until ") and line.endswith(": a call") for line in log)
        assert any(line.startswith("goes on: by ") and line.endswith(": it is over") for line in log)
        assert "paused by " in (one.root / "err-0.txt").read_text()


def test_what_waits_for_its_window_reboots_now_and_is_cancelled_at_once(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, software_files(("alpha",), ())) as one:
        process = one.start(*RUN, "--window", CLOSED, "--wait")
        eventually(lambda: len(one.sessions("--status", "waiting")) == 2 if one.state.exists() else False)
        (window,) = order(one, "reboot", "pc001", expect=1)
        assert window["answer"].startswith(f"it would have to wait for window {CLOSED}, which opens ")
        assert order(one, "reboot", "pc001", "--now", "--reason", "it is slow")[0]["state"] == "done"
        eventually(lambda: len(one.lab.events("reboot")) == 1)
        eventually(lambda: one.sessions("pc001")[0]["reboots"] == 1)
        one.immy("sessions", "cancel", "--all", expect=2)
        assert "cancel: 2 sessions, 2 computers, 1 tenant (" in one.said
        assert "add --yes" in one.said
        answers = order(one, "cancel", "--run", "last", "--yes")
        assert [one["answer"] for one in answers] == ["cancelling"] * 2
        assert process.wait(ENOUGH) == 1
        assert set(one.statuses().values()) == {"cancelled"}
        assert items(one) == []
        assert "reboot 1: ordered by " in one.immy("sessions", "show", "pc001")


SETTING = {
    "tasks/maintenance/text/task.yml": "registry: {key: 'HKLM\\SOFTWARE\\Lab', name: text, value: x}\n",
}


def script(text: str, more: str = "") -> dict[str, str]:
    """The files of a task that runs this, and how it is called."""
    name = text.split(maxsplit=1)[0].lower()
    folder = f"tasks/maintenance/{name}"
    files = {f"{folder}/task.yml": f"test: test.ps1\nset: set.ps1\n{more}", f"{folder}/test.ps1": "$true\n"}
    return {**files, f"{folder}/set.ps1": f"{text}\n"}


RUNS = {  # what a job runs: its item, its files, and what stops it
    "pc001": ("task/text", SETTING, "--now"),
    "pc002": ("software/alpha", {}, "--kill-installer"),
    "pc003": ("software/alpha", {}, ""),
    "pc004": ("task/msiexec", script("msiexec /x '{C0}' /qn"), "--kill-installer"),
    "pc005": ("task/install-windowsupdate", script("Install-WindowsUpdate -AcceptAll"), "never"),
    "pc006": ("task/pnputil", script("pnputil /add-driver x.inf"), "never"),
    "pc007": ("task/flash", script("flash x", "runs: firmware\n"), "never"),
    "pc008": ("task/write-output", script("Write-Output x"), "--now"),
    "pc009": ("task/text", {}, "--now"),
}
STOPPED_AT_ONCE = [name for name, (_, _, how) in RUNS.items() if how == "--now"]
KILLED = [name for name, (_, _, how) in RUNS.items() if how == "--kill-installer"]


def switch(one: Fleet, computer: str, *misbehave: Misbehaviour) -> None:
    """Let a computer of the lab misbehave so from now on."""
    there = one.lab.computers[computer]
    there.spec = dataclasses.replace(there.spec, misbehave=misbehave)


def polls(one: Fleet, computer: str, after: float, before: float) -> int:
    """How often a computer was asked for its job in this time."""
    return sum(
        event["op"] == "job.wait" and after < float(str(event["time"])) < before
        for event in one.lab.events("operation", computer)
    )


def check_stops(one: Fleet, back_at: float) -> None:
    """What was stopped, and what the computers were asked between the order and that."""
    stops = {str(event["computer"]): float(str(event["time"])) for event in one.lab.events("job_stopped")}
    assert sorted(stops) == STOPPED_AT_ONCE
    ordered = {str(name): float(at) for name, at in one.sql(ORDERED_AT)}
    for name in ("pc001", "pc008"):
        # Only what was under way when it came is waited for: three seconds at most, and one for the next look.
        assert polls(one, name, ordered[name] + 1.0, stops[name]) <= 1
        (taken,) = one.sql(TAKEN_IN.format(name))
        assert polls(one, name, taken[0], stops[name]) <= 1  # met again with its name, and without a wait
        assert stops[name] - ordered[name] < 5.0 + LATE
    met = min(
        float(str(event["time"]))
        for event in one.lab.events("connected", "pc009")
        if float(str(event["time"])) > back_at
    )
    assert stops["pc009"] - met < 5.0 + LATE
    assert polls(one, "pc009", met, stops["pc009"]) <= 1


LATE = 10.0
"""So much later than promised things may come where others use the machine."""
ORDERED_AT = "SELECT s.computer, o.at FROM orders o JOIN sessions s ON s.id=o.session_id WHERE o.kind='cancel'"
TAKEN_IN = (
    "SELECT e.at FROM entries e JOIN sessions s ON s.id=e.session_id WHERE e.kind='CancelAsked' AND s.computer='{}'"
)


def test_now_stops_settings_within_seconds_and_an_installer_only_by_its_name(tmp_path: Path) -> None:
    files = software_files(("alpha",), ())
    rules = "".join(f"- {{item: {item}, target: {name}, mode: enforce}}\n" for name, (item, _, _) in RUNS.items())
    files[RULES] = rules.replace("alpha, target: pc002, mode: enforce", "alpha, target: pc002").replace(
        "alpha, target: pc003, mode: enforce", "alpha, target: pc003"
    )
    for _, more, _ in RUNS.values():
        files |= more
    with fleet(tmp_path, len(RUNS), files) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: len(items(one)) == len(RUNS))
        switch(one, "pc009", Misbehaviour.OFF)
        eventually(lambda: one.sessions("pc009")[0]["waiting"].startswith("connectivity: "))
        answers = {said["computer"]: said["answer"] for said in order(one, "cancel", "--all", "--now", "--yes")}
        for name in STOPPED_AT_ONCE:
            assert answers[name].endswith(" is stopped as soon as its computer answers"), answers
        left = "cancelling, and not stopped: the job of software/alpha runs a package manager and ends at "
        assert answers["pc002"].startswith(left)
        for name, (item, _, how) in RUNS.items():
            if name not in STOPPED_AT_ONCE:
                assert answers[name].startswith(f"cancelling, and not stopped: the job of {item} runs ")
                assert answers[name].endswith(
                    " at the latest" + ("" if how == "never" else "; --kill-installer stops it")
                ), answers
        eventually(lambda: {one.sessions(name)[0]["status"] for name in ("pc001", "pc008")} == {"cancelled"})
        back_at = time.time()
        switch(one, "pc009")
        eventually(lambda: one.sessions("pc009")[0]["status"] == "cancelled")
        check_stops(one, back_at)
        killed = [name for name in RUNS if name not in STOPPED_AT_ONCE and name != "pc003"]
        order(one, "cancel", *killed, "--kill-installer", "--yes")
        eventually(lambda: {one.sessions(name)[0]["status"] for name in KILLED} == {"cancelled"})
        others = sorted({*STOPPED_AT_ONCE, *KILLED})
        assert sorted(str(event["computer"]) for event in one.lab.events("job_stopped")) == others
        assert all(one.sessions(name)[0]["status"] != "cancelled" for name in RUNS if name not in others)
        one.lab.release()
        assert process.wait(ENOUGH) == 1
        assert set(one.statuses().values()) == {"cancelled"}
        for name in RUNS:
            outcome = one.show(name)["session"]["actions"][0]["outcome"]
            assert outcome == ("cancelled" if name in others else "success"), name


def left_at_alpha(one: Fleet) -> None:
    """A run that was killed while its first installers are at work; they have ended since."""
    one.lab.hold()
    process = one.start(*RUN)
    eventually(lambda: len(items(one)) == len(one.lab.computers))
    kill(process)
    one.lab.release()
    eventually(lambda: len(one.lab.events("installer_finished")) == len(one.lab.computers))


def test_what_nobody_is_at_is_taken_over_by_whoever_orders(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, software_files(("alpha", "beta"), ())) as one:
        left_at_alpha(one)
        (alone,) = order(one, "reboot", "pc001", expect=1)
        assert alone["answer"].startswith("nobody is at it")
        assert order(one, "pause", "pc002")[0]["state"] == "done"
        assert order(one, "cancel", "pc001", "--reason", "gone")[0]["state"] == "done"
        (cancelled,) = one.sessions("pc001")
        assert cancelled["status"] == "cancelled"
        assert "1 done, 1 cancelled" in cancelled["reason"]  # its job was asked for first
        assert one.sessions("pc002")[0]["status"] == "interrupted"
        one.immy("sessions", "resume", expect=5)  # nor does whoever takes up everything lift a pause
        assert one.sessions("pc002")[0]["waiting"].startswith("pause: paused by ")
        assert "pc002: waiting: paused by " in one.immy("sessions", "resume", "--due", expect=5)
        assert items(one, "pc002") == ["software/alpha"]
        one.immy("sessions", "resume", "pc002", "--yes")
        assert one.statuses() == {"pc001": "cancelled", "pc002": "passed"}
        assert items(one, "pc002") == ["software/alpha", "software/beta"]


def test_an_order_without_the_files_stays_open_until_the_session_is_taken_up(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        left_at_alpha(one)
        text = (one.root / RULES).read_text()
        write(one.root, {RULES: "- {itme: x}\n"})
        (said,) = order(one, "cancel", "pc001", expect=5)
        assert said["state"] == "open"
        assert "the files cannot be read: " in said["answer"]
        assert "cancel, open" in one.immy("sessions", "show", "pc001")
        write(one.root, {RULES: text})
        one.immy("sessions", "resume", "--yes", expect=1)
        assert one.statuses() == {"pc001": "cancelled"}
        assert items(one) == ["software/alpha"]


def test_orders_say_what_they_do_not_understand(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy(*RUN, "--window", CLOSED, expect=5)
        for words, why in {
            ("cancel",): "no session is named",
            ("cancel", "pc001", "--all"): "sessions are named beside --run, --tenant or --all",
            ("cancel", "pc01"): "did you mean pc001?",
            ("pause", "--all", "--until", "soon"): "'soon' is no time until which to pause",
            ("pause", "--all", "--until", "2001-01-01"): "is over",
            ("cancel", "--tenant", "tenant9"): "no session is of a tenant 'tenant9'",
        }.items():
            one.immy("sessions", *words, expect=2)
            assert why in one.said, words
        (said,) = order(one, "cancel", "--all")
        assert said["answer"].startswith("cancelling")
        assert one.statuses() == {"pc001": "cancelled"}
        assert order(one, "cancel", "--all") == []


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root becomes somebody else")
def test_root_orders_and_leaves_the_files_to_their_owner(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, software_files(("alpha",), ())) as one:
        one.immy(*RUN, "--window", CLOSED, expect=5)
        owner = 12345
        for path in (one.state, *one.state.rglob("*")):
            os.chown(path, owner, owner)
        for path in one.state.glob("history.db-*"):
            path.unlink()
        order(one, "pause", "pc001")
        paths = [one.state, *one.state.rglob("*")]
        assert {path.stat().st_uid for path in paths} == {owner}, paths
        assert all(path.stat().st_mode & 0o077 == 0 for path in paths if path != one.state)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root becomes somebody else")
def test_another_account_is_told_who_may_order() -> None:
    with tempfile.TemporaryDirectory() as name:  # above pytest's own no other account may look
        folder = Path(name)
        folder.chmod(0o755)
        os.chown(folder, 12345, 12345)
        refuse_strangers(folder)
        os.seteuid(23456)
        try:
            with pytest.raises(UsageError, match=r"the history in .* is 12345's") as refused:
                refuse_strangers(folder)
        finally:
            os.seteuid(0)
        assert refused.value.advice == "order as 12345, or as root"


# --- kills --------------------------------------------------------------------------------------------------------

KINDS = ("cancel", "pause", "reboot", "resume")


def killed_orders(tmp_path: Path, seed: int, count: int) -> None:
    """Kill ordering shells and the owner at any moment, then bring everything to its end."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    with fleet(tmp_path, 4, software_files(reboots=()), knobs=Knobs(install_seconds=0.4, reboot_seconds=0.3)) as one:
        owner = one.start(*RUN)
        eventually(lambda: bool(items(one)))
        for _ in range(count):
            before = placed(one)
            shell = one.start("sessions", chance.choice(KINDS[:3]), chance.choice(sorted(one.lab.computers)))
            if chance.random() < 0.5:  # by the clock alone a busy machine would kill only shells that order nothing yet
                eventually(lambda before=before, shell=shell: placed(one) > before or shell.poll() is not None)  # type: ignore[misc]
            shell_killed(shell, chance)
            if chance.random() < 0.3:
                kill(owner)
                owner = one.start("sessions", "resume", "--due", "--yes")
        kill(owner)
        orders = one.sql("SELECT count(*), count(DISTINCT id) FROM orders")
        one.immy("sessions", "resume", "--all", "--yes", expect=None)
        one.immy("sessions", "cancel", "--all", "--yes", expect=None)
        check_orders(one, orders[0][0])


def placed(one: Fleet) -> int:
    """How many orders there are."""
    return int(one.sql("SELECT count(*) FROM orders")[0][0])


def shell_killed(shell: subprocess.Popen[bytes], chance: random.Random) -> None:
    try:
        shell.wait(chance.choice((0.01, 0.2, chance.uniform(0.2, 3.0))))
    except subprocess.TimeoutExpired:
        kill(shell)


def check_orders(one: Fleet, at_least: int) -> None:
    assert one.sql("PRAGMA integrity_check") == [("ok",)]
    assert {row["status"] for row in one.sessions()} <= {"passed", "cancelled"}, one.sessions()
    assert one.sql("SELECT * FROM orders WHERE state='open'") == []
    (placed,) = one.sql("SELECT count(*) FROM orders")
    assert placed[0] >= at_least
    assert max(one.installs().values()) == 1
    kinds = "'CancelAsked', 'PauseAsked', 'PauseLifted', 'RebootOrdered'"
    entries = one.sql(f"SELECT data FROM entries WHERE kind IN ({kinds})")  # noqa: S608 - words of ours
    numbers = [said["ordered"]["order"] for (data,) in entries if (said := json.loads(data)).get("ordered")]
    assert len(numbers) == len(set(numbers)), "an order was taken in twice"
    done = one.sql("SELECT id FROM orders WHERE state='done' AND answer NOT LIKE 'the session has%'")
    assert set(numbers) == {number for (number,) in done}
    accepted = one.sql("SELECT count(*) FROM entries WHERE kind='RebootOrdered'")
    assert len(one.lab.events("reboot")) <= accepted[0][0]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is what POSIX has")
@pytest.mark.parametrize("seed", range(2))
def test_no_order_is_lost_or_done_twice_whoever_is_killed(tmp_path: Path, seed: int) -> None:
    killed_orders(tmp_path, seed, 4)


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is what POSIX has")
@pytest.mark.parametrize("seed", range(100, 110))
def test_fifty_kills_of_ordering_shells_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    killed_orders(tmp_path, seed, 5)
