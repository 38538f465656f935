"""Every error path of the inventory gives file, line, what is wrong and what to try; all at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from immy_nornir.fleet.inventory.load import load_inventory
from immy_nornir.model.places import Level
from immy_nornir.model.values import SecretRef

# name of the file, text, then "line: level: a part of the message" for each problem
TABLE: dict[str, tuple[str, str | bytes, list[str]]] = {
    "a template without quotes": (
        "f.yml",
        "a:\n  vars:\n    x: {{ y }}\n",
        ["3: error: a list or mapping cannot be a key"],
    ),
    "yaml cannot be read": ("f.yml", "all:\n  hosts: [\n", ["3: error: not readable as YAML"]),
    "a near miss of a key": (
        "f.yml",
        "web:\n  host:\n    pc1:\n  childrens:\n    a:\n",
        ["2: error: the group 'web' has the unknown key 'host'; did you mean 'hosts'?", "4: error: .*mean 'children'"],
    ),
    "an unknown key": ("f.yml", "web:\n  notes: {a: 1}\n", ["2: warning: the group 'web' has the unknown key 'notes'"]),
    "hosts as a list": (
        "f.yml",
        "web:\n  hosts:\n    - pc1\n",
        ["3: error: 'hosts' of the group 'web' is not a mapping"],
    ),
    "variables of a computer as text": (
        "f.yml",
        "web:\n  hosts:\n    pc1: up\n",
        ["3: error: what stands below 'pc1'"],
    ),
    "a number as a computer": ("f.yml", "web:\n  hosts:\n    12:\n", ["3: error: the name of the computer '12'"]),
    "a bad range": (
        "f.yml",
        "web:\n  hosts:\n    pc[01:2]:\n    x[3]:\n    y[a:3]:\n",
        ["3: error: .*equally long", "4: error: .*begin:end", "5: error: .*neither numbers nor letters"],
    ),
    "a circle": (
        "f.yml",
        "a:\n  children:\n    b:\n      children:\n        a:\n",
        ["3: error: the group 'b' cannot be below 'a': 'a' is already below 'b'"],
    ),
    "all below a group": ("f.yml", "a:\n  children:\n    all:\n", ["3: error: the group 'all' cannot be below 'a'"]),
    "hosts at the top": ("f.yml", "hosts:\n  vars: {a: 1}\n", ["1: warning: 'hosts' stands at the top"]),
    "a priority that is no number": (
        "f.yml",
        "a:\n  vars:\n    ansible_group_priority: high\n",
        ["3: error: ansible_group_priority of the group 'a'"],
    ),
    "twice the same key": ("f.yml", "a:\n  vars:\n    x: 1\n    x: 2\n", ["4: warning: the key 'x' stands twice"]),
    "a plugin's configuration": ("f.yml", "plugin: azure_rm\nauth: cli\n", ["1: error: .*inventory plugins"]),
    "text of Ansible's vault": (
        "f.yml",
        "a:\n  vars:\n    p: !vault |\n      6162\n",
        ["3: warning: this is no text of Ansible's vault"],
    ),
    "a file of Ansible's vault": ("f.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", ["1: warning: this file is left out"]),
    "an unknown tag": ("f.yml", "a:\n  vars:\n    p: !env X\n", ["3: error: the tag '!env' is not known"]),
    "a value that holds itself": ("f.yml", "a:\n  vars:\n    p: &p [1, *p]\n", ["3: error: .*contains itself"]),
    "an unknown scheme of secrets": (
        "f.yml",
        "a:\n  vars:\n    p: {secret: hunter2}\n    q: [{secret: 'keyring:x'}]\n",
        [
            "3: error: what stands after 'secret:' is no reference to a secret; write {secret: env:NAME}",
            "4: error: .*keyring",
        ],
    ),
    "a password in clear": (
        "f.yml",
        "a:\n  vars:\n    ansible_password: hunter2\n    ansible_become_pass: '{{ x }}'\n",
        ["3: warning: ansible_password is written in clear; write ansible_password: {secret: env:NAME}"],
    ),
    "what YAML 1.1 makes of words": (
        "f.yml",
        "a:\n  vars:\n    t: 22:00\n    n: no\n    o: on\n    z: 010\n    fine: 0\n    also: true\n",
        [
            "3: warning: '22:00' means 1320",
            "4: warning: 'no' means false",
            "5: warning: 'on' means true",
            "6: warning: '010'",
        ],
    ),
    "a script": ("inv.py", "print(1)\n", ["1: error: inventory scripts"]),
    "a program by its first line": ("inv", "#!/bin/sh\necho {}\n", ["1: error: inventory scripts"]),
    "toml": ("f.toml", "[web]\n", ["1: error: TOML"]),
    "not UTF-8": ("f.ini", b"[web]\npc\xe4\n", ["2: error: this is not UTF-8 text"]),
    "no text": ("f", b"\x00\x01\x02", ["1: error: this is no text"]),
    "ini: undefined child": (
        "f.ini",
        "[a:children]\nb\nc\n",
        ["2: error: .*names the group 'b'", "3: error: .*group 'c'"],
    ),
    "ini: variables of no group": ("f.ini", "[a:vars]\nx=1\n", ["1: error: the section \\[a:vars\\] belongs"]),
    "ini: unknown kind of section": (
        "f.ini",
        "[a:host]\npc1\n",
        ["1: error: the section \\[a:host\\] has an unknown kind"],
    ),
    "ini: a section with spaces": ("f.ini", "[a b]\n", ["1: error: the section \\[a b\\] cannot be read"]),
    "ini: no value": (
        "f.ini",
        "[a]\npc1 up\n[a:vars]\nx\n",
        ["2: error: after 'pc1' stands", "4: error: .*not 'name=value'"],
    ),
    "ini: open quotes": ("f.ini", "[a]\npc1 x='y\n", ["2: error: the line cannot be split"]),
    "ini: a colon without a port": ("f.ini", "pc1:\n", ["1: error: 'pc1:' ends in ':'"]),
    "ini: a circle": (
        "f.ini",
        "[a:children]\nb\n[b:children]\na\n",
        ["4: error: the group 'a' cannot be below 'b'"],
    ),
    "ini: yaml without its ending": (
        "f.ini",
        "---\nall:\n",
        ["1: error: '---' begins a YAML file", "2: error: 'all:'"],
    ),
    "ini: a password in clear": (
        "f.ini",
        "pc1 ansible_ssh_pass=x\n",
        ["1: warning: ansible_ssh_pass is written in clear"],
    ),
    "ini: an unknown scheme": ("f.ini", "pc1 p=\"{'secret': 'x'}\"\n", ["1: error: what stands after 'secret:' is no"]),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_problem_has_its_line_its_reason_and_advice(name: str, tmp_path: Path) -> None:
    file, text, expected = TABLE[name]
    path = tmp_path / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    _, problems = load_inventory([path])
    for pattern in expected:
        line, _, message = pattern.partition(": ")
        found = [p for p in problems if re.search(f"^{re.escape(str(path))}:({line}):\\d+: ({message})", str(p))]
        assert found, f"{pattern} is not in {[str(p) for p in problems]}"
        assert found[0].advice
    assert len(problems) == len(expected), [str(p) for p in problems]
    assert not any("hunter2" in str(problem) for problem in problems)


def test_all_problems_of_all_files_come_at_once_with_what_could_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("web: {hosts: {pc1: , 'x[2]': }}\n")
    (tmp_path / "b.ini").write_text("[web]\npc2 oops\npc3\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "web.yml").write_text("- a list\n")
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "pc1.yml").write_text("a: [\n")
    inventory, problems = load_inventory([tmp_path, tmp_path / "missing"])
    assert [Path(p.place.file).name for p in problems if p.level is Level.ERROR] == [
        *("a.yml", "b.ini", "web.yml", "pc1.yml", "missing")
    ]
    assert list(inventory.computers) == ["pc1", "pc3"]


def test_a_group_and_a_computer_of_one_name_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "i").write_text("[web]\npc1\n[pc1]\npc2\n")
    _, problems = load_inventory([tmp_path / "i"])
    assert [str(p.level) for p in problems] == ["warning"]
    assert "'pc1' is a group and a computer" in problems[0].message
    assert problems[0].place.line == 2


def test_one_odd_value_used_often_is_told_once(tmp_path: Path) -> None:
    lines = "\n".join(f"    pc{number}: {{open: yes}}" for number in range(500))
    (tmp_path / "i.yml").write_text(f"all:\n  hosts:\n{lines}\n")
    _, problems = load_inventory([tmp_path / "i.yml"])
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("i.yml", "all: {hosts: {pc1: {a: {secret: 'env:A'}, b: [x, {c: {secret: 'file:/b'}}]}}}\n"),
        ("i.ini", "pc1 a=\"{'secret': 'env:A'}\" b=\"['x', {'c': {'secret': 'file:/b'}}]\"\n"),
    ],
)
def test_references_to_secrets_are_references_at_any_depth(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    inventory, problems = load_inventory([tmp_path / file])
    assert problems == []
    variables = inventory.computers["pc1"].variables
    first, second = variables["a"], variables["b"][1]["c"]  # type: ignore[index,call-overload]
    assert isinstance(first, SecretRef)
    assert first.reference == "env:A"
    assert first.place is not None
    assert first.place.line == 1
    assert isinstance(second, SecretRef)
    assert second.reference == "file:/b"


def test_origins_name_the_file_and_line_that_won(tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "a.yml").write_text("web:\n  vars:\n    a: 1\n    b: 1\n  hosts:\n    pc1:\n      c: 1\n")
    (tmp_path / "i" / "b.ini").write_text("# comment\n[web]\npc1 d=1\n")
    (tmp_path / "i" / "group_vars").mkdir()
    (tmp_path / "i" / "group_vars" / "web.yml").write_text("---\nb: 2\n")
    inventory, problems = load_inventory([tmp_path / "i"])
    assert problems == []
    origins = inventory.computers["pc1"].origins
    assert {name: f"{Path(place.file).name}:{place.line}:{place.column}" for name, place in origins.items()} == {
        "a": "a.yml:3:5",
        "b": "web.yml:2:1",
        "c": "a.yml:7:7",
        "d": "b.ini:3:1",
    }
    assert len(origins) == 4


@pytest.mark.parametrize(
    ("text", "tenant", "error"),
    [
        ("tenants: {children: {acme: {hosts: {pc1: }}}}", "acme", ""),
        ("tenants: {children: {acme: {children: {desks: {hosts: {pc1: }}}}}}", "acme", ""),
        ("tenants: {hosts: {pc1: }}", "default", ""),
        ("all: {hosts: {pc1: {immy_tenant: globex}}}", "globex", ""),
        ("tenants: {children: {acme: {hosts: {pc1: {immy_tenant: acme}}}}}", "acme", ""),
        ("all: {hosts: {pc1: }}", "default", ""),
        ("tenants: {children: {acme: {hosts: {pc1: }}, b: {hosts: {pc1: }}}}", "acme", "'acme' and 'b'"),
        ("tenants: {children: {acme: {hosts: {pc1: {immy_tenant: b}}}}}", "acme", "'acme' and 'b'"),
        ("all: {hosts: {pc1: {immy_tenant: '{{ x }}'}}}", "default", "no plain name"),
    ],
)
def test_a_computer_has_exactly_one_tenant(text: str, tenant: str, error: str, tmp_path: Path) -> None:
    (tmp_path / "i.yml").write_text(text)
    inventory, problems = load_inventory([tmp_path / "i.yml"])
    assert inventory.computers["pc1"].tenant == tenant
    assert [error in problem.message and "'pc1'" in problem.message for problem in problems] == (
        [True] if error else []
    )
    assert all(problem.place.line == 1 for problem in problems)


def test_json_with_tabs_is_read_as_json(tmp_path: Path) -> None:
    (tmp_path / "i.json").write_text('{\n\t"all": {\n\t\t"hosts": {"pc1": {"a":\t1e3}}}\n}')
    inventory, problems = load_inventory([tmp_path / "i.json"])
    assert problems == []
    assert inventory.computers["pc1"].variables == {"a": 1000.0}
