"""One item tried out, part by part: on a simulated Windows computer, and with real scripts on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.lab import Lab

from .fleets import Fleet, fleet, software_files, write

pytestmark = pytest.mark.slow

APP = (
    "detect: {display_name: Contoso App}\nversions: [{version: '2.0', url: 'https://example.test/app.exe', sha256: '"
    + "0" * 64
    + "'}]\ninstall: {arguments: /S}\nreboot: never\nrequirements: {architecture: x64}\n"
)
HERE = {
    "inventory/hosts.yml": "all: {hosts: {localhost: {ansible_connection: local}}}\n",
    "tasks/maintenance/thing/task.yml": (
        "platform: linux\nparameters: {folder: {type: text, required: true}}\nget: get.sh\ntest: test.sh\nset: set.sh\n"
    ),
    "tasks/maintenance/thing/get.sh": 'ls "$IMMY_FOLDER" | wc -l\n',
    "tasks/maintenance/thing/test.sh": 'test -e "$IMMY_FOLDER/done"\n',
    "tasks/maintenance/thing/set.sh": 'echo "it is \'set\'"\ntouch "$IMMY_FOLDER/done"\n',
    "tasks/software/app/software.yml": (
        "platform: linux\ndetect: {script: detect.sh}\nversions: [{version: '1.0', url: 'file:///bin/sh'}]\n"
        "install: {script: install.sh}\n"
    ),
    "tasks/software/app/detect.sh": "exit 0\n",
    "tasks/software/app/install.sh": "exit 9\n",
}


def _parts(one: Fleet, *words: str, expect: int = 0) -> dict[str, list[dict[str, Any]]]:
    document = json.loads(one.immy("test", *words, "--format", "json", expect=expect))
    found: dict[str, list[dict[str, Any]]] = {}
    for part in document["parts"]:
        found.setdefault(part["part"], []).append(part)
    return found


def test_software_on_a_simulated_computer(tmp_path: Path) -> None:
    specs: dict[str, dict[str, Any]] = {"pc001": {"exits": {"software/app": [1707, 0]}}}
    files = {**software_files(reboots=()), "tasks/software/app/software.yml": APP}
    with fleet(tmp_path, 2, files, specs=specs) as one:
        one.immy("test", "app", "--on", "pc001", expect=2)
        assert "nobody is here to be asked" in one.said
        assert "--check" not in one.said, "it has no such option"
        one.immy("test", "app", "--on", "tenants", "-y", expect=2)
        assert "'tenants' is 2 computers" in one.said

        found = _parts(one, "app", "--on", "pc001", "--only", "requirements")
        assert (found["requirements"][0]["verdict"], found["requirements"][0]["requires"]) == (
            "met",
            {"architectures": '["x64"]'},
        )
        assert "run" not in found
        found = _parts(one, "app", "--on", "pc001", "--only", "download", "-y")
        assert found["run"][0]["commands"] == [
            f"download https://example.test/app.exe as app.exe, sha256 {'0' * 64}",
        ]
        assert one.immy("test", "app", "--on", "pc001", "--only", "detect").count("not found") == 1

        said = one.immy("test", "app", "--on", "pc001", "-y")
        assert "detect software/app: not found" in said
        assert '    > "app.exe" /S' in said
        assert "exit code 1707 (success)" in said
        assert "detect again software/app: 2.0" in said
        found = _parts(one, "app", "--on", "pc001", "--only", "uninstall", "-y")
        assert (found["detect"][0]["found"], found["detect again"][0]["found"]) == ("2.0", "not found")
        (tmp_path / "FREEZE").write_text("not now\n")
        one.immy("test", "app", "--on", "pc001", "-y", expect=2)
        _parts(one, "app", "--on", "pc001", "--only", "detect")


@pytest.mark.skipif(sys.platform == "win32", reason="local computers are POSIX ones")
def test_items_and_commands_on_this_machine(tmp_path: Path) -> None:
    write(tmp_path, HERE)
    place = tmp_path / "it's a place"
    place.mkdir()
    one = Fleet(tmp_path, Lab([], folder=tmp_path / "lab"), {"IMMY_SPOOL": str(tmp_path / "spool")})
    where = ("--on", "localhost", "-y", "--param", json.dumps({"folder": str(place)}))
    found = _parts(one, "thing", *where)
    assert found["detect"][0]["found"] == "not compliant: 0"
    assert [each["output"] for each in found["ran"]] == ["it is 'set'\n"]
    assert found["verdict"][-1]["found"] == "compliant: 1"
    one.immy("test", "thing", *where, "--only", "uninstall", expect=2)
    assert "a task has no uninstall" in one.said
    one.immy("test", "thing", "--on", "localhost", "--param", "fodler=x", expect=2)
    assert "task/thing has no parameter 'fodler'" in one.said

    found = _parts(one, "app", "--on", "localhost", "-y", expect=1)
    # The trial before ended a moment ago: what was looked at in that second is looked at again.
    assert [(each["exit_code"], each["meaning"]) for each in found["ran"]][-1:] == [(9, "failed")]
    found = _parts(one, "app", "--on", "localhost", "-y", "--only", "download")
    assert found["ran"][0]["output"] == f"{Path('/bin/sh').stat().st_size} bytes\n"

    (tmp_path / "show.sh").write_text('printf "<%s>" "$@"\nexit 4\n')
    words = ["a b", "$HOME", "it's", "ü\nx"]
    document = json.loads(
        one.immy("exec", "localhost", "--script", "show.sh", "--format", "json", "--", *words, expect=1)
    )
    [row] = document["computers"]
    assert (row["exit_code"], row["output"]) == (4, "".join(f"<{word}>" for word in words))
    assert one.immy("exec", "localhost", "--", "echo a; echo b | tr b c").splitlines() == [
        "localhost",
        "    a",
        "    c",
    ]
    one.immy("exec", "localhost", "--shell", "cmd", "--", "dir", expect=1)
    assert "cmd is no shell of this computer (linux)" in one.immy("sessions", "show", "localhost")
    one.immy("exec", "localhost", "--timeout", "1", "--", "sleep", "60", expect=1)
    assert "ended at its deadline of 1 seconds" in one.immy("sessions", "show", "localhost")
