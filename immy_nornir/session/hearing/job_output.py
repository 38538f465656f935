"""The output of a job, from the spool of its computer into the record: whole, or its beginning and its end.

While a job is at work, whole lines come with each look; what is left is read when it has ended. Nothing that goes
wrong with the output changes how the job ended. Not here: what the job's end means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from immy_nornir.errors import GarbledError, HistoryError, TransportError

if TYPE_CHECKING:
    from immy_nornir.decide.steps.under_way import Job
    from immy_nornir.history.store import History
    from immy_nornir.model.wire import JobStatus
    from immy_nornir.text.redaction.redact import Redactor

HEAD_BYTES: Final = 2_000_000
"""Of the beginning of a job's output so much is kept whatever it comes to, and a piece of the spool more."""
TAIL_BYTES: Final = 2_000_000
"""Of its end."""
LONGEST_LINE: Final = 10_000
"""Where output is cut, it is cut between lines, unless they are longer than this."""
MOST_PIECES: Final = 100
"""Of a job's output; a computer sends 256 kB in one where there is more."""
_BEYOND = 4_000_000_000
"""Hardly any output comes to this, and every `tail` can count so far: from here on only the state is told."""


def asked_from(job: Job) -> int:
    """From where on the output of a job at work is asked for: from nowhere on once its beginning is here."""
    return job.offset if job.offset < HEAD_BYTES else _BEYOND


def settled(job: Job, status: JobStatus, redactor: Redactor) -> tuple[str, int]:
    """The output that can be cleaned by itself, and where it ends: whole lines, and no beginning of a secret.

    What is held back comes again with the next look, or is read at the end.
    """
    if job.offset >= HEAD_BYTES or not _true(job.offset, status):
        return "", job.offset
    text = status.output
    whole, end, rest = text.rpartition("\n")
    if "\ufffd" not in rest and len(rest) <= LONGEST_LINE:
        text = whole + end
    text = text[: max(redactor.settled(text), text.rfind("\ufffd") + 1)]  # how many bytes that is, nobody can say
    return text, status.next_offset - len(status.output[len(text) :].encode()) if text else job.offset


def rest_of(
    job: Job, status: JobStatus, read: Callable[[int], JobStatus], redactor: Redactor
) -> tuple[str, TransportError | None]:
    """What is left of an ended job's output after what is recorded, with a mark where something is left out.

    `status` is the word that told of the end, `read` asks for the output from a byte on, `redactor` takes secrets out.
    The error, if there is one, is why not all could be read.
    """
    offset, text = job.offset, ""
    if status.next_offset < _BEYOND and _true(offset, status):
        offset, text = status.next_offset, status.output
    try:
        kept, offset = _read(offset, min(HEAD_BYTES, status.size), read)
        text += kept
        start = status.size - TAIL_BYTES - LONGEST_LINE
        if offset >= start:
            return text + _read(offset, status.size, read)[0], None
        left, tail = status.size - offset, ""
        tail, offset = _read(start, status.size, read)
    except TransportError as error:
        return (
            f"{text}{_mark(text, status.size - offset, f'could not be read: {redactor.clean(error.message)}')}",
            error,
        )
    head, tail = _cut_end(text, redactor), _cut_begin(tail, redactor)
    out = left - len(tail.encode()) + len(text.encode()) - len(head.encode())
    return f"{head}{_mark(head, out, 'are left out here')}{tail}", None


def written_by(history: History, session: str, job: Job | None) -> str:
    """What a job wrote, as the record has it; nothing where the record cannot be read now."""
    if job is None:
        return ""
    try:
        history.flush()
        with history.read() as reader:
            return next((one.output for one in reader.jobs(session) if one.job_id == job.id), "")
    except HistoryError:
        return ""


def _read(offset: int, end: int, read: Callable[[int], JobStatus]) -> tuple[str, int]:
    """The output from a byte on until `end` is reached, or nothing more comes, and where that is.

    Raises: GarbledError for answers that cannot be true, however many of them would come.
    """
    pieces: list[str] = []
    while offset < end:
        status = read(offset)
        if status.next_offset <= offset:
            break
        if not _true(offset, status) or len(pieces) >= MOST_PIECES:
            raise GarbledError("what it says about the size of a job's output cannot be true")
        pieces.append(status.output)
        offset = status.next_offset
    return "".join(pieces), offset


def _true(offset: int, status: JobStatus) -> bool:
    """Whether so much text can stand between the byte that was asked for and the one that was told."""
    return len(status.output) <= status.next_offset - offset


def _cut_end(text: str, redactor: Redactor) -> str:
    """Without the beginning of a line at the end, which may hold half a secret, nor of a secret on several lines."""
    end = text.rfind("\n", -LONGEST_LINE)
    whole = text[: end + 1] if end >= 0 or not text else redactor.clean(text)[:-LONGEST_LINE]
    return whole[: redactor.settled(whole)]


def _cut_begin(text: str, redactor: Redactor) -> str:
    """Without the end of a line at the beginning, or of a secret."""
    end = text.find("\n", 0, LONGEST_LINE)
    whole = text[end + 1 :] if end >= 0 else redactor.clean(text)[LONGEST_LINE:]
    return whole[redactor.torn(whole) :]


def _mark(before: str, size: int, what: str) -> str:
    line = f"[immy: {size:,} bytes of output {what}]\n"
    return line if not before or before.endswith("\n") else f"\n{line}"
