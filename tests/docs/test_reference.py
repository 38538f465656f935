"""The reference pages say what the code says; IMMY_UPDATE_DOCS=1 writes them anew."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from immy_nornir.cli.main import COMMANDS, immy
from immy_nornir.fleet.checks.names import OWN_VARIABLES
from immy_nornir.fleet.load import NO_PLAYBOOKS
from immy_nornir.fleet.playbooks import OPTIONS
from immy_nornir.fleet.schema import SHAPES, schema_of
from tests.docs import pages
from tests.docs.blocks import ROOT
from tests.docs.handbook import options_page
from tests.docs.words import words_page
from tests.fleet.kit import violations
from tests.waiting import ENOUGH

HEAVY = ("winrm", "requests", "nornir", "rich", "jinja2", "sqlite_utils", "cattrs", "yaml", "spnego", "cryptography")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("commands.md", pages.commands_page),
        ("files.md", pages.files_page),
        ("words.md", words_page),
        ("handbook/options.md", options_page),
    ],
)
def test_generated_pages_are_up_to_date(name: str, make: Callable[[], str]) -> None:
    path, text = ROOT / "docs" / name, make()
    if os.environ.get("IMMY_UPDATE_DOCS"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == text, "set IMMY_UPDATE_DOCS=1 to write it anew"


def test_every_command_and_option_has_help() -> None:
    wrong = []
    for name, command in pages.all_commands():
        if not command.help:
            wrong.append(name)
        wrong += [f"{name} {one.opts[0]}" for one in command.params if isinstance(one, click.Option) and not one.help]
    assert wrong == []


def test_an_option_of_sessions_takes_the_same_words_on_the_command_line_as_in_files() -> None:
    wrong = []
    schemas: dict[str, Any] = {one.name: one.shape.schema() for one in OPTIONS}
    words = {name: set(schema["enum"]) for name, schema in schemas.items() if "enum" in schema}
    for name, command in pages.all_commands():
        for one in command.params if name in ("immy run", "immy exec", "immy sessions onboard") else ():
            if (
                one.name in words
                and isinstance(one.type, click.Choice)
                and set(one.type.choices) != set(words[one.name])
            ):
                wrong.append(f"{name} --{one.name}: {one.type.choices}, in files {words[one.name]}")
    assert len(words) > 5
    assert wrong == []


def test_every_command_takes_its_own_options() -> None:
    wrong = []
    for name, command in pages.all_commands():
        if command.callback is None:
            continue
        takes = inspect.signature(command.callback).parameters
        if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values()):
            continue
        given = {one.name for one in command.params if one.expose_value}
        wrong += [f"{name}: {word}" for word in given ^ (set(takes) - {"ctx"})]
    assert wrong == []


def test_every_command_and_option_stands_in_the_reference() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    wrong = [
        f"{name} {option}"
        for name, command in pages.all_commands()
        for one in command.params
        if isinstance(one, click.Option)
        for option in one.opts
        if f"`{option}`" not in sections.get(name, "")
    ]
    assert wrong == []


def test_the_short_help_is_the_first_line_of_the_commands_own() -> None:
    context = click.Context(immy)
    commands = {name: immy.get_command(context, name) for name in COMMANDS}
    own = {name: (one.help or "").partition("\n")[0] for name, one in commands.items() if one is not None}
    assert own == COMMANDS


def test_help_loads_no_heavy_library() -> None:
    code = "import sys; from immy_nornir.cli.main import run; code = run(['--help']); print(code, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=ENOUGH)
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "0"
    assert [one for one in HEAVY if one in last] == []


def test_every_variable_of_our_own_is_told() -> None:
    package = ROOT / "immy_nornir"
    code = " ".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    shell = " ".join(path.read_text(encoding="utf-8") for path in package.rglob("*.sh"))
    used = set(re.findall(r"""["'](immy_[a-z0-9_]+)["']""", code)) - set(re.findall(r"\b(immy_\w+)\(\)", shell))
    internal = {"immy_nornir", "immy_spool", "immy_may_park", "immy_woken", "immy_blackouts", "immy_window"}
    assert (used | set(OWN_VARIABLES)) - internal == set(pages.VARIABLES)


# --- schemas --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(SHAPES))
def test_the_sample_fleet_fits_the_schemas(kind: str) -> None:
    schema = schema_of(kind)
    files = [one for one in ROOT.glob(SHAPES[kind][1]) if kind != "playbook" or one.stem not in NO_PLAYBOOKS]
    assert files
    wrong = [
        f"{file.relative_to(ROOT)}: {problem}"
        for file in files
        for problem in violations(_Loader12(file.read_text(encoding="utf-8")).get_single_data(), schema, "")
    ]
    assert wrong == []


def test_a_schema_refuses_what_is_not_known() -> None:
    """The check itself is not blind."""
    good: dict[str, Any] = {"item": "task/x", "target": "all"}
    schema = schema_of("deployments")
    assert violations([good], schema) == []
    for bad in ({"item": "x"}, {**good, "scope": "galaxy"}, {**good, "colour": "red"}, {**good, "priority": "high"}):
        assert violations([bad], schema) != []


class _Loader12(yaml.SafeLoader):
    """Good enough a YAML 1.2 for the sample: yes, no, on, off and times stay text."""


_Loader12.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in found if not tag.endswith((":bool", ":timestamp"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def test_schemas_are_written_for_editors(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "immy_nornir", "schema", "--write", str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True, timeout=ENOUGH)
    written = {file.name.removesuffix(".schema.json"): json.loads(file.read_text()) for file in tmp_path.iterdir()}
    assert written == {kind: schema_of(kind) for kind in SHAPES}
