"""The lease on real PowerShell, in both editions: whose the computer is, and what two of them come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from immy_nornir.errors import BusyError, RefusedError
from immy_nornir.model.facts import Boot
from immy_nornir.model.wire import JobState, Lease
from immy_nornir.remote.windows.connection import PowerShellConnection
from tests.powershell import PWSH, needs_pwsh
from tests.remote.windows.processes import Machine
from tests.remote.windows.test_jobs import BOOT_ID
from tests.remote.windows.test_jobs import _finish as finish
from tests.remote.windows.test_jobs import _running as running
from tests.remote.windows.test_jobs import _script as script_job

# Where the editions differ, reading and isolation show it; the full counts do everything in both.
pytestmark = [needs_pwsh, pytest.mark.slow, pytest.mark.sampled(1)]


def _lease(session: str, epoch: int = 1, history: str = "h1", seconds: float = 900.0) -> Lease:
    return Lease(history, session, epoch, f"session {session} of somebody", seconds)


@pytest.fixture(scope="module")
def machine(edition: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(tmp_path_factory.mktemp("leases"), edition, {"HKLM": {BOOT_ID: {"BootId": 7}}})
    machine.environment["IMMY_PWSH"] = PWSH
    return machine


@pytest.fixture
def free(machine: Machine) -> Iterator[None]:
    """A computer that nobody has."""
    yield
    (machine.folder / "spool" / ".lease").unlink(missing_ok=True)


def _with(machine: Machine, lease: Lease) -> PowerShellConnection:
    connection = machine.connection()
    connection.carry(lease)
    return connection


@pytest.mark.usefixtures("free")
def test_a_lease_is_its_sessions_until_it_is_released(machine: Machine) -> None:
    one, other = _with(machine, _lease("la-1")), _with(machine, _lease("lb-1", history="h2"))
    finish(one, script_job("la-1/x/1", "1"))
    with pytest.raises(BusyError, match=r"session la-1 of somebody, until 20\d\d-\d\d-\d\d \d\d:\d\d UTC"):
        other.start_job(script_job("lb-1/x/1", "1"))
    with pytest.raises(BusyError):
        other.reboot(Boot("7", None), 3, "test")
    assert other.wait_job("la-1/x/1", 0, 0).state is JobState.FINISHED  # reading disturbs nobody
    one.release()
    other.release()  # it has none
    finish(other, script_job("lb-1/x/1", "1"))


@pytest.mark.usefixtures("free")
def test_a_newer_owner_of_the_session_takes_it_and_the_older_one_does_nothing_more(machine: Machine) -> None:
    older, newer = _with(machine, _lease("lc-1")), _with(machine, _lease("lc-1", epoch=2))
    finish(older, script_job("lc-1/x/1", "1"))
    finish(newer, script_job("lc-1/x/2", "1"))
    with pytest.raises(BusyError, match="taken up by session lc-1"):
        older.start_job(script_job("lc-1/x/3", "1"))


@pytest.mark.usefixtures("free")
def test_an_old_lease_is_free_only_when_its_job_has_ended_and_then_everything_is_looked_at_again(
    machine: Machine,
) -> None:
    one, other = _with(machine, _lease("ld-1", seconds=0.0)), _with(machine, _lease("le-1", history="h2"))
    one.start_job(script_job("ld-1/long/1", "Start-Sleep 600"))
    running(machine, "ld-1/long/1")
    looked = dataclasses.replace(script_job("le-1/x/1", "1"), detected_seconds=1.0)
    with pytest.raises(BusyError):
        other.start_job(looked)
    one.stop_job("ld-1/long/1")
    again = other.start_job(looked)
    assert (again.state, again.created) == (JobState.LOOK_AGAIN, False)
    finish(other, looked)  # it was looked at


@pytest.mark.usefixtures("free")
def test_what_was_detected_before_another_session_left_is_looked_at_again(machine: Machine) -> None:
    one, other = _with(machine, _lease("lf-1")), _with(machine, _lease("lg-1", history="h2"))
    finish(one, script_job("lf-1/x/1", "1"))
    one.release()
    looked = dataclasses.replace(script_job("lg-1/x/1", "1"), detected_seconds=60.0)
    assert other.start_job(looked).state is JobState.LOOK_AGAIN


@pytest.mark.usefixtures("free")
def test_a_torn_lease_is_nobodys(machine: Machine) -> None:
    (machine.folder / "spool" / ".lease").write_text('{"history": "h2", "ses')
    finish(_with(machine, _lease("lh-1")), script_job("lh-1/x/1", "1"))


@pytest.mark.usefixtures("free")
def test_no_reboot_while_a_job_is_at_work(machine: Machine) -> None:
    one = _with(machine, _lease("li-1"))
    one.start_job(script_job("li-1/long/1", "Start-Sleep 600"))
    running(machine, "li-1/long/1")
    with pytest.raises(RefusedError, match="the job li-1-long-1 is at work there"):
        one.reboot(Boot("7", None), 3, "test")
    one.stop_job("li-1/long/1")
