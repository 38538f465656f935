"""What is wrong in one file is named with its place and with what to try; everything at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kit import lint

SOFTWARE = "tasks/software/x/software.yml"
TASK = "tasks/maintenance/x/task.yml"
DEPLOYMENTS = "playbooks/deployments/d.yml"
PLAYBOOK = "playbooks/p.yml"
TYPES = "playbooks/types.yml"
BODY = "service: {name: a, state: running}\n"
SHA = "ab" * 32


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        (SOFTWARE, "winget: X\ntitel: Y\n", "2:1: error: unknown key 'titel' in software; did you mean 'title'?"),
        (SOFTWARE, "winget: 7\n", '1:9: error: the number 7 stands where text is wanted; quote it: "7"'),
        (SOFTWARE, "winget:\n", "1:8: error: nothing stands where text is wanted"),
        (SOFTWARE, "[a]\n", "1:1: error: a list stands where software is wanted"),
        (SOFTWARE, "title: X\n", "1:1: error: nothing says how this software is detected"),
        (SOFTWARE, "winget: X\nchocolatey: X\n", "two package managers for windows: winget, chocolatey; keep one"),
        (
            SOFTWARE,
            "detect: {display_name: Tool, file: x}\n",
            "1:9: error: several ways of detection: display_name, file",
        ),
        (SOFTWARE, "detect: {display_name_regex: '('}\n", "not a regular expression"),
        (SOFTWARE, "detect: {product_code: '{1}'}\n", "1:24: error: '{1}' stands where a code in braces"),
        (SOFTWARE, "detect: {script: d.ps1}\n", "1:18: error: the script file tasks/software/x/d.ps1 does not exist"),
        (SOFTWARE, "detect: {script: d.bat}\n", "'d.bat' is not a script that computers can run"),
        (SOFTWARE, "detect: {script: ../../../../d.ps1}\n", "lies outside the fleet"),
        (SOFTWARE, "winget: X\nupgrade: over\n", "2:10: error: 'over' stands where install_over or uninstall_first"),
        (
            SOFTWARE,
            "winget: X\nexit_codes: {3010: soft, x: retry}\n",
            "2:26: error: 'x' stands where an exit code is wanted",
        ),
        (SOFTWARE, "winget: X\ntimeout: soon\n", "2:10: error: 'soon' stands where a time such as 90s"),
        (SOFTWARE, "winget: X\nreboot: afer\n", "did you mean 'after'?"),
        (SOFTWARE, "winget: X\nconfiguration: software/y\n", "stands where a task (task/NAME) is wanted"),
        (SOFTWARE, "winget: X\nwinget: Y\n", "2:1: error: the key 'winget' stands twice in this mapping"),
        (SOFTWARE, "winget: [X\n", "error: not readable as YAML"),
        (SOFTWARE, "apt: x\nplatform: windows\n", "nothing says how this software is detected"),
        (SOFTWARE, "a: &a [*a]\n", "this value contains itself"),
        (SOFTWARE, "- " * 150 + "x\n", "nested deeper than 64 levels"),
        (TASK, BODY + "firewall_rule: {}\n", "2:1: error: 'firewall_rule' is not supported yet; use registry"),
        (TASK, BODY + "always: maybe\n", "2:9: error: 'maybe' stands where true or false is wanted"),
        (TASK, "title: Nothing\n", "1:1: error: the task says nothing to do; add one of registry"),
        (TASK, BODY + "test: t.ps1\n", "'service' and 'test' stand both"),
        (TASK, "registry: {key: 'HKXX\\A', name: a, value: 1}\n", "stands where a registry key"),
        (
            TASK,
            "registry: {key: 'HKLM\\A', name: a, value: '1', type: dword}\n",
            "a dword is a whole number of 32 bits",
        ),
        (TASK, "registry: {key: 'HKLM\\A', name: a, value: true}\n", "a string is text: write it in quotes"),
        (TASK, "registry: {key: 'HKLM\\A', name: a}\n", "'value' is missing; write a value, or 'absent: true'"),
        (
            TASK,
            "registry: {key: 'HKLM\\A', name: a, value: 1, every_user: true}\n",
            "'every_user' stands at a key of HKLM",
        ),
        (TASK, "platform: linux\nregistry: {key: 'HKLM\\A', name: a, value: 1}\n", "there is no registry on linux"),
        (TASK, "file: {path: /x, content: a, source: b}\n", "what the file has to hold is not clear"),
        (TASK, "file: {path: /x, source: b.txt}\n", "tasks/maintenance/x/b.txt cannot be opened"),
        (TASK, "file: {path: /x, content: a, mode: 0644}\n", 'quote it: "0644"'),
        (TASK, "file: {path: /x, content: '{{ params.nope }}'}\n", "the parameter 'nope', which is not declared"),
        (TASK, "service: {name: a}\n", "nothing is wanted of this service"),
        (TASK, BODY + "parameters: {p: {type: select}}\n", "a parameter of type select needs choices"),
        (
            TASK,
            BODY + "parameters: {p: {type: number, default: '5'}}\n",
            "the default is the text '5', but the parameter's type",
        ),
        (TASK, BODY + "parameters: {a-b: {}}\n", "'a-b' stands where a name of letters, digits and _ is wanted"),
        (DEPLOYMENTS, "- {item: software/x, target: all, state: lates}\n", "1:42: error: 'lates' stands where a state"),
        (
            DEPLOYMENTS,
            "- {item: software/x, target: all, state: 1.10}\n",
            'quote it: "1.10" (a number loses its last zeros)',
        ),
        (DEPLOYMENTS, "- {item: software/x, target: all, mode: audit}\n", "software has a 'state:'; tasks have modes"),
        (DEPLOYMENTS, "- {item: task/x, target: all, state: latest}\n", "a task has a 'mode:'; software has states"),
        (DEPLOYMENTS, "- {item: x, target: all}\n", "'x' stands where an item (software/NAME or task/NAME) is wanted"),
        (DEPLOYMENTS, "- {item: software/x}\n", "1:3: error: 'target' is missing; add 'target:'"),
        (DEPLOYMENTS, "item: software/x\n", "a mapping stands where a list"),
        (
            DEPLOYMENTS,
            "- {item: task/x, target: all, params: {p: {secret: keyring:x}}}\n",
            "is of the kind 'keyring', which is not supported yet",
        ),
        (
            DEPLOYMENTS,
            "- {item: task/x, target: all, params: {p: !vault abc}}\n",
            "this is no text of Ansible's vault",
        ),
        (PLAYBOOK, "- {hosts: all, serial: [0]}\n", "a number of computers or a percentage"),
        (
            PLAYBOOK,
            "- {hosts: all, options: {reboot: auto}}\n",
            "1:34: error: 'auto' stands where one of skip, automatic",
        ),
        (PLAYBOOK, "- {hosts: all, options: {window: 25:00}}\n", "stands where now, after_hours, a time in quotes"),
        (
            PLAYBOOK,
            "- {hosts: all, options: {rebot: skip}}\n",
            "unknown key 'rebot' in options; did you mean 'reboot'?",
        ),
        (PLAYBOOK, "- {hosts: all, max_fail_percentage: 101}\n", "a percentage of at most 100"),
        (PLAYBOOK, "[]\n", "a list with at least one entry"),
        (TYPES, "- {name: full, stages: [connect]}\n", "'full' is a built-in maintenance type"),
        (TYPES, "- {name: x, stages: [connect, execute]}\n", "'execute' needs 'plan' before it"),
        (
            TYPES,
            "- {name: x, stages: [connect], does: [install]}\n",
            "may do install, but its chain has no stage 'execute'",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_place(tmp_path: Path, file: str, text: str, problem: str) -> None:
    found = [line for line in lint(tmp_path, {file: text}) if line.startswith(f"{file}:")]
    assert any(problem in line for line in found), found


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    files = {
        SOFTWARE: "titel: X\ntimeout: soon\n",
        TASK: "titel: X\nregistry: {key: A, name: b, value: 1}\n",
        DEPLOYMENTS: "- {itm: task/x}\n- {item: task/nope, target: grean}\n",
        PLAYBOOK: "- {hosts: all, maintenance: ful}\n",
    }
    found = lint(tmp_path, files)
    assert {line.split(":")[0] for line in found} == set(files)
    assert len(found) >= 9


@pytest.mark.parametrize(
    ("url", "sha256", "level"),
    [
        ("https://example.com/a.exe", False, "warning"),
        ("http://example.com/a.exe", False, "error"),
        ("http://example.com/a.exe", True, None),
        ("https://example.com/a.exe", True, None),
    ],
)
def test_an_installer_without_sum_is_reported(tmp_path: Path, url: str, sha256: bool, level: str | None) -> None:
    entry = f'{{version: "1", url: "{url}"' + (f", sha256: {SHA}" if sha256 else "") + "}"
    found = lint(tmp_path, {SOFTWARE: f"detect: {{file: 'C:\\x.exe'}}\nversions: [{entry}]\n"})
    assert [line.split(": ")[1] for line in found] == ([level] if level else [])


def test_a_number_where_a_version_belongs_asks_for_quotes(tmp_path: Path) -> None:
    found = lint(tmp_path, {SOFTWARE: "detect: {file: x}\nversions: [{version: 1.10}]\n"})
    assert any("the number 1.10 stands where a version in quotes" in line and '"1.10"' in line for line in found)


def test_a_plain_secret_after_the_word_secret_is_never_shown(tmp_path: Path) -> None:
    text = "- {item: task/x, target: all, params: {p: {secret: hunter2}}}\n"
    found = lint(tmp_path, {TASK: BODY + "parameters: {p: {type: secret}}\n", DEPLOYMENTS: text})
    assert any("is no reference to a secret" in line for line in found)
    assert not any("hunter2" in line for line in found)


def test_files_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    path = tmp_path / SOFTWARE
    path.parent.mkdir(parents=True)
    path.write_bytes("title: \xe9".encode("latin-1"))
    assert any("is not UTF-8" in line and line.startswith(SOFTWARE) for line in lint(tmp_path, {}))


def test_an_item_folder_without_its_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tasks/software/x").mkdir(parents=True)
    assert any(line.startswith(f"{SOFTWARE}:1:1: error: cannot be opened") for line in lint(tmp_path, {}))
