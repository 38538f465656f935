"""Code blocks of Markdown files, and how what a page shows compares with what a command printed.

A `console` block holds commands after `$ ` and what they print. `...` alone on a line stands for any lines. Numbers,
ids and times may differ: the words around them may not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HANDBOOK = ROOT / "docs" / "handbook"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "reports" / "README.md"])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"\b1(?=[a-z0-9]*[a-z])[a-z0-9]{9,}\b")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    kind: str
    text: str

    @property
    def name(self) -> str:
        """The page and the line, for messages."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


@dataclass(frozen=True, slots=True)
class Shown:
    """One command of a `console` block with the lines that the page shows after it."""

    command: str
    lines: tuple[str, ...]


def blocks(page: Path, kind: str = "") -> list[Block]:
    """The fenced blocks of a page, all or of one kind."""
    text = page.read_text(encoding="utf-8")
    found = [Block(page, text.count("\n", 0, one.start()) + 1, one[1], one[2]) for one in _FENCE.finditer(text)]
    return [one for one in found if not kind or one.kind == kind]


def shown(block: Block) -> list[Shown]:
    """The commands of a `console` block."""
    result: list[Shown] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            result.append(Shown(line[2:], ()))
        else:
            result[-1] = Shown(result[-1].command, (*result[-1].lines, line))
    return result


def normal(line: str) -> str:
    """A line without what differs from one time to the next."""
    return _NUMBER.sub("0", _ID.sub("ID", line)).rstrip()


def missing(wanted: tuple[str, ...], printed: str) -> str:
    """The first line of a page that the command did not print at its place; empty when all are there."""
    lines = [normal(line) for line in printed.splitlines()]
    at, free = 0, False
    for line in wanted:
        if line == "...":
            free = True
            continue
        places = [i for i in range(at, len(lines)) if lines[i] == normal(line)]
        if not places or (not free and places[0] != at):
            return line
        at, free = places[0] + 1, False
    rest = [line for line in lines[at:] if line]
    return "" if free or not rest else f"(the end; but then comes {rest[0]!r})"
