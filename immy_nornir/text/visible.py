r"""Characters that nobody sees, or that rule a terminal or the order of a line -> escapes that everybody sees.

For every text that this program did not write itself: what computers answer, names and values of a fleet's files.
Not here: what HTML, Markdown, CSV and XML need beside that.
"""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = (
    r"\x00-\x1f\x7f-\x9f"  # C0, delete, C1: terminals obey them
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # directions, which show a text in another order
    r"\u2028\u2029"  # ends of lines that only some programs know
    r"\ufeff\ufff9-\uffff"  # byte order mark, annotations, and what is no character (the replacement character stays)
    r"\ud800-\udfff"  # halves of characters: no encoding can write them
    r"\U000e0000-\U000e007f"  # tags, a whole invisible alphabet
)
_ALL: Final = re.compile(f"(?![\ufffc\ufffd])[{_HIDDEN}]")
_BUT_LINES: Final = re.compile(f"(?![\ufffc\ufffd\\n\\t])[{_HIDDEN}]")
_SHORT: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with each hidden character as an escape: `\x1b`, `\u202e`, `\n`.

    With `lines`, newlines and tabs stay what they are. Nothing is taken away, so that no two pieces of a text come
    together that were apart; backslashes stay single, so the result is for eyes and not to be read back. Twice is as
    once. Always can be encoded in UTF-8, and holds only characters that XML allows.
    """
    if text.isprintable():  # nothing hidden is; this takes a hundredth of the time of looking for each
        return text
    return (_BUT_LINES if lines else _ALL).sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
