"""Jobs end to end, in both editions: real processes started by a stand-in for the task scheduler."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.errors import RefusedError
from immy_nornir.model.facts import Boot
from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobSpec, JobState, JobStatus
from immy_nornir.remote.windows.connection import PowerShellConnection
from tests.powershell import PWSH, needs_pwsh
from tests.remote.windows.processes import Machine
from tests.waiting import eventually, turns

# Where the editions differ, reading and isolation show it; the full counts do everything in both.
pytestmark = [needs_pwsh, pytest.mark.slow, pytest.mark.sampled(1)]

BOOT_ID = "SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Memory Management\\PrefetchParameters"
SID = "S-1-5-21-1-2-3-1001"


@pytest.fixture(scope="module")
def machine(edition: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("jobs")
    registry = {"HKLM": {BOOT_ID: {"BootId": 7}}, "HKU": {f"{SID}\\Software": {"x": 1}}}
    machine = Machine(folder, edition, registry)
    machine.environment["IMMY_PWSH"] = PWSH
    yield machine
    # The workers of jobs whose keepers were killed on purpose.
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


@pytest.fixture
def connection(machine: Machine) -> PowerShellConnection:
    return machine.connection()


def _spec(job_id: str, kind: str, work: dict[str, Json], deadline: int = 60, **more: Any) -> JobSpec:
    return JobSpec(job_id, kind, work, deadline_seconds=deadline, **more)


def _script(job_id: str, text: str, deadline: int = 60, **params: Json) -> JobSpec:
    return _spec(job_id, "script", {"script": text, "language": "powershell", "params": params}, deadline)


def _finish(connection: PowerShellConnection, spec: JobSpec) -> JobStatus:
    status = connection.start_job(spec, 20)
    assert status.created
    for _ in turns("the job's end"):
        if status.state not in {JobState.STARTING, JobState.RUNNING}:
            break
        status = connection.wait_job(spec.job_id, 0, 20)
    assert status.state is JobState.FINISHED, status
    return status


def test_output_comes_in_pieces_of_whole_characters_and_its_size_is_told(connection: PowerShellConnection) -> None:
    text = "1..12000 | ForEach-Object { [string][char]0x65E5 * 10 + $_ }"
    status = _finish(connection, _script("s1/much/1", text))
    size = status.size
    output = status.output
    for _ in turns("the end of the output"):
        if status.next_offset >= size:
            break
        assert status.size == size
        status = connection.wait_job("s1/much/1", status.next_offset, 0)
        output += status.output
    assert output.split() == ["\u65e5" * 10 + str(number) for number in range(1, 12001)]
    assert len(output.encode()) == size > 262_144
    beyond = connection.wait_job("s1/much/1", 4_000_000_000, 0)
    assert (beyond.output, beyond.size, beyond.state) == ("", size, JobState.FINISHED)


def test_a_job_that_is_there_is_never_said_not_to_have_begun(
    machine: Machine, connection: PowerShellConnection
) -> None:
    spec = _script("s1/there/1", "Start-Sleep -Seconds 120")
    connection.start_job(spec)
    _running(machine, spec.job_id)
    output = _folder(machine, spec.job_id) / "output"
    eventually(output.exists, "its output")
    output.unlink()
    with socket.socket(socket.AF_UNIX) as nobody_can_open_it:
        nobody_can_open_it.bind(str(output))
        again = connection.start_job(spec, 1)
    assert (again.state, again.created) == (JobState.STARTING, False)
    output.unlink()
    assert connection.wait_job(spec.job_id, 0, 0).state is JobState.RUNNING
    connection.stop_job(spec.job_id)


def _folder(machine: Machine, job_id: str) -> Path:
    return machine.folder / "spool" / job_id.replace("/", "-")


def _running(machine: Machine, job_id: str) -> int:
    started = _folder(machine, job_id) / "started"
    eventually(lambda: started.exists() and bool(started.read_text()))
    return int(json.loads(started.read_text())["pid"])


@pytest.mark.sampled
def test_a_script_job_leaves_its_output_value_and_exit_code(machine: Machine, connection: PowerShellConnection) -> None:
    text = """param([string]$Name)
Write-Host "hällo $Name"; [Console]::Error.WriteLine('on stderr'); & sh -c 'exit 4'
@{ name = $Name; all = $params.other; stdin = [Console]::In.ReadToEnd() }"""
    status = _finish(connection, _script("s1/script/1", text, Name='o\'b "q" $(1)', other=[1]))
    assert status.result is not None
    assert (status.result.exit_code, status.result.error) == (0, "")
    assert status.result.value == {"name": 'o\'b "q" $(1)', "all": [1], "stdin": ""}
    assert 'hällo o\'b "q" $(1)' in status.output
    assert "on stderr" in status.output
    assert status.next_offset == (_folder(machine, "s1/script/1") / "output").stat().st_size
    # Again: the same answer, and nothing is started.
    again = connection.start_job(_script("s1/script/1", "'other'"))
    assert (again.created, again.state, again.result) == (False, JobState.FINISHED, status.result)
    log = (machine.folder / "tasks" / "log").read_text()
    assert log.count("started s1-script-1") == 1


@pytest.mark.parametrize("text", ["", "{", "{}", "null", '{"exit_code": null, "error": ""}', '{"exit_code": "0"}'])
@pytest.mark.sampled(3)
def test_a_result_without_its_form_is_none(machine: Machine, connection: PowerShellConnection, text: str) -> None:
    job_id = f"s1/torn-{len(text)}/1"
    _finish(connection, _script(job_id, "1"))
    (_folder(machine, job_id) / "result").write_text(text)
    status = connection.wait_job(job_id, 0, 20)
    assert (status.state, status.result) == (JobState.FINISHED, None)


def test_folders_of_jobs_that_ended_weeks_ago_are_swept_when_another_starts(
    machine: Machine, connection: PowerShellConnection
) -> None:
    for job_id in ("s1/old/1", "s1/young/1"):
        _finish(connection, _script(job_id, "1"))
    weeks_ago = time.time() - 15 * 24 * 3600
    os.utime(_folder(machine, "s1/old/1") / "result", (weeks_ago, weeks_ago))
    _finish(connection, _script("s1/another/1", "1"))
    assert connection.wait_job("s1/old/1", 0, 0).state is JobState.ABSENT
    assert (_folder(machine, "s1/old/1").exists(), _folder(machine, "s1/young/1").exists()) == (False, True)
    assert "removed s1-old-1" in (machine.folder / "tasks" / "log").read_text()


def test_exit_throw_and_a_dead_process_are_told(connection: PowerShellConnection) -> None:
    for job_id, text, code, error in (
        ("s1/exit/1", "'x'; exit 6", 6, ""),
        ("s1/throw/1", "throw 'my words'", 1, "my words (line 1)"),
        ("s1/dead/1", "[Environment]::Exit(5)", 5, ""),
    ):
        result = _finish(connection, _script(job_id, text)).result
        assert result is not None
        assert (result.exit_code, result.error) == (code, error)


def test_output_streams_while_the_job_runs_and_stop_ends_the_tree(
    machine: Machine, connection: PowerShellConnection
) -> None:
    mark = machine.folder / "grandchild"
    text = f"Write-Host 'begun'; & sh -c 'echo $$ > {mark}; sleep 300; true'"
    assert connection.start_job(_script("s1/stop/1", text)).state in {JobState.STARTING, JobState.RUNNING}
    eventually(lambda: mark.exists() and mark.read_text().strip() != "")
    eventually(lambda: connection.wait_job("s1/stop/1", 0, 0).output.strip() != "")
    status = connection.wait_job("s1/stop/1", 0, 0)
    assert (status.state, status.output.strip()) == (JobState.RUNNING, "begun")
    connection.stop_job("s1/stop/1")
    status = connection.wait_job("s1/stop/1", status.next_offset, 5)
    assert status.state is JobState.FINISHED
    assert status.result is not None
    assert (status.result.exit_code, status.result.error) == (None, "stopped")
    eventually(lambda: not Path(f"/proc/{mark.read_text().strip()}").exists())


def test_the_deadline_is_kept_by_the_job_itself(connection: PowerShellConnection) -> None:
    result = _finish(connection, _script("s1/deadline/1", "[Threading.Thread]::Sleep(600000)", deadline=2)).result
    assert result is not None
    assert (result.exit_code, result.error) == (None, "deadline")
    assert result.seconds < 300  # it did not sleep its ten minutes


def test_a_killed_job_and_a_job_of_another_boot_are_lost(machine: Machine, connection: PowerShellConnection) -> None:
    for job_id in ("s1/killed/1", "s1/boot/1"):
        connection.start_job(_script(job_id, "Start-Sleep 300"))
    os.kill(_running(machine, "s1/killed/1"), signal.SIGKILL)
    assert connection.wait_job("s1/killed/1", 0, 20).state is JobState.LOST
    pid = _running(machine, "s1/boot/1")
    registry = machine.registry()
    registry["HKLM"][BOOT_ID]["BootId"] = 8
    machine.registry_path.write_text(json.dumps(registry))
    assert connection.wait_job("s1/boot/1", 0, 20).state is JobState.LOST
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RefusedError, match="rebooted since"):
        connection.reboot(Boot(id="7"), 5, "maintenance")
    registry["HKLM"][BOOT_ID]["BootId"] = 7
    machine.registry_path.write_text(json.dumps(registry))


def test_a_clock_that_is_set_loses_no_job_whose_process_lives(
    machine: Machine, connection: PowerShellConnection
) -> None:
    registry = machine.registry()
    counter = registry["HKLM"].pop(BOOT_ID)
    machine.registry_path.write_text(json.dumps(registry))
    connection.start_job(_script("s1/clock/1", "Start-Sleep 300"))
    pid = _running(machine, "s1/clock/1")
    started = _folder(machine, "s1/clock/1") / "started"
    told = json.loads(started.read_text())
    assert told["boot"]["id"] is None
    started.write_text(json.dumps({**told, "boot": {"id": None, "time": told["boot"]["time"] - 3600}}))
    assert connection.wait_job("s1/clock/1", 0, 0).state is JobState.RUNNING
    os.kill(pid, signal.SIGKILL)
    assert connection.wait_job("s1/clock/1", 0, 20).state is JobState.LOST
    registry["HKLM"][BOOT_ID] = counter
    machine.registry_path.write_text(json.dumps(registry))


def test_two_jobs_of_one_item_never_run_side_by_side(machine: Machine, connection: PowerShellConnection) -> None:
    def spec(job_id: str, text: str) -> JobSpec:
        return JobSpec(job_id, "script", {"script": text, "language": "powershell"}, item="software/x")

    gate = machine.folder / "gate"
    wait = f"while (-not [IO.File]::Exists('{gate}')) {{ Start-Sleep -Milliseconds 50 }}"
    assert connection.start_job(spec("s1/x/1", wait)).created
    busy = connection.start_job(spec("s2/x/1", "1"))
    assert (busy.state, busy.created, busy.output) == (JobState.BUSY, False, "s1-x-1")
    assert connection.wait_job("s2/x/1", 0, 0).state is JobState.ABSENT
    assert connection.start_job(JobSpec("s2/y/1", "script", {"script": "1"}, item="software/y")).created
    gate.touch()
    eventually(lambda: connection.wait_job("s1/x/1", 0, 20).state is JobState.FINISHED)
    assert connection.start_job(spec("s2/x/1", "1")).created


def test_a_job_that_cannot_be_started_says_why_and_stays_finished(machine: Machine) -> None:
    broken = machine.connection(IMMY_TEST_TASKS_BROKEN="1")
    status = broken.start_job(_script("s1/broken/1", "1"))
    assert (status.created, status.state) == (True, JobState.FINISHED)
    assert status.result is not None
    assert "the scheduler is broken" in status.result.error


def test_secrets_without_data_protection_are_refused_and_never_written(
    machine: Machine, connection: PowerShellConnection
) -> None:
    spec = JobSpec("s1/secret/1", "script", {"script": "1"}, secrets={"password": "hunter2"})
    with pytest.raises(RefusedError, match="data protection"):
        connection.start_job(spec)
    assert connection.wait_job("s1/secret/1", 0, 0).state is JobState.ABSENT
    assert not any(b"hunter2" in path.read_bytes() for path in machine.folder.rglob("*") if path.is_file())


def test_job_ids_cannot_leave_the_spool(connection: PowerShellConnection) -> None:
    for job_id in ("../x", "..\\x", "a:b", "", "/"):
        with pytest.raises(RefusedError, match="no job id"):
            connection.wait_job(job_id, 0, 0)


MSIEXEC = r"""#!/bin/sh
for word; do case "$last" in /l\*v) log=$word ;; esac; last=$word; done
test -n "$log" && printf '\377\376' >"$log" && {
  for n in $(seq 80); do echo "MSI (s) (A8:5C): line $n"; done
  echo 'MSI (s) (A8:5C): Product: Example -- Error 1920. Service failed to start.'
  echo 'Action ended 10:22:33: InstallFinalize. Return value 3.'
  echo 'Property(S): SECRET = x'
} | iconv -t UTF-16LE >>"$log"
exit 1603
"""


def test_why_windows_installer_failed_stands_in_the_output(machine: Machine) -> None:
    (tools := machine.folder / "tools").mkdir()
    (tools / "msiexec.exe").write_text(MSIEXEC)
    (tools / "msiexec.exe").chmod(0o755)
    machine.environment["PATH"] = f"{tools}:{machine.environment['PATH']}"
    path = machine.folder / "example.msi"
    path.write_bytes(b"msi")
    work: dict[str, Json] = {"url": path.as_uri(), "sha256": "", "type": "msi", "arguments": "ALLUSERS=1"}
    remove: dict[str, Json] = {"uninstall": True, "command": "msiexec.exe /x {1} /qn /norestart"}
    for number, one in enumerate((work, remove), 1):
        status = _finish(machine.connection(), _spec(f"s1/msi/{number}", "installer", one))
        assert status.result is not None
        assert (status.result.exit_code, status.result.error) == (1603 % 256, "")  # as POSIX has it
        assert "Error 1920. Service failed to start." in status.output
        assert status.output.rstrip().endswith("InstallFinalize. Return value 3.")
        assert "line 30\n" not in status.output.replace("\r", "")
    own = {**work, "arguments": f"/l*v {machine.folder}/own.log"}
    assert _finish(machine.connection(), _spec("s1/msi/3", "installer", own)).output == ""
    assert (machine.folder / "own.log").exists()


def test_installers_are_downloaded_checked_and_started(machine: Machine, connection: PowerShellConnection) -> None:
    program = b'#!/bin/sh\necho "installing $*"\nexit 42\n'
    path = machine.folder / "setup file.exe"
    path.write_bytes(program)
    digest = hashlib.sha256(program).hexdigest()
    work: dict[str, Json] = {"url": path.as_uri(), "sha256": digest, "type": "exe", "arguments": '/S "/D=a b"'}
    status = _finish(connection, _spec("s1/install/1", "installer", work))
    assert status.result is not None
    assert (status.result.exit_code, status.result.error) == (42, "")
    assert "installing /S /D=a b" in status.output
    assert not (_folder(machine, "s1/install/1") / "download").exists()
    wrong = _finish(connection, _spec("s1/install/2", "installer", {**work, "sha256": "0" * 64})).result
    assert wrong is not None
    assert wrong.exit_code is None
    assert digest in wrong.error
    script: dict[str, Json] = {**work, "script": "(Get-Item -LiteralPath $installer).Name; exit 3", "params": {}}
    result = _finish(connection, _spec("s1/install/3", "installer", script)).result
    assert result is not None
    assert (result.exit_code, result.value) == (3, "setup file.exe")
    uninstall: dict[str, Json] = {"uninstall": True, "command": f'"{path}" /S'}
    path.chmod(0o755)
    result = _finish(connection, _spec("s1/uninstall/1", "installer", uninstall)).result
    assert result is not None
    assert result.exit_code == 42


@pytest.mark.sampled
def test_declared_resources_are_set_where_they_differ(machine: Machine, connection: PowerShellConnection) -> None:
    file = machine.folder / "made" / "a.txt"
    key = "HKLM\\SOFTWARE\\Policies\\X"
    resources: list[Json] = [
        {"resource": "registry", "key": key, "name": "D", "value": 4294967295, "type": "DWord"},
        {"resource": "registry", "key": key, "name": "M", "value": ["a"], "type": "MultiString"},
        {"resource": "registry", "key": key, "name": "B", "value": "AAEC", "type": "Binary"},
        {"resource": "registry", "key": "HKCU\\Software\\Y", "name": "U", "value": "x", "type": "String"},
        {"resource": "file", "path": str(file), "content": "ä\r\n"},
        {"resource": "service", "name": "nope", "state": "running"},
    ]
    first = _finish(connection, _spec("s1/declare/1", "declare", {"resources": resources})).result
    assert first is not None
    assert (first.exit_code, first.error) == (1, "there is no service 'nope'")
    assert first.value == [
        {"name": f"{key}\\D", "before": None, "after": 4294967295},
        {"name": f"{key}\\M", "before": None, "after": ["a"]},
        {"name": f"{key}\\B", "before": None, "after": "AAEC"},
        {"name": f"HKU\\{SID}\\Software\\Y\\U", "before": None, "after": "x"},
        {"name": str(file), "before": None, "after": hashlib.sha256("ä\r\n".encode()).hexdigest()},
    ]
    assert file.read_bytes() == "ä\r\n".encode()
    assert machine.registry()["HKU"][f"{SID}\\Software\\Y"]["U"] == "x"
    absent: list[Json] = [
        {"resource": "registry", "key": key, "name": "D", "absent": True},
        {"resource": "file", "path": str(file), "absent": True},
        resources[1],
    ]
    second = _finish(connection, _spec("s1/declare/2", "declare", {"resources": absent})).result
    assert second is not None
    assert isinstance(second.value, list)
    assert [change["after"] for change in second.value if isinstance(change, dict)] == [None, None]
    assert not file.exists()


def test_the_spec_on_disk_is_what_was_sent(machine: Machine, connection: PowerShellConnection) -> None:
    spec = JobSpec("s2/context/1", "script", {"script": "1"}, context="user:ann", item="task/x", action="a1")
    connection.start_job(spec)
    written = json.loads((_folder(machine, "s2/context/1") / "spec.json").read_text())
    assert written["job"]["item"] == "task/x"
    task = json.loads((machine.folder / "tasks" / "immy_s2-context-1.json").read_text())
    assert (task["principal"]["UserId"], task["principal"]["LogonType"]) == ("ann", "Interactive")
    assert base64.b64encode(b"") == b""
    with pytest.raises(RefusedError, match="runs as"):
        connection.start_job(JobSpec("s2/context/2", "script", {"script": "1"}, context="nobody"))
