"""Encrypted files and saved output of scripts as sources of an inventory, and the order of merge keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from immy_nornir.errors import SecretError
from immy_nornir.fleet.inventory.addresses import SECRET, address_of
from immy_nornir.fleet.inventory.load import load_inventory
from immy_nornir.model.inventory import Inventory
from immy_nornir.model.places import Level
from immy_nornir.model.values import SecretRef, UnsafeText, Value
from immy_nornir.secrets import SecretStore
from immy_nornir.secrets.vault import Vault
from immy_nornir.secrets.vault_passwords import Passwords, Source
from immy_nornir.shapes.files import Source as File
from immy_nornir.shapes.forms import ANY
from immy_nornir.text.redaction.redact import Redactor
from immy_nornir.text.yaml import Dialect, compose, plain
from tests.secrets.vaulting import encrypted, tagged


def vault(password: str = "pw") -> Vault:  # noqa: S107 - of a test
    return Vault(Passwords([Source("a", "env:A")], {"A": password}))


def loaded(folder: Path, files: dict[str, str], opened: Vault | None = None) -> tuple[Inventory, list[str]]:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inventory, problems = load_inventory([folder], vault=opened)
    return inventory, [f"{one.level}: {one.message}" for one in problems if one.level is not Level.NOTE]


HOSTS = "all: {hosts: {pc1: {}}}\n"
WHOLE = """
ansible_password: S3cret-1
ansible_user: "DOM\\\\svc"
ansible_port: 5985
ansible_connection: winrm
pin: 123456
flag: true
nothing:
nested: {list: [S3cret-2, '{{ pin }}'], number: 1.50}
both: "x{{ pin }}"
referred: {secret: "env:X"}
inner: !vault |
"""


def whole() -> str:
    inner = "".join(f"  {line}\n" for line in encrypted("S3cret-3", "pw").splitlines())
    return encrypted(WHOLE + inner, "pw")


def test_values_of_an_encrypted_file_are_references_that_its_vault_reveals(tmp_path: Path) -> None:
    opened = vault()
    inventory, problems = loaded(tmp_path, {"hosts.yml": HOSTS, "host_vars/pc1.yml": whole()}, opened)
    assert problems == []
    variables = inventory.computers["pc1"].variables
    store = SecretStore(Redactor(), {"X": "from X"}, vault=opened)

    def revealed(value: Value) -> str:
        assert isinstance(value, SecretRef), value
        return store.reveal(value)

    assert revealed(variables["ansible_password"]) == "S3cret-1"
    assert revealed(variables["pin"]) == "123456"
    assert revealed(variables["inner"]) == "S3cret-3"
    assert revealed(variables["both"]) == "x{{ pin }}"
    assert variables["referred"] == SecretRef("env:X", variables["referred"].place)  # type: ignore[union-attr]
    nested = variables["nested"]
    assert isinstance(nested, dict)
    assert revealed(nested["number"]) == "1.50"
    assert revealed(nested["list"][0]) == "S3cret-2"
    assert nested["list"][1] == "{{ pin }}", "what is a template and nothing else is expanded where it is used"
    assert (variables["flag"], variables["nothing"]) == (True, None)
    assert (variables["ansible_port"], variables["ansible_connection"]) == (5985, "winrm")
    assert "S3cret" not in repr(inventory)


def test_who_connects_gets_host_user_and_port_and_who_shows_gets_a_placeholder(tmp_path: Path) -> None:
    main = "ansible_host: '{{ host }}.example.com'\nansible_port: '{{ port }}'\nansible_user: '{{ user }}'\n"
    secrets = encrypted("host: h1\nport: 5986\nuser: 'u{{1}}'\n", "pw")
    opened = vault()
    files = {"hosts.yml": HOSTS, "host_vars/pc1/main.yml": main, "host_vars/pc1/vault.yml": secrets}
    computer = loaded(tmp_path, files, opened)[0].computers["pc1"]
    address = address_of(computer, SecretStore(Redactor(), {}, vault=opened).reveal)
    assert (address.host, address.port, address.username) == ("h1.example.com", 5986, "u{{1}}")
    shown = address_of(computer)
    assert (shown.host, shown.port, shown.username) == (SECRET, 0, SECRET)


@pytest.mark.parametrize("text", ["[web]\npc2 a=S3cret b=S3cret2\n", "web: {hosts: {pc2: {a: S3cret, b: S3cret2}}}\n"])
def test_an_inventory_that_is_encrypted_as_a_whole(tmp_path: Path, text: str) -> None:
    opened = vault()
    inventory, problems = loaded(tmp_path, {"hosts.yml": HOSTS, "more": encrypted(text, "pw")}, opened)
    assert problems == []
    assert list(inventory.groups["web"].computers) == ["pc2"]
    found = inventory.computers["pc2"].variables
    store = SecretStore(Redactor(), {}, vault=opened)
    revealed = [store.reveal(one) for one in found.values() if isinstance(one, SecretRef)]
    assert revealed == ["S3cret", "S3cret2"]


@pytest.mark.parametrize("opened", [None, Vault(), vault("wrong")], ids=["nobody", "no_password", "wrong_password"])
def test_a_file_that_is_not_opened_is_named_and_only_what_needs_it_fails(tmp_path: Path, opened: Vault | None) -> None:
    group = "ansible_connection: winrm\nansible_user: '{{ vault_user | default(\"x\") }}'\nown: '{{ other }}'\n"
    files = {
        "hosts.yml": "a: {hosts: {pc1: }}\nb: {hosts: {pc2: {ansible_connection: winrm, ansible_user: u}}}\n",
        "group_vars/a/main.yml": group,
        "group_vars/a/vault.yml": whole(),
        "more.yml": whole(),
    }
    inventory, problems = loaded(tmp_path, files, opened)
    assert [one.partition(": it is encrypted")[0] for one in problems] == ["warning: this file is left out"] * 2
    pc1, pc2 = inventory.computers["pc1"], inventory.computers["pc2"]
    assert [Path(one.place.file).name for one in pc1.unread] == ["vault.yml"]
    assert not pc2.unread
    assert address_of(pc1).username == SECRET
    store = SecretStore(Redactor(), {})
    with pytest.raises(SecretError, match=r"'pc1' has no password: it may stand in an encrypted file \(.*vault.yml"):
        address_of(pc1, store.reveal)
    assert address_of(pc2, store.reveal).username == "u"


def test_in_a_fleet_without_encrypted_files_a_default_is_a_default(tmp_path: Path) -> None:
    files = {"hosts.yml": "a: {hosts: {pc1: {ansible_user: '{{ vault_user | default(\"x\") }}'}}}\n"}
    assert address_of(loaded(tmp_path, files)[0].computers["pc1"]).username == "x"


def test_saved_json_of_ansible_marks_encrypted_and_unsafe_text(tmp_path: Path) -> None:
    text = encrypted("S3cret", "pw")
    values = {"p": {"__ansible_vault": text}, "u": {"__ansible_unsafe": "{{ x }}"}}
    inventory, problems = loaded(tmp_path, {"inv.json": json.dumps({"all": {"hosts": {"pc1": values}}})})
    assert problems == []
    found = inventory.computers["pc1"].variables
    assert isinstance(found["u"], UnsafeText)
    assert isinstance(found["p"], SecretRef)
    assert SecretStore(Redactor(), {}, vault=vault()).reveal(found["p"]) == "S3cret"


# --- saved output of inventory scripts ------------------------------------------------------------------------


def test_the_saved_output_of_an_inventory_script_is_an_inventory(tmp_path: Path) -> None:
    said = {
        "_meta": {"hostvars": {"pc1": {"a": 1, "n": 1.5}, "pc2": {"a": 2}, "pc4": {"a": 4}, "gone": {"a": 9}}},
        "all": {"children": ["ungrouped", "web", "db"]},
        "web": ["pc1", "pc2"],
        "db": {"hosts": ["pc2", "pc3"], "vars": {"b": "of db"}, "children": ["inner"]},
        "inner": {"hosts": {"pc4": {"c": True}}, "vars": {}},
        "lonely": {"x": "y"},
        "empty": {},
    }
    inventory, problems = loaded(tmp_path, {"saved.json": json.dumps(said)})
    assert problems[0] == "warning: 'gone' is in no group and is left out"
    assert problems[1].startswith("warning: 'lonely' is a group and a computer")
    assert list(inventory.computers) == ["pc1", "pc2", "pc3", "pc4", "lonely"]
    assert {name: inventory.groups[name].computers for name in ("web", "db", "inner")} == {
        "web": ("pc1", "pc2"),
        "db": ("pc2", "pc3"),
        "inner": ("pc4",),
    }
    assert inventory.groups["db"].children == ("inner",)
    variables = {name: dict(one.variables) for name, one in inventory.computers.items()}
    assert variables == {
        "pc1": {"a": 1, "n": 1.5},
        "pc2": {"a": 2, "b": "of db"},
        "pc3": {"b": "of db"},
        "pc4": {"a": 4, "b": "of db", "c": True},
        "lonely": {"x": "y"},
    }


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"web": [1]}, "error: this is no name"),
        ({"web": {"hosts": [{}]}}, "error: this is no name"),
        ({"_meta": {}, "web": "pc1"}, "error: the group 'web' is neither a list nor a map"),
        ({"a": {"children": ["b"]}, "b": {"children": ["a"]}}, "error: the group 'a' cannot be below 'b'"),
    ],
)
def test_what_no_script_prints_is_told(tmp_path: Path, said: object, problem: str) -> None:
    _, problems = loaded(tmp_path, {"saved.json": json.dumps(said)})
    assert any(one.startswith(problem) for one in problems), problems


# --- merge keys -----------------------------------------------------------------------------------------------

MERGED = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y: 3}\n"


def test_of_merged_mappings_the_earlier_wins_as_in_pyyaml_wherever_yaml_is_read(tmp_path: Path) -> None:
    expected = yaml.safe_load(MERGED)["c"]
    assert expected == {"x": 1, "y": 3, "z": 2}
    for dialect in Dialect:
        node, _ = compose(MERGED, "f", dialect)
        read = plain(node, dialect)
        assert isinstance(read, dict)
        assert read["c"] == expected
    node, _ = compose(MERGED, "f", Dialect.OURS)
    assert node is not None
    own = ANY.read(node, File(tmp_path, tmp_path, "f", []))
    assert isinstance(own, dict)
    assert own["c"] == expected
    hosts = f"all: {{hosts: {{pc1: }}}}\nv:\n  vars:\n{''.join(f'    {line}{chr(10)}' for line in MERGED.splitlines())}"
    inventory, _ = loaded(tmp_path, {"hosts.yml": f"{hosts}  hosts: {{pc1: }}\n"})
    assert inventory.computers["pc1"].variables["c"] == expected


def test_a_tagged_value_is_the_same_in_both_forms_of_the_tag(tmp_path: Path) -> None:
    text = tagged(encrypted("S3cret", "pw"), 6)
    other = text.replace("!vault", "!vault-encrypted")
    files = {"hosts.yml": f"a:\n  hosts: {{pc1: }}\n  vars:\n    p: {text}    q: {other}"}
    inventory, problems = loaded(tmp_path, files)
    assert problems == []
    variables = inventory.computers["pc1"].variables
    assert str(variables["p"]) == str(variables["q"])
