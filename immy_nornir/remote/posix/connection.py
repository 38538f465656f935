"""A connection to a Linux or macOS computer: operations of the wire over any Transport that runs `sh`.

Stands between sessions (which know Reader and Executor) and transports (`local`, `ssh`). It makes requests with
`program`, and gives every operation exactly one Answer. It decides nothing about items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from immy_nornir.errors import DeclinedError, GarbledError, TransportError, refused
from immy_nornir.model.facts import Boot, Identity
from immy_nornir.model.items import Language
from immy_nornir.model.protocols import Clock, Transport
from immy_nornir.model.values import Json
from immy_nornir.model.wire import Answer, AnswerStatus, JobSpec, JobStatus, Lease, Read, ReadOperation
from immy_nornir.remote.posix import jobs, results
from immy_nornir.remote.posix.program import (
    Ending,
    Part,
    Replies,
    Reply,
    Step,
    encoded,
    make_program,
    new_nonce,
    read_replies,
)
from immy_nornir.remote.posix.shell_values import result_of, variables
from immy_nornir.text import json

_SLACK_SECONDS = 15.0
_LADDER_SECONDS = 5.0
_LARGEST_RESULT = 1_048_576


class PosixConnection:
    """Reader and Executor over one transport; belongs to one thread.

    `spool`: another folder for jobs than the computer's own choice. `refuse_reboot`: why this computer is never
    rebooted, for the operator's own machine.
    """

    def __init__(self, transport: Transport, clock: Clock, *, spool: str = "", refuse_reboot: str = "") -> None:
        self._transport = transport
        self._clock = clock
        self._lease: Lease | None = None
        self._spool = {"IMMY_SPOOL": spool} if spool else {}
        self._refuse_reboot = refuse_reboot

    def identify(self) -> Identity:
        """Who the computer is; raises TransportError, GarbledError for an answer that is none."""
        reply = self._one(_built_in("immy_identity", 60))
        if not _fine(reply):
            raise GarbledError(f"the computer does not say who it is: {_why(reply)}")
        try:
            return results.to_identity(results.identity(_text(reply)))
        except (ValueError, LookupError, TypeError) as error:
            raise GarbledError(f"the computer does not say who it is: {error}") from error

    def meet(
        self, expected: Mapping[str, str], ahead: Sequence[ReadOperation]
    ) -> tuple[Identity, Mapping[str, Answer]]:
        """Who the computer is; nothing ahead of that, since another `sh` costs next to nothing."""
        del expected, ahead
        return self.identify(), {}

    def read(self, operations: Sequence[ReadOperation]) -> Mapping[str, Answer]:
        """All operations in one request; exactly one answer for each, in their order.

        Raises TransportError when the computer cannot be asked, TypeError for anything but a ReadOperation and
        ValueError for two operations with one id.
        """
        for operation in operations:
            if not isinstance(operation, ReadOperation):
                raise TypeError(f"{operation!r} is no reading operation")
        if len({operation.id for operation in operations}) != len(operations):
            raise ValueError("two operations of one request have the same id")
        answers: dict[str, Answer] = {}
        todo: list[tuple[ReadOperation, Step]] = []
        for operation in operations:
            try:
                todo.append((operation, _step(operation)))
            except (ValueError, TypeError) as error:
                answers[operation.id] = Answer(operation.id, AnswerStatus.FAILED, error=str(error))
        replies = self._all([step for _, step in todo]) if todo else []
        for (operation, _), reply in zip(todo, replies, strict=True):
            answers[operation.id] = _answer(operation, reply)
        return {operation.id: answers[operation.id] for operation in operations}

    def start_job(self, spec: JobSpec, wait_seconds: float = 0.0) -> JobStatus:
        """Create and start a job unless one of this id exists; raises TransportError when that is not known.

        DeclinedError: this computer cannot do such work, and nothing was started.
        """
        step = jobs.start_step(spec, wait_seconds, self._spool, self._lease)
        return jobs.status_of(self._effect(step), 0)

    def wait_job(self, job_id: str, offset: int, wait_seconds: float) -> JobStatus:
        """What the spool says when the job is finished or lost, or after `wait_seconds` (at most 20)."""
        step = jobs.wait_step(job_id, offset, wait_seconds, self._spool, self._lease)
        return jobs.status_of(self._effect(step), offset)

    def find_job(
        self, expected: Mapping[str, str], job_id: str, offset: int, wait_seconds: float
    ) -> tuple[Identity, JobStatus | None]:
        """Who the computer is; the job is asked for by itself, since another `sh` costs next to nothing."""
        del expected, job_id, offset, wait_seconds
        return self.identify(), None

    def stop_job(self, job_id: str) -> None:
        """End the job's whole process tree; a finished job stays as it is."""
        self._effect(jobs.stop_step(job_id, self._spool))

    def reboot(self, boot: Boot, delay_seconds: int, reason: str) -> None:
        """Ask for a reboot; raises DeclinedError in another boot than `boot`, or where reboots are not allowed."""
        if self._refuse_reboot:
            raise DeclinedError(self._refuse_reboot)
        self._effect(jobs.reboot_step(boot, delay_seconds, reason, self._spool, self._lease))

    def carry(self, lease: Lease) -> None:
        """From now on every effect takes or renews this lease first."""
        self._lease = lease

    def release(self) -> None:
        """Let the lease go."""
        if self._lease is not None:
            self._effect(jobs.release_step(self._lease, self._spool))

    def close(self) -> None:
        """Free the connection; never raises."""
        self._transport.close()

    def _request(self, steps: Sequence[Step]) -> Replies:
        nonce = new_nonce()
        deadline = sum(step.timeout_seconds + _LADDER_SECONDS for step in steps) + _SLACK_SECONDS
        raw = self._transport.request(make_program(steps, nonce), deadline)
        replies = read_replies(raw.stdout, nonce, len(steps))
        if not replies.whole and (replies.running is None or raw.exit_code in (0, None)):
            evidence = (replies.noise or raw.stderr.decode("utf-8", "replace").strip())[:300]
            raise GarbledError(f"the answer is cut off (exit code {raw.exit_code}): {evidence or 'it is empty'}")
        return replies

    def _all(self, steps: Sequence[Step]) -> list[Reply]:
        """A reply for each step; what ended the whole shell is `died`, and those after it are asked again."""
        found: list[Reply] = []
        while len(found) < len(steps):
            replies = self._request(steps[len(found) :])
            base = len(found)
            found += [replies.replies[index] for index in sorted(replies.replies)]
            if replies.whole:
                break
            if replies.running != len(found) - base:
                raise GarbledError("the answers came out of order")
            found.append(Reply(Ending.DIED, None, 0.0, b"", b"it ended the shell that runs all operations"))
        return found

    def _one(self, step: Step) -> Reply:
        replies = self._request([step])
        if not replies.whole:
            raise GarbledError("the answer is cut off")
        return replies.replies[0]

    def _effect(self, step: Step) -> str:
        reply = self._one(step)
        if reply.exit_code == 64 and reply.ending is Ending.DONE:
            raise refused(reply.errors.decode("utf-8", "replace").strip())
        if not _fine(reply):
            raise TransportError(f"the computer did not do it: {_why(reply)}")
        return _text(reply)


def _built_in(call: str, timeout: float, texts: Sequence[str] = ()) -> Step:
    for text in texts:
        if "\0" in text:
            raise ValueError(f"{text!r} holds a NUL")
    return Step(Part.READS, " ".join([call, *(encoded(text) or "''" for text in texts)]) + "\n", timeout)


def _step(operation: ReadOperation) -> Step:
    params, timeout = operation.params, operation.timeout_seconds
    match operation.name:
        case Read.IDENTITY:
            return _built_in("immy_identity", timeout)
        case Read.FACTS:
            sections = _names(params, "sections")
            unknown = [name for name in sections if name not in ("hardware", "network", "users")]
            if unknown:
                raise ValueError(f"there are no facts {', '.join(unknown)}; there are hardware, network, users")
            return _built_in(" ".join(["immy_facts", *sections]), timeout)
        case Read.SOFTWARE:
            return _built_in("immy_software", timeout)
        case Read.PACKAGES:
            manager = params.get("manager")
            if manager not in ("apt", "brew", "dnf", "yum"):
                raise ValueError(f"{manager} is no package manager of this platform; apt, brew, dnf and yum are")
            return _built_in(f"immy_packages {manager}", timeout, _names(params, "names"))
        case Read.SERVICE:
            return _built_in("immy_services", timeout, _names(params, "names"))
        case Read.FILE:
            return _built_in("immy_files", timeout, _names(params, "paths"))
        case Read.REGISTRY | Read.DRIVER:
            raise ValueError(f"{operation.name} is of Windows; this computer has none")
        case Read.SCRIPT:
            return _script_step(operation)


def _script_step(operation: ReadOperation) -> Step:
    if operation.script is None:
        raise ValueError("the operation has no script")
    if operation.language not in (None, Language.SH):
        raise ValueError(f"the script is {operation.language}, and this computer runs sh")
    params = operation.params.get("params") or {}
    if not isinstance(params, Mapping):
        raise TypeError("params is no map")
    return Step(Part.SCRIPT, operation.script, operation.timeout_seconds, variables(params))


def _names(params: Mapping[str, Json], key: str) -> list[str]:
    names = params.get(key)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key} is no list of texts")
    return [str(name) for name in names]


def _text(reply: Reply) -> str:
    return reply.output.decode("utf-8", "replace")


def _fine(reply: Reply) -> bool:
    return reply.ending is Ending.DONE and reply.exit_code == 0


def _why(reply: Reply) -> str:
    match reply.ending:
        case Ending.LATE:
            return "it was ended at its time-out"
        case Ending.LARGE:
            return f"its result is larger than {_LARGEST_RESULT} bytes"
        case Ending.DIED:
            return "its shell was killed"
        case Ending.DONE:
            lines = reply.errors.decode("utf-8", "replace").strip().splitlines()
            code = reply.exit_code or 0
            how = f"ended by signal {code - 128}" if 128 < code < 160 else f"exit code {code}"
            return f"{how}: {lines[-1]}" if lines else how


def _answer(operation: ReadOperation, reply: Reply) -> Answer:
    status, error = AnswerStatus.OK, ""
    result: Json = None
    test = operation.name is Read.SCRIPT and operation.params.get("purpose") == "test"
    silent = test and reply.ending is Ending.DONE and not reply.output.strip()
    if silent and reply.exit_code in (0, 1):
        result = reply.exit_code == 0
    elif _fine(reply):
        try:
            result = _result(operation, _text(reply))
        except (ValueError, LookupError, TypeError, ArithmeticError) as problem:
            status, error = AnswerStatus.FAILED, f"the result cannot be read: {problem}"
    else:
        endings = {Ending.LATE: AnswerStatus.TIMED_OUT, Ending.DIED: AnswerStatus.DIED}
        status = endings.get(reply.ending, AnswerStatus.FAILED)
        error = _why(reply)
    output = reply.errors.decode("utf-8", "replace")
    if status is not AnswerStatus.OK and reply.ending is not Ending.LARGE:
        # What a failed script printed is evidence, not a result.
        output = "\n".join(text for text in (_text(reply)[-65536:].rstrip("\n"), output.rstrip("\n")) if text)
    return Answer(operation.id, status, result, error, (), output, reply.exit_code, reply.seconds)


def _result(operation: ReadOperation, text: str) -> Json:
    params = operation.params
    match operation.name:
        case Read.IDENTITY:
            return results.identity(text)
        case Read.FACTS:
            return results.facts(text)
        case Read.SOFTWARE:
            return results.software(text)
        case Read.PACKAGES:
            return results.packages(text, _names(params, "names"))
        case Read.SERVICE:
            return results.services(text, _names(params, "names"))
        case Read.FILE:
            return results.paths(text, _names(params, "paths"))
        case _:
            result = result_of(text)
            if len(json.line(result)) > _LARGEST_RESULT:
                raise ValueError(f"it is larger than {_LARGEST_RESULT} bytes")
            return result
