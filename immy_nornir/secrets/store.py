"""References to secrets -> values, at the moment when a connection or a job needs them.

Implements model.protocols.Secrets. Every value is made known to the redactor before it is returned; messages of errors
hold references only. Not here: which secret is for what, and tenants.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from immy_nornir.errors import SecretError, lacking
from immy_nornir.model.values import SecretRef
from immy_nornir.secrets.programs import ProgramError, output_of
from immy_nornir.secrets.vault import Vault
from immy_nornir.text.files import read_file
from immy_nornir.text.redaction.redact import Redactor
from immy_nornir.text.references import SCHEMES, command_of
from immy_nornir.text.yaml import Dialect, compose, scalar_at

_ONCE = ("command", "vault")
"""Kinds that are not tried again after a failure: each try costs time, and another one may ask somebody again."""


class SecretStore:
    """Reads each reference once per process; many threads may ask at the same time.

    `env:NAME` is a variable of `environment`; `file:PATH` a file in UTF-8, relative to the fleet's `root` or absolute,
    without its last line end; `command:WORDS` what a program prints, started in `root`, without its last line end;
    `vault:MARK` what `vault` opens; `vars:PATH#POINTER` a value in a YAML or JSON file. Raises SecretError.
    """

    def __init__(
        self,
        redactor: Redactor,
        environment: Mapping[str, str] = os.environ,
        root: Path | None = None,
        vault: Vault | None = None,
    ) -> None:
        self._redactor = redactor
        self._environment = environment
        self._root = root if root is not None else Path()
        self._vault = vault if vault is not None else Vault()
        self._known: dict[str, str] = {}
        self._failed: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def reveal(self, reference: SecretRef) -> str:
        """The value behind a reference; never empty."""
        name = reference.reference
        with self._lock:
            value = self._known.get(name)
            own = self._locks.setdefault(name, threading.Lock())
        if value is not None:
            return value
        # One lock for each: a slow program keeps nobody from the other secrets.
        with own:
            value = self._known.get(name)
            if value is None:
                value = self._read_once(reference)
                self._redactor.add(value)
                self._known[name] = value
        return value

    def _read_once(self, reference: SecretRef) -> str:
        failed = self._failed.get(reference.reference)
        if failed is not None:
            raise _error(reference, *failed)
        try:
            return self._read(reference)
        except _UnreadError as error:
            if reference.reference.partition(":")[0] in _ONCE and not lacking(error):
                self._failed[reference.reference] = (error.what, error.advice)
            raise _error(reference, error.what, error.advice) from None

    def _read(self, reference: SecretRef) -> str:
        scheme, colon, name = reference.reference.partition(":")
        readers: Mapping[str, Callable[[str], str]] = {
            "env": self._from_environment,
            "file": self._from_file,
            "vars": self._from_variables,
            "command": self._from_command,
            "vault": lambda _: self._from_vault(reference),
        }
        if scheme in ("keyring", "sops") and colon:
            raise _UnreadError(f"'{scheme}:' is not supported yet", SCHEMES)
        if not colon or scheme not in readers:
            raise _UnreadError("it is not a reference to a secret", SCHEMES)
        if not name.strip():
            raise _UnreadError(f"nothing stands after '{scheme}:'", SCHEMES)
        return readers[scheme](name.strip())

    def _from_environment(self, name: str) -> str:
        value = self._environment.get(name)
        if value is None:
            raise _UnreadError(f"the environment variable {name} is not set", f"export {name} before starting immy")
        if not value:
            raise _UnreadError(f"the environment variable {name} is empty", f"set {name} to the value")
        return value

    def _from_file(self, name: str) -> str:
        path = self._root / Path(name).expanduser()
        try:
            value = read_file(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except FileNotFoundError:
            raise _UnreadError(f"there is no file {path}", "relative paths count from the fleet's folder") from None
        except UnicodeDecodeError:
            raise _UnreadError(f"{path} is not text in UTF-8", "store the secret as UTF-8 text") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "the path cannot be used"
            raise _UnreadError(f"{path} cannot be read: {reason}", "check the path and who may read it") from None
        value = _without_line_end(value)
        if not value:
            raise _UnreadError(f"the file {path} is empty", "write the secret into it")
        return value

    def _from_variables(self, name: str) -> str:
        """A value in a file of variables (`-e @FILE`), by its way from the top, as written there."""
        path, _, pointer = name.rpartition("#/")
        advice = "the run needs the file that its -e @FILE named, as it was"
        try:
            node, _ = compose(read_file(Path(path)).decode("utf-8-sig"), path, Dialect.ANSIBLE)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise _UnreadError(f"{path} cannot be read: {reason}", advice) from None
        found = scalar_at(node, [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")])
        if not found:
            raise _UnreadError("the file does not hold this value any more", advice)
        return found

    def _from_command(self, name: str) -> str:
        command = command_of(name)
        if command is None:
            raise _UnreadError("what stands after 'command:' are not the words of a program", SCHEMES)
        advice = "run it by hand in the fleet's folder and look at what it says"
        try:
            found = output_of(command.words, command.seconds, self._child_environment(), self._root)
        except ProgramError as error:
            raise _UnreadError(str(error), advice) from None
        try:
            value = _without_line_end(found.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise _UnreadError("what it prints is not text in UTF-8", advice) from None
        if not value:
            raise _UnreadError("it printed nothing", advice)
        return value

    def _child_environment(self) -> dict[str, str]:
        """Without the variables that hold other secrets of this fleet."""
        references = [*self._vault.references, *self._known]
        hidden = {one.partition(":")[2].strip() for one in references if one.startswith("env:")}
        hidden |= self._vault.passwords.hidden()
        return {name: value for name, value in self._environment.items() if name not in hidden}

    def _from_vault(self, reference: SecretRef) -> str:
        try:
            value = self._vault.reveal(reference)
        except SecretError as error:
            raise _UnreadError(error.message, error.advice) from None
        if not value:
            raise _UnreadError("what is encrypted is empty", "encrypt the value itself")
        return value


class _UnreadError(Exception):
    """Why a reference leads nowhere, and what to try; told at its place."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _error(reference: SecretRef, what: str, advice: str) -> SecretError:
    place = f"{reference.place}: " if reference.place else ""
    return SecretError(f"{place}{reference}: {what}", advice)
