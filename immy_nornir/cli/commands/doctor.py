"""`immy doctor PATTERN`: what stands between us and computers, and what they say of themselves; it changes nothing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, startup
from immy_nornir.cli.door import known_secrets, say, say_json
from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.model.facts import Facts
    from immy_nornir.model.health import Health, Line
    from immy_nornir.model.protocols import Address
    from immy_nornir.remote.doctor.crowd import Look

SCHEMA_VERSION = 1


@click.command()
@click.argument("pattern", shell_complete=completing.patterns)
@options.sources
@options.vault
@options.workers
@click.option(
    "--timeout",
    type=click.FloatRange(1, 3600),
    default=60,
    show_default=True,
    help="Seconds that one computer may take; what was found until then is shown.",
)
@options.form
@click.pass_context
def doctor(
    ctx: click.Context, pattern: str, sources: tuple[Path, ...], workers: int, timeout: float, form: str
) -> None:
    """Look computers over, from their name to pending reboots: what is wrong, and what to type.

    Name, port, certificate or host key, login, identity, rights, shell, WinRM's limits, spool, clock, disk, package
    locks, time zone. It reads only. Exit codes: 0 no problems, warnings perhaps; 1
    problems at some computer.
    """
    from immy_nornir.decide.health.doctor import worst
    from immy_nornir.model.health import Health
    from immy_nornir.remote.doctor.crowd import look_over
    from immy_nornir.session.engine import SystemClock

    root = startup.root_of(ctx)
    looks, addresses = _looks(root, startup.state_of(ctx, root), sources, pattern)
    counts = dict.fromkeys(Health, 0)
    documents = []
    for name, found in look_over(looks, workers, timeout, SystemClock()):
        lines = [_clean(one) for one in found]
        verdict = worst(lines)
        counts[verdict] += 1
        if form == "json":
            documents.append(_plain(name, addresses.get(name), verdict, lines))
        else:
            for text in _lines(name, addresses.get(name), lines):
                say(text)
    if form == "json":
        say_json(json.indented({"schema_version": SCHEMA_VERSION, "computers": sorted(documents, key=_name)}))
    else:
        say(f"{len(looks):,} looked over: {', '.join(_counted(number, one) for one, number in counts.items())}")
    ctx.exit(1 if counts[Health.PROBLEM] else 0)


def _counted(number: int, health: Health) -> str:
    from immy_nornir.model.health import Health
    from immy_nornir.text.plain import counted

    return f"{number:,} {health}" if health is Health.OK else counted(number, health)


def _looks(
    root: Path, state: Path, sources: Sequence[Path], pattern: str
) -> tuple[dict[str, Look], dict[str, Address]]:
    """What is to be done for each computer, and where they are, as far as that can be told."""
    from immy_nornir.decide.resolve import patterns
    from immy_nornir.errors import ImmyError
    from immy_nornir.fleet.inventory.addresses import address_of
    from immy_nornir.remote.doctor.examine import Surroundings, examine
    from immy_nornir.session.before.specs import pinned_of
    from immy_nornir.session.engine import SystemClock
    from immy_nornir.session.hearing.heard import Heard

    fleet, _ = startup.load(root, sources, checked=False)
    names = patterns.select(fleet.inventory, pattern, None, read_file=startup.read_lines)
    connect, secrets, redactor = startup.way_of(root)
    around = Surroundings(lambda address: Heard(connect(address), redactor), secrets, SystemClock())
    seen = _seen(state, names)
    looks: dict[str, Look] = {}
    addresses: dict[str, Address] = {}
    for computer in startup.computers_of(fleet.inventory, names):
        try:
            address = startup.anchored(address_of(computer, secrets.reveal), root)
            if isinstance(address.password, str):
                redactor.add(address.password)
            pinned = pinned_of(computer, seen.get(computer.name))
        except ImmyError as error:
            looks[computer.name] = functools.partial(_unreadable, error)
            continue
        addresses[computer.name] = address
        looks[computer.name] = functools.partial(examine, address, pinned, around)
    return looks, addresses


def _unreadable(error: Any) -> list[Line]:
    from immy_nornir.model.health import Health, Line

    return [Line("variables", Health.PROBLEM, error.message, error.advice)]


def _seen(state: Path, names: Sequence[str]) -> dict[str, Facts]:
    """What the history knows of computers; nothing where there is none, or it cannot be read."""
    from immy_nornir.errors import HistoryError
    from immy_nornir.history.queries import FILE, Reader

    try:
        with Reader(state / FILE) as reader:
            return {name: reader.facts(name) for name in names}
    except HistoryError:
        return {}


def _clean(line: Line) -> Line:
    from immy_nornir.decide.health.doctor import advised

    clean, line = known_secrets().clean, advised(line)
    return dataclasses.replace(line, found=clean(line.found), advice=clean(line.advice))


def _where(address: Address | None) -> str:
    if address is None:
        return ""
    port = f":{address.port}" if address.port and address.kind != "local" else ""
    return f"{address.kind} {address.host}{port}"


def _name(document: dict[str, Any]) -> str:
    return str(document["computer"])


def _plain(name: str, address: Address | None, verdict: str, lines: Sequence[Line]) -> dict[str, Any]:
    listed = [{"check": one.check, "health": one.health, "found": one.found, "advice": one.advice} for one in lines]
    return {"computer": name, "address": _where(address), "health": verdict, "lines": listed}


def _lines(name: str, address: Address | None, lines: Sequence[Line]) -> Iterator[str]:
    where = _where(address)
    yield f"{name}{f'  ({where})' if where else ''}"
    wide = max((len(one.check) for one in lines), default=0)
    for one in lines:
        yield f"  {one.health:<7}  {one.check:<{wide}}  {one.found}"
        if one.advice:
            yield f"  {'':<7}  {'':<{wide}}  try: {one.advice}"
