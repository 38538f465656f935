"""The sample fleet: sound, harmless for the operator, and its files agree with the schemas."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from immy_nornir.cli.commands.files.init import FOLDERS, init, sample_root
from immy_nornir.cli.commands.files.lint import lint, problems_of
from immy_nornir.cli.commands.files.schema import schema
from immy_nornir.decide.resolve import conditions, patterns
from immy_nornir.errors import UsageError
from immy_nornir.fleet.load import NO_PLAYBOOKS, load_fleet, load_playbook, playbook_files
from immy_nornir.fleet.schema import SHAPES, schema_of
from immy_nornir.lab.spec import Misbehaviour, spec_from_variables
from immy_nornir.model.deployments import Enforcement, StateKind, TaskMode
from immy_nornir.model.items import Declarative, Task
from immy_nornir.model.places import Level
from immy_nornir.text.yaml import Dialect, compose, plain
from tests.powershell import PWSH, needs_pwsh
from tests.waiting import ENOUGH

from .kit import fleet, violations

ROOT = sample_root()
FILES = [
    (kind, path)
    for kind, (_, pattern) in SHAPES.items()
    for path in sorted(ROOT.glob(pattern))
    if kind != "playbook" or path.stem not in NO_PLAYBOOKS
]
POWERSHELL = sorted(ROOT.glob("tasks/**/*.ps1"))
SHELL = sorted(ROOT.glob("tasks/**/*.sh"))


def test_the_sample_has_neither_errors_nor_warnings() -> None:
    assert [str(problem) for problem in problems_of(ROOT) if problem.level is not Level.NOTE] == []


def test_the_sample_is_as_large_as_a_demo_needs() -> None:
    loaded, _ = load_fleet(ROOT)
    tenants = {computer.tenant for computer in loaded.inventory.computers.values()} - {"default"}
    kinds = [item.partition("/")[0] for item in loaded.library.items]
    tasks = [item for each in loaded.library.items.values() for item in each.values() if isinstance(item, Task)]
    assert len(tenants) == 3
    assert len(loaded.inventory.computers) > 12
    assert kinds.count("software") >= 10
    assert kinds.count("task") >= 8
    doing = [task for task in tasks if not task.preflight]
    assert sum(isinstance(task.body, Declarative) for task in doing) > len(doing) / 2
    assert len({task.name for task in tasks if task.preflight}) >= 4
    assert len(loaded.library.inventory) >= 2
    assert {StateKind.ABSENT, StateKind.IGNORED} <= {each.state.kind for each in loaded.deployments if each.state}


def test_every_computer_of_a_tenant_is_one_of_the_labs() -> None:
    loaded, _ = load_fleet(ROOT)
    misbehaving: set[Misbehaviour] = set()
    addresses: list[str] = []
    for name in patterns.select(loaded.inventory, "tenants"):
        variables = loaded.inventory.computers[name].variables
        address = str(variables["ansible_host"])
        addresses.append(address)
        assert address.startswith("127.")
        assert variables["ansible_connection"] == "winrm"
        misbehaving.update(spec_from_variables(name, address, variables).misbehave)
    assert len(set(addresses)) == len(addresses)
    connection = {Misbehaviour.OFF, Misbehaviour.REFUSE_PASSWORD, Misbehaviour.IMPOSTER, Misbehaviour.HANG}
    answers = {Misbehaviour.GARBAGE, Misbehaviour.CUT_OFF, Misbehaviour.NOISE, Misbehaviour.SLOW}
    assert connection | answers | {Misbehaviour.REBOOT_TWICE, Misbehaviour.NEVER_BACK} <= misbehaving


def test_nothing_changes_the_operators_computer_unasked() -> None:
    loaded, _ = load_fleet(ROOT)
    variables = loaded.inventory.computers["localhost"].variables
    for deployment in loaded.deployments:
        if "localhost" not in patterns.select(loaded.inventory, deployment.target):
            continue
        reads = deployment.mode in (TaskMode.AUDIT, TaskMode.MONITOR)
        asked = deployment.enforcement is Enforcement.OPTIONAL
        where = deployment.where
        off = where is not None and isinstance(conditions.evaluate(where, variables, {}), conditions.HoldsNot)
        assert reads or asked or off, deployment


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[str(path.relative_to(ROOT)) for _, path in FILES])
def test_every_file_of_the_sample_agrees_with_its_schema(kind: str, path: Path) -> None:
    node, problems = compose(path.read_text(encoding="utf-8"), path.name, Dialect.OURS)
    assert not problems
    assert violations(plain(node, Dialect.OURS), schema_of(kind)) == []


BROKEN = [
    ("software", "tasks/software/x/software.yml", "winget: X\ntitel: Y\n"),
    ("software", "tasks/software/x/software.yml", "winget: 7\n"),
    ("software", "tasks/software/x/software.yml", "winget: X\nversions: [{version: 1.10}]\n"),
    ("software", "tasks/software/x/software.yml", "winget: X\nexit_codes: {x: retry}\n"),
    ("software", "tasks/software/x/software.yml", "winget: X\ntimeout: 0\n"),
    ("software", "tasks/software/x/software.yml", "windows: {winget: X, titel: Y}\n"),
    ("task", "tasks/maintenance/x/task.yml", "service: {name: a, state: runing}\n"),
    ("task", "tasks/maintenance/x/task.yml", "registry: []\n"),
    ("inventory-item", "tasks/inventory/x.yml", "script: x.exe\n"),
    ("deployments", "playbooks/deployments/x.yml", "- {item: task/x, target: all, mode: enforced}\n"),
    ("deployments", "playbooks/deployments/x.yml", "- {item: software/x, target: all, state: newest}\n"),
    ("deployments", "playbooks/deployments/x.yml", "- {target: all}\n"),
    ("playbook", "playbooks/x.yml", "- {hosts: all, serial: 0}\n"),
    ("playbook", "playbooks/x.yml", "- {hosts: all, options: {window: noon}}\n"),
    ("types", "playbooks/types.yml", "- {name: x, stages: [detct]}\n"),
    ("schedules", "playbooks/schedules.yml", "- {name: x, when: daily 04:00, hosts: all, overlap: skp}\n"),
    ("schedules", "playbooks/schedules.yml", "- {name: x, when: daily 04:00, hosts: all, splay: soon}\n"),
    ("schedules", "playbooks/schedules.yml", "- {name: x, hosts: all}\n"),
    ("blackouts", "playbooks/blackouts.yml", "- {dates: christmas, reason: x}\n"),
    ("blackouts", "playbooks/blackouts.yml", "- {dates: 2030-12-24}\n"),
    ("blackouts", "playbooks/blackouts.yml", "- {date: 2030-12-24, reason: x}\n"),
    ("limits", "playbooks/limits.yml", "groups: [{group: x, max_rebootin: 1}]\n"),
    ("telling", "playbooks/telling.yml", "- {name: x, to: {command: [a]}, events: [run_end]}\n"),
]


@pytest.mark.parametrize(("kind", "file", "text"), BROKEN)
def test_what_the_reader_refuses_the_schema_refuses_too(tmp_path: Path, kind: str, file: str, text: str) -> None:
    found = problems_of(fleet(tmp_path, {file: text}))
    assert [problem for problem in found if problem.level is Level.ERROR and problem.place.file == file]
    node, _ = compose(text, file, Dialect.OURS)
    assert violations(plain(node, Dialect.OURS), schema_of(kind))


def test_all_playbooks_of_the_sample_are_loaded() -> None:
    names = [load_playbook(ROOT, path)[0].file for path in playbook_files(ROOT)]
    assert {
        f"playbooks/{name}.yml" for name in ("full", "detection", "resolution", "inventory", "this_computer")
    } <= set(names)


@needs_pwsh
def test_the_samples_powershell_is_that_of_5_1_too() -> None:
    command = [PWSH, "-Check51", *map(str, POWERSHELL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ENOUGH)
    if "Check51" in done.stderr:
        pytest.skip("this PowerShell has no -Check51")
    assert (done.returncode, done.stdout) == (0, "")


@needs_pwsh
@pytest.mark.slow
def test_the_samples_powershell_parses(tmp_path: Path) -> None:
    script = tmp_path / "parse.ps1"
    script.write_text(
        "foreach ($file in $args) {\n"
        "  $errors = $null\n"
        "  [void][System.Management.Automation.Language.Parser]::ParseFile($file, [ref]$null, [ref]$errors)\n"
        '  $errors | ForEach-Object { "$file $_" }\n'
        "}\n"
    )
    command = [PWSH, "-NoProfile", "-File", str(script), *map(str, POWERSHELL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ENOUGH)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="POSIX scripts need a POSIX shell")
@pytest.mark.parametrize("path", SHELL, ids=[path.name for path in SHELL])
def test_the_samples_shell_scripts_run(path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "IMMY_LEAST_GB": "0"}
    done = subprocess.run(
        ["sh", str(path)], capture_output=True, text=True, env=environment, check=False, timeout=ENOUGH
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="POSIX scripts need a POSIX shell")
def test_too_little_free_disk_is_told_by_the_exit_code() -> None:
    environment = {"PATH": os.environ["PATH"], "IMMY_LEAST_GB": "100000000"}
    script = ROOT / "tasks/maintenance/disk_space/test.sh"
    done = subprocess.run(
        ["sh", str(script)], capture_output=True, text=True, env=environment, check=False, timeout=ENOUGH
    )
    assert (done.returncode, done.stdout) == (1, "")


# --- commands ---------------------------------------------------------------------------------------------------------


def test_init_copies_a_fleet_that_lint_accepts(tmp_path: Path) -> None:
    target = tmp_path / "new"
    done = CliRunner().invoke(init, [str(target)])
    assert done.exit_code == 0, done.output
    assert len([line for line in done.stdout.splitlines() if line.strip()]) == 3
    assert ".immy/" in (target / ".gitignore").read_text().splitlines()
    assert {each.name for each in target.iterdir()} == {*FOLDERS, ".gitignore"}
    checked = CliRunner().invoke(lint, ["--format", "json"], obj={"root": target})
    assert checked.exit_code == 0
    document = json.loads(checked.stdout)
    assert document["schema_version"] == 1
    assert (document["counts"]["error"], document["counts"]["warning"]) == (0, 0)


def test_init_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = CliRunner().invoke(init, [str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_lint_ends_with_2_when_there_are_errors(tmp_path: Path) -> None:
    fleet(tmp_path, {"playbooks/deployments/d.yml": "- {item: software/x, target: all}\n"})
    done = CliRunner().invoke(lint, obj={"root": tmp_path})
    assert done.exit_code == 2
    assert "playbooks/deployments/d.yml:1:3: error: there is no software/x in the library" in done.stdout
    assert "1 error, 0 warnings, 0 notes" in done.stderr


def test_lint_takes_another_inventory(tmp_path: Path) -> None:
    fleet(tmp_path, {"tasks/software/x/software.yml": "winget: X\n", "playbooks/p.yml": "- {hosts: other}\n"})
    assert CliRunner().invoke(lint, obj={"root": tmp_path}).exit_code == 2
    (tmp_path / "other.ini").write_text("[other]\no1\n")
    command = ["-i", str(tmp_path / "other.ini")]
    assert CliRunner().invoke(lint, command, obj={"root": tmp_path}).exit_code == 0


def test_schema_writes_one_file_for_each_kind(tmp_path: Path) -> None:
    done = CliRunner().invoke(schema, ["--write", str(tmp_path / "schemas")])
    assert done.exit_code == 0
    written = {path.name for path in (tmp_path / "schemas").iterdir()}
    assert written == {f"{kind}.schema.json" for kind in SHAPES}
    one = json.loads(CliRunner().invoke(schema, ["deployments"]).stdout)
    assert one == json.loads((tmp_path / "schemas" / "deployments.schema.json").read_text())
