"""Secrets: references to values, errors without values, and the redactor knows everything revealed."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from immy_nornir.errors import SecretError, lacking
from immy_nornir.model.places import Place
from immy_nornir.model.protocols import Secrets
from immy_nornir.model.values import SecretRef
from immy_nornir.secrets import SecretStore
from immy_nornir.text.redaction.redact import Redactor
from tests.waiting import all_end


def test_the_store_is_what_the_protocol_says(tmp_path: Path) -> None:
    store: Secrets = SecretStore(Redactor(), {"A": "value"}, tmp_path)
    assert store.reveal(SecretRef("env:A")) == "value"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"value", "value"),
        (b"value\n", "value"),
        (b"value\r\n", "value"),
        (b"two\nlines\n", "two\nlines"),
        (b" value ", " value "),
        ("\ufeffpässwörd\n".encode(), "pässwörd"),
    ],
)
def test_a_file_without_its_last_line_end(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    store = SecretStore(Redactor(), {}, tmp_path)
    assert store.reveal(SecretRef("file:secret")) == expected
    assert store.reveal(SecretRef(f"file:{tmp_path / 'secret'}")) == expected


def test_every_value_revealed_is_known_to_the_redactor(tmp_path: Path) -> None:
    redactor = Redactor()
    SecretStore(redactor, {"A": "hunter2-hunter2"}, tmp_path).reveal(SecretRef("env:A"))
    assert redactor.clean("it was hunter2-hunter2") == "it was [secret]"


def test_a_value_is_read_once(tmp_path: Path) -> None:
    environment = {"A": "first"}
    store = SecretStore(Redactor(), environment, tmp_path)
    assert store.reveal(SecretRef("env:A")) == "first"
    environment["A"] = "second"
    assert store.reveal(SecretRef("env:A", Place("inventory/hosts.yml", 3))) == "first"


@pytest.mark.skipif(sys.platform == "win32", reason="limits are what POSIX has")
@pytest.mark.parametrize("reference", ["file:secret", "command:cat secret"])
def test_what_this_machine_has_no_room_to_read_is_read_later(tmp_path: Path, reference: str) -> None:
    from tests.scarcity import no_descriptors

    (tmp_path / "secret").write_text("value")
    store = SecretStore(Redactor(), {"PATH": os.environ["PATH"]}, tmp_path)
    with no_descriptors(), pytest.raises(SecretError) as raised:
        store.reveal(SecretRef(reference))
    assert lacking(raised.value)
    assert store.reveal(SecretRef(reference)) == "value"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:GONE", "GONE is not set"),
        ("env:EMPTY", "EMPTY is empty"),
        ("env:", "nothing stands after"),
        ("file:gone", "there is no file"),
        ("file:empty", "is empty"),
        ("file:folder", "cannot be read"),
        ("file:binary", "not text in UTF-8"),
        ("file:a\0b", "cannot be"),
        ("command:'open", "not the words of a program"),
        ("command:[]", "not the words of a program"),
        ("keyring:x", "not supported yet"),
        ("vault:x", "is not in the fleet's files"),
        ("hunter2", "not a reference"),
    ],
)
def test_what_leads_nowhere_is_an_error_with_advice(tmp_path: Path, reference: str, said: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()
    store = SecretStore(Redactor(), {"EMPTY": ""}, tmp_path)
    with pytest.raises(SecretError, match=said) as caught:
        store.reveal(SecretRef(reference, Place("inventory/hosts.yml", 3, 7)))
    assert str(caught.value).startswith("inventory/hosts.yml:3:7: ")
    assert caught.value.advice


def test_many_threads_reveal_at_the_same_time(tmp_path: Path) -> None:
    redactor = Redactor()
    store = SecretStore(redactor, {f"V{number}": f"value-{number}" for number in range(20)}, tmp_path)
    wrong: list[str] = []

    def work() -> None:
        for number in range(20):
            value = store.reveal(SecretRef(f"env:V{number}"))
            if value != f"value-{number}" or redactor.clean(value) != "[secret]":
                wrong.append(value)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    all_end(threads)
    assert wrong == []
