"""`docs/words.md`, made from the code: words and times of screens, names in templates, keys of `immy_lab`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

from immy_nornir.decide.detect.facts import GIVEN_NAMES, NAMES, SECTIONS
from immy_nornir.lab import spec
from immy_nornir.model.record.words import ACTIONS, OUTCOMES, REASONS, RUNS, STATES, STATUSES, WAITS, WAITS_FOR
from immy_nornir.text.filters import FILTERS
from immy_nornir.text.plain import plain
from tests.docs.pages import NOTE

GIVEN = {
    "inventory_hostname": "the computer's name",
    "inventory_hostname_short": "its name up to the first dot",
    "group_names": "its groups",
    "groups": "its groups",
    "tenant": "its tenant",
}
_EVERYWHERE = "on screens and in reports"
_FIRST = """\
Screens and reports for operators show one word for one fact, without underscores; programs (`--format json`) get the
words of the record. Reports for customers have sentences instead. What ended by a fault of immy is said to be so; its
details are in `bug.log` in the state folder, and nowhere else."""
_TIMES = """\
Screens show the local time of whoever looks, and say once which offset from UTC that is (`UTC+02:00`): in the head of a
column, behind the times, or before the first line. Where the offset changed in between, each time has its own. JSON has
seconds since 1970 or ISO times in UTC, reports are in UTC. Windows and business hours are told in the computer's own
zone, which is named."""
_TEMPLATES = """\
`{{{{ NAME }}}}` in a parameter, a variable or a definition, and NAME in a condition (`where`), may be: any variable of
the computer, of the play and of `-e`; `params.NAME` in the definition of an item, its parameters; and"""
_FACTS = """\
Conditions read facts too, as `facts.NAME` or `facts.SECTION.NAME`. Names: {names}. Sections: {sections}, where
`facts.inventory.ITEM` is what an inventory item of the fleet said.

Filters, beside Jinja's own: {filters}."""
_LAB = """\
A computer whose variables hold the map `immy_lab` is one that `immy lab up` and `immy demo` simulate."""


def words_page() -> str:
    """The whole page."""
    tables = (
        ("status of a session", STATUSES),
        ("outcome of an action", OUTCOMES),
        ("type of an action", ACTIONS),
        ("what a session waits for", WAITS),
        ("why an action ended so", REASONS),
    )
    parts = ["# Words, times and names", NOTE, "## One word for one fact", _FIRST]
    parts += [_table(f"{kind}, in the record", _EVERYWHERE, _words(words)) for kind, words in tables]
    more = (("where an action without an outcome is", STATES), ("how far a run is", RUNS))
    parts += [
        _table(f"{kind}, in the record", _EVERYWHERE, [(f"`{a}`", b) for a, b in some.items()]) for kind, some in more
    ]
    parts.append(_table("what a session waits for, in the record", "in a sentence: waits for", _words(WAITS_FOR)))
    parts += ["## Times", _TIMES, "## Names in templates and conditions", _TEMPLATES.format()]
    parts.append(_table("name", "meaning", [(f"`{name}`", GIVEN[name]) for name in sorted(GIVEN_NAMES)]))
    lists = {"names": NAMES, "sections": SECTIONS, "filters": FILTERS}
    parts.append(_FACTS.format(**{key: ", ".join(f"`{one}`" for one in sorted(some)) for key, some in lists.items()}))
    parts += ["## Keys of `immy_lab`", _LAB, _about(), _table("key", "default", _keys())]
    parts.append(_table("`misbehave` may hold", "meaning", list(_documented(spec.Misbehaviour))))
    return "\n\n".join(parts) + "\n"


def _words(words: Mapping[Any, str]) -> list[tuple[str, str]]:
    return [(f"`{fact.value}`", word) for fact, word in words.items()]


def _table(head: str, meaning: str, rows: list[tuple[str, str]]) -> str:
    return "\n".join([f"| {head} | {meaning} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def _about() -> str:
    return inspect.getdoc(spec.ComputerSpec).partition("\n\n")[2]  # type: ignore[union-attr]  # it has one


def _keys() -> list[tuple[str, str]]:
    hidden = {"name", "address", "username", "password"}
    rows = []
    for one in fields(spec.ComputerSpec):
        if one.name not in hidden:
            default = one.default if isinstance(one.default, str | int | float | bool | tuple) else ""
            rows.append((f"`{one.name}`", f"`{plain(default)}`" if default not in ("", ()) else ""))
    return rows


def _documented(kind: type[StrEnum]) -> Iterator[tuple[str, str]]:
    """Values of an enumeration with the text below each."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    for one, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant):
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            yield f"`{plain(one.value.value)}`", " ".join(str(text).split())
