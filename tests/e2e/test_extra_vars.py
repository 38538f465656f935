"""`-e` as Ansible takes it: NAME=VALUE, several at once, JSON, YAML, files; secrets of it reach no record."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.cli.extra_vars import given_variables, without_values
from immy_nornir.errors import SecretError, UsageError
from immy_nornir.lab.lab import Lab
from immy_nornir.model.values import SecretRef
from immy_nornir.secrets import SecretStore
from immy_nornir.text.redaction.redact import Redactor
from tests.e2e import world

FILES: dict[str, object] = {
    "tasks/maintenance/plan/task.yml": {
        "parameters": {"plan": {}},
        "registry": {"key": r"HKLM\SOFTWARE\Acme", "name": "Plan", "value": "{{ params.plan }}"},
    },
    "playbooks/deployments/all.yml": [{"item": "task/plan", "target": "plain", "params": {"plan": "{{ a }}-{{ b }}"}}],
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[world.Fleet, Lab]]:
    with world.up(tmp_path_factory.mktemp("extra"), [world.spec("plain", 0)], FILES, {}) as up:
        yield up


def plain(found: dict[str, Any]) -> str:
    """Values to compare; the places of references do not count."""
    return repr(found)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["a=1"], {"a": "1"}),
        (["a=1 b=2"], {"a": "1", "b": "2"}),
        (["a=1  b='x y' c=\"z\""], {"a": "1", "b": "x y", "c": "z"}),
        (["note=hello big world b=2"], {"note": "hello big world", "b": "2"}),
        (["note=don't b=2"], {"note": "don't", "b": "2"}),
        (["a={{ x if y == 'no' else z }} b=2"], {"a": "{{ x if y == 'no' else z }}", "b": "2"}),
        (["a=b==c"], {"a": "b==c"}),
        (["a="], {"a": ""}),
        (["a=1", "a=2"], {"a": "2"}),
        (['{"a": 1, "b": ["x", true, null]}'], {"a": 1, "b": ["x", True, None]}),
        ([' {"a": {"b": 1}}'], {"a": {"b": 1}}),
        (["{a: text, b: 2}"], {"a": "text", "b": 2}),
        (["a=1 b=1", '{"b": 2}', "c=3"], {"a": "1", "b": 2, "c": "3"}),
        (["password=secret: env:X b=2"], {"password": SecretRef("env:X"), "b": "2"}),
        (['{"password": {"secret": "env:X"}}'], {"password": SecretRef("env:X")}),
        (["token_ttl=5 db_password={{ other }}"], {"token_ttl": "5", "db_password": "{{ other }}"}),
    ],
)
def test_variables_are_given_as_to_ansible(given: list[str], found: dict[str, Any]) -> None:
    assert plain(given_variables(given)) == plain(found)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("v.yml", "a: 1\nb: yes\nc: {d: [1, x]}\n", {"a": 1, "b": True, "c": {"d": [1, "x"]}}),
        ("v.json", '{"a": 1, "b": "yes"}', {"a": 1, "b": "yes"}),
        ("v", "---\na: 'x'\n", {"a": "x"}),
        ("v.yml", "", {}),
        ("v.yml", "a: {secret: 'env:X'}\n", {"a": SecretRef("env:X")}),
    ],
)
def test_a_file_of_variables_is_read(tmp_path: Path, name: str, text: str, found: dict[str, Any]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert plain(given_variables([f"@{tmp_path / name}"])) == plain(found)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("hunter2", "what stands after -e is not NAME=VALUE"),
        ("=x", "not NAME=VALUE"),
        ("a='x b=2", "a quote of -e is not closed"),
        ("[1, 2]", "-e:1:1: this is not a mapping of variables"),
        ('{"a": 1', "-e:2:1: not readable as YAML"),
        ("@no/such.yml", r"there is no file no/such\.yml"),
        ("@.", "is a folder"),
        ('{"password": "hunter2"}', "the value of 'password' would stand on the command line"),
        ('{"app": {"users": [{"api_key": "hunter2"}]}}', "the value of 'api_key' would stand"),
        ("a=1 password=hunter2", "the value of 'password' would stand"),
        ("password='hunter2'", "the value of 'password' would stand"),
        ("immy_excluded=maybe", "-e: immy_excluded is neither yes nor no"),
        ('{"immy_onboarding": 2}', "-e:1:2: immy_onboarding is neither yes nor no"),
    ],
)
def test_what_is_none_is_refused_without_its_value(given: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        given_variables([given])
    said = str(raised.value)
    assert re.search(message, said), said
    assert "hunter2" not in said


def test_a_variable_that_is_nearly_known_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    given_variables(["immy_exclude=yes"])
    assert "did you mean 'immy_excluded'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["run", "-e", "a=hunter2 b=hunter2"], ["run", "-e", "a=... b=..."]),
        (["-e", '{"a": "hunter2"}', "-e", "@v.yml"], ["-e", "{...}", "-e", "@v.yml"]),
        (["-ea=hunter2", "--extra-vars=a=hunter2"], ["-ea=...", "--extra-vars=a=..."]),
        (["--extra-vars", "{a: hunter2}", '-ye{"a": "hunter2"}'], ["--extra-vars", "{...}", "-ye{...}"]),
        (["-vye", "a=hunter2", "-e", "-e", "x"], ["-vye", "a=...", "-e", "...", "x"]),
        (["-o", "reboot=skip", "--on", "all"], ["-o", "reboot=skip", "--on", "all"]),
    ],
)
def test_the_record_keeps_names_only(words: list[str], kept: list[str]) -> None:
    assert without_values(words) == kept


def everything_in(history: Path) -> str:
    """All cells of all tables, with what is compressed unpacked."""
    found = []
    connection = sqlite3.connect(history)
    for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
        for row in connection.execute(f'select * from "{table}"'):  # noqa: S608 - names of its own tables
            for cell in row:
                if isinstance(cell, bytes):
                    with contextlib.suppress(zlib.error):
                        cell = zlib.decompress(cell)  # noqa: PLW2901 - the same cell, as it was written
                    cell = cell.decode("utf-8", "replace")  # noqa: PLW2901 - as above
                found.append(str(cell))
    connection.close()
    return "\n".join(found)


def test_a_run_takes_them_and_keeps_no_secret(here: tuple[world.Fleet, Lab], tmp_path: Path) -> None:
    fleet, lab = here
    file = tmp_path / "vars.yml"
    given = ("-e", f"@{file}", "-e", '{"a": "one"}')
    file.write_text("b: two\nansible_password: c4nary-hunter2\n", encoding="utf-8")
    run = fleet.run("--on", "plain", "--type", "full", *given)
    assert run.status("plain") == "failed"
    assert "refused" in run.reason("plain")
    file.write_text(f"b: two\nansible_password: {json.dumps(world.PASSWORD)}\n", encoding="utf-8")
    run = fleet.run("--on", "plain", "--type", "full", *given)
    assert run.status("plain") == "passed", run.reason("plain")
    assert "one-two" in world.snapshot(lab, "plain")
    stored = everything_in(next(fleet.root.rglob("history.db")))
    assert "c4nary-hunter2" not in stored
    assert world.PASSWORD not in stored
    assert f"vars:{file}#/ansible_password" in stored


@pytest.mark.parametrize(
    ("given", "code"), [("immy_excluded=maybe", 2), ("hunter2", 2), ("@none.yml", 2), ("a=1 b=2", 0)]
)
def test_explain_and_run_refuse_alike(here: tuple[world.Fleet, Lab], given: str, code: int) -> None:
    fleet, _ = here
    assert fleet.immy("explain", "plain", "task/plan", "-e", given).code == code
    if code:
        done = fleet.immy("run", "--on", "plain", "--type", "detection", "-e", given)
        assert done.code == code
        assert "hunter2" not in done.err


NESTED = """
base: &base {db_password: 0123, port: 1}
app:
  <<: *base
  users: [{name: x, api_key: 'a b'}, {api_key: "{{ other }}"}]
secret/way~: {token: t0ken}
"""


def test_secrets_of_a_file_are_references_that_lead_to_them(tmp_path: Path) -> None:
    file = tmp_path / "v.yml"
    file.write_text(NESTED, encoding="utf-8")
    found: Any = given_variables([f"@{file}"])
    store = SecretStore(Redactor())
    assert found["app"]["port"] == 1
    assert found["app"]["users"][1]["api_key"] == "{{ other }}"
    references = [found["app"]["db_password"], found["app"]["users"][0]["api_key"], found["secret/way~"]["token"]]
    assert [store.reveal(one) for one in references] == ["0123", "a b", "t0ken"]
    file.write_text("app: 1\n", encoding="utf-8")
    with pytest.raises(SecretError, match="does not hold this value any more"):
        SecretStore(Redactor()).reveal(references[0])
