"""What is in a fleet's folders is read or named, with its place, its level and what to try."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from immy_nornir.cli.main import immy
from immy_nornir.fleet.load import load_fleet

from .kit import fleet, write

SOUND = {
    "tasks/software/x/software.yml": "winget: X\n",
    "tasks/maintenance/t/task.yml": "test: t.ps1\n",
    "tasks/maintenance/t/t.ps1": "$true\n",
    "playbooks/deployments/d.yml": "- {item: software/x, target: all}\n- {item: task/t, target: all, mode: audit}\n",
}
RULE = "- {item: software/x, target: all, instance: other}\n"


def linted(root: Path, files: Mapping[str, str]) -> list[str]:
    """What `immy lint` prints of a sound fleet with these files beside."""
    write(fleet(root, SOUND), files)
    done = CliRunner().invoke(immy, ["-C", str(root), "lint"])
    assert done.exit_code in (0, 2), done.output
    return [line for line in done.stdout.splitlines() if ": note: is shadowed" not in line]


def test_the_sound_fleet_has_no_problems(tmp_path: Path) -> None:
    assert linted(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        # another case of the ending
        ("playbooks/deployments/e.YML", RULE, "error: is not read, for its name ends in .YML; rename it to e.yml"),
        ("playbooks/deployments/e.Yaml", RULE, "error: is not read, for its name ends in .Yaml; rename it to e.yaml"),
        ("playbooks/p.YML", "- {hosts: all}\n", "error: is not read"),
        ("tasks/inventory/f.YAML", "script: f.sh\n", "error: is not read"),
        ("inventory/more.YML", "[a]\npc9\n", "warning: is read as INI, for its name ends in .YML; rename it"),
        ("inventory/group_vars/red.YML", "a: 1\n", "warning: is not read, for its name ends in .YML"),
        ("inventory/group_vars/red/x.Yaml", "a: 1\n", "warning: is not read, for its name ends in .Yaml"),
        # variables for nobody
        ("inventory/host_vars/r9.yml", "a: 1\n", "warning: there is no computer 'r9', and nobody reads"),
        ("inventory/group_vars/rde.yml", "a: 1\n", "warning: there is no group 'rde'"),
        ("inventory/group_vars/laptop/x.yml", "a: 1\n", "did you mean 'laptops'?"),
        ("playbooks/host_vars/r9", "a: 1\n", "warning: there is no computer 'r9'"),
        ("group_vars/red.yml", "a: 1\n", "warning: nobody reads this folder; variables stand beside the inventory"),
        ("inventory/groupvars/red.yml", "a: 1\n", "is read as a folder of inventories; did you mean 'group_vars'"),
        # stray files beside an inventory
        ("inventory/notes.txt", "hello\n", "note: is passed over, as Ansible does with files whose names end in .txt"),
        ("inventory/hosts.bak", "pc9\n", "note: is passed over"),
        ("inventory/hosts.yml~", "pc9\n", "note: is passed over"),
        ("inventory/README.md", "# x\n", "note: is passed over"),
        ("inventory/hosts.old", "pc9\n", "warning: is read as an INI inventory, as Ansible does"),
        # files that nobody reads
        ("playbooks/notes.txt", "x", "note: is no playbook, and is not read"),
        ("playbooks/deployment/d.yml", RULE, "is read or checked; did you mean 'deployments'?"),
        ("playbooks/roles/x/tasks.yml", "a", "note: nothing in this folder is read or checked"),
        ("playbooks/deployments/e.json", "[]", "note: holds no deployments"),
        ("playbooks/deployments/.e.yml", RULE, "note: is hidden by its name, and is not read"),
        ("tasks/softwares/y/software.yml", "winget: Y\n", "nobody reads this folder; did you mean 'software'?"),
        ("tasks/y.yml", "winget: Y\n", "warning: is not read; items stand in"),
        ("tasks/software/y.yml", "winget: Y\n", "warning: is not read; an item is a folder: software/y/software.yml"),
        ("tasks/maintenance/t/set.ps1", "1\n", "warning: nobody uses this file; name it in task.yml, or remove it"),
        ("tasks/software/x/notes.txt", "1\n", "note: nobody uses this file"),
        ("tasks/inventory/f.ps1", "1\n", "warning: nobody uses this file"),
        ("tasks/inventory/more/f.yml", "script: f.sh\n", "warning: nobody reads this folder"),
        ("freeze", "stop\n", "warning: freezes nothing; the file that stops every run is called FREEZE"),
        ("FREEZE.txt", "stop\n", "warning: freezes nothing"),
        # what a file says
        ("playbooks/deployments/e.yml", "", "warning: the file is empty"),
        ("inventory/more.yml", "red: {vars: some text}\n", "1:13: error: 'vars' of the group 'red' is a text"),
        ("playbooks/p.yml", "- {hosts: all, vars: some text}\n", "1:22: error: 'some text' stands where a mapping"),
        ("inventory/more.yml", "red: {vars: {ansible_winrm_transprt: ntlm}}\n", "mean 'ansible_winrm_transport'"),
        ("inventory/more.yml", "red: {vars: {ansible_pasword: '{{ x }}'}}\n", "did you mean 'ansible_password'?"),
        ("inventory/more.yml", "red: {vars: {ansble_host: x}}\n", "1:14: warning: nobody reads a variable"),
        ("inventory/more.yml", "red: {vars: {immy_exluded: true}}\n", "did you mean 'immy_excluded'?"),
        ("inventory/group_vars/red.yml", "immy_idenity: x\n", "1:1: warning: nobody reads a variable 'immy_idenity'"),
        ("playbooks/p.yml", "- {hosts: all, vars: {immy_exluded: true}}\n", "did you mean 'immy_excluded'?"),
        ("playbooks/p.yml", "- {hosts: all, vars: {immy_excluded: maybe}}\n", "error: immy_excluded is neither"),
    ],
)  # fmt: skip
def test_it_is_named_at_its_place(tmp_path: Path, file: str, text: str, said: str) -> None:
    found = linted(tmp_path, {file: text})
    about = [line for line in found if said in line]
    assert about, found
    # Of a folder that nobody reads the folder is named.
    assert file.startswith(about[0].partition(":")[0]), about


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ansible_python_interpreter", "/usr/bin/python3"),
        ("ansible_winrm_kinit_mode", "managed"),
        ("ansible_ssh_pipelining", "true"),
        ("my_own", "x"),
        ("hosting", "x"),
        ("ansible_custom_role_setting", "x"),
    ],
)
def test_known_and_own_names_are_no_near_misses(tmp_path: Path, name: str, text: str) -> None:
    assert linted(tmp_path, {"inventory/group_vars/red.yml": f"{name}: {text}\n"}) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("'{{ sitee }}'", "warning: 'p' cannot be expanded on b1 and 3 more: in '{{ sitee }}'"),
        ("'{{ site'", "error: 'p' cannot be expanded: in '{{ site'"),
        ("'{{ site }'", "error: 'p' cannot be expanded"),
        ("'{ site }}'", "warning: 'p' holds half a template"),
        ("'{{ site | uper }}'", "did you mean 'upper'?"),
        ("'{% if site %}x'", "error: 'p' cannot be expanded"),
        ("'{{ only_red }}'", "warning: 'p' cannot be expanded on b1 and 1 more"),
        ("'{{ site }}'", None),
        ("'{{ of_play }}'", None),
        ("\"{{ nothing | default('x') }}\"", None),
        ("'{{ inventory_hostname }}-{{ tenant }}'", None),
    ],
)  # fmt: skip
def test_templates_in_params_are_tried(tmp_path: Path, value: str, said: str | None) -> None:
    files = {
        "inventory/group_vars/all.yml": "site: north\n",
        "inventory/group_vars/red.yml": "only_red: x\n",
        "tasks/maintenance/u/task.yml": "parameters: {p: {}}\nservice: {name: '{{ params.p }}', state: running}\n",
        "playbooks/p.yml": "- {hosts: all, vars: {of_play: x}}\n",
        "playbooks/deployments/u.yml": f"- {{item: task/u, target: all, params: {{p: {value}}}}}\n",
    }
    found = linted(tmp_path, files)
    if said is None:
        assert found == []
    else:
        assert [line for line in found if line.startswith("playbooks/deployments/u.yml:1:43:") and said in line], found


SHARED = "tenants: {children: {red: {hosts: {p1: {ansible_host: 192.0.2.1%s}, p2: {ansible_host: 192.0.2.1%s}}}}}\n"


@pytest.mark.parametrize(
    ("one", "other", "warned"),
    [
        ("", "", True),
        (", immy_identity: {name: P1}", "", True),
        (", immy_identity: {name: P1}", ", immy_identity: {name: P2}", False),
        ("", ", ansible_port: 2222", False),
        ("", "9", False),
    ],
)
def test_two_computers_at_one_address_need_an_identity(tmp_path: Path, one: str, other: str, warned: bool) -> None:
    found = linted(tmp_path, {"inventory/computers.yml": SHARED % (one, other)})
    about = [line for line in found if "p1, p2 are reached at one address" in line]
    assert len(about) == warned, found
    assert all("warning" in line and "inventory/computers.yml:1:" in line for line in about)


@pytest.mark.parametrize(
    ("link", "target", "said"),
    [
        ("playbooks/deployments/l.yml", "nowhere.yml", "error: is a link that leads nowhere, to nowhere.yml"),
        ("playbooks/l.yml", "nowhere.yml", "error: is a link that leads nowhere"),
        ("tasks/software/l", "nowhere", "error: is a link that leads nowhere"),
        ("inventory/l.yml", "nowhere.yml", "error: is a link that leads nowhere"),
        ("inventory/group_vars/red.yml", "nowhere.yml", "error: is a link that leads nowhere"),
        ("inventory/host_vars/r1.yml", "r1.yml", "error: is a link that leads nowhere"),
        ("playbooks/deployments/again", "../deployments", "warning: leads to a folder that is read already"),
    ],
)
def test_a_link_that_leads_nowhere_or_in_a_circle_is_named(tmp_path: Path, link: str, target: str, said: str) -> None:
    fleet(tmp_path, SOUND)
    path = tmp_path / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    found = linted(tmp_path, {})
    assert [line for line in found if line.startswith(f"{link}:") and said in line], found


@pytest.mark.parametrize(
    "file", ["playbooks/deployments/l.yml", "playbooks/l.yml", "inventory/l.yml", "inventory/group_vars/red.yml"]
)
def test_a_pipe_is_named_and_nobody_waits_for_it(tmp_path: Path, file: str) -> None:
    fleet(tmp_path, SOUND)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / file)
    found = linted(tmp_path, {})
    assert [line for line in found if line.startswith(f"{file}:") and "neither a file nor a folder" in line], found


def test_a_linked_folder_of_deployments_is_read(tmp_path: Path) -> None:
    write(fleet(tmp_path, SOUND), {"common/e.yml": "- {item: task/t, target: all, mode: audit, instance: two}\n"})
    (tmp_path / "playbooks/deployments/linked").symlink_to("../../common")
    loaded, _ = load_fleet(tmp_path)
    assert "two" in [one.instance for one in loaded.deployments]
    assert linted(tmp_path, {}) == []


def test_a_fleet_that_says_nothing_is_told_so(tmp_path: Path) -> None:
    found = linted(tmp_path, {"playbooks/deployments/d.yml": "[]\n", "inventory/computers.yml": "all: {}\n"})
    assert any(line.startswith("playbooks/deployments:") and "there are no deployments" in line for line in found), (
        found
    )
    assert any(line.startswith("inventory:") and "warning: there are no computers" in line for line in found), found


def test_of_two_files_of_variables_the_one_that_is_not_read_is_named(tmp_path: Path) -> None:
    found = linted(tmp_path, {"inventory/group_vars/red.yml": "a: 1\n", "inventory/group_vars/red/x.yml": "a: 2\n"})
    assert [line.partition(":")[0] for line in found] == ["inventory/group_vars/red.yml"]
    assert "is not read, for red stands beside it" in found[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize(
    "name",
    [
        *("playbooks/a.yml", "playbooks/deployments/b.yml", "inventory/c.yml", "inventory/group_vars/d.yml"),
        *(
            "tasks/inventory/e.yml",
            "tasks/software/y/software.yml",
            "tasks/software/f.yml",
            "tasks/maintenance/z/task.yml",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_an_odd_file_is_named_by_one_problem(tmp_path: Path, name: str, kind: str) -> None:
    fleet(tmp_path, SOUND)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")
    errors = [line for line in linted(tmp_path, {}) if " error: " in line]
    assert len(errors) == 1, errors
    assert errors[0].startswith(f"{name}:")


def test_a_run_tells_how_many_warnings_the_files_have_unless_it_is_to_be_quiet(tmp_path: Path) -> None:
    write(
        fleet(tmp_path, SOUND), {"tasks/maintenance/t/nobody.ps1": "$true\n", "tasks/maintenance/t/else.sh": "true\n"}
    )
    said = {
        quiet: CliRunner().invoke(immy, ["-C", str(tmp_path), "run", "--on", "nobody", *quiet]).output
        for quiet in ((), ("-q",))
    }
    assert "2 warnings in the files: immy lint\n" in said[()]
    assert "warning" not in said[("-q",)]
