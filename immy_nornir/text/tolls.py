"""The places of a template where work is paid for that no operator, filter or call sees: a change of Jinja's tree.

Loops and macros pay for each turn, comparisons for what they compare, lists and slices for what they hold. Regular
expressions that stand in the template are judged here too. Part of text.templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from immy_nornir.text.budget import current
from immy_nornir.text.filters import REGEX_FILTERS
from immy_nornir.text.regex import RegexError, compile_regex

# No name in a template can have a blank.
_LOOKED_AT, _MADE, _TURN = "immy looked at", "immy made", "immy turn"
_NODES_A_STEP: Final = 10


def _looked_at(_context: Any, value: Any) -> Any:
    current().spend_on(value)
    return value


def _made(_context: Any, value: Any) -> Any:
    return current().made(value)


def _turn(_context: Any, steps: int, characters: int = 0) -> str:
    current().spend(steps)
    if characters > 0:
        current().write(characters)
    return ""


TOLLS: Final[Mapping[str, Callable[..., Any]]] = {_LOOKED_AT: _looked_at, _MADE: _made, _TURN: _turn}
"""Filters by names that no template can say."""


class RegexSyntaxError(jinja2.TemplateSyntaxError):
    """A regular expression in a template cannot be used."""

    def __init__(self, error: RegexError, lineno: int) -> None:
        super().__init__(f"not a regular expression that can be used: {error}", lineno)
        self.advice = error.advice


def with_tolls(template: nodes.Template, environment: jinja2.Environment) -> nodes.Template:
    """The same template, which pays for its work. Raises RegexSyntaxError."""
    changed: nodes.Template = _Tolls().visit(template)
    changed.set_lineno(1)
    changed.set_environment(environment)
    return changed


def _filtered(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _toll(node: nodes.Stmt, characters: int = 0) -> nodes.Stmt:
    steps = 1 + sum(1 for _ in node.find_all(nodes.Node)) // _NODES_A_STEP
    call = _filtered(nodes.Const(steps, lineno=node.lineno), _TURN, nodes.Const(characters, lineno=node.lineno))
    return nodes.ExprStmt(call, lineno=node.lineno)


class _Tolls(NodeTransformer):
    """Jinja calls its methods by the names of its nodes."""

    def _body(self, node: Any) -> Any:
        toll = _toll(node)
        self.generic_visit(node)
        node.body.insert(0, toll)
        return node

    visit_Macro = visit_CallBlock = _body  # noqa: N815 - Jinja's names

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802
        self._body(node)
        if node.test is not None:
            node.test = self._paid(node.test)
        return node

    def visit_Output(self, node: nodes.Output) -> list[nodes.Stmt]:  # noqa: N802
        characters = sum(len(one.data) for one in node.nodes if isinstance(one, nodes.TemplateData))
        self.generic_visit(node)
        return [_toll(nodes.Output([], lineno=node.lineno), characters), node] if characters else [node]

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = self._paid(node.expr)
        for operand in node.ops:
            operand.expr = self._paid(operand.expr)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [self._paid(one) for one in node.nodes]
        return _filtered(node, _MADE)

    def _paid(self, node: Any) -> nodes.Expr:
        return _filtered(node, _LOOKED_AT)

    def _container(self, node: Any) -> Any:
        self.generic_visit(node)
        return node if getattr(node, "ctx", "load") != "load" else _filtered(node, _MADE)

    visit_List = visit_Tuple = visit_Dict = _container  # noqa: N815 - Jinja's names

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, _MADE) if isinstance(node.arg, nodes.Slice) else node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Filter:  # noqa: N802
        if node.name in REGEX_FILTERS and node.args and isinstance(node.args[0], nodes.Const):
            try:
                compile_regex(str(node.args[0].value))
            except RegexError as error:
                raise RegexSyntaxError(error, node.lineno) from None
        self.generic_visit(node)
        return node
