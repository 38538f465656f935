"""Ten thousand computers: loading the inventory, resolving, and one detection run's memory."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from bench.measure import measure, median_of
from bench.table import Settings, Table
from bench.world import IMMY, VARIABLES, World, detection_fleet, world_in

DEPLOYMENTS, CANDIDATES = 500, 50
GROUPS = DEPLOYMENTS // CANDIDATES


def run(settings: Settings) -> Table:
    """Loading against Ansible where it is installed; resolving; memory."""
    count = 2000 if settings.quick else 10_000
    table = Table(f"{count:,} computers", ("work", "wall s", "CPU s", "MB", "ratio"))
    with world_in(settings.folder, "scale") as world:
        detection_fleet(world)
        world.inventory(count, password="not revealed here")
        _inventory(settings, world, table)
        _resolve(settings, world, table, count)
        world.inventory(count)
        with world.lab():
            done = world.run("--on", "tenants", "--type", "detection", count=count, workers=50)
        figures = (f"{done.wall:.1f}", f"{done.cpu:.1f}", f"{done.memory_mb:.0f}", "")
        table.add("immy run --type detection, 50 deployments, no delays", *figures)
    return table


def _inventory(settings: Settings, world: World, table: Table) -> None:
    command = [*IMMY, "inventory", "list", "all", "--format", "json"]
    ours = median_of(settings.runs, lambda: measure(command, world.root, VARIABLES))
    table.add("immy inventory list --format json", f"{ours.wall:.2f}", f"{ours.cpu:.2f}", f"{ours.memory_mb:.0f}", "1")
    program = shutil.which("ansible-inventory")
    if program is None:
        table.notes.append("Ansible: skipped, ansible-inventory is not on the PATH")
        return
    command = [program, "-i", "inventory", "--list", "--output", "ansible.json"]
    # It leaves variables of groups to each of their computers: the lab's are not its business.
    world.inventory(int(table.title.split()[0].replace(",", "")), lab={}, password="not revealed here")
    same = median_of(settings.runs, lambda: measure([*IMMY, "inventory", "list", "all"], world.root, VARIABLES))
    theirs = measure(command, world.root, {"ANSIBLE_HOME": str(world.root / ".ansible")})
    figures = (f"{theirs.wall:.2f}", f"{theirs.cpu:.2f}", f"{theirs.memory_mb:.0f}", f"{theirs.wall / same.wall:.1f}")
    table.add("ansible-inventory --list, small variables", *figures)
    table.notes.append(f"immy inventory list for the same small variables: {same.wall:.2f} s; one run of Ansible")


def _resolve(settings: Settings, world: World, table: Table, count: int) -> None:
    file = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-m", "bench.scale", str(count)]
    done = median_of(settings.runs, lambda: measure(command, world.root, {"PYTHONPATH": file}))
    expanding, choosing = done.out.split()
    name = f"resolve {DEPLOYMENTS} deployments, {CANDIDATES} candidates for each computer"
    table.add(name, f"{float(expanding) + float(choosing):.2f}", "", f"{done.memory_mb:.0f}", "")
    table.notes.append(
        f"resolving: {expanding} s to expand the targets, {choosing} s to choose; CPU; a tenth of them with a condition"
    )


def resolve(count: int) -> tuple[float, float]:
    """Seconds to expand all targets, and to choose for all computers."""
    from immy_nornir.decide.resolve.winning_deployments import Asked, Targets, choose
    from immy_nornir.model.deployments import Deployment, Desired, Scope, StateKind
    from immy_nornir.model.inventory import Computer, Group, Inventory
    from immy_nornir.model.places import Place
    from immy_nornir.model.playbooks import Fleet

    names = [f"pc{number:05d}" for number in range(count)]
    computers = {
        name: Computer(name, f"group{number % GROUPS}", ("all", f"group{number % GROUPS}"), {"role": "desk"})
        for number, name in enumerate(names)
    }
    groups = {f"group{one}": Group(f"group{one}", (), tuple(names[one::GROUPS]), {}) for one in range(GROUPS)}
    groups["all"] = Group("all", tuple(groups), (), {})
    deployments = tuple(
        Deployment(
            item=f"software/item{number // GROUPS % 25}",
            target=f"group{number % GROUPS}",
            place=Place("all.yml", number),
            scope=Scope.TENANT,
            priority=number,
            where="role == 'desk'" if number // GROUPS % 10 == 0 else None,
            state=Desired(StateKind.LATEST),
        )
        for number in range(DEPLOYMENTS)
    )
    inventory = Inventory(computers, groups)
    begin = time.process_time()
    targets = Targets.of(Fleet(".", inventory, deployments=deployments))
    expanded = time.process_time()
    chosen = 0
    for computer in computers.values():
        chosen += len(choose(targets.of_computer(computer.name), computer, {}, Asked()))
    assert chosen == count * 25, chosen
    return expanded - begin, time.process_time() - expanded


if __name__ == "__main__":
    print(*(f"{seconds:.3f}" for seconds in resolve(int(sys.argv[1]))))
