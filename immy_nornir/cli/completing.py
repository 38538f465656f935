"""What the shell offers after the Tab key: names of the fleet's files and of the history, as they are at that moment.

A completion that fails offers nothing and says nothing. It reads no more than it needs: the inventory for computers
and groups, names of folders for items, the history's table of sessions for sessions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    import click

    from immy_nornir.history.queries import Reader
    from immy_nornir.model.inventory import Inventory

Complete = Callable[["click.Context", "click.Parameter", str], list[CompletionItem]]
_NEWEST = 200
"""Of sessions and runs so many are offered."""


def _offering(found: Callable[[click.Context, str], Iterable[CompletionItem | tuple[str, str] | str]]) -> Complete:
    """A completion that offers what begins as what was typed, and nothing where it cannot be found out."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - click's signature
        offered: dict[str, CompletionItem] = {}
        try:
            for one in found(ctx, incomplete):
                item = one if isinstance(one, CompletionItem) else _item(one)
                if item.value.startswith(incomplete):
                    offered.setdefault(item.value, item)
        except Exception:  # noqa: BLE001 - whoever types is not to be told of files that are half written
            return []
        return list(offered.values())

    return complete


def _item(one: tuple[str, str] | str) -> CompletionItem:
    return CompletionItem(one) if isinstance(one, str) else CompletionItem(one[0], help=one[1])


def _root(ctx: click.Context) -> Path:
    return Path(ctx.find_root().params.get("fleet") or Path.cwd())


def _inventory(ctx: click.Context) -> Inventory:
    from immy_nornir.fleet.inventory.load import load_inventory

    root = _root(ctx)
    sources = [root / one for one in ctx.params.get("sources") or ["inventory"]]
    return load_inventory(sources, beside=root / "playbooks")[0]


def _reader(ctx: click.Context) -> Reader:
    from immy_nornir.cli.startup import STATE
    from immy_nornir.history.queries import FILE, Reader

    state = ctx.find_root().params.get("state")
    return Reader((Path(state) if state is not None else _root(ctx) / STATE) / FILE)


@_offering
def computers(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:  # noqa: ARG001 - as all of them
    """Computers of the inventory."""
    for name, one in _inventory(ctx).computers.items():
        yield name, one.tenant


@_offering
def patterns(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Groups and computers of the inventory, also behind what is there of a pattern already."""
    inventory = _inventory(ctx)
    before = re.match(r"(?:.*[:,])?[!&]?", incomplete)
    begin = before[0] if before is not None else ""
    for name in inventory.groups:
        yield begin + name, "group"
    for name, one in inventory.computers.items():
        yield begin + name, one.tenant


@_offering
def items(ctx: click.Context, incomplete: str) -> Iterator[str]:  # noqa: ARG001 - as all of them
    """Items by the names of their folders and files."""
    for kind, folder in (("software", "software"), ("task", "maintenance")):
        for path in sorted((_root(ctx) / "tasks" / folder).glob("*")):
            if not path.name.startswith("."):
                yield f"{kind}/{path.name if path.is_dir() else path.stem}"


@_offering
def types(ctx: click.Context, incomplete: str) -> Iterator[str]:  # noqa: ARG001 - as all of them
    """Maintenance types."""
    from immy_nornir.fleet.load import load_types

    yield from load_types(_root(ctx), [])


@_offering
def sessions(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:  # noqa: ARG001 - as all of them
    """The newest sessions, and the computers that they are of."""
    from immy_nornir.history.queries import Asked

    with _reader(ctx) as reader:
        rows = reader.sessions(Asked(limit=_NEWEST))
    for row in rows:
        yield row.id, f"{row.computer}, {row.status.replace('_', ' ')}"
    for row in rows:
        yield row.computer, "its newest session"


@_offering
def runs(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:  # noqa: ARG001 - as all of them
    """The newest runs."""
    with _reader(ctx) as reader:
        for row in reader.runs(_NEWEST):
            yield row.id, row.command


@_offering
def watched(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:  # noqa: ARG001 - as all of them
    """The newest runs, and the computers of the newest sessions."""
    from immy_nornir.history.queries import Asked

    with _reader(ctx) as reader:
        runs, rows = reader.runs(_NEWEST), reader.sessions(Asked(limit=_NEWEST))
    for row in runs:
        yield row.id, row.command
    for one in rows:
        yield one.computer, "its newest session"


@_offering
def tenants(ctx: click.Context, incomplete: str) -> Iterator[str]:  # noqa: ARG001 - as all of them
    """Tenants of the inventory."""
    yield from sorted({one.tenant for one in _inventory(ctx).computers.values()})


@_offering
def channels(ctx: click.Context, incomplete: str) -> Iterator[str]:  # noqa: ARG001 - as all of them
    """Channels of playbooks/telling.yml."""
    from immy_nornir.fleet.load import load_channels

    yield from (one.name for one in load_channels(_root(ctx), []))
