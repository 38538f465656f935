"""`immy schedule list|preview|export` as an operator meets them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.cli.main import run
from immy_nornir.history.queries import Reader
from immy_nornir.history.store import FILE, History
from immy_nornir.model.control.schedules import OccasionState
from immy_nornir.model.facts import Facts
from immy_nornir.session.engine import SystemClock
from tests.fleet.kit import write

DATA = Path(__file__).parent.parent / "history" / "data"
FILES = {
    "inventory/computers.yml": """
tenants:
  children:
    red: {vars: {immy_time_zone: Europe/Berlin}, hosts: {r1: , r2: }}
    blue: {vars: {immy_time_zone: America/New_York}, hosts: {b1: , b2: {immy_time_zone: "{{ 'Asia/' }}Kathmandu"}}}
    green: {hosts: {g1: }}
""",
    "playbooks/p.yml": "- {name: p, hosts: tenants, maintenance: full}\n",
    "playbooks/schedules.yml": """
- {name: weekly, when: sunday 02:30, playbook: playbooks/p.yml, stagger: 2h, max_changes: 5, max_reboots: 1}
- {name: facts, when: "30 2 * * *", zone: Europe/Berlin, hosts: red, maintenance: inventory}
- {name: resting, when: "@daily", hosts: red, maintenance: inventory, paused: holidays}
- {name: never, when: 0 0 30 2 *, hosts: red, maintenance: inventory}
""",
}


class Shell:
    """`immy` in this process, in a fleet's folder."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def __call__(self, *words: str, expect: int = 0) -> tuple[str, str]:
        """What a command says on both streams."""
        code = run(["schedule", *words])
        told = self._capsys.readouterr()
        assert code == expect, told
        return told.out, told.err

    def told(self) -> str:
        """What was said on standard error since."""
        return self._capsys.readouterr().err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--format", "json")[0])


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(write(tmp_path, FILES))
    return Shell(tmp_path, capsys)


def occasion(root: Path, *values: object) -> None:
    with sqlite3.connect(root / ".immy" / FILE) as connection:
        connection.execute("INSERT INTO occasions VALUES (?,?,?,?,?,?,?,?)", values)
    connection.close()


def test_list_shows_each_schedule_with_its_next_time_and_what_became_of_the_last(shell: Shell) -> None:
    out, err = shell("list")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert out.splitlines()[0].split()[:4] == ["NAME", "WHEN", "ZONE", "NEXT"]
    assert "every sunday at 02:30" in rows["weekly"]
    assert "none yet" in rows["weekly"]
    assert "02:30 CE" in rows["facts"] or "03:00 CE" in rows["facts"]
    assert "paused: holidays" in rows["resting"]
    assert " never " in rows["never"].partition("UTC")[0][40:]
    assert "nobody knows the zone of g1: UTC is taken until they report one" in err

    History(shell.root / ".immy", SystemClock()).close()
    occasion(shell.root, "weekly", "a", 1_700_000_000.0, "2023-11-14 23:13 CET", "began", 1.0, "run1", "")
    occasion(shell.root, "weekly", "a", 1_700_600_000.0, "2023-11-21 21:53 CET", "skipped", 2.0, "", "4 hours late")
    occasion(shell.root, "facts", "", 1_700_000_000.0, "2023-11-14 23:13 CET", "odd", 1.0, "", "")
    out, _ = shell("list")
    assert "2023-11-21 21:53 CET: skipped: 4 hours late" in out
    assert "its row is damaged: its state is 'odd'" in out
    told = shell.json("list")
    assert told["schema_version"] == 1
    by_name = {one["name"]: one for one in told["schedules"]}
    assert (by_name["weekly"]["last"]["state"], by_name["weekly"]["computers"]) == ("skipped", 5)
    assert (by_name["weekly"]["zones_unknown"], by_name["weekly"]["tenants"]) == (1, 3)
    assert by_name["never"]["next"] is None
    with Reader(shell.root / ".immy" / FILE) as reader:
        known = reader.occasions(1_700_000_000.0)
    assert [(one.occasion.schedule, one.state, one.ended) for one in known] == [
        ("facts", OccasionState.SKIPPED, False),
        ("weekly", OccasionState.BEGAN, False),
        ("weekly", OccasionState.SKIPPED, False),
    ]


def test_preview_shows_every_time_with_its_computers_and_what_clock_changes_do(shell: Shell) -> None:
    out, err = shell("preview", "--from", "2027-03-27", "--days", "3")
    assert "2027-03-28 02:30 in Europe/Berlin does not exist, and it is due at 03:00" in out
    assert err == "'resting' is paused: holidays\n"
    told = shell.json("preview", "weekly", "--from", "2027-03-24", "--days", "6")["occasions"]
    parts = {one["part"]: (one["computers"], one["tenants"]) for one in told}
    assert parts == {
        "zone=Europe/Berlin,tenant=red": (2, ["red"]),
        "zone=America/New_York,tenant=blue": (1, ["blue"]),
        "zone=Asia/Kathmandu,tenant=blue": (1, ["blue"]),
        "zone=Etc/UTC,tenant=green": (1, ["green"]),
    }
    assert [one["due_at"] for one in told] == sorted(one["due_at"] for one in told)
    assert "nothing is due within 30 days" in shell("preview", "never")[1]
    _, err = shell("preview", "weekl", expect=2)
    assert "there is no schedule 'weekl'" in err
    assert "did you mean 'weekly'?" in err


def test_errors_of_the_schedules_are_all_told_with_their_places(shell: Shell) -> None:
    write(
        shell.root,
        {"playbooks/schedules.yml": "- {name: a, when: mondya 4:00, hosts: rde}\n- {name: b, when: 0 4 * * *}\n"},
    )
    _, err = shell("list", expect=2)
    assert "playbooks/schedules.yml:1:19: error: 'mondya'" in err
    assert "playbooks/schedules.yml:2:3: error: nothing says what is done" in err
    half = "- {name: a, when: mondya 4:00, playbook: playbooks/x.yml}\n- {when: 0 4 * * *, hosts: rde, items: task/n}\n"
    write(shell.root, {"playbooks/schedules.yml": half, "tasks/maintenance/x/task.yml": "no\n"})
    for words in (("list",), ("export", "--to", "cron"), ("run", "--once"), ("run", "--simulate")):
        _, err = shell(*words, expect=2)
        for wrong in ("1:19: error: 'mondya'", "1:42: error: there is no playbook", "2:3: error: 'name'", "'rde'"):
            assert wrong in err, (words, wrong)
        assert "'task/n' names no item" in err
        assert "tasks/maintenance/x/task.yml:1:1: error" in err
    shutil.rmtree(shell.root / "tasks")
    # Whoever runs something else is told, and not held up.
    assert run(["run", "--on", "localhost", "--type", "resolution", "--check", "--no-report"]) == 0
    assert "playbooks/schedules.yml:1:19: warning: 'mondya'" in shell.told()
    write(shell.root, {"playbooks/schedules.yml": "- {name: [\n"})
    assert run(["run", "--on", "localhost", "--type", "resolution", "--check", "--no-report"]) == 0
    assert "playbooks/schedules.yml:" in shell.told()
    write(shell.root, {"playbooks/schedules.yml": "- {name: a, when: 0 4 * * *, playbook: playbooks/x.yml}\n"})
    assert "there is no playbook 'playbooks/x.yml'" in shell("preview", expect=2)[1]
    (shell.root / "playbooks/schedules.yml").unlink()
    assert "no schedules: they are written into playbooks/schedules.yml" in shell("list")[1]


def test_export_writes_files_or_prints_them_and_says_what_it_left_out(shell: Shell) -> None:
    out, err = shell("export", "--to", "systemd", "--out", "units")
    files = {Path(line).name for line in out.splitlines()}
    assert {"immy-schedule.service", "immy-facts.timer", "immy-facts.service"} <= files
    assert "immy: not exported: immy: resting" in err
    timer = (shell.root / "units" / "immy-facts.timer").read_text("utf-8")
    assert "OnCalendar=*-*-* 02:30:00 Europe/Berlin" in timer
    assert f"WorkingDirectory={shell.root}" in (shell.root / "units" / "immy-facts.service").read_text("utf-8")
    assert "#User=NAME" in (shell.root / "units/immy-schedule.service").read_text()
    assert "choose as whom they run" in err
    _, err = shell("export", "--to", "systemd", "--out", "units", "--user", "immy")
    timers = sorted(one.name for one in (shell.root / "units").glob("*.timer") if "OnCalendar" in one.read_text())
    (instead,) = [line for line in err.splitlines() if "instead of it: sudo systemctl enable --now" in line]
    assert sorted(instead.partition("--now ")[2].split()) == timers
    assert "  sudo cp units/immy-* /etc/systemd/system/\n  sudo systemctl daemon-reload\n" in err
    services = list((shell.root / "units").glob("*.service"))
    assert all("\nUser=immy\n" in one.read_text() for one in services)
    shell("export", "--to", "windows", "--out", "tasks", "facts")
    _, err = shell("export", "--to", "windows", "--out", "tasks", "facts", "--user", "CORP\\immy & co")
    assert '/ru "CORP\\immy & co" /rp *' in err
    assert "<UserId>CORP\\immy &amp; co</UserId>" in (shell.root / "tasks/immy-facts.xml").read_text("utf-16")
    _, err = shell("export", "--to", "cron", "--out", "c", "--user", "immy")
    assert "  crontab -u immy c/immy.crontab\n" in err
    (task,) = (shell.root / "tasks").iterdir()
    assert task.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert "<ScheduleByDay>" in task.read_text("utf-16")
    out, _ = shell("export", "--to", "cron", "weekly")
    assert out.count("TZ=") == 4
    assert "--limit red" in out


def test_the_zone_that_a_computer_reported_is_its_own_where_the_inventory_says_none() -> None:
    from immy_nornir.decide.schedules.members import members_of
    from immy_nornir.model.inventory import Computer

    asked: list[str] = []

    def seen(name: str) -> Facts:
        asked.append(name)
        return Facts({"system": {"time_zone": {"w": "W. Europe Standard Time", "o": "Nowhere/X"}.get(name)}}, {})

    computers = [Computer("said", variables={"immy_time_zone": "Asia/Kathmandu"}), *map(Computer, ("w", "o", "n"))]
    assert [one.zone for one in members_of(computers, seen)] == ["Asia/Kathmandu", "Europe/Berlin", "", ""]
    assert asked == ["w", "o", "n"]


def test_a_history_of_before_there_were_schedules_knows_no_occasions(tmp_path: Path) -> None:
    shutil.copy(DATA / "v3.db", tmp_path / FILE)
    with Reader(tmp_path / FILE) as reader:
        assert (reader.last_occasions(), reader.occasions()) == ({}, [])


def test_staggered_tenants_stand_at_the_same_place_for_ever_and_spread() -> None:
    from immy_nornir.decide.schedules.due import delay_of
    from immy_nornir.model.control.schedules import Schedule
    from immy_nornir.model.places import Place

    plan = Schedule("weekly", Place("x"), "daily 04:00", stagger=7200.0)
    # Worked out once: another machine, another year, another Python must come to the same.
    assert [delay_of(plan, f"tenant={name}") for name in ("red", "blue")] == [3360.0, 2820.0]
    spread = {delay_of(plan, f"zone=UTC,tenant=t{number}") for number in range(200)}
    assert len(spread) > 70
    assert all(0 <= one < 7200 and one % 60 == 0 for one in spread)
    assert delay_of(plan, "zone=UTC") == 0
