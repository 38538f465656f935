"""Detection of 50 deployments: against the floor of the protocol, and against Ansible where it is installed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bench.measure import Measured, measure, median_of
from bench.table import Settings, Table
from bench.world import PASSWORD, SCRIPTS, USUAL, World, call, detection_fleet, world_in

WORKERS = 50
ANSIBLE_QUICK = 10
SECONDS_PER_SCRIPT = 0.05


def run(settings: Settings) -> Table:
    """Wall and CPU of whole commands."""
    count = 50 if settings.quick else 100
    table = Table(
        f"Detection: 50 deployments, {count} computers, {WORKERS} workers",
        ("command", "computers", "wall s", "CPU s", "MB", "wall / immy's", "CPU / immy's"),
    )
    with world_in(settings.folder, "detection") as world:
        detection_fleet(world)
        world.inventory(count)
        with world.lab(*USUAL):
            least = median_of(settings.runs, lambda: floor(world, count))
            ours = median_of(settings.runs, lambda: immy(world, count))
            few = min(count, ANSIBLE_QUICK) if settings.quick else count
            world.inventory(few)
            same = ours if few == count else immy(world, few)
        _row(table, "immy run --type detection", count, ours, ours)
        _row(table, "floor: the least that WinRM needs", count, least, ours)
        if few != count:
            _row(table, "immy run --type detection", few, same, same)
        table.notes.append(f"immy takes {ours.wall / least.wall:.2f} x the floor's wall time")
        _ansible(world, table, same, few)
    return table


def immy(world: World, count: int) -> Measured:
    """One detection run."""
    return world.run("--on", "tenants", "--type", "detection", count=count, workers=WORKERS)


def floor(world: World, count: int) -> Measured:
    """The hand-written client, as a process of its own."""
    command = [sys.executable, "-m", "bench.floor", str(world.port), str(WORKERS), str(count)]
    return measure(command, world.root, {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)})


def _row(table: Table, name: str, count: int, one: Measured, ours: Measured) -> None:
    """One command; its ratios are to immy's run on as many computers."""
    wall, cpu = one.wall / ours.wall, one.cpu / ours.cpu
    figures = (f"{one.wall:.2f}", f"{one.cpu:.2f}", f"{one.memory_mb:.0f}", f"{wall:.2f}", f"{cpu:.2f}")
    table.add(name, str(count), *figures)


# --- Ansible ----------------------------------------------------------------------------------------------------


def _ansible(world: World, table: Table, ours: Measured, count: int) -> None:
    program = shutil.which("ansible-playbook")
    if program is None:
        table.notes.append("Ansible: skipped, ansible-playbook is not on the PATH")
        return
    world.inventory(count, name="ansible/all.yml", password=PASSWORD)
    for name, tasks, more in (("50 raw tasks", 50, SCRIPTS / 50), ("one hand-made task", 1, float(SCRIPTS))):
        world.write("ansible.yml", [{"hosts": "tenants", "gather_facts": False, "tasks": _tasks(tasks)}])
        # The lab's computers answer foreign commands without running them: PowerShell's start takes the scripts' time.
        start = ("--powershell-start", f"{0.6 + more * SECONDS_PER_SCRIPT:.3f}")
        with world.lab("--reply-delay", "0.02", *start):
            done = measure(
                [program, "-i", "ansible/all.yml", "-f", str(WORKERS), "ansible.yml"],
                world.root,
                {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal", "ANSIBLE_HOME": str(world.root / ".ansible")},
            )
        _row(table, f"ansible-playbook: {name}", count, done, ours)
    version = json.dumps(call([program, "--version"], world.root).splitlines()[0])
    table.notes.append(
        f"{version}, connection winrm, forks {WORKERS}, one run; ratios are to immy on as many computers"
    )


def _tasks(count: int) -> list[dict[str, object]]:
    return [{"name": f"task {number}", "raw": f"echo item{number}"} for number in range(count)]
