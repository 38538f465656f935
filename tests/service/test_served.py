"""Serving a Git ref: half of a checkout is never served, and what failed by chance is tried again."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from immy_nornir.children import GitError, git_or_raise
from immy_nornir.service.served import Served


@dataclass
class Clock:
    """A clock that a test moves."""

    seconds: float = 1000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=An Operator", "-c", "user.email=operator@example.invalid"]
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def committed(clone: Path, text: str) -> str:
    for name in ("one.yml", "two.yml"):
        (clone / name).write_text(text)
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", text)
    return git(clone, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main", "clone")
    committed(tmp_path / "clone", "first")
    return tmp_path / "clone"


def serving(clone: Path, clock: Clock, ref: str = "main", name: str = "served") -> tuple[Served, list[str]]:
    said: list[str] = []
    return Served(clone, ref, clone.parent / name, lambda _: "", clock, said.append), said


@pytest.mark.parametrize("how", ["files are missing", "it was never made"])
def test_half_of_a_checkout_is_made_anew(clone: Path, how: str) -> None:
    served, _ = serving(clone, Clock())
    served.begin()
    newest = committed(clone, "second")
    half = served.folder / newest[:12]
    if how == "files are missing":
        git(clone, "worktree", "add", "-q", "--detach", str(half), newest)
        (half / "two.yml").unlink()
    else:
        half.mkdir()
        (half / "one.yml").write_text("second")
    served._fetch()
    served.look()
    assert served.commit == newest
    assert {(served.root / name).read_text() for name in ("one.yml", "two.yml")} == {"second"}


def test_what_failed_by_chance_is_tried_again_and_said_once(clone: Path) -> None:
    clock = Clock()
    served, said = serving(clone, clock)
    served.begin()
    newest = committed(clone, "second")
    (clone / ".git" / "worktrees").rename(clone / ".git" / "away")
    (clone / ".git" / "worktrees").write_text("as if there were no space")
    served._fetch()
    for _ in range(3):
        served.look()
        clock.sleep(61.0)
    assert served.commit != newest
    assert len([one for one in said if "cannot be served" in one]) == 1
    (clone / ".git" / "worktrees").unlink()
    (clone / ".git" / "away").rename(clone / ".git" / "worktrees")
    served.look()
    assert served.commit == newest
    assert not served.problems


def test_two_services_fetch_two_refs_of_one_clone_into_places_of_their_own(clone: Path) -> None:
    one, other = (serving(clone, Clock(), f"origin/{name}", name)[0] for name in ("main", "staging"))
    assert one._ours != other._ours


@pytest.mark.parametrize("secret", ["pa55word", "pa55@word", "pa55/w@rd"])
def test_what_git_says_of_an_address_holds_no_part_of_its_password(clone: Path, secret: str) -> None:
    git(clone, "remote", "add", "origin", f"nothing://somebody:{secret}@example.invalid/fleet.git")
    with pytest.raises(GitError) as raised:
        git_or_raise(clone, "fetch", f"nothing://somebody:{secret}@example.invalid/fleet.git", remote=True)
    assert not any(part in str(raised.value) for part in ("pa55", "w@rd", "@word"))
