"""Redaction: no form of a known secret stays, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import json
import threading
import time
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immy_nornir.text.redact import Redactor
from tests.waiting import all_end

SECRETS = ["S3cr3t!", "p\"a'ss<w>&\\d", "pässwörd €", "with space/+=", "tab\tand\nline two", "x" * 200]


def _forms(secret: str) -> dict[str, str]:
    utf8, wide = secret.encode(), secret.encode("utf-16-le")
    return {
        "plain": secret,
        "base64": base64.b64encode(utf8).decode(),
        "url-safe base64": base64.urlsafe_b64encode(utf8).decode(),
        "UTF-16LE base64": base64.b64encode(wide).decode(),
        "url": quote(secret, safe=""),
        "form": quote_plus(secret),
        "JSON": json.dumps(secret)[1:-1],
        "JSON as it is": json.dumps(secret, ensure_ascii=False)[1:-1],
        "XML": escape(secret),
        "XML attribute": quoteattr(secret)[1:-1],
        "HTML": html.escape(secret),
        "PowerShell literal": secret.replace("'", "''"),
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_every_form_is_replaced(secret: str) -> None:
    redactor = Redactor([secret])
    for name, form in _forms(secret).items():
        assert redactor.clean(f"before {form} after") == "before [secret] after", name


@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "administrator:"])
def test_basic_authentication_is_replaced(before: str) -> None:
    header = base64.b64encode(f"{before}S3cr3t-Passw0rd".encode()).decode()
    cleaned = Redactor(["S3cr3t-Passw0rd"]).clean(f"Authorization: Basic {header}")
    assert "[secret]" in cleaned
    assert header not in cleaned


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


def test_nested_values_are_cleaned_and_others_stay() -> None:
    redactor = Redactor(["S3cr3t!"])
    value = {"a": ["x S3cr3t!", 5, None, ("S3cr3t!",)], "S3cr3t!": True, "b": b"\xff S3cr3t!"}
    assert redactor.clean_value(value) == {
        "a": ["x [secret]", 5, None, ("[secret]",)],
        "[secret]": True,
        "b": b"\xff [secret]",
    }


@given(st.text(min_size=4).filter(str.strip), st.text(), st.text())
def test_no_known_value_stays_in_any_text(secret: str, before: str, after: str) -> None:
    cleaned = Redactor([secret]).clean(before + secret + after)
    assert secret not in cleaned.replace("[secret]", "") or secret in before + after or secret in "[secret]"


@pytest.mark.parametrize("known", [10, 2000])
def test_a_long_text_is_quick_however_many_secrets_are_known(known: int) -> None:
    redactor = Redactor([f"{number * 7919:x}-secret-number-{number}" for number in range(known)])
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
