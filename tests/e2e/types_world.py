"""One computer with work of every kind of action, for the tests of maintenance types."""

from __future__ import annotations

from typing import Any

from tests.e2e.world import registry_task, software, spec

FOUND = [
    {"name": "Old 1.0", "version": "1.0"},
    {"name": "Newer 2.0", "version": "2.0"},
    {"name": "Unwanted 1.0", "version": "1.0"},
    {"name": "Broken 2.0", "version": "2.0"},
    {"name": "Shaky 2.0", "version": "2.0"},
    {"name": "Fine 2.0", "version": "2.0"},
    {"name": "Unloved 1.0", "version": "1.0"},
]

TEST = "return $true\n"


def computer(name: str, number: int) -> Any:
    """A computer with something to be done for every type of action."""
    return spec(
        name,
        number,
        users=("ACME\\ann",),
        software=tuple(FOUND),
        breaks=("software/broken", "software/shaky"),
        compliant=("task/calm",),
        values={"task/watch": {"free_gb": 12}},
        registry={"HKLM": {r"SOFTWARE\E2E\audited": {"On": 0}}},
        services={"Spooler": {"state": "running", "startup": "automatic"}},
        files={"C:\\keep.txt": "kept"},
    )


def files() -> dict[str, object]:
    """The library and its deployments."""
    scripts = {"test": "test.ps1", "set": "set.ps1", "get": "get.ps1"}
    found: dict[str, object] = {
        "tasks/software/missing/software.yml": software("Missing"),
        "tasks/software/needy/software.yml": software("Needy", prerequisites=["task/groundwork", "software/base"]),
        "tasks/software/base/software.yml": software("Base"),
        "tasks/software/old/software.yml": software("Old"),
        "tasks/software/newer/software.yml": software("Newer"),
        "tasks/software/unwanted/software.yml": software("Unwanted"),
        "tasks/software/broken/software.yml": software(
            "Broken", test={"script": "test.ps1"}, repair={"script": "repair.ps1"}
        ),
        "tasks/software/broken/test.ps1": TEST,
        "tasks/software/broken/repair.ps1": "exit 0\n",
        "tasks/software/shaky/software.yml": software("Shaky", test={"script": "test.ps1"}),
        "tasks/software/shaky/test.ps1": TEST,
        "tasks/software/fine/software.yml": software("Fine"),
        "tasks/software/unloved/software.yml": software("Unloved"),
        "tasks/software/maybe/software.yml": software("Maybe"),
        "tasks/maintenance/setting/task.yml": registry_task("setting"),
        "tasks/maintenance/audited/task.yml": registry_task("audited"),
        "tasks/maintenance/groundwork/task.yml": registry_task("groundwork"),
        "tasks/maintenance/last_words/task.yml": registry_task("last_words", order="post", always=True),
        "tasks/inventory/printers.yml": {"title": "Printers", "script": "printers.ps1"},
        "tasks/inventory/printers.ps1": "@('one')\n",
        "playbooks/types.yml": [
            {
                "name": "updates",
                "description": "updates and audits only",
                "stages": ["connect", "resolve", "detect", "plan", "execute", "verify"],
                "looks_at": ["software", "task"],
                "does": ["update", "audit"],
            }
        ],
    }
    for name in ("scripted", "calm", "watch"):
        found[f"tasks/maintenance/{name}/task.yml"] = {"title": name, **scripts}
        found |= {f"tasks/maintenance/{name}/{file}": "$true\n" for file in scripts.values()}
    states = {
        "missing": "latest",
        "needy": "latest",
        "old": "latest",
        "newer": "1.0",
        "unwanted": "absent",
        "broken": "2.0",
        "shaky": "2.0",
        "fine": "latest",
        "unloved": "ignored",
        "maybe": "update_if_found",
    }
    modes = {"setting": "enforce", "scripted": "enforce", "calm": "enforce", "audited": "audit", "watch": "monitor"}
    modes["last_words"] = "enforce"
    found["playbooks/deployments/all.yml"] = [
        *({"item": f"software/{item}", "target": "tenants", "state": state} for item, state in states.items()),
        *({"item": f"task/{item}", "target": "tenants", "mode": mode} for item, mode in modes.items()),
    ]
    return found
