"""The secrets of a session become known before it speaks to anybody: its connection's, and those of deployments.

What cannot be read is told when it is needed. Not here: where values come from (secrets), how texts are cleaned
(text.redact).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from immy_nornir.errors import ImmyError
from immy_nornir.model.values import SecretRef, Value

if TYPE_CHECKING:
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.session.engine import Engine

CLEAR = (
    *("ansible_password", "ansible_winrm_password", "ansible_winrm_pass", "ansible_psrp_password"),
    *("ansible_ssh_password", "ansible_ssh_pass", "ansible_become_password", "ansible_become_pass"),
)
"""Variables that hold a password, in clear too."""


def learn(engine: Engine, spec: SessionSpec) -> None:
    """Make the secrets known that a session may come to speak of."""
    variables = engine.computer(spec.computer).variables
    for name in CLEAR:
        for value in (variables.get(name), spec.vars.get(name)):
            if isinstance(value, str) and "{{" not in value:
                engine.redactor.add(value)
    _reveal(engine, variables)
    _reveal(engine, spec.vars)
    candidates, library = engine.targets.of_computer(spec.computer), engine.fleet.library
    for known in (candidates, library):
        if id(known) in engine.learned:
            continue
        engine.learned[id(known)] = known
        if known is library:
            items = (item for platforms in library.items.values() for item in platforms.values())
            for item in items:
                _reveal(engine, {name: one.default for name, one in item.parameters.items()})
        else:
            for deployment in (one for some in candidates.values() for one in some):
                _reveal(engine, {name: one.value for name, one in deployment.params.items()})


def _reveal(engine: Engine, values: Mapping[str, Value]) -> None:
    for reference in references(values):
        with contextlib.suppress(ImmyError):  # said when it is needed
            engine.secrets.reveal(reference)


def references(value: Value) -> Iterator[SecretRef]:
    """All references to secrets in a value."""
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from references(child)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for child in value:
            yield from references(child)
