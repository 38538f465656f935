"""A secret that a computer says aloud stands nowhere afterwards; ids, keys and what is executed are never touched."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from .fleets import PASSWORD, Fleet, fleet, write

pytestmark = pytest.mark.slow
CANARY = "Zq7 \"ü'\\9&<kR"
"""A secret parameter of a task, with what every format writes in its own way."""
FORMS = {
    "itself": CANARY,
    "JSON": json.dumps(CANARY)[1:-1],
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 of UTF-16": base64.b64encode(CANARY.encode("utf-16-le")).decode(),
    "percent-encoded": quote(CANARY, safe=""),
    "HTML": CANARY.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("'", "&#39;"),
}
SPOKEN = "\n".join(f"{name}: {text};" for name, text in FORMS.items()) + f"\npassword: {PASSWORD};\n"
SCRIPTS = "get: get.ps1\ntest: test.ps1\nset: set.ps1\n"
FILES = {
    "tasks/maintenance/leaks/task.yml": f"parameters:\n  key: {{type: secret}}\n{SCRIPTS}",
    **{f"tasks/maintenance/leaks/{name}.ps1": "'x'\n" for name in ("get", "test", "set")},
    "tasks/inventory/says.yml": "script: says.ps1\n",
    "tasks/inventory/says.ps1": "'x'\n",
    "playbooks/deployments/all.yml": (
        "- {item: task/leaks, target: tenants, mode: enforce, params: {key: {secret: 'env:CANARY'}}}\n"
    ),
    "playbooks/all.yml": "- {name: all, hosts: tenants, maintenance: full, options: {reboot: skip}}\n",
}
LOUD: dict[str, Any] = {
    "os": f"Windows for {CANARY}",
    "values": {"task/leaks": {"seen": SPOKEN, "list": [SPOKEN]}, "says": {"said": SPOKEN}},
    "prints": {"task/leaks": SPOKEN},
    "exits": {"task/leaks": 5},
    "software": ({"name": f"Tool {CANARY}", "version": "1.0"},),
}


def everything_stored(one: Fleet) -> Iterator[tuple[str, str]]:
    """All texts of the history, unpacked, and all other files, by their place."""
    database = sqlite3.connect(f"file:{one.state / 'history.db'}?mode=ro", uri=True)
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
        for row in database.execute(f"SELECT * FROM {table}"):  # noqa: S608 - names of our own tables
            for value in row:
                yield table, unpacked(value) if isinstance(value, bytes) else str(value)
    database.close()
    for file in one.state.rglob("*"):
        if file.is_file() and not file.name.startswith("history.db"):
            yield file.name, file.read_text("utf-8", "replace")


def unpacked(value: bytes) -> str:
    try:
        return zlib.decompress(value).decode("utf-8", "replace")
    except zlib.error:
        return value.decode("utf-8", "replace")


def leaks(text: str) -> list[str]:
    found = [name for name, form in FORMS.items() if form in text]
    return [*found, *(["password"] if PASSWORD in text else [])]


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, dict[str, str]]]:
    """A run on a computer that says all secrets aloud, wherever it can; and what each door showed."""
    root = tmp_path_factory.mktemp("loud")
    with fleet(root, 1, FILES, specs={"pc001": LOUD}) as one:
        one.environment["CANARY"] = CANARY
        said = {}
        for form in ("text", "json"):
            out = one.immy("run", "playbooks/all.yml", "--yes", "--format", form, expect=1)
            said[f"run --format {form}"] = out + one.said
        session = one.sessions()[0]["id"]
        for words in (
            ("sessions", "list"),
            ("sessions", "list", "--format", "json"),
            ("sessions", "show", session),
            ("sessions", "show", session, "--format", "json"),
            ("sessions", "log", session),
            ("sessions", "log", session, "--format", "json"),
            *(("report", "run", "last", "--format", form) for form in ("html", "markdown", "json", "csv")),
            ("inventory", "facts", "pc001"),
            ("explain", "pc001", "task/leaks"),
        ):
            said[" ".join(words).replace(session, "SESSION")] = one.immy(*words, expect=None) + one.said
        yield one, said


def test_the_computer_did_say_it(loud: tuple[Fleet, dict[str, str]]) -> None:
    one, said = loud
    (row,) = one.sessions()[:1]
    log = said["sessions log SESSION"]
    assert "[secret]" in said["sessions show SESSION"] or "[secret]" in log, row


def test_no_door_shows_it(loud: tuple[Fleet, dict[str, str]]) -> None:
    _, said = loud
    shown = {door: found for door, text in said.items() if (found := leaks(text))}
    assert shown == {}


def test_it_is_stored_nowhere(loud: tuple[Fleet, dict[str, str]]) -> None:
    one, _ = loud
    stored = {(place, *found) for place, text in everything_stored(one) if (found := leaks(text))}
    assert stored == set()


WEAK = ["1.0", "2", "software", "pc001", "true", "alpha"]


@pytest.mark.parametrize("word", WEAK)
@pytest.mark.sampled(4)
def test_a_secret_that_is_a_common_word_or_a_number_damages_no_session(tmp_path: Path, word: str) -> None:
    """Ids, keys, versions and what is executed stay what they are, also for who goes on from the record."""
    from tests.waiting import eventually

    from .fleets import kill, software_files

    with fleet(tmp_path, 1, software_files(("alpha", "beta"), ())) as one:
        one.environment["WEAK"] = word
        rules = (tmp_path / "playbooks/deployments/all.yml").read_text()
        parameter = "winget: Vendor.alpha\nreboot: never\nparameters: {key: {type: secret}}\n"
        write(
            tmp_path,
            {
                "tasks/software/alpha/software.yml": parameter,
                "playbooks/deployments/all.yml": rules.replace(
                    "state: latest", "state: latest, params: {key: {secret: 'env:WEAK'}}", 1
                ),
            },
        )
        one.lab.hold()
        process = one.start("run", "playbooks/all.yml", "--yes", "--no-report")
        eventually(lambda: one.lab.events("installer_started"))
        kill(process)
        one.lab.release()
        one.immy("sessions", "resume")
        (row,) = one.sessions()
        assert (row["computer"], row["status"]) == ("pc001", "passed")
        assert {str(each["item"]) for each in one.lab.events("installer_started")} == {
            "software/alpha",
            "software/beta",
        }
        assert set(one.installs().values()) == {1}
        shown = one.show(row["id"])["session"]["actions"]
        assert {action["id"] for action in shown} == {"software/alpha", "software/beta"}
        note = "a secret of this session is short or a common word"
        assert any(line["text"].startswith(note) for line in one.log("pc001"))
        assert json.loads(one.immy("report", "--format", "json"))["weakly_masked"] == ["pc001"]


def test_a_known_secret_in_clear_fails_its_item_and_stands_nowhere(tmp_path: Path) -> None:
    plain = {
        "tasks/maintenance/clear/task.yml": f"parameters:\n  text: {{type: text}}\n{SCRIPTS}",
        **{f"tasks/maintenance/clear/{name}.ps1": "'x'\n" for name in ("get", "test", "set")},
    }
    rules = "- {item: task/clear, target: tenants, mode: enforce, params: {text: 'user x, key Sup3rSecretKey'}}\n"
    files = {**FILES, **plain}
    files["playbooks/deployments/all.yml"] += rules
    with fleet(tmp_path, 1, files) as one:
        one.environment["CANARY"] = "Sup3rSecretKey"
        one.immy("run", "playbooks/all.yml", "--yes", expect=1)
        (row,) = one.sessions()
        assert "parameter 'text' is a known secret in clear" in row["reason"]
        stored = {place for place, text in everything_stored(one) if "Sup3rSecretKey" in text}
        assert stored == set()


def test_a_variable_that_is_a_known_secret_in_clear_is_refused(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, FILES) as one:
        one.environment["CANARY"] = "Sup3rSecretKey"
        one.immy("run", "playbooks/all.yml", "--yes", "-e", "note=the key is Sup3rSecretKey", expect=2)
        assert "the variable 'note' is a known secret in clear" in one.said
        assert "Sup3rSecretKey" not in one.said
        assert {place for place, text in everything_stored(one) if "Sup3rSecretKey" in text} == set()
