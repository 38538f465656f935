"""The pages for when something goes wrong: every heading has one, and its commands do what they are for."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.cli.main import run
from tests.docs.blocks import ROOT, blocks
from tests.e2e_robust.fleets import PASSWORD, fleet, software_files

PAGES = ROOT / "docs" / "troubleshooting"
HEADINGS = {
    "stuck.md": "Maintenance session stuck",
    "failed-actions.md": "Failed actions",
    "reboots.md": "Reboot issues",
    "computer-not-reached.md": "The computer is not reached",
    "login-refused.md": "The login is refused",
    "certificate.md": "The certificate is not trusted",
    "host-key.md": "The host key is unknown or has changed",
    "another-computer.md": "Another computer answered",
    "history.md": "The history is locked, full or damaged",
    "window.md": "The window never opens",
    "approval.md": "Approval",
}

BOOK = "- {name: all, hosts: tenants, maintenance: full}\n"


def test_every_heading_has_its_page_and_stands_in_the_list() -> None:
    there = {path.name: path.read_text("utf-8").partition("\n")[0] for path in PAGES.glob("*.md")}
    assert there == {name: f"# {text}" for name, text in HEADINGS.items()} | {
        "README.md": "# When something goes wrong"
    }
    listed = re.findall(r"^\| .+ \| \[(.+)\]\((.+)\) \|$", (PAGES / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {name: text for text, name in listed} == HEADINGS


def commands() -> list[str]:
    """The commands of all pages, each once; a block in a list is indented, which fences of the reader are not."""
    found: list[str] = []
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text("utf-8")
        for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            found += [line.strip() for line in block.splitlines() if line.strip()]
        assert all(block.kind in ("sh", "") for block in blocks(path))
    return list(dict.fromkeys(found))


@pytest.mark.slow
def test_the_commands_of_the_pages_do_what_they_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a computer whose session waits for its window; those that ask for a yes or no are left by nobody's word."""
    monkeypatch.setenv("IMMY_TEST_PASSWORD", PASSWORD)
    window: dict[str, Any] = {"front-desk": {"immy_options": {"window": "2999-01-01T22:00"}}}
    files = {
        **software_files(("alpha",), ()),
        "playbooks/all.yml": "- {name: all, hosts: tenants, maintenance: full}\n",
    }
    with fleet(tmp_path, ["front-desk"], files, variables=window) as one:
        one.immy("run", "playbooks/all.yml", "--yes", "--no-report", expect=5)
        monkeypatch.chdir(one.root)
        codes = {}
        for command in commands():
            words = shlex.split(command)
            assert words[0] == "immy", command
            codes[command] = run(words[1:])
            said = capsys.readouterr()
            assert codes[command] in (0, 1, 4, 5), f"{command}: {codes[command]}: {said.err}"
            assert "Traceback" not in said.err
            if command == "immy sessions stuck":
                assert "window: it waits for window 2999-01-01T22:00" in said.out
        assert codes["immy doctor front-desk"] == 0
        assert codes["immy sessions stuck"] == 0
        assert not one.lab.events("installer_started")
        assert Path.cwd() == one.root
