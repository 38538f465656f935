"""The vault of this process: passwords by the command line and the environment, a terminal to ask on.

One for each command, so that whoever loads the fleet and whoever connects have the same, and nobody is asked twice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immy_nornir.errors import UsageError
from immy_nornir.model.values import SecretRef, references
from immy_nornir.secrets.vault import Vault
from immy_nornir.secrets.vault_passwords import PROMPT, Passwords, Source, sources_of

if TYPE_CHECKING:
    from immy_nornir.model.playbooks import Fleet, Playbook

_KEY = "vault"


def current() -> Vault:
    """The vault of the command that is at work.

    Raises: UsageError for a source on the command line that is not there.
    """
    ctx = click.get_current_context(silent=True)
    given = ctx.ensure_object(dict) if ctx is not None else {}
    if _KEY not in given:
        sources = sources_of(given.get("vault_ids", ()), given.get("vault_files", ()), os.environ)
        for one in sources:
            _check(one)
        given[_KEY] = Vault(Passwords(sources, os.environ, _ask if _is_terminal() else None))
    found: Vault = given[_KEY]
    return found


def _check(source: Source) -> None:
    """What somebody typed is there; what the environment names may be for other fleets."""
    is_file = source.where != PROMPT and not source.where.startswith("env:")
    if source.asked_for and is_file and not Path(source.where).expanduser().is_file():
        raise UsageError(
            f"there is no file {source.where or '(an empty path)'} with a password of the vault",
            "write --vault-password-file PATH or --vault-id LABEL@SOURCE",
        )


def _is_terminal() -> bool:
    return all(one is not None and one.isatty() for one in (sys.stdin, sys.stderr))


def _ask(question: str) -> str:
    answer: str = click.prompt(question, hide_input=True, err=True, default="", show_default=False)
    return answer


def references_of(fleet: Fleet, book: Playbook | None = None) -> Iterator[SecretRef]:
    """All references to secrets in a fleet's files and a playbook."""
    yield from fleet.inventory.secrets.values()
    for deployment in fleet.deployments:
        for sourced in deployment.params.values():
            yield from references(sourced.value)
    for channel in fleet.channels:
        yield from (one for one in (channel.apprise, *channel.environment.values()) if one is not None)
    for play in book.plays if book is not None else ():
        for sourced in play.vars.values():
            yield from references(sourced.value)
