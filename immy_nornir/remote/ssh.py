"""Computers over SSH, through the `ssh` program of the operator's machine, so that its configuration holds.

A transport below `posix.connection`. One master connection per leg is kept where OpenSSH can (not on Windows) and
closed with the connection. Secrets reach ssh by its environment only. It knows nothing of operations.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from immy_nornir.children import clean_environment
from immy_nornir.errors import (
    AuthenticationError,
    CertificateError,
    DroppedError,
    NoRoomError,
    NotAcceptedError,
    RefusedError,
    TransportError,
    UnreachableError,
)
from immy_nornir.model.protocols import Address, Clock, RawAnswer, Secrets
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.remote.local import run_program, shell_command, truth
from immy_nornir.remote.posix.connection import PosixConnection

_CONNECT_SECONDS = 15
_KEPT = (
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "SYSTEMROOT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "TEMP",
)
_PASSWORD = "IMMY_SSH_PASSWORD"  # noqa: S105 - the name of a variable


class SshTransport:
    """Each request is an `sh` on the other side, over one kept connection."""

    platform_hint = "sh"

    def __init__(self, address: Address, password: str | None = None) -> None:
        self._address = address
        self._password = password
        # Short: the path of a socket may have 104 bytes at most.
        self._folder = Path(tempfile.mkdtemp(prefix="immy-ssh-"))
        try:
            self._environment = _environment(password, self._folder)
            self._command = self._make_command()
        except BaseException:
            self.close()
            raise

    def request(self, payload: bytes, deadline_seconds: float) -> RawAnswer:
        """Run one request; raises TransportError subclasses, of which DroppedError and a time-out are ambiguous."""
        # The outer shell reports a killed inner one by its exit code; ssh would say 255, as for a broken connection.
        remote = shlex.join([*shell_command(self._address.settings), "-c", "sh; exit $?"])
        command = [*self._command, remote]
        answer = run_program(command, payload, deadline_seconds + _CONNECT_SECONDS, self._environment)
        if answer.exit_code == 255:
            raise error_of(answer.stderr.decode("utf-8", "replace"), self._address.computer)
        if answer.exit_code is not None and answer.exit_code < 0:
            raise DroppedError(f"{self._address.computer}: ssh was ended by signal {-answer.exit_code}")
        if answer.exit_code in (126, 127) and not answer.stdout:
            raise RefusedError(f"{self._address.computer} has no usable sh: {_last_line(answer.stderr)}")
        if answer.exit_code == 1 and not answer.stdout and answer.stderr.startswith(b"sudo:"):
            raise RefusedError(
                f"{self._address.computer}: {_last_line(answer.stderr)}", "sudo has to work without a password"
            )
        return answer

    def close(self) -> None:
        """End the kept connection; never raises, may be repeated."""
        if (self._folder / "control").exists():
            command = [*self._command[:-2], "-O", "exit", *self._command[-2:]]
            with contextlib.suppress(TransportError):
                run_program(command, b"", 10, self._environment)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_command(self) -> list[str]:
        settings = self._address.settings
        options = {
            "BatchMode": "no" if self._password is not None else "yes",
            "ConnectTimeout": str(_CONNECT_SECONDS),
            "ServerAliveInterval": "10",
            "ServerAliveCountMax": "3",
            "StrictHostKeyChecking": "yes",
            "NumberOfPasswordPrompts": "1",
        }
        if not truth(settings, "ansible_host_key_checking", unsaid=True):
            options |= {"StrictHostKeyChecking": "no", "UserKnownHostsFile": os.devnull}
        if sys.platform != "win32":
            options |= {"ControlMaster": "auto", "ControlPath": str(self._folder / "control"), "ControlPersist": "60"}
        command = [str(settings.get("ansible_ssh_executable") or "ssh"), "-T", "-o", "LogLevel=ERROR"]
        # Options of the inventory come first: ssh takes the first value it sees.
        for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
            command += _words(settings, name)
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        key = settings.get("ansible_ssh_private_key_file")
        if key:
            command += ["-i", str(Path(str(key)).expanduser()), "-o", "IdentitiesOnly=yes"]
        if self._address.port:
            command += ["-p", str(self._address.port)]
        if self._address.username:
            command += ["-l", self._address.username]
        if self._address.host.startswith("-"):
            raise UnreachableError(f"{self._address.host!r} is no address")
        return [*command, "--", self._address.host]


def _words(settings: Mapping[str, Value], name: str) -> list[str]:
    try:
        return shlex.split(str(settings.get(name) or ""))
    except ValueError as error:
        raise UnreachableError(f"{name} cannot be read: {error}") from error


def _environment(password: str | None, folder: Path) -> dict[str, str]:
    environment = clean_environment() | {name: os.environ[name] for name in _KEPT if name in os.environ}
    # What ssh says is read here, in English.
    environment["LC_ALL"] = "C"
    if password is None:
        return environment
    helper = folder / ("askpass.cmd" if sys.platform == "win32" else "askpass")
    if sys.platform == "win32":
        helper.write_text(f"@echo off\r\necho %{_PASSWORD}%\r\n", encoding="ascii")
    else:
        helper.write_text(f"#!/bin/sh\nprintf '%s\\n' \"${_PASSWORD}\"\n", encoding="ascii")
        helper.chmod(0o700)
    environment |= {_PASSWORD: password, "SSH_ASKPASS": str(helper), "SSH_ASKPASS_REQUIRE": "force"}
    # Before OpenSSH 8.4 the helper is asked only where a display is named.
    environment.setdefault("DISPLAY", "immy:0")
    return environment


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


_TURNED_AWAY = r"(kex|ssh)_exchange_identification|not allowed at this time|banner exchange.*(closed|reset|invalid)"
"""Before anything was said: a bastion that has too many at this moment (MaxStartups), or an sshd that restarts."""
_NO_ROOM = (
    r"^(ssh\w*|mux\w*|control\w*|read_passphrase|load key|socket(pair)?|pipe|dup2?|fork|open\w*|connect|getaddrinfo)\b"
    r"[^\n]*: (too many open files|cannot allocate memory|resource temporarily unavailable|no buffer space)"
)
"""Of ssh itself, which goes on, and ends with another word: a password that could not be asked for is refused."""
_MEANINGS: tuple[tuple[str, type[TransportError]], ...] = (
    (_NO_ROOM, NoRoomError),
    (r"host key verification failed|remote host identification has changed|no .*host key is known", CertificateError),
    (r"no matching host key type|revoked", CertificateError),
    (
        r"permission denied|too many authentication failures|authentication failed|no supported authentication",
        AuthenticationError,
    ),
    (
        r"load key .*: (invalid format|incorrect passphrase|bad permissions)|unprotected private key",
        AuthenticationError,
    ),
    (_TURNED_AWAY, DroppedError),
    (
        r"could not resolve|name or service not known|no route to host|network is unreachable",
        UnreachableError,
    ),
    (r"connection refused", NotAcceptedError),
    (r"connect to .* timed out|connection timed out|operation timed out|banner exchange", UnreachableError),
    (r"bad configuration option|unsupported option|command-line|unknown option|not a valid", UnreachableError),
    (
        r"mux_client|control socket|connection reset|broken pipe|closed by|timeout, server|client_loop|disconnect",
        DroppedError,
    ),
)


_LOOKED_AT = 8_000


def error_of(text: str, computer: str) -> TransportError:
    """What ssh's exit code 255 means, by what it said."""
    text = text[-_LOOKED_AT:]  # its own word is the last
    said = text.strip().splitlines()[-1][:300] if text.strip() else "ssh ended without a word"
    for pattern, kind in _MEANINGS:
        if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            error = kind(f"{computer}: {said}")
            error.nothing_sent = pattern == _TURNED_AWAY
            error.said = text
            return error
    return DroppedError(f"{computer}: {said}")


def connect(address: Address, secrets: Secrets, clock: Clock) -> PosixConnection:
    """A connection over ssh; nothing is sent before the first request. Raises SecretError and TransportError."""
    password = address.password
    if isinstance(password, SecretRef):
        password = secrets.reveal(password)
    spool = str(address.settings.get("immy_spool") or "")
    return PosixConnection(SshTransport(address, password), clock, spool=spool)
