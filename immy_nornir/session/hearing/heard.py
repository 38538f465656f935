"""What a computer says, on its way in: a stranger's text, out of which known secrets are taken at once.

Every connection of a session speaks through this; so states, records, reports and screens hold what was heard already
cleaned, and nothing has to be cleaned later: what is executed, ids and keys never are. Errors are texts of ours that
quote strangers; session.operations cleans them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from immy_nornir.model.values import texts_of
from immy_nornir.model.wire import JobState

if TYPE_CHECKING:
    from immy_nornir.model.facts import Boot, Identity
    from immy_nornir.model.protocols import Connection
    from immy_nornir.model.values import Json
    from immy_nornir.model.wire import Answer, JobSpec, JobStatus, Lease, ReadOperation
    from immy_nornir.text.redaction.redact import Redactor


class Heard:
    """A connection whose answers hold no known secret; implements model.protocols.Connection."""

    def __init__(self, inner: Connection, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor

    def identify(self) -> Identity:
        """As the connection's, with a clean description of the system; names and ids stay."""
        return self._identity(self._inner.identify())

    def meet(
        self, expected: Mapping[str, str], ahead: Sequence[ReadOperation]
    ) -> tuple[Identity, Mapping[str, Answer]]:
        """As the connection's, clean."""
        identity, answers = self._inner.meet(expected, ahead)
        return self._identity(identity), {name: self._answer(one) for name, one in answers.items()}

    def read(self, operations: Sequence[ReadOperation]) -> Mapping[str, Answer]:
        """As the connection's, clean."""
        return {name: self._answer(one) for name, one in self._inner.read(operations).items()}

    def start_job(self, spec: JobSpec, wait_seconds: float = 0.0) -> JobStatus:
        """As the connection's, clean."""
        return self._status(self._inner.start_job(spec, wait_seconds))

    def wait_job(self, job_id: str, offset: int, wait_seconds: float) -> JobStatus:
        """As the connection's, clean."""
        return self._status(self._inner.wait_job(job_id, offset, wait_seconds))

    def find_job(
        self, expected: Mapping[str, str], job_id: str, offset: int, wait_seconds: float
    ) -> tuple[Identity, JobStatus | None]:
        """As the connection's, clean."""
        identity, status = self._inner.find_job(expected, job_id, offset, wait_seconds)
        return self._identity(identity), None if status is None else self._status(status)

    def stop_job(self, job_id: str) -> None:
        """As the connection's."""
        self._inner.stop_job(job_id)

    def reboot(self, boot: Boot, delay_seconds: int, reason: str) -> None:
        """As the connection's."""
        self._inner.reboot(boot, delay_seconds, reason)

    def carry(self, lease: Lease) -> None:
        """As the connection's."""
        self._inner.carry(lease)

    def release(self) -> None:
        """As the connection's."""
        self._inner.release()

    def close(self) -> None:
        """As the connection's."""
        self._inner.close()

    def _identity(self, identity: Identity) -> Identity:
        system = {name: clean_reading(self._redactor, value) for name, value in identity.system.items()}
        return identity if system == identity.system else replace(identity, system=system)

    def _answer(self, answer: Answer) -> Answer:
        clean = self._redactor.clean
        result = clean_reading(self._redactor, answer.result)
        said = (clean(answer.error), clean(answer.output), tuple(clean(one) for one in answer.warnings))
        if result is answer.result and said == (answer.error, answer.output, answer.warnings):
            return answer
        error, output, warnings = said
        return replace(answer, result=result, error=error, output=output, warnings=warnings)

    def _status(self, status: JobStatus) -> JobStatus:
        # Its output is cleaned by who tells whole lines and their offsets apart (session.effects).
        result = status.result
        if result is None or status.state is JobState.BUSY:
            return status
        error, value = self._redactor.clean(result.error), clean_reading(self._redactor, result.value)
        return replace(status, result=replace(result, error=error, value=value))


def clean_reading(redactor: Redactor, value: Json) -> Json:
    """A value that was read, with its texts clean; the same object where nothing is known in it.

    A weak secret that is the whole of a text stays: it may be a version, a number, a state, and decisions rest on it.
    """
    together = "\n".join(texts_of(value))
    return value if redactor.clean(together) == together else _cleaned(value, lambda text: _clean_text(redactor, text))


def _clean_text(redactor: Redactor, text: str) -> str:
    return redactor.clean(text) if any(one.isspace() for one in text) else redactor.clean(text, weak=False)


def _cleaned(value: Json, clean: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(child, clean) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(child, clean) for child in value]
    return value
