"""Tables of the handbook: what is made from the code, and what is compared with it."""

from __future__ import annotations

import re
from pathlib import Path

from immy_nornir.fleet.playbooks import OPTIONS as KEYS
from immy_nornir.model.playbooks import Options
from tests.docs.blocks import HANDBOOK
from tests.docs.pages import table_cell

OPTIONS = HANDBOOK / "options.md"
_MADE = re.compile(r"(?<=<!-- options -->\n).*?(?=<!-- end -->)", re.DOTALL)


def order() -> list[Path]:
    """The pages in the order in which they are read: the index, and then as it lists them."""
    text = (HANDBOOK / "README.md").read_text("utf-8")
    return [
        HANDBOOK / "README.md",
        *(HANDBOOK / name for name in re.findall(r"^\| .+ \| \[.+\]\((\w.+)\) \|$", text, re.M)),
    ]


def options_page() -> str:
    """The page of options with its table made anew."""
    default = Options()
    rows = [f"| `{one.name}` | {_shown(getattr(default, one.name))} | {table_cell(one.about)} |" for one in KEYS]
    table = "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])
    return _MADE.sub(lambda _: f"{table}\n", OPTIONS.read_text("utf-8"))


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def first_cells(page: str, head: str) -> list[str]:
    """What stands in the first column of a table, by the head of that column."""
    text = (HANDBOOK / page).read_text("utf-8")
    table = re.search(rf"^\| {re.escape(head)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table, f"{page} has no table of {head}"
    return [line.split("|")[1].strip().strip("`") for line in table[1].splitlines()]
