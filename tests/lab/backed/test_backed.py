"""Backed computers run their command lines in a real PowerShell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from winrm.protocol import Protocol

from immy_nornir.lab import ComputerSpec, Lab
from tests.lab.client import command_line, protocol, run
from tests.powershell import PWSH, needs_pwsh
from tests.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    needs_pwsh,
]
SPEC = ComputerSpec(
    "PC7",
    "127.1.7.7",
    users=("anna",),
    software=({"name": "7-Zip 24.08 (x64)", "version": "24.08", "publisher": "Igor Pavlov"},),
    time_zone="India Standard Time",
    services={"Spooler": {"state": "running", "startup": "automatic"}},
)
ZONES = r"SYSTEM\CurrentControlSet\Control\TimeZoneInformation"
SAID = "[SC] ChangeServiceConfig SUCCESS\nTrue"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab([SPEC], https_port=None, powershell=[PWSH]) as running:
        yield running


@pytest.fixture
def client(lab: Lab) -> Protocol:
    return protocol(lab, SPEC)


def test_an_encoded_script_reads_stdin_and_gives_its_exit_code(client: Protocol) -> None:
    script = "$all = [Console]::In.ReadToEnd(); 'got ' + $all.Length; exit 7"
    stdout, _, code = run(client, command_line(script), b"x" * 200_000)
    assert (stdout.strip(), code) == (b"got 200000", 7)


def test_errors_of_an_encoded_script_are_clixml(client: Protocol) -> None:
    _, stderr, _ = run(client, command_line("Write-Error 'broken'"))
    assert stderr.startswith(b"#< CLIXML")
    assert b"broken" in stderr


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("$env:COMPUTERNAME", "PC7"),
        ("hostname", "PC7"),
        (rf"(Get-ItemProperty 'HKLM:\{ZONES}').TimeZoneKeyName", "India Standard Time"),
        (
            "(Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\*').DisplayName",
            "7-Zip 24.08 (x64)",
        ),
        ("(Get-CimInstance Win32_ComputerSystemProduct).UUID", SPEC.identity_uuid.upper()),
        ("(Get-Service spooler).Status", "Running"),
        ("Stop-Service Spooler; (Get-Service Spooler).Status", "Stopped"),
        ("Set-Service Spooler -StartupType Manual; (Get-Service Spooler).StartType", "Manual"),
        ("sc.exe config Spooler start= delayed-auto; (Get-CimInstance Win32_Service).DelayedAutoStart", SAID),
        ("[powershell]::Create().AddScript('(Get-CimInstance Win32_OperatingSystem).Caption').Invoke()", SPEC.os),
        ("$env:IMMY_SPOOL.StartsWith($env:ProgramData)", "True"),
    ],
)
def test_what_windows_has_is_there(client: Protocol, script: str, expected: str) -> None:
    stdout, stderr, _ = run(client, command_line(script))
    assert stdout.decode().splitlines() == expected.splitlines(), stderr


def test_a_plain_command_line_runs_too(client: Protocol) -> None:
    stdout, stderr, code = run(client, "hostname")
    assert (stdout.strip(), code) == (b"PC7", 0), stderr


def test_signal_ends_the_whole_tree(client: Protocol, lab: Lab) -> None:
    mark = Path(lab.folder) / "child.pid"
    script = f"& /bin/sh -c 'sleep 100 & echo $! > {mark}; wait'"
    shell = client.open_shell()
    command = client.run_command(shell, command_line(script), console_mode_stdin=False)
    eventually(lambda: mark.exists() and bool(mark.read_text().strip()))
    pid = int(mark.read_text())
    client.cleanup_command(shell, command)
    client.close_shell(shell)
    eventually(lambda: not running(pid))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


TASK = r"""
$write = '[IO.File]::WriteAllText((Join-Path $env:ProgramData "{name}.txt"), $env:COMPUTERNAME)'
$command = "while (-not [IO.File]::Exists('{gate}')) { [Threading.Thread]::Sleep(50) }; $write"
$encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($command))
$action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument "-NoProfile -EncodedCommand $encoded"
$principal = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -ExecutionTimeLimit (New-TimeSpan -Hours 1)
$where = @{ TaskName = '{name}'; TaskPath = '\immy\' }
$null = Register-ScheduledTask @where -Action $action -Principal $principal -Settings $settings
Start-ScheduledTask -TaskName '{name}' -TaskPath '\immy\'
"""


def test_a_scheduled_task_outlives_its_shell(client: Protocol, lab: Lab, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    script = TASK.replace("{gate}", str(gate)).replace("{name}", "job-1")
    _, stderr, code = run(client, command_line(script))
    assert code == 0, stderr
    written = lab.folder / "computers" / "PC7" / "ProgramData" / "job-1.txt"
    assert not written.exists()
    gate.touch()
    eventually(written.exists)
    eventually(lambda: bool(lab.events("installer_finished")))
    assert [one["event"] for one in lab.events() if one.get("job_id") == "job-1"] == [
        "job_created",
        "installer_started",
        "installer_finished",
    ]


def test_a_reboot_ends_tasks_and_changes_the_boot(client: Protocol, lab: Lab, tmp_path: Path) -> None:
    prefetch = "CurrentControlSet\\Control\\Session Manager\\Memory Management\\PrefetchParameters"
    boot = f"(Get-ItemProperty 'HKLM:\\SYSTEM\\{prefetch}').BootId"
    before = int(run(client, command_line(boot))[0])
    run(client, command_line(TASK.replace("{gate}", str(tmp_path / "never")).replace("{name}", "job-2")))
    eventually(lambda: any(one.get("job_id") == "job-2" for one in lab.events("installer_started")))
    pid = next(int(str(one["pid"])) for one in lab.events("installer_started") if one.get("job_id") == "job-2")
    run(client, command_line("shutdown.exe /r /t 0 /c 'test'"))
    eventually(lambda: bool(lab.events("booted")))
    assert [one["job_id"] for one in lab.events("job_lost")] == ["job-2"]
    assert not running(pid)
    assert int(run(protocol(lab, SPEC), command_line(boot))[0]) == before + 1


def test_the_edition_is_the_specs() -> None:
    spec = ComputerSpec("PC8", "127.1.7.8", edition="5.1")
    with Lab([spec], https_port=None, powershell=[PWSH]) as other:
        stdout, _, _ = run(protocol(other, spec), command_line("$PSVersionTable.PSVersion.Major; $PSEdition"))
        assert stdout.split() == [b"5", b"Desktop"]


def test_the_registry_of_a_computer_is_a_file_of_its_own(client: Protocol, lab: Lab) -> None:
    run(
        client,
        command_line(
            "$key = 'HKLM:\\SOFTWARE\\Contoso'; $null = New-Item $key -Force; Set-ItemProperty $key -Name A -Value 5"
        ),
    )
    content = json.loads((lab.folder / "computers" / "PC7" / "registry.json").read_text("utf-8-sig"))
    assert content["HKLM"]["SOFTWARE\\Contoso"] == {"A": 5}
