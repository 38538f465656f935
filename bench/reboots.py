"""Reboots cost their own time once, not once for each worker: computers that are away hold no thread."""

from __future__ import annotations

from bench.table import Settings, Table
from bench.world import USUAL, World, world_in

WORKERS = 16
PACKAGES = ("alpha", "beta", "gamma")


def run(settings: Settings) -> Table:
    """Full sessions that install three programs, with and without the reboot that one of them asks for."""
    table = Table(f"Reboots: full session, {WORKERS} workers", ("run", "wall s", "CPU s", "ratio"))
    for count, seconds in [(60, 2.0)] if settings.quick else [(300, 20.0), (1000, 60.0)]:
        _both(settings, table, count, seconds)
    table.notes.append("ratio: wall / (wall without reboots + one reboot); one run each")
    return table


def _both(settings: Settings, table: Table, count: int, seconds: float) -> None:
    walls: list[float] = []
    with world_in(settings.folder, f"reboots{count}") as world:
        for reboot in ("never", "after"):
            full_fleet(world, reboot, count)
            # A lab of its own for each: what was installed is gone with it.
            with world.lab(*USUAL, "--reboot-seconds", str(seconds), "--install-seconds", "0.2"):
                arguments = ("--on", "tenants", "--type", "full", "--reboot", "force")
                done = world.run(*arguments, count=count, workers=WORKERS)
            walls.append(done.wall)
            ratio = f"{done.wall / (walls[0] + seconds):.2f}" if len(walls) > 1 else ""
            name = f"with one reboot of {seconds:g} s" if reboot == "after" else "without reboots"
            table.add(f"{count:,} computers, {name}", f"{done.wall:.1f}", f"{done.cpu:.1f}", ratio)


def full_fleet(world: World, reboot: str, count: int) -> None:
    """Three programs of a package manager, of which one asks for a reboot or none does."""
    packages = {f"Vendor.{name}": {"installed": None, "candidate": "1.0"} for name in PACKAGES}
    world.inventory(count, lab={"packages": {"winget": packages}})
    for name in PACKAGES:
        body = {"winget": f"Vendor.{name}", "reboot": reboot if name == "beta" else "never"}
        world.write(f"tasks/software/{name}/software.yml", body)
    rules = [{"item": f"software/{name}", "target": "tenants", "state": "latest"} for name in PACKAGES]
    world.write("playbooks/deployments/all.yml", rules)
