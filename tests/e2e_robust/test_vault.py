"""Ansible's vault through the command line: it blocks nobody, it opens, and no value is written anywhere."""

from __future__ import annotations

import base64
import json
import re
import signal
import stat
import sys
from pathlib import Path

import pytest

from immy_nornir.model.values import Json
from tests.secrets.vaulting import encrypted, tagged
from tests.waiting import ENOUGH, eventually

from .fleets import PASSWORD, Fleet, fleet, software_files, write
from .terminal import terminal

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
LOOKING = (
    ("lint",),
    ("inventory", "list"),
    ("inventory", "list", "--format", "json"),
    ("inventory", "list", "--format", "ansible"),
    ("inventory", "graph", "--vars"),
    ("inventory", "show", "pc002"),
    ("explain", "pc002", "software/alpha"),
)
OPENS, OTHER = "correct horse", "battery staple"
TOKEN = "T0ken-in-the-whole-F1le"
DEFAULT = ("--vault-password-file", "passwords/default")
PROD = ("--vault-id", "prod@passwords/prod")
OWN = {"ansible_password": {"secret": "env:IMMY_TEST_PASSWORD"}}


def fleet_files() -> dict[str, str]:
    """The password of pc001 is an encrypted value; a whole file of pc002 is for its connection and a job."""
    whole = encrypted(f"vault_token: {TOKEN}\nvault_pw: {PASSWORD}\nvault_user: immy\n", OTHER, "prod")
    alpha = "winget: Vendor.alpha\nparameters: {key: {type: secret}}\n"
    rule = "- {item: software/alpha, target: pc002, state: latest, params: {key: '{{ vault_token }}'}}\n"
    return {
        **software_files(("alpha",), ()),
        "tasks/software/alpha/software.yml": alpha,
        "playbooks/deployments/pc002.yml": rule,
        "inventory/host_vars/pc001.yml": f"ansible_password: {tagged(encrypted(PASSWORD, OPENS), 2)}",
        "inventory/host_vars/pc002/main.yml": "ansible_password: '{{ vault_pw }}'\nansible_user: '{{ vault_user }}'\n",
        "inventory/host_vars/pc002/vault.yml": whole,
        "passwords/default": f"{OPENS}\n",
        "passwords/prod": f"{OTHER}\n",
        "passwords/wrong": "no such horse\n",
    }


def immy(one: Fleet, *arguments: str, expect: int = 0) -> str:
    """`immy` with its streams kept in files beside the fleet; what both say."""
    code = one.start(*arguments).wait(ENOUGH)
    number = len(list(one.root.glob("out-*.txt"))) - 1
    said = "\n".join((one.root / f"{name}-{number}.txt").read_text("utf-8") for name in ("out", "err"))
    assert code == expect, said
    assert "Traceback" not in said
    return said


def assert_nowhere(one: Fleet, *secrets: str) -> None:
    """Neither in what immy wrote nor in what it said, in the forms in which bytes are written."""
    for path in [*one.state.rglob("*"), *one.root.glob("out-*.txt"), *one.root.glob("err-*.txt")]:
        data = path.read_bytes() if path.is_file() else b""
        for plain in (secret.encode() for secret in secrets):
            wide = plain.decode().encode("utf-16-le")
            forms = (plain, wide, base64.b64encode(plain), base64.b64encode(wide), plain.hex().encode())
            assert not any(form in data for form in forms), path


def reasons(one: Fleet) -> dict[str, str]:
    return {row["computer"]: row["reason"] for row in one.sessions()}


def test_two_ids_open_a_value_and_a_whole_file_and_nothing_of_it_is_written(tmp_path: Path) -> None:
    with fleet(tmp_path, 3, fleet_files()) as one:
        immy(one, "run", "playbooks/all.yml", "--yes", *DEFAULT, *PROD)
        assert one.statuses() == {"pc001": "passed", "pc002": "passed", "pc003": "passed"}
        for looking in LOOKING:
            immy(one, *looking, *DEFAULT, *PROD)
        for show in (("sessions", "show", "pc002"), ("sessions", "log", "pc002", "--format", "json"), ("report",)):
            immy(one, *show)
        assert_nowhere(one, PASSWORD, TOKEN, OPENS, OTHER)


@pytest.mark.parametrize("looking", LOOKING, ids=lambda words: "_".join(words[:4]).replace("-", ""))
def test_who_only_looks_needs_no_password_and_sees_a_placeholder(tmp_path: Path, looking: tuple[str, ...]) -> None:
    common = {"ansible_connection": "winrm", "ansible_port": 5985, "shown": {"secret": "env:X"}}
    hosts = {"pc001": common, "pc002": {**common, "ansible_host": "192.0.2.1"}, "pc003": {**common, **OWN}}
    tenant = {"tenants": {"children": {"tenant0": {"hosts": hosts}}}}
    write(tmp_path, {**fleet_files(), "inventory/hosts.yml": json.dumps(tenant)})
    value = {"inventory/group_vars/tenants.yml": f"token: {tagged(encrypted(TOKEN, OPENS), 2)}"}
    write(tmp_path, value)
    one = Fleet(tmp_path, None)  # type: ignore[arg-type]  # nobody is reached
    said = immy(one, *looking)
    assert "$ANSIBLE_VAULT" not in said
    if "--vars" in looking or "show" in looking or "ansible" in looking:
        assert re.search(r"token\W.*?secret\W.*?vault:[0-9a-f]{16}", said, re.DOTALL)
    if "lint" in looking:
        left_out = r"host_vars/pc002/vault.yml:1:1: warning: this file is left out: .*id 'prod'.*--vault-id prod@"
        assert re.search(left_out, said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "no password for it was given"),
        (
            ("--vault-password-file", "passwords/wrong"),
            "that of 'default@passwords/wrong' is not the one",
        ),
        (("--vault-id", "prod@prompt"), "asks on a terminal, and there is none"),
        (("--vault-id", "prod@env:GONE"), "the environment variable GONE is not set"),
    ],
    ids=["none", "wrong", "prompt_without_terminal", "variable_not_set"],
)
def test_without_the_right_password_only_what_needs_it_fails_and_says_what_to_type(
    tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    with fleet(tmp_path, 3, fleet_files()) as one:
        shown = immy(one, *RUN, *given, expect=1)
        assert "pc002/vault.yml:1:1: warning: this file is left out: " in shown
        assert one.statuses() == {"pc001": "failed", "pc002": "failed", "pc003": "passed"}
        for computer, advice in {"pc001": "--vault-password-file PATH", "pc002": "--vault-id prod@PATH"}.items():
            assert said in reasons(one)[computer]
            assert advice in reasons(one)[computer]


def test_a_computer_that_needs_no_encrypted_value_works_and_only_the_item_that_does_fails(tmp_path: Path) -> None:
    files = fleet_files()
    files["inventory/host_vars/pc002/main.yml"] = "{}\n"
    with fleet(tmp_path, 2, {**files, **software_files(("beta",), ())}) as one:
        write(one.root, {"playbooks/deployments/pc002.yml": files["playbooks/deployments/pc002.yml"]})
        immy(one, *RUN, *DEFAULT, expect=1)
        assert one.statuses() == {"pc001": "passed", "pc002": "partially_passed"}
        actions = {row["item"]: row for row in one.show("pc002")["session"]["actions"]}
        assert actions["software/beta"]["outcome"] == "success"
        failed = actions["software/alpha"]
        assert failed["outcome"] == "failed"
        assert "'vault_token' is undefined: it may stand in an encrypted file" in str(failed)
        assert "give --vault-id prod@PATH" in str(failed)


def test_ansibles_own_variables_name_the_passwords(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, fleet_files()) as one:
        one.environment = {
            "ANSIBLE_VAULT_PASSWORD_FILE": "passwords/default",
            "ANSIBLE_VAULT_IDENTITY_LIST": "gone@passwords/gone,prod@passwords/prod",
        }
        immy(one, *RUN)
        assert one.statuses() == {"pc001": "passed", "pc002": "passed"}


def test_a_file_that_was_typed_and_is_not_there_is_an_error_of_the_command_line(tmp_path: Path) -> None:
    one = Fleet(tmp_path, None)  # type: ignore[arg-type]  # nobody is reached
    (tmp_path / "inventory").mkdir()
    said = immy(one, "inventory", "list", "--vault-password-file", "gone", expect=2)
    assert "there is no file gone with a password of the vault" in said


def test_a_prompt_asks_once_and_before_anything_begins(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, fleet_files()) as one, terminal(one, *RUN, "--vault-id", "@prompt") as screen:
        screen.expect("Vault password (default):")
        screen.type(OPENS)
        assert screen.end() == 1, screen.shown
        assert screen.shown.count("Vault password") == 1
        assert OPENS not in screen.shown
        assert one.statuses() == {"pc001": "passed", "pc002": "failed"}


def test_a_session_that_is_taken_up_finds_the_encrypted_text_of_its_reference(tmp_path: Path) -> None:
    files = fleet_files()
    files["tasks/software/beta/software.yml"] = "winget: Vendor.beta\nparameters: {key: {type: secret}}\n"
    files["playbooks/deployments/pc002.yml"] += (
        "- {item: software/beta, target: pc002, state: latest, params: {key: '{{ vault_token }}'}}\n"
    )
    with fleet(tmp_path, ["pc002"], files) as one:
        one.lab.hold()
        process = one.start(*RUN, *PROD)
        eventually(lambda: bool(one.lab.events("installer_started")))
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 130
        one.lab.release()
        immy(one, "sessions", "resume", "--yes", *PROD)
        assert one.statuses() == {"pc002": "passed"}
        assert one.installs()["pc002", "software/beta"] == 1
        assert_nowhere(one, PASSWORD, TOKEN)


def test_a_command_prints_the_password_once_for_all_computers(tmp_path: Path) -> None:
    code = f"open('runs', 'a').write('x'); print({PASSWORD[:8]!r} + {PASSWORD[8:]!r})"
    common: dict[str, Json] = {"ansible_password": {"secret": {"command": [sys.executable, "-c", code], "timeout": 60}}}
    with fleet(tmp_path, 3, software_files(("alpha",), ()), common=common) as one:
        immy(one, *RUN)
        assert set(one.statuses().values()) == {"passed"}
        assert (tmp_path / "runs").read_text() == "x"
        assert_nowhere(one, PASSWORD)


def test_a_command_that_fails_tells_its_exit_code_and_nothing_that_it_said(tmp_path: Path) -> None:
    script = tmp_path / "pass.sh"
    script.write_text("#!/bin/sh\necho L3aked >&2\necho L3aked\nexit 7\n")
    script.chmod(stat.S_IRWXU)
    common: dict[str, Json] = {"ansible_password": {"secret": {"command": [str(script), "show"]}}}
    with fleet(tmp_path, 1, software_files(("alpha",), ()), common=common) as one:
        assert "exit code 7" in immy(one, *RUN, expect=1)
        assert_nowhere(one, "L3aked")
