"""Secret values -> `[secret]` in every text that leaves the process: logs, records, messages, output of jobs.

Knows only the values it was told of (`add`); secrets.SecretStore tells it of every value it reveals. Beside a value as
it is, the forms are found in which programs write it: `forms` has them, `unwrap` undoes escapes. Not here:
guessing what might be a secret, and which texts are to be cleaned.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from immy_nornir.text.redaction.edges import HELD, Edges
from immy_nornir.text.redaction.forms import Form, Kind, forms_of, known, weakness
from immy_nornir.text.redaction.needles import Gate, Needles
from immy_nornir.text.redaction.unwrap import Packed, Rewritten, coarse, copies, hides_something, resolved

MASK: Final = "[secret]"

_ROUNDS = 8
_SMALL = 16
"""So many values are looked for together, however often one comes."""
_LINE_END = r"(?:[ \t\r]{0,20}\n[ \t]{0,40})?"
_BESIDE = 80
_DIGIT_BEFORE = re.compile(rf"[A-Za-z0-9+/_-]{_LINE_END}\Z")
_DIGIT_AFTER = re.compile(rf"{_LINE_END}[A-Za-z0-9+/_-]")
_PADDING = re.compile(f"{_LINE_END}=+")

_Place = tuple[int, int]


class _Shelf:
    """Some of the known values, ready to be looked for."""

    def __init__(self, values: frozenset[str]) -> None:
        self.values = values
        forms = dict.fromkeys(form for value in sorted(values) for form in forms_of(value))
        self.gate = Gate(forms)
        self.plain = Needles(form for form in forms if form.kind in (Kind.PLAIN, Kind.WORD))
        self.packed = Needles(form for form in forms if form.kind in (Kind.ENCODED, Kind.WRAPPED))
        self._forms = tuple(forms)

    @cached_property
    def begins(self) -> Edges:
        return Edges(self._forms)

    @cached_property
    def ends(self) -> Edges:
        return Edges(self._forms, backwards=True)


class Redactor:
    """Replaces known secret values in texts; many threads may add and clean at the same time.

    The time that a text takes grows with its length, and hardly with how many values are known. What `clean` returned
    it returns unchanged. A weak value (`is_weak`) is replaced only where it stands as a whole word, escaped or not.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._new: set[str] = set()
        # Replaced whole, so that readers need no lock. Each holds more than twice as many values as the next one:
        # so a value that comes late is ready at once, and there are few of them.
        self._shelves: tuple[_Shelf, ...] = ()
        self._weak: tuple[_Shelf, ...] = ()
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Make a value known; empty ones and pure white space are ignored."""
        if not value.strip():
            return
        with self._lock:
            if value not in self._values:
                self._values.add(value)
                self._new.add(value)

    def is_weak(self, value: str) -> bool:
        """Whether a value is so short or so common that only whole words are replaced, and no encodings of it."""
        return bool(weakness(value))

    def weaknesses(self) -> dict[str, int]:
        """Why known values are weak, in words that do not tell them, and how many are so."""
        with self._lock:
            values = tuple(self._values)
        found: dict[str, int] = {}
        for reason in filter(None, map(weakness, values)):
            found[reason] = found.get(reason, 0) + 1
        return found

    def clean(self, text: str, *, weak: bool = True) -> str:
        """The text with every known value, in every known form, replaced by `[secret]`; not `weak`: no weak ones."""
        if self._new:
            self._settle()
        shelves = (*self._shelves, *self._weak) if weak else self._shelves
        if not shelves:
            return text
        for _ in range(_ROUNDS):  # what stands beside a replaced word may now be a word of its own
            if not _suspect(shelves, text):
                break
            places = _places(shelves, known(text))
            if not places:
                break
            text = _masked(text, places)
        return text

    def settled(self, text: str) -> int:
        """How much of a text can be cleaned without what comes after it: no known value is begun there and not ended.

        At the most twice `edges.HELD` characters are left over.
        """
        shelves = self._ready()
        first = max(0, len(text) - 2 * HELD)  # twice: values that end before what is held back are seen whole
        tail = known(text[first:])
        cut = begun = min((_open_end(shelf, tail) for shelf in shelves), default=len(tail))
        if begun < len(tail):
            cut = _before_word(tail, begun)
            for start, end in reversed(_places(shelves, tail)):
                if start < cut < end <= begun:
                    cut = end
                elif start < cut < end:
                    begun, cut = start, _before_word(tail, start)
        return first + cut

    def torn(self, text: str) -> int:
        """How much of a text's beginning may be the end of a known value that began before it."""
        head = known(text[:HELD])
        return max((_open_begin(shelf, head) for shelf in self._ready()), default=0)

    def _ready(self) -> tuple[_Shelf, ...]:
        if self._new:
            self._settle()
        return (*self._shelves, *self._weak)

    def clean_value(self, value: Any) -> Any:
        """A copy of nested lists and maps with every text in them cleaned; keys of maps and other values stay."""
        match value:
            case str():
                return self.clean(value)
            case Mapping():
                return {key: self.clean_value(child) for key, child in value.items()}
            case list():
                return [self.clean_value(child) for child in value]
            case tuple():
                return tuple(self.clean_value(child) for child in value)
            case bytes():
                return self.clean(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            case _:
                return value

    def _settle(self) -> None:
        with self._lock:
            if not self._new:  # another thread was quicker
                return
            weak = frozenset(one for one in self._new if weakness(one))
            self._shelves = _with(self._shelves, frozenset(self._new - weak))
            self._weak = _with(self._weak, weak)
            self._new = set()


def _with(shelves: tuple[_Shelf, ...], values: frozenset[str]) -> tuple[_Shelf, ...]:
    left = list(shelves)
    while values and left and len(left[-1].values) <= max(_SMALL, 2 * len(values)):
        values |= left.pop().values
    return (*left, _Shelf(values)) if values else shelves


def _last_copy(text: str) -> tuple[tuple[Rewritten, ...], str]:
    *_, steps = copies(text)
    return steps, steps[-1].text if steps else text


def _open_end(shelf: _Shelf, text: str) -> int:
    steps, last = _last_copy(text)
    view = Packed(last)
    size = shelf.begins.overlap(view.text)
    if not size:
        return len(text)
    (place,) = _back(steps, [view.source(len(view.text) - size, len(view.text))])
    return place[0]


def _open_begin(shelf: _Shelf, text: str) -> int:
    steps, last = _last_copy(text)
    view = Packed(last)
    size = shelf.ends.overlap(view.text)
    if not size:
        return 0
    (place,) = _back(steps, [view.source(0, size)])
    return place[1]


def _before_word(text: str, place: int) -> int:
    """The beginning of the word there, with a character before a line end that may hold some bits of the value."""
    if hit := _DIGIT_BEFORE.search(text, max(0, place - _BESIDE), place):
        place = hit.start()
    while place and not text[place - 1].isspace():
        place -= 1
    return place


def _suspect(shelves: tuple[_Shelf, ...], text: str) -> bool:
    """Whether anything may be in the text; hardly ever is it so, and hence this is what takes time."""
    if _passes(shelves, text):
        return True
    if not hides_something(text):
        return False
    return any(_passes(shelves, step.text) for *_, step in filter(None, copies(known(text))))


def _passes(shelves: tuple[_Shelf, ...], text: str) -> bool:
    seen = coarse(text)
    for shelf in shelves:  # noqa: SIM110 - any() with a generator takes three times as long
        if shelf.gate.lets_through(seen):
            return True
    return False


def _places(shelves: tuple[_Shelf, ...], text: str) -> list[_Place]:
    """Where known values stand, in order, none within another one."""
    found = [place for shelf in shelves for place in _plain(shelf.plain, text)]
    steps: tuple[Rewritten, ...] = ()
    for steps in copies(text):
        for shelf in shelves if steps else ():
            found += _back(steps, _plain(shelf.plain, steps[-1].text))
    last = steps[-1].text if steps else text
    for shelf in shelves:
        found += _back(steps, _packed(shelf.packed, last))
    return _joined(text, found) if found else found


def _plain(needles: Needles, text: str) -> Iterator[_Place]:
    for start, end, form in needles.places(text):
        if form.kind is Kind.PLAIN or not (_in_word(text[start - 1 : start]) or _in_word(text[end : end + 1])):
            yield start, end


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _packed(needles: Needles, text: str) -> Iterator[_Place]:
    view = Packed(text)
    for start, end, form in needles.places(view.text):
        if form.kind is Kind.WRAPPED:
            place = view.source(start, end)
            between = text[slice(*place)]
            if "".join(between.split()) == form.spelled and ("\n" in between or "\r" in between):
                yield place
        else:
            yield _all_of(form, text, *view.source(start, end))


def _all_of(form: Form, text: str, start: int, end: int) -> _Place:
    """With the characters beside it that hold some bits of the value, and with what fills up its end."""
    if form.before and (hit := _DIGIT_BEFORE.search(text, max(0, start - _BESIDE), start)):
        start = hit.start()
    if form.after and (hit := _DIGIT_AFTER.match(text, end)):
        end = hit.end()
    padding = _PADDING.match(text, end)
    return start, padding.end() if padding else end


def _back(steps: tuple[Rewritten, ...], places: Iterable[_Place]) -> list[_Place]:
    found = list(places)
    for step in reversed(steps):
        found = [step.source(*place) for place in found]
    return found


def _joined(text: str, places: list[_Place]) -> list[_Place]:
    """Places of the text itself: those that overlap are one, and what was replaced already is none."""
    whole: Callable[[int, int], _Place] = resolved(text).whole
    found: list[_Place] = []
    masks = {hit.span() for hit in re.finditer(re.escape(MASK), text)}
    for start, end in sorted(masks.union(whole(*place) for place in places)):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return [place for place in found if place not in masks]


def _masked(text: str, places: list[_Place]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in places:
        parts += text[done:start], MASK
        done = end
    return "".join((*parts, text[done:]))
