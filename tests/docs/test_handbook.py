"""The handbook is walked as its reader walks it: page after page, in one fleet, with one lab."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.words import ACTIONS, OUTCOMES, STATUSES, WAITS
from tests import warm
from tests.docs.blocks import HANDBOOK, ROOT, Block, Shown, blocks, missing, shown
from tests.docs.handbook import first_cells, order
from tests.waiting import ENOUGH, eventually

SECTIONS = {
    "README.md": "Handbook",
    "sessions.md": "What a maintenance session is",
    "types.md": "Types of maintenance",
    "running.md": "Running maintenance by hand",
    "scheduling.md": "Scheduling maintenance",
    "options.md": "Options",
    "actions.md": "Actions",
    "monitoring.md": "Watching maintenance",
    "history.md": "History and reports",
    "troubleshooting.md": "Troubleshooting",
    "best-practices.md": "Best practices",
}
"""The pages in their order, each with its heading."""
FEWEST, MOST = 40, 90
"""Lines of a page."""


@dataclass
class Reader:
    """Somebody at a shell who types what the pages say."""

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    code: int = 0
    beside: list[subprocess.Popen[str]] = field(default_factory=list)

    def type(self, command: str) -> str:
        """What a command prints on both streams; its exit code is `code`."""
        words = shlex.split(command.removesuffix(" < /dev/null"))  # which is what all of them read here
        match words:
            case ["cd", name]:
                self.folder /= name
            case ["export", said]:
                name, _, value = said.partition("=")
                self.environment[name] = value
            case ["echo", "$?"]:
                said, self.code = str(self.code), 0
                return said
            case ["immy", *rest, "&"]:
                self._beside(rest)
            case ["immy", *rest]:
                with self._start(rest) as process:
                    try:
                        printed: str = process.communicate(timeout=ENOUGH)[0]
                    except BaseException:
                        process.kill()
                        raise
                self.code = process.returncode
                if rest[0] == "init":
                    _elsewhere(self.folder / rest[1])
                return printed
            case _:
                pytest.fail(f"the pages have no such command: {command}")
        return ""

    def _start(self, words: list[str]) -> subprocess.Popen[str]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return warm.Popen([*warm.IMMY, *words], cwd=self.folder, env=self.environment, text=True, **streams)

    def _beside(self, words: list[str]) -> None:
        """Something in another shell; the reader goes on when he sees that it is under way."""
        before = self._begun()
        self.beside.append(self._start(words))
        eventually(lambda: self._begun() > before, "an action of the other shell's run")

    def _begun(self) -> int:
        with sqlite3.connect(f"file:{self.folder / '.immy' / 'history.db'}?mode=ro", uri=True) as history:
            return int(history.execute("SELECT count(*) FROM actions WHERE began_at IS NOT NULL").fetchone()[0])

    def turn_the_page(self) -> None:
        """What was begun in other shells has ended before the next page."""
        for one in self.beside:
            one.communicate(timeout=ENOUGH)
        self.beside.clear()


def _elsewhere(fleet: Path) -> None:
    """The lab's ports of the sample may be another lab's here; nothing else of the fleet is changed."""
    tenants, https = (fleet / "inventory" / "group_vars" / name for name in ("tenants.yml", "over_https.yml"))
    for file, old, port in zip((tenants, https), ("5985", "5986"), _free_ports(), strict=False):
        text = file.read_text("utf-8").replace(f"ansible_port: {old}", f"ansible_port: {port}")
        file.write_text(f"{text}ansible_winrm_scheme: http\n" if file == tenants else text, "utf-8")


def _free_ports() -> Iterator[int]:
    """Free ports of four digits, so that columns are as wide as the pages show them."""
    for port in range(6000 + os.getpid() % 3000, 10000):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            yield port


@contextmanager
def _reader(folder: Path) -> Iterator[Reader]:
    one = Reader(folder)
    try:
        yield one
    finally:
        for each in one.beside:
            each.kill()
        with suppress(FileNotFoundError):
            one.type("immy lab down")


@pytest.mark.slow
def test_the_pages_are_true_from_the_first_to_the_last(tmp_path: Path) -> None:
    with _reader(tmp_path) as reader:
        for page in order():
            for block in blocks(page):
                if block.kind == "yaml":
                    _put(block, reader.folder)
                elif block.kind == "console":
                    _follow(reader, block)
            reader.turn_the_page()
        assert reader.type("immy lab status") == "no lab is running\n", "the last page ends the lab"


def _follow(reader: Reader, block: Block) -> None:
    lines = shown(block)
    for one, after in zip(lines, [*lines[1:], Shown("", ())], strict=True):
        printed = reader.type(one.command)
        gap = missing(one.lines, printed)
        assert not gap, f"{block.name}: {one.command} does not print: {gap}\nbut:\n{printed}"
        assert reader.code == 0 or after.command == "echo $?", f"{block.name}: {one.command}: {reader.code}\n{printed}"


def _put(block: Block, folder: Path) -> None:
    """A file of the sample is shown as it is there; another one is the reader's own."""
    first, _, rest = block.text.partition("\n")
    name = re.fullmatch(r"# ([\w./-]+\.yml)", first)
    assert name, f"{block.name}: the first line names the file, as '# playbooks/weekly.yml'"
    if (ROOT / name[1]).exists():
        assert rest in (ROOT / name[1]).read_text("utf-8"), f"{block.name}: {name[1]} of the sample says something else"
    else:
        (folder / name[1]).write_text(block.text, "utf-8")


# --- what the pages have -----------------------------------------------------------------------------------------


def test_every_section_has_its_page_in_its_place() -> None:
    assert {page.name: page.read_text("utf-8").partition("\n")[0] for page in order()} == {
        name: f"# {head}" for name, head in SECTIONS.items()
    }
    assert sorted(HANDBOOK.glob("*")) == sorted(order())


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_is_short_and_says_what_goes_wrong_there(name: str) -> None:
    text = (HANDBOOK / name).read_text("utf-8")
    assert FEWEST <= text.count("\n") <= MOST + 40 * (name == "options.md")
    assert "## What goes wrong here" in text
    assert "immy " in text.partition("## What goes wrong here")[2], "with the command to type"


def test_every_command_that_a_page_names_is_typed_on_one() -> None:
    typed = [shlex.split(one.command) for page in order() for block in blocks(page, "console") for one in shown(block)]
    wrong = []
    for page in order():
        text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for named in re.findall(r"`(immy [^`]+)`", text):
            words = shlex.split(named)
            wrong += [f"{page.name}: {named}"] * (not any(one[: len(words)] == words for one in typed))
    assert wrong == []


@pytest.mark.parametrize(
    ("page", "head", "words"),
    [
        ("sessions.md", "stage", [one.value for one in Stage]),
        ("sessions.md", "status", list(STATUSES.values())),
        ("types.md", "type", list(BUILT_IN_TYPES)),
        ("actions.md", "type", list(ACTIONS.values())),
        ("actions.md", "outcome", list(OUTCOMES.values())),
        ("monitoring.md", "waits for", list(WAITS.values())),
    ],
)
def test_every_word_of_the_screens_is_explained(page: str, head: str, words: list[str]) -> None:
    assert sorted(first_cells(page, head)) == sorted(words)


def test_exit_codes_are_those_of_the_readme() -> None:
    readme = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert first_cells("running.md", "code") == readme
