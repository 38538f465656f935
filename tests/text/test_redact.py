"""Redaction: no known secret stays, nothing else is touched, and it is quick. Its forms: test_redact_forms.py."""

from __future__ import annotations

import threading
import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immy_nornir.text import json
from immy_nornir.text.redaction.redact import MASK, Redactor
from tests.waiting import all_end


def test_the_longer_of_two_secrets_goes_whole() -> None:
    assert Redactor(["secret", "secret-two"]).clean("a secret-two b") == "a [secret] b"


def test_a_line_of_a_secret_of_several_lines_is_replaced_alone() -> None:
    assert Redactor(["-----BEGIN KEY-----\nAAAABBBBCCCC\n"]).clean("err: AAAABBBBCCCC.") == "err: [secret]."


@pytest.mark.parametrize(
    ("text", "expected"), [("pin 12 ok", "pin [secret] ok"), ("121 12a a12", "121 12a a12"), ("'12'", "'[secret]'")]
)
def test_a_short_value_goes_only_where_it_stands_alone(text: str, expected: str) -> None:
    assert Redactor(["12"]).clean(text) == expected


def test_nothing_known_and_empty_values_change_nothing() -> None:
    assert Redactor().clean("text") == "text"
    assert Redactor(["", "  "]).clean("a  b") == "a  b"


def test_nested_texts_are_cleaned_and_keys_and_other_values_stay() -> None:
    redactor = Redactor(["S3cr3t!"])
    value = {"a": ["x S3cr3t!", 5, None, ("S3cr3t!",)], "S3cr3t!": True, "b": b"\xff S3cr3t!"}
    assert redactor.clean_value(value) == {
        "a": ["x [secret]", 5, None, ("[secret]",)],
        "S3cr3t!": True,
        "b": b"\xff [secret]",
    }


STRONG = st.text(min_size=6).filter(lambda one: bool(one.strip()) and not Redactor().is_weak(one))


@given(STRONG, st.text(), st.text())
def test_no_known_value_stays_in_any_text(secret: str, before: str, after: str) -> None:
    cleaned = Redactor([secret]).clean(before + secret + after)
    assert MASK in cleaned
    assert secret not in cleaned.replace(MASK, "\0") or secret in MASK


@given(st.lists(st.text(alphabet='ab1 \\"n-&;%4', min_size=1, max_size=9), max_size=4), st.text('ab1 \\"n-&;%4[secrt]'))
def test_what_is_clean_stays_as_it_is(secrets: list[str], text: str) -> None:
    redactor = Redactor(secrets)
    cleaned = redactor.clean(text)
    assert redactor.clean(cleaned) == cleaned


@given(st.lists(st.text(min_size=1), max_size=4), st.text())
def test_without_a_place_to_replace_the_text_is_the_same(secrets: list[str], text: str) -> None:
    cleaned = Redactor(secrets).clean(text)
    assert MASK in cleaned or cleaned == text


@pytest.mark.parametrize("known", [10, 2000])
def test_a_long_text_is_quick_however_many_secrets_are_known(known: int) -> None:
    redactor = Redactor([f"{number * 7919:x}-secret-number-{number}" for number in range(known)])
    redactor.clean("")
    text = "2026-11-23 10:00:00 installing 7-Zip 24.08 on pc001, exit code 0\n" * 4000
    started = time.thread_time()  # others on the machine do not count
    assert redactor.clean(text) == text
    assert time.thread_time() - started < 2


def test_threads_add_and_clean_at_the_same_time() -> None:
    redactor = Redactor()
    wrong: list[str] = []

    def work(number: int) -> None:
        for count in range(10):
            secret = f"value-{number}-{count}-end"
            redactor.add(secret)
            if "value" in redactor.clean(f"a {secret} b"):
                wrong.append(secret)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    all_end(threads)
    assert wrong == []


ROW = "2026-11-23 10:00:00 installing 7-Zip 24.08 on pc001, 5 % of C:\\\\temp & more\\n"


@pytest.mark.parametrize(
    "piece",
    [
        ROW,
        f"{ROW} 31-secret-number-7",
        "\\",
        "%25",
        "\\u0041",
        "\x1b[0m",
        "&#65;",
        "a\0",
        "[secret] ",
        "`a",
        "\x1b]a",
    ],
    ids=repr,
)
def test_the_time_grows_with_the_length_only(piece: str) -> None:
    redactor = _knows_many()
    redactor.clean("a secret-number-7")
    times = [_time(redactor, piece * (size // len(piece))) for size in (20_000, 200_000)]
    assert times[1] < 40 * times[0] + 0.1


@cache
def _knows_many() -> Redactor:
    return Redactor([f"{number * 7919:x}-secret-number-{number}" for number in range(500)])


def _time(redactor: Redactor, text: str) -> float:
    started = time.thread_time()
    redactor.clean(text)
    return time.thread_time() - started


@pytest.mark.parametrize(
    ("values", "text", "expected"),
    [
        (["hunter2-a", "hunter2-ab"], "x hunter2-ab hunter2-a hunter2-abc", f"x {MASK} {MASK} {MASK}c"),
        (["abcdefgh", "fghijklm"], "x abcdefghijklm y", f"x {MASK} y"),
        (["abcdefgh", "cdefgh"], "abcdefgh cdefgh abcdef", f"{MASK} {MASK} abcdef"),
        (["abcabcabc"], "abcabcabcabc", MASK),
        (["first-one", "second-one"], "first-onesecond-one", MASK * 2),
        (["[secret]-a"], "a [secret]-a b", f"a {MASK} b"),
        (["secret"], "the secret is [secret]", f"the {MASK} is {MASK}"),
        (["et]-more"], "[secret]-more", MASK),
    ],
)
def test_overlapping_secrets_leave_nothing_of_any(values: list[str], text: str, expected: str) -> None:
    redactor = Redactor(values)
    assert redactor.clean(text) == expected
    assert redactor.clean(expected) == expected


ORDINARY = """
{"kind":"ActionIntended","action":"apps/7zip","job":"s-2026-11-23-0001/apps.7zip/1","hash":"9f86d081884c7d659a2feaa0c55a"}
C:\\Program Files\\7-Zip\\7z.exe --version 24.08 (x64) 2024-08-11 550e8400-e29b-41d4-a716-446655440000
Get-Service -Name 'wuauserv' | ConvertTo-Json -Depth 3; exit 0 %ProgramFiles%\\Common Files & more
\x1b[32mOK\x1b[0m d41d8cd98f00b204e9800998ecf8427e VGhpcyBpcyBhIHRlc3Qgb2YgYmFzZTY0 00:1a:2b:3c:4d:5e 0x80070005
administrators of the domain have passwords; the adminstration welcomes testers, 121345, 12345678, a12345
"""


@pytest.mark.parametrize(
    "value",
    ["S3cr3t!x", "12345", "x", "admin", "password", "Welcome", "tests", "1a:2b:3d", "program-files", "the\nservice"],
)
def test_ids_words_and_numbers_that_are_no_secrets_stay(value: str) -> None:
    assert Redactor([value]).clean(ORDINARY) == ORDINARY


@pytest.mark.parametrize(
    "value", ["12345", "pw", "password", "Password", "ADMINISTRATOR", "Welcome", "welcome ", "true"]
)
def test_a_weak_value_goes_where_it_is_a_whole_word_only(value: str) -> None:
    redactor, word = Redactor([value]), value.strip()
    assert redactor.is_weak(value)
    for text, expected in {
        f"is {word}.": f"is {MASK}.",
        f"'{word}'": f"'{MASK}'",
        f"user:{word}@host": f"user:{MASK}@host",
        json.line(f"\n{word}\n"): json.line(f"\n{MASK}\n"),
        f"\x1b[31m{word}\x1b[0m": f"\x1b[31m{MASK}\x1b[0m",
        f"{word[0]}\x1b[31m{word[1:]}": MASK,
        f"&#{ord(word[0])};{word[1:]}": MASK,
        f"{word}s": f"{word}s",
        f"my{word}": f"my{word}",
        f"{word}_1": f"{word}_1",
        f"ä{word}é": f"ä{word}é",
    }.items():
        assert redactor.clean(text) == expected


def test_the_weak_ones_are_told_without_their_values() -> None:
    redactor = Redactor(["12345", "pw", "password", "S3cr3t!x", "Passw0rd!"])
    assert redactor.weaknesses() == {"shorter than 6 characters": 2, "a common word": 1}
    assert [redactor.is_weak(one) for one in ("12345", "123456", "password", "S3cr3t!x")] == [True, False, True, False]
    assert Redactor(["S3cr3t!x"]).weaknesses() == {}


def test_json_stays_json_where_a_secret_begins_or_ends_like_an_escape() -> None:
    redactor = Redactor(["nothing-else", "u0041-and", "ends-with\\"])
    for text in (
        "a\nothing-else",
        "\\nothing-else",
        "\\u0041-and",
        "ends-with\\",
        'ends-with\\" x',
        "ends-with\\\\",
    ):
        row = json.line({"text": text, "n": [1]})
        cleaned = redactor.clean(row)
        assert MASK in cleaned
        assert isinstance(json.parse(cleaned)["text"], str)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40, 100])
def test_values_that_come_one_by_one_are_known_at_once_and_stay_known(count: int) -> None:
    redactor = Redactor()
    values = [f"{number * 7919**3:x}-value" for number in range(1, count + 1)]
    for value in values:
        redactor.add(value)
        assert redactor.clean(f"a {value} b") == f"a {MASK} b"
    assert redactor.clean(" ".join(values)) == " ".join([MASK] * count)
