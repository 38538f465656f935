"""The envelope: what is encoded is decoded, and damage is never an answer."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immy_nornir.model.items import Language
from immy_nornir.model.wire import Effect, EffectOperation, Read, ReadOperation
from immy_nornir.remote import frames
from immy_nornir.remote.windows import bundle, powershell
from immy_nornir.remote.winrm.transport import SEND_BYTES

NONCE = "0123456789abcdef" * 2


def _frame(body: object, nonce: str = NONCE) -> bytes:
    raw = json.dumps(body).encode()
    text = base64.b64encode(gzip.compress(raw)).decode()
    return f"#IMMY {nonce} {len(text)} {hashlib.sha256(raw).hexdigest()} {text}\n".encode()


def _answer(identifier: str, **more: object) -> bytes:
    return _frame({"id": identifier, "status": "ok", "result": None, **more})


END = _frame({"id": "!end", "status": "ok", "result": {"answered": 1, "untouched": ["z"]}})


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), max_size=4))
def test_a_request_unpacks_to_its_payload(texts: list[str]) -> None:
    parts: list[str | frames.Packed] = [frames.pack(text) if index % 2 else text for index, text in enumerate(texts)]
    head, body, rest = frames.encode_request(parts).split(b"\n")
    magic, length, digest = head.decode().split(" ")
    payload = gzip.decompress(base64.b64decode(body))
    assert (magic, int(length), rest) == ("IMMY1", len(body), b"")
    assert payload == "".join(texts).encode()
    assert digest == hashlib.sha256(payload).hexdigest()


def test_a_request_holds_nonce_runner_and_operations() -> None:
    operation = ReadOperation("d1", Read.SCRIPT, {"params": {"a": "ä"}}, "'x'", Language.POWERSHELL, 7.0)
    body = bundle.request([operation], NONCE).split(b"\n")[1]
    nonce, runner, line, rest = gzip.decompress(base64.b64decode(body)).decode().split("\n")
    assert (nonce, rest) == (NONCE, "")
    assert base64.b64decode(runner).decode() == bundle.runner_text(bundle.Kind.READING)
    assert json.loads(base64.b64decode(line)) == {
        "id": "d1", "op": "script", "params": {"params": {"a": "ä"}}, "script": "'x'", "timeout": 7.0,
    }  # fmt: skip


def test_reading_requests_carry_nothing_that_acts() -> None:
    reading = bundle.runner_text(bundle.Kind.READING)
    assert "function Start-ImmyJob" not in reading
    assert "function Restart-ImmyComputer" not in reading
    assert "function Set-ImmyRegistry" not in reading
    assert "function Invoke-ImmyPackage" not in reading
    assert bundle.kind_of([EffectOperation("w", Effect.JOB_WAIT)]) is bundle.Kind.ACTING
    assert bundle.kind_of([EffectOperation("s", Effect.JOB_START)]) is bundle.Kind.STARTING
    by_hand = EffectOperation("s", Effect.JOB_START, {"job": {"kind": "command"}})
    assert bundle.kind_of([by_hand]) is bundle.Kind.COMMANDING
    assert len(bundle.request([EffectOperation("s", Effect.JOB_START)], "0" * 32)) < SEND_BYTES, "it goes in one piece"


def test_frames_are_found_in_noise() -> None:
    stdout = b"\xff\xfenoise\r\n" + _answer("a", result=[1]) + b"glued" + _answer("b") + b"\n" + END + b"tail"
    decoded = frames.decode_answer(stdout, NONCE)
    assert [answer.id for answer in decoded.answers] == ["a", "b"]
    assert decoded.answers[0].result == [1]
    assert decoded.end == frames.End(1, ("z",))
    assert decoded.damaged == 0
    assert "glued" in decoded.noise
    assert "tail" in decoded.noise


@pytest.mark.parametrize("cut", range(1, len(_answer("a"))))
def test_a_cut_frame_is_no_answer(cut: int) -> None:
    decoded = frames.decode_answer(_answer("a")[:-1][:cut], NONCE) if cut < len(_answer("a")) - 1 else None
    assert decoded is None or (decoded.answers, decoded.end) == ((), None)


@pytest.mark.parametrize("index", range(6 + 32, len(_answer("a")) - 1, 3))
def test_a_flipped_byte_never_changes_an_answer(index: int) -> None:
    raw = bytearray(_answer("a"))
    raw[index] ^= 1
    # Bytes of gzip's own header may differ without a meaning.
    whole = frames.decode_answer(_answer("a"), NONCE).answers
    assert frames.decode_answer(bytes(raw), NONCE).answers in ((), whole)


def test_frames_of_another_request_and_second_answers_do_not_count() -> None:
    stdout = _frame({"id": "a", "status": "ok"}, "f" * 32) + _answer("b", result=1) + _answer("b", result=2)
    decoded = frames.decode_answer(stdout, NONCE)
    assert [(answer.id, answer.result) for answer in decoded.answers] == [("b", 1)]


def test_an_enormous_frame_is_dropped() -> None:
    decoded = frames.decode_answer(_answer("a", result="x" * (frames.MAXIMUM_FRAME_BYTES + 1)), NONCE)
    assert (decoded.answers, decoded.damaged) == ((), 1)


def test_a_frame_that_is_nested_too_deep_is_dropped() -> None:
    raw = b'{"id": "a", "result": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    text = base64.b64encode(gzip.compress(raw)).decode()
    frame = f"#IMMY {NONCE} {len(text)} {hashlib.sha256(raw).hexdigest()} {text}\n".encode()
    decoded = frames.decode_answer(frame + END, NONCE)
    assert (decoded.answers, decoded.damaged) == ((), 1)


def test_numbers_of_any_size_are_read_as_they_are() -> None:
    (answer,) = frames.decode_answer(_answer("a", result=[2**70, -(2**70), 1e-7, 2**63]) + END, NONCE).answers
    assert answer.result == [2**70, -(2**70), 1e-7, 2**63]


def test_noise_is_capped() -> None:
    assert len(frames.decode_answer(b"x" * 1_000_000, NONCE).noise) < 20_000


def test_chunks_keep_the_order_and_every_operation() -> None:
    operations = [ReadOperation(str(index), Read.SCRIPT, {}, "x" * 1000) for index in range(20)]
    parts = list(bundle.chunks(operations, limit=5000))
    assert [one.id for part in parts for one in part] == [one.id for one in operations]
    assert len(parts) > 3


def test_the_command_line_fits_into_cmd() -> None:
    assert len(bundle.bootstrap_text()) <= 3000
    assert len(powershell.command_line()) < 8191


def test_clixml_becomes_text_without_progress() -> None:
    stderr = (
        b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="x"><Obj S="progress" RefId="0"><MS><I64 N="a">1</I64></MS></Obj>'
        b'raw words\n<S S="Error">At line:1 &lt;b&gt;_x000D__x000A_</S><S S="Error">more</S></Objs>'
    )
    assert powershell.stderr_text(stderr) == "At line:1 <b>\nmore\nraw words"
    assert powershell.stderr_text(b"plain\n") == "plain"


@pytest.mark.parametrize(
    "result",
    ["[" * 101 + "]" * 101, '{"a":' * 101 + "1" + "}" * 101, "[" * 100_000 + "]" * 100_000, "9" * 5000],
    ids=["lists", "maps", "very deep", "a long number"],
)
def test_an_answer_that_is_too_deep_or_too_long_is_damage(result: str) -> None:
    raw = f'{{"id":"a","status":"ok","result":{result}}}'.encode()
    text = base64.b64encode(gzip.compress(raw)).decode()
    line = f"#IMMY {NONCE} {len(text)} {hashlib.sha256(raw).hexdigest()} {text}\n".encode()
    decoded = frames.decode_answer(line + END, NONCE)
    assert (decoded.answers, decoded.damaged) == ((), 1)


def test_numbers_that_nothing_holds_are_not_counted_with() -> None:
    (answer,) = frames.decode_answer(_answer("a", exit_code=10**400, seconds=10**400) + END, NONCE).answers
    assert (answer.exit_code, answer.seconds) == (None, 0.0)


def test_what_is_opened_in_stderr_and_never_closed_costs_nothing() -> None:
    for piece in ("<Obj ", '<S S="Error">', "<Objs"):
        assert powershell.stderr_text(b"#< CLIXML " + piece.encode() * 200_000).startswith(piece)
