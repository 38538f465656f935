"""`playbooks/schedules.yml`: read with everything that is wrong at once, judged against fleet and calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from immy_nornir.fleet.checks.schedules import check_schedules
from immy_nornir.fleet.load import load_fleet, load_playbook, playbook_files
from immy_nornir.model.control.schedules import Overlap, Schedule

from .kit import lines, lint, write

FILE = "playbooks/schedules.yml"
NOW = datetime(2026, 1, 10, tzinfo=UTC).timestamp()
BRAKES = "max_changes: 10, max_reboots: 2"
FULL = """
- name: weekly
  when: Patch Tuesday + 3 days at 22:00
  zone: Europe/Berlin
  playbook: playbooks/p.yml
  hosts: [red, blue]
  options: {window: after_hours}
  splay: 30m
  stagger: 90m
  first: 2026-01-01
  last: "2027-12-31"
  paused: the auditors are in the house
  overlap: queue
  start_within: 1d
  max_changes: 100
  max_reboots: 0
- {name: daily, when: "@daily", hosts: all, maintenance: inventory, items: task/x}
"""
INVENTORY = """
tenants:
  children:
    red: {vars: {immy_time_zone: Europe/Berlin, immy_business_hours: "mon-fri 08:00-18:00"}, hosts: {r1: , r2: }}
    blue: {vars: {immy_time_zone: W. Europe Standard Time}, hosts: {b1: , b2: {immy_time_zone: Asia/Kathmandu}}}
    green: {hosts: {g1: {immy_options: {offline: apply_on_connect}}}}
"""
PLAYBOOK = "- {name: p, hosts: red, maintenance: full}\n- {name: q, hosts: red, maintenance: inventory}\n"
REST = {
    "inventory/computers.yml": INVENTORY,
    "playbooks/p.yml": PLAYBOOK,
    "tasks/maintenance/x/task.yml": "service: {name: a, state: running}\n",
}


def read(root: Path, text: str) -> tuple[Schedule, ...]:
    return load_fleet(write(root, {**REST, FILE: text}))[0].schedules


def checked(root: Path, text: str) -> list[str]:
    fleet, problems = load_fleet(write(root, {**REST, FILE: text}))
    assert [str(one) for one in problems if one.place.file == FILE] == []
    books = [load_playbook(root, file)[0] for file in playbook_files(root)]
    return lines(check_schedules(fleet, books, NOW))


def test_all_keys_are_read(tmp_path: Path) -> None:
    weekly, daily = read(tmp_path, FULL)
    assert (weekly.name, weekly.when, weekly.zone) == ("weekly", "Patch Tuesday + 3 days at 22:00", "Europe/Berlin")
    assert (weekly.playbook, weekly.hosts, weekly.splay, weekly.stagger) == ("playbooks/p.yml", "red,blue", 1800, 5400)
    assert (weekly.first, weekly.last, weekly.start_within) == (date(2026, 1, 1), date(2027, 12, 31), 86400)
    assert (weekly.paused, weekly.overlap) == ("the auditors are in the house", Overlap.QUEUE)
    assert (weekly.max_changes, weekly.max_reboots, weekly.options["window"].value) == (100, 0, "after_hours")
    assert (daily.zone, daily.hosts, daily.maintenance, daily.items) == ("computer", "all", "inventory", ("task/x",))
    assert (daily.start_within, daily.overlap, daily.max_changes) == (7200, Overlap.SKIP, None)


WRONG = [
    ("name: x, when: daily 04:00", "1:3: error: nothing says what is done; add 'playbook:', or 'hosts:'"),
    ("name: x, hosts: all", "1:3: error: 'when' is missing"),
    ("when: daily 04:00, hosts: all", "1:3: error: 'name' is missing"),
    (
        "name: x, when: mondya 04:00, hosts: all",
        "1:19: error: 'mondya' in 'mondya 04:00' is not understood; did you mean",
    ),
    ("name: x, when: FREQ=SECONDLY, hosts: all", "1:19: error: a schedule is due once a minute at the most"),
    ("name: x, when: [], hosts: all", "1:19: error: a list stands where a time such as"),
    ("name: x, wehn: daily 04:00, hosts: all", "unknown key 'wehn' in a schedule; did you mean 'when'?"),
    (
        "name: x, when: daily 04:00, hosts: all, zone: Europe/Berln",
        "error: there is no time zone 'Europe/Berln'; did you",
    ),
    ("name: x, when: daily 04:00, hosts: all, zone: computr", "or 'computer'?"),
    ("name: x, when: daily 04:00, hosts: all, first: 2026-02-30", "'2026-02-30' stands where a day such as 2030-01-31"),
    ("name: x, when: daily 04:00, hosts: all, first: 2026-02-01, last: 2026-01-01", "comes before the first"),
    ("name: x, when: daily 04:00, hosts: all, splay: 2d", "'splay' is longer than a day"),
    ("name: x, when: daily 04:00, hosts: all, stagger: soon", "'soon' stands where a time such as 90s"),
    ("name: x, when: daily 04:00, hosts: all, overlap: que", "did you mean 'queue'?"),
    ("name: x, when: daily 04:00, hosts: all, max_changes: many", "stands where a whole number is wanted"),
    ("name: x, when: daily 04:00, hosts: all, paused: ", "nothing stands where text is wanted"),
    ("name: x, when: daily 04:00, hosts: all, options: {windw: now}", "did you mean 'window'?"),
    ("name: x, when: daily 04:00, playbook: playbooks/p.yml, items: x", "'items' goes with 'hosts' alone"),
    ('name: "a\\nb", when: daily 04:00, hosts: all', "stands where a name in one line"),
]


@pytest.mark.parametrize(("entry", "problem"), WRONG)
def test_what_is_wrong_in_an_entry_is_named_where_it_stands(tmp_path: Path, entry: str, problem: str) -> None:
    found = [one for one in lint(tmp_path, {**REST, FILE: f"- {{{entry}}}\n"}) if one.startswith(FILE)]
    assert any(problem in one for one in found), found


def test_two_schedules_of_one_name_are_an_error_and_the_first_is_kept(tmp_path: Path) -> None:
    text = "- {name: x, when: daily 04:00, hosts: all}\n- {name: x, when: daily 05:00, hosts: all}\n"
    assert [one.when for one in read(tmp_path, text)] == ["daily 04:00"]
    assert f"{FILE}:2:10: error: the schedule 'x' stands twice; the first is at {FILE}:1:3" in lint(
        tmp_path, {**REST, FILE: text}
    )


ERRORS = [
    ("playbook: p.yml", "1:{}: error: there is no playbook 'p.yml'; did you mean 'playbooks/p.yml'?"),
    ("hosts: rde", "error: 'rde' in the pattern 'rde' is neither a group nor a computer; did you mean 'red'?"),
    ("hosts: red, maintenance: inventry", "error: there is no maintenance type 'inventry'; did you mean 'inventory'?"),
    (
        "hosts: red, maintenance: inventory, items: [task/y]",
        "error: 'task/y' names no item of the library; did you mean",
    ),
    ("hosts: red", "error: 's' changes computers, and does not say max_changes and max_reboots; say how much"),
    ("playbook: playbooks/p.yml, max_changes: 3", "error: 's' changes computers, and does not say max_reboots"),
    (
        f"hosts: red, options: {{offline: apply_on_connect}}, {BRAKES}",
        "apply_on_connect with window: now changes r1, r2 at",
    ),
    (
        f"hosts: red, options: {{offline: apply_on_connect, window: now}}, {BRAKES}",
        "use window: after_hours or a time, or offline: skip",
    ),
    (f"hosts: green, {BRAKES}", "apply_on_connect with window: now changes g1 at the moment when somebody"),
    (f"hosts: green, options: {{window: after_hours}}, {BRAKES}", "there are no business hours for g1"),
    (f"playbook: playbooks/late.yml, options: {{window: now}}, {BRAKES}", "changes r1, r2 at the moment"),
]


@pytest.mark.parametrize(("entry", "problem"), ERRORS)
def test_what_the_fleet_does_not_allow_is_an_error(tmp_path: Path, entry: str, problem: str) -> None:
    late = "- {hosts: red, options: {offline: apply_on_connect, window: after_hours}}\n"
    write(tmp_path, {"playbooks/late.yml": late})
    found = checked(tmp_path, f"- {{name: s, when: daily 04:00, {entry}}}\n")
    assert any(problem.partition("{}")[2] in one and "error" in one for one in found), found


FINE = [
    f"when: daily 04:00, playbook: playbooks/p.yml, {BRAKES}",
    f"when: daily 04:00, playbook: playbooks/late.yml, {BRAKES}",
    f"when: daily 04:00, hosts: green, zone: UTC, options: {{offline: skip}}, {BRAKES}",
    "when: daily 04:00, hosts: all, zone: Europe/Berlin, maintenance: detection, options: {offline: apply_on_connect}",
    f"when: daily 04:00, hosts: 'red,blue', zone: Europe/Berlin, stagger: 1h, {BRAKES}",
    f"when: daily 02:30, hosts: red, zone: UTC, {BRAKES}",
    f"when: every 15 minutes, hosts: red, {BRAKES}",
    f"when: hourly, hosts: red, {BRAKES}",
]


@pytest.mark.parametrize("entry", FINE)
def test_what_is_fine_is_not_told(tmp_path: Path, entry: str) -> None:
    late = "- {hosts: red, options: {offline: apply_on_connect, window: after_hours}}\n"
    write(tmp_path, {"playbooks/late.yml": late})
    assert checked(tmp_path, f"- {{name: s, {entry}}}\n") == []


WARNINGS = [
    (
        f"when: daily 04:00, hosts: 'red,blue', zone: Europe/Berlin, {BRAKES}",
        "warning: 2 tenants start together: blue, red; add 'stagger: 2h', or 'splay: 30m'",
    ),
    (f"when: daily 04:00, hosts: 'red,blue', {BRAKES}", "(their computers have the same zone): blue, red"),
    (
        f"when: daily 02:30, hosts: red, {BRAKES}",
        "2026-03-29 02:30 in Europe/Berlin does not exist, and it is due at 03:00; 2026-10-25 02:30 in",
    ),
    ("when: 0 2 * * sun, hosts: all, zone: Australia/Lord_Howe, maintenance: inventory", "is due at 02:30"),
    ("when: 0 0 30 2 *, hosts: red, maintenance: inventory", "warning: 's' never comes; remove it"),
    ("when: daily 04:00, last: 2025-12-01, hosts: red, maintenance: inventory", "warning: 's' is over"),
    (
        "when: 'DTSTART:20250101T040000 RRULE:FREQ=DAILY;COUNT=3', hosts: red, maintenance: inventory",
        "warning: 's' is over",
    ),
    (
        "when: daily 04:00, hosts: green, maintenance: inventory",
        "note: no immy_time_zone says when 's' is due for g1; it",
    ),
    ("when: daily 04:00, hosts: red, maintenance: inventory, paused: holidays", "note: 's' is paused: holidays"),
]


@pytest.mark.parametrize(("entry", "problem"), WARNINGS)
def test_what_is_doubtful_is_told(tmp_path: Path, entry: str, problem: str) -> None:
    found = checked(tmp_path, f"- {{name: s, {entry}}}\n")
    assert any(problem in one for one in found), found
    assert not any("error" in one for one in found)
