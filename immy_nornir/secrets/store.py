"""References to secrets -> values, at the moment when a connection or a job needs them.

Implements model.protocols.Secrets. Every value is made known to the redactor before it is returned; messages of errors
hold references only. Not here: which secret is for what, and tenants.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from immy_nornir.errors import SecretError
from immy_nornir.model.values import SecretRef
from immy_nornir.text.redact import Redactor
from immy_nornir.text.yaml import Dialect, compose, scalar_at


class SecretStore:
    """Reads each reference once per process; many threads may ask at the same time.

    `env:NAME` is a variable of `environment`; `file:PATH` a file in UTF-8, relative to the fleet's `root` or absolute,
    without its last line end; `vars:PATH#POINTER` a value in a YAML or JSON file. Raises SecretError.
    """

    def __init__(
        self, redactor: Redactor, environment: Mapping[str, str] = os.environ, root: Path | None = None
    ) -> None:
        self._redactor = redactor
        self._environment = environment
        self._root = root if root is not None else Path()
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def reveal(self, reference: SecretRef) -> str:
        """The value behind a reference; never empty."""
        with self._lock:
            value = self._known.get(reference.reference)
            if value is None:
                value = self._read(reference)
                self._redactor.add(value)
                self._known[reference.reference] = value
        return value

    def _read(self, reference: SecretRef) -> str:
        scheme, colon, name = reference.reference.partition(":")
        readers: Mapping[str, Callable[[SecretRef, str], str]] = {
            "env": self._from_environment,
            "file": self._from_file,
            "vars": self._from_variables,
        }
        if scheme in ("command", "keyring") and colon:
            raise _error(reference, f"'{scheme}:' is not supported yet", "use env:NAME or file:PATH")
        if not colon or scheme not in readers:
            raise _error(reference, "it is not a reference to a secret", "write env:NAME or file:PATH")
        if not name.strip():
            raise _error(reference, f"nothing stands after '{scheme}:'", "write env:NAME or file:PATH")
        return readers[scheme](reference, name.strip())

    def _from_environment(self, reference: SecretRef, name: str) -> str:
        value = self._environment.get(name)
        if value is None:
            raise _error(
                reference, f"the environment variable {name} is not set", f"export {name} before starting immy"
            )
        if not value:
            raise _error(reference, f"the environment variable {name} is empty", f"set {name} to the value")
        return value

    def _from_file(self, reference: SecretRef, name: str) -> str:
        path = self._root / Path(name).expanduser()
        try:
            value = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise _error(
                reference, f"there is no file {path}", "relative paths count from the fleet's folder"
            ) from None
        except UnicodeDecodeError:
            raise _error(reference, f"{path} is not text in UTF-8", "store the secret as UTF-8 text") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "the path cannot be used"
            raise _error(reference, f"{path} cannot be read: {reason}", "check the path and who may read it") from None
        value = value.removesuffix("\n").removesuffix("\r")
        if not value:
            raise _error(reference, f"the file {path} is empty", "write the secret into it")
        return value

    def _from_variables(self, reference: SecretRef, name: str) -> str:
        """A value in a file of variables (`-e @FILE`), by its way from the top, as written there."""
        path, _, pointer = name.rpartition("#/")
        advice = "the run needs the file that its -e @FILE named, as it was"
        try:
            node, _ = compose(Path(path).read_text(encoding="utf-8-sig"), path, Dialect.ANSIBLE)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise _error(reference, f"{path} cannot be read: {reason}", advice) from None
        found = scalar_at(node, [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")])
        if not found:
            raise _error(reference, "the file does not hold this value any more", advice)
        return found


def _error(reference: SecretRef, what: str, advice: str) -> SecretError:
    place = f"{reference.place}: " if reference.place else ""
    return SecretError(f"{place}{reference}: {what}", advice)
