"""CPU of the client for each computer more, as a slope between two sizes of a fleet; history included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.measure import Measured, median_of
from bench.table import Settings, Table
from bench.world import BASIC, HTTPS, NTLM, World, detection_fleet, world_in

WORKERS = 50


def run(settings: Settings) -> Table:
    """Detection of 50 deployments against a lab without delays."""
    table = Table(
        f"Client CPU: detection of 50 deployments, {WORKERS} workers, no delays",
        ("connection", "computers", "CPU s", "wall s", "MB", "ms CPU per computer more"),
    )
    sizes = (10, 100, 400) if settings.quick else (10, 100, 1000, 3000)
    with world_in(settings.folder, "cpu") as world:
        detection_fleet(world)
        steps = _slopes(settings, world, table, "Basic, http", BASIC, sizes)
        if len(sizes) > 3:
            table.notes.append(f"cost slope 1,000 -> 3,000 over 100 -> 1,000: {steps[2] / steps[1]:.2f}")
        for name, reach in (("NTLM, http", NTLM), ("Basic, https", HTTPS)):
            _slopes(settings, world, table, name, reach, (20, 120) if settings.quick else (50, 250))
    return table


def _slopes(
    settings: Settings, world: World, table: Table, name: str, reach: Mapping[str, Any], sizes: tuple[int, ...]
) -> list[float]:
    world.inventory(sizes[-1], reach)
    slopes: list[float] = []
    before: Measured | None = None
    with world.lab(https=reach is HTTPS):
        for number, size in enumerate(sizes):
            world.inventory(size, reach)
            runs = settings.runs if size <= 1000 else 1
            now = median_of(runs, lambda size=size: _once(world, size))  # type: ignore[misc]
            slope = ""
            if before is not None:
                slopes.append((now.cpu - before.cpu) / (size - sizes[number - 1]) * 1000)
                slope = f"{slopes[-1]:.1f}"
            table.add(name, str(size), f"{now.cpu:.2f}", f"{now.wall:.2f}", f"{now.memory_mb:.0f}", slope)
            before = now
    return slopes


def _once(world: World, size: int) -> Measured:
    return world.run("--on", "tenants", "--type", "detection", count=size, workers=WORKERS)
