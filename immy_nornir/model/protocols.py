"""The small interfaces between the layers; their implementations live higher up and in plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from immy_nornir.model.facts import Boot, Identity
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.model.wire import Answer, JobSpec, JobStatus, Lease, ReadOperation


class Clock(Protocol):
    """Time and sleep, as parameters everywhere."""

    def now(self) -> float:
        """Seconds since 1970, wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Secrets(Protocol):
    """References to values; raises SecretError, whose message holds the reference only."""

    def reveal(self, reference: SecretRef) -> str:
        """The value behind a reference; every value revealed is known to the redactor from then on."""
        ...


class Vault(Protocol):
    """Files that Ansible's vault has encrypted as a whole, while an inventory is loaded."""

    def open(self, text: str) -> str:
        """The plain text. Raises SecretError, whose message holds nothing of it."""
        ...

    def keep(self, reference: str, value: str) -> None:
        """Keep a value of an opened file for whoever reveals its reference."""
        ...


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back for one request: both streams whole, and the exit code."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None


class Transport(Protocol):
    """One kept connection to one computer; belongs to one thread.

    Raises TransportError subclasses only. `request` is never repeated by a transport once any byte of the payload was
    sent: a Send that timed out is ambiguous.
    """

    platform_hint: str
    """`powershell` or `sh`: which runner the other side can execute."""

    def request(self, payload: bytes, deadline_seconds: float) -> RawAnswer:
        """Send one bundle on stdin of a new runner process and read until it ends; the deadline counts the whole."""
        ...

    def close(self) -> None:
        """Free everything on both sides; never raises, may be repeated."""
        ...


class PowerShellTransport(Transport, Protocol):
    """A Transport whose other side starts slowly and answers bit by bit."""

    def request(self, payload: bytes, deadline_seconds: float, first_seconds: float = ...) -> RawAnswer:
        """As Transport; TransportTimeoutError also when nothing at all came within `first_seconds`."""
        ...


@runtime_checkable
class Reader(Protocol):
    """Reads a computer and cannot change it."""

    def identify(self) -> Identity:
        """Who the computer is."""
        ...

    def meet(
        self, expected: Mapping[str, str], ahead: Sequence[ReadOperation]
    ) -> tuple[Identity, Mapping[str, Answer]]:
        """The first operation of every connection: who the computer is, with answers to `ahead` as far as they came.

        Nothing of `ahead` runs on a computer that says of itself anything else than is `expected`.
        """
        ...

    def read(self, operations: Sequence[ReadOperation]) -> Mapping[str, Answer]:
        """Execute all operations in as few requests as possible; exactly one answer for each id."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Acts on a computer, by jobs and reboots."""

    def start_job(self, spec: JobSpec, wait_seconds: float = 0.0) -> JobStatus:
        """Create and start a job unless one of this id exists; raises TransportError when that is not known."""
        ...

    def wait_job(self, job_id: str, offset: int, wait_seconds: float) -> JobStatus:
        """What the spool says now, or when it changes within `wait_seconds` (at most 20)."""
        ...

    def find_job(
        self, expected: Mapping[str, str], job_id: str, offset: int, wait_seconds: float
    ) -> tuple[Identity, JobStatus | None]:
        """Who the computer is, and what its spool says of a job; None: it has to be asked for itself.

        The spool of a computer that says of itself anything else than is `expected` is not looked at.
        """
        ...

    def stop_job(self, job_id: str) -> None:
        """End the job's whole process tree."""
        ...

    def reboot(self, boot: Boot, delay_seconds: int, reason: str) -> None:
        """Ask for a reboot if the computer is still in `boot`, and no job is at work there."""
        ...

    def carry(self, lease: Lease) -> None:
        """From now on every effect takes or renews this lease first, and raises BusyError where another holds one."""
        ...

    def release(self) -> None:
        """Let the lease go."""
        ...


class Connection(Reader, Executor, Protocol):
    """A session leg's connection: both ways in, one close."""

    def close(self) -> None:
        """Free the connection; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """How to reach a computer: what a transport needs, from the connection variables; secrets as references."""

    computer: str
    kind: str
    """`winrm`, `ssh` or `local`."""
    host: str
    port: int
    username: str = ""
    password: str | SecretRef | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)
    """The other connection variables of this kind, by their full names."""


Connect = Callable[[Address], Connection]
"""Opens a connection; raises TransportError."""
