"""Whatever a computer tells is an answer or an error of its own kind: wrong types in every field, and great depths."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from immy_nornir.errors import GarbledError
from immy_nornir.history import codec
from immy_nornir.model.facts import Boot, Identity
from immy_nornir.model.record.entries import Connected, Entry, JobEnded
from immy_nornir.model.wire import Answer, JobResult, JobStatus, Read, ReadOperation
from immy_nornir.remote import frames, told
from immy_nornir.remote.posix import jobs
from immy_nornir.remote.posix.connection import _answer as answer_of
from immy_nornir.remote.posix.program import Ending, Reply
from immy_nornir.remote.windows.connection import boot_from, identity_from, job_result_from, job_status_from

NONCE = "0123456789abcdef" * 2
HUGE = 10**400


def nested(depth: int, kind: str = "list") -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**63, -(2**70), HUGE, 1e308, math.inf, -math.inf, math.nan, "", "text", "\ud83d",
    "\x00", "²", "9" * 5000, [], [[]], [None, 1, {}], {}, {"a": {"b": []}}, nested(90), nested(300), nested(900, "map"),
)  # fmt: skip


def frame(body: Any) -> bytes:
    raw = (body if isinstance(body, str) else json.dumps(body)).encode()
    text = base64.b64encode(gzip.compress(raw)).decode()
    return f"#IMMY {NONCE} {len(text)} {hashlib.sha256(raw).hexdigest()} {text}\n".encode()


def sound_answer(one: Answer) -> None:
    assert all(isinstance(value, str) for value in (one.id, one.error, one.output, *one.warnings))
    assert one.exit_code is None or abs(one.exit_code) < 2**63
    assert math.isfinite(one.seconds)
    json.dumps(one.result)


def sound_identity(one: Identity) -> None:
    assert one.name
    sound_boot(one.boot)
    assert all(isinstance(value, str) for value in (one.domain, one.uuid, *one.pending_reboots, *one.users))
    assert isinstance(one.system.get("time_zone"), str | None)
    assert told.number(one.system.get("time")) is not None or one.system.get("time") is None
    codec.entry_text(Connected(one))


def sound_boot(one: Boot) -> None:
    assert isinstance(one.id, str | None)
    assert one.time is None or math.isfinite(one.time)


def sound_status(one: JobStatus) -> None:
    assert 0 <= one.next_offset < 2**63
    assert 0 <= one.size < 2**63
    sound_result(one.result)


def sound_result(one: JobResult | None) -> None:
    if one is not None:
        assert one.exit_code is None or abs(one.exit_code) < 2**63
        assert math.isfinite(one.seconds)
        text = codec.entry_text(JobEnded("a", one))
        assert isinstance(codec.entry_from(text), Entry)


SAMPLES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], None], dict[str, Any]]] = {
    "identity": (
        identity_from,
        sound_identity,
        {
            "name": "PC", "domain": "d", "uuid": "U", "uuid_source": "smbios", "platform": "windows",
            "boot": {"id": "b", "time": 1.0}, "pending_reboots": ["x"], "users": ["u"],
            "system": {"os": "Windows", "time": 1.0, "time_zone": "UTC", "memory_gb": 8, "architecture": "x64"},
        },
    ),
    "boot": (boot_from, sound_boot, {"id": "b", "time": 1.0}),
    "job status": (
        job_status_from,
        sound_status,
        {
            "state": "finished", "output": "YQ==", "next_offset": 1, "size": 1, "created": True,
            "result": {"exit_code": 0, "error": "", "seconds": 1.0, "value": {"a": 1}},
        },
    ),
    "job result": (job_result_from, sound_result, {"exit_code": 3010, "error": "x", "seconds": 1, "value": [1]}),
}  # fmt: skip


def mistyped(sample: dict[str, Any]) -> list[Any]:
    """The sample with something strange in each of its fields, one after the other."""
    found: list[Any] = []
    for name, value in sample.items():
        found += [{**sample, name: strange} for strange in STRANGE]
        found.append({key: one for key, one in sample.items() if key != name})
        if isinstance(value, dict):
            found += [{**sample, name: inner} for inner in mistyped(value)]
    return found


@pytest.mark.parametrize("what", SAMPLES)
def test_a_wrong_type_in_any_field_is_a_value_or_garbled(what: str) -> None:
    read, sound, sample = SAMPLES[what]
    for body in mistyped(sample):
        try:
            made = read(body)
        except GarbledError:
            continue
        sound(made)


def test_a_wrong_type_in_any_field_of_a_frame_is_an_answer_or_damage() -> None:
    sample = {
        "id": "a", "status": "ok", "result": 1, "error": "", "warnings": ["w"], "output": "",
        "exit_code": 0, "seconds": 1,
    }  # fmt: skip
    for body in mistyped(sample):
        decoded = frames.decode_answer(frame(body), NONCE)
        assert len(decoded.answers) + decoded.damaged + (decoded.bundle_error != "") <= 1
        for one in decoded.answers:
            sound_answer(one)
    for body in mistyped({"id": "!end", "result": {"answered": 1, "untouched": ["z"]}}):
        frames.decode_answer(frame(body), NONCE)
    for body in mistyped({"id": "!bundle", "error": "x"}):
        frames.decode_answer(frame(body), NONCE)


@pytest.mark.parametrize("depth", [99, 101, 1_000, 10_000, 1_000_000])
def test_a_frame_nested_too_deep_is_dropped_and_others_count(depth: int) -> None:
    deep = frame('{"id": "a", "status": "ok", "result": ' + "[" * depth + "]" * depth + "}")
    decoded = frames.decode_answer(deep + frame({"id": "b", "status": "ok"}), NONCE)
    assert [one.id for one in decoded.answers] == (["a", "b"] if depth < 100 else ["b"])
    assert decoded.damaged == (depth >= 100)


@pytest.mark.parametrize("length", ["²", "9" * 5000, "-1", "0x10", "\u0661", "1e3", ""])
def test_a_length_that_is_no_number_is_damage(length: str) -> None:
    decoded = frames.decode_answer(f"#IMMY {NONCE} {length} {'0' * 64} YQ==\n".encode(), NONCE)
    assert (decoded.answers, decoded.damaged) == ((), 1)


def test_frames_of_chance_never_raise() -> None:
    chance = random.Random(10)  # noqa: S311 - the same on every run
    good = frame({"id": "a", "status": "ok", "result": {"x": [1, 2, {"y": None}]}, "seconds": 1.5})
    for _ in range(1_000):
        data = bytearray(good * chance.randint(1, 2))
        for _ in range(chance.randint(0, 6)):
            match chance.randint(0, 3):
                case 0:
                    data[chance.randrange(len(data))] = chance.randrange(256)
                case 1:
                    del data[chance.randrange(len(data)) :]
                case 2:
                    data[chance.randrange(len(data) + 1) : 0] = chance.randbytes(chance.randint(1, 9))
                case _:
                    data += b" \n#IMMY"[: chance.randint(1, 7)]
            data = data or bytearray(b" ")
        for one in frames.decode_answer(bytes(data), NONCE).answers:
            sound_answer(one)


# --- the spool of a POSIX computer, which tells lines of words -----------------------------------------------------


def packed(value: Any) -> str:
    return base64.b64encode(
        (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "replace")
    ).decode()


def test_any_last_word_of_a_posix_job_is_a_status_or_garbled() -> None:
    word = {"exit_code": 0, "error": "", "seconds": 1.0, "value": None}
    results = [packed(one) for one in mistyped(word)] + [packed("[" * 10_000 + "]" * 10_000), packed("{"), "?", "é", ""]
    for result in results:
        text = f"state\tfinished\noutput\tYQ==\nsize\t1\nresult\t{result}\n"
        for more in (
            "",
            f"last\t{packed('[' * 5000)}\n",
            "last\t?\n",
            "change\ta\tb\n",
            f"change\t{packed('n')}\t?\t?\n",
        ):
            try:
                sound_status(jobs.status_of(text + more, 0))
            except GarbledError:
                continue


WORDS = (
    "",
    "x",
    "-1",
    "0",
    "9" * 30,
    "inf",
    "nan",
    "1e999",
    "?",
    "é",
    "\x00",
    "-",
    "error",
    "YQ==",
    packed("[" * 9999),
)
LINES = (
    *("state", "output", "size", "result", "created", "last", "change", "name", "alias", "domain", "kernel", "boot_id"),
    *("boot_time", "pending", "user", "machine_id", "memory", "disk_free", "chassis", "time", "time_zone", "section"),
    *("cores", "disk", "drive", "mac", "gateway", "address", "dns", "logged_on", "local", "profiler", "unread", "dpkg"),
    *("rpm", "0", "1", "-1", "error", "hardware"),
)
OPERATIONS = (
    ReadOperation("a", Read.IDENTITY),
    ReadOperation("a", Read.FACTS, {"sections": ["hardware", "network", "users"]}),
    ReadOperation("a", Read.SOFTWARE),
    ReadOperation("a", Read.PACKAGES, {"manager": "apt", "names": ["x", "y"]}),
    ReadOperation("a", Read.SERVICE, {"names": ["x", "y"]}),
    ReadOperation("a", Read.FILE, {"paths": ["x", "y"]}),
)


def test_lines_of_chance_are_answers_or_garbled() -> None:
    chance = random.Random(11)  # noqa: S311 - the same on every run
    for _ in range(800):
        rows = [
            [chance.choice(LINES), *(chance.choice((*WORDS, *LINES)) for _ in range(chance.randint(0, 6)))]
            for _ in range(chance.randint(0, 8))
        ]
        text = "\n".join("\t".join(row) for row in rows)
        for operation in OPERATIONS:
            sound_answer(answer_of(operation, Reply(Ending.DONE, 0, 1.0, text.encode("utf-8", "replace"), b"")))
        try:
            sound_status(jobs.status_of(text, 0))
        except GarbledError:
            continue


@pytest.mark.parametrize(
    "said",
    [
        [
            {"path": 1, "_name": 2},
            {"_name": "A", "version": 3, "signed_by": 4},
            None,
            "x",
            {"_name": "B", "signed_by": []},
        ],
        {"a": 1},
        "text",
        nested(200),
    ],
)
def test_applications_of_a_mac_that_are_none_are_each_an_error(said: Any) -> None:
    text = f"profiler\t{packed({'SPApplicationsDataType': said})}"
    answer = answer_of(ReadOperation("a", Read.SOFTWARE), Reply(Ending.DONE, 0, 1.0, text.encode(), b""))
    sound_answer(answer)
    assert isinstance(answer.result, list)
    assert any(isinstance(one, dict) and "error" in one for one in answer.result)
