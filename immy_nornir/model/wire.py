"""Operations that are sent to computers, and their answers.

Reading operations and effects are different types, so that a detecting stage cannot send an effect.
`docs/wire.md` says what each operation takes and returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immy_nornir.model.items import Language
from immy_nornir.model.values import Json


class Read(StrEnum):
    """Operations that change nothing and may be repeated."""

    IDENTITY = "identity"
    FACTS = "facts"
    SOFTWARE = "software"
    PACKAGES = "packages"
    REGISTRY = "registry"
    SERVICE = "service"
    FILE = "file"
    DRIVER = "driver"
    SCRIPT = "script"


class Effect(StrEnum):
    """Operations that act; each is safe to repeat with the same arguments, but `reboot`."""

    JOB_START = "job.start"
    JOB_WAIT = "job.wait"
    JOB_OUTPUT = "job.output"
    JOB_STOP = "job.stop"
    REBOOT = "reboot"
    LEASE_RELEASE = "lease.release"


@dataclass(frozen=True, slots=True)
class ReadOperation:
    """One reading operation of a request; `id` is unique in the request."""

    id: str
    name: Read
    params: Mapping[str, Json] = field(default_factory=dict)
    script: str | None = None
    """Script text of `Read.SCRIPT`; its parameters are `params["params"]`."""
    language: Language | None = None
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class EffectOperation:
    """One effect."""

    id: str
    name: Effect
    params: Mapping[str, Json] = field(default_factory=dict)
    timeout_seconds: float = 60.0


Operation = ReadOperation | EffectOperation


class AnswerStatus(StrEnum):
    """How one operation ended."""

    OK = "ok"
    FAILED = "failed"
    """The operation raised; `error` says what."""
    TIMED_OUT = "timed_out"
    """It was ended by the time-out ladder."""
    DIED = "died"
    """It ended the whole process without an answer (found by halving)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one operation; there is exactly one for each operation sent."""

    id: str
    status: AnswerStatus
    result: Json = None
    error: str = ""
    warnings: tuple[str, ...] = ()
    output: str = ""
    """Text that the operation wrote beside its result (information, verbose, stderr), as evidence."""
    exit_code: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Lease:
    """Who is at work on a computer, by whatever name, account and history; kept there, carried by every effect."""

    history: str
    session: str
    epoch: int
    holder: str
    """Who that is, for people."""
    seconds: float
    """How long it holds without news; never less than its job does."""
    ended: str = ""
    """A session of this history that has ended: what it holds is free."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job does on the computer. Nothing in it is secret but `secrets`, which never reaches the disk in clear."""

    job_id: str
    """`session/action/attempt`."""
    kind: str
    """`script`, `installer`, `package` or `declare`."""
    work: Mapping[str, Json]
    """Depends on `kind`; see docs/wire.md."""
    context: str = "system"
    """`system` or `user:NAME`."""
    deadline_seconds: int = 3600
    item: str = ""
    action: str = ""
    detected_seconds: float | None = None
    """How long ago its item was detected; None where another session's work since then is no matter."""
    secrets: Mapping[str, str] = field(default_factory=dict)


class JobState(StrEnum):
    """What the spool says of a job."""

    ABSENT = "absent"
    """Never created, or swept long after its end."""
    STARTING = "starting"
    RUNNING = "running"
    FINISHED = "finished"
    LOST = "lost"
    """Started in another boot, or its process is gone, without a result."""
    BUSY = "busy"
    """Not created: another job of the same item is still at work; `output` is its name."""
    LOOK_AGAIN = "look_again"
    """Not created: another session was at work since the item was detected. The lease is ours now."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job left as its last word."""

    exit_code: int | None
    """Of the installer or script; None when it could not be started."""
    error: str = ""
    seconds: float = 0.0
    value: Json = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Answer to job.start and job.wait; `output` is the text from the asked offset on, `next_offset` where it ends."""

    state: JobState
    output: str = ""
    next_offset: int = 0
    result: JobResult | None = None
    """None of a finished job: it left something else than a result."""
    created: bool = False
    """job.start: whether this call created the job."""
    size: int = 0
    """How many bytes of output there are by now."""


# Constants of the wire, shared by our side and by the lab; docs/wire.md says how they stand in requests and answers.
REQUEST_MAGIC = "IMMY1"
FRAME_MARK = "#IMMY"
END_ID = "!end"
BUNDLE_ID = "!bundle"
