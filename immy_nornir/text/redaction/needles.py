"""Many forms looked for in a text at once, in a time that hardly depends on how many they are (Aho-Corasick).

Of each form a short piece is looked for, which few others share, and the rest is compared: so the automaton is small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation, MatchKind

from immy_nornir.text.redaction.forms import Form
from immy_nornir.text.redaction.unwrap import coarse_piece

_PIECE = 8
_FEW = 1500
"""Pieces for which the quickest automaton is still small and soon built."""


class Gate:
    """Whether any of some forms may be in a text; threads may share it."""

    def __init__(self, forms: Iterable[Form]) -> None:
        pieces = {coarse_piece(form.text, _PIECE) for form in forms}
        self._always = b"" in pieces  # of some forms nothing is left in that alphabet
        # Of this kind and in bytes it is up to ten times quicker than what finds all places.
        self._any = BytesAhoCorasick(
            pieces - {b""},
            matchkind=MatchKind.LeftmostFirst,
            implementation=Implementation.DFA if len(pieces) <= _FEW else None,
        )

    def lets_through(self, text: bytes) -> bool:
        """Whether a piece of any form is in this text, both coarse."""
        return self._always or bool(self._any.find_matches_as_indexes(text))


class Needles:
    """Forms to be found; threads may share it. Halves of characters are `?` in forms and texts."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._all = tuple(forms)

    @cached_property
    def _finder(self) -> tuple[AhoCorasick, list[tuple[tuple[Form, int], ...]]]:
        shared = Counter(form.text[at : at + _PIECE] for form in self._all for at in _starts(form.text))
        found: dict[str, list[tuple[Form, int]]] = {}
        for form in self._all:
            sharing = {start: shared[form.text[start : start + _PIECE]] for start in _starts(form.text)}
            at = min(sharing, key=sharing.__getitem__)
            found.setdefault(form.text[at : at + _PIECE], []).append((form, at))
        return AhoCorasick(found, matchkind=MatchKind.Standard), [tuple(one) for one in found.values()]

    def places(self, text: str) -> Iterator[tuple[int, int, Form]]:
        """Every place of every form, those within others included."""
        finder, forms = self._finder
        for number, place, _ in finder.find_matches_as_indexes(text, overlapping=True):
            for form, at in forms[number]:
                start = place - at
                if start >= 0 and text.startswith(form.text, start):
                    yield start, start + len(form.text), form


def _starts(text: str) -> set[int]:
    last = max(0, len(text) - _PIECE)
    return {last * quarter // 4 for quarter in range(5)}
