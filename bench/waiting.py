"""Sessions that wait for a slot: what ten thousand of them cost beside a run in which nobody waits."""

from __future__ import annotations

from bench.table import Settings, Table
from bench.world import detection_fleet, world_in

AT_ONCE = 16


def run(settings: Settings) -> Table:
    """The same detection run without a limit, and with so small a one that nearly all wait from the beginning on."""
    count = 1000 if settings.quick else 10_000
    title = f"Waiting: detection, {count:,} computers, 50 workers; limit: {AT_ONCE} computers at once"
    table = Table(title, ("run", "wall s", "CPU s", "MB", "CPU ratio"))
    with world_in(settings.folder, "waiting") as world:
        detection_fleet(world)
        world.inventory(count)
        first = 0.0
        for name in ("without a limit", "with the limit"):
            if name == "with the limit":
                world.write("playbooks/limits.yml", {"computers": AT_ONCE})
            with world.lab():
                done = world.run("--on", "tenants", "--type", "detection", count=count, workers=50)
            first = first or done.cpu
            table.add(name, f"{done.wall:.1f}", f"{done.cpu:.1f}", f"{done.memory_mb:.0f}", f"{done.cpu / first:.2f}")
    table.notes.append("one run each; with the limit all others have parked before they said a word")
    return table
