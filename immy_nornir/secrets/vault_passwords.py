"""Where passwords of Ansible's vault come from: a file, a script, a variable of the environment, or a question.

Options and variables mean what they mean to Ansible (`ansible-vault --help`, CLI.setup_vault_secrets): ids of the
environment come first, then those of the command line, then password files. `env:NAME` as a source is ours. Each
source is asked once in a process, when the first text needs it. Not here: decryption.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from immy_nornir.secrets.programs import ProgramError, output_of

DEFAULT = "default"
PROMPT = "prompt"
SCRIPT_SECONDS = 120.0
"""A script may ask its user for something."""
_ENVIRONMENT = "env:"
_PROGRAMS = (".exe", ".bat", ".cmd")
_UNKNOWN_ID = 2

Ask = Callable[[str], str]
"""Asks whoever is at the terminal; the text of the question to the answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """One password: its label, and where it is; `asked_for` is whether somebody typed it for this command."""

    label: str
    where: str
    asked_for: bool = False
    named: bool = True
    """Whether the label was given; a client script is told of given ones only."""


def sources_of(ids: Sequence[str], files: Sequence[str], environment: Mapping[str, str]) -> tuple[Source, ...]:
    """All sources in the order in which they are tried; `ids` are `LABEL@SOURCE` or sources alone."""
    listed = [one.strip() for one in environment.get("ANSIBLE_VAULT_IDENTITY_LIST", "").split(",")]
    found = [_identity(one) for one in listed if one]
    found += [_identity(one, asked_for=True) for one in ids]
    found += [Source(DEFAULT, one, asked_for=True) for one in files]
    if file := environment.get("ANSIBLE_VAULT_PASSWORD_FILE", "").strip():
        found.append(Source(DEFAULT, file))
    return tuple(found)


def _identity(text: str, *, asked_for: bool = False) -> Source:
    label, at, where = text.partition("@")
    if not at:
        return Source(DEFAULT, text, asked_for, named=False)
    return Source(label or DEFAULT, where, asked_for, named=bool(label))


class NoPasswordError(Exception):
    """Why a source gives no password."""


class Passwords:
    """The passwords of one process; many threads may ask at the same time."""

    def __init__(
        self, sources: Sequence[Source] = (), environment: Mapping[str, str] = os.environ, ask: Ask | None = None
    ) -> None:
        """`ask` is None where there is no terminal."""
        self.sources = tuple(sources)
        self._environment = environment
        self._ask = ask
        self._known: dict[Source, bytes | NoPasswordError] = {}
        self._lock = threading.RLock()

    def hidden(self) -> frozenset[str]:
        """Names of the environment's variables that hold passwords."""
        starts = (one.where for one in self.sources if one.where.startswith(_ENVIRONMENT))
        return frozenset(one.removeprefix(_ENVIRONMENT) for one in starts)

    def ask_now(self) -> None:
        """Ask all questions that there are, before many things happen at the same time."""
        for one in self.sources:
            if one.where == PROMPT:
                self.look(one)

    def of(self, source: Source) -> bytes:
        """The password of a source. Raises NoPasswordError."""
        found = self.look(source)
        if isinstance(found, NoPasswordError):
            raise found
        return found

    def look(self, source: Source) -> bytes | NoPasswordError:
        """The password, or why there is none."""
        with self._lock:
            if source not in self._known:
                try:
                    self._known[source] = self._read(source)
                except NoPasswordError as error:
                    self._known[source] = error
            return self._known[source]

    def _read(self, source: Source) -> bytes:
        if source.where == PROMPT:
            return self._prompted(source)
        if source.where.startswith(_ENVIRONMENT):
            name = source.where.removeprefix(_ENVIRONMENT)
            value = self._environment.get(name, "")
            if not value:
                raise NoPasswordError(f"the environment variable {name} is not set")
            return value.encode()
        path = Path(source.where).expanduser()
        if path.is_dir():
            raise NoPasswordError(f"{path} is a folder")
        if not path.exists():
            raise NoPasswordError(f"there is no file {path}")
        return self._from_script(path, source) if _is_program(path) else _from_file(path)

    def _prompted(self, source: Source) -> bytes:
        if self._ask is None:
            raise NoPasswordError(f"'{source.label}@{PROMPT}' asks on a terminal, and there is none")
        answer = self._ask(f"Vault password ({source.label})")
        if not answer:
            raise NoPasswordError("an empty password was typed")
        return answer.encode()

    def _from_script(self, path: Path, source: Source) -> bytes:
        words = [str(path.absolute())]
        if path.stem.endswith("-client") and source.named:
            words += ["--vault-id", source.label]
        hidden = self.hidden()
        environment = {name: value for name, value in self._environment.items() if name not in hidden}
        try:
            found = output_of(words, SCRIPT_SECONDS, environment, Path.cwd()).strip(b"\r\n")
        except ProgramError as error:
            if f"exit code {_UNKNOWN_ID};" in str(error) and len(words) > 1:
                raise NoPasswordError(f"the script {path} knows no password for the id '{source.label}'") from None
            advice = "" if _has_beginning(path) else "; if it is no script, take away its executable bit (chmod -x)"
            raise NoPasswordError(f"the script {path}: {error}{advice}") from None
        if not found:
            raise NoPasswordError(f"the script {path} printed nothing")
        return found


def _is_program(path: Path) -> bool:
    if os.name == "nt":  # every file is executable there
        return path.suffix.lower() in _PROGRAMS
    return os.access(path, os.X_OK)


def _has_beginning(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _from_file(path: Path) -> bytes:
    try:
        found = path.read_bytes().strip()
    except OSError as error:
        raise NoPasswordError(f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}") from None
    if not found:
        raise NoPasswordError(f"the file {path} is empty")
    return found
