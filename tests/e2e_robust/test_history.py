"""The history while runs go on, two runs at once, a disk that is full, and secrets that must not be in it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.history.opening import file_system
from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually, turns

from .fleets import PASSWORD, SOFTWARE, Fleet, fleet, kill, software_files

pytestmark = pytest.mark.slow
RUN = ("run", "playbooks/all.yml", "--yes")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of another process are Linux's")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path, 4, software_files(reboots=()), knobs=Knobs(install_seconds=0.5)) as made:
        yield made


def test_the_record_is_read_by_others_while_the_run_goes_on(one: Fleet) -> None:
    one.lab.hold()
    process = one.start(*RUN)
    eventually(lambda: len(one.lab.events("installer_started")) == 4)
    seen: list[int] = []
    statuses: set[str] = set()
    for _ in turns("the run's end"):
        if process.poll() is not None:
            break
        rows = one.sessions("--run", "last")
        statuses |= {row["status"] for row in rows}
        assert {row["computer"] for row in rows} == {"pc001", "pc002", "pc003", "pc004"}
        seen.append(len(one.log("pc001")))
        one.show("pc001")
        one.lab.release()  # it is not over before it was read for the first time
    assert process.returncode == 0
    assert statuses <= {"created", "running", "waiting", "passed"}
    assert statuses & {"running", "waiting"}
    assert seen == sorted(seen)
    log = one.log("pc001")
    assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    assert log[-1]["kind"] == "Finished"


@pytest.mark.parametrize("together", [True, False])
def test_of_two_runs_on_a_computer_one_is_missed_and_names_the_other(one: Fleet, together: bool) -> None:
    one.lab.hold()  # neither can be over before the other has met it
    first = one.start(*RUN)
    if not together:
        eventually(lambda: len(one.lab.events("installer_started")) == 4)
    second = one.start(*RUN)
    eventually(lambda: len(one.lab.events("installer_started")) == 4)
    eventually(lambda: [row["status"] for row in one.sessions()].count("missed") == 4)
    one.lab.release()
    codes = {first.wait(ENOUGH), second.wait(ENOUGH)}
    rows = one.sessions()
    assert len(rows) == 8
    for name in ("pc001", "pc002", "pc003", "pc004"):
        pair = {row["status"]: row for row in rows if row["computer"] == name}
        assert set(pair) == {"missed", "passed"}
        assert pair["passed"]["id"] in pair["missed"]["reason"]
        log = one.log(pair["passed"]["id"])
        assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    assert codes <= {0, 6}
    assert 6 in codes
    assert set(one.installs().values()) == {1}


def test_two_that_take_up_the_same_interrupted_sessions_do_not_disturb_each_other(one: Fleet) -> None:
    one.lab.hold()
    process = one.start(*RUN)
    eventually(lambda: one.lab.events("installer_started"))
    kill(process)
    one.lab.release()
    both = [one.start("sessions", "resume"), one.start(*RUN), one.start("sessions", "resume")]
    for each in both:
        each.wait(ENOUGH)
    one.immy("sessions", "resume", expect=None)
    rows = one.sessions()
    assert {row["status"] for row in rows} <= {"passed", "missed"}
    first = [row for row in rows if row["run_id"] == rows[-1]["run_id"]]
    assert {row["status"] for row in first} == {"passed"}
    assert one.installs() == {(f"pc00{n}", f"software/{item}"): 1 for n in range(1, 5) for item in SOFTWARE}
    entries = one.sql("SELECT session_id, kind FROM entries ORDER BY seq")
    for row in rows:
        kinds = [kind for session, kind in entries if session == row["id"]]
        assert kinds.count("Finished") == 1
        assert kinds[-1] == "Finished"


# --- full disks ---------------------------------------------------------------------------------------------------


def limit_files(process: subprocess.Popen[bytes], size: int) -> None:
    """From now on no file of the process grows beyond `size`: for it, the disk is full."""
    import resource

    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@linux
@pytest.mark.parametrize("recovers", [False, True])
def test_where_the_database_cannot_grow_the_journal_takes_it_and_is_imported(one: Fleet, recovers: bool) -> None:
    one.lab.hold()
    process = one.start(*RUN)
    eventually(lambda: len(one.lab.events("installer_started")) == 4)
    limit_files(process, (one.state / "history.db-wal").stat().st_size)
    one.lab.release()
    if recovers:
        eventually(lambda: len(one.lab.events("installer_finished")) >= 4)
        one.lab.hold()
        eventually(lambda: len(one.lab.events("installer_started")) >= 8)
        limit_files(process, -1)
        one.lab.release()
    assert process.wait(ENOUGH) == 0
    # What stands in the journal is stored as soon as there is room again.
    assert bool(list(one.state.glob("journal-*.jsonl"))) == (not recovers)

    one.immy("sessions", "resume")

    assert not list(one.state.glob("journal-*.jsonl"))
    assert set(one.statuses().values()) == {"passed"}
    for name in ("pc001", "pc004"):
        shown = one.show(name)
        assert {job["state"] for job in shown["jobs"]} == {"finished"}
        assert [job["output"].count("done") for job in shown["jobs"]] == [1, 1, 1]
        assert {action["outcome"] for action in shown["session"]["actions"]} == {"success"}
        log = one.log(name)
        assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    one.immy(*RUN)
    assert set(one.installs().values()) == {1}


@linux
def test_where_nothing_can_be_written_no_further_action_begins(one: Fleet) -> None:
    # Pipes: a limit of the process holds for the files that its streams go to as well.
    one.lab.hold()
    process = one.start(*RUN, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eventually(lambda: len(one.lab.events("installer_started")) == 4)
    limit_files(process, 1)
    one.lab.release()
    said = b"\n".join(process.communicate(timeout=ENOUGH)).decode()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "history" in said
    assert len(one.lab.events("installer_started")) == 4
    assert set(one.statuses().values()) == {"interrupted"}

    one.immy(*RUN)

    assert {row["status"] for row in one.sessions()} == {"passed"}
    assert set(one.installs().values()) == {1}


@linux
@pytest.mark.parametrize("blocks", [1, 16, 64])
def test_a_disk_that_is_full_from_the_start_lets_nothing_begin(one: Fleet, blocks: int) -> None:
    one.immy("run", "playbooks/all.yml", "--check", expect=4)
    done = subprocess.run(
        ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", sys.executable, "-m", "immy_nornir", *RUN],
        cwd=one.root,
        env={**os.environ, "IMMY_TEST_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )
    assert done.returncode in (1, 2, 130), done.stderr
    assert "history" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug of immy" not in done.stderr
    assert one.lab.events("installer_started") == []


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/share/fleet/.immy", "nfs4"),
        ("/srv/share", "nfs4"),
        ("/srv/shared", "ext4"),
        ("/srv/share/local/x", "tmpfs"),
        ("/mnt/our files/x", "cifs"),
        ("/home/me", "ext4"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_its_nearest_mount(tmp_path: Path, folder: str, kind: str) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/vda / ext4 rw 0 0\nserver:/a /srv/share nfs4 rw 0 0\ntmpfs /srv/share/local tmpfs rw 0 0\n"
        "//server/b /mnt/our\\040files cifs rw 0 0\n"
    )
    assert file_system(Path(folder), table) == kind


# --- secrets ------------------------------------------------------------------------------------------------------

TOKEN = "t0ken-of-the-licence-88121"
TALKS = (
    'echo "the licence is $IMMY_LICENSE"\necho "and on stderr: $IMMY_LICENSE" >&2\ntouch "$IMMY_FOLDER/done"\nsleep 1\n'
)


def everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every byte that immy left: files as they are, and what its database holds compressed."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    connection = sqlite3.connect(folder / ".immy" / "history.db")
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
        for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608
            for value in row:
                data = value if isinstance(value, bytes) else str(value).encode()
                with contextlib.suppress(zlib.error):
                    data += zlib.decompress(data)
                yield table, data
    connection.close()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="command lines of all are read in /proc")
def test_secrets_are_in_no_file_and_on_no_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "effects"
    folder.mkdir()
    files = {
        "inventory/here.yml": "all: {hosts: {localhost: {ansible_connection: local}}}\n",
        "tasks/maintenance/talks/task.yml": (
            "platform: linux\nparameters:\n  license: {type: secret, required: true}\n  folder: {type: text}\n"
            "  more: {type: map}\ntest: test.sh\nset: set.sh\n"
        ),
        "tasks/maintenance/talks/test.sh": 'test -e "$IMMY_FOLDER/done"\n',
        "tasks/maintenance/talks/set.sh": TALKS,
        "tasks/software/alpha/software.yml": "winget: Vendor.alpha\nparameters: {key: {type: secret}}\n",
        "playbooks/deployments/all.yml": json.dumps(
            [
                {"item": "software/alpha", "target": "tenants", "params": {"key": {"secret": "env:IMMY_TEST_TOKEN"}}},
                {
                    "item": "task/talks",
                    "target": "localhost",
                    "params": {"license": {"secret": "env:IMMY_TEST_TOKEN"}, "folder": str(folder)},
                },
            ]
        ),
        "playbooks/all.yml": "- {name: all, hosts: 'tenants:localhost', maintenance: full}\n",
    }
    with fleet(tmp_path, 2, files, knobs=Knobs(install_seconds=0.5)) as one:
        # With what Python reads at its start it is not forked from another process, whose command line it would have.
        cold = {"PYTHONNOUSERSITE": "1"}
        one.environment = {"IMMY_TEST_TOKEN": TOKEN, "IMMY_SPOOL": str(tmp_path / "spool"), **cold}
        process = one.start(*RUN)
        lines: set[bytes] = set()
        for _ in turns("the run's end"):
            if process.poll() is not None:
                break
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    lines.add(path.read_bytes())
            time.sleep(0.02)
        assert process.returncode == 0, (tmp_path / "err-0.txt").read_text()
        [job] = one.show("localhost")["jobs"]
        assert "the licence is" in job["output"]
        one.immy("report", expect=None)
        one.immy("sessions", "show", "pc001")
        places = [
            where
            for where, data in [*everything(tmp_path), *(("a command line", line) for line in lines)]
            if PASSWORD.encode() in data or TOKEN.encode() in data
        ]
        # The script itself writes it to its output, which stays on its computer.
        assert [where for where in places if not where.endswith("/output")] == []


def test_a_wrong_password_tells_nothing_of_it(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, specs={"pc001": {"misbehave": ("refuse_password",)}}) as one:
        one.immy(*RUN, expect=1)
        assert one.statuses() == {"pc001": "failed"}
        assert [where for where, data in everything(tmp_path) if PASSWORD.encode() in data] == []
