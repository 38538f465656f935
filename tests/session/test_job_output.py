"""A job's output in the record: whole up to the limit, then its beginning and its end with a mark between."""

from __future__ import annotations

import re
import textwrap
from base64 import b64encode, encodebytes
from collections.abc import Callable, Iterable

import pytest

from immy_nornir.decide.steps.under_way import Job
from immy_nornir.errors import DroppedError
from immy_nornir.model.record.session import Purpose
from immy_nornir.model.wire import JobState, JobStatus
from immy_nornir.session.hearing.job_output import (
    HEAD_BYTES,
    LONGEST_LINE,
    TAIL_BYTES,
    asked_from,
    rest_of,
    settled,
)
from immy_nornir.text.redaction.redact import Redactor

PIECE = 262_144


def job(offset: int = 0) -> Job:
    return Job("s/a/1", Purpose.ACT, ("a",), offset=offset, seen=True)


def spool(output: bytes, *, breaks_at: int = -1) -> Callable[[int], JobStatus]:
    """The answers of a computer about an ended job with this output."""

    def read(offset: int) -> JobStatus:
        if 0 <= breaks_at <= offset < 10**9:
            raise DroppedError("the line is cut")
        data = output[offset : offset + PIECE]
        text = data.decode("utf-8", "ignore") if data else ""
        return JobStatus(JobState.FINISHED, text, offset + len(text.encode()), None, size=len(output))

    return read


def recorded(output: bytes, *, redactor: Redactor | None = None, breaks_at: int = -1, at: int = 0) -> tuple[str, bool]:
    read = spool(output, breaks_at=breaks_at)
    text, lost = rest_of(job(at), read(asked_from(job(at))), read, redactor or Redactor())
    return text, lost is not None


def lines(count: int, word: str = "ligne é") -> bytes:
    return "".join(f"{word} {number:08}\n" for number in range(count)).encode()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 1_000_000, HEAD_BYTES, HEAD_BYTES + TAIL_BYTES])
@pytest.mark.parametrize("word", ["line", "日本", ""])
def test_output_up_to_the_limit_is_whole(size: int, word: str) -> None:
    output = lines(size // len(f"{word} 00000001\n".encode()), word)
    assert recorded(output) == (output.decode(), False)


@pytest.mark.parametrize("at", [0, 14 * 1000, 14 * 200_000], ids=["from the start", "in the middle", "after the head"])
def test_more_than_the_limit_keeps_the_beginning_and_the_end_with_a_mark_that_says_how_much_is_missing(at: int) -> None:
    output = b"".join(b"line %08d\n" % number for number in range(400_000))
    text, lost = recorded(output, at=at)
    assert not lost
    head, _, rest = text.partition("[immy: ")
    said, _, tail = rest.partition("]\n")
    size, _, words = said.partition(" ")
    assert words == "bytes of output are left out here"
    assert head.encode() == output[at : at + len(head)]
    assert tail.encode() == output[-len(tail) :]
    assert at + len(head) + int(size.replace(",", "")) + len(tail) == len(output)
    assert at + len(head) >= HEAD_BYTES
    assert TAIL_BYTES <= len(tail) <= TAIL_BYTES + LONGEST_LINE
    assert head.endswith("\n") or not head
    assert tail.startswith("line ")


@pytest.mark.parametrize("separator", ["\n", "\r", ""], ids=["lines", "progress", "one line"])
def test_a_secret_at_the_cuts_is_not_left_in_part(separator: str) -> None:
    secret = "Tr0ub4dor&3-" * 7
    redactor = Redactor([secret])
    output = f"x{secret}{separator}".encode() * 50_000
    text, _ = recorded(output, redactor=redactor)
    assert "are left out here" in text
    assert "Tr0ub4dor" not in redactor.clean(text)


def test_what_cannot_be_read_any_more_is_said_and_the_rest_is_kept() -> None:
    output = lines(100_000)
    text, lost = recorded(output, breaks_at=PIECE)
    assert lost
    first, _, rest = text.rpartition("\n[immy: ")
    assert output.decode().startswith(first)
    assert "bytes of output could not be read: the line is cut]" in rest


def test_a_job_at_work_is_asked_for_no_output_once_its_beginning_is_here() -> None:
    assert asked_from(job(HEAD_BYTES - 1)) == HEAD_BYTES - 1
    assert asked_from(job(HEAD_BYTES)) > 10**9
    assert settled(job(HEAD_BYTES + 5), JobStatus(JobState.RUNNING, "late\n", 10**9), Redactor()) == (
        "",
        HEAD_BYTES + 5,
    )
    assert settled(job(3), JobStatus(JobState.RUNNING, "one\ntw", 9), Redactor()) == ("one\n", 7)


SECRETS = ("Tr0ub4dor&3-horse", "-----BEGIN KEY-----\n" + "MIIEvQIBADANBgkq\n" * 6 + "-----END KEY-----", "4711")
FORMS: dict[str, Callable[[str], str]] = {
    "base64 in lines": lambda one: encodebytes(b"user:" + one.encode() * 3).decode(),
    "narrow base64": lambda one: "\n".join(textwrap.wrap(b64encode(one.encode()).decode(), 5)) + "\n",
    "hex dump": lambda one: "\n".join(textwrap.wrap(one.encode().hex(" "), 12)) + "\n",
    "a console's width": lambda one: "\n".join(textwrap.wrap(f"key is {one}", 9)) + "\n",
    "coloured lines": lambda one: "".join(
        f"\x1b[31m{b64encode(one.encode()).decode()[at : at + 4]}\x1b[0m\r\n" for at in range(0, 200, 4)
    ),
    "itself": lambda one: f"it is {one} you see\n",
}


def once(text: str) -> str:
    """With one mark where several stand side by side."""
    return re.sub(r"(\[secret\])+", "[secret]", text)


def polled(output: bytes, ends: Iterable[int], redactor: Redactor) -> str:
    """The record of a job that had written so much at each look."""
    text, one = "", job()
    for end in ends:
        status = JobStatus(JobState.RUNNING, output[one.offset : end].decode("utf-8", "replace"), end, size=end)
        piece, offset = settled(one, status, redactor)
        text, one = text + redactor.clean(piece), job(offset)
    read = spool(output)
    rest, lost = rest_of(one, read(one.offset), read, redactor)
    assert lost is None
    return text + redactor.clean(rest)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS, ids=["password", "key", "pin"])
def test_looks_cut_no_secret_of_a_job_at_work_in_two_wherever_they_come(form: str, secret: str) -> None:
    redactor = Redactor([secret])
    output = f"begin\n{FORMS[form](secret)}and then\nwaiting for a licence\n".encode()
    whole = once(redactor.clean(output.decode()))
    for step in (1, 7, 16):
        assert once(polled(output, range(step, len(output), step), redactor)) == whole
    for end in range(0, len(output), 5):
        assert once(polled(output, [end], redactor)) == whole


def test_what_no_secret_begins_with_is_recorded_at_once() -> None:
    redactor = Redactor([SECRETS[0]])
    status = JobStatus(JobState.RUNNING, "one\nwaiting for a licence\n", 26)
    text, offset = settled(job(), status, redactor)
    assert text.startswith("one\nwaiting for a")
    assert offset == len(text)


@pytest.mark.parametrize(("advance", "output"), [(1, ""), (1, "x"), (5, "x" * 10_000), (10**15, "")])
def test_a_computer_that_lies_about_its_output_is_asked_a_bounded_number_of_times(advance: int, output: str) -> None:
    asked = []

    def read(offset: int) -> JobStatus:
        asked.append(offset)
        return JobStatus(JobState.FINISHED, output, offset + advance, None, size=10**18)

    text, _ = rest_of(job(), read(0), read, Redactor())
    assert len(asked) < 300
    assert "[immy: " in text
    assert len(text) < 1_000_000


def test_the_left_out_middle_leaves_no_half_of_a_wrapped_secret_at_its_edges() -> None:
    secret = "".join(f"{number:04}/Tr0ub4dor&" for number in range(300))
    redactor = Redactor([secret])
    block = encodebytes(secret.encode())
    output = block * (4_500_000 // len(block))
    text, _ = recorded(output, redactor=redactor)
    assert "are left out here" in text
    shown = redactor.clean(text)
    assert all(line.decode() not in shown for line in block.splitlines())
