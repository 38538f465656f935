"""Each limit of docs/budgets.md, with a hostile text just below and just beyond it: seconds and memory.

Files go in through `immy lint`, ranges through `immy inventory list`. What a computer would say goes in where
transports and detections read it, in a process of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.measure import BenchError, measure
from bench.table import Settings, Table

_IMMY = [sys.executable, "-m", "immy_nornir"]
_ITEM, _RULE = "tasks/software/x/software.yml", "playbooks/deployments/all.yml"
_REFUSED = (
    "has more than",
    "have more than",
    "more than 1,000",
    "nested deeper",
    "more work",
    "is longer than",
    "too large",
    "not supported",
)
_FLEET = {"inventory/hosts.yml": "tenants: {children: {red: {hosts: {pc1: {ansible_connection: local}}}}}\n"}
_LIST = ("inventory", "list", "pc7")
_WINGET = {"tasks/software/y/software.yml": "winget: A.B\n"}


@dataclass(frozen=True, slots=True)
class Case:
    """A limit, and what is read of a size: below it and beyond it; files, or a program for a process of its own."""

    what: str
    below: int
    beyond: int
    files: Callable[[int], Mapping[str, str]] | None = None
    program: str = ""
    command: tuple[str, ...] = ("lint",)


def _rule(where: str) -> dict[str, str]:
    return {_RULE: f'- {{item: software/y, target: all, state: latest, where: "{where}"}}\n', **_WINGET}


def _groups(count: int) -> dict[str, str]:
    text = "".join(f"[g{n}:children]\ng{n + 1}\n" for n in range(count))
    return {"inventory/m.ini": f"{text}[g{count}]\npc1\n"}


_ENVELOPE = """
from immy_nornir.remote.winrm.envelopes import read_envelope
S = "http://www.w3.org/2003/05/soap-envelope"
text = f"<s:Envelope xmlns:s='{S}'><s:Body>" + {inside} + "</s:Body></s:Envelope>"
try:
    read_envelope(text.encode())
except Exception as error:
    raise SystemExit(7)
"""
_JSON = """
from immy_nornir.text.json import parse_answer
try:
    parse_answer({text})
except ValueError:
    raise SystemExit(7)
"""

CASES = (
    Case("values of an inventory file", 1_990_000, 2_010_000, lambda n: {"inventory/m.yml": _values(n)}),
    Case("values of another YAML file", 99_000, 101_000, lambda n: {_ITEM: "title: [" + "x," * n + "]\n"}),
    Case("values behind aliases, levels of ten each", 4, 11, lambda n: {_ITEM: _laughs(n)}),
    Case("levels of a file", 60, 5_000, lambda n: {_ITEM: "x: " + "[" * n + "]" * n}),
    Case("digits of a number", 3_990, 1_000_000, lambda n: {_ITEM: "winget: X\ntitle: " + "9" * n}),
    Case("computers of a range", 990_000, 999_999_999, lambda n: {"inventory/m.ini": f"pc[1:{n}]\n"}, command=_LIST),
    Case("groups above a group", 990, 1_010, _groups),
    Case("work of a template: numbers in a loop", 100, 1_000_000_000, lambda n: _rule(_loop(n))),
    Case("characters of a template's result", 400_000, 99_999_999_999, lambda n: _rule(f"('a' * {n}) == 'b'")),
    Case("characters of an expression", 19_000, 1_000_000, lambda n: _rule(f"'{'a' * n}' == ''")),
    Case(
        "steps of a regular expression: `(a?b?c?){n}`",
        100,
        900,
        lambda n: {_ITEM: f"detect: {{display_name_regex: '(a?b?c?){{{n}}}'}}\n"},
    ),
    Case(
        "elements of an answer of WinRM",
        99_000,
        3_000_000,
        program=_ENVELOPE.replace("{inside}", '"<a/>" * SIZE'),
    ),
    Case(
        "levels of an answer of WinRM",
        60,
        1_000_000,
        program=_ENVELOPE.replace("{inside}", '"<a>" * SIZE + "</a>" * SIZE'),
    ),
    Case("levels of JSON in an answer", 95, 5_000_000, program=_JSON.replace("{text}", '"[" * SIZE + "]" * SIZE')),
    Case("digits of a number in JSON", 18, 5_000_000, program=_JSON.replace("{text}", '"9" * SIZE')),
)


def _values(count: int) -> str:
    return "a: {vars: {x: [" + "1," * count + "]}}\n"


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [" + "x, " * 10 + "]"]
    lines += [f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 10)}]" for one in range(1, levels)]
    return "\n".join(lines) + "\n"


def _loop(count: int) -> str:
    return f"(range({count}) | map('string') | join) == (range({count}) | map('string') | join)"


def run(settings: Settings) -> Table:
    """Read all of them."""
    table = Table("Budgets", ("limit", "read", "CPU", "memory", "refused", "CPU", "memory"))
    for number, case in enumerate(CASES):
        cells = [case.what]
        for size in (case.below, case.beyond):
            folder = settings.folder / f"{number}-{size}"
            folder.mkdir(parents=True)
            cells += [f"{size:,}", *_figures(case, size, folder)]
        table.add(*cells)
        print(f"  {' | '.join(cells)}", file=sys.stderr, flush=True)
    table.notes.append("Figures are of a whole process, the start of Python and immy included.")
    return table


def _figures(case: Case, size: int, folder: Path) -> tuple[str, str]:
    if case.files is None:
        done = measure([sys.executable, "-c", f"SIZE = {size}\n{case.program}"], folder, codes=(0, 7))
    else:
        for name, text in {**_FLEET, **case.files(size)}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        done = measure([*_IMMY, *case.command], folder, codes=(0, 2))
    refused = done.code == 7 or any(mark in done.out + _stderr(folder) for mark in _REFUSED)
    if refused is not (size == case.beyond):
        raise BenchError(f"{case.what}, {size:,}: {'refused' if refused else 'read'}, which is wrong: {done.out[:500]}")
    return f"{done.cpu:.1f} s", f"{done.memory_mb:.0f} MB"


def _stderr(folder: Path) -> str:
    return (folder / "stderr.txt").read_text("utf-8", "replace")
