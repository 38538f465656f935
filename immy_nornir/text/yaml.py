"""YAML files -> nodes with places, by PyYAML's C parser; the one owner of PyYAML.

Two dialects: Ansible's files are YAML 1.1, our own are YAML 1.2 (core schema: no `no` = false, no
sexagesimals, no octal by a leading zero). Duplicate keys are errors in our files and warnings in Ansible's.
Not here: what the values mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import BaseResolver, Resolver

from immy_nornir.model.places import Level, Place, Problem

if TYPE_CHECKING:
    from immy_nornir.model.values import Value

try:
    from yaml.cyaml import CParser as _Parser  # type: ignore[attr-defined]  # libyaml; the package does not export it
except ImportError:  # a PyYAML built without libyaml reads the same, slower
    _Parser = None  # type: ignore[assignment,misc]

Node = yaml.Node
MappingNode = yaml.MappingNode
SequenceNode = yaml.SequenceNode
ScalarNode = yaml.ScalarNode

NULL = "tag:yaml.org,2002:null"
BOOL = "tag:yaml.org,2002:bool"
INT = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
STR = "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"

MAX_DEPTH = 64
"""How many levels a file may have, those behind aliases too."""
MAX_DIGITS = 4_000
"""How long a number may be."""
_SHORT = 3_000
BEYOND = "immy reads no larger files: split it, or write less of it by aliases"
"""The advice of a file that is beyond a limit."""


class Dialect(StrEnum):
    """Which YAML a file is."""

    ANSIBLE = "1.1"
    OURS = "1.2"


MAX_NODES = {Dialect.ANSIBLE: 2_000_000, Dialect.OURS: 100_000}
"""How many values, keys, lists and maps a file may have, where each alias counts as what it stands for."""


class _Resolver12(BaseResolver):
    """The core schema of YAML 1.2.2, section 10.3.2, plus merge keys."""


for _tag, _pattern, _first in (
    (NULL, r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    (BOOL, r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    (INT, r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        FLOAT,
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+0123456789."),
    ),
    (MERGE, r"^(?:<<)$", ["<"]),
):
    _Resolver12.add_implicit_resolver(_tag, re.compile(_pattern), _first)


class _BeyondError(yaml.MarkedYAMLError):
    """A file is larger than any that is read."""


def _too_deep(mark: yaml.Mark | None) -> _BeyondError:
    return _BeyondError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark)


def _too_many(mark: yaml.Mark | None, most: int) -> _BeyondError:
    return _BeyondError(problem=f"more than {most:,} values and keys", problem_mark=mark)


class _Bounded:
    """Refuses texts so deep or so long that reading them would exhaust the stack or the memory.

    The composer calls both for every node but aliases.
    """

    _depth = 0
    _nodes = 0
    _most = 0

    def descend_resolver(self, node: Node | None, _index: object) -> None:
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(node.start_mark if node is not None else None)
        if self._nodes > self._most:
            raise _too_many(_end_of(node), self._most)

    def ascend_resolver(self) -> None:
        self._depth -= 1


def _end_of(node: Node | None) -> yaml.Mark | None:
    """Where the last child ends that a node has so far."""
    if node is None:
        return None
    last = node.value[-1] if node.value and not isinstance(node, ScalarNode) else node
    last = last[1] if isinstance(last, tuple) else last
    return node.start_mark if last is node else last.end_mark


def _loader(dialect: Dialect, resolver: type[BaseResolver]) -> type:
    if _Parser is not None:

        class Loader(_Bounded, _Parser, resolver):  # type: ignore[misc,valid-type]  # bases chosen at run time
            _most = MAX_NODES[dialect]

            def __init__(self, stream: str) -> None:
                _Parser.__init__(self, stream)
                resolver.__init__(self)

        return Loader

    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class PureLoader(_Bounded, Reader, Scanner, Parser, Composer, resolver):  # type: ignore[misc,valid-type]  # as above
        _most = MAX_NODES[dialect]

        def __init__(self, stream: str) -> None:
            Reader.__init__(self, stream)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)
            resolver.__init__(self)

    return PureLoader


_LOADERS = {one: _loader(one, Resolver if one is Dialect.ANSIBLE else _Resolver12) for one in Dialect}
_CONSTRUCTOR11 = SafeConstructor()


def place_of(node: Node, file: str) -> Place:
    """Where a node begins."""
    mark = node.start_mark
    return Place(file, mark.line + 1, mark.column + 1)


def compose(text: str, file: str, dialect: Dialect) -> tuple[Node | None, list[Problem]]:
    """The file's root node (None when empty or unreadable) and what is wrong with it as YAML."""
    loader = _LOADERS[dialect](text)
    try:
        node = loader.get_single_node()
        if node is not None and "&" in text:
            _measure(node, MAX_NODES[dialect], {})
    except yaml.YAMLError as error:
        return None, [_yaml_problem(error, file)]
    finally:
        dispose = getattr(loader, "dispose", None)
        if dispose is not None:
            dispose()
    problems: list[Problem] = []
    if node is not None:
        _look_through(node, file, Level.ERROR if dialect is Dialect.OURS else Level.WARNING, problems, set())
    return node, problems


def _yaml_problem(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    if isinstance(error, _BeyondError):
        return Problem(place, Level.ERROR, f"the file has {what}" if what[0] == "m" else f"the file is {what}", BEYOND)
    advice = "check the indentation and the quotes around it"
    if "\\t" in what or "tab" in what:
        advice = "indent with spaces"
    return Problem(place, Level.ERROR, f"not readable as YAML: {what}", advice)


def _has_too_many_digits(text: str) -> bool:
    # What begins with 0 may be hexadecimal, where fewer digits say more.
    return len(text) > (_SHORT if text.lstrip("+-").startswith("0") else MAX_DIGITS)


def is_beyond(problems: list[Problem]) -> bool:
    """Whether a file was not read because it is larger than any that is read."""
    return any(problem.advice == BEYOND for problem in problems)


def _measure(node: Node, most: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many nodes and levels a node has with all aliases written out; a circle counts once. Raises _BeyondError."""
    if isinstance(node, ScalarNode):
        return 1, 1
    if id(node) not in known:
        known[id(node)] = (0, 0)
        size = depth = 1
        for child in node.value:
            for one in child if isinstance(child, tuple) else (child,):
                count, levels = _measure(one, most, known)
                size += count
                depth = max(depth, levels + 1)
        if size > most:
            raise _too_many(node.start_mark, most)
        if depth > MAX_DEPTH:
            raise _too_deep(node.start_mark)
        known[id(node)] = size, depth
    return known[id(node)]


def _look_through(node: Node, file: str, level: Level, problems: list[Problem], seen: set[int]) -> None:
    if isinstance(node, ScalarNode):
        if len(node.value) > _SHORT and node.tag in (INT, FLOAT) and _has_too_many_digits(node.value):
            what = f"this number has more than {MAX_DIGITS:,} digits"
            problems.append(Problem(place_of(node, file), Level.ERROR, what, "put quotes around it if it is a text"))
            node.tag = STR
        return
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        for child in node.value:
            _look_through(child, file, level, problems, seen)
        return
    keys: dict[str, Node] = {}
    for key, child in node.value:
        if isinstance(key, ScalarNode) and len(key.value) > _SHORT:
            _look_through(key, file, level, problems, seen)
        if isinstance(key, ScalarNode) and key.tag != MERGE:
            first = keys.setdefault(key.value, key)
            if first is not key:
                problems.append(
                    Problem(
                        place_of(key, file),
                        level,
                        f"the key '{key.value}' stands twice in this mapping",
                        f"the first is at line {first.start_mark.line + 1}; keep one of them",
                    )
                )
        _look_through(child, file, level, problems, seen)


def plain(node: Node | None, dialect: Dialect) -> Value:
    """A node as plain Python values; merge keys are applied, unknown tags keep their text, timestamps stay text."""
    if node is None:
        return None
    if isinstance(node, ScalarNode):
        return scalar(node, dialect)
    if isinstance(node, SequenceNode):
        return [plain(child, dialect) for child in node.value]
    result: dict[str, Value] = {}
    for key, child in node.value:
        if key.tag == MERGE:
            for source in child.value if isinstance(child, SequenceNode) else [child]:
                merged = plain(source, dialect)
                if isinstance(merged, dict):
                    result = {**merged, **result}
            continue
        result[_key_text(key, dialect)] = plain(child, dialect)
    return result


def scalar_at(node: Node | None, path: Sequence[str]) -> str | None:
    """The text of a single value, as it is written, by keys and indexes from the top; None where there is none."""
    for step in path:
        match node:
            case MappingNode():
                merged = [pair for key, child in node.value if key.tag == MERGE for pair in _pairs_of(child)]
                found = [child for key, child in (*merged, *node.value) if key.value == step]
                node = found[-1] if found else None
            case SequenceNode() if step.isdigit() and int(step) < len(node.value):
                node = node.value[int(step)]
            case _:
                return None
    return str(node.value) if isinstance(node, ScalarNode) else None


def _pairs_of(source: Node) -> list[tuple[Node, Node]]:
    sources = source.value if isinstance(source, SequenceNode) else [source]
    return [pair for each in reversed(sources) if isinstance(each, MappingNode) for pair in each.value]


def _key_text(key: Node, dialect: Dialect) -> str:
    value = plain(key, dialect)
    return value if isinstance(value, str) else str(value)


def scalar(node: ScalarNode, dialect: Dialect) -> Value:
    """One scalar's value by its dialect."""
    text: str = node.value
    tag = node.tag
    if tag == STR:
        return text
    if tag == NULL:
        return None
    if dialect is Dialect.OURS:
        return _scalar12(tag, text)
    if tag == BOOL:
        return bool(_CONSTRUCTOR11.construct_yaml_bool(node))
    if tag == INT:
        return int(_CONSTRUCTOR11.construct_yaml_int(node))
    if tag == FLOAT:
        return float(_CONSTRUCTOR11.construct_yaml_float(node))
    return text


def _scalar12(tag: str, text: str) -> Value:
    if tag == BOOL:
        return text.lower() == "true"
    if tag == INT:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if tag == FLOAT:
        low = text.lower().replace(".inf", "inf").replace(".nan", "nan")
        return float(low)
    return text


def untagged(node: ScalarNode, dialect: Dialect) -> ScalarNode:
    """A scalar with a tag of its own as what it would be plain and without that tag."""
    resolver = Resolver() if dialect is Dialect.ANSIBLE else _Resolver12()
    tag = resolver.resolve(ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]  # PyYAML
    return ScalarNode(tag, node.value, node.start_mark, node.end_mark, node.style)


def timestamp(node: ScalarNode) -> str:
    """A YAML 1.1 timestamp in ISO 8601; the text itself when it is no date that exists."""
    try:
        return str(_CONSTRUCTOR11.construct_yaml_timestamp(node).isoformat())
    except (ValueError, AttributeError):  # the pattern did not match, or there is no such day
        return str(node.value)


def dump(value: object) -> str:
    """Plain values as block YAML, keys in their order."""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120))
