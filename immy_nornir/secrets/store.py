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
from immy_nornir.text.files import read_file
from immy_nornir.text.redact import Redactor


class SecretStore:
    """Reads each reference once per process; many threads may ask at the same time.

    `env:NAME` is a variable of `environment`; `file:PATH` a file in UTF-8, relative to the fleet's `root` or absolute,
    without its last line end. Raises SecretError.
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
            value = read_file(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
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


def _error(reference: SecretRef, what: str, advice: str) -> SecretError:
    place = f"{reference.place}: " if reference.place else ""
    return SecretError(f"{place}{reference}: {what}", advice)
