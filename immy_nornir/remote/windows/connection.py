"""`model.protocols.Connection` over any transport to a PowerShell: operations out, exactly one answer each back.

Above `bundle` and `frames`; below it a Transport that knows nothing of operations. Reading operations are asked
again where an answer is missing, until the one that ends the process stands alone; effects are never repeated here.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import math
import os
import re
from collections import deque
from typing import TYPE_CHECKING

from immy_nornir.errors import (
    DeclinedError,
    DroppedError,
    GarbledError,
    RefusedError,
    TransportTimeoutError,
    UsageError,
    refused,
)
from immy_nornir.model.facts import Boot, Identity
from immy_nornir.model.items import Platform
from immy_nornir.model.protocols import RawAnswer
from immy_nornir.model.wire import (
    Answer,
    AnswerStatus,
    Effect,
    EffectOperation,
    JobResult,
    JobSpec,
    JobState,
    JobStatus,
    Lease,
    Operation,
    Read,
    ReadOperation,
)
from immy_nornir.remote import frames, told
from immy_nornir.remote.windows import bundle, powershell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from immy_nornir.model.protocols import PowerShellTransport
    from immy_nornir.model.values import Json

MARGIN_SECONDS = 60.0
"""Added to the operations' time-outs: starting PowerShell, sending, the ladder of a time-out."""
JOB_MARGIN_SECONDS = 60.0
MAXIMUM_WAIT = 20.0

_POLICY = "allow immy's runner in the application control policy"
_ANTIVIRUS = "exclude immy's runner in the security software"
_REFUSALS = (
    ("constrained_language", "PowerShell runs in ConstrainedLanguage mode", _POLICY),
    ("languagemode", "PowerShell runs in a restricted language mode", _POLICY),
    ("scriptcontainedmaliciouscontent", "security software blocked the runner", _ANTIVIRUS),
    ("blocked by your antivirus", "security software blocked the runner", _ANTIVIRUS),
    ("is not recognized as an internal or external", "there is no powershell", "install Windows PowerShell 5.1"),
    ("blocked by group policy", "a policy blocks powershell", "allow powershell.exe for this user"),
    ("access is denied", "this user may not start powershell", "use an administrator"),
)


class PowerShellConnection:
    """One kept connection to one Windows computer; belongs to one thread, like its transport."""

    def __init__(
        self, transport: PowerShellTransport, make_nonce: Callable[[], str] = lambda: os.urandom(16).hex()
    ) -> None:
        self._transport = transport
        self._make_nonce = make_nonce
        self._lease: Lease | None = None
        self._proven = False
        """Whether this connection's runner has ever finished a request."""

    def __repr__(self) -> str:
        return f"PowerShellConnection({self._transport!r})"

    # --- Reader ---------------------------------------------------------------------------------------------

    def identify(self) -> Identity:
        """The computer's identity; raises GarbledError when it has none to tell, and every TransportError."""
        return _identity_of(self.read([ReadOperation("identity", Read.IDENTITY)])["identity"])

    def meet(
        self, expected: Mapping[str, str], ahead: Sequence[ReadOperation]
    ) -> tuple[Identity, Mapping[str, Answer]]:
        """The identity and, in the same request, what else can be read; what was not answered is not in the map.

        Nothing of `ahead` runs on a computer that says of itself anything else than is `expected`. Raises as
        `identify`.
        """
        for operation in ahead:
            _check_reading(operation)
        return self._meet(expected, next(bundle.chunks(ahead), []))

    def _meet(self, expected: Mapping[str, str], more: Sequence[Operation]) -> tuple[Identity, dict[str, Answer]]:
        """Who the computer is, and the answers to `more` that came, if it is the expected one.

        Whatever goes wrong with `more` does not hide who the computer is.
        """
        if not more:
            return self.identify(), {}
        # Also where nothing is expected: a computer that cannot say who it is runs nothing more.
        first = ReadOperation("identity", Read.IDENTITY, {"expect": dict(expected)})
        try:
            _, decoded = self._ask([first, *more], first_seconds=first.timeout_seconds + MARGIN_SECONDS)
        except GarbledError:
            return self.identify(), {}
        answers = {answer.id: answer for answer in decoded.answers}
        if first.id not in answers:
            return self.identify(), {}
        asked = [operation.id for operation in more if operation.id in answers]
        return _identity_of(answers[first.id]), {name: answers[name] for name in asked}

    def read(self, operations: Sequence[ReadOperation]) -> Mapping[str, Answer]:
        """Execute reading operations; exactly one answer for each id, in the order given.

        Raises UsageError for anything but reading operations with different ids, GarbledError when the runner does not
        answer at all, RefusedError when PowerShell may not run it, and whatever the transport raises.
        """
        for operation in operations:
            _check_reading(operation)
        if len({operation.id for operation in operations}) != len(operations):
            raise UsageError("two operations of one request have the same id")
        answers: dict[str, Answer] = {}
        groups: deque[list[Operation]] = deque(bundle.chunks(operations))
        repeats = 1
        while groups:
            group = groups.popleft()
            raw, decoded = self._ask(group)
            asked = {operation.id for operation in group}
            answers.update({answer.id: answer for answer in decoded.answers if answer.id in asked})
            missing = [operation for operation in group if operation.id not in answers]
            if not missing:
                continue
            if len(missing) < len(group) and decoded.end and {one.id for one in missing} <= set(decoded.end.untouched):
                groups.appendleft(missing)
            elif decoded.damaged or decoded.end:
                if not repeats:
                    raise GarbledError(_what_came(raw, decoded))
                repeats -= 1
                groups.appendleft(missing)
            elif len(missing) > 1:
                self._prove(raw, decoded)
                half = (len(missing) + 1) // 2
                groups.extendleft([missing[half:], missing[:half]])
            else:
                self._prove(raw, decoded)
                answers[missing[0].id] = Answer(
                    missing[0].id, AnswerStatus.DIED, error="the operation ended the whole PowerShell process"
                )
        return {operation.id: answers[operation.id] for operation in operations}

    def _prove(self, raw: RawAnswer, decoded: frames.Decoded) -> None:
        """That a runner works on this computer, so that silence is an operation's fault; else GarbledError."""
        if self._proven:
            return
        probe = self._ask([])
        if not self._proven:
            raise GarbledError(
                _what_came(raw, decoded) + "; an empty request was not answered either: " + _what_came(*probe)
            )

    def _ask(
        self, operations: Sequence[Operation], first_seconds: float = math.inf
    ) -> tuple[RawAnswer, frames.Decoded]:
        nonce = self._make_nonce()
        request = bundle.request(operations, nonce)
        deadline = sum(operation.timeout_seconds for operation in operations) + MARGIN_SECONDS
        try:
            raw = self._transport.request(request, deadline, first_seconds)
        except TransportTimeoutError as error:
            partial = frames.decode_answer(error.output, nonce)
            if first_seconds == math.inf or not partial.answers:
                raise
            return RawAnswer(error.output, b"", None), partial
        decoded = frames.decode_answer(raw.stdout, nonce)
        if decoded.end:
            self._proven = True
        elif not decoded.answers:
            _check_refused(raw, decoded, acts=any(isinstance(one, EffectOperation) for one in operations))
        return raw, decoded

    # --- Executor -------------------------------------------------------------------------------------------

    def start_job(self, spec: JobSpec, wait_seconds: float = 0.0) -> JobStatus:
        """Create and start a job unless one of this id exists.

        Raises DeclinedError when the computer said why it did not, any other TransportError when it is not known.
        """
        job: dict[str, Json] = {
            "job_id": spec.job_id,
            "kind": spec.kind,
            "work": dict(spec.work),
            "context": spec.context,
            "deadline_seconds": spec.deadline_seconds,
            "item": spec.item,
            "action": spec.action,
        }
        wait = _bounded(wait_seconds)
        params: dict[str, Json] = {
            "job": job,
            "secrets": dict(spec.secrets),
            "wait_seconds": wait,
            "detected_seconds": spec.detected_seconds,
            **self._carried(),
        }
        return job_status_from(self._act(_effect(Effect.JOB_START, params, wait)))

    def wait_job(self, job_id: str, offset: int, wait_seconds: float) -> JobStatus:
        """What the spool says now, or when the job ends within `wait_seconds` (at most 20)."""
        return job_status_from(self._act(_wait_of(job_id, offset, wait_seconds, self._carried())), offset)

    def find_job(
        self, expected: Mapping[str, str], job_id: str, offset: int, wait_seconds: float
    ) -> tuple[Identity, JobStatus | None]:
        """The identity and, in the same request, the word of `wait_job`; None where that was not said."""
        operation = _wait_of(job_id, offset, wait_seconds, self._carried())
        identity, answers = self._meet(expected, [operation])
        said = answers.get(operation.id)
        if said is None or said.status is not AnswerStatus.OK or not isinstance(said.result, dict):
            return identity, None
        return identity, job_status_from(said.result, offset)

    def stop_job(self, job_id: str) -> None:
        """End the job's whole process tree; a job that is absent or finished stays as it is."""
        self._act(_effect(Effect.JOB_STOP, {"job_id": job_id}))

    def reboot(self, boot: Boot, delay_seconds: int, reason: str) -> None:
        """Ask for a reboot; DeclinedError when the computer is not in `boot` any more or will not."""
        of_boot: dict[str, Json] = {"id": boot.id, "time": boot.time}
        params: dict[str, Json] = {"delay_seconds": delay_seconds, "reason": reason, "boot": of_boot}
        self._act(_effect(Effect.REBOOT, {**params, **self._carried()}))

    def carry(self, lease: Lease) -> None:
        """From now on every effect takes or renews this lease first."""
        self._lease = lease

    def release(self) -> None:
        """Let the lease go."""
        if self._lease is not None:
            self._act(_effect(Effect.LEASE_RELEASE, self._carried()))

    def _carried(self) -> dict[str, Json]:
        return {} if self._lease is None else {"lease": dataclasses.asdict(self._lease)}

    def close(self) -> None:
        """Free the connection; never raises."""
        self._transport.close()

    def _act(self, operation: EffectOperation) -> dict[str, Json]:
        """Send one effect, once; its result, or DeclinedError with the computer's own words."""
        raw, decoded = self._ask([operation])
        answer = next((answer for answer in decoded.answers if answer.id == operation.id), None)
        if answer is None:
            raise GarbledError(f"{operation.name}: {_what_came(raw, decoded)}")
        if answer.status is AnswerStatus.TIMED_OUT:
            raise DroppedError(f"{operation.name} took too long on the computer and was ended")
        if answer.status is not AnswerStatus.OK:
            raise refused(answer.error or answer.status.value, operation.name)
        if not isinstance(answer.result, dict):
            raise GarbledError(f"{operation.name}: the answer is no map")
        return answer.result


def _effect(effect: Effect, params: Mapping[str, Json], wait: float = 0.0) -> EffectOperation:
    return EffectOperation(effect.value, effect, params, JOB_MARGIN_SECONDS + wait)


def _bounded(wait_seconds: float) -> float:
    return min(max(wait_seconds, 0.0), MAXIMUM_WAIT)


def _wait_of(job_id: str, offset: int, wait_seconds: float, carried: Mapping[str, Json]) -> EffectOperation:
    wait = _bounded(wait_seconds)
    return _effect(Effect.JOB_WAIT, {"job_id": job_id, "from": offset, "wait_seconds": wait, **carried}, wait)


def _check_reading(operation: object) -> None:
    """Types alone do not hold back a caller that is not type-checked."""
    if not isinstance(operation, ReadOperation) or operation.name not in set(Read):
        raise UsageError(f"{operation!r} is no reading operation")


def _check_refused(raw: RawAnswer, decoded: frames.Decoded, *, acts: bool) -> None:
    """Raise for what never ran: a damaged request, a PowerShell that may not run it.

    Of an effect only the bootstrap's own word proves it: other words may be an installer's, whose answer was lost.
    """
    words = () if acts else (powershell.stderr_text(raw.stderr), decoded.noise[:2000])
    said = " ".join((decoded.bundle_error, *words)).strip()
    folded = re.sub(r"\s+", " ", said).casefold()
    for mark, message, advice in _REFUSALS:
        if mark in folded:
            raise (DeclinedError if acts else RefusedError)(message, advice)
    if decoded.bundle_error:
        raise GarbledError(f"the request did not arrive whole, nothing was run: {decoded.bundle_error[:300]}")


def _what_came(raw: RawAnswer, decoded: frames.Decoded) -> str:
    """One line on an answer that cannot be used."""
    code = "no exit code" if raw.exit_code is None else f"exit code {raw.exit_code}"
    if not raw.stdout.strip():
        text = f"the answer is empty ({code})"
    elif decoded.damaged:
        text = f"the answer is damaged ({decoded.damaged} bad frame(s), {len(raw.stdout)} bytes, {code})"
    else:
        text = f"the answer is cut off ({len(raw.stdout)} bytes, {code})"
    said = " ".join(f"{powershell.stderr_text(raw.stderr)} {decoded.noise}".split())
    return f"{text}: {said[:300]}" if said else text


def _identity_of(answer: Answer) -> Identity:
    if answer.status is not AnswerStatus.OK or not isinstance(answer.result, dict):
        raise GarbledError(f"the computer could not say who it is: {answer.error or answer.status.value}")
    return identity_from(answer.result)


def identity_from(result: Mapping[str, Json]) -> Identity:
    """The value of an `identity` answer; raises GarbledError when it has no name."""
    name = result.get("name")
    if not isinstance(name, str) or not name:
        raise GarbledError("the computer told no name of its own")
    boot, system = result.get("boot"), result.get("system")
    try:
        platform = Platform(told.text(result.get("platform", "windows")))
    except ValueError as error:
        raise GarbledError(f"unknown platform {told.text(result.get('platform'))!r:.100}") from error
    return Identity(
        name=name,
        domain=told.text(result.get("domain")),
        uuid=told.text(result.get("uuid")).lower(),
        uuid_source=told.text(result.get("uuid_source")),
        platform=platform,
        boot=boot_from(boot if isinstance(boot, dict) else {}),
        pending_reboots=told.texts(result.get("pending_reboots")),
        users=told.texts(result.get("users")),
        logons=told.logons(result.get("logons"), result.get("users")),
        system=told.system(system),
    )


def boot_from(value: Mapping[str, Json]) -> Boot:
    """A boot's identity as the wire tells it."""
    identifier = value.get("id")
    return Boot(id=told.text(identifier) if identifier is not None else None, time=told.number(value.get("time")))


def job_status_from(result: Mapping[str, Json], offset: int = 0) -> JobStatus:
    """The value of a `job.start` or `job.wait` answer; text never ends inside a character while more may come."""
    try:
        state = JobState(told.text(result.get("state")))
        raw = base64.b64decode(told.text(result.get("output")), validate=True)
    except (ValueError, binascii.Error) as error:
        raise GarbledError("the computer's word on a job cannot be read") from error
    told_end, told_size = told.whole(result.get("next_offset"), 0), told.whole(result.get("size"), 0)
    end = offset + len(raw) if told_end is None else told_end
    size = end if told_size is None else told_size
    ended = state in {JobState.FINISHED, JobState.LOST} and end >= size
    held = 0 if ended or not raw else _cut_character(raw)
    inner = result.get("result")
    return JobStatus(
        state=state,
        output=raw[: len(raw) - held].decode("utf-8", "replace"),
        next_offset=max(0, end - held),
        size=size,
        result=job_result_from(inner),
        created=result.get("created") is True,
    )


def _cut_character(raw: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character that is not whole yet."""
    for length in range(1, min(4, len(raw) + 1)):
        byte = raw[-length]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4 if byte >> 3 == 0b11110 else 1
        return length if needed > length else 0
    return 0


def job_result_from(value: Json) -> JobResult | None:
    """A job's last word; None where it has not its form: a whole exit code, or why there is none."""
    if not isinstance(value, dict) or told.too_deep(value):
        return None
    error, code = value.get("error"), told.whole(value.get("exit_code"))
    if code is None and not (value.get("exit_code") is None and isinstance(error, str) and error):
        return None
    return JobResult(code, told.text(error), told.number(value.get("seconds")) or 0.0, value.get("value"))
