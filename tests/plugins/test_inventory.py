"""The Nornir plugin `immy`, as a script uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nornir.core.filter import F

from immy_nornir.errors import FilesError
from immy_nornir.model.values import SecretRef
from immy_nornir.plugins.inventory import ImmyInventory
from tests.waiting import ENOUGH

FLEET = """\
tenants:
  vars: {ansible_connection: winrm, ansible_user: admin, colour: tenants}
  children:
    acme:
      vars: {ansible_password: {secret: "env:ACME"}, colour: acme}
      hosts:
        pc1: {ansible_host: 10.0.0.1, role: laptop}
        pc2: {ansible_password: hunter2, ansible_winrm_transport: ntlm}
    globex: {hosts: {pc3: {ansible_connection: ssh, role: laptop}}}
"""
SCRIPT = """\
from nornir import InitNornir
nr = InitNornir(inventory={"plugin": "immy", "options": {"sources": ["inventory"]}}, logging={"enabled": False})
import json
from nornir.core.filter import F
found = {
    "all": list(nr.inventory.hosts),
    "acme": list(nr.filter(F(groups__contains="acme")).inventory.hosts),
    "below tenants": list(nr.filter(F(has_parent_group="tenants")).inventory.hosts),
    "laptops of acme": list(nr.filter(F(immy_tenant="acme") & F(role="laptop")).inventory.hosts),
    "by function": list(nr.filter(lambda host: host["colour"] == "tenants").inventory.hosts),
}
print(json.dumps(found))
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "fleet.yml").write_text(FLEET)
    return tmp_path


@pytest.mark.slow
def test_a_three_line_script_filters_by_group_and_data(fleet: Path) -> None:
    (fleet / "script.py").write_text(SCRIPT)
    ended = subprocess.run(
        [sys.executable, "script.py"], cwd=fleet, capture_output=True, text=True, check=False, timeout=ENOUGH
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "all": ["pc1", "pc2", "pc3"],
        "acme": ["pc1", "pc2"],
        "below tenants": ["pc1", "pc2", "pc3"],
        "laptops of acme": ["pc1"],
        "by function": ["pc3"],
    }


def test_hosts_have_their_address_and_no_revealed_secret(fleet: Path) -> None:
    loaded = ImmyInventory(fleet / "inventory").load()
    host = loaded.hosts["pc1"]
    assert (host.hostname, host.port, host.username, host.platform) == ("10.0.0.1", 5986, "admin", "windows")
    assert host.password is None
    assert isinstance(host["ansible_password"], SecretRef)
    assert host["colour"] == "acme"
    assert [group.name for group in host.groups] == ["acme", "tenants", "all"]
    options = loaded.hosts["pc2"].get_connection_parameters("immy-winrm")
    assert options.extras == {"ansible_winrm_transport": "ntlm"}
    assert loaded.hosts["pc2"].password == "hunter2"
    assert loaded.hosts["pc3"].platform is None
    assert loaded.groups["acme"].has_parent_group("tenants")
    assert loaded.groups["acme"]["colour"] == "acme"


def test_one_source_may_be_given_as_text(fleet: Path) -> None:
    loaded = ImmyInventory(sources=str(fleet / "inventory")).load()
    laptops: Any = F(role="laptop")  # Nornir's own annotation leaves its filters out
    assert list(loaded.filter(laptops).hosts) == ["pc1", "pc3"]


def test_all_problems_of_files_and_of_connections_are_raised_at_once(fleet: Path) -> None:
    (fleet / "inventory" / "z.yml").write_text("web: {host: {a: }}\nx: {hosts: [a]}\n")
    with pytest.raises(FilesError) as caught:
        ImmyInventory(fleet / "inventory").load()
    assert [problem.place.line for problem in caught.value.problems] == [1, 2]
    (fleet / "inventory" / "z.yml").write_text("web: {hosts: {a: {ansible_port: x}, b: {ansible_connection: y}}}\n")
    with pytest.raises(FilesError) as caught:
        ImmyInventory(fleet / "inventory").load()
    assert [problem.message.split()[0] for problem in caught.value.problems] == ["ansible_port", "ansible_connection"]
