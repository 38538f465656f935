"""A run is a record: what another process takes up goes on with its waves, its limits, its brakes and its question."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.waiting import ENOUGH, eventually

from .fleets import Fleet, fleet, kill, software_files, write

pytestmark = pytest.mark.slow
ONE = software_files(("alpha",), ())
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
BROKEN = {"exits": {"software/alpha": 1603}}


def book(root: Path, **more: object) -> None:
    play = {"name": "all", "hosts": "tenants", "maintenance": "full", **more}
    write(root, {"playbooks/all.yml": json.dumps([play])})


def leave(one: Fleet, how: str, *more: str) -> None:
    """Begin a run and leave it while the installers of its first wave are at work."""
    one.lab.hold()
    process = one.start(*RUN, *more)
    eventually(lambda: len(one.lab.events("installer_started")) >= 2)
    if how == "killed":
        kill(process)
    else:
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 130
    one.lab.release()


def begun(one: Fleet) -> list[str]:
    return [str(event["computer"]) for event in one.lab.events("installer_started")]


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_run_that_was_left_goes_on_wave_after_wave(tmp_path: Path, how: str) -> None:
    with fleet(tmp_path, 6, ONE) as one:
        book(tmp_path, serial=2)
        leave(one, how)
        assert sorted(begun(one)) == ["pc001", "pc002"]
        one.immy("sessions", "resume")
        assert set(one.statuses().values()) == {"passed"}
        order = begun(one)
        assert [sorted(order[at : at + 2]) for at in (0, 2, 4)] == [
            ["pc001", "pc002"],
            ["pc003", "pc004"],
            ["pc005", "pc006"],
        ]
        assert set(one.installs().values()) == {1}
        ended = {str(event["computer"]): float(str(event["time"])) for event in one.lab.events("installer_finished")}
        started = {str(event["computer"]): float(str(event["time"])) for event in one.lab.events("installer_started")}
        assert max(ended[name] for name in order[2:4]) < min(started[name] for name in order[4:])
        assert one.sql("SELECT status FROM runs") == [("ended",)]
        assert [kind for (kind,) in one.sql("SELECT kind FROM run_entries ORDER BY id")][-1] == "RunEnded"


def test_failures_count_over_the_process_that_they_happened_in(tmp_path: Path) -> None:
    with fleet(tmp_path, 6, ONE, specs={"pc001": BROKEN, "pc002": BROKEN}) as one:
        book(tmp_path, serial=2, max_fail_percentage=20)
        leave(one, "killed")
        one.immy("sessions", "resume", expect=1)
        statuses = one.statuses()
        assert [statuses[name] for name in sorted(statuses)] == ["failed"] * 2 + ["cancelled"] * 4
        assert set(begun(one)) == {"pc001", "pc002"}
        rows = {row["computer"]: row for row in one.sessions()}
        assert "max_fail_percentage 20" in rows["pc005"]["reason"]
        one.immy("sessions", "resume")
        assert "no session is interrupted" in one.said
        assert one.sql("SELECT computer, wave, end_reason FROM sessions WHERE wave=2 ORDER BY number") == [
            ("pc005", 2, "halted"),
            ("pc006", 2, "halted"),
        ]


def test_a_session_that_is_named_goes_on_without_the_waves_of_its_run(tmp_path: Path) -> None:
    with fleet(tmp_path, 4, ONE) as one:
        book(tmp_path, serial=2)
        leave(one, "stopped")
        one.immy("sessions", "resume", "pc004")
        assert one.statuses() == {
            "pc001": "interrupted",
            "pc002": "interrupted",
            "pc003": "interrupted",
            "pc004": "passed",
        }
        one.immy("sessions", "resume")
        assert set(one.statuses().values()) == {"passed"}
        assert set(one.installs().values()) == {1}


def test_the_rest_of_a_run_is_held_to_its_brakes_and_asked_about_again(tmp_path: Path) -> None:
    with fleet(tmp_path, 4, ONE) as one:
        book(tmp_path, serial=2)
        leave(one, "stopped", "--max-changes", "5")
        more = software_files(("alpha", "beta", "gamma"), ())
        write(tmp_path, {name: text for name, text in more.items() if name != "playbooks/all.yml"})
        one.immy("sessions", "resume", expect=5)
        assert "change more than was approved" in one.said
        assert set(one.statuses().values()) == {"waiting"}
        one.immy("sessions", "resume", "--due", "--yes", expect=2)  # 2 done, 4 to do in the first wave
        assert "it would do 6 actions in all, and --max-changes is 5" in one.said
        assert sum(one.installs().values()) == 2
        assert set(one.statuses().values()) == {"cancelled"}


def test_a_run_that_would_now_do_more_than_was_approved_needs_a_yes(tmp_path: Path) -> None:
    with fleet(tmp_path, 3, ONE) as one:
        book(tmp_path, serial=2)
        leave(one, "stopped")
        more = software_files(("alpha", "beta", "gamma", "delta"), ())
        write(tmp_path, {name: text for name, text in more.items() if name != "playbooks/all.yml"})
        one.immy("sessions", "resume", expect=5)  # what runs is looked after, and nothing else begins
        assert "change more than was approved" in one.said
        assert len(begun(one)) == 2
        one.immy("sessions", "resume", "--due", expect=2)
        assert "--yes" in one.said
        one.immy("sessions", "resume", "--due", "--yes")
        assert set(one.statuses().values()) == {"passed"}


def test_two_processes_do_not_go_on_with_one_run_at_once(tmp_path: Path) -> None:
    with fleet(tmp_path, 4, ONE) as one:
        book(tmp_path, serial=2)
        leave(one, "killed")
        one.lab.hold()
        first = one.start("sessions", "resume")
        eventually(lambda: one.sql("SELECT 1 FROM run_entries WHERE kind='RunTakenUp'"))
        one.immy("sessions", "resume")
        assert "no session is interrupted" in one.said
        one.lab.release()
        assert first.wait(ENOUGH) == 0
        assert set(one.installs().values()) == {1}


def test_what_failed_in_part_before_the_run_was_left_counts_as_failed(tmp_path: Path) -> None:
    files = software_files(("alpha", "beta"), ())
    specs = {name: {"exits": {"software/beta": 1603}} for name in ("pc001", "pc002")}
    with fleet(tmp_path, 6, files, specs=specs) as one:
        book(tmp_path, serial=3, max_fail_percentage=50)
        # The third of the wave stays at its installer until its process is gone; the two others end in part.
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: len(one.lab.events("installer_started")) >= 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 130
        one.lab.release()
        one.immy("sessions", "resume", "pc001", "pc002", expect=1)
        assert one.statuses()["pc001"] == "partially_passed"
        one.immy("sessions", "resume", expect=1)
        statuses = one.statuses()
        assert [statuses[f"pc00{n}"] for n in range(3, 7)] == ["passed", *["cancelled"] * 3]
