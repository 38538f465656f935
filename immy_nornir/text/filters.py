"""Filters that Ansible's users know and Jinja2 lacks, for text.templates alone; pure functions."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from immy_nornir.model.words import NEITHER, yes_or_no


def _bool(value: Any) -> bool:
    """Yes or no in any of its words; unlike Ansible's, what is neither is no no, but an error."""
    read = yes_or_no(value)
    if read is None:
        bool(value)  # what is undefined says so itself
        raise TypeError(f"what stands before '| bool' {NEITHER}")
    return read


def _flags(ignorecase: object, multiline: object) -> int:
    return (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)


def _regex_replace(
    value: Any,
    pattern: str = "",
    replacement: str = "",
    ignorecase: object = None,
    multiline: object = None,
    count: int = 0,
) -> str:
    return re.sub(pattern, replacement, str(value), count=count, flags=_flags(ignorecase, multiline))


def _regex_search(value: Any, pattern: str, *groups: str, ignorecase: object = None, multiline: object = None) -> Any:
    found = re.search(pattern, str(value), _flags(ignorecase, multiline))
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
    for element in value:
        if element not in found:
            found.append(element)
    return found


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "bool": _bool,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "regex_escape": lambda value: re.escape(str(value)),
    "b64encode": _b64encode,
    "b64decode": _b64decode,
    "ternary": _ternary,
    "unique": _unique,
}
