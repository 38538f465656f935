"""Connection variables mean what they mean to Ansible."""

from __future__ import annotations

from pathlib import Path

import pytest

from immy_nornir.errors import UsageError
from immy_nornir.fleet.inventory.addresses import address_of
from immy_nornir.fleet.inventory.load import computer_named, load_inventory
from immy_nornir.model.inventory import Computer
from immy_nornir.model.protocols import Address
from immy_nornir.model.values import SecretRef


def _computer(tmp_path: Path, variables: str) -> Computer:
    path = tmp_path / "i.yml"
    path.write_text(f"all: {{hosts: {{pc1.acme.example: {{{variables}}}}}}}\n")
    inventory, problems = load_inventory([path])
    assert not [problem for problem in problems if problem.level == "error"]
    return inventory.computers["pc1.acme.example"]


@pytest.mark.parametrize(
    ("variables", "kind", "host", "port", "user"),
    [
        ("", "ssh", "pc1.acme.example", 22, ""),
        ("ansible_connection: smart", "ssh", "pc1.acme.example", 22, ""),
        ("ansible_connection: ssh, ansible_port: 2222, ansible_user: root", "ssh", "pc1.acme.example", 2222, "root"),
        ("ansible_connection: paramiko, ansible_ssh_port: '23', ansible_port: 24", "ssh", "pc1.acme.example", 23, ""),
        ("ansible_connection: winrm", "winrm", "pc1.acme.example", 5986, ""),
        ("ansible_connection: ansible.builtin.winrm", "winrm", "pc1.acme.example", 5986, ""),
        ("ansible_connection: winrm, ansible_winrm_scheme: http", "winrm", "pc1.acme.example", 5985, ""),
        (
            "ansible_connection: psrp, ansible_psrp_protocol: http, ansible_psrp_user: a",
            "winrm",
            "pc1.acme.example",
            5985,
            "a",
        ),
        ("ansible_connection: winrm, ansible_winrm_user: a, ansible_user: b", "winrm", "pc1.acme.example", 5986, "a"),
        ("ansible_connection: winrm, ansible_ssh_user: old", "winrm", "pc1.acme.example", 5986, "old"),
        ("ansible_port: 5985", "winrm", "pc1.acme.example", 5985, ""),
        ("ansible_port: '5986'", "winrm", "pc1.acme.example", 5986, ""),
        ("ansible_winrm_transport: ntlm", "winrm", "pc1.acme.example", 5986, ""),
        ("ansible_shell_type: powershell", "winrm", "pc1.acme.example", 5986, ""),
        ("ansible_connection: ssh, ansible_shell_type: powershell", "ssh", "pc1.acme.example", 22, ""),
        ("ansible_connection: local", "local", "localhost", 0, ""),
        ("ansible_host: 10.0.0.1", "ssh", "10.0.0.1", 22, ""),
        ("ansible_host: '{{ inventory_hostname_short }}.{{ zone }}', zone: x.example", "ssh", "pc1.x.example", 22, ""),
        ("ansible_host: '{{ a }}', a: '{{ inventory_hostname }}'", "ssh", "pc1.acme.example", 22, ""),
        ("ansible_port: '{{ base + 2 }}', base: 5984", "winrm", "pc1.acme.example", 5986, ""),
        (
            'ansible_connection: winrm, ansible_user: "{{ immy_tenant }}\\\\admin"',
            "winrm",
            "pc1.acme.example",
            5986,
            "default\\admin",
        ),
    ],
)
def test_the_way_in(variables: str, kind: str, host: str, port: int, user: str, tmp_path: Path) -> None:
    address = address_of(_computer(tmp_path, variables))
    assert (address.kind, address.host, address.port, address.username) == (kind, host, port, user)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("ansible_password: p", "p"),
        ("ansible_password: p, ansible_winrm_password: w", "w"),
        ("ansible_ssh_pass: s", "s"),
        ("ansible_password: {secret: 'env:P'}", SecretRef("env:P")),
        ("ansible_password: '{{ vaulted }}', vaulted: {secret: 'file:/p'}", SecretRef("file:/p")),
        ("ansible_password: !unsafe 'a{{b'", "a{{b"),
        ("ansible_user: x", None),
    ],
)
def test_the_password_is_text_or_a_reference(variables: str, expected: str | SecretRef | None, tmp_path: Path) -> None:
    password = address_of(_computer(tmp_path, f"ansible_connection: winrm, {variables}")).password
    if isinstance(expected, SecretRef):
        assert isinstance(password, SecretRef)
        assert password.reference == expected.reference
    else:
        assert password == expected


def test_settings_are_the_variables_of_the_kind_by_their_full_names(tmp_path: Path) -> None:
    text = (
        "ansible_connection: winrm, ansible_winrm_transport: ntlm, ansible_winrm_user: u, ansible_password: p, "
        "ansible_ssh_common_args: -x, immy_certificate_sha256: aa, other: 1, ansible_become_user: b, "
        "ansible_winrm_proxy: '{{ other }}'"
    )
    assert address_of(_computer(tmp_path, text)).settings == {
        "ansible_winrm_transport": "ntlm",
        "immy_certificate_sha256": "aa",
        "ansible_become_user": "b",
        "ansible_winrm_proxy": 1,
    }


def test_settings_of_psrp_get_the_names_of_winrm(tmp_path: Path) -> None:
    text = "ansible_connection: psrp, ansible_psrp_cert_validation: ignore, ansible_psrp_auth: negotiate"
    assert address_of(_computer(tmp_path, text)).settings == {
        "ansible_winrm_server_cert_validation": "ignore",
        "ansible_winrm_transport": "ntlm",
    }


@pytest.mark.parametrize(
    ("variables", "message", "advice"),
    [
        ("ansible_connection: docker", "ansible_connection .* is 'docker'", "winrm, psrp, ssh or local"),
        ("ansible_port: 70000", "ansible_port .* is no port", "1 to 65535"),
        ("ansible_port: ssh", "ansible_port .* is no port", "1 to 65535"),
        ("ansible_host: ''", "ansible_host .* is empty", "remove"),
        ("ansible_host: [a]", "ansible_host .* is not text", "quotes"),
        ("ansible_password: 1234", "ansible_password .* is not text", "quotes"),
        ("ansible_host: '{{ nowhere }}'", "ansible_host .* cannot be expanded: .*nowhere", ""),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(variables: str, message: str, advice: str, tmp_path: Path) -> None:
    computer = _computer(tmp_path, variables)
    with pytest.raises(UsageError, match=rf"i\.yml:1:\d+: {message}") as caught:
        address_of(computer)
    assert advice in caught.value.advice
    assert "1234" not in str(caught.value)


def test_an_unnamed_localhost_needs_no_network(tmp_path: Path) -> None:
    path = tmp_path / "i.yml"
    path.write_text("all: {vars: {a: 1}, hosts: {pc1: }}\n")
    inventory, _ = load_inventory([path])
    computer = computer_named(inventory, "localhost")
    assert computer.variables == {"a": 1, "ansible_connection": "local"}
    assert address_of(computer) == Address("localhost", "local", "localhost", 0)
    with pytest.raises(KeyError):
        computer_named(inventory, "pc2")
