"""The output of a job, from the spool of its computer into the record: whole, or its beginning and its end.

While a job is at work, whole lines come with each look; what is left is read when it has ended. Nothing that goes
wrong with the output changes how the job ended. Not here: what the job's end means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from immy_nornir.errors import HistoryError, TransportError

if TYPE_CHECKING:
    from immy_nornir.decide.steps.under_way import Job
    from immy_nornir.history.store import History
    from immy_nornir.model.wire import JobStatus

HEAD_BYTES: Final = 2_000_000
"""Of the beginning of a job's output so much is kept whatever it comes to, and a piece of the spool more."""
TAIL_BYTES: Final = 2_000_000
"""Of its end."""
LONGEST_LINE: Final = 10_000
"""Where output is cut, it is cut between lines, unless they are longer than this."""
_BEYOND = 4_000_000_000
"""Hardly any output comes to this, and every `tail` can count so far: from here on only the state is told."""


def asked_from(job: Job) -> int:
    """From where on the output of a job at work is asked for: from nowhere on once its beginning is here."""
    return job.offset if job.offset < HEAD_BYTES else _BEYOND


def whole_lines(job: Job, status: JobStatus) -> tuple[str, int]:
    """The output up to its last line's end: a secret cut across two polls would not be recognised."""
    if job.offset >= HEAD_BYTES:
        return "", job.offset
    whole, end, rest = status.output.rpartition("\n")
    if "\ufffd" in rest or len(rest) > LONGEST_LINE:
        return status.output, status.next_offset
    return (whole + end, status.next_offset - len(rest.encode())) if whole + end else ("", job.offset)


def rest_of(
    job: Job, status: JobStatus, read: Callable[[int], JobStatus], clean: Callable[[str], str]
) -> tuple[str, TransportError | None]:
    """What is left of an ended job's output after what is recorded, with a mark where something is left out.

    `status` is the word that told of the end, `read` asks for the output from a byte on, `clean` takes secrets out.
    The error, if there is one, is why not all could be read.
    """
    offset, text = job.offset, ""
    if status.next_offset < _BEYOND:
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
        return f"{text}{_mark(text, status.size - offset, f'could not be read: {clean(error.message)}')}", error
    head, tail = _cut_end(text, clean), _cut_begin(tail, clean)
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
    """The output from a byte on until `end` is reached, or nothing more comes, and where that is."""
    pieces: list[str] = []
    while offset < end:
        status = read(offset)
        if status.next_offset <= offset:
            break
        pieces.append(status.output)
        offset = status.next_offset
    return "".join(pieces), offset


def _cut_end(text: str, clean: Callable[[str], str]) -> str:
    """Without the beginning of a line at the end, which may hold half a secret."""
    end = text.rfind("\n", -LONGEST_LINE)
    return text[: end + 1] if end >= 0 or not text else clean(text)[:-LONGEST_LINE]


def _cut_begin(text: str, clean: Callable[[str], str]) -> str:
    """Without the end of a line at the beginning."""
    end = text.find("\n", 0, LONGEST_LINE)
    return text[end + 1 :] if end >= 0 else clean(text)[LONGEST_LINE:]


def _mark(before: str, size: int, what: str) -> str:
    line = f"[immy: {size:,} bytes of output {what}]\n"
    return line if not before or before.endswith("\n") else f"\n{line}"
