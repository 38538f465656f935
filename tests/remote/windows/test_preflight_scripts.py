"""The sample fleet's preflights in the real PowerShell, as both editions, and in sh: yes, no, and what is no answer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.powershell import PWSH, needs_pwsh
from tests.waiting import ENOUGH

TASKS = Path(__file__).resolve().parents[3] / "tasks" / "maintenance"
NAMES = ("updates_quiet", "mains_power", "not_in_a_call", "backup_quiet")
CALL = r"S-1-5-21-1-2-3-1001\SOFTWARE\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\microphone"
SHOW = r"S-1-12-1-1-2-3-4\Software\Microsoft\MobilePC\AdaptableSettings"
NO_PROCESS = "function Get-Process { throw 'access is denied' }"
WORKS = "function Get-Process { param($Id) [pscustomobject]@{ ProcessName = 'TiWorker'; Id = 7; CPU = %s } }"


def battery(*states: int) -> str:
    rows = ", ".join(
        f"[pscustomobject]@{{ BatteryStatus = {state}; EstimatedChargeRemaining = 40 }}" for state in states
    )
    return f"function Get-CimInstance {{ param($ClassName) @({rows}) }}"


def used(stop: int, key: str = "NonPackaged\\C:#Zoom.exe") -> dict[str, object]:
    return {"HKU": {f"{CALL}\\{key}": {"LastUsedTimeStart": 133000000000000000, "LastUsedTimeStop": stop}}}


CASES: Mapping[str, tuple[str, str, str, Mapping[str, object], str]] = {
    "nothing installs": ("updates_quiet", "", "", {}, "True"),
    "an installer of updates runs": ("updates_quiet", "", "-processes 'wusa pwsh'", {}, "pwsh is at work False"),
    "Windows is set up": (
        "updates_quiet",
        "",
        "",
        {"HKLM": {"SYSTEM\\Setup": {"SystemSetupInProgress": 1}}},
        "Windows is being set up False",
    ),
    "a worker that lingers": ("updates_quiet", WORKS % 5, "-processes TiWorker", {}, "True"),
    "a worker that works": (
        "updates_quiet",
        WORKS % "(Get-Date).Ticks / 1e7",
        "-processes TiWorker",
        {},
        "TiWorker is at work False",
    ),
    "a worker that nobody may look at": ("updates_quiet", WORKS % "$null", "-processes TiWorker", {}, "cannot be read"),
    "processes that nobody may look at": ("updates_quiet", NO_PROCESS, "", {}, "access is denied"),
    "no battery": ("mains_power", "function Get-CimInstance { }", "", {}, "True"),
    "a battery that is charged": ("mains_power", battery(2, 6), "", {}, "True"),
    "a battery that is in use": ("mains_power", battery(2, 1), "", {}, "on battery: 40 % left False"),
    "a battery that says nothing": ("mains_power", battery(10), "", {}, "does not say how it is: BatteryStatus 10"),
    "nobody there": ("not_in_a_call", "", "", {}, "True"),
    "a call": ("not_in_a_call", "", "", used(0), "microphone in use by Zoom.exe False"),
    "a call of a packaged program": ("not_in_a_call", "", "", used(0, "MSTeams_8wek"), "use by MSTeams_8wek False"),
    "a call that is over": ("not_in_a_call", "", "", used(133000000000000001), "True"),
    "a presentation": ("not_in_a_call", "", "", {"HKU": {SHOW: {"Activity": 1}}}, "presentation settings are on False"),
    "a program that presents": ("not_in_a_call", "", "-processes pwsh", {}, "pwsh runs False"),
    "no backup": ("backup_quiet", "", "-processes wbengine", {}, "True"),
    "a backup": ("backup_quiet", "", "-processes 'wbengine pwsh'", {}, "pwsh is at work False"),
    "a backup that nobody may look for": ("backup_quiet", NO_PROCESS, "", {}, "access is denied"),
}


@needs_pwsh
@pytest.mark.slow
@pytest.mark.parametrize("edition", ["5.1", "7"])
def test_in_powershell(tmp_path: Path, edition: str) -> None:
    """One process for all cases: each in a runspace of its own would say the same and take a minute."""
    lines = []
    for number, (task, before, arguments, registry, _) in enumerate(CASES.values()):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(registry))
        script = TASKS / task / "test.ps1"
        call = f"& {{ {before}\n & '{script}' {arguments} }} *>&1 | ForEach-Object {{ [string]$_ }}"
        lines.append(f"$env:PWSH_REGISTRY = '{file}'\ntry {{ $said = {call} }} catch {{ $said = [string]$_ }}")
        lines.append(f"Write-Output ('{number}: ' + ($said -join ' '))")
    file = tmp_path / "all.ps1"
    file.write_text("\n".join(lines))
    environment = {**os.environ, "PWSH_EDITION": edition, "PWSH_REGISTRY": str(tmp_path / "0.json")}
    done = subprocess.run(
        [PWSH, "-NoProfile", "-File", file],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENOUGH,
    )
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    wrong = {
        name: said.get(str(number), done.stderr)
        for number, (name, (*_, wanted)) in enumerate(CASES.items())
        if not said.get(str(number), "").endswith(wanted)
    }
    assert wrong == {}


@needs_pwsh
def test_they_pass_the_check_for_windows_powershell() -> None:
    files = [TASKS / name / "test.ps1" for name in NAMES]
    assert all(file.read_text("utf-8").isascii() for file in files)
    done = subprocess.run([PWSH, "-Check51", *files], capture_output=True, text=True, check=False, timeout=ENOUGH)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def run_sh(file: str, environment: Mapping[str, str], words: Sequence[str] = ()) -> int:
    given = {"PATH": os.environ["PATH"], **environment}
    command = ["sh", str(TASKS / file), *words]
    return subprocess.run(command, env=given, capture_output=True, check=False, timeout=ENOUGH).returncode


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_in_sh(tmp_path: Path) -> None:
    for task in ("updates_quiet", "backup_quiet"):
        assert run_sh(f"{task}/test.sh", {"IMMY_POSIX_PROCESSES": "no-such-program"}) == 0
        assert run_sh(f"{task}/test.sh", {"IMMY_POSIX_PROCESSES": "no-such-program sh"}) == 1
        (tmp_path / "ps").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "ps").chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        assert run_sh(f"{task}/test.sh", {"IMMY_POSIX_PROCESSES": "x", "PATH": path}) == 2, "no answer is no yes"
    supplies = {"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}}
    supplies["hidpp"] = {"type": "Battery", "status": "Discharging", "scope": "Device"}
    for name, values in supplies.items():
        (tmp_path / "power" / name).mkdir(parents=True)
        for key, value in values.items():
            (tmp_path / "power" / name / key).write_text(f"{value}\n")
    given = {"IMMY_POWER_FOLDER": str(tmp_path / "power")}
    assert run_sh("mains_power/test.sh", given) == 1
    (tmp_path / "power" / "BAT0" / "status").write_text("Charging\n")
    assert run_sh("mains_power/test.sh", given) == 0
