"""How much work one template may be: steps, counted beside every operation, and characters of its result.

A step is about a microsecond. What runs in C for long (a text times a number, a comparison of long lists) is paid for
before it runs, by the weight of what it works on. Not here: which operations there are (text.sandbox).
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from contextvars import ContextVar, Token
from typing import Any, Final

MAX_LENGTH: Final = 1_000_000
"""Longest text that a template gives, or makes on the way, in characters."""
MAX_WEIGHT: Final = 10_000_000
"""Heaviest list or map on the way: its texts, and what lies in it several times as often."""
MAX_DIGITS: Final = 4_000
"""Longest whole number."""
MAX_BITS: Final = MAX_DIGITS * 10 // 3
MAX_DEPTH: Final = 64
WORK: Final = 30_000
"""Steps of one template: about 100 ms here."""
_CHARACTERS_A_STEP: Final = 500
_VALUES_A_STEP: Final = 10
_ADVICE: Final = "do such work in a script, or give the value as it is"
_CONTAINERS = (dict, list, tuple, set, frozenset)
_VIEWS = (range, KeysView, ValuesView, ItemsView)
_LIGHT: Final = frozenset({bool, float, type(None)})
_UNSEEN: Final = 5_000


class BudgetError(Exception):
    """A template is too much work, or its result too long."""

    advice = _ADVICE


class Budget:
    """What is left for one evaluation; for one thread."""

    __slots__ = ("_known", "_left", "_room")

    def __init__(self, work: int = WORK, room: int = MAX_LENGTH) -> None:
        self._left = work
        self._room = room
        self._known: dict[int, tuple[object, int]] = {}

    def spend(self, steps: int) -> None:
        """Pay for work. Raises BudgetError when there is nothing left."""
        self._left -= max(steps, 0)
        if self._left < 0:
            raise BudgetError("it is too much work for a template")

    def write(self, characters: int) -> None:
        """Count text that becomes part of the result. Raises BudgetError when it is too long."""
        self.spend(1 + characters // _CHARACTERS_A_STEP)
        self._room -= characters
        if self._room < 0:
            raise BudgetError(f"the result is longer than {MAX_LENGTH:,} characters")

    def spend_on(self, *values: object) -> None:
        """Pay for one operation on these values. Raises BudgetError."""
        weight = 0
        for value in values:
            # The usual values cost nothing worth a look; what is left pays for each look.
            if type(value) not in _LIGHT and (type(value) is not str or len(value) > _CHARACTERS_A_STEP):
                weight += self._weigh(value, 0)
        self.spend(1 + weight // _CHARACTERS_A_STEP)

    def expect(self, characters: int) -> None:
        """Refuse what would be too long before it is made. Raises BudgetError."""
        if characters > MAX_LENGTH:
            raise BudgetError(f"the result is longer than {MAX_LENGTH:,} characters")
        self.spend(characters // _CHARACTERS_A_STEP)

    def made(self, value: Any) -> Any:
        """A value that an operation made, paid for; what gives its elements one by one pays for each."""
        if isinstance(value, str | bytes):
            self.expect(len(value))
        elif isinstance(value, int):
            if value.bit_length() > MAX_BITS:
                raise BudgetError(f"a number has more than {MAX_DIGITS:,} digits")
        elif isinstance(value, _CONTAINERS):
            self.spend_on(value)
            if self.weigh(value) > MAX_WEIGHT:
                raise BudgetError(f"a list or map is heavier than {MAX_WEIGHT:,} characters")
        elif isinstance(value, Iterator):
            return self._one_by_one(value)
        return value

    def _one_by_one(self, values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            self.spend_on(value)
            yield value

    def weigh(self, value: object) -> int:
        """About how many characters the value has as text, or what it costs to look through it. Raises BudgetError."""
        return self._weigh(value, 0)

    def _weigh(self, value: object, depth: int) -> int:
        if isinstance(value, str | bytes):
            return len(value) + 1
        if isinstance(value, int):
            return 2 + value.bit_length() // 3
        if not isinstance(value, _CONTAINERS):
            if isinstance(value, _VIEWS):
                return 8 * len(value)
            return _UNSEEN if isinstance(value, Mapping) else 10
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        if depth > MAX_DEPTH:
            raise BudgetError(f"a value is nested deeper than {MAX_DEPTH} levels")
        self.spend(len(value) // _VALUES_A_STEP)
        weight = 2 + 2 * len(value) + sum(self._weigh(child, depth + 1) for child in value)
        if isinstance(value, dict):
            weight += sum(self._weigh(child, depth + 1) for child in value.values())
        self._known[id(value)] = value, weight  # kept, so that nothing else gets its id
        return weight


_CURRENT: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget:
    """The budget of the evaluation under way; a new one outside of all."""
    return _CURRENT.get() or Budget()


def spending(budget: Budget) -> Token[Budget | None]:
    """Let everything pay from this budget until `spent` is called with the answer."""
    return _CURRENT.set(budget)


def spent(before: Token[Budget | None]) -> None:
    """Go back to the budget that was paid from before."""
    _CURRENT.reset(before)
