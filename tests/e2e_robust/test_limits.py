"""Limits of a process, as an operator sees them: who reboots when, what goes on at once, and what is said of waits."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


def most_at_once(one: Fleet, begins: str, ends: str, among: Collection[str] = ()) -> int:
    """How many computers were between two events of the lab at one time."""
    there, most = 0, 0
    for event in one.lab.events():
        if among and event["computer"] not in among:
            continue
        there += (event["event"] == begins) - (event["event"] == ends)
        most = max(most, there)
    return most


def waits(one: Fleet) -> list[str]:
    """What the records say that sessions waited for slots."""
    rows = one.sql("SELECT text FROM entries WHERE kind='Waiting' AND text LIKE '%slot%' OR text LIKE '%come first%'")
    return [str(text) for (text,) in rows]


def test_a_group_reboots_one_by_one_a_host_after_its_guests_and_an_item_goes_on_once(tmp_path: Path) -> None:
    files = software_files(("alpha", "beta"))
    files["inventory/roles.yml"] = "dcs: {hosts: {pc001: , pc002: }}\nhosts: {hosts: {pc003: }}\n"
    files["playbooks/limits.yml"] = "groups:\n- {group: dcs, max_rebooting: 1}\n- {group: hosts, reboot_after: dcs}\n"
    files["tasks/software/alpha/software.yml"] += "once_at_a_time: true\n"
    with fleet(tmp_path, 3, files, knobs=Knobs(reboot_seconds=0.3, install_seconds=0.3)) as one:
        one.immy(*RUN)
        assert set(one.statuses().values()) == {"passed"}
        assert most_at_once(one, "reboot_asked", "booted", ("pc001", "pc002")) == 1
        assert [event["computer"] for event in one.lab.events("reboot_asked")][-1] == "pc003"
        assert any("dcs, which come first: pc00" in said for said in waits(one))
        assert any("at most 1 computer of dcs at once in a reboot; taken by pc00" in said for said in waits(one))
        assert any("software/alpha once at a time in the fleet; taken by" in said for said in waits(one))
        assert one.sql("SELECT count(*) FROM slots") == [(0,)]


def test_two_processes_of_one_history_share_what_goes_on_once_and_a_killed_one_frees_it(tmp_path: Path) -> None:
    files = software_files(("alpha",), ())
    files["tasks/software/alpha/software.yml"] += "once_at_a_time: true\n"
    with fleet(tmp_path, 3, files) as one:
        one.lab.hold()
        first = one.start(*RUN, "--limit", "pc001")
        eventually(lambda: len(one.lab.events("installer_started")) == 1)
        second = one.start(*RUN, "--limit", "pc002")
        eventually(lambda: any("taken by pc001" in said and "process" in said for said in waits(one)))
        assert len(one.lab.events("installer_started")) == 1
        kill(first)
        eventually(lambda: len(one.lab.events("installer_started")) == 2)
        one.lab.release()
        assert second.wait(ENOUGH) == 0
        assert one.sql("SELECT count(*) FROM slots") == [(0,)]
