"""The secrets of a session become known before it speaks to anybody: its connection's, and those of deployments.

What cannot be read is told when it is needed. Not here: where values come from (secrets), how texts are cleaned
(text.redaction).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from immy_nornir.errors import ImmyError, UsageError
from immy_nornir.model.values import Value, references

if TYPE_CHECKING:
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.session.engine import Engine

CLEAR = (
    *("ansible_password", "ansible_winrm_password", "ansible_winrm_pass", "ansible_psrp_password"),
    *("ansible_ssh_password", "ansible_ssh_pass", "ansible_become_password", "ansible_become_pass"),
)
"""Variables that hold a password, in clear too."""


def learn(engine: Engine, spec: SessionSpec) -> bool:
    """Make the secrets known that a session may come to speak of; whether any of them is weak (text.redaction)."""
    variables, weak = engine.computer(spec.computer).variables, False
    for name in CLEAR:
        for value in (variables.get(name), spec.vars.get(name)):
            if isinstance(value, str) and "{{" not in value:
                engine.redactor.add(value)
                weak = engine.redactor.is_weak(value) or weak
    weak = _reveal(engine, variables) or weak
    weak = _reveal(engine, spec.vars) or weak
    learned = engine.learned  # another thread may read the files again
    candidates, library = engine.targets.of_computer(spec.computer), engine.fleet.library
    if id(library) not in learned:
        items = [item for platforms in library.items.values() for item in platforms.values()]
        for item in items:
            _reveal(engine, {name: one.default for name, one in item.parameters.items()})
        learned[id(library)] = library, False
    if id(candidates) not in learned:
        params = [one.params for some in candidates.values() for one in some]
        found = [_reveal(engine, {name: value.value for name, value in some.items()}) for some in params]
        learned[id(candidates)] = candidates, any(found)
    return weak or learned[id(candidates)][1]


def refuse_clear(engine: Engine, specs: Sequence[SessionSpec]) -> None:
    """Refuse variables of a play or the command line that are known secrets in clear: the record keeps them.

    So are the words and the script of a command by hand. Raises: UsageError.
    """
    for hand in {one.by_hand for one in specs}:
        if hand is not None and engine.holds_secret([*hand.words, hand.script or ""]):
            raise UsageError(
                "the command holds a known secret in clear, which would stay in the record",
                "let the computer read it itself, or make a task with a parameter of the type secret",
            )
    for variables in {id(one.vars): one.vars for one in specs}.values():
        for name, value in variables.items():
            if engine.holds_secret(value):
                raise UsageError(
                    f"the variable '{name}' is a known secret in clear, which would stay in the record",
                    "give a reference to it",
                )


def _reveal(engine: Engine, values: Mapping[str, Value]) -> bool:
    weak = False
    for reference in references(values):
        with contextlib.suppress(ImmyError):  # said when it is needed
            weak = engine.redactor.is_weak(engine.secrets.reveal(reference)) or weak
    return weak
