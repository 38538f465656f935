"""Blackouts, holds and windows in files: every problem with its file and line, all at once."""

from __future__ import annotations

from pathlib import Path

from immy_nornir.cli.commands.files.lint import problems_of
from immy_nornir.fleet.load import load_fleet
from immy_nornir.model.places import Level
from immy_nornir.session.reins.holds import blackouts_of

from .kit import write

HOSTS = """
all:
  children:
    tenants:
      children:
        acme: {hosts: {pc1: {}, pc2: {immy_hold: {until: 2020-01-31, reason: over}}}}
        other:
          hosts:
            pc3: {immy_hold: {until: soon, reason: x}}
            pc4: {immy_hold: {reason: for the court}}
            pc5: {immy_hold: {until: "{{ when }}", reason: x}, when: 2999-01-01}
            pc6: {immy_hold: yes}
            pc9: {immy_hold: {}}
            pc7: {immy_blackouts: [2999-12-24]}
            pc8: {immy_options: {window: "mnday 22:00-23:00", window_over: carry}}
"""
BLACKOUTS = """
- dates: 2999-12-24..2999-12-20
  reason: backwards
- dates: [2999-13-01, 2999-12-24]
  reason: no such month
- hosts: acne
  dates: 2999-12-24
  reason: nobody
- hosts: acme
  file: dates.txt
  reason: theirs
- hosts: acme
  file: ../inventory/hosts.yml
  reason: elsewhere
- reason: no dates
- dates: 2020-12-24..2021-01-02
  reason: past
- {dates: 2999-12-24T08:00, reason: no length}
"""
DATES = "# theirs\n2999-12-24\n24.12.2999\n2021-01-01..2021-01-02 # the van\n"


def test_what_is_wrong_with_blackouts_and_holds_is_told_with_its_line(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "inventory/hosts.yml": HOSTS,
            "playbooks/blackouts.yml": BLACKOUTS,
            "playbooks/dates.txt": DATES,
            "playbooks/p.yml": "- {hosts: acme, options: {window: 'sat 22:00-25:00', window_over: later}}\n",
        },
    )
    found = [
        f"{one.place.file}:{one.place.line} {one.level}: {one.message}"
        for one in problems_of(root)
        if "deployments" not in one.place.file and "ansible_host" not in one.message
    ]
    expected = [
        "inventory/hosts.yml:6 note: immy_hold is past: it holds nothing any more",
        "inventory/hosts.yml:9 error: 'soon' is no date",
        "inventory/hosts.yml:10 note: immy_hold has no end: nothing is changed until it is gone",
        "inventory/hosts.yml:12 error: immy_hold is no map: 'true'",
        "inventory/hosts.yml:12 warning: 'yes' means true",
        "inventory/hosts.yml:13 error: immy_hold gives no reason",
        "inventory/hosts.yml:14 warning: nobody reads a variable 'immy_blackouts'",
        "inventory/hosts.yml:15 error: 'mnday 22:00-23:00' is no window: 'mnday' is no day of the week",
        "playbooks/blackouts.yml:2 error: '2999-12-24..2999-12-20' ends before it begins",
        "playbooks/blackouts.yml:4 error: there is no '2999-13-01': month must be in 1..12",
        "playbooks/blackouts.yml:6 error: 'acne' in the pattern 'acne' is neither a group nor a computer",
        "playbooks/blackouts.yml:13 error: '../inventory/hosts.yml' does not lie in playbooks/",
        "playbooks/blackouts.yml:15 error: a blackout without dates",
        "playbooks/blackouts.yml:16 note: the blackout 2020-12-24..2021-01-02 is past: it ended 2021-01-03 12:00 UTC",
        "playbooks/blackouts.yml:18 error: '2999-12-24T08:00' is a time without an end",
        "playbooks/dates.txt:3 error: '24.12.2999' is no date",
        "playbooks/dates.txt:4 note: the blackout 2021-01-01..2021-01-02 is past",
        "playbooks/p.yml:1 error: 'sat 22:00-25:00' is no window: '25:00' is no time of the day",
        "playbooks/p.yml:1 error: 'later' stands where one of carry, miss is wanted",
    ]
    wrong = [f"{got}  <>  {want}" for got, want in zip(found, expected, strict=False) if not got.startswith(want)]
    assert (wrong, len(found)) == ([], len(expected)), "\n".join(found)


def test_all_blackouts_that_reach_a_computer_hold(tmp_path: Path) -> None:
    files = {
        "inventory/hosts.yml": "{a: {hosts: {pc1: {}}}, b: {hosts: {pc2: {}}}}\n",
        "playbooks/blackouts.yml": "- {dates: 2999-12-24, reason: everybody}\n"
        "- {hosts: a, dates: [2999-01-01, 2999-01-05], reason: theirs}\n"
        "- {hosts: '*:!pc1', dates: 2999-02-01, reason: the others}\n",
    }
    loaded, problems = load_fleet(write(tmp_path, files))
    assert [one for one in problems if one.level is Level.ERROR] == []
    reached = {name: [one.reason for one in found] for name, found in blackouts_of(loaded).items()}
    assert reached == {"pc1": ["everybody", "theirs"], "pc2": ["everybody", "the others"]}
