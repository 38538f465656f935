"""The operator's own machine as a computer: requests go to an `sh` of this machine.

A transport below `posix.connection`. It opens nothing else than processes, and ends each with its whole tree.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from immy_nornir.children import clean_environment
from immy_nornir.errors import RefusedError, TransportTimeoutError, UnreachableError, lacking, no_room
from immy_nornir.model.protocols import Address, Clock, RawAnswer, Secrets
from immy_nornir.model.words import ADVICE, NEITHER, yes_or_no
from immy_nornir.remote.posix.connection import PosixConnection

_LADDER_SECONDS = 5.0


def run_program(
    command: Sequence[str], payload: bytes, deadline_seconds: float, environment: Mapping[str, str]
) -> RawAnswer:
    """Run a program with `payload` as its stdin until it ends; its group is ended at the deadline.

    Raises UnreachableError when it cannot be started and TransportTimeoutError at the deadline.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=sys.platform != "win32",
        )
    except OSError as error:
        if told := lacking(error):
            raise no_room(told, f"to start {command[0]}") from error
        raise UnreachableError(f"{command[0]} cannot be started: {error.strerror}") from error
    with process:
        try:
            stdout, stderr = process.communicate(payload, timeout=deadline_seconds)
        except subprocess.TimeoutExpired as error:
            raise TransportTimeoutError(f"no answer within {deadline_seconds:.0f} seconds") from error
        finally:
            if process.poll() is None:
                _end(process)
    return RawAnswer(stdout, stderr, process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    """TERM first: the runner then ends its operations, which have sessions of their own."""
    _signal(process, hard=False)
    try:
        process.communicate(timeout=_LADDER_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, hard=True)
        process.communicate()


def _signal(process: subprocess.Popen[bytes], *, hard: bool) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)


class LocalTransport:
    """Each request is an `sh` of this machine."""

    platform_hint = "sh"

    def __init__(self, command: Sequence[str] = ("sh",)) -> None:
        self._command = tuple(command)

    def request(self, payload: bytes, deadline_seconds: float) -> RawAnswer:
        """Run one request; raises UnreachableError and TransportTimeoutError."""
        return run_program(self._command, payload, deadline_seconds, clean_environment())

    def close(self) -> None:
        """Nothing is kept."""


def truth(settings: Mapping[str, object], name: str, *, unsaid: bool) -> bool:
    """A setting's yes or no, `unsaid` where there is none. Raises RefusedError for what is neither."""
    value = settings.get(name)
    read = unsaid if value is None else yes_or_no(value)
    if read is None:
        raise RefusedError(f"{name} {NEITHER}", ADVICE)
    return read


def shell_command(settings: Mapping[str, object]) -> list[str]:
    """The shell that requests go to: `sh`, or by `ansible_become` that of another user through sudo."""
    if not truth(settings, "ansible_become", unsaid=False):
        return ["sh"]
    method = str(settings.get("ansible_become_method") or "sudo").removeprefix("ansible.builtin.")
    if method != "sudo":
        raise RefusedError(f"ansible_become_method {method} is not supported", "use sudo")
    return ["sudo", "-n", "-H", "-u", str(settings.get("ansible_become_user") or "root"), "sh"]


def _check_platform(platform: str) -> None:
    if platform == "win32":
        raise RefusedError("the connection `local` cannot maintain a Windows machine", "use winrm to localhost")


def connect(address: Address, secrets: Secrets, clock: Clock) -> PosixConnection:  # noqa: ARG001 - one signature for all kinds
    """A connection to this machine; raises RefusedError on Windows.

    It never reboots this machine unless `immy_allow_local_reboot` is true.
    """
    _check_platform(sys.platform)
    allowed = truth(address.settings, "immy_allow_local_reboot", unsaid=False)
    return PosixConnection(
        LocalTransport(shell_command(address.settings)),
        clock,
        spool=str(address.settings.get("immy_spool") or ""),
        refuse_reboot=""
        if allowed
        else "this machine runs immy and is not rebooted (immy_allow_local_reboot allows it)",
    )
