"""Secrets that a program prints: without a shell, with a time-out, once, and nothing it says is shown."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from immy_nornir.errors import SecretError
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.secrets import SecretStore
from immy_nornir.secrets.vault import Vault
from immy_nornir.text.redaction.redact import Redactor
from immy_nornir.text.references import NoReferenceError, reference_of


def python(code: str, *arguments: str, seconds: float | None = None) -> SecretRef:
    words = [sys.executable, "-c", code, *arguments]
    return SecretRef(reference_of({"command": words, **({} if seconds is None else {"timeout": seconds})}))


@pytest.mark.parametrize(
    ("printed", "expected"), [("value", "value"), ("value\\n", "value"), ("two\\nlines\\r\\n", "two\nlines")]
)
def test_the_value_is_what_it_prints_without_the_last_line_end(tmp_path: Path, printed: str, expected: str) -> None:
    code = f"import sys; sys.stdout.buffer.write(b'{printed}')"
    assert SecretStore(Redactor(), os.environ, tmp_path).reveal(python(code)) == expected


def test_no_shell_reads_its_words(tmp_path: Path) -> None:
    words = ["$HOME", "a b", "; exit 7", "*"]
    found = SecretStore(Redactor(), os.environ, tmp_path).reveal(python("import sys; print(sys.argv[1:])", *words))
    assert found == str(words)


def test_it_runs_once_in_a_process_and_in_the_fleets_folder_whether_it_works_or_not(tmp_path: Path) -> None:
    code = "open('runs', 'a').write('x'); import sys; print('value'); sys.exit(int(sys.argv[1]))"
    store = SecretStore(Redactor(), os.environ, tmp_path)
    assert [store.reveal(python(code, "0")) for _ in range(3)] == ["value"] * 3
    for _ in range(3):
        with pytest.raises(SecretError, match="exit code 9"):
            store.reveal(python(code, "9"))
    assert (tmp_path / "runs").read_text() == "xx"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('S3CRET', file=sys.stderr); sys.exit(4)", "exit code 4; what it said is not shown"),
        ("pass", "printed nothing"),
        ("import sys; sys.stdout.buffer.write(bytes([255]))", "not text in UTF-8"),
        ("import time; print('S3CRET', flush=True); time.sleep(60)", "had not ended after 0.5 seconds"),
        ("while True: print('S3CRET' * 9999)", "writes more than 1,000,000 bytes"),
    ],
)
def test_what_gives_no_value_is_told_without_anything_that_it_said(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(SecretError, match=said) as caught:
        SecretStore(Redactor(), os.environ, tmp_path).reveal(python(code, seconds=0.5 if "sleep" in code else 30))
    assert caught.value.advice
    assert "S3CRET" not in str(caught.value).replace(code, "").replace(json.dumps(code)[1:-1], "")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="'no-such-program' cannot be started: no such file"):
        SecretStore(Redactor(), os.environ, tmp_path).reveal(SecretRef("command:no-such-program show x"))


def test_its_environment_is_without_the_other_secrets_of_the_fleet(tmp_path: Path) -> None:
    environment = {**os.environ, "OTHER": "hunter2", "PLAIN": "seen"}
    vault = Vault()
    vault.learn([SecretRef("env:OTHER")])
    store = SecretStore(Redactor(), environment, tmp_path, vault)
    assert store.reveal(python("import os; print(os.environ.get('OTHER'), os.environ['PLAIN'])")) == "None seen"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("env:A", "env:A"),
        ("command:pass show 'a b'", 'command:["pass", "show", "a b"]'),
        ({"command": ["pass", "x"]}, 'command:["pass", "x"]'),
        ({"command": ["pass", "x"], "timeout": 30}, 'command:["pass", "x"]'),
        ({"command": ["pass"], "timeout": 90}, 'command:{"command": ["pass"], "timeout": 90.0}'),
    ],
)
def test_a_reference_has_one_form(value: Value, expected: str) -> None:
    found = reference_of(value)
    assert found == expected
    assert reference_of(found) == found


@pytest.mark.parametrize(
    "value",
    [
        None, 5, "", "hunter2", "env:", "keyring:x", "command: ", "command:'x", {"command": "pass show x"},
        {"command": []}, {"command": ["a", 1]}, {"command": ["a"], "timeout": 0}, {"command": ["a"], "shell": True},
        {"command": ["a"], "timeout": True},
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_without_its_text(value: Value) -> None:
    with pytest.raises(NoReferenceError) as caught:
        reference_of(value)
    assert "hunter2" not in str(caught.value)
