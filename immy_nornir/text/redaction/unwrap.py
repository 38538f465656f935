"""Copies of a text in which what was escaped, coloured, wrapped or set apart stands plain, each with the way back.

Escapes of all notations are resolved together, and again in what comes out: texts quote texts, as JSON does in JSON.
Not here: what is looked for in the copies.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from html.entities import html5
from itertools import accumulate
from typing import Final

DEPTH: Final = 6
"""As often as this a text may have been quoted."""

_HEX = "[0-9A-Fa-f]"


def _utf8_after(mark: str) -> str:
    """A pattern for one character in UTF-8 whose bytes stand in hex, each after this mark; or else for one byte."""
    more = f"{mark}[89ABab]{_HEX}"
    return f"{mark}(?:[CDcd]{_HEX}{more}|[Ee]{_HEX}(?:{more}){{2}}|[Ff][0-7](?:{more}){{3}}|{_HEX}{{2}})"


_ESCAPES = (
    _utf8_after(r"\\x"),
    rf"\\u(?:[Dd][89ABab]{_HEX}{{2}}\\u[Dd][C-Fc-f]{_HEX}{{2}}|{_HEX}{{4}}|\{{{_HEX}{{1,6}}\}})",
    rf"\\U{_HEX}{{8}}",
    r"\\(?:3[0-7]{2}(?:\\2[0-7]{2}){1,3}|[0-3][0-7]{2})",
    r"\\.",
    _utf8_after("%"),
    rf"%u{_HEX}{{4}}",
    rf"&(?:\#[0-9]{{1,16}}|\#[Xx]{_HEX}{{1,16}}|[A-Za-z][A-Za-z0-9]{{1,31}});",
    rf"_x{_HEX}{{4}}_",  # PowerShell's CLIXML
)
_BACKTICK = rf"`(?:u\{{{_HEX}{{1,6}}\}}|.)"
_TERMINAL = (
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]",
    r"\x1b\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)",
    r"\x1b[ -/]{0,8}[0-Z\\^-~]",
    r"\x9b[0-?]{0,64}[ -/]{0,8}[@-~]",
    r"\x00",  # every other character of UTF-16 that was read as something else
)
# Each begins with one plain character: then the engine is quick where no token begins.
_ESCAPE = re.compile(f"({'|'.join(_ESCAPES)})", re.DOTALL)
_TICKED = re.compile(f"({_BACKTICK})", re.DOTALL)
_SEQUENCE = re.compile(f"({'|'.join(_TERMINAL)})")
_JSON_ESCAPE = re.compile(r'\\["\\/bfnrtu]')

_AFTER_BACKSLASH = {
    "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0", "e": "\x1b",
}  # fmt: skip
"""JSON, C, Python, `$'...'`, and PowerShell after its backtick."""
_KEPT = 4096


class _Meanings(dict[str, str]):
    """Token -> what it stands for; remembers those that it met."""

    def __missing__(self, token: str) -> str:
        meaning = _meaning(token)
        if len(self) < _KEPT:
            self[token] = meaning
        return meaning


_MEANINGS = _Meanings()


def _meaning(token: str) -> str:
    kind, second = token[0], token[1:2]
    match kind:
        case "&" if second == "#":
            digits = token[2:-1]
            return _character(int(digits[1:], 16) if digits[0] in "xX" else int(digits))
        case "&":
            return html5.get(token[1:], token)
        case "_":
            return _character(int(token[2:6], 16))
        case "%" if second != "u":
            return _from_bytes(bytes.fromhex(token.replace("%", "")))
        case "\\" if second == "x" and len(token) > 2:
            return _from_bytes(bytes.fromhex(token.replace("\\x", "")))
        case "\\" if second in "0123" and len(token) > 2:
            return _from_bytes(bytes(int(one, 8) for one in token[1:].split("\\")))
        case _ if second in "uU" and len(token) > 2:
            units = [int(one.strip("{}"), 16) for one in re.split(r"\\u", token[2:])]
            if len(units) == 2:
                return chr(0x10000 + ((units[0] & 0x3FF) << 10) + (units[1] & 0x3FF))
            return _character(units[0])
        case _:
            return _AFTER_BACKSLASH.get(second, second)


def _character(code: int) -> str:
    return "?" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else chr(code)


def _from_bytes(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


class Rewritten:
    """A text with some stretches of its source replaced."""

    def __init__(self, source: list[str], meanings: Iterable[str]) -> None:
        """Every second part of the source is replaced by one of the meanings."""
        self._source = source
        self._parts = source.copy()
        self._parts[1::2] = meanings
        self.text = "".join(self._parts)

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self._parts), initial=0))

    @cached_property
    def _source_ends(self) -> list[int]:
        return list(accumulate(map(len, self._source), initial=0))

    def source(self, start: int, end: int) -> tuple[int, int]:
        """From where to where in the source this stretch of the text comes; tokens are taken whole."""
        first, last = bisect_right(self._ends, start) - 1, bisect_right(self._ends, end - 1) - 1
        begin = self._source_ends[first] + (0 if first % 2 else start - self._ends[first])
        close = self._source_ends[last + 1] if last % 2 else self._source_ends[last] + end - self._ends[last]
        return begin, close

    def whole(self, start: int, end: int) -> tuple[int, int]:
        """A stretch of the source, made longer where it begins or ends within an escape as JSON has it.

        What is left of such an escape would make the JSON around it unreadable.
        """
        first = bisect_right(self._source_ends, start) - 1
        if first % 2 and _JSON_ESCAPE.match(self._source[first]):
            start = self._source_ends[first]
        last = bisect_right(self._source_ends, end - 1) - 1
        if last % 2 and _JSON_ESCAPE.match(self._source[last]):
            end = self._source_ends[last + 1]
        return start, end


def resolved(text: str) -> Rewritten:
    """The text with its escapes resolved once; not PowerShell's, whose backtick is a plain character elsewhere."""
    return _with_meanings(_ESCAPE.split(text))


def _unticked(text: str) -> Rewritten:
    return _with_meanings(_TICKED.split(text))


def _with_meanings(parts: list[str]) -> Rewritten:
    return Rewritten(parts, map(_MEANINGS.__getitem__, parts[1::2]))


def _uncoloured(text: str) -> Rewritten:
    parts = _SEQUENCE.split(text)
    return Rewritten(parts, [""] * (len(parts) // 2))


def copies(text: str) -> Iterator[tuple[Rewritten, ...]]:
    """Rewritten copies of the text, each by the steps to it; in the last one nothing more is found.

    Terminal sequences and NULs are left out first, in what was resolved too.
    """
    path: tuple[Rewritten, ...] = ()
    for _ in range(DEPTH):
        before = text
        for rewrite in (_uncoloured, resolved):
            if "`" in text:
                yield *path, _unticked(text)
            step = rewrite(text)
            if step.text != text:
                path, text = (*path, step), step.text
                yield path
        if text == before:
            break
    yield path


SEPARATORS: Final = " \t\r\n:,-+"
"""What stands between the bytes of hex, in a URL's query too, and where lines were wrapped."""
_SEPARATORS = SEPARATORS.encode()
_BLOCK = 4096


def packed(text: str) -> str:
    """The text without separators."""
    return text.encode().translate(None, _SEPARATORS).decode()


# What escapes of the simple kinds are made of, and what they stand for: `\\n`, `\\"`, `''`, a backtick before a quote.
_SMALL_CHANGE = _SEPARATORS + b"\\`\"'/_\0nNrRtT"
_COARSE = bytes.maketrans(bytes(range(65, 91)), bytes(range(97, 123)))
_CONTROLS = re.compile("[\a\b\f\v]")


def coarse(text: str) -> bytes:
    """The text in the alphabet in which it is looked through first: what is in the text is in here too.

    So is what is in it once its escapes are resolved, unless there are such as `hides_something` tells of.
    """
    return text.encode("utf-8", "replace").translate(_COARSE, _SMALL_CHANGE)


def coarse_piece(text: str, size: int) -> bytes:
    """A piece from the middle of a text in that alphabet, by which it can be looked for."""
    # Of control characters an escape leaves its letter there: the piece holds none.
    whole = coarse(max(_CONTROLS.split(text), key=len))
    start = max(0, (len(whole) - size) // 2)
    return whole[start : start + size]


_HARD_BACKSLASH = re.compile(rf"\\(?:u[0-9A-Fa-f{{]|x{_HEX}|U{_HEX}|0|[1-3][0-7]{{2}}|e\[)")
_HARD_BACKTICK = re.compile(r"`(?:u\{|0|e\[)")
_HARD_PERCENT = re.compile(rf"%(?:u{_HEX}|{_HEX}{{2}})")
_HARD_ENTITY = re.compile("&(?:#|[A-Za-z][A-Za-z0-9]{1,31};)")
_HARD_CLIXML = re.compile(rf"_x{_HEX}{{4}}_")


def hides_something(text: str) -> bool:
    """Whether there may be escapes that name a character by its number or its name, or terminal sequences."""
    return (
        ("\\" in text and _HARD_BACKSLASH.search(text) is not None)
        or ("%" in text and _HARD_PERCENT.search(text) is not None)
        or ("&" in text and _HARD_ENTITY.search(text) is not None)
        or ("`" in text and _HARD_BACKTICK.search(text) is not None)
        or ("_x" in text and _HARD_CLIXML.search(text) is not None)
        or "\x1b" in text
        or "\x9b" in text
    )


class Packed:
    """A text without separators."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.text = packed(source)
        self._blocks: dict[int, list[int]] = {}

    @cached_property
    def _ends(self) -> list[int]:
        blocks = (self._source[at : at + _BLOCK] for at in range(0, len(self._source), _BLOCK))
        return list(accumulate((len(block) - sum(map(block.count, SEPARATORS)) for block in blocks), initial=0))

    def source(self, start: int, end: int) -> tuple[int, int]:
        """From where to where in the source this stretch of the text comes."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, place: int) -> int:
        number = bisect_right(self._ends, place) - 1
        if number not in self._blocks:
            block = self._source[number * _BLOCK : (number + 1) * _BLOCK]
            self._blocks[number] = [at for at, one in enumerate(block) if one not in SEPARATORS]
        return number * _BLOCK + self._blocks[number][place - self._ends[number]]
