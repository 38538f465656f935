"""A fleet repository -> Fleet, with every problem of every file at once.

The first arrow of the flow: files in, plain values out. What one file says by itself is judged by its reader;
what needs the whole fleet (do the named items exist?) is judged by `checks`. Nothing here raises for bad
files; the caller decides by the problems' levels. Not here: secrets' values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.fleet.blackouts import STEM, read_blackouts
from immy_nornir.fleet.deployments import Read, derive_scope, read_deployments, tenant_groups
from immy_nornir.fleet.library.software import read_software
from immy_nornir.fleet.library.tasks import read_inventory_item, read_task
from immy_nornir.fleet.limits import read_limits
from immy_nornir.fleet.maintenance_types import read_types
from immy_nornir.fleet.playbooks import read_playbook
from immy_nornir.fleet.schedules import read_schedules
from immy_nornir.fleet.strays import stray_problems, told_once
from immy_nornir.fleet.telling import read_channels
from immy_nornir.model.control.holds import Blackout
from immy_nornir.model.control.limits import NO_LIMITS, Limits
from immy_nornir.model.control.schedules import Schedule
from immy_nornir.model.control.telling import Channel
from immy_nornir.model.deployments import Deployment
from immy_nornir.model.inventory import Inventory
from immy_nornir.model.items import InventoryItem, Item, Library, Platform, Task
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.playbooks import Fleet, MaintenanceType, Playbook
from immy_nornir.model.protocols import Vault
from immy_nornir.shapes.files import YAML_ENDINGS, Source, item_folders, open_yaml, relative, yaml_files
from immy_nornir.text.files import is_odd
from immy_nornir.text.yaml import Node

SOFTWARE = "tasks/software"
TASKS = "tasks/maintenance"
INVENTORY_ITEMS = "tasks/inventory"
DEPLOYMENTS = "playbooks/deployments"
TYPES = "playbooks/types"
SCHEDULES = "playbooks/schedules"
BLACKOUTS = f"playbooks/{STEM}"
LIMITS = "playbooks/limits"
TELLING = "playbooks/telling"
NO_PLAYBOOKS = ("types", "schedules", STEM, "limits", "telling")
"""Files in `playbooks/` that are something else, by their stems."""


def load_fleet(
    root: Path, sources: Sequence[Path] | None = None, vault: Vault | None = None
) -> tuple[Fleet, list[Problem]]:
    """Everything below `root`, with all problems in order of their places; `sources` replaces `root`/inventory.

    `vault` opens what Ansible's vault has encrypted as a whole file.
    """
    from immy_nornir.fleet.inventory.load import load_inventory

    problems: list[Problem] = []
    if not root.is_dir():
        problem = Problem(Place(root.as_posix()), Level.ERROR, "is not a folder", "immy init DIR makes a fleet")
        return Fleet(root.as_posix(), Inventory()), [problem]
    # Where the fleet is the working directory, places are relative without touching each of them.
    base = Path() if root.absolute() == Path.cwd() else root
    named = [base / "inventory"] if sources is None else list(sources)
    # Variables beside the playbooks count too, as in Ansible.
    inventory, found = load_inventory(named, beside=base / "playbooks", vault=vault)
    inventory, found = _relative_places(inventory, found, base)
    problems.extend(found)
    problems.extend(stray_problems(base, [path if path.is_dir() else path.parent for path in named]))
    library = load_library(root, problems)
    schedules = load_schedules(root, problems)
    fleet = Fleet(
        root=root.as_posix(),
        inventory=inventory,
        library=library,
        deployments=with_preflights(load_deployments(root, inventory, problems), library),
        types=load_types(root, problems),
        schedules=tuple(one for one in schedules if one.name and one.when),
        half_read=tuple(one for one in schedules if not (one.name and one.when)),
        blackouts=load_blackouts(root, problems),
        limits=load_limits(root, problems),
        channels=load_channels(root, problems),
    )
    return fleet, told_once(base, problems)


def _relative_places(inventory: Inventory, problems: list[Problem], root: Path) -> tuple[Inventory, list[Problem]]:
    """The same with the places of files below `root` relative to it."""
    prefix = f"{root.as_posix()}/"
    if prefix == "./":
        return inventory, problems  # they are already: nothing to pay for 10,000 computers
    known: dict[Place, Place] = {}

    def shown(place: Place) -> Place:
        found = known.get(place)
        if found is None:
            file = place.file.replace("\\", "/").removeprefix(prefix)
            found = known[place] = replace(place, file=file)
        return found

    computers = {
        name: replace(
            each,
            origins={variable: shown(place) for variable, place in each.origins.items()},
            unread=tuple(replace(one, place=shown(one.place)) for one in each.unread),
        )
        for name, each in inventory.computers.items()
    }
    return replace(inventory, computers=computers), [replace(each, place=shown(each.place)) for each in problems]


def load_playbook(fleet_root: Path, file: Path) -> tuple[Playbook, list[Problem]]:
    """One playbook; `file` is taken as it is, relative to the working directory."""
    problems: list[Problem] = []
    source, node = open_yaml(fleet_root, file, problems)
    playbook = Playbook(source.file, ()) if node is None else read_playbook(node, source)
    return playbook, sorted(problems)


def playbook_files(root: Path) -> list[Path]:
    """The playbooks of a fleet: files directly in `playbooks/`, but those of other things."""
    return [path for path in yaml_files(root / "playbooks") if path.stem not in NO_PLAYBOOKS]


def load_scheduled(root: Path, fleet: Fleet, problems: list[Problem]) -> dict[str, Playbook]:
    """The playbooks that the fleet's schedules name, as far as there are such, by those names."""
    files = {relative(root, path): path for path in playbook_files(root)}
    found: dict[str, Playbook] = {}
    for name in dict.fromkeys(one.playbook for one in fleet.schedules if one.playbook in files):
        found[name], more = load_playbook(root, files[name])
        problems.extend(more)
    return found


def load_library(root: Path, problems: list[Problem]) -> Library:
    """All software, tasks and inventory items below `root`/tasks; problems are added to the list."""
    items: dict[str, dict[Platform, Item]] = {}
    for folder in item_folders(root / SOFTWARE):
        source, node = open_yaml(root, _definition(root, folder, "software", problems), problems)
        found = read_software(folder.name, node, source) if node is not None else []
        items[f"software/{folder.name}"] = {each.platform: each for each in found}
    for folder in item_folders(root / TASKS):
        source, node = open_yaml(root, _definition(root, folder, "task", problems), problems)
        tasks = read_task(folder.name, node, source) if node is not None else []
        items[f"task/{folder.name}"] = {each.platform: each for each in tasks}
    inventory: dict[str, tuple[InventoryItem, ...]] = {}
    for path in yaml_files(root / INVENTORY_ITEMS):
        source, node = open_yaml(root, path, problems)
        inventory[path.stem] = tuple(read_inventory_item(path.stem, node, source)) if node is not None else ()
    return Library(items, inventory)


def _definition(root: Path, folder: Path, stem: str, problems: list[Problem]) -> Path:
    found = [folder / f"{stem}{ending}" for ending in YAML_ENDINGS if (folder / f"{stem}{ending}").exists()]
    if len(found) > 1:
        place = Place(relative(root, found[1]))
        problems.append(Problem(place, Level.ERROR, f"{found[0].name} stands beside it", "keep one of the two"))
    return found[0] if found else folder / f"{stem}.yml"


def load_deployments(root: Path, inventory: Inventory, problems: list[Problem]) -> tuple[Deployment, ...]:
    """All deployments in the order of files and lines, with their scopes; problems are added to the list."""
    reads: list[Read] = []
    for path in yaml_files(root / DEPLOYMENTS, deep=True):
        source, node = open_yaml(root, path, problems)
        if node is not None:
            reads.extend(read_deployments(node, source))
    tenants = tenant_groups(inventory)
    return tuple(
        each.deployment
        if each.scope_said
        else replace(each.deployment, scope=derive_scope(each.deployment.target, inventory, tenants))
        for each in reads
    )


def with_preflights(deployments: tuple[Deployment, ...], library: Library) -> tuple[Deployment, ...]:
    """The deployments, with those of a task that is a preflight by its definition marked as such."""
    gates = {
        name
        for name, items in library.items.items()
        if any(isinstance(one, Task) and one.preflight for one in items.values())
    }
    return tuple(replace(one, preflight=True) if one.item in gates else one for one in deployments)


def load_types(root: Path, problems: list[Problem]) -> Mapping[str, MaintenanceType]:
    """The built-in maintenance types and the fleet's own; problems are added to the list."""
    own: dict[str, MaintenanceType] = {}
    for source, node in _named(root, TYPES, problems):
        own.update(read_types(node, source))
    return {**own, **BUILT_IN_TYPES}


def load_schedules(root: Path, problems: list[Problem]) -> tuple[Schedule, ...]:
    """The fleet's schedules in the order of their file, those that are read in half too; problems are added."""
    found: list[Schedule] = []
    for source, node in _named(root, SCHEDULES, problems):
        known = {one.name: one for one in found}
        for one in read_schedules(node, source):
            if one.name in known and one.name and one.when:
                advice = f"the first is at {known[one.name].place}"
                source.error(one.place, f"the schedule '{one.name}' stands twice", advice)
            else:
                found.append(one)
    return tuple(found)


def _named(root: Path, name: str, problems: list[Problem]) -> Iterator[tuple[Source, Node]]:
    """A file by its name, with each of the endings that there are."""
    for path in [root / f"{name}{ending}" for ending in YAML_ENDINGS]:
        if path.is_file() or is_odd(path):
            source, node = open_yaml(root, path, problems)
            if node is not None:
                yield source, node


def load_blackouts(root: Path, problems: list[Problem]) -> tuple[Blackout, ...]:
    """The dates at which nothing begins; problems are added to the list."""
    return tuple(one for source, node in _named(root, BLACKOUTS, problems) for one in read_blackouts(node, source))


def load_limits(root: Path, problems: list[Problem]) -> Limits:
    """The fleet's limits; problems are added to the list."""
    limits = NO_LIMITS
    for path in [root / f"{LIMITS}{ending}" for ending in YAML_ENDINGS]:
        if path.is_file() or is_odd(path):
            source, node = open_yaml(root, path, problems)
            if limits is not NO_LIMITS:
                source.error(Place(source.file), f"{Path(LIMITS).name}.yml stands beside it", "keep one of the two")
            elif node is not None:
                limits = read_limits(node, source)
    return limits


def load_channels(root: Path, problems: list[Problem]) -> tuple[Channel, ...]:
    """Who is told what, in the order of the file; problems are added to the list."""
    found: dict[str, Channel] = {}
    for source, node in _named(root, TELLING, problems):
        for one in read_channels(node, source):
            first = found.setdefault(one.name, one)
            if first is not one:
                source.error(one.place, f"the channel '{one.name}' stands twice", f"the first is at {first.place}")
    return tuple(found.values())
