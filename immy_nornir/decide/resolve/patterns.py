"""Patterns of computers (`web*:&prod:!old`, `~regex`, `group[0:9]`, `@file`) -> names, as Ansible selects them.

Pure: files of names are read by the caller's `read_file`. The grammar of names and addresses is here too: a
colon may belong to a port, a range or an IPv6 address.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence

from immy_nornir.errors import PatternError
from immy_nornir.model.inventory import Inventory
from immy_nornir.text.regex import Regex, RegexError, compile_regex

LOCALHOST = ("127.0.0.1", "localhost", "::1")

_SUBSCRIPT = re.compile(r"^(.+)\[(?:(-?[0-9]+)|([0-9]+)([:-])([0-9]*))\]$")
_PIECES = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_GLOB = ("?", "*", "[")

_NUMBERS = r"\[(?:[0-9]+:[0-9]+)(?::[0-9]+)?\]"
_HEXADECIMALS = r"\[(?:[0-9a-f]+:[0-9a-f]+)(?::[0-9]+)?\]"
_LETTERS_OR_NUMBERS = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]"
_SIX = rf"(?:[0-9a-f]{{1,4}}|{_HEXADECIMALS})"
_FOUR = rf"(?:[01]?[0-9]{{1,2}}|2[0-4][0-9]|25[0-5]|{_NUMBERS})"
_LABEL = rf"(?:[\w]|{_LETTERS_OR_NUMBERS})(?:[\w_-]|{_LETTERS_OR_NUMBERS})*(?<![_-])"

_BRACKETED_PORT = re.compile(r"^\[(.+)\]:([0-9]+)$")
_PORT = re.compile(r"^((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$")
IPV4 = re.compile(rf"^(?:{_FOUR}\.){{3}}{_FOUR}$", re.IGNORECASE)
IPV6 = re.compile(
    rf"""^
    ((?:{_SIX}:){{7}}{_SIX}|
    (?:{_SIX}:){{1,6}}:|
    (?:{_SIX}:)(?::{_SIX}){{1,6}}|
    (?:{_SIX}:){{2}}(?::{_SIX}){{1,5}}|
    (?:{_SIX}:){{3}}(?::{_SIX}){{1,4}}|
    (?:{_SIX}:){{4}}(?::{_SIX}){{1,3}}|
    (?:{_SIX}:){{5}}(?::{_SIX}){{1,2}}|
    (?:{_SIX}:){{6}}(?::{_SIX})|
    :(?::{_SIX}){{1,6}}|
    {_SIX}?::|
    (?:0:){{6}}(?:{_SIX}\.){{3}}{_SIX}|
    ::(?:ffff:)?(?:{_SIX}\.){{3}}{_SIX}|
    (?:0:){{5}}ffff:(?:{_SIX}\.){{3}}{_SIX})
    $""",
    re.IGNORECASE | re.VERBOSE,
)
_HOSTNAME = re.compile(rf"^{_LABEL}(?:\.{_LABEL})*$", re.IGNORECASE)

ReadFile = Callable[[str], list[str]]


def select(
    inventory: Inventory, pattern: str, limit: str | None = None, *, read_file: ReadFile | None = None
) -> list[str]:
    """The computers that a pattern selects, each once, in Ansible's order; `limit` is a pattern that cuts it down.

    `localhost` is selected though the inventory has none. Raises PatternError when the pattern cannot be read or
    a name in it (glob and regex apart) is no computer and no group; an empty result is no error.
    """
    finder = _Finder(inventory)
    pieces = _pieces(pattern, read_file)
    limits = _pieces(limit, read_file) if limit is not None else None
    missing = finder.unknown(pieces + (limits or []))
    if missing:
        raise PatternError(*_missing(inventory, missing))
    selected = finder.evaluate(pieces)
    if limits is None:
        return selected
    allowed = set(finder.evaluate(limits))
    return [name for name in selected if name in allowed]


def unknown(inventory: Inventory, pattern: str, *, read_file: ReadFile | None = None) -> list[str]:
    """The names in a pattern that are no computer and no group; raises PatternError when it cannot be read."""
    return _Finder(inventory).unknown(_pieces(pattern, read_file))


def members(inventory: Inventory, group: str) -> list[str]:
    """The computers of a group and of all groups below it, each once, in Ansible's order; empty for no group."""
    return _Finder(inventory).members(group)


def split(pattern: str) -> list[str]:
    """A pattern's pieces: by commas, else by colons that are not part of an IPv6 address, a port or a range."""
    if "," in pattern:
        pieces = pattern.split(",")
    elif split_port(pattern):
        pieces = [pattern]
    else:
        closed = pattern.rfind("]") + 1  # what opens behind it is never closed: not worth a look for each
        pieces = _PIECES.findall(pattern[:closed] + pattern[closed:].replace("[", " "))
    return [piece.strip() for piece in pieces if piece.strip()]


def split_port(text: str) -> tuple[str, int | None] | None:
    """A name, address or range and its port (None: no port); None when `text` is none of these.

    An IPv6 address has a port only in brackets: `[2001:db8::1]:5986`.
    """
    port: int | None = None
    for pattern in (_BRACKETED_PORT, _PORT):
        found = pattern.match(text)
        if found:
            text, port = found[1], int(found[2])
    if IPV4.match(text) or IPV6.match(text) or _HOSTNAME.match(text):
        return text, port
    return None


def _pieces(pattern: str, read_file: ReadFile | None) -> list[str]:
    pieces = split(pattern)
    if not pieces:
        raise PatternError("the pattern is empty", "write 'all' for every computer")
    result: list[str] = []
    for piece in pieces:
        if not piece.startswith("@"):
            result.append(piece)
            continue
        if read_file is None:
            raise PatternError(
                f"the pattern '{piece}' names a file, which cannot be read here", "write the names instead"
            )
        try:
            lines = read_file(piece[1:])
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "it is not UTF-8 text"
            raise PatternError(
                f"the file '{piece[1:]}' of the pattern cannot be read: {reason.lower()}", "one name a line is expected"
            ) from None
        result.extend(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))
    return result


class _Finder:
    """Answers for one inventory; keeps members of groups that were asked for."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._members: dict[str, list[str]] = {}
        self._localhost: str | None = None

    def evaluate(self, pieces: Sequence[str]) -> list[str]:
        """Unions first, then intersections, then exclusions, whatever their order."""
        if not pieces:
            return []  # only a file without names: it must not select everything
        plain = [piece for piece in pieces if piece[0] not in "!&"] or ["all"]
        selected: dict[str, None] = {}
        for piece in plain:
            if piece in self._inventory.computers:
                selected[piece] = None
            else:
                selected.update(dict.fromkeys(self._matches(piece)))
        for piece in pieces:
            if piece[0] == "&":
                wanted = set(self._matches(piece[1:]))
                selected = {name: None for name in selected if name in wanted}
        for piece in pieces:
            if piece[0] == "!":
                unwanted = set(self._matches(piece[1:]))
                selected = {name: None for name in selected if name not in unwanted}
        return list(selected)

    def unknown(self, pieces: Iterable[str]) -> list[str]:
        """Plain names that are nothing."""
        result = []
        for piece in pieces:
            name = piece[1:] if piece[0] in "!&" else piece
            if not name:
                raise PatternError(f"the pattern '{piece}' has no name after its sign", "write for example 'all:!old'")
            if name.startswith("~"):
                _regex(name)
                continue
            if name in self._inventory.computers:
                continue
            expression, _ = _subscript(name)
            known = expression in self._inventory.groups or expression in self._inventory.computers
            if not known and expression not in (*LOCALHOST, "all") and not any(sign in expression for sign in _GLOB):
                result.append(expression)
        return list(dict.fromkeys(result))

    def _matches(self, piece: str) -> list[str]:
        expression, subscript = _subscript(piece)
        found = self._enumerate(expression)
        if not found or subscript is None:
            return found
        start, end = subscript
        if end:
            return found[start : (len(found) if end == -1 else end + 1)]
        try:
            return [found[start]]
        except IndexError:
            raise PatternError(
                f"the pattern '{piece}' asks for number {start}, but '{expression}' has {len(found)} computers",
                "numbers count from 0",
            ) from None

    def _enumerate(self, expression: str) -> list[str]:
        groups = _matching(self._inventory.groups, expression)
        found = [name for group in groups for name in self.members(group)]
        if not groups or expression[0] == "~" or any(sign in expression for sign in (".", *_GLOB)):
            found.extend(_matching(self._inventory.computers, expression))
        if not found and expression in LOCALHOST:
            if self._localhost is None:
                self._localhost = next((name for name in self._inventory.computers if name in LOCALHOST), expression)
            found.append(self._localhost)
        return found

    def members(self, group: str) -> list[str]:
        """Breadth first: a group's own computers, those of its children, and so on."""
        known = self._members.get(group)
        if known is not None:
            return known
        if group not in self._inventory.groups:
            return []
        names: dict[str, None] = {}
        level, seen = [group], {group}
        while level:
            below: list[str] = []
            for name in level:
                names.update(dict.fromkeys(self._inventory.groups[name].computers))
                for child in self._inventory.groups[name].children:
                    if child not in seen:
                        seen.add(child)
                        below.append(child)
            level = below
        self._members[group] = list(names)
        return self._members[group]


def _matching(names: Iterable[str], expression: str) -> list[str]:
    if expression[0] != "~" and not any(sign in expression for sign in _GLOB):
        return [expression] if expression in names else []
    match = _regex(expression).match if expression[0] == "~" else re.compile(fnmatch.translate(expression)).match
    return [name for name in names if match(name)]


def _regex(expression: str) -> Regex:
    try:
        return compile_regex(expression[1:], groups=False)
    except RegexError as problem:
        raise PatternError(f"the pattern '{expression:.100}' cannot be read: {problem}", problem.advice) from None


def _subscript(piece: str) -> tuple[str, tuple[int, int | None] | None]:
    found = None if piece.startswith("~") else _SUBSCRIPT.match(piece)
    if found is None:
        return piece, None
    expression, index, start, _, end = found.groups()
    if index:
        return expression, (int(index), None)
    return expression, (int(start), int(end) if end else -1)


def _missing(inventory: Inventory, names: Sequence[str]) -> tuple[str, str]:
    listed = ", ".join(f"'{name}'" for name in names)
    what = "is no computer and no group" if len(names) == 1 else "are no computers and no groups"
    near = difflib.get_close_matches(names[0], [*inventory.groups, *inventory.computers], 3, 0.6)
    if near:
        return f"{listed} {what} of the inventory", "did you mean " + " or ".join(f"'{name}'" for name in near) + "?"
    return f"{listed} {what} of the inventory", "immy inventory list shows all computers and groups"
