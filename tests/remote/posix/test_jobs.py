"""Jobs outlive everything of ours, run once, and end whole."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from immy_nornir.errors import RefusedError
from immy_nornir.model.facts import Boot
from immy_nornir.model.wire import JobSpec, JobState, JobStatus
from immy_nornir.remote import local
from immy_nornir.remote.posix.connection import PosixConnection
from tests.waiting import ENOUGH, eventually, turns

from .conftest import SIGKILL, NoSecrets, RealClock, address, alive, job, job_of, script

pytestmark = pytest.mark.slow


def finish(connection: PosixConnection, spec: JobSpec) -> JobStatus:
    """Start a job and wait for its end, with its whole output."""
    status = connection.start_job(spec, 10)
    output, offset = status.output, status.next_offset
    for _ in turns("the job's end"):
        if status.state not in (JobState.STARTING, JobState.RUNNING) and not status.output:
            break
        status = connection.wait_job(spec.job_id, offset, 10)
        output, offset = output + status.output, status.next_offset
    return JobStatus(status.state, output, offset, status.result)


def folder(spool: Path, spec: JobSpec) -> Path:
    return spool / spec.job_id.replace("/", "-")


def test_a_job_runs_and_leaves_its_last_word(each_shell: PosixConnection, spool: Path) -> None:
    spec = job('echo out; echo err >&2; echo "$IMMY_NAME"; exit 3', params={"name": 'it\'s "ü"\nand $more'})
    started = each_shell.start_job(spec, 10)
    assert started.created
    assert started.state is JobState.FINISHED
    assert started.output == 'out\nerr\nit\'s "ü"\nand $more\n'
    assert started.result is not None
    assert (started.result.exit_code, started.result.error, started.result.value) == (3, "", None)
    home = folder(spool, spec)
    assert stat.S_IMODE(home.stat().st_mode) == stat.S_IMODE(spool.stat().st_mode) == 0o700
    assert json.loads((home / "spec.json").read_text())["job_id"] == spec.job_id
    assert set(json.loads((home / "started").read_text())) == {"boot", "pid"}
    assert json.loads((home / "result").read_text())["exit_code"] == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("echo working; echo '{\"a\": [1]}'", {"a": [1]}),
        ("echo words", None),
        ("echo true; echo", True),
        ("true", None),
    ],
)
def test_the_last_line_is_the_value_when_it_is_json(connection: PosixConnection, text: str, value: object) -> None:
    result = connection.start_job(job(text), 10).result
    assert result is not None
    assert result.value == value


def test_a_second_start_starts_nothing(connection: PosixConnection, tmp_path: Path) -> None:
    spec = job(f"echo run >>{tmp_path / 'runs'}; sleep 0.5")
    assert connection.start_job(spec).created
    again = connection.start_job(spec, 10)
    assert not again.created
    assert again.state is JobState.FINISHED
    assert not connection.start_job(spec).created
    assert (tmp_path / "runs").read_text() == "run\n"


def test_starts_at_the_same_time_make_one_job(spool: Path, tmp_path: Path) -> None:
    spec = job(f"echo run >>{tmp_path / 'runs'}")
    program = f"""
from pathlib import Path
from tests.remote.posix.conftest import *
spec = {spec!r}
connection = local.connect(address(Path({str(spool)!r})), NoSecrets(), RealClock())
print(connection.start_job(spec, 10).created)
"""
    paths = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", program]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths}) for _ in "123"]
    said = [process.communicate(timeout=ENOUGH)[0] for process in started]
    assert sorted(said) == [b"False\n", b"False\n", b"True\n"]
    assert (tmp_path / "runs").read_text() == "run\n"


def test_waiting_returns_with_the_end_and_output_goes_on_from_the_offset(
    connection: PosixConnection, spool: Path
) -> None:
    spec = job("echo one; sleep 1; echo two")
    connection.start_job(spec)
    status = connection.wait_job(spec.job_id, 4, 20)
    returned = time.time()
    assert returned - (folder(spool, spec) / "result").stat().st_mtime < 15  # and not when the 20 seconds are over
    assert (status.state, status.output, status.next_offset) == (JobState.FINISHED, "two\n", 8)


def test_waiting_no_longer_than_asked(connection: PosixConnection) -> None:
    spec = job("sleep 1000")
    connection.start_job(spec)
    begun = time.monotonic()
    assert connection.wait_job(spec.job_id, 0, 0.5).state is JobState.RUNNING
    assert time.monotonic() - begun < 15  # the longest wait is 20 seconds
    connection.stop_job(spec.job_id)


def test_a_megabyte_of_output_arrives_whole_in_pieces(connection: PosixConnection) -> None:
    # Three bytes a character: pieces of 256 kB cut through some.
    spec = job("i=0; while [ $i -lt 10000 ]; do echo '" + "日" * 35 + "'; i=$((i + 1)); done")
    status = finish(connection, spec)
    assert status.output == ("日" * 35 + "\n") * 10000
    assert status.next_offset == 106 * 10000


KILLED = """
import os, signal
from pathlib import Path
from tests.remote.posix.conftest import *
connection = local.connect(address(Path({spool!r})), NoSecrets(), RealClock())
connection.start_job(JobSpec("s/a/1", "script", {{"script": {text!r}}}))
os.kill(os.getpid(), SIGKILL)
"""


def test_a_job_outlives_our_killed_process(connection: PosixConnection, spool: Path, tmp_path: Path) -> None:
    text = f"echo run >>{tmp_path / 'runs'}; echo first; sleep 1; echo last; exit 5"
    paths = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    program = KILLED.format(spool=str(spool), text=text)
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, env=os.environ | {"PYTHONPATH": paths}, timeout=ENOUGH
    )
    assert ended.returncode == -SIGKILL
    status = finish(connection, JobSpec("s/a/1", "script", {"script": text}))
    assert (status.state, status.output) == (JobState.FINISHED, "first\nlast\n")
    assert status.result is not None
    assert status.result.exit_code == 5
    assert (tmp_path / "runs").read_text() == "run\n"


def pids(path: Path, count: int) -> list[int]:
    eventually(lambda: path.exists() and len(path.read_text().split()) == count)
    return [int(word) for word in path.read_text().split()]


TREE = """
sh -c 'trap "" TERM; echo $$ >>%(pids)s; while :; do sleep 1; done' &
setsid sh -c 'echo $$ >>%(pids)s; sleep 100' &
echo $$ >>%(pids)s
echo working
wait
"""


def test_stopping_ends_the_whole_tree(each_shell: PosixConnection, tmp_path: Path) -> None:
    spec = job(TREE % {"pids": tmp_path / "pids"})
    each_shell.start_job(spec)
    members = pids(tmp_path / "pids", 3)
    each_shell.stop_job(spec.job_id)
    status = each_shell.wait_job(spec.job_id, 0, 10)
    assert status.state is JobState.FINISHED
    assert status.result is not None
    assert (status.result.exit_code, status.result.error) == (None, "stopped")
    assert "working\n" in status.output
    assert not any(alive(pid) for pid in members)
    each_shell.stop_job(spec.job_id)


def test_the_deadline_ends_the_whole_tree(connection: PosixConnection, tmp_path: Path) -> None:
    for seconds in (1, 5, 15):  # the next longer one where the machine was too slow for the tree to be whole by then
        path = tmp_path / f"pids-{seconds}"
        spec = job(TREE % {"pids": path}, deadline_seconds=seconds)
        result = finish(connection, spec).result
        assert result is not None
        assert (result.exit_code, result.error) == (None, f"ended at its deadline of {seconds} seconds")
        if path.exists() and len(path.read_text().split()) == 3:
            break
    assert not any(alive(pid) for pid in pids(path, 3))


def test_a_job_that_never_was_is_absent_and_cannot_be_stopped(connection: PosixConnection, spool: Path) -> None:
    spec = job("true")
    assert connection.wait_job(spec.job_id, 0, 5).state is JobState.ABSENT
    with pytest.raises(RefusedError):
        connection.stop_job(spec.job_id)
    assert not (spool.exists() and list(spool.iterdir()))


def test_folders_of_jobs_that_ended_weeks_ago_are_swept_when_another_starts(
    connection: PosixConnection, spool: Path
) -> None:
    old, young = job("true"), job("true")
    for spec in (old, young):
        connection.start_job(spec, 5)
    three_weeks = time.time() - 21 * 86400
    os.utime(folder(spool, old) / "result", (three_weeks, three_weeks))
    newest = job("true")
    connection.start_job(newest, 5)
    assert {one.name for one in spool.iterdir()} == {folder(spool, one).name for one in (young, newest)}


def test_a_killed_job_is_lost_only_when_its_work_is_gone_too(
    connection: PosixConnection, spool: Path, tmp_path: Path
) -> None:
    spec = job(f"echo $$ >{tmp_path / 'pids'}; sleep 100")
    connection.start_job(spec)
    worker = pids(tmp_path / "pids", 1)[0]
    supervisor = json.loads((folder(spool, spec) / "started").read_text())["pid"]
    os.kill(supervisor, SIGKILL)
    assert connection.wait_job(spec.job_id, 0, 0).state is JobState.RUNNING
    os.kill(worker, SIGKILL)
    assert connection.wait_job(spec.job_id, 0, 5).state is JobState.LOST
    assert not connection.start_job(spec).created


@pytest.mark.parametrize(
    "pid", ["another-boot {pid} {birth}", "{boot} {pid} 1", "{boot} 1 {birth}", "{boot} 4000000 1"]
)
def test_another_boot_or_another_process_with_the_number_is_lost(
    connection: PosixConnection, spool: Path, pid: str
) -> None:
    spec = job("true")
    connection.start_job(spec, 10)
    home = folder(spool, spec)
    (home / "result").unlink()
    boot, _, _ = (home / "pid").read_text().split()
    birth = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    (home / "pid").write_text(f"{boot} {os.getpid()} {birth}\n")
    assert connection.wait_job(spec.job_id, 0, 0).state is JobState.RUNNING
    (home / "pid").write_text(pid.format(boot=boot, pid=os.getpid(), birth=birth) + "\n")
    assert connection.wait_job(spec.job_id, 0, 0).state is JobState.LOST


TORN = ["", "{", "{}", "null", "[]", '{"exit_code": null, "error": "", "seconds": 1}', '{"exit_code": "0"}', "\0\0\0"]


@pytest.mark.parametrize("text", TORN)
def test_a_result_without_its_form_is_none(connection: PosixConnection, spool: Path, text: str) -> None:
    spec = job("echo out")
    connection.start_job(spec, 10)
    (folder(spool, spec) / "result").write_text(text)
    status = connection.wait_job(spec.job_id, 0, 20)
    assert (status.state, status.result, status.output) == (JobState.FINISHED, None, "out\n")


def test_two_jobs_of_one_item_never_run_side_by_side(connection: PosixConnection, spool: Path, tmp_path: Path) -> None:
    def of(item: str, text: str) -> JobSpec:
        return dataclasses.replace(job(text), item=item)

    first = of("software/x", f"while [ ! -e {tmp_path / 'go'} ]; do sleep 0.05; done")
    connection.start_job(first)
    second = of("software/x", "true")
    busy = connection.start_job(second)
    assert (busy.state, busy.created, busy.output) == (JobState.BUSY, False, folder(spool, first).name)
    assert connection.wait_job(second.job_id, 0, 0).state is JobState.ABSENT
    assert connection.start_job(of("software/xy", "true")).created
    (tmp_path / "go").touch()
    eventually(lambda: connection.wait_job(first.job_id, 0, 5).state is JobState.FINISHED, "the first job's end")
    assert connection.start_job(second).created


SECRET = 's3cr3t\' "ü" $x\nsecond line'


def test_a_secret_reaches_the_work_and_nothing_else(connection: PosixConnection, spool: Path, tmp_path: Path) -> None:
    text = f'printf %s "$IMMY_LICENSE" | sha256sum >{tmp_path / "sum"}; while [ ! -e {tmp_path / "go"} ]; do sleep 0.1; done; echo "$IMMY_OTHER"'  # noqa: E501
    spec = job(text, params={"other": "plain"}, secrets={"license": SECRET})
    connection.start_job(spec)
    eventually((tmp_path / "sum").exists)
    mark = SECRET.split("'", maxsplit=1)[0].encode()
    coded = b"czNjcjN0"
    seen = b""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen += line.read_bytes()
        except OSError:
            continue
    for file in (one for one in spool.rglob("*") if one.is_file()):
        seen += file.read_bytes()
    assert b"supervisor" in seen
    assert mark not in seen
    assert coded not in seen
    (tmp_path / "go").touch()
    status = connection.wait_job(spec.job_id, 0, 10)
    assert status.output == "plain\n"
    digest = subprocess.run(
        ["sha256sum"], input=SECRET.encode(), capture_output=True, check=True, timeout=ENOUGH
    ).stdout.split()[0]
    assert (tmp_path / "sum").read_bytes().split()[0] == digest


def test_the_environment_of_the_operator_stays_here(
    connection: PosixConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATORS_TOKEN", "secret")
    assert connection.read([script('echo "<$OPERATORS_TOKEN>"')])["s"].result == "<>"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (job_of("script", {"script": "Get-Date", "language": "powershell"}), "powershell"),
        (job_of("script", {}), "script"),
        (job_of("dance", {}), "dance"),
        (job_of("package", {"manager": "winget", "name": "x", "action": "install"}), "winget"),
        (job_of("package", {"manager": "apt", "name": "-o x", "action": "install"}), "package name"),
        (job_of("installer", {"url": "ftp://x/y", "type": "exe"}), "http"),
        (job_of("installer", {"url": "https://x/y.msi", "type": "msi"}), "msi"),
        (job_of("installer", {"uninstall": True, "command": ""}), "command"),
        (job_of("declare", {"resources": [{"resource": "registry", "key": "HKLM"}]}), "registry"),
        (job_of("declare", {"resources": [{"resource": "service", "name": "x", "startup": "manual"}]}), "manual"),
        (job_of("script", {"script": "true"}, job_id="../x y"), "id"),
        (job_of("script", {"script": "true"}, context="user:x;id"), "context"),
    ],
)
def test_work_that_cannot_be_done_here_is_refused_before_anything(
    connection: PosixConnection, spool: Path, spec: JobSpec, says: str
) -> None:
    with pytest.raises(RefusedError, match=says):
        connection.start_job(spec)
    assert not spool.exists()


def test_this_machine_is_not_rebooted_by_accident(connection: PosixConnection) -> None:
    with pytest.raises(RefusedError, match="immy_allow_local_reboot"):
        connection.reboot(connection.identify().boot, 0, "test")


@pytest.fixture
def fake_reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs in the place of those that would reboot this machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("shutdown", "systemctl", "reboot"):
        (folder / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "{name}" "$@" >>{tmp_path / "asked"}\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "asked"


def test_a_reboot_is_asked_for_in_the_boot_that_is_meant_only(fake_reboot: Path, spool: Path) -> None:
    connection = local.connect(address(spool, immy_allow_local_reboot=True), NoSecrets(), RealClock())
    boot = connection.identify().boot
    assert boot.time is not None
    for other in (Boot("other", boot.time), Boot(None, boot.time - 3600), Boot()):
        with pytest.raises(RefusedError, match="boot"):
            connection.reboot(other, 0, "no")
    connection.reboot(Boot(None, boot.time + 20), 0, 'it\'s "needed"')
    eventually(fake_reboot.exists)
    eventually(lambda: 'immy: it\'s "needed"' in fake_reboot.read_text())
    assert "other" not in fake_reboot.read_text()
