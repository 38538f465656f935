"""Ansible's vault through the command line: it blocks nobody, it opens, and no value is written anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.secrets.vaulting import encrypted, tagged

from .fleets import PASSWORD, Fleet, fleet, software_files, write

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
LOOKING = (
    ("lint",),
    ("inventory", "list"),
    ("inventory", "list", "--format", "json"),
    ("inventory", "list", "--format", "ansible"),
    ("inventory", "graph", "--vars"),
    ("inventory", "show", "pc001"),
    ("explain", "pc001", "software/alpha"),
)
OPENS, OTHER = "correct horse", "battery staple"
TOKEN = "T0ken-in-the-whole-F1le"


def fleet_files() -> dict[str, str]:
    """The password is a value of group_vars/tenants, and a whole file holds a token and the user of pc002."""
    whole = encrypted(f"vault_token: {TOKEN}\nvault_user: immy\n", OTHER, "prod")
    return {
        **software_files(("alpha",), ()),
        "inventory/group_vars/tenants/main.yml": f"ansible_password: {tagged(encrypted(PASSWORD, OPENS), 2)}",
        "inventory/group_vars/tenants/vault.yml": whole,
        "playbooks/passwords/default": f"{OPENS}\n",
        "playbooks/passwords/prod": f"{OTHER}\n",
        "playbooks/passwords/wrong": "no such horse\n",
    }


DEFAULT = ("--vault-password-file", "playbooks/passwords/default")
PROD = ("--vault-id", "prod@playbooks/passwords/prod")


def vaulted(root: Path, files: Mapping[str, str] | None = None, computers: int = 1) -> Fleet:
    raise NotImplementedError


def spread(secret: str) -> list[bytes]:
    """A value as it may be written."""
    wide = secret.encode("utf-16-le")
    return [
        secret.encode(),
        wide,
        base64.b64encode(secret.encode()),
        base64.b64encode(wide),
        secret.encode().hex().encode(),
    ]


def written(one: Fleet) -> dict[str, bytes]:
    """All that immy wrote: its folder, and what its processes said."""
    files = [path for path in one.state.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in [*files, *one.root.glob("out-*.txt"), *one.root.glob("err-*.txt")]}


def assert_nowhere(one: Fleet, *secrets: str) -> None:
    for name, data in written(one).items():
        for secret in secrets:
            assert not any(form in data for form in spread(secret)), name


def run(one: Fleet, *arguments: str, expect: int | None = 0) -> str:
    """`immy` whose streams are kept beside the fleet; both of them."""
    code = (process := one.start(*arguments)).wait(120)
    number = len(list(one.root.glob("out-*.txt"))) - 1
    said = "".join((one.root / f"{name}-{number}.txt").read_text("utf-8") for name in ("out", "err"))
    assert process.returncode == code
    assert expect is None or code == expect, said
    assert "Traceback" not in said
    assert "bug of immy" not in said
    return said


NO_PASSWORD = {"ansible_password": None}


def without_password() -> dict[str, None]:
    return {}


def test_a_computer_with_a_vaulted_password_passes_and_the_value_stands_nowhere(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, fleet_files(), common={"ansible_password": "{{ from_vault }}"}) as one:
        value = f"from_vault: {tagged(encrypted(PASSWORD, OPENS), 2)}"
        write(one.root, {"inventory/group_vars/tenants/main.yml": value})
        run(one, *RUN, *DEFAULT)
        assert one.statuses() == {"pc001": "passed"}
        for looking in LOOKING:
            run(one, *looking, *DEFAULT, *PROD)
        for name in ("show", "log"):
            run(one, "sessions", name, "pc001")
        run(one, "report", "--output", ".immy/report.html")
        assert_nowhere(one, PASSWORD, TOKEN, OPENS, OTHER)
