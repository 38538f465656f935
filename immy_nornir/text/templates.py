"""Late templates: `{{ ... }}` in values of files -> plain values; the one owner of Jinja2.

Stands below every stage: connection variables, parameters and conditions are expanded here when they are needed.
Sandboxed and strict: an undefined name is an error that names itself. Values that hold templates are expanded when an
expression asks for them. References to secrets pass through untouched and can never become text here.
Not here: where the values come from, and what a condition's answer means.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import jinja2
from jinja2 import nodes
from jinja2.parser import Parser

from immy_nornir.model.values import Names, UnsafeText, Value
from immy_nornir.text.budget import MAX_DIGITS, MAX_LENGTH, Budget, BudgetError, spending, spent
from immy_nornir.text.filters import FILTERS
from immy_nornir.text.regex import RegexError
from immy_nornir.text.sandbox import ENVIRONMENT, NamedUndefined, TemplateError, UndefinedNameError, seal, unseal
from immy_nornir.text.tolls import RegexSyntaxError, with_tolls

__all__ = [
    "AllOf",
    "AnyOf",
    "Condition",
    "Expression",
    "Not",
    "Scope",
    "TemplateError",
    "check",
    "compile_condition",
    "compile_expression",
    "expand",
    "is_template",
]

_T = TypeVar("_T")
MAX_DEPTH: Final = 30
"""How many variables may lead to one another."""
MAX_EXPRESSION: Final = 20_000
MAX_TOKENS: Final = 20_000
_KINDS: Final[Mapping[type[BaseException], str]] = {
    ZeroDivisionError: ": something is divided by zero",
    OverflowError: ": a number is too large",
    ValueError: ": a value is not what an operator or a filter takes",
    KeyError: ": a key is not there",
    IndexError: ": a list has no such place",
    AttributeError: ": a value has no such part",
    RecursionError: ": it is nested too deep",
    MemoryError: ": it is too large",
}
_RESULT: Final = "_immy_result"
_CR: Final = "\ue00d"  # Jinja turns CR LF into LF; literal text must stay as it was written


def expand(value: Value, variables: Mapping[str, object]) -> Value:
    """A value with all its templates expanded over `variables`, in lists and in the values of maps too.

    A text that is exactly one `{{ expression }}` gives the expression's own value (number, list, SecretRef), every
    other one gives text. Values without templates are returned as they are. Raises TemplateError.
    """
    return _deep(value, Scope(variables))


def is_template(text: str) -> bool:
    """Whether a text would be expanded at all."""
    return "{{" in text or "{%" in text or "{#" in text


def check(text: str) -> None:
    """Read a text with templates without expanding it. Raises TemplateError."""
    _compile_text(text)


# --- expanding -----------------------------------------------------------------------------------------------


class Scope(dict[str, Any]):
    """The names of one evaluation: `variables`, expanded when asked for, and `data`, taken as it is.

    Facts belong into `data`: what a computer says of itself is never a template. `names` collects the variables that
    were asked for; `budget` is what all expressions over it may cost together.
    """

    def __init__(self, variables: Mapping[str, object], data: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self.variables = variables
        self.data = data or {}
        self.names: set[str] = set()
        self.budget = Budget()
        self._ready: dict[str, object] = {}
        self._open: list[str] = []

    def __contains__(self, name: object) -> bool:
        known = name in self.data or name in self.variables or name in ENVIRONMENT.globals
        return known or self._is_unread(name)

    def _is_unread(self, name: object) -> bool:
        """By Ansible's custom a variable of a file that was not read; then even `default` would be a guess."""
        return _lacks(self.variables) and str(name).startswith("vault_")

    def __getitem__(self, name: str) -> object:
        if name in self.data:
            return self.data[name]
        if name not in self.variables:
            if self._is_unread(name):
                error = TemplateError(f"{{{{ {name} }}}}", _unread(name, self.variables))
                error.unread = True
                raise error
            return ENVIRONMENT.globals[name]
        self.names.add(name)
        if name not in self._ready:
            self._ready[name] = self._expand(name)
        return self._ready[name]

    def _expand(self, name: str) -> object:
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise TemplateError(
                f"{{{{ {name} }}}}", f"variables need one another in a circle: {circle}", "break the circle"
            )
        if len(self._open) >= MAX_DEPTH:
            raise TemplateError(
                f"{{{{ {name} }}}}", f"more than {MAX_DEPTH} variables lead to one another: {self._open[0]} ..."
            )
        self._open.append(name)
        try:
            return seal(_deep(cast("Value", self.variables[name]), self))
        except TemplateError as error:
            if error.name is None:
                raise
            # As in Ansible, a variable over something undefined is itself undefined: `default` catches it, use raises.
            kept = error
            return NamedUndefined(name=name, exc=lambda _message: kept)
        finally:
            self._open.pop()


def _deep(value: Value, scope: Scope) -> Value:
    match value:
        case UnsafeText():
            return value
        case str():
            return _expand_text(value, scope) if is_template(value) else value
        case Mapping():
            return {key: _deep(child, scope) for key, child in value.items()}
        case list() | tuple():
            return [_deep(child, scope) for child in value]
        case _:
            return value


def _expand_text(text: str, scope: Scope) -> Value:
    compiled = _compile_text(text)
    if isinstance(compiled, Expression):
        return compiled.evaluate(scope)
    if isinstance(compiled, jinja2.Template):
        return _guarded(text, scope, lambda: "".join(compiled.root_render_func(_context(compiled, scope))))
    return _guarded(text, scope, lambda: _joined(compiled, scope))


def _joined(parts: Iterable[str | Expression], scope: Scope) -> str:
    made: list[str] = []
    length = 0
    for part in parts:
        made.append(part if isinstance(part, str) else part.text(scope))
        length += len(made[-1])
        scope.budget.expect(length)
    return "".join(made)


def _context(template: jinja2.Template, scope: Scope) -> jinja2.runtime.Context:
    # `shared` keeps our lazy mapping as it is; otherwise every variable would be expanded and copied.
    return template.new_context(scope, shared=True)


def _guarded(source: str, scope: Scope, work: Callable[[], _T]) -> _T:
    """The work's result; whatever goes wrong inside an expression becomes a TemplateError about `source`."""
    before = spending(scope.budget)
    try:
        return work()
    except TemplateError:
        raise
    except BudgetError as error:
        raise TemplateError(source, str(error), error.advice) from None
    except RegexError as error:
        what = f"not a regular expression that can be used: {error}"
        raise TemplateError(source, what, error.advice) from None
    except UndefinedNameError as error:
        raise _undefined(source, error, scope) from None
    except jinja2.TemplateError as error:
        raise TemplateError(source, error.message or type(error).__name__) from None
    except TypeError as error:
        raise TemplateError(source, str(error)) from None
    except Exception as error:  # noqa: BLE001 - expressions call operators and filters that may raise anything
        # Their messages may quote values; the kind of error is enough.
        raise TemplateError(source, f"it cannot be computed{_KINDS.get(type(error), '')}") from None
    finally:
        spent(before)


def _undefined(source: str, error: UndefinedNameError, scope: Scope) -> TemplateError:
    known = error.known or (*scope.variables, *scope.data)
    near = difflib.get_close_matches(error.name, list(map(str, known)), n=1)
    advice = f"did you mean '{near[0]}'?" if near else "define it as a variable, or use '| default(...)'"
    if not near and _lacks(scope.variables):
        return TemplateError(source, _unread(error.name, scope.variables), name=error.name)
    return TemplateError(source, error.message or f"'{error.name}' is undefined", advice, name=error.name)


def _lacks(variables: Mapping[str, object]) -> bool:
    return isinstance(variables, Names)


def _unread(name: str, variables: Mapping[str, object]) -> str:
    assert isinstance(variables, Names)  # noqa: S101 - who lacks something is one
    return f"'{name}' is undefined: {variables.lacking}"


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression with its text; safe for many threads."""

    source: str
    template: jinja2.Template

    def evaluate(self, scope: Scope) -> Value:
        """The expression's own value. Raises TemplateError."""
        return _guarded(self.source, scope, lambda: _measured(unseal(self._run(scope)), scope))

    def text(self, scope: Scope) -> str:
        """The value as a piece of text. Raises TemplateError."""
        return _guarded(self.source, scope, lambda: _as_text(self._run(scope), scope))

    def _run(self, scope: Scope) -> Any:
        context = _context(self.template, scope)
        for _ in self.template.root_render_func(context):
            pass
        return context.vars[_RESULT]


def _measured(value: Value, scope: Scope) -> Value:
    scope.budget.expect(scope.budget.weigh(value))
    return value


def _as_text(value: object, scope: Scope) -> str:
    scope.budget.spend_on(value)
    return str(scope.budget.made(str(value)))


# --- compiling, once for each text ---------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def _compile_text(text: str) -> Expression | jinja2.Template | tuple[str | Expression, ...]:
    source = text.replace("\r", _CR)
    if len(text) > MAX_LENGTH:
        raise TemplateError(text, f"a template of more than {MAX_LENGTH:,} characters is not supported")
    try:
        with _readable(text):
            tokens = list(ENVIRONMENT.lex(source))
            if len(tokens) > MAX_TOKENS:
                raise TemplateError(text, f"a template of more than {MAX_TOKENS:,} words and signs is not supported")
            if any(kind in ("block_begin", "raw_begin") for _, kind, _ in tokens):
                return ENVIRONMENT.from_string(with_tolls(ENVIRONMENT.parse(text), ENVIRONMENT))
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(text, f"not readable as a template: {error.message}", _advice(error)) from None
    parts: list[str | Expression] = []
    inside: list[str] = []
    comment = False
    for _, kind, raw in tokens:
        if kind in ("comment_begin", "comment_end"):
            comment = kind == "comment_begin"
        elif kind == "variable_begin":
            inside = []
        elif kind == "variable_end":
            parts.append(compile_expression("".join(inside).strip()))
        elif kind == "data":
            parts.append(raw.replace(_CR, "\r"))
        elif not comment:
            inside.append(raw)
    if tokens and tokens[-1][1] not in ("variable_end", "comment_end", "data"):
        raise TemplateError(text, "not readable as a template: '{{' is not closed", "close it with '}}'")
    match parts:
        case [Expression() as only]:
            return only
        case _:
            return tuple(parts)


@contextmanager
def _readable(text: str) -> Iterator[None]:
    """What Jinja and Python raise for a text that is too much for them becomes a TemplateError."""
    try:
        yield
    except (RecursionError, MemoryError, SyntaxError):  # Python's own reader has limits of nested blocks and brackets
        raise TemplateError(text, "it is nested too deep", "put parts of it into variables") from None
    except (ValueError, OverflowError):  # a number in it
        raise TemplateError(text, f"a number in it has more than {MAX_DIGITS:,} digits") from None


@lru_cache(maxsize=8192)
def compile_expression(text: str) -> Expression:
    """An expression (what stands between `{{` and `}}`), compiled. Raises TemplateError with the position."""
    return Expression(f"{{{{ {text} }}}}", _compile_node(text, _parse(text)))


def _parse(text: str) -> nodes.Expr:
    parser = None
    if len(text) > MAX_EXPRESSION:
        raise TemplateError(text, f"an expression of more than {MAX_EXPRESSION:,} characters is not supported")
    try:
        with _readable(text):
            parser = Parser(ENVIRONMENT, text, state="variable")
            node = parser.parse_expression()
            if not parser.stream.eos:
                parser.fail(f"unexpected '{parser.stream.current.value}'", parser.stream.current.lineno)
            return node
    except jinja2.TemplateSyntaxError as error:
        position = _position(text, parser)
        raise TemplateError(text, error.message or "not readable", _advice(error), position=position) from None


def _compile_node(text: str, node: nodes.Expr) -> jinja2.Template:
    body = nodes.Assign(nodes.Name(_RESULT, "store", lineno=1), node, lineno=1)
    try:
        template = nodes.Template([body], lineno=1)
        with _readable(text):
            return ENVIRONMENT.from_string(with_tolls(template, ENVIRONMENT))
    except jinja2.TemplateSyntaxError as error:  # unknown filters and tests are found while code is generated
        name = (error.message or "").split("'")[1::2]
        position = max(text.find(name[0]), 0) if name else 0
        raise TemplateError(text, error.message or "not readable", _advice(error), position=position) from None


def _position(text: str, parser: Parser | None) -> int:
    """Where the parser stopped: Jinja knows lines only, so the tokens that it had not read yet are counted."""
    pieces: list[tuple[int, str]] = []
    offset = 0
    try:
        for _, kind, raw in ENVIRONMENT.lexer.tokeniter(text, None, None, "variable"):
            if kind != "whitespace":
                pieces.append((offset, raw))
            offset += len(raw)
    except jinja2.TemplateSyntaxError:
        return offset
    if parser is None:
        return 0
    unread = int(not parser.stream.eos)
    try:
        while not parser.stream.eos:
            next(parser.stream)
            unread += not parser.stream.eos
    except (jinja2.TemplateSyntaxError, StopIteration):
        return 0
    return pieces[-unread][0] if 0 < unread <= len(pieces) else len(text)


def _advice(error: jinja2.TemplateSyntaxError) -> str:
    if isinstance(error, RegexSyntaxError):
        return error.advice
    quoted = (error.message or "").split("'")[1::2]
    if quoted and "filter" in (error.message or ""):
        near = difflib.get_close_matches(quoted[0], list(ENVIRONMENT.filters), n=1)
        return f"did you mean '{near[0]}'?" if near else f"filters are: {', '.join(sorted(FILTERS))} and Jinja's own"
    if quoted and "test" in (error.message or ""):
        near = difflib.get_close_matches(quoted[0], list(ENVIRONMENT.tests), n=1)
        return f"did you mean '{near[0]}'?" if near else "tests are Jinja's own"
    return "check quotes, brackets and operators"


# --- conditions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AllOf:
    """Both have to hold."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One has to hold."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: Condition


Condition = AllOf | AnyOf | Not | Expression


@lru_cache(maxsize=4096)
def compile_condition(text: str) -> Condition:
    """A condition as a tree: its `and`, `or` and `not` outside, the expressions they join as leaves.

    One pair of `{{ }}` around it is accepted. Raises TemplateError with the position.
    """
    stripped = text.strip()
    if stripped.startswith("{{") and stripped.endswith("}}"):
        stripped = stripped[2:-2].strip()
    return _condition(stripped, _parse(stripped))


def _condition(text: str, node: nodes.Expr) -> Condition:
    match node:
        case nodes.And():
            return AllOf(_condition(text, node.left), _condition(text, node.right))
        case nodes.Or():
            return AnyOf(_condition(text, node.left), _condition(text, node.right))
        case nodes.Not():
            return Not(_condition(text, node.node))
        case _:
            return Expression(text, _compile_node(text, node))
