"""Conditions (`where:`) over variables and facts -> holds, holds not, or unknown; and which fields the answer rests on.

Three-valued: what rests on an unknown fact or an undefined variable is unknown, and `not` keeps it so; yet
`unknown or true` holds and `unknown and false` does not. Unknown is neither yes nor no, and callers show its names. A
fact that is null is unknown. Not here: how expressions are read (text.templates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from immy_nornir.errors import ImmyError
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.model.words import NEITHER, yes_or_no
from immy_nornir.text.templates import (
    AllOf,
    AnyOf,
    Condition,
    Expression,
    Not,
    Scope,
    TemplateError,
    compile_condition,
)


class ConditionError(ImmyError):
    """A condition cannot be read or computed; `position` counts characters of `text` from 0, None: all of it."""

    def __init__(self, text: str, what: str, advice: str = "", position: int | None = None) -> None:
        column = "" if position is None else f" at column {position + 1}"
        shown = text if len(text) <= 200 else f"{text[:197]}..."
        super().__init__(f"in the condition '{shown}'{column}: {what}", advice)
        self.text = text
        self.position = position


@dataclass(frozen=True, slots=True)
class Holds:
    """The condition is met; `reads` are the fields it rests on: `facts.a.b` and names of variables."""

    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HoldsNot:
    """The condition is not met; `reads` as in Holds."""

    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unknown:
    """The condition cannot be decided, because `names` are not known; `reads` as in Holds, `names` among them."""

    names: tuple[str, ...]
    reads: frozenset[str] = frozenset()


Verdict = Holds | HoldsNot | Unknown


def check(expression: str) -> None:
    """Read a condition without computing it. Raises ConditionError with the position."""
    _compile(expression)


def evaluate(expression: str, variables: Mapping[str, object], facts: Mapping[str, object]) -> Verdict:
    """Whether a condition holds: `facts.NAME` are the facts, every other name is a variable.

    Variables may hold templates; facts never do. Raises ConditionError when the text cannot be read, when known values
    cannot be computed with (a text compared with a number), or when a part that `and`, `or` and `not` join is neither
    yes nor no, in any of their words.
    """
    condition = _compile(expression)
    trace = _Trace()
    scope = Scope(variables, {"facts": _Facts(facts, "facts", trace)})
    try:
        answer = _decide(condition, scope)
    except TemplateError as error:
        raise ConditionError(expression, f"it cannot be computed: {error.what}", error.advice) from None
    fields = frozenset(trace.fields() | scope.names)
    match answer:
        case True:
            return Holds(fields)
        case False:
            return HoldsNot(fields)
        case names:
            return Unknown(names, fields | set(names))


def _compile(expression: str) -> Condition:
    if not expression.strip():
        raise ConditionError(expression, "nothing stands there", "write an expression, or leave the key out")
    try:
        return compile_condition(expression)
    except TemplateError as error:
        # The compiler saw the text without surrounding blanks and braces.
        offset = max(expression.find(error.expression), 0)
        raise ConditionError(expression, error.what, error.advice, offset + (error.position or 0)) from None


_Answer = bool | tuple[str, ...]  # the tuple: names that would have to be known


def _decide(condition: Condition, scope: Scope) -> _Answer:
    match condition:
        case AllOf(left, right):
            return _join(left, right, scope, settled=False)
        case AnyOf(left, right):
            return _join(left, right, scope, settled=True)
        case Not(inner):
            answer = _decide(inner, scope)
            return answer if isinstance(answer, tuple) else not answer
        case Expression():
            try:
                return _said(condition, condition.evaluate(scope))
            except TemplateError as error:
                if error.name is None:
                    raise
                return (error.name,)


def _said(condition: Expression, result: Value) -> bool:
    """The result as yes or no; what it is else is told by its kind alone, for it may be a secret."""
    read = yes_or_no(result)
    if read is None:
        advice = "compare it, as in name == 'value', or ask 'name is defined' or 'name | length > 0'"
        raise TemplateError(condition.source, f"its result is {_kind(result)}, which {NEITHER}", advice)
    return read


def _kind(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return "a text" if value.strip() else "an empty text"
        case SecretRef():
            return "a secret"
        case int() | float():
            return "a number"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"


def _join(left: Condition, right: Condition, scope: Scope, *, settled: bool) -> _Answer:
    """Kleene's `and` (settled by False) and `or` (settled by True)."""
    first = _decide(left, scope)
    if first is settled:
        return settled
    second = _decide(right, scope)
    if second is settled or not isinstance(first, tuple):
        return second
    return first if not isinstance(second, tuple) else tuple(dict.fromkeys(first + second))


class _Trace:
    """Which fields were read: `read` themselves, `passed` on the way to others or to see that they are there."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.passed: set[str] = set()

    def fields(self) -> set[str]:
        """What was read, and of the maps passed those where nothing below was read."""
        everything = self.read | self.passed
        ways = {one for one in self.passed for other in everything if other.startswith((f"{one}.", f"{one}["))}
        return self.read | (self.passed - ways)


class _Facts(Mapping[str, Any]):
    """One map of the facts; notes which of its fields are asked for, and knows what they are called."""

    def __init__(self, values: Mapping[str, object], path: str, trace: _Trace) -> None:
        self._values = values
        self._path = path
        self._trace = trace

    def path_of(self, name: str | None) -> str:
        """What a field is called in conditions."""
        text = str(name)
        return f"{self._path}.{text}" if text.isidentifier() else f"{self._path}[{text!r}]"

    def __getitem__(self, name: str) -> Any:
        value = self._values.get(name)
        path = self.path_of(name)
        if isinstance(value, Mapping):
            self._trace.passed.add(path)
            return _Facts(value, path, self._trace)
        self._trace.read.add(path)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        self._trace.read.add(self.path_of(str(name)))
        return self._values.get(str(name)) is not None

    def __iter__(self) -> Iterator[str]:
        self._trace.read.add(self._path)
        return (name for name, value in self._values.items() if value is not None)

    def __len__(self) -> int:
        self._trace.read.add(self._path)
        return sum(value is not None for value in self._values.values())
