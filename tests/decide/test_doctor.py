"""The verdict on what a computer says of itself, and what to type: every check of `immy doctor` by a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from immy_nornir.decide.health.doctor import CHECKS, advised, lines_of, worst
from immy_nornir.model.facts import Identity
from immy_nornir.model.health import Health, Line, LookedAt
from immy_nornir.model.items import Platform

SYSTEM: dict[str, Any] = {
    "time": 1005.0,
    "disk_free_gb": 200.0,
    "time_zone": "W. Europe Standard Time",
    "powershell": "5.1.26100.1",
}
TOLD: dict[str, Any] = {
    "user": "CORP\\ann",
    "administrator": True,
    "language_mode": "FullLanguage",
    "max_memory_mb": 2147483647,
    "max_shells": 30,
    "spool": "C:\\ProgramData\\immy\\spool",
    "spool_can": True,
    "spool_free_gb": 100.5,
    "open_jobs": 0,
    "msi_in_progress": "",
    "msi_busy": False,
    "servicing": False,
}
POSIX: dict[str, Any] = {
    "uid": "0",
    "user": "root",
    "shell": "/usr/bin/dash",
    "spool": "/var/lib/immy/spool",
    "spool_can": "yes",
    "spool_free_gb": "10.5",
    "open_jobs": "0",
}


def seen(told: dict[str, Any], system: dict[str, Any], pending: tuple[str, ...] = (), **more: Any) -> LookedAt:
    is_posix = more.pop("posix", False)
    platform = Platform.LINUX if is_posix else Platform.WINDOWS
    zone = {"time_zone": "Europe/Berlin"} if is_posix else {}
    identity = Identity(
        "PC1", "corp", "1-2", "smbios", platform, pending_reboots=pending, system={**SYSTEM, **zone, **system}
    )
    identity = replace(identity, **more.pop("identity", {}))
    base = POSIX if is_posix else TOLD
    return LookedAt(identity, {**base, **told}, 1000.0, 1010.0, {"uuid": "1-2"}, **more)


def test_a_computer_that_is_well_has_a_good_line_for_each_check() -> None:
    lines = lines_of(seen({}, {}))
    assert [one.check for one in lines] == [one.name for one in CHECKS]
    assert {one.health for one in lines} == {Health.OK}
    assert {one.advice for one in lines} == {""}
    posix = lines_of(seen({}, {}, posix=True, kind="ssh"))
    assert [one.check for one in posix] == [one.name for one in CHECKS if one.name != "limits"]
    assert worst(posix) is Health.OK


OK, WARNING, PROBLEM = Health
P: dict[str, Any] = {"posix": True, "kind": "ssh"}
CASES: dict[str, tuple[LookedAt, str, Health, str, str]] = {
    "another machine": (
        seen({}, {}, identity={"uuid": "9-9"}),
        "identity",
        PROBLEM,
        "its uuid is 9-9, expected 1-2",
        "computers accept",
    ),
    "a machine without a number": (
        seen({}, {}, identity={"uuid": ""}),
        "identity",
        WARNING,
        "which machine",
        "immy_identity",
    ),
    "a plain user": (
        seen({"administrator": False}, {}),
        "rights",
        PROBLEM,
        "CORP\\ann is no admin",
        "LocalAccountTokenFilter",
    ),
    "rights that nobody tells": (seen({"administrator": None}, {}), "rights", WARNING, "cannot be told", "whoami"),
    "root through sudo": (seen({}, {}, becomes=True, **P), "rights", OK, "root, through sudo", ""),
    "a user with sudo": (
        seen({"uid": "7", "sudo": "yes"}, {}, **P),
        "rights",
        WARNING,
        "may become it",
        "ansible_become",
    ),
    "a user without": (
        seen({"uid": "7", "user": "ann", "sudo": "no", "sudo_says": "a password is required"}, {}, **P),
        "rights",
        PROBLEM,
        "sudo says no: a password is required",
        "ann ALL=(ALL) NOPASSWD",
    ),
    "a constrained PowerShell": (
        seen({"language_mode": "ConstrainedLanguage"}, {}),
        "shell",
        PROBLEM,
        "ConstrainedLanguage mode",
        "AppLocker",
    ),
    "an old PowerShell": (seen({"powershell": "4.0"}, {}), "shell", PROBLEM, "4.0 is too old", "Framework 5.1"),
    "a PowerShell of no version": (seen({"powershell": "x.y"}, {}), "shell", OK, "PowerShell x.y", ""),
    "a POSIX system without tools": (
        seen({"missing": "awk df"}, {}, **P),
        "shell",
        PROBLEM,
        "missing: awk, df",
        "install",
    ),
    "little memory for a shell": (
        seen({"max_memory_mb": 150}, {}),
        "limits",
        WARNING,
        "MaxMemoryPerShellMB 150",
        "winrm set",
    ),
    "no quota to speak of": (
        seen({"max_memory_mb": 2147483647}, {}),
        "limits",
        OK,
        "MaxMemoryPerShellMB 2147483647",
        "",
    ),
    "few shells": (seen({"max_shells": "2"}, {}), "limits", WARNING, "MaxShellsPerUser 2", "MaxShellsPerUser"),
    "quotas that nobody tells": (
        seen({"max_shells": None, "max_memory_mb": None}, {}),
        "limits",
        OK,
        "cannot be read with these rights",
        "",
    ),
    "a spool that cannot be": (seen({"spool_can": False}, {}), "spool", PROBLEM, "cannot write there", "administrator"),
    "a spool of another user": (seen({"spool_can": "no"}, {}, **P), "spool", PROBLEM, "cannot write there", "root"),
    "a spool without room": (seen({"spool_free_gb": 0.2}, {}), "spool", PROBLEM, "no room", "make room"),
    "jobs that were left": (
        seen({"open_jobs": "2"}, {}, **P),
        "spool",
        WARNING,
        "2 jobs without a result",
        "sessions stuck",
    ),
    "a clock a little ahead": (seen({}, {"time": 1200.0}), "clock", WARNING, "190 seconds ahead of", "w32tm"),
    "a clock far behind": (seen({}, {"time": 100.0}, **P), "clock", PROBLEM, "900 seconds behind", "timedatectl"),
    "a clock within the question": (seen({}, {"time": 1000.1}), "clock", OK, "this machine's", ""),
    "no clock": (seen({}, {"time": True}), "clock", WARNING, "does not tell its time", ""),
    "a small disk": (seen({}, {"disk_free_gb": 3}), "disk", WARNING, "3 GB", "updates"),
    "a full disk": (seen({}, {"disk_free_gb": 0.1}), "disk", PROBLEM, "0.1 GB", "make room"),
    "no disk": (seen({}, {"disk_free_gb": "x"}), "disk", WARNING, "does not tell", ""),
    "an installation left open": (
        seen({"msi_in_progress": "C:\\x.ipi"}, {}),
        "packages",
        WARNING,
        "C:\\x.ipi",
        "reboot",
    ),
    "Windows Installer at work": (
        seen({"msi_busy": True, "servicing": True}, {}),
        "packages",
        WARNING,
        "TiWorker",
        "wait",
    ),
    "apt at work": (
        seen({"locks": "/var/lib/dpkg/lock is held by apt-get (process 7)"}, {}, **P),
        "packages",
        WARNING,
        "held by apt-get (process 7)",
        "ps -fp",
    ),
    "a pending reboot": (
        seen({}, {}, ("windows_update", "file_rename")),
        "reboot",
        WARNING,
        "windows_update, file_rename",
        "reboot=",
    ),
    "a zone that nobody knows": (
        seen({}, {"time_zone": "Mars Time"}),
        "time zone",
        WARNING,
        "Mars Time",
        "immy_time_zone",
    ),
    "no zone": (seen({}, {"time_zone": None}), "time zone", WARNING, "zone", "immy_time_zone"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_told_with_what_to_type(name: str) -> None:
    looked, check, health, found, advice = CASES[name]
    lines = {one.check: one for one in lines_of(looked)}
    assert lines[check].health is health
    assert found in lines[check].found
    assert advice in lines[check].advice
    others = [one.health for one in lines.values() if one.check != check]
    assert set(others) == {OK}, lines


def test_an_answer_of_nonsense_breaks_no_check() -> None:
    values: list[Any] = [None, [], {}, "x", -1, True, 1e308, ["a"]]
    for value in values:
        for posix in (True, False):
            told: dict[str, Any] = dict.fromkeys({*TOLD, *POSIX, "locks", "missing", "sudo"}, value)
            system = dict.fromkeys(SYSTEM, value)
            more: dict[str, Any] = P if posix else {}
            assert lines_of(replace(seen({}, system, **more), told=told))


def test_the_worst_line_is_the_verdict() -> None:
    lines = [Line("a", OK, ""), Line("b", PROBLEM, ""), Line("c", WARNING, "")]
    assert [worst(lines), worst(lines[::2]), worst(lines[:1]), worst([])] == [PROBLEM, WARNING, OK, OK]


@pytest.mark.parametrize(
    ("line", "found", "advice"),
    [
        (Line("login", Health.PROBLEM, "refused (check x)", "check x"), "refused", "check x"),
        (Line("login", Health.PROBLEM, "refused", ""), "refused", "see docs/troubleshooting/login-refused.md"),
        (Line("doctor", Health.PROBLEM, "crashed", ""), "crashed", "see docs/troubleshooting/README.md"),
        (Line("clock", Health.OK, "fine", ""), "fine", ""),
    ],
)
def test_what_is_not_well_has_one_advice(line: Line, found: str, advice: str) -> None:
    assert (advised(line).found, advised(line).advice) == (found, advice)
