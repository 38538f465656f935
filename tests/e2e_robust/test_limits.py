"""Limits of a process, as an operator sees them: who reboots when, what goes on at once, and what is said of waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import accumulate
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs
from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files, write

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")


WORK = "computers: 4\nper_tenant: 3\nper_site: 2\ngroups:\n- {group: small, computers: 1}\n"
REBOOTS = """
downloads_per_site: 1
heavy_mb: 100
groups:
- {group: dcs, max_rebooting: 1, per: tenant}
- {group: hypervisors, reboot_after: guests}
- {group: early, max_rebooting: 1}
- {group: late, reboot_after: early}
"""
TENANT0 = ("pc001", "pc003", "pc005", "pc007")
SITES = (("pc001", "pc003"), ("pc005", "pc007"), ("pc002", "pc004", "pc006", "pc008"))
PLACES = {name: {"immy_site": "b" if site == SITES[1] else "a"} for site in SITES for name in site}
ROLES = """
small: {hosts: {pc002: , pc006: }}
dcs: {hosts: {pc001: , pc002: , pc003: , pc004: }}
hypervisors: {hosts: {pc005: }}
guests: {hosts: {pc007: }}
late: {hosts: {pc008: }}
early: {hosts: {pc006: }}
"""


def at_once(one: Fleet, spans: Iterable[tuple[str, str, str]], among: Collection[str] = ()) -> int:
    """How many computers at most were between two events of the lab at one time; of one item, if it is told."""
    there, most = set[tuple[str, str]](), 0
    begins = {(begin, item) for begin, _, item in spans}
    ends = {(end, item) for _, end, item in spans}
    for event in one.lab.events():
        name, what = str(event["computer"]), str(event["event"])
        if among and name not in among:
            continue
        for item in ("", str(event.get("item", ""))):
            if (what, item) in begins:
                there.add((name, item))
            if (what, item) in ends:
                there.discard((name, item))
        most = max(most, len(there))
    return most


def at_work(one: Fleet, since: int, among: Collection[str] = ()) -> int:
    """How many computers at most were spoken to at one time: between their first and their last events."""
    spans: dict[str, list[float]] = {}
    for event in one.lab.events()[since:]:
        name = str(event["computer"])
        if name and (not among or name in among):
            spans.setdefault(name, []).append(float(str(event["time"])))
    ends = sorted([(min(span), 1) for span in spans.values()] + [(max(span), -1) for span in spans.values()])
    return max(accumulate(step for _, step in ends))


def waits(one: Fleet) -> list[str]:
    """What the records say that sessions waited for slots."""
    rows = one.sql("SELECT text FROM entries WHERE kind='Waiting' AND text LIKE '%slot%' OR text LIKE '%come first%'")
    return [str(text) for (text,) in rows]


def limit(one: Fleet, text: str) -> int:
    """Other limits from now on; how many events there were before."""
    write(one.root, {"playbooks/limits.yml": text})
    return len(one.lab.events())


def test_what_is_at_work_at_once_what_reboots_after_what_and_what_goes_on_alone(tmp_path: Path) -> None:
    files = {**software_files(("alpha", "beta", "gamma", "delta"), ("alpha",)), "inventory/roles.yml": ROLES}
    files["tasks/software/alpha/software.yml"] += "download_mb: 150\n"
    files["tasks/software/beta/software.yml"] += "once_at_a_time: true\n"
    knobs = Knobs(reboot_seconds=1.5, install_seconds=0.15)
    with fleet(tmp_path, 8, files, knobs=knobs, tenants=2, variables=PLACES) as one:
        # Connections: three a second, and eight computers that are only looked at.
        since = limit(one, "connections_per_second: 3\n")
        one.immy("run", "--on", "tenants", "--type", "inventory", "--no-report")
        opened = [float(str(event["time"])) for event in one.lab.events()[since:] if event["event"] == "connected"]
        assert len(opened) >= 8
        assert opened[7] - opened[0] > 1.2  # two whole seconds, but for how late each was served

        # Work at once, in all and of each: what the lab was busy with, and what the sessions waited for.
        one.lab.hold()
        since = limit(one, WORK)
        process = one.start(*RUN, "--item", "software/gamma")
        eventually(lambda: len(one.lab.events("installer_started")) == 4)
        eventually(lambda: len(one.sessions("--status", "waiting")) >= 4)
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert at_work(one, since) == 4
        assert at_work(one, since, TENANT0) <= 3
        assert all(at_work(one, since, site) <= 2 for site in SITES)
        assert at_work(one, since, ("pc002", "pc006")) == 1

        # Reboots, downloads, and what goes on once in the fleet.
        limit(one, REBOOTS)
        one.immy(*RUN)
        assert set(one.statuses().values()) == {"passed"}
        reboot = [("reboot_asked", "booted", "")]
        assert at_once(one, reboot, ("pc001", "pc003")) == at_once(one, reboot, ("pc002", "pc004")) == 1
        for later, before in (("pc005", "pc007"), ("pc008", "pc006")):
            done = max(float(str(event["time"])) for event in one.lab.events(computer=before))
            (asked,) = one.lab.events("reboot_asked", later)
            assert float(str(asked["time"])) > done
        heavy = [("installer_started", "installer_finished", "software/alpha")]
        assert [at_once(one, heavy, site) for site in SITES] == [1, 1, 1]
        assert at_once(one, [("installer_started", "installer_finished", "software/beta")]) == 1
        assert one.sql("SELECT count(*) FROM slots") == [(0,)]
        said = "\n".join(waits(one))
        for told in (
            "at most 4 computers at once; taken by",
            "at once in a reboot; taken by pc00",
            ", which come first: pc00",
            "at most 1 heavy download at once at tenant1/a; taken by pc00",
            "software/beta once at a time in the fleet; taken by",
        ):
            assert told in said


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
