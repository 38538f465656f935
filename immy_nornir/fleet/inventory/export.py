"""Inventory -> plain JSON: what `ansible-inventory --list` prints, and values with references to secrets.

Pure. Not here: printing (`cli.inventory`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from immy_nornir.model.inventory import Inventory
from immy_nornir.model.values import Json, SecretRef, UnsafeText, Value

# Variables that Ansible computes itself and never lists.
INTERNAL = frozenset(
    (
        *("ansible_async_path", "ansible_check_mode", "ansible_collection_name", "ansible_config_file"),
        *("ansible_dependent_role_names", "ansible_diff_mode", "ansible_facts", "ansible_forks"),
        *("ansible_inventory_sources", "ansible_limit", "ansible_play_batch", "ansible_play_hosts"),
        *("ansible_play_hosts_all", "ansible_play_role_names", "ansible_playbook_python", "ansible_role_name"),
        *("ansible_role_names", "ansible_run_tags", "ansible_skip_tags", "ansible_verbosity", "ansible_version"),
        *("group_names", "groups", "hostvars", "inventory_dir", "inventory_file", "inventory_hostname"),
        *("inventory_hostname_short", "play_hosts", "playbook_dir", "role_name", "role_names", "role_path"),
        "role_uuid",
    )
)


def plain_json(value: Value) -> Json:
    """A value as JSON holds it; a reference to a secret is `{"secret": REFERENCE}` again."""
    match value:
        case SecretRef(reference):
            return {"secret": reference}
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(name): plain_json(item) for name, item in value.items()}
        case _:
            return [plain_json(item) for item in value]


def _ansible_json(value: Value) -> Json:
    """As plain_json, with Ansible's mark at text that is never a template."""
    match value:
        case UnsafeText():
            return {"__ansible_unsafe": str(value)}
        case SecretRef() | None | bool() | int() | float() | str():
            return plain_json(value)
        case Mapping():
            return {str(name): _ansible_json(item) for name, item in value.items()}
        case _:
            return [_ansible_json(item) for item in value]


def ansible_list(inventory: Inventory, selected: Collection[str] | None = None) -> dict[str, Any]:
    """The structure of `ansible-inventory --list`, for all computers or those selected."""
    chosen = frozenset(inventory.computers if selected is None else selected)
    result: dict[str, Any] = {}
    seen: set[str] = set()

    def add(name: str) -> None:
        group = inventory.groups[name]
        entry: dict[str, Any] = {}
        children: list[str] = []
        for child in group.children:
            children.append(child)
            if child not in seen:
                seen.add(child)
                add(child)
        if children:
            entry["children"] = children
        computers = [computer for computer in group.computers if computer in chosen]
        if computers and name != "all":
            entry["hosts"] = computers
        if entry:
            result[name] = entry

    add("all")
    hostvars: dict[str, Json] = {}
    for name, computer in inventory.computers.items():
        variables = {key: value for key, value in computer.variables.items() if key not in INTERNAL}
        if name in chosen and variables:
            hostvars[name] = {key: _ansible_json(value) for key, value in variables.items()}
    return {"_meta": {"hostvars": hostvars, "profile": "inventory_legacy"}, **result}
