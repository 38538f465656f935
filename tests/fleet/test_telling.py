"""`playbooks/telling.yml`: what lint says of it, and what a channel is where little is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from immy_nornir.cli.commands.files.lint import problems_of
from immy_nornir.fleet.load import load_fleet
from immy_nornir.model.control.telling import Audience, Digest, EventKind
from immy_nornir.model.places import Level

from .kit import fleet

FILE = "playbooks/telling.yml"
INVENTORY = {"inventory/hosts.yml": "tenants: {children: {acme: {hosts: {a: }}, bolt: {hosts: {b: }}}}\n"}
ERROR, WARNING = Level.ERROR, Level.WARNING


@pytest.mark.parametrize(
    ("text", "column", "level", "says"),
    [
        ("- {name: x, to: {command: [a]}, event: run_ended}\n", 33, ERROR, "did you mean 'events'?"),
        ("- {name: x, to: {command: [a]}, events: [run_end]}\n", 42, ERROR, "did you mean 'run_ended'?"),
        ("- {name: x, to: {command: [a]}, events: []}\n", 41, ERROR, "at least one"),
        ("- {to: {command: [a]}}\n", 3, ERROR, "'name' is missing"),
        ("- {name: x}\n", 3, ERROR, "'to' is missing"),
        ("- {name: x, to: {}}\n", 17, ERROR, "nothing says how it is reached"),
        ("- {name: x, to: {command: [a], apprise: env:U}}\n", 17, ERROR, "both 'apprise' and 'command'"),
        ("- {name: x, to: {command: a b}}\n", 27, ERROR, "a list"),
        ("- {name: x, to: {command: [a, {secret: env:U}]}}\n", 31, ERROR, "a mapping stands where text"),
        ("- {name: x, to: {command: [a], timeout: 1h}}\n", 41, ERROR, "longer than 5 minutes"),
        ("- {name: x, to: {apprise: env:U, env: {A: env:B}}}\n", 39, ERROR, "'env' goes with 'command'"),
        ("- {name: x, to: {apprise: 'slack://T0ken/T0ken'}}\n", 27, ERROR, "never stands in a file in clear"),
        ("- {name: x, to: {command: [a]}, for: customer}\n", 38, ERROR, "says which"),
        (
            "- {name: x, to: {command: [a]}, for: customer, tenants: acme, events: [wave_halted]}\n",
            71,
            ERROR,
            "no customer is told",
        ),
        ("- {name: x, to: {command: [a]}, quiet: nights}\n", 40, ERROR, "write 'daily 22:00-06:00'"),
        ("- {name: x, to: {command: [a]}, quiet: 'daily 22:00-06:00'}\n", 40, ERROR, "by which clock"),
        ("- {name: x, to: {command: [a]}, zone: Europe/Berlln}\n", 39, ERROR, "did you mean 'Europe/Berlin'"),
        ("- {name: x, to: {command: [a]}}\n- {name: x, to: {command: [a]}}\n", 10, ERROR, "stands twice"),
        ("- {name: x, to: {command: [a]}, tenants: acne}\n", 42, WARNING, "did you mean 'acme'?"),
        ("- {name: x, to: {apprise: env:U}, for: customer, tenants: '*'}\n", 59, WARNING, "one address is told of"),
    ],
)
def test_lint_names_the_place_and_what_to_try(tmp_path: Path, text: str, column: int, level: Level, says: str) -> None:
    problems = problems_of(fleet(tmp_path, {**INVENTORY, FILE: text}))
    found = [one for one in problems if one.place.file == FILE]
    assert any(says in str(one) and one.level is level and one.place.column == column for one in found), found
    assert not any("T0ken" in str(one) for one in problems)


def test_lint_says_what_to_type_where_apprise_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fleet(tmp_path, {**INVENTORY, FILE: "- {name: x, to: {apprise: env:U}}\n- {name: y, to: {command: [a]}}\n"})
    assert [one for one in problems_of(root) if one.place.file == FILE] == []
    monkeypatch.setitem(sys.modules, "apprise", None)  # as Python has it of what cannot be imported
    [problem] = [one for one in problems_of(root) if one.place.file == FILE]
    assert (problem.level, problem.advice) == (WARNING, "pip install 'immy-nornir[telling]'")


def test_a_channel_of_few_words_is_told_the_end_of_runs(tmp_path: Path) -> None:
    text = (
        "- {name: x, to: {apprise: {secret: env:U}}}\n- {name: y, to: {apprise: {command: [pass, url]}}, tenants: a*}\n"
    )
    loaded, problems = load_fleet(fleet(tmp_path, {**INVENTORY, FILE: text}))
    assert [one for one in problems if one.level is ERROR] == []
    few, more = loaded.channels
    assert few.apprise is not None
    assert few.apprise.reference == "env:U"
    assert (few.events, few.digest, few.audience) == (frozenset({EventKind.RUN_ENDED}), Digest.RUN, Audience.OPERATOR)
    assert more.apprise is not None
    assert (more.apprise.reference, more.tenants) == ('command:["pass", "url"]', ("a*",))
