"""Answers of WS-Management are read in bounded memory, whatever somebody sends in their place."""

from __future__ import annotations

import base64
import tracemalloc

import pytest

from immy_nornir.remote.winrm.envelopes import SHELL, EnvelopeError, check, read_envelope

BEGIN = f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:r="{SHELL}"><s:Body>'
SIZE = 10_000_000


def envelope(body: str, begin: str = BEGIN) -> bytes:
    return f"{begin}{body}</s:Body></s:Envelope>".encode()


def stream(text: str) -> str:
    return f'<r:ReceiveResponse><r:Stream Name="stdout">{text}</r:Stream></r:ReceiveResponse>'


ATTRIBUTES = " ".join(f'b{number}=""' for number in range(SIZE // 10))
HOSTILE = {
    "elements": (envelope("<a/>" * (SIZE // 4)), "has too many elements"),
    "attributes": (envelope(f"<a {ATTRIBUTES}/>"), "a tag that does not end"),
    "levels": (envelope("<a>" * 1000), "is nested deeper than 64 levels"),
    "a document type": (b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + envelope("&b;"), "document type"),
    "a long name": (envelope(f"<{'a' * SIZE}/>"), "a tag that does not end"),
    "a long comment": (envelope(f"<!--{'a' * SIZE}-->"), "a tag that does not end"),
    "long namespaces": (envelope("<q:a/>" * 1000, BEGIN.replace("><", f' xmlns:q="{"u" * 150_000}"><')), "too many"),
    "no base64": (envelope(stream("a")), "no base64"),
    "no XML": (b"<" * SIZE, "no envelope"),
    "zeros": (b"\0" * SIZE, "no envelope"),
    "another root": (b"<a/>", "no envelope"),
    "another encoding": (b'<?xml version="1.0" encoding="nope"?><a/>', "no envelope"),
    "nothing": (b"", "no envelope"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_answer_costs_no_memory(case: str) -> None:
    answer, said = HOSTILE[case]
    tracemalloc.start()
    try:
        with pytest.raises(EnvelopeError, match=said):
            read_envelope(answer)
        assert tracemalloc.get_traced_memory()[1] < SIZE
    finally:
        tracemalloc.stop()


def test_output_is_read_whole_however_long() -> None:
    data = b"0123456789" * 1_000_000
    found = read_envelope(envelope(stream(base64.b64encode(data).decode())))
    assert (found.received, found.streams, found.done) == (True, [("stdout", data)], False)


def test_what_a_shell_says_is_found() -> None:
    body = (
        '<s:Selector Name="ShellId"> one </s:Selector><r:ShellId>two</r:ShellId><r:CommandId>three</r:CommandId>'
        f'<r:CommandState State="{SHELL}/CommandState/Done"><r:ExitCode>-7</r:ExitCode></r:CommandState>'
    )
    found = read_envelope(envelope(body))
    assert (found.shell, found.command, found.done, found.exit_code) == ("one", "three", True, -7)


def test_a_fault_of_many_elements_is_not_given_to_others() -> None:
    check(envelope("<a/>" * 100))
    with pytest.raises(EnvelopeError, match="too many"):
        check(envelope("<a/>" * 10_000))
