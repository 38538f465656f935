"""Filters that Ansible's users know and Jinja2 lacks, for text.templates alone; pure functions."""

from __future__ import annotations

import base64
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from immy_nornir.model.words import NEITHER, yes_or_no
from immy_nornir.text.budget import current
from immy_nornir.text.regex import Regex, compile_regex, replaced

_CHARACTERS_A_STEP: Final = 100
"""Of a text and an expression of size 1, in the worst case."""
_SHARE: Final = 20
"""A search that found something has mostly not looked at all that is left."""
REGEX_FILTERS: Final = ("regex_replace", "regex_search")
"""Filters whose first argument is a regular expression."""


def _bool(value: Any) -> bool:
    """Yes or no in any of its words; unlike Ansible's, what is neither is no no, but an error."""
    read = yes_or_no(value)
    if read is None:
        bool(value)  # what is undefined says so itself
        raise TypeError(f"what stands before '| bool' {NEITHER}")
    return read


def _regex(pattern: str, text: str, ignorecase: object, multiline: object) -> Regex:
    """The expression, and what one look through the text costs at most paid for."""
    regex = compile_regex(str(pattern), ignore_case=bool(ignorecase), multi_line=bool(multiline))
    current().spend(1 + len(text) * regex.size // _CHARACTERS_A_STEP)
    return regex


def _regex_replace(
    value: Any,
    pattern: str = "",
    replacement: str = "",
    ignorecase: object = None,
    multiline: object = None,
    count: int = 0,
) -> str:
    text, budget = str(value), current()
    regex = _regex(pattern, text, ignorecase, multiline)
    written = 0

    def spend(new: int, left: int) -> None:
        nonlocal written
        written += new
        budget.expect(written)
        budget.spend(1 + left * regex.size // _CHARACTERS_A_STEP // _SHARE)

    return replaced(regex, str(replacement), text, count, spend)


def _regex_search(value: Any, pattern: str, *groups: str, ignorecase: object = None, multiline: object = None) -> Any:
    text = str(value)
    found = _regex(pattern, text, ignorecase, multiline).search(text)
    if found is None:
        return None
    if not groups:
        return found.group()
    names = [group.lstrip("\\g").strip("<>") for group in groups]
    return [found.group(int(name) if name.isdigit() else name) for name in names]


def _b64encode(value: Any, encoding: str = "utf-8") -> str:
    return base64.b64encode(str(value).encode(encoding)).decode("ascii")


def _b64decode(value: Any, encoding: str = "utf-8") -> str:
    return base64.b64decode(str(value), validate=True).decode(encoding)


def _ternary(value: Any, if_true: Any, if_false: Any, if_none: Any = None) -> Any:
    if value is None and if_none is not None:
        return if_none
    return if_true if value else if_false


def _unique(value: Any) -> list[Any]:
    """Each element once, in the order of first appearance; unlike Jinja's, case counts, as in Ansible."""
    found: list[Any] = []
    plain: set[Any] = set()
    for element in value:
        if isinstance(element, str | int | float):
            if element in plain:
                continue
            plain.add(element)
        else:
            current().spend(1 + len(found) // 10)
            current().spend_on(element)
            if element in found:
                continue
        found.append(element)
    return found


def _sum(value: Any, attribute: str | int | None = None, start: Any = 0) -> Any:
    """Jinja's, with each addition paid for: of lists each is a copy."""
    for element in value:
        if attribute is not None:
            for part in str(attribute).split("."):
                element = element[int(part) if part.isdigit() else part]  # noqa: PLW2901
        current().spend_on(start, element)
        start = current().made(operator.add(start, element))
    return start


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "bool": _bool,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "regex_escape": lambda value: re.escape(str(value)),
    "b64encode": _b64encode,
    "b64decode": _b64decode,
    "ternary": _ternary,
    "unique": _unique,
    "sum": _sum,
}
