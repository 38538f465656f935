r"""Regular expressions that people write, in time linear in the text (RE2); the one owner of google-re2.

Everything that comes from a file, the command line or a template is compiled here; what this package writes itself may
use `re`. Where they differ from Python's: no lookaround, no backreferences, no atomic groups, no possessive repetition,
no verbose mode and no conditions; at most 1,000 repetitions; `\d`, `\w`, `\s` and `\b` know ASCII only, and `$` is the
very end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import re2

MAX_PROGRAM: Final = 2_000
"""Largest compiled expression: in the worst case each character of a text meets all of it."""
_MAX_PATTERN: Final = 10_000
_MEMORY: Final = 2_000_000
_WITHOUT: Final = "write it without; expressions run in linear time (RE2), see 'Regular expressions' in docs/budgets.md"

_REASONS: Final = (
    (re.compile(r"perl operator: \(\?<?[=!]"), "lookaround is not supported"),
    (re.compile(r"escape sequence: \\[1-9]|perl operator: \(\?P$"), "backreferences are not supported"),
    (re.compile(r"perl operator: \(\?>"), "atomic groups are not supported"),
    (re.compile(r"perl operator: \(\?\("), "conditions inside an expression are not supported"),
    (re.compile(r"perl operator: \(\?#"), "comments inside an expression are not supported"),
    (re.compile(r"perl operator: \(\?[a-zA-Z]"), "this flag is not supported"),
    (re.compile(r"bad repetition operator: .\+"), "possessive repetition is not supported"),
    (re.compile(r"invalid repetition size"), "more than 1,000 repetitions are not supported"),
    (re.compile(r"pattern too large"), "it is too large"),
)


class RegexError(ValueError):
    """An expression cannot be read, or is one of those that need more than linear time; the text says why."""

    def __init__(self, what: str, advice: str = "correct the expression") -> None:
        super().__init__(what)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Regex:
    """One compiled expression; safe for many threads."""

    pattern: str
    size: int
    """Steps that one character of a text may cost at most."""
    _compiled: Any

    def search(self, text: str) -> re2._Match | None:
        """The first match anywhere."""
        return self._compiled.search(_encodable(text))

    def match(self, text: str) -> re2._Match | None:
        """A match at the beginning."""
        return self._compiled.match(_encodable(text))

    def matches(self, text: str) -> Iterator[re2._Match]:
        """All matches that do not overlap, in order."""
        found: Iterator[re2._Match] = self._compiled.finditer(_encodable(text))
        return found


@lru_cache(maxsize=1024)
def compile_regex(pattern: str, *, ignore_case: bool = False, multi_line: bool = False, groups: bool = True) -> Regex:
    """An expression, compiled; without `groups` only whether it matches can be asked, which is quicker.

    Raises: RegexError for what cannot be read, what RE2 does not have, and what is too large.
    """
    import re2

    if len(pattern) > _MAX_PATTERN:
        raise RegexError(f"it is too large: more than {_MAX_PATTERN:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignore_case
    options.never_capture = not groups
    text = _end_of_text(pattern)
    try:
        compiled = re2.compile(f"(?m){text}" if multi_line else text, options)
    except UnicodeEncodeError:
        raise RegexError("it holds half a character") from None
    except re2.error as error:
        raise _wrong(error.args[0], pattern) from None
    if compiled.programsize > MAX_PROGRAM:
        raise RegexError(f"it is too large: {compiled.programsize:,} steps, of at most {MAX_PROGRAM:,}")
    return Regex(pattern, compiled.programsize, compiled)


def replaced(regex: Regex, replacement: str, text: str, count: int, spend: Callable[[int, int], None]) -> str:
    r"""The text with matches replaced, `\1` and `\g<name>` in the replacement filled in.

    `spend` is told after each match how many characters it became and how many are still to be read.

    Raises: RegexError for a group that there is not.
    """
    text = _encodable(text)
    pieces: list[str] = []
    end = 0
    for number, found in enumerate(regex.matches(text), 1):
        try:
            new = found.expand(replacement)
        except (IndexError, UnicodeDecodeError):
            raise RegexError("the replacement names a group that there is not, or ends in a backslash") from None
        spend(len(new), len(text) - found.end())
        pieces += [text[end : found.start()], new]
        end = found.end()
        if number == count:
            break
    return "".join([*pieces, text[end:]])


def _encodable(text: str) -> str:
    """The text with halves of characters, which have no UTF-8, as question marks: places stay the same."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _end_of_text(pattern: str) -> str:
    r"""Python's `\Z` as RE2's `\z`."""
    return re.sub(r"\\(.)", lambda found: r"\z" if found[1] == "Z" else found[0], pattern, flags=re.DOTALL)


def _wrong(said: object, pattern: str) -> RegexError:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    for shape, reason in _REASONS:
        if shape.search(text):
            found = text.rpartition(": ")[2][:20]
            shown = "(?P=" if found == "(?P" and "(?P=" in pattern else found
            return RegexError(f"{reason} ('{shown}')" if ": " in text else reason, _WITHOUT)
    return RegexError(text[:200])
