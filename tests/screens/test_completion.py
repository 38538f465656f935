"""What the Tab key offers in each shell, how quickly, and that nothing goes wrong where there is nothing to offer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from immy_nornir.cli.commands.completion import SHELLS
from immy_nornir.cli.commands.files.init import sample_root
from tests.powershell import PWSH, needs_pwsh
from tests.waiting import ENOUGH

pytestmark = pytest.mark.slow


def asked(words: str, cwd: Path, shell: str = "bash", **more: str) -> list[list[str]]:
    """What is offered after a beginning of a command line: (kind, value, ...) each."""
    separated = words.split(" ")
    environment = {"_IMMY_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(separated) - 1)}
    if shell == "fish":
        environment["COMP_CWORD"] = separated[-1]
    if shell == "powershell":
        environment |= {"COMP_WORDS": "\n".join(separated[:-1]), "COMP_CWORD": separated[-1]}
    done = immy([], cwd, {**environment, **more})
    assert done.stderr == ""
    lines = done.stdout.strip().splitlines()
    match shell:
        case "zsh":
            return [lines[start : start + 2] for start in range(0, len(lines), 3)]
        case "powershell":
            return [line.split("\t") for line in lines]
        case _:
            return [line.partition("\t")[0].split(",", 1) for line in lines]


def immy(arguments: list[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "immy_nornir", *arguments],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=ENOUGH,
    )  # fmt: skip


def values(words: str, cwd: Path | None = None, **more: str) -> set[str]:
    return {one[1] for one in asked(words, cwd or sample_root(), **more)}


def test_commands_options_and_names_of_the_fleet() -> None:
    assert {"run", "runs", "sessions", "new"} <= values("immy ")
    assert values("immy sess") == {"sessions"}
    assert values("immy sessions l") == {"list", "log"}
    assert {"--limit", "--type"} <= values("immy run --")
    assert values("immy run --type f") == {"full"}
    assert values("immy run --item software/7") == {"software/7zip"}
    assert {"hl-srv-1", "hartmann_law"} & values("immy run --on h") == {"hl-srv-1", "hartmann_law"}
    assert values("immy explain hl-srv-1 task/screen") == {"task/screen_lock"}
    assert values("immy inventory show hl-srv") == {"hl-srv-1"}
    assert values("immy run --limit tenants,!hl-srv") == {"tenants,!hl-srv-1"}
    assert {one[1] for one in asked("immy run --limit tenants:!hl-srv", sample_root(), "fish")} == {"tenants:!hl-srv-1"}


def test_names_of_a_fleet_that_is_elsewhere(tmp_path: Path) -> None:
    assert values(f"immy -C {sample_root()} inventory show hl-srv", tmp_path) == {"hl-srv-1"}


def test_sessions_and_runs_of_the_history(tmp_path: Path) -> None:
    from immy_nornir.history.store import History
    from tests.history.sample import StillClock, fill, fill_run

    history = History(tmp_path / ".immy", StillClock())
    fill_run(history)
    fill(history, stored=True)
    history.close()
    assert "pc1" in values("immy sessions show ", tmp_path)
    assert len(values("immy runs show ", tmp_path)) == 1


def test_where_there_is_nothing_nothing_is_offered_or_said(tmp_path: Path) -> None:
    for words in ("immy inventory show ", "immy sessions show ", "immy runs show ", "immy run --item "):
        assert values(words, tmp_path) == set()
    assert "run" in values("immy bogus ", tmp_path)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts.yml").write_text("all: {hosts: [\n")
    assert values("immy run --on ", tmp_path) <= {"all", "ungrouped"}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_asks_and_is_answered(shell: str) -> None:
    assert [one[:2] for one in asked("immy inventory show hl-srv", sample_root(), shell)] == [["plain", "hl-srv-1"]]
    script = immy(["completion", shell], sample_root(), {}).stdout
    assert "_IMMY_COMPLETE" in script
    assert "%(" not in script


@needs_pwsh
def test_powershell_completes_with_it(tmp_path: Path) -> None:
    program = tmp_path / "immy"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m immy_nornir "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "try.ps1"
    text = immy(["completion", "powershell"], sample_root(), {}).stdout
    lines = ["immy inventory show hl-srv", "immy sess", "immy run --on sd-dc"]
    tries = [f"(TabExpansion2 '{one}' {len(one)}).CompletionMatches.CompletionText" for one in lines]
    script.write_text("\n".join([text, *tries]))
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [PWSH, "-NoProfile", "-File", str(script)],
        cwd=sample_root(), env=environment, capture_output=True, text=True, check=False, timeout=ENOUGH,
    )  # fmt: skip
    assert done.stdout.split() == ["hl-srv-1", "sessions", "sd-dc-1"], done.stderr


def test_a_thousand_computers_are_completed_quickly(tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    names = "\n".join(f"pc{number:04}" for number in range(1000))
    (tmp_path / "inventory" / "hosts").write_text(f"[tenants]\n{names}\n")
    values("immy run --on pc09", tmp_path)  # what Python compiles once
    began = time.monotonic()
    assert len(values("immy run --on pc09", tmp_path)) == 100
    assert time.monotonic() - began < 5  # half a second where nobody else is at work
