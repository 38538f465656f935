"""JSON Schemas of the fleet's own files, for editors; made by the very shapes that read the files.

Not here: what needs more than one file (`checks`), and the inventory's files, which are Ansible's.
"""

from __future__ import annotations

from collections.abc import Mapping

from immy_nornir.fleet.blackouts import BLACKOUTS
from immy_nornir.fleet.deployments import DEPLOYMENTS
from immy_nornir.fleet.library.software import SOFTWARE_FORM
from immy_nornir.fleet.library.tasks import INVENTORY_FORM, TASK_FORM
from immy_nornir.fleet.limits import LIMITS
from immy_nornir.fleet.maintenance_types import TYPES
from immy_nornir.fleet.playbooks import PLAYS
from immy_nornir.fleet.schedules import SCHEDULES
from immy_nornir.fleet.telling import CHANNELS
from immy_nornir.shapes.scalars import Schema, Shape

SHAPES: Mapping[str, tuple[Shape[object], str]] = {
    "software": (SOFTWARE_FORM, "tasks/software/*/software.yml"),
    "task": (TASK_FORM, "tasks/maintenance/*/task.yml"),
    "inventory-item": (INVENTORY_FORM, "tasks/inventory/*.yml"),
    "deployments": (DEPLOYMENTS, "playbooks/deployments/**/*.yml"),
    "playbook": (PLAYS, "playbooks/*.yml"),
    "types": (TYPES, "playbooks/types.yml"),
    "schedules": (SCHEDULES, "playbooks/schedules.yml"),
    "blackouts": (BLACKOUTS, "playbooks/blackouts.yml"),
    "limits": (LIMITS, "playbooks/limits.yml"),
    "telling": (CHANNELS, "playbooks/telling.yml"),
}
"""Kind of file -> the shape that reads it, and where such files stand."""


def schema_of(kind: str) -> Schema:
    """The JSON Schema (draft 2020-12) of one kind of file, a key of SHAPES."""
    shape, files = SHAPES[kind]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"immy: {kind}",
        "description": files,
        **shape.schema(),
    }
