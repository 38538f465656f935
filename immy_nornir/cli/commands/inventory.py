"""`immy inventory list|graph|show`: what the inventory's files say, without reaching any computer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from immy_nornir.cli import completing, options, vault
from immy_nornir.cli.door import say, say_json
from immy_nornir.decide.resolve.patterns import members, select
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.inventory.addresses import AddressError, address_of
from immy_nornir.fleet.inventory.export import ansible_list, plain_json
from immy_nornir.fleet.inventory.load import computer_named, load_inventory
from immy_nornir.fleet.inventory.tenants import TENANTS_GROUP
from immy_nornir.fleet.inventory.values import is_password_name
from immy_nornir.model.inventory import Computer, Inventory
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.values import Json, SecretRef, Value
from immy_nornir.text import json
from immy_nornir.text.files import read_file
from immy_nornir.text.yaml import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from immy_nornir.model.protocols import Address

SCHEMA_VERSION = 1
_HIDDEN = "********"

_sources = click.option(
    "-i",
    "--inventory",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="File, folder or list ('pc1,pc2,') of computers; may be repeated. [default: inventory]",
)


def _format(*more: str) -> Callable[[Any], Any]:
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json", "yaml", *more]),
        default="text",
        show_default=True,
        help="As text for people, or for programs.",
    )


@click.group()
def inventory() -> None:
    """Show computers, groups and variables as the inventory's files give them."""


@inventory.command("list")
@click.argument("pattern", default="all", shell_complete=completing.patterns)
@_sources
@options.vault
@click.option(
    "--limit",
    metavar="PATTERN",
    shell_complete=completing.patterns,
    help="Only computers that this pattern selects too.",
)
@_format("ansible")
@click.pass_context
def list_(ctx: click.Context, pattern: str, sources: Sequence[str], limit: str | None, form: str) -> None:
    """List the computers that PATTERN selects (default: all).

    `--format ansible` prints what `ansible-inventory --list` prints.
    """
    with _guarded(ctx):
        loaded = _load(ctx, sources)
        names = select(loaded, pattern, limit, read_file=_read_file)
        if form == "ansible":
            chosen = None if pattern == "all" and limit is None else names
            say_json(json.indented(ansible_list(loaded, chosen), 4, sort_keys=True))
            return
        rows, problems = _rows(loaded, names)
        if form == "text":
            _table([_Row.HEAD, *(row.cells() for row in rows)])
        else:
            _emit({"schema_version": SCHEMA_VERSION, "computers": [row.json() for row in rows]}, form)
        _end(ctx, problems)


@inventory.command()
@click.argument("pattern", default="all", shell_complete=completing.patterns)
@_sources
@options.vault
@click.option("--vars", "with_variables", is_flag=True, help="Show variables too.")
@_format()
@click.pass_context
def graph(ctx: click.Context, pattern: str, sources: Sequence[str], form: str, *, with_variables: bool) -> None:
    """Draw the tree of groups, from the group PATTERN, or with only the computers that PATTERN selects."""
    with _guarded(ctx):
        loaded = _load(ctx, sources)
        if pattern in loaded.groups:
            tree = _Tree(loaded, None, with_variables=with_variables)
            root = pattern
        else:
            selected = select(loaded, pattern, read_file=_read_file)
            tree = _Tree(loaded, frozenset(selected), with_variables=with_variables)
            root = "all"
        if form == "text":
            for line in tree.lines(root, 0):
                say(line)
        else:
            _emit({"schema_version": SCHEMA_VERSION, "graph": tree.json(root)}, form)


@inventory.command()
@click.argument("computer", shell_complete=completing.computers)
@_sources
@options.vault
@_format()
@click.pass_context
def show(ctx: click.Context, computer: str, sources: Sequence[str], form: str) -> None:
    """Show one computer: its groups, its address, and every variable with the file and line it comes from."""
    with _guarded(ctx):
        loaded = _load(ctx, sources)
        names = [computer] if computer in loaded.computers else select(loaded, computer, read_file=_read_file)
        if len(names) != 1:
            _fail(ctx, f"'{computer}' selects {len(names)} computers, not one", "immy inventory list shows their names")
        chosen = computer_named(loaded, names[0])
        rows, problems = _rows(loaded, names)
        if form == "text":
            _show_text(chosen, rows[0])
        else:
            _emit(
                {
                    "schema_version": SCHEMA_VERSION,
                    **rows[0].json(),
                    "variables": {
                        name: {"value": _shown(name, value), "origin": _origin(chosen, name)}
                        for name, value in sorted(chosen.variables.items())
                    },
                },
                form,
            )
        _end(ctx, problems)


def _show_text(computer: Computer, row: _Row) -> None:
    for label, cell in zip(_Row.HEAD, row.cells(), strict=True):
        say(f"{label.lower()}: {cell}")
    if computer.variables:
        say()
    _table(
        [
            (name, json.line(_shown(name, value), ascii=False), _origin(computer, name) or "")
            for name, value in sorted(computer.variables.items())
        ]
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One computer of a list; without an address when its connection variables are wrong."""

    computer: Computer
    address: Address | None

    HEAD = ("COMPUTER", "TENANT", "CONNECTION", "ADDRESS", "GROUPS")

    def _groups(self) -> list[str]:
        return [name for name in self.computer.groups if name != "all"]

    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        kind = self.address.kind if self.address else "?"
        where = "?"
        if self.address:
            host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
            where = f"{host}:{self.address.port}" if self.address.port else host
        return self.computer.name, self.computer.tenant, kind, where, " ".join(self._groups())

    def json(self) -> dict[str, Json]:
        """The same as JSON; keys are part of the schema."""
        address: Json = None
        if self.address is not None:
            address = {
                "host": self.address.host,
                "port": self.address.port or None,
                "username": self.address.username or None,
            }
        return {
            "computer": self.computer.name,
            "tenant": self.computer.tenant,
            "connection": self.address.kind if self.address else None,
            "address": address,
            "groups": [*self._groups()],
        }


def _rows(loaded: Inventory, names: Iterable[str]) -> tuple[list[_Row], list[Problem]]:
    rows, problems = [], []
    for name in names:
        computer = computer_named(loaded, name)
        address = None
        try:
            address = address_of(computer)
        except AddressError as error:
            problems.append(Problem(error.place or Place(name), Level.ERROR, error.plain_message, error.advice))
        rows.append(_Row(computer, address))
    return rows, problems


class _Tree:
    """The groups as a tree, as `ansible-inventory --graph` draws it; tenants are marked."""

    def __init__(self, loaded: Inventory, only: frozenset[str] | None, *, with_variables: bool) -> None:
        self._loaded = loaded
        self._only = only
        self._with_variables = with_variables
        tenants = loaded.groups.get(TENANTS_GROUP)
        self._tenants = frozenset(tenants.children) if tenants else frozenset()

    def lines(self, name: str, depth: int) -> Iterator[str]:
        """One line for each group and computer below a group."""
        group = self._loaded.groups[name]
        yield _branch(f"@{name}:{' (tenant)' if name in self._tenants else ''}", depth)
        for child in self._children(name):
            yield from self.lines(child, depth + 1)
        for computer in self._computers(name):
            yield _branch(computer, depth + 1)
            if self._with_variables:
                yield from self._variables(self._loaded.computers[computer].variables, depth + 2)
        if self._with_variables:
            yield from self._variables(group.variables, depth + 1)

    def json(self, name: str) -> dict[str, Json]:
        """The same as nested maps."""
        entry: dict[str, Json] = {
            "group": name,
            "tenant": name in self._tenants,
            "children": [self.json(child) for child in self._children(name)],
            "computers": [*self._computers(name)],
        }
        if self._with_variables:
            variables = self._loaded.groups[name].variables
            entry["variables"] = {key: _shown(key, value) for key, value in sorted(variables.items())}
        return entry

    def _children(self, name: str) -> list[str]:
        children = self._loaded.groups[name].children
        if self._only is None:
            return list(children)
        return [child for child in children if not self._only.isdisjoint(members(self._loaded, child))]

    def _computers(self, name: str) -> list[str]:
        if name == "all":  # who stands there directly is in `ungrouped` or elsewhere too
            return []
        return [name for name in self._loaded.groups[name].computers if self._only is None or name in self._only]

    def _variables(self, variables: Mapping[str, Value], depth: int) -> Iterator[str]:
        for name, value in sorted(variables.items()):
            yield _branch(f"{{{name} = {_shown(name, value)}}}", depth)


def _branch(text: str, depth: int) -> str:
    return "  |" * depth + f"--{text}" if depth else text


def _shown(name: str, value: Value) -> Json:
    """A value as it may be shown: references as they are, passwords in clear hidden."""
    if is_password_name(name) and not isinstance(value, SecretRef) and value not in (None, ""):
        return _HIDDEN
    return plain_json(value)


def _origin(computer: Computer, name: str) -> str | None:
    place = computer.origins.get(name)
    return str(place) if place is not None else None


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _emit(value: dict[str, Any], form: str) -> None:
    if form == "json":
        say_json(json.indented(value, ascii=False))
    else:
        say(dump(value).rstrip("\n"))


# --- loading and ending --------------------------------------------------------------------------------------


def _load(ctx: click.Context, sources: Sequence[str]) -> Inventory:
    """The inventory; problems go to stderr, and errors end the command with 2."""
    root = _root(ctx)
    paths = [Path(source) for source in sources] or [root / "inventory"]
    playbooks = root / "playbooks"
    loaded, problems = load_inventory(paths, beside=playbooks if playbooks.is_dir() else None, vault=vault.current())
    _tell(problems)
    if any(problem.level is Level.ERROR for problem in problems):
        ctx.exit(2)
    return loaded


def _root(ctx: click.Context) -> Path:
    """The fleet's folder: `-C` of the whole command, else here."""
    given = ctx.obj.get("root") if isinstance(ctx.obj, Mapping) else None
    return Path(given) if given is not None else Path()


def _read_file(name: str) -> list[str]:
    return read_file(Path(name)).decode("utf-8-sig").splitlines()


def _tell(problems: Iterable[Problem]) -> None:
    for problem in problems:
        say(str(problem), err=True)


def _end(ctx: click.Context, problems: Sequence[Problem]) -> None:
    _tell(problems)
    if problems:
        ctx.exit(2)


@contextmanager
def _guarded(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except ImmyError as error:
        say(f"error: {error}", err=True)
        ctx.exit(error.exit_code)


def _fail(ctx: click.Context, message: str, advice: str) -> NoReturn:
    say(f"error: {message} ({advice})", err=True)
    ctx.exit(2)
