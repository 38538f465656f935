"""A run and a session that take longer than they may end by themselves, and the record says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.waiting import ENOUGH, eventually

from .fleets import fleet, software_files

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
BOOK = "- {name: all, hosts: tenants, maintenance: full, serial: 1, options: {run_timeout_minutes: 0.1}}\n"


def test_a_run_that_takes_longer_than_it_may_ends_what_nobody_looks_after(tmp_path: Path) -> None:
    files = {**software_files(("alpha", "beta"), ()), "playbooks/all.yml": BOOK}
    files["tasks/software/alpha/software.yml"] += "once_at_a_time: true\n"
    with fleet(tmp_path, 2, files) as one:
        one.lab.hold()
        one.immy(*RUN, expect=1)
        rows = {row["computer"]: row for row in one.sessions()}
        told = "its run has run for 0.1 minutes (run_timeout_minutes)"
        assert (rows["pc001"]["status"], rows["pc001"]["end_reason"]) == ("failed", "time_over")
        assert rows["pc001"]["reason"].startswith(told)
        assert (rows["pc002"]["status"], rows["pc002"]["end_reason"]) == ("cancelled", "halted")
        assert told in rows["pc002"]["reason"]
        assert f"halted: {told}" in one.immy("runs", "show", "last")
        left = {one["id"]: one for one in one.show("pc001")["session"]["actions"]}
        assert left["software/alpha"]["message"].endswith("its job was still at work, and was left on the computer")
        assert left["software/beta"]["outcome_reason"] == "time_over"
        assert one.immy("sessions", "stuck") == "no session is stuck; none is open\n"

        # What was left at work keeps its slot in the fleet, and its computer to itself.
        other = one.start(*RUN, "--limit", "pc002", "-o", "run_timeout_minutes=60", "--item", "software/alpha")
        said = f"left at work on pc001 by session {rows['pc001']['id']}, until "
        eventually(lambda: said in one.sessions("pc002")[0]["waiting"])
        one.immy(*RUN, "--limit", "pc001", "--item", "software/beta", expect=None)
        assert (one.statuses()["pc001"], one.sessions("pc001")[0]["end_reason"]) == ("missed", "busy")
        assert [event["item"] for event in one.lab.events("installer_started")] == ["software/alpha"]
        one.lab.release()
        eventually(lambda: len(one.lab.events("installer_finished")) == 1)
        one.immy(*RUN, "--limit", "pc001", "--item", "software/beta")  # which shows that the other job has ended
        assert other.wait(ENOUGH) == 0
        assert one.statuses() == {"pc001": "passed", "pc002": "passed"}
        assert one.sql("SELECT count(*) FROM slots") == [(0,)]

        # The same of a session alone: its option stands nearest.
        one.immy(*RUN, "--limit", "pc002", "-o", "session_timeout_minutes=0.001", expect=1)
        assert "session_timeout_minutes" in one.show("pc002")["session"]["reason"]
