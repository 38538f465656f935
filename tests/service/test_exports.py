"""What is written for systemd, cron and Windows: it starts at the schedule's times, with words that arrive whole."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from immy_nornir.decide.schedules import occasions
from immy_nornir.model.control.schedules import Schedule
from immy_nornir.model.inventory import Sourced
from immy_nornir.model.places import Place
from immy_nornir.service.exports.cron import crontab
from immy_nornir.service.exports.jobs import Job, jobs_of, slug, unlike
from immy_nornir.service.exports.systemd import calendar_events, quoted, units
from immy_nornir.service.exports.windows import argument, tasks
from tests.waiting import ENOUGH

NOW = datetime(2026, 1, 10, tzinfo=UTC).timestamp()
DAY = 86400.0
SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
ODD = ["", "a b", "%h $HOME `id` \"q\" 'q' \\", "C:\\x y\\", 'a\\"b', "ä;|&<>", "*", "# no"]


def schedule(when: str, zone: str = "Europe/Berlin", **more: object) -> Schedule:
    made = Schedule("Weekly full!", Place("playbooks/schedules.yml"), when, zone=zone, hosts="all")
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def only(plan: Schedule) -> Job:
    (job,) = jobs_of(plan, {"": ("pc1", "pc2")}, ["immy"], NOW)
    return job


def test_the_command_says_what_the_schedule_says() -> None:
    plan = schedule(
        "daily 04:00",
        maintenance="resolution",
        items=("software/a", "b*"),
        options={"reboots_in_business_hours": Sourced(False), "ignore_pending_reboots": Sourced(["a", "b"])},
        max_changes=7,
        max_reboots=0,
        splay=90.0,
    )
    assert shlex.join(only(plan).words) == (
        "immy run --on all --type resolution --item software/a --item 'b*' -o reboots_in_business_hours=false "
        "-o ignore_pending_reboots=a,b --max-changes 7 --max-reboots 0 --splay 90 --yes --quiet"
    )
    book = dataclasses.replace(plan, playbook="playbooks/p.yml", items=(), maintenance="full", options={})
    assert only(book).words[:5] == ("immy", "run", "playbooks/p.yml", "--on", "all")


def test_each_part_has_a_job_and_a_group_says_its_computers_where_one_does() -> None:
    parts = {"zone=Europe/Berlin": ("a", "b"), "zone=Asia/Kathmandu": ("c", "d")}
    jobs = jobs_of(
        schedule("daily 04:00", "computer"), parts, ["immy"], NOW, ("-i", "x"), {"east": ["c", "d"], "all": "abcd"}
    )
    assert [(one.zone, one.name) for one in jobs] == [
        ("Asia/Kathmandu", "weekly-full-asia-kathmandu"),
        ("Europe/Berlin", "weekly-full-europe-berlin"),
    ]
    assert "--limit east" in shlex.join(jobs[0].words)
    assert "--limit a,b" in shlex.join(jobs[1].words)
    assert (jobs[0].remarks, jobs[1].remarks) == (
        (),
        ("its computers are those of the day of the export: they do not follow the files",),
    )
    assert jobs[0].words[-2:] == ("-i", "x")
    assert [one.name for one in unlike([jobs[0], jobs[0]])] == [jobs[0].name, f"{jobs[0].name}-2"]
    assert (slug("Größe / 1"), slug("***")) == ("gr-e-1", "schedule")


RULES = [
    "daily 02:30",
    "every weekday at 06:30",
    "30 22 1,15 * fri",
    "Patch Tuesday + 3 days at 22:00",
    "fifth sunday of the month 03:00",
    "last day of the month 23:30",
    "first workday of march and july 06:00",
    "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;BYHOUR=7",
    "0 3 * 2,7 mon",
    "monday 22:00, 23:15 and 23:45",
]


@pytest.mark.parametrize("when", RULES)
def test_systemd_reads_the_times_of_the_schedule(when: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    plan = schedule(when)
    expected = [one.due_at for one in occasions(plan, [""], NOW, NOW + 200 * DAY)][:8]
    found: set[float] = set()
    for event in list(calendar_events(only(plan)))[:12]:
        command = ["systemd-analyze", "calendar", "--iterations=8", f"--base-time=@{NOW:.0f}", event]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=ENOUGH, env={**os.environ, "TZ": "UTC"}
        )
        told = re.findall(r"(?:Next elapse|Iteration #\d+|Iter\. #\d+): \w+ (\S+ \S+) UTC", done.stdout)
        found |= {datetime.strptime(one, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() for one in told}
    assert sorted(found)[: len(expected)] == expected


def crons_lines(text: str) -> list[tuple[str, str]]:
    """Minutes and command of each line, the command as cron hands it to the shell."""
    lines = [one for one in text.splitlines() if one and not one.startswith(("#", "SHELL="))]
    return [(one.split(" ", 5)[0], one.split(" ", 5)[5].replace("\\%", "%")) for one in lines]


@pytest.mark.parametrize("when", [*RULES[:4], RULES[5], RULES[7]])
def test_the_lines_of_cron_start_at_the_times_of_the_schedule_and_at_no_others(tmp_path: Path, when: str) -> None:
    plan = schedule(when, "Asia/Kathmandu")
    stub = tmp_path / "date"
    stub.write_text(f'#!/bin/sh\nexec {shutil.which("date")} -d "@$MOMENT" "$@"\n')
    stub.chmod(0o755)
    due = [one.due_at for one in occasions(plan, [""], NOW, NOW + 120 * DAY)][:3]
    lines = crons_lines(crontab([only(plan)], str(tmp_path)))
    for at in due:
        for moment in (at - DAY, at - 3600, at - 900, at, at + 900, at + 7 * DAY):
            minute = str(datetime.fromtimestamp(moment, UTC).minute)
            commands = [command for minutes, command in lines if minute in minutes.split(",") or minutes == "*"]
            script = "immy() { echo STARTED; }\n" + "\n".join(commands)
            done = subprocess.run(
                ["sh", "-c", script],
                capture_output=True, text=True, check=False, timeout=ENOUGH,
                env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "MOMENT": f"{moment:.0f}"},
            )  # fmt: skip
            expected = len(list(occasions(plan, [""], moment - 1, moment)))
            assert done.stdout.count("STARTED") == expected, (moment - at, done.stderr)


def test_a_delay_over_midnight_moves_the_day() -> None:
    (job,) = jobs_of(schedule("sunday 23:50", stagger=86400.0), {"tenant=red": ("a",)}, ["immy"], NOW)
    (due,) = list(occasions(job.schedule, ["tenant=red"], NOW, NOW + 7 * DAY))
    (event,) = calendar_events(job)
    assert event.startswith("Mon *-*-* ")
    assert due.told[11:16] in event


def test_tasks_of_windows_are_well_formed_and_say_days_as_they_can() -> None:
    told = {}
    for when in RULES:
        (text,) = tasks([only(schedule(when))], "C:\\fleet & co", NOW).values()
        tree = ElementTree.fromstring(text.encode("utf-16"))  # noqa: S314 - our own text
        triggers = tree.find(f"{SPACE}Triggers")
        assert triggers is not None
        told[when] = [one.tag.removeprefix(SPACE) for trigger in triggers for one in trigger] + [str(len(triggers))]
        assert tree.findtext(f"{SPACE}Actions/{SPACE}Exec/{SPACE}WorkingDirectory") == "C:\\fleet & co"
    assert "ScheduleByDay" in told["daily 02:30"]
    assert "ScheduleByWeek" in told["every weekday at 06:30"]
    assert {"ScheduleByMonth", "ScheduleByWeek"} <= set(told["30 22 1,15 * fri"])
    assert "ScheduleByMonthDayOfWeek" in told["0 3 * 2,7 mon"]
    # No second Tuesday is three days before every such day: the single instants are right in any zone.
    (text,) = tasks([only(schedule("Patch Tuesday + 3 days at 22:00"))], "C:\\", NOW).values()
    assert "<StartBoundary>2026-01-16T21:00:00Z</StartBoundary>" in text
    assert "export again before that" in text
    (text,) = tasks([only(schedule("Patch Tuesday 22:00"))], "C:\\", NOW).values()
    assert "<Weeks><Week>2</Week></Weeks><DaysOfWeek><Tuesday /></DaysOfWeek><Months><January />" in text
    assert "by the clock of the machine that runs the task, which has to be that of Europe/Berlin" in text


def test_what_cannot_be_written_is_said_instead() -> None:
    plan = schedule("daily 04:00", paused="holidays")
    never = schedule("0 0 30 2 *", last=date(2026, 1, 1))
    often = schedule("FREQ=HOURLY;BYMINUTE=7")
    jobs = [only(plan), only(never), only(often)]
    assert [one.refused for one in jobs] == [
        "it is paused: holidays",
        "it does not come within a year",
        "it has more than 400 times a year that follow no calendar",
    ]
    text = crontab(jobs, "/fleet")
    assert crons_lines(text) == []
    assert text.count("# not exported: ") == 3
    files = units(jobs, ["immy", "schedule", "run"], "/fleet")
    assert [name for name in files if name.endswith(".service")] == ["immy-schedule.service"]
    assert all(name.endswith(".txt") for name in tasks(jobs, "C:\\", NOW))
    (quarter,) = tasks([only(schedule("every 15 minutes"))], "C:\\", NOW).values()
    assert "not exported: it needs 96 triggers" in quarter
    long = jobs_of(
        schedule("daily 04:00", "computer"),
        {"zone=UTC": ("x" * 50,) * 200, "zone=Asia/Kathmandu": ("a",)},
        ["immy"],
        NOW,
    )
    assert long[1].refused == "it has 200 computers, too many for a command"
    lengthy = only(schedule("daily 04:00", hosts="x" * 1_000))
    assert "longer than 900 characters" in crontab([lengthy], "/fleet")


def argv_of(line: str) -> list[str]:
    """What CommandLineToArgvW makes of a line: backslashes count only before a quote."""
    words, word, inside, begun, at = [], "", False, False, 0
    for found in re.finditer(r'(\\*)"|(\\+)|([ \t]+)|(.)', line, re.S):
        slashes, others, space, letter = found.groups()
        at = found.end()
        if slashes is not None:
            word += "\\" * (len(slashes) // 2)
            if len(slashes) % 2:
                word += '"'
            else:
                inside = not inside
            begun = True
        elif space is not None and not inside:
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + (others or space or letter), True
    assert at == len(line)
    return [*words, word] if begun else words


def test_words_arrive_whole_whatever_they_hold(tmp_path: Path) -> None:
    assert argv_of(" ".join(argument(word) for word in ODD)) == ODD
    assert [quoted(word) for word in ("a/b.c", "", "a b", "100%", "$x", 'a"b', "a\\b", "a\nb")] == [
        "a/b.c", '""', '"a b"', '"100%%"', '"$$x"', '"a\\"b"', '"a\\\\b"', '"a\\x0ab"',
    ]  # fmt: skip
    job = dataclasses.replace(only(schedule("every 15 minutes")), words=("printf", "%s\\n", *ODD))
    ((_, command),) = crons_lines(crontab([job], str(tmp_path)))
    started = command.partition(") cd ")[2].removesuffix(" ;; esac")
    done = subprocess.run(["sh", "-c", f"cd {started}"], capture_output=True, text=True, check=True, timeout=ENOUGH)
    assert done.stdout.splitlines() == ODD


@pytest.mark.parametrize("user", ["root", ""])
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, user: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    jobs = jobs_of(schedule("daily 04:00"), {"": ("pc1",)}, ["/bin/true"], NOW)
    files = units(jobs, ["/bin/true", "schedule", "run"], str(tmp_path), user)
    assert all(("\nUser=root\n" in text) == bool(user) for name, text in files.items() if name.endswith(".service"))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ENOUGH, check=False)
    assert "immy" not in done.stderr, done.stderr
