"""Commands that only look change nothing, and leave what others left for those who may."""

from __future__ import annotations

from pathlib import Path

import pytest

from immy_nornir.history.store import History
from immy_nornir.model.record.entries import JobIntended
from immy_nornir.model.record.run import RunSpec
from tests.e2e.world import Fleet
from tests.history import sample

pytestmark = pytest.mark.slow


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """One computer that does not answer, with a session whose process died after it intended a job."""
    made = Fleet(tmp_path)
    gone = {"ansible_host": "127.0.93.1", "ansible_port": 1, "ansible_connection": "winrm", "ansible_user": "u"}
    gone |= {"ansible_password": "p", "ansible_winrm_transport": "basic", "immy_allow_plain_basic": True}
    made.write("inventory/all.yml", {"all": {"hosts": {"pc1": {**gone, "ansible_winrm_scheme": "http"}}}})
    history = History(tmp_path / ".immy", sample.StillClock())
    history.begin_run(RunSpec("run", "immy run"))
    end = next(n for n, one in enumerate(sample.ENTRIES) if isinstance(one, JobIntended))
    sample.fill(history, sample.ENTRIES[: end + 1])
    history.close()
    return made


@pytest.mark.parametrize("how", [("--check",), ("--type", "inventory"), ("--type", "detection")])
def test_a_run_that_only_looks_settles_no_session_that_acts(fleet: Fleet, how: tuple[str, ...]) -> None:
    done = fleet.immy("run", "--on", "pc1", *how, "--no-report")
    assert "settled first" not in done.err, done
    left = fleet.immy("sessions", "list", "--status", "interrupted", "--format", "json").json["sessions"]
    assert [one["id"] for one in left] == ["run-1"]


def test_a_frozen_fleet_resumes_nothing(fleet: Fleet) -> None:
    fleet.write("FREEZE", "year's end\n")
    done = fleet.immy("sessions", "resume")
    assert done.code == 2
    assert "year's end" in done.err
    left = fleet.immy("sessions", "list", "--status", "interrupted", "--format", "json").json["sessions"]
    assert len(left) == 1
