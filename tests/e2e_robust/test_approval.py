"""The question is about the plan: nothing begins that nobody has approved, and brakes hold while a run is under way."""

from __future__ import annotations

import dataclasses
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import ENOUGH, eventually, turns

from .fleets import Fleet, fleet, kill, software_files, write
from .terminal import QUESTION, terminal

pytestmark = pytest.mark.slow
RUN = ("run", "playbooks/all.yml", "--no-report")
ONE, TWO = software_files(("alpha",), ()), software_files(("alpha", "beta"), ())
OWES = {"exits": {"software/alpha": 3010}}
"""Of a computer whose installer asks for a reboot that nothing declares."""


def book(root: Path, **keys: object) -> None:
    options = {"reboot": "automatic", "offline": "skip", **dict(keys.pop("options", {}))}  # type: ignore[call-overload]
    lines = [f"  {name}: {value}" for name, value in keys.items()]
    told = ", ".join(f"{name}: {value}" for name, value in options.items())
    text = "\n".join(["- name: all", "  hosts: tenants", "  maintenance: full", f"  options: {{{told}}}", *lines])
    write(root, {"playbooks/all.yml": text + "\n"})


def installed(one: Fleet) -> dict[str, int]:
    """How many installers began, by computer."""
    found: dict[str, int] = {}
    for (computer, _), number in one.installs().items():
        found[computer] = found.get(computer, 0) + number
    return found


def said_in_log(one: Fleet, computer: str) -> list[str]:
    return [line["text"] for line in one.log(computer)]


def test_the_plan_is_shown_before_anything_is_done_and_a_yes_does_it(tmp_path: Path) -> None:
    files = software_files(("alpha", "beta"), ("beta",))
    older = {
        f"Vendor.{name}": {"installed": was, "candidate": "1.0"} for name, was in (("alpha", "0.9"), ("beta", None))
    }
    specs = {"pc003": {"packages": {"winget": older}}}
    with fleet(tmp_path, 3, files, specs=specs) as one, terminal(one, *RUN) as screen:
        shown = screen.expect(QUESTION)
        assert "all: 3 computers, 1 tenant, 5 install, 1 update, 3 computers may reboot:" in shown
        assert "install software/beta 1.0 on 3 computers: " in shown
        assert "update software/alpha 0.9 -> 1.0 on 1 computer: pc003" in shown
        assert "reboot 3 computers: " in shown
        assert not one.installs()
        assert {row["status"] for row in one.sessions()} == {"waiting"}
        screen.type("v")
        shown = screen.expect(QUESTION)
        assert "pc003:\n    update software/alpha 0.9 -> 1.0: " in shown
        assert not one.installs()
        screen.type("y")
        assert screen.end() == 0
        assert set(one.statuses().values()) == {"passed"}
        assert "approved by the operator: 2 actions and a reboot" in said_in_log(one, "pc001")


@pytest.mark.parametrize("answer", ["n", "", "yesterday"])
def test_anything_but_yes_is_a_no_and_nothing_is_done(tmp_path: Path, answer: str) -> None:
    with fleet(tmp_path, 2, ONE) as one, terminal(one, *RUN) as screen:
        screen.expect(QUESTION)
        screen.type(answer)
        assert screen.end() == 2
        assert set(one.statuses().values()) == {"cancelled"}
        assert {row["reason"] for row in one.sessions()} == {"the operator said no"}
        assert not one.installs()
        one.immy("sessions", "resume")
        assert "no session is interrupted" in one.said


def test_each_wave_is_asked_about_and_a_no_ends_the_run(tmp_path: Path) -> None:
    with fleet(tmp_path, 6, ONE) as one:
        book(tmp_path, serial=2)
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            screen.type("y")
            screen.expect(QUESTION)
            assert installed(one) == {"pc001": 1, "pc002": 1}
            assert {row["status"] for row in one.sessions() if row["computer"] > "pc004"} == {"created"}
            screen.type("n")
            assert screen.end() == 1
        statuses = one.statuses()
        assert [statuses[f"pc{n:03}"] for n in range(1, 7)] == ["passed"] * 2 + ["cancelled"] * 4
        assert installed(one) == {"pc001": 1, "pc002": 1}
        assert "2 computers of a wave: not approved" in next(
            row["reason"] for row in one.sessions() if row["computer"] == "pc005"
        )


def test_ctrl_c_in_the_question_leaves_everything_to_be_resumed(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE) as one:
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            screen.process.send_signal(signal.SIGINT)
            assert screen.end() == 130
        assert {row["status"] for row in one.sessions()} == {"interrupted"}
        assert {row["reason"] for row in one.sessions()} == {
            "stopped by the operator while waiting for somebody to approve 1 action"
        }
        one.immy("sessions", "resume", expect=2)
        assert "nobody is here to be asked" in one.said
        assert not one.installs()
        with terminal(one, "sessions", "resume") as screen:
            screen.expect(QUESTION)
            screen.type("y")
            assert screen.end() == 0
        assert set(one.statuses().values()) == {"passed"}
        assert set(one.installs().values()) == {1}


def test_a_killed_run_keeps_what_was_approved_and_nothing_else(tmp_path: Path) -> None:
    with fleet(tmp_path, 4, TWO) as one:
        book(tmp_path, serial=2)
        one.lab.hold()
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            screen.type("y")
            eventually(lambda: len(one.lab.events("installer_started")) == 2)
            kill(screen.process)
        one.lab.release()
        one.immy("sessions", "resume", expect=5)  # the second wave was never asked about
        assert installed(one) == {"pc001": 2, "pc002": 2}
        assert one.statuses() == {"pc001": "passed", "pc002": "passed", "pc003": "waiting", "pc004": "waiting"}
        one.immy("sessions", "resume", "--due", expect=2)
        assert "nobody is here to be asked" in one.said
        one.immy("sessions", "resume", "--due", "--yes")
        assert set(one.statuses().values()) == {"passed"}
        assert set(one.installs().values()) == {1}


def test_what_changed_files_want_is_asked_about_when_it_is_planned(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, TWO) as one:
        one.lab.hold()
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            screen.type("y")
            eventually(lambda: one.lab.events("installer_started"))
            rules = "- {item: software/alpha, target: tenants, state: absent}\n"
            write(tmp_path, {"playbooks/deployments/all.yml": rules})
            one.until("StopAsked")
            one.lab.release()
            shown = screen.expect(QUESTION)
            assert "uninstall software/alpha 1.0 on 1 computer: pc001" in shown
            screen.type("n")
            assert screen.end() == 2
        assert [row["status"] for row in one.sessions()] == ["cancelled", "superseded"]
        assert [str(one["item"]) for one in one.lab.events("installer_started")] == ["software/alpha"]


def test_a_computer_that_comes_later_is_asked_about_on_its_own(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE, specs={"pc002": {"misbehave": ("off",)}}) as one:
        book(tmp_path, options={"offline": "apply_on_connect"})
        with terminal(one, *RUN) as screen:
            assert "install software/alpha 1.0 on 1 computer: pc001" in screen.expect(QUESTION)
            screen.type("y")
            assert screen.end() == 5
        late: Any = one.lab.computers["pc002"]
        late.spec = dataclasses.replace(late.spec, misbehave=())
        one.immy("sessions", "resume", "--due", expect=2)
        assert "nobody is here to be asked" in one.said
        assert installed(one) == {"pc001": 1}
        with terminal(one, "sessions", "resume", "--due") as screen:
            assert "install software/alpha 1.0 on 1 computer: pc002" in screen.expect(QUESTION)
            screen.type("y")
            assert screen.end() == 0
        assert installed(one) == {"pc001": 1, "pc002": 1}


def test_it_is_asked_at_once_and_done_in_the_window_with_nobody_there(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        opens = time.time() + 12.0
        window = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(opens))
        with terminal(one, *RUN, "--window", window) as screen:
            screen.expect(QUESTION)
            screen.type("y")
            assert screen.end() == 5
        assert not one.installs()
        for _ in turns("the window"):
            one.immy("sessions", "resume", "--due", expect=None)
            if one.statuses() == {"pc001": "passed"}:
                break
        assert installed(one) == {"pc001": 1}


# --- brakes -------------------------------------------------------------------------------------------------------


def test_a_brake_counts_what_is_planned_and_not_what_is_deployed(tmp_path: Path) -> None:
    there = {"packages": {"winget": {"Vendor.alpha": {"installed": "1.0", "candidate": "1.0"}}}}
    with fleet(tmp_path, 4, ONE, specs=dict.fromkeys(("pc001", "pc002", "pc003"), there)) as one:
        one.immy(*RUN, "--yes", "--max-changes", "1")
        assert installed(one) == {"pc004": 1}


def test_a_plan_that_passes_a_brake_is_shown_and_not_begun(tmp_path: Path) -> None:
    with fleet(tmp_path, 3, TWO) as one:
        one.immy(*RUN, "--yes", "--max-changes", "5", expect=2)
        assert "it would do 6 actions in all, and --max-changes is 5" in one.said
        assert "install software/alpha 1.0 on 3 computers: " in one.said
        assert set(one.statuses().values()) == {"cancelled"}
        assert not one.installs()
        one.immy(*RUN, "--yes", "--max-changes", "6")
        assert set(one.installs().values()) == {1}


def test_a_brake_holds_over_all_waves(tmp_path: Path) -> None:
    with fleet(tmp_path, 6, ONE) as one:
        book(tmp_path, serial=2)
        one.immy(*RUN, "--yes", "--max-changes", "5", expect=1)
        assert "it would do 6 actions in all, and --max-changes is 5" in one.said
        statuses = one.statuses()
        assert [statuses[f"pc{n:03}"] for n in range(1, 7)] == ["passed"] * 4 + ["cancelled"] * 2


def test_a_brake_holds_for_what_another_process_goes_on_with(tmp_path: Path) -> None:
    with fleet(tmp_path, 6, ONE) as one:
        book(tmp_path, serial=2)
        one.lab.hold()
        process = one.start(*RUN, "--yes", "--max-changes", "5")
        eventually(lambda: len(one.lab.events("installer_started")) == 2)
        kill(process)
        one.lab.release()
        one.immy("sessions", "resume", expect=1)
        assert sum(installed(one).values()) == 4
        assert "it would do 6 actions in all, and --max-changes is 5" in one.said


def test_a_reboot_that_only_the_installer_asked_for_is_held_by_the_brake(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE, specs={"pc001": OWES}) as one:
        one.immy(*RUN, "--yes", "--max-reboots", "0")
        assert not one.lab.events("reboot_asked")
        (row,) = [row for row in one.sessions() if row["computer"] == "pc001"]
        assert "not rebooted: it might reboot 1 computer in all, and --max-reboots is 0" in row["reason"]
        assert installed(one) == {"pc001": 1, "pc002": 1}


def test_a_reboot_that_only_the_installer_asked_for_is_asked_about(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, ONE, specs={"pc001": OWES}) as one, terminal(one, *RUN) as screen:
        assert "no reboots" in screen.expect(QUESTION)
        screen.type("y")
        assert "reboot if needed 1 computer: pc001" in screen.expect(QUESTION)
        assert not one.lab.events("reboot_asked")
        screen.type("y")
        assert screen.end() == 0
        assert len(one.lab.events("reboot_asked")) == 1


def approved_and_killed(one: Fleet) -> None:
    """A run whose plan was approved, killed while its first installers are at work."""
    one.lab.hold()
    before = len(one.lab.events("installer_started"))
    with terminal(one, *RUN) as screen:
        screen.expect(QUESTION)
        screen.type("y")
        eventually(lambda: len(one.lab.events("installer_started")) > before)
        kill(screen.process)
    one.lab.release()


def test_what_one_run_was_approved_is_no_approval_of_another(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, TWO) as one:
        approved_and_killed(one)
        one.immy(*RUN, "--yes", "--max-changes", "1", expect=1)
        assert "it would do 2 actions in all, and --max-changes is 1" in one.said
        assert installed(one) == {"pc001": 1}


def test_another_run_asks_about_what_the_killed_one_has_left(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, TWO) as one:
        approved_and_killed(one)
        with terminal(one, *RUN) as screen:
            assert "install software/beta" in screen.expect(QUESTION)
            assert installed(one) == {"pc001": 1}
            screen.type("y")
            assert screen.end() == 0


def test_what_was_approved_is_done_with_nobody_there_and_the_rest_waits(tmp_path: Path) -> None:
    off = {"pc002": {"misbehave": ("off",)}}
    with fleet(tmp_path, 2, ONE, specs=off) as one:
        book(tmp_path, options={"offline": "apply_on_connect"})
        one.lab.hold()
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            screen.type("y")
            eventually(lambda: one.lab.events("installer_started"))
            kill(screen.process)
        one.lab.release()
        late: Any = one.lab.computers["pc002"]
        late.spec = dataclasses.replace(late.spec, misbehave=())
        one.immy("sessions", "resume", "--due", expect=5)
        assert one.statuses() == {"pc001": "passed", "pc002": "waiting"}
        assert installed(one) == {"pc001": 1}
        (row,) = [row for row in one.sessions() if row["computer"] == "pc002"]
        assert row["waiting"] == "approval: somebody to approve 1 action"
        with terminal(one, "sessions", "resume") as screen:
            screen.expect(QUESTION)
            screen.type("y")
            assert screen.end() == 0
        assert installed(one) == {"pc001": 1, "pc002": 1}


def test_a_named_session_is_under_the_brakes_of_its_newest_run(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, TWO) as one:
        for brake in ((), ("--max-changes", "2")):
            one.lab.hold()
            process = one.start(*RUN, "--yes", *brake)
            if not brake:
                eventually(lambda: len(one.lab.events("installer_started")) == 2)
            else:
                eventually(lambda: "is taken up again" in "".join(p.read_text() for p in tmp_path.glob("err-*.txt")))
            kill(process)
        one.lab.release()
        for row in one.sessions():
            one.immy("sessions", "resume", row["id"], expect=None)
        assert installed(one) == {"pc001": 1, "pc002": 1}


def test_brakes_count_what_was_approved_for_those_that_wait(tmp_path: Path) -> None:
    off = {"pc003": {"misbehave": ("off",)}}
    with fleet(tmp_path, 3, ONE, specs=off) as one:
        book(tmp_path, options={"offline": "apply_on_connect"})
        window = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        one.immy(*RUN, "--yes", "--max-changes", "2", "--window", window, expect=5)
        late: Any = one.lab.computers["pc003"]
        late.spec = dataclasses.replace(late.spec, misbehave=())
        session = next(row["id"] for row in one.sessions() if row["computer"] == "pc003")
        one.immy("sessions", "resume", session, expect=2)
        assert "it would do 3 actions in all, and --max-changes is 2" in one.said


def test_a_terminal_that_goes_away_is_no_answer(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE) as one:
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            screen.hang_up()
            assert screen.process.wait(ENOUGH) == 130
        assert {row["status"] for row in one.sessions()} == {"interrupted"}
        assert not one.installs()


def test_a_computer_counts_once_however_often_it_reboots(tmp_path: Path) -> None:
    exits = {"exits": {"software/alpha": 1641, "software/beta": 3010}}
    with fleet(tmp_path, 1, TWO, specs={"pc001": exits}) as one:
        one.immy(*RUN, "--yes", "--max-reboots", "1")
        assert one.sessions()[0]["reboots"] == 2


def test_an_action_counts_once_however_often_it_is_tried(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, ONE, specs={"pc001": {"exits": {"software/alpha": [1618, 0]}}}) as one:
        process = one.start(*RUN, "--yes")
        one.until("RetryLater")
        kill(process)
        one.immy(*RUN, "--yes", "--max-changes", "1")
        assert one.statuses() == {"pc001": "passed"}


def test_nothing_of_a_plan_that_was_never_approved_is_done_by_who_settles_it(tmp_path: Path) -> None:
    last = "registry: {key: 'HKLM\\SOFTWARE\\Lab', name: x, value: 1}\nalways: true\norder: post\n"
    rules = (
        "- {item: software/alpha, target: tenants, state: latest}\n"
        "- {item: task/stamp, target: tenants, mode: enforce}\n"
    )
    files = {**ONE, "tasks/maintenance/stamp/task.yml": last, "playbooks/deployments/all.yml": rules}
    with fleet(tmp_path, 1, files) as one:
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            screen.process.send_signal(signal.SIGINT)
            assert screen.end() == 130
        write(tmp_path, {"playbooks/deployments/all.yml": rules.replace("latest", "installed")})
        with terminal(one, *RUN) as screen:
            screen.expect(QUESTION)
            assert not one.lab.events("installer_started")
            screen.type("n")
            assert screen.end() == 2
        assert not one.lab.events("installer_started")


def test_a_session_that_waits_for_an_answer_holds_no_thread_and_no_connection(tmp_path: Path) -> None:
    with fleet(tmp_path, 30, ONE) as one, terminal(one, *RUN, "--workers", "4") as screen:
        screen.expect(QUESTION)
        sockets = [link for link in links(screen.process.pid) if link.startswith("socket:")]
        assert len(sockets) <= 4, sockets
        screen.type("y")
        assert screen.end() == 0
        assert len(one.installs()) == 30


def links(process: int) -> list[str]:
    """What the descriptors of a process are."""
    found = []
    for one in Path(f"/proc/{process}/fd").iterdir():
        try:
            found.append(str(one.readlink()))
        except OSError:  # closed meanwhile
            continue
    return found
