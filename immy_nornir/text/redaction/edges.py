"""What of a known value may stand at the end or the beginning of a text whose rest is elsewhere.

A text that comes in pieces can be cleaned piece by piece only if it is never cut within a value, whatever stands
between its characters: line ends of an encoder, terminal sequences. Used by `redact`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from immy_nornir.text.redaction.forms import Form
from immy_nornir.text.redaction.unwrap import packed

HELD: Final = 32_000
"""Of longer forms only so much is looked for at the edge of a text: values that have such may be cut."""
_FIRST = 4


class Edges:
    """The beginnings of forms, or with `backwards` their ends; separators do not count."""

    def __init__(self, forms: Iterable[Form], *, backwards: bool = False) -> None:
        self._step = -1 if backwards else 1
        self._texts = sorted({packed(form.text)[:: self._step][:HELD] for form in forms})
        self._longest = max(map(len, self._texts), default=0)
        self._firsts = {text[:_FIRST] for text in self._texts}

    def overlap(self, text: str) -> int:
        """How many of the last characters of a packed text (backwards: of the first) may be part of a form."""
        size = min(len(text), self._longest - 1)
        text = text[:size][::-1] if self._step < 0 else text[len(text) - size :]
        for start in range(size):
            if size - start >= _FIRST and text[start : start + _FIRST] not in self._firsts:
                continue
            rest = text[start:]
            at = bisect_left(self._texts, rest)
            if at < len(self._texts) and self._texts[at].startswith(rest):
                return size - start
        return 0
