"""The lease in real shells: whose the computer is, across accounts, and what two of them come to."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

from immy_nornir.errors import BusyError, RefusedError
from immy_nornir.model.facts import Boot
from immy_nornir.model.wire import JobState, Lease
from immy_nornir.remote import local
from immy_nornir.remote.posix.connection import PosixConnection
from tests.waiting import eventually

from .conftest import NoSecrets, RealClock, address, job

pytestmark = pytest.mark.slow


def lease(session: str, epoch: int = 1, history: str = "h1", seconds: float = 900.0) -> Lease:
    return Lease(history, session, epoch, f"session {session} of somebody", seconds)


def mine(spool: Path) -> Path:
    return spool / ".leases" / f"immy-lease-{os.getuid()}"


def others(spool: Path, until: float, *, released: bool = False, touched: float | None = None) -> Path:
    """The lease of another account."""
    folder = spool / ".leases" / "immy-lease-4321"
    folder.mkdir(parents=True)
    now = int(time.time() if touched is None else touched)
    (folder / "lease").write_text(f"h9 z-1 1 {until:.0f} {now} {released:d} c29tZWJvZHk=\n")
    return folder


def test_a_lease_is_its_sessions_until_it_is_released(each_shell: PosixConnection) -> None:
    each_shell.carry(lease("a-1"))
    assert each_shell.start_job(job("true"), 10).state is JobState.FINISHED
    each_shell.carry(lease("b-1", history="h2"))
    other = job("true")
    with pytest.raises(BusyError, match=r"session a-1 of somebody, until 20.* UTC"):
        each_shell.start_job(other, 10)
    with pytest.raises(BusyError):
        each_shell.reboot(Boot("x", None), 3, "test")
    each_shell.release()  # it has none
    with pytest.raises(BusyError):
        each_shell.start_job(other, 10)
    each_shell.carry(lease("a-1"))
    each_shell.release()
    each_shell.carry(lease("b-1", history="h2"))
    assert each_shell.start_job(other, 10).state is JobState.FINISHED


def test_waiting_renews_and_takes_nothing_from_others(connection: PosixConnection, spool: Path) -> None:
    connection.carry(lease("a-1", seconds=100))
    spec = job("true")
    connection.start_job(spec, 10)
    before = (mine(spool) / "lease").read_text().split()[3]
    connection.carry(lease("a-1", seconds=500))
    assert connection.wait_job(spec.job_id, 0, 0).state is JobState.FINISHED
    after = (mine(spool) / "lease").read_text().split()[3]
    assert int(after) - int(before) >= 300
    connection.carry(lease("b-1", history="h2"))
    assert connection.wait_job(spec.job_id, 0, 0).state is JobState.FINISHED
    assert (mine(spool) / "lease").read_text().split()[1] == "a-1"


def test_a_newer_owner_of_the_session_takes_it_and_the_older_one_does_nothing_more(connection: PosixConnection) -> None:
    connection.carry(lease("a-1", epoch=2))
    connection.start_job(job("true"), 10)
    connection.carry(lease("a-1", epoch=1))
    with pytest.raises(BusyError, match="taken up by session a-1"):
        connection.start_job(job("true"), 10)


def test_an_old_lease_is_free_only_when_its_job_has_ended_and_then_everything_is_looked_at_again(
    connection: PosixConnection, tmp_path: Path
) -> None:
    connection.carry(lease("a-1", seconds=0))
    end = tmp_path / "end"
    long = job(f"while [ ! -e {end} ]; do sleep 0.1; done")
    assert connection.start_job(long).state in (JobState.STARTING, JobState.RUNNING)
    connection.carry(lease("b-1", history="h2"))
    looked = dataclasses.replace(job("true"), detected_seconds=1.0)
    with pytest.raises(BusyError):
        connection.start_job(looked)
    end.touch()
    eventually(lambda: connection.wait_job(long.job_id, 0, 1).state is JobState.FINISHED)
    assert connection.start_job(looked).state is JobState.LOOK_AGAIN
    assert connection.start_job(looked, 10).state is JobState.FINISHED


def test_a_lease_of_another_account_counts_as_much(connection: PosixConnection, spool: Path) -> None:
    folder = others(spool, time.time() + 60)
    connection.carry(lease("a-1"))
    spec = dataclasses.replace(job("true"), detected_seconds=30.0)
    with pytest.raises(BusyError, match="somebody"):
        connection.start_job(spec)
    assert (mine(spool) / "lease").read_text().split()[5] == "1"  # it stepped back
    (folder / "lease").write_text((folder / "lease").read_text().replace(" 0 c29", " 1 c29"))
    assert connection.start_job(spec).state is JobState.LOOK_AGAIN
    assert connection.start_job(spec, 10).state is JobState.FINISHED


def test_the_running_job_of_another_account_keeps_its_lease(connection: PosixConnection, spool: Path) -> None:
    connection.carry(lease("a-1"))
    connection.start_job(job("true"), 10)
    boot, _, _ = next(spool.glob("*/pid")).read_text().split()
    birth = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    folder = others(spool, time.time() - 3600, touched=time.time() - 7200)
    (folder / "job").write_text(f"{boot} {os.getpid()} {birth}\n")
    with pytest.raises(BusyError):
        connection.start_job(job("true"), 10)
    (folder / "job").write_text(f"{boot} {os.getpid()} 1\n")
    assert connection.start_job(job("true"), 10).state is JobState.FINISHED


@pytest.mark.parametrize("text", ["", "h9 z-1", "h9 z-1 x 9999999999 1 0 YQ==", "\0\0\0", "* * * * * * *"])
def test_a_torn_lease_is_nobodys(connection: PosixConnection, spool: Path, text: str) -> None:
    others(spool, 0).joinpath("lease").write_text(text)
    connection.carry(lease("a-1"))
    assert connection.start_job(job("true"), 10).state is JobState.FINISHED


def test_a_lease_folder_that_is_a_link_is_refused(connection: PosixConnection, spool: Path, tmp_path: Path) -> None:
    mine(spool).parent.mkdir(parents=True)
    mine(spool).symlink_to(tmp_path)
    connection.carry(lease("a-1"))
    with pytest.raises(RefusedError, match="not ours"):
        connection.start_job(job("true"), 10)


def test_no_reboot_while_a_job_is_at_work(spool: Path, tmp_path: Path) -> None:
    # No boot is called "x": without the job it would be refused for that.
    connection = local.connect(address(spool, immy_allow_local_reboot=True), NoSecrets(), RealClock())
    connection.carry(lease("a-1"))
    end = tmp_path / "end"
    long = job(f"while [ ! -e {end} ]; do sleep 0.1; done")
    connection.start_job(long)
    with pytest.raises(RefusedError, match="is at work there"):
        connection.reboot(Boot("x", None), 3, "test")
    end.touch()
