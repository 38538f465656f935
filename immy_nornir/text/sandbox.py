"""The environment that templates run in: sandboxed Jinja2, strict undefined, and secrets that cannot become text.

Part of text.templates, which is what everybody else uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from immy_nornir.errors import ImmyError
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.text.filters import FILTERS

MAX_LENGTH: Final = 1_000_000
"""Longest text or list that `*` may make."""


class TemplateError(ImmyError):
    """A template cannot be read or expanded.

    `expression` is its text, `what` the reason, `name` the undefined name if that was the reason, and `position` the
    character (from 0) where reading stopped, if it was not even readable. `of_secret`: a secret stands in other text;
    `unread`: the name belongs to a file that could not be read.
    """

    of_secret = False
    unread = False

    def __init__(
        self, expression: str, what: str, advice: str = "", *, name: str | None = None, position: int | None = None
    ) -> None:
        shown = expression if len(expression) <= 200 else expression[:197] + "..."
        column = "" if position is None else f" at column {position + 1}"
        super().__init__(f"in '{shown}'{column}: {what}", advice)
        self.expression = expression
        self.what = what
        self.name = name
        self.position = position


# --- secrets inside expressions ------------------------------------------------------------------------------


class _Sealed:
    """A reference to a secret while an expression handles it: it can be passed on, never turned into text."""

    __slots__ = ("_reference",)

    def __init__(self, reference: SecretRef) -> None:
        self._reference = reference

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        error = TemplateError(
            f"secret: {self._reference.reference}",
            "a secret cannot be part of other text or of a calculation",
            "give the whole value as the secret, with nothing around it",
        )
        error.of_secret = True
        raise error

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __contains__ = __getitem__ = _refuse
    __int__ = __float__ = __index__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __add__ = __radd__ = __mod__ = __rmod__ = __mul__ = __rmul__ = __eq__ = __ne__ = _refuse

    def __bool__(self) -> bool:
        return True


def seal(value: object) -> object:
    """The value with every reference to a secret in it sealed."""
    match value:
        case SecretRef():
            return _Sealed(value)
        case dict():
            return {key: seal(child) for key, child in value.items()}
        case list() | tuple():
            return [seal(child) for child in value]
        case _:
            return value


def unseal(value: Any) -> Value:
    """An expression's result as a plain value; undefined parts raise, whatever no file can hold is a TypeError."""
    if isinstance(value, _Sealed):
        return value._reference  # noqa: SLF001 - the seal is this module's own
    if isinstance(value, jinja2.Undefined):
        value._fail_with_undefined_error()  # noqa: SLF001 - the one way to raise what the undefined value carries
    if isinstance(value, str | bool | int | float) or value is None:
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        return {str(key): unseal(child) for key, child in value.items()}
    if hasattr(value, "__iter__"):
        return [unseal(child) for child in value]
    raise TypeError(f"the result is a {type(value).__name__}, which no value of a file can be")


# --- the environment -----------------------------------------------------------------------------------------


class UndefinedNameError(jinja2.UndefinedError):
    """Raised inside an expression when an undefined value is used."""

    def __init__(self, message: str | None, name: str, known: tuple[str, ...]) -> None:
        super().__init__(message)
        self.name = name
        self.known = known


class NamedUndefined(jinja2.StrictUndefined):
    """Strict undefined that remembers what it is called and what names stand near it."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = jinja2.utils.missing,
        name: str | None = None,
        exc: Any = jinja2.UndefinedError,
    ) -> None:
        if exc is jinja2.UndefinedError:
            known: tuple[str, ...] = tuple(map(str, obj)) if isinstance(obj, dict) else ()
            path = getattr(obj, "path_of", None)
            exc = partial(UndefinedNameError, name=path(name) if path else str(name), known=known)
        super().__init__(hint, obj, name, exc)


def _refuse_lookup(*arguments: object, **_: object) -> NoReturn:
    what = f"lookup({arguments[0]!r}, ...)" if arguments and isinstance(arguments[0], str) else "lookup(...)"
    raise TemplateError(
        what,
        "lookups are not supported",
        "write a secret as 'secret: env:NAME' or 'secret: file:PATH', a value as a variable",
    )


class _Environment(ImmutableSandboxedEnvironment):
    """Ansible-like expressions: keys of maps come before methods of the same name; no operator makes huge values."""

    intercepted_binops = frozenset({"*", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except KeyError:
                pass
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and isinstance(right, int | float) and abs(right) > 64:
            raise OverflowError("the exponent is larger than 64")
        if operator == "*":
            for text, times in ((left, right), (right, left)):
                if isinstance(text, str | list | tuple) and isinstance(times, int) and len(text) * times > MAX_LENGTH:
                    raise OverflowError(f"the result is longer than {MAX_LENGTH:,}")
        return super().call_binop(context, operator, left, right)


def _make_environment() -> _Environment:
    environment = _Environment(undefined=NamedUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters.update(FILTERS)
    for name in ("lipsum", "cycler", "joiner"):
        del environment.globals[name]
    environment.globals.update({"lookup": _refuse_lookup, "query": _refuse_lookup, "q": _refuse_lookup})
    return environment


ENVIRONMENT = _make_environment()
