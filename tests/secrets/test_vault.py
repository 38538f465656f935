"""Ansible's vault: the format against its own tool and against code of ours, ids, sources of passwords, messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from immy_nornir.errors import SecretError
from immy_nornir.model.values import SecretRef, vaulted
from immy_nornir.secrets import SecretStore
from immy_nornir.secrets.vault import Vault
from immy_nornir.secrets.vault_passwords import Passwords, Source, sources_of
from immy_nornir.text.redaction.redact import Redactor

from .vaulting import encrypted

# Written by ansible-vault (ansible-core 2.19) itself.
BY_ANSIBLE = """$ANSIBLE_VAULT;1.1;AES256
38623432313930393036383835333662353830623461363165376135313238613462376436613166
6438323432616561343531633335373963303732626239650a393330306536353136336432623662
65616638303565633036383666646334343737663438643135346161346261616139646166643031
3961303439353438310a636136656233626331393263366133656564643139356537376234633065
32313735313939396165326432626138386233363637656236613862643666363462
"""
BY_ANSIBLE_WITH_ID = """
          $ANSIBLE_VAULT;1.2;AES256;prod
          61303965633530353833306564386437373265343639633834306633306634363638653935356362
          3135663935383133663137316663343230393838653331390a326434393435313635623631353964
          35623566376563326633666333383433326531323231646363376264316433323761646438336365
          3266396362366464610a343933613762623432643138313361376635623532343230396633396262
          34663835633565653965306539663261363566313536363762376361663839616361
"""


def vault_of(*sources: Source, ask: Callable[[str], str] | None = None, **environment: str) -> Vault:
    return Vault(Passwords(sources, environment, ask))


def by_variable(label: str, name: str) -> Source:
    return Source(label, f"env:{name}")


def store_of(vault: Vault) -> SecretStore:
    return SecretStore(Redactor(), {}, vault=vault)


def test_texts_of_the_real_tool_are_opened() -> None:
    vault = vault_of(by_variable("default", "A"), by_variable("prod", "B"), A="correct horse", B="battery staple")
    assert vault.open(BY_ANSIBLE) == "V4ulted-Passw0rd"
    assert vault.open(BY_ANSIBLE_WITH_ID) == "Zweites-Gehe1mnis-ü"


@pytest.mark.parametrize("plain", ["x", "16 bytes of text", "ünï\ncode\n", "y" * 5000])
def test_texts_of_independent_code_are_opened(plain: str) -> None:
    assert vault_of(by_variable("a", "A"), A="pw").open(encrypted(plain, "pw", "a")) == plain


def test_the_id_chooses_the_password_to_try_first_and_others_are_tried_too() -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return {"Vault password (a)": "one", "Vault password (b)": "two"}[question]

    vault = vault_of(Source("a", "prompt"), Source("b", "prompt"), ask=ask)
    assert vault.open(encrypted("x", "two", "b")) == "x"
    assert asked == ["Vault password (b)"]
    assert vault.open(encrypted("y", "two", "another")) == "y"
    assert vault.open(encrypted("z", "one")) == "z"
    assert asked == ["Vault password (b)", "Vault password (a)"], "each is asked once"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "does not begin with"),
        ("$ANSIBLE_VAULT;1.0;AES\n61", "of a version that is not read"),
        ("$ANSIBLE_VAULT;1.1;AES256\nzz", "damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162", "damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256", "damaged"),
        (encrypted("value", "other"), "no password opens it: that of 'a@env:A' is not the one"),
    ],
)
def test_what_cannot_be_opened_is_told_at_its_place_without_its_text(text: str, said: str) -> None:
    store = store_of(vault_of(by_variable("a", "A"), A="pw"))
    for _ in range(2):
        with pytest.raises(SecretError, match=said) as caught:
            store.reveal(vaulted(text))
        assert caught.value.advice
        assert text not in str(caught.value)


def test_without_a_password_the_message_says_what_to_type() -> None:
    with pytest.raises(SecretError, match="no password for it was given") as caught:
        store_of(Vault()).reveal(vaulted(encrypted("x", "pw", "prod")))
    assert "--vault-id prod@PATH" in caught.value.advice


def test_a_reference_says_nothing_of_the_value_and_is_the_same_however_it_is_indented() -> None:
    text = encrypted("hunter2", "pw")
    one, other = vaulted(text), vaulted("   " + text.replace("\n", "\n      "))
    assert one == other
    assert one.reference.startswith("vault:")
    assert "ANSIBLE" not in repr(one)
    assert vaulted(encrypted("hunter2", "pw")) != one


def test_a_reference_from_a_record_finds_its_text_among_those_of_the_fleet() -> None:
    reference = vaulted(encrypted("hunter2", "pw"))
    vault = vault_of(by_variable("a", "A"), A="pw")
    vault.learn([reference])
    assert store_of(vault).reveal(SecretRef(reference.reference)) == "hunter2"


# --- sources --------------------------------------------------------------------------------------------------


def test_sources_come_in_the_order_of_ansible() -> None:
    environment = {"ANSIBLE_VAULT_IDENTITY_LIST": "dev@dev.txt, plain.txt", "ANSIBLE_VAULT_PASSWORD_FILE": "last.txt"}
    found = sources_of(["prod@prompt", "@prompt"], ["file.txt"], environment)
    assert [(one.label, one.where) for one in found] == [
        ("dev", "dev.txt"),
        ("default", "plain.txt"),
        ("prod", "prompt"),
        ("default", "prompt"),
        ("default", "file.txt"),
        ("default", "last.txt"),
    ]


posix = pytest.mark.skipif(sys.platform == "win32", reason="the executable bit is POSIX's")


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@posix
def test_a_script_is_run_and_a_client_script_is_told_the_id(tmp_path: Path) -> None:
    plain = script(tmp_path, "plain.sh", '#!/bin/sh\necho "args:$*"\n')
    client = script(tmp_path, "keys-client.sh", '#!/bin/sh\necho "args:$*"\n')
    environment = {"PATH": os.environ["PATH"]}
    for where, label, password in ((plain, "x", "args:"), (client, "x", "args:--vault-id x")):
        vault = Vault(Passwords(sources_of([f"{label}@{where}"], [], environment), environment))
        assert vault.open(encrypted("found", password, "x")) == "found"


@posix
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\necho S3CRET >&2; exit 3\n", "exit code 3"),
        ("#!/bin/sh\n", "printed nothing"),
        ("#!/bin/sh\nexit 2\n", "knows no password for the id 'x'"),
        ("just a password\n", "take away its executable bit"),
    ],
)
def test_a_script_that_gives_nothing_is_named_with_its_exit_code_only(tmp_path: Path, text: str, said: str) -> None:
    vault = vault_of(Source("x", script(tmp_path, "a-client", text)), PATH=os.environ["PATH"])
    with pytest.raises(SecretError, match=said) as caught:
        vault.open(encrypted("found", "pw"))
    assert "S3CRET" not in str(caught.value)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    sources = [Source("a", str(tmp_path / "gone")), Source("b", str(tmp_path / "empty")), Source("c", str(tmp_path))]
    with pytest.raises(SecretError, match=r"no file .*gone; the file .*empty is empty; .* is a folder"):
        vault_of(*sources).open(encrypted("x", "pw"))
    with pytest.raises(SecretError, match="asks on a terminal, and there is none"):
        vault_of(Source("a", "prompt")).open(encrypted("x", "pw"))
