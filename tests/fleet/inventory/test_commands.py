"""`immy inventory list|graph|show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from immy_nornir.cli.commands.inventory import inventory

FLEET = """\
all:
  vars: {ansible_connection: winrm, ansible_user: admin}
  children:
    tenants:
      children:
        acme:
          vars: {ansible_password: {secret: "env:ACME"}}
          hosts:
            pc1: {ansible_host: 10.0.0.1}
            pc2: {ansible_password: hunter2}
        globex: {hosts: {pc3: {ansible_connection: ssh, tags: [a, b]}}}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "fleet.yml").write_text(FLEET)
    (tmp_path / "playbooks" / "group_vars").mkdir(parents=True)
    (tmp_path / "playbooks" / "group_vars" / "globex.yml").write_text("beside: playbooks\n")
    return tmp_path


def _run(fleet: Path, *words: str) -> Result:
    return CliRunner().invoke(inventory, list(words), obj={"root": fleet})


def _json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_shows_one_line_for_each_computer(fleet: Path) -> None:
    result = _run(fleet, "list", "all:!pc2")
    assert result.exit_code == 0
    assert result.stdout == (
        "COMPUTER  TENANT  CONNECTION  ADDRESS        GROUPS\n"
        "pc1       acme    winrm       10.0.0.1:5986  tenants acme\n"
        "pc3       globex  ssh         pc3:22         tenants globex\n"
    )
    assert "fleet.yml:10:37: warning: ansible_password is written in clear" in result.stderr


def test_list_as_json_and_yaml_say_the_same(fleet: Path) -> None:
    as_json = _json(_run(fleet, "list", "--limit", "acme", "--format", "json"))
    assert as_json["schema_version"] == 1
    assert [computer["computer"] for computer in as_json["computers"]] == ["pc1", "pc2"]
    assert as_json["computers"][0]["address"] == {"host": "10.0.0.1", "port": 5986, "username": "admin"}
    assert yaml.safe_load(_run(fleet, "list", "acme", "--format", "yaml").stdout) == as_json


def test_list_for_ansible_has_the_structure_of_ansible_inventory(fleet: Path) -> None:
    listed = _json(_run(fleet, "list", "--format", "ansible"))
    assert listed["all"] == {"children": ["ungrouped", "tenants"]}
    assert listed["acme"] == {"hosts": ["pc1", "pc2"]}
    assert listed["_meta"]["hostvars"]["pc3"]["beside"] == "playbooks"
    assert listed["_meta"]["hostvars"]["pc1"]["ansible_password"] == {"secret": "env:ACME"}


def test_graph_is_a_tree_with_tenants_marked(fleet: Path) -> None:
    assert _run(fleet, "graph").stdout == (
        "@all:\n"
        "  |--@ungrouped:\n"
        "  |--@tenants:\n"
        "  |  |--@acme: (tenant)\n"
        "  |  |  |--pc1\n"
        "  |  |  |--pc2\n"
        "  |  |--@globex: (tenant)\n"
        "  |  |  |--pc3\n"
    )
    assert _run(fleet, "graph", "pc3").stdout.splitlines() == [
        *("@all:", "  |--@tenants:", "  |  |--@globex: (tenant)", "  |  |  |--pc3")
    ]


def test_graph_shows_variables_when_asked_and_no_password(fleet: Path) -> None:
    result = _run(fleet, "graph", "acme", "--vars")
    assert "  |  |--{ansible_host = 10.0.0.1}" in result.stdout
    assert "hunter2" not in result.output
    nested = _json(_run(fleet, "graph", "acme", "--vars", "--format", "json"))["graph"]
    assert nested["tenant"] is True
    assert nested["variables"] == {"ansible_password": {"secret": "env:ACME"}}


def test_show_has_every_variable_with_its_origin_and_no_password(fleet: Path) -> None:
    shown = _json(_run(fleet, "show", "pc1", "--format", "json"))
    file = fleet / "inventory" / "fleet.yml"
    assert shown["tenant"] == "acme"
    assert shown["variables"]["ansible_password"] == {"value": {"secret": "env:ACME"}, "origin": f"{file}:7:18"}
    assert shown["variables"]["ansible_host"] == {"value": "10.0.0.1", "origin": f"{file}:9:19"}
    result = _run(fleet, "show", "pc2")
    assert "hunter2" not in result.output
    assert f'ansible_user        "admin"     {file}:2:37' in result.stdout


def test_show_of_localhost_works_without_an_entry(fleet: Path) -> None:
    assert _json(_run(fleet, "show", "localhost", "--format", "json"))["connection"] == "local"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list", "acmee"), "did you mean 'acme'"),
        (("show", "pc9"), "'pc9' is no computer"),
        (("show", "pc*"), "selects 3 computers, not one"),
        (("graph", "~("), "cannot be read"),
        (("list", "-i", "nowhere"), "nowhere:1:1: error: there is no such inventory"),
        (("list", "@gone"), "cannot be read: no such file"),
    ],
)
def test_mistakes_end_with_2_and_say_what_to_try(words: tuple[str, ...], message: str, fleet: Path) -> None:
    result = _run(fleet, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_all_errors_of_the_files_are_on_stderr_at_once(fleet: Path) -> None:
    (fleet / "inventory" / "more.yml").write_text("web: {host: {pc4: }}\nx: {hosts: [a]}\n")
    (fleet / "inventory" / "z.ini").write_text("[a:children]\nb\n")
    result = _run(fleet, "list")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert [
        line.split(" error: ")[0].rsplit("/", 1)[1] for line in result.stderr.splitlines() if " error: " in line
    ] == [*("more.yml:1:7:", "more.yml:2:12:", "z.ini:2:1:")]


def test_a_wrong_connection_variable_spoils_one_line_and_the_exit_code(fleet: Path) -> None:
    (fleet / "inventory" / "more.yml").write_text("all: {hosts: {pc4: {ansible_port: x}}}\n")
    result = _run(fleet, "list", "pc3:pc4")
    assert result.exit_code == 2
    assert [line.split()[:4] for line in result.stdout.splitlines()[1:]] == [
        ["pc3", "globex", "ssh", "pc3:22"],
        ["pc4", "default", "?", "?"],
    ]
    assert "more.yml:1:21: error: ansible_port of the computer 'pc4' is no port" in result.stderr


def test_a_list_of_names_is_an_inventory(fleet: Path) -> None:
    assert "pc7" in _run(fleet, "list", "-i", "pc7,pc8,", "pc7").stdout
