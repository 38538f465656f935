"""What a computer's programs do not answer, or do not answer to the end, is told as unread: never as absent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.model.values import Json
from immy_nornir.model.wire import Answer, AnswerStatus, Read, ReadOperation
from immy_nornir.remote.posix.connection import PosixConnection
from tests.remote.posix.conftest import ROOT


def read(connection: PosixConnection, name: Read, params: Mapping[str, Json]) -> Answer:
    return connection.read([ReadOperation("x", name, params)])["x"]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


NOTHING: dict[str, Json] = {"installed": None, "candidate": None}
NOT_FOUND = "echo 'dpkg-query: no packages found matching x' >&2; exit 1"
LOCKED = "echo 'error: the database is locked' >&2; exit 2"
CASES: list[tuple[str, str, dict[str, str], Any]] = [
    ("apt: not installed", "apt", {"dpkg-query": NOT_FOUND, "apt-cache": ""}, NOTHING),
    ("apt: dpkg fails", "apt", {"dpkg-query": LOCKED, "apt-cache": ""},
     {"error": "dpkg-query ended with exit code 2: error: the database is locked"}),
    ("apt: dpkg fails after half its list", "apt", {"dpkg-query": f"echo 'installed 1.0'; {LOCKED}", "apt-cache": ""},
     {"error": "dpkg-query ended with exit code 2: error: the database is locked"}),
    ("apt: half installed", "apt", {"dpkg-query": "echo 'half-installed 1.0'", "apt-cache": ""},
     {"error": "dpkg-query says that its state is half-installed 1.0"}),
    ("apt: removed but for its files", "apt", {"dpkg-query": "echo 'config-files 1.0'", "apt-cache": ""}, NOTHING),
    ("apt: waits for a trigger", "apt", {"dpkg-query": "echo 'triggers-pending 1.0'", "apt-cache": ""},
     {"installed": "1.0", "candidate": None}),
    ("apt: the sources fail", "apt", {"dpkg-query": "echo 'installed 1.0'", "apt-cache": LOCKED},
     {"installed": "1.0", "candidate": None,
      "candidate_error": "apt-cache ended with exit code 2: error: the database is locked"}),
    ("dnf: not installed", "dnf", {"rpm": "echo 'package x is not installed'; exit 1", "dnf": "echo x.noarch 2 main"},
     {"installed": None, "candidate": "2"}),
    ("dnf: rpm fails", "dnf", {"rpm": LOCKED, "dnf": "echo x.noarch 2 main"},
     {"error": "rpm ended with exit code 2: error: the database is locked"}),
    ("dnf: the sources fail", "dnf", {"rpm": "echo 1.0-1", "dnf": LOCKED},
     {"installed": "1.0-1", "candidate": None,
      "candidate_error": "dnf ended with exit code 2: error: the database is locked"}),
    ("dnf: nothing newer", "dnf", {"rpm": "echo 1.0-1", "dnf": "echo 'Error: No matching Packages' >&2; exit 1"},
     {"installed": "1.0-1", "candidate": "1.0-1"}),
    ("brew: not installed", "brew",
     {"sudo": 'while [ "$1" != brew ]; do shift; done; exec "$@"', "brew": 'case $1 in list) exit 1 ;; esac'}, NOTHING),
    ("brew: fails", "brew",
     {"sudo": "echo 'sudo: a password is required' >&2; exit 1", "brew": "echo 'no room on the disk' >&2; exit 1"},
     "error"),
]  # fmt: skip


@pytest.mark.parametrize(("manager", "fakes", "told"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_package_managers(
    connection: PosixConnection, programs: Path, manager: str, fakes: dict[str, str], told: Any
) -> None:
    for name, text in fakes.items():
        put(programs, name, text)
    answer = read(connection, Read.PACKAGES, {"manager": manager, "names": ["x"]})
    assert answer.status is AnswerStatus.OK, answer
    assert isinstance(answer.result, dict)
    row = answer.result["x"]
    if told == "error":
        assert isinstance(row, dict)
        assert row["error"]
        return
    assert row == told


def test_one_name_that_is_none_costs_only_itself(connection: PosixConnection, programs: Path) -> None:
    put(programs, "dpkg-query", "echo 'installed 1.0'")
    put(programs, "apt-cache", "")
    answer = read(connection, Read.PACKAGES, {"manager": "apt", "names": ["-x", "a"]})
    assert answer.result == {"-x": {"error": "no package name: -x"}, "a": {"installed": "1.0", "candidate": None}}


ROW = r"printf 'dpkg\tii \tdash\t0.5\tamd64\tSomebody\n'"


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        (ROW, []),
        (f"{ROW}; echo 'the list is damaged' >&2; exit 2", ["dpkg-query ended with exit code 2: the list is damaged"]),
        (f"{ROW}; exit 1", ["dpkg-query ended with exit code 1: "]),
        (f"{ROW}; printf 'dpkg\\tii \\tcut'", ["a line of dpkg is cut off: dpkg ii  cut"]),
    ],
)
def test_a_list_of_software_that_ends_in_an_error_says_so(
    connection: PosixConnection, programs: Path, text: str, unread: list[str]
) -> None:
    put(programs, "dpkg-query", text)
    entries = read(connection, Read.SOFTWARE, {}).result
    assert isinstance(entries, list)
    maps = [one for one in entries if isinstance(one, dict)]
    assert [one["name"] for one in maps if one.get("key") == "dpkg/dash"] == ["dash"]
    errors = [str(one["error"]) for one in maps if "error" in one]
    assert [begin in said for begin, said in zip(unread, errors, strict=True)] == [True] * len(unread)


def test_a_list_without_packages_is_no_error(connection: PosixConnection, programs: Path) -> None:
    put(programs, "dpkg-query", "echo 'dpkg-query: no packages found matching *' >&2; exit 1")
    assert read(connection, Read.SOFTWARE, {}).result == []


def test_a_path_that_cannot_be_looked_at_is_not_absent(connection: PosixConnection, tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    paths = [str(circle / "a"), str(tmp_path / "none"), str(tmp_path / "none" / "below")]
    told = read(connection, Read.FILE, {"paths": list[Json](paths)}).result
    assert isinstance(told, dict)
    first = told[paths[0]]
    assert isinstance(first, dict)
    assert list(first) == ["error"]
    assert told[paths[1]] is None
    assert told[paths[2]] is None


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_a_file_that_nobody_may_read_has_no_sum_and_says_so(connection: PosixConnection, tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_text("x")
    secret.chmod(0)
    folder.mkdir(mode=0)
    told = read(connection, Read.FILE, {"paths": [str(secret), str(folder / "a")]}).result
    assert isinstance(told, dict)
    one, hidden = told[str(secret)], told[str(folder / "a")]
    assert isinstance(one, dict)
    assert (one["sha256"], one["mode"], one["sha256_error"]) == (None, "0000", "its content could not be read")
    assert isinstance(hidden, dict)
    assert "Permission denied" in str(hidden["error"])


def test_a_service_that_is_no_name_costs_only_itself(connection: PosixConnection) -> None:
    told = read(connection, Read.SERVICE, {"names": ["--version", "no-such-service"]}).result
    assert told == {"--version": {"error": "no service name: --version"}, "no-such-service": None}
