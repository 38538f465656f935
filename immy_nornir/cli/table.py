"""Tables on screens: heads, columns as wide as they have to be, the last one cut where a terminal ends."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence

from immy_nornir.cli.door import say


def lines(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """The heads and the rows; each cell is one line, and with a width the whole line is cut to it."""
    table = [list(heads), *([" ".join(cell.split()) for cell in row] for row in rows)]
    columns = [max(len(row[number]) for row in table) for number in range(len(heads))]
    for row in table:
        text = "  ".join(cell.ljust(wide) for cell, wide in zip(row, columns, strict=True)).rstrip()
        yield text if width is None or len(text) <= width else f"{text[: width - 3]}..."


def show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: whole into a pipe, cut to the width of a terminal."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines(heads, rows, width):
        say(line)
