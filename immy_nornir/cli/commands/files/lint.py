"""`immy lint`: everything that is wrong with a fleet's files, at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from immy_nornir.cli import options, vault
from immy_nornir.cli.door import say, say_in_colours, say_json
from immy_nornir.cli.startup import root_of
from immy_nornir.decide.health import winrm_settings
from immy_nornir.fleet.checks.addresses import shared_addresses
from immy_nornir.fleet.checks.fleet import check_fleet
from immy_nornir.fleet.checks.holds import past_holds
from immy_nornir.fleet.checks.schedules import check_schedules
from immy_nornir.fleet.inventory.addresses import PSRP_NAMES, WINRM, AddressError, address_of
from immy_nornir.fleet.load import load_fleet, load_playbook, playbook_files
from immy_nornir.fleet.strays import told_once
from immy_nornir.model.control.telling import Channel
from immy_nornir.model.inventory import Inventory
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.telling.channels import INSTALL, has_apprise
from immy_nornir.text import json
from immy_nornir.text.files import read_file

SCHEMA_VERSION = 1
_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.NOTE: "cyan"}


def problems_of(root: Path, sources: Sequence[Path] | None = None) -> list[Problem]:
    """Every problem of a fleet and of all its playbooks, in order of their places."""
    fleet, problems = load_fleet(root, sources, vault.current())
    playbooks = []
    for file in playbook_files(root):
        playbook, found = load_playbook(root, file)
        playbooks.append(playbook)
        problems.extend(found)
    found_more = check_fleet(fleet, playbooks, read_file=_lines)
    found_more += check_schedules(fleet, playbooks, time.time(), read_file=_lines)
    found_more += past_holds(fleet, time.time())
    found_more += _without_apprise(fleet.channels)
    wrong = {one.place for one in found_more if one.level is Level.ERROR}
    addresses = (one for one in _address_problems(fleet.inventory) if one.place not in wrong)
    return told_once(root, {*problems, *found_more, *addresses})


def _address_problems(inventory: Inventory) -> Iterable[Problem]:
    """Connection variables that make no sense, each place once, and addresses that computers share."""
    found: dict[Place, Problem] = {}
    reached = []
    for computer in inventory.computers.values():
        try:
            address = address_of(computer)
        except AddressError as error:
            if error.place is not None:
                found.setdefault(error.place, Problem(error.place, Level.ERROR, error.plain_message, error.advice))
            continue
        reached.append((computer, address))
        if address.kind != WINRM:
            continue
        for name, wrong in winrm_settings.problems(address.settings):
            place = computer.origins.get(name) or computer.origins.get(PSRP_NAMES.get(name, ""))
            if place is not None:
                found.setdefault(place, Problem(place, Level.ERROR, wrong.message, wrong.advice))
    return [*found.values(), *shared_addresses(reached)]


def _without_apprise(channels: Iterable[Channel]) -> Iterable[Problem]:
    """Channels that this machine cannot reach: a run tells nobody by them, and goes on."""
    return [
        Problem(one.place, Level.WARNING, f"'{one.name}' needs apprise, which is not installed here", INSTALL)
        for one in channels
        if one.apprise is not None and not has_apprise()
    ]


def _lines(path: str) -> list[str]:
    return read_file(Path(path)).decode("utf-8").splitlines()


@click.command()
@options.sources
@options.vault
@options.form
@click.pass_context
def lint(ctx: click.Context, sources: tuple[Path, ...], form: str) -> None:
    """Check all files of the fleet; exit code 2 when there are errors.

    Problems come as FILE:LINE:COLUMN: LEVEL: what, and what to try. Warnings and notes stop nothing.
    """
    problems = problems_of(root_of(ctx), sources or None)
    counts = Counter(problem.level for problem in problems)
    if form == "json":
        say_json(json.indented(_document(problems, counts)))
    else:
        for problem in problems:
            advice = f"; {problem.advice}" if problem.advice else ""
            level = (problem.level.value, _COLOURS[problem.level])
            say_in_colours([(f"{problem.place}: ", ""), level, (f": {problem.message}{advice}", "")])
        say(", ".join(_counted(counts[level], level) for level in Level), err=True)
    if counts[Level.ERROR]:
        raise click.exceptions.Exit(2)


def _counted(count: int, level: Level) -> str:
    return f"{count} {level}" + ("" if count == 1 else "s")


def _document(problems: Sequence[Problem], counts: Counter[Level]) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "counts": {str(level): counts[level] for level in Level},
        "problems": [
            {
                "file": problem.place.file,
                "line": problem.place.line,
                "column": problem.place.column,
                "level": str(problem.level),
                "message": problem.message,
                "advice": problem.advice,
            }
            for problem in problems
        ],
    }
