"""The folders of `cases/`: inputs, and what ansible-core makes of them.

`python -m tests.fleet.inventory.case_files` writes every `expected.json` anew with the `ansible-inventory` and
`ansible` on the PATH; the tests themselves need neither.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.waiting import ENOUGH

CASES = Path(__file__).parent / "cases"
PATTERNS = (
    *("all", "*", "ungrouped", "web", "web:lab", "web,tenants", "all:!web", "web:&acme", "!web", "&web"),
    *(
        "pc*",
        "pc0?",
        "~pc[0-9]+$",
        "~(web|lab)",
        "*.example.com",
        "all[0]",
        "all[-1]",
        "all[1:2]",
        "web[0:0]",
        "pc*[1]",
    ),
    *("pc1:pc2", "localhost", "2001:db8::1", "2001:db8::1,pc1", "all:!pc*:!*.*", "acme:globex:!pc2", "w*[0]"),
)


def names() -> list[str]:
    """All cases."""
    return sorted(path.name for path in CASES.iterdir() if path.is_dir())


def sources(case: Path) -> list[str]:
    """The sources of a case, as they are given on a command line inside its folder."""
    listed = case / "sources.json"
    if listed.exists():
        return [str(source) for source in json.loads(listed.read_text())]
    others = {"expected.json", "playbooks"}
    return [path.name for path in sorted(case.iterdir()) if path.name not in others]


def beside(case: Path) -> Path | None:
    """The folder of the playbooks, if the case has one."""
    return case / "playbooks" if (case / "playbooks").is_dir() else None


def _absolute(case: Path) -> list[str]:
    return [source if "," in source else str(case / source) for source in sources(case)]


def run_ansible(command: list[str], folder: Path) -> str:
    """What a command of Ansible prints when it runs in `folder`."""
    environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0"}
    return subprocess.run(
        command, env=environment, cwd=folder, check=True, capture_output=True, text=True, timeout=ENOUGH
    ).stdout


def select_by_ansible(given: list[str], patterns: list[str], folder: Path) -> list[list[str] | None]:
    """What ansible-core's own inventory selects for each pattern, in one process; None where it refuses."""
    program = Path(str(shutil.which("ansible"))).read_text("utf-8").splitlines()[0].removeprefix("#!")
    words = [program, "-c", _SELECT, json.dumps(given), json.dumps(patterns)]
    selected: list[list[str] | None] = json.loads(run_ansible(words, folder).splitlines()[-1])
    return selected


# A new manager for each pattern: an implicit localhost would stay.
_SELECT = """
import json, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
result = []
for pattern in json.loads(sys.argv[2]):
    try:
        manager = InventoryManager(DataLoader(), sources=json.loads(sys.argv[1]))
        result.append([host.name for host in manager.get_hosts(pattern)])
    except Exception:
        result.append(None)
print()
print(json.dumps(result))
"""


def expectation(case: Path) -> dict[str, Any]:
    """What ansible-core says now."""
    given = _absolute(case)
    options = [word for source in given for word in ("-i", source)]
    playbooks = beside(case)
    if playbooks is not None:
        options += ["--playbook-dir", str(playbooks)]
    with tempfile.TemporaryDirectory() as elsewhere:
        listed = json.loads(run_ansible(["ansible-inventory", "--list", *options], Path(elsewhere)))
        selected = select_by_ansible(given, list(PATTERNS), Path(elsewhere))
    return {"list": listed, "selected": dict(zip(PATTERNS, selected, strict=True))}


if __name__ == "__main__":
    for name in sys.argv[1:] or names():
        text = json.dumps(expectation(CASES / name), indent=1, sort_keys=True, ensure_ascii=False)
        (CASES / name / "expected.json").write_text(text + "\n", encoding="utf-8")
