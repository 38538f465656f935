"""The environment that templates run in: sandboxed Jinja2, strict undefined, and secrets that cannot become text.

Part of text.templates, which is what everybody else uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from functools import partial
from types import BuiltinMethodType, MethodType
from typing import Any, NoReturn, cast

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEscapeFormatter, SandboxedFormatter

from immy_nornir.errors import ImmyError
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.text import growth
from immy_nornir.text.budget import current
from immy_nornir.text.filters import FILTERS
from immy_nornir.text.tolls import TOLLS


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
    """An expression's result as a plain value, paid for; undefined parts raise, what no file can hold: TypeError."""
    if isinstance(value, _Sealed):
        return value._reference  # noqa: SLF001 - the seal is this module's own
    if isinstance(value, jinja2.Undefined):
        value._fail_with_undefined_error()  # noqa: SLF001 - the one way to raise what the undefined value carries
    if isinstance(value, str | bool | int | float) or value is None:
        return str(value) if isinstance(value, str) else value
    current().spend(1 + len(value) // 5 if isinstance(value, Sized) else 1)
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


def _paid(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test that is paid for; what could make long results is asked how long first."""
    wants = getattr(getattr(function, "jinja_pass_arg", None), "name", "")
    estimate = growth.FILTERS.get(name)

    @jinja2.pass_context  # with the context nothing is computed while a template is compiled, where nobody pays
    def paid(context: Any, value: Any, *args: Any, **named: Any) -> Any:
        budget = current()
        budget.spend_on(value, *args, *named.values())
        if name == "join" and isinstance(value, Iterator):
            value = list(value)
        if estimate is not None:
            budget.expect(estimate(value, *args, **named))
        match wants:
            case "context":
                return budget.made(function(context, value, *args, **named))
            case "eval_context":
                return budget.made(function(context.eval_ctx, value, *args, **named))
            case "environment":
                return budget.made(function(context.environment, value, *args, **named))
            case _:
                return budget.made(function(value, *args, **named))

    return paid


class _Formatter(SandboxedFormatter):
    """`str.format`, each field paid for."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        current().spend_on(value)
        current().expect(growth.spec_width(format_spec))
        return current().made(super().format_field(value, format_spec))


class _EscapeFormatter(_Formatter, SandboxedEscapeFormatter):
    """The same for texts that are markup."""


class _Environment(ImmutableSandboxedEnvironment):
    """Ansible-like expressions: keys of maps come before methods of the same name; every operation is paid for."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except KeyError:
                pass
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        budget = current()
        budget.spend_on(left, right)
        growth.check_operation(operator, left, right)
        return budget.made(super().call_binop(context, operator, left, right))

    def call(self, context: Any, function: Any, *args: Any, **named: Any) -> Any:
        budget = current()
        budget.spend_on(*args, *named.values())
        owner = getattr(function, "__self__", None) if isinstance(function, BuiltinMethodType | MethodType) else None
        if isinstance(owner, str | bytes | int | list | tuple | dict):
            budget.spend_on(owner)
            if function.__name__ == "join" and args:
                args = (list(args[0]), *args[1:])
            estimate = growth.METHODS.get(function.__name__)
            if estimate is not None:
                budget.expect(estimate(owner, *args, **named))
        return budget.made(super().call(context, function, *args, **named))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        found = super().wrap_str_format(value)
        if found is None:
            return None
        text = value.__self__
        escape = getattr(text, "escape", None)
        formatter = _Formatter(self) if escape is None else _EscapeFormatter(self, escape=escape)

        def fill(*args: Any, **named: Any) -> str:
            if value.__name__ == "format_map":
                (named,), args = args, ()
            filled: str = type(text)(formatter.vformat(text, args, named))
            return filled

        return fill


def _shown(value: Any) -> Any:
    """What stands between braces, as it becomes text; paid for."""
    current().spend_on(value)
    text = value if isinstance(value, str) else str(value)
    current().write(len(text))
    return text


def _make_environment() -> _Environment:
    environment = _Environment(undefined=NamedUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters.update(FILTERS)
    environment.filters.update(
        {name: _paid(name, cast("Callable[..., Any]", each)) for name, each in environment.filters.items()}
    )
    environment.tests.update(
        {name: _paid("", cast("Callable[..., Any]", each)) for name, each in environment.tests.items()}
    )
    environment.filters.update({name: jinja2.pass_context(each) for name, each in TOLLS.items()})
    environment.finalize = jinja2.pass_context(lambda _context, value: _shown(value))
    for name in ("lipsum", "cycler", "joiner"):
        del environment.globals[name]
    environment.globals.update({"lookup": _refuse_lookup, "query": _refuse_lookup, "q": _refuse_lookup})
    return environment


ENVIRONMENT = _make_environment()
"""The one environment; safe for many threads."""
