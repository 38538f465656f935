"""Answers in every form that HTTP allows give the same content; broken ones an error and a closed connection."""

from __future__ import annotations

import gzip
import http.client
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import pytest
from urllib3.exceptions import HTTPError

from immy_nornir.remote.winrm.exchange_limits import TooMuchError
from immy_nornir.remote.winrm.plain_line import PlainLine
from tests.waiting import all_end

BODY = b"<Envelope>\xc3\xa9</Envelope>"
ZIPPED = gzip.compress(BODY)


@contextmanager
def server(*answers: Sequence[bytes]) -> Iterator[tuple[PlainLine, list[bytes]]]:
    """A line to a server that gives these answers in turn, each in its pieces; an empty one closes the connection."""
    asked: list[bytes] = []
    waiting = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                for _ in range(len(answers)):
                    peer, _ = listening.accept()
                    with peer:
                        converse(peer)

        def converse(peer: socket.socket) -> None:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(len(waiting)):
                message = whole_message(peer)
                if not message:
                    return
                asked.append(message)
                for piece in waiting.pop(0):
                    if not piece:
                        return
                    peer.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/wsman"
        with closing(PlainLine(url, {"Authorization": "Basic eA=="}, (5.0, 5.0), None, None)) as line:
            yield line, asked
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    all_end([thread])


def whole_message(peer: socket.socket) -> bytes:
    """One message from a socket; empty when it was closed."""
    with peer.makefile("rb") as reader:
        lines = (bytes(reader.readline()) for _ in range(100))
        before_the_body = list(itertools.takewhile(lambda line: line != b"\r\n" and line, lines))
        head = b"".join(before_the_body)
        length = head.lower().rpartition(b"content-length: ")[2].split(b"\r\n")[0]
        return head + b"\r\n" + reader.read(int(length)) if head else b""


def usual(body: bytes = BODY, *more: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 ", b"Content-Type: application/soap+xml;charset=UTF-8", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *more, b"", body])


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        pytest.param([usual()], True, id="in one piece"),
        pytest.param([usual()[:3], usual()[3:60], usual()[60:-4], usual()[-4:]], True, id="in pieces"),
        pytest.param([usual(BODY, b"Connection: Keep-Alive")], True, id="kept"),
        pytest.param([usual(BODY, b"Connection: close"), b""], False, id="closed after it"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\n" + BODY, b""], False, id="HTTP/1.0 up to the end"),
        pytest.param([b"HTTP/1.1 200 OK\n\n" + BODY, b""], False, id="line feeds alone"),
        pytest.param([b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + BODY, b""], False, id="without a length"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" + usual()], False, id="after 100 Continue"),
        pytest.param(
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
                BODY[:5],
                b"\r\n%x\r\n" % len(BODY[5:]),
                BODY[5:],
                b"\r\n0\r\n\r\n",
            ],
            False,
            id="chunked",
        ),
        pytest.param([usual(ZIPPED, b"Content-Encoding: gzip")], False, id="zipped"),
        pytest.param([usual(BODY, b"X-Long: a", b"  and more")], False, id="a folded header"),
        pytest.param([usual() + b"HTTP/1.1 200 "], False, id="more than was asked for"),
    ],
)
def test_every_form_of_an_answer_gives_its_content_and_the_next_message_arrives(
    pieces: list[bytes],
    kept: bool,
) -> None:
    with server(pieces, [usual(b"second")]) as (line, asked):
        answer = line.post(b"<a/>")
        assert b"".join(answer.response().stream(decode_content=True)) == BODY
        assert answer.goes_on is kept
        assert line.post(b"<b/>").content == b"second"
    assert [one.rpartition(b"\r\n")[2] for one in asked] == [b"<a/>", b"<b/>"]
    assert all(one.startswith(b"POST /wsman HTTP/1.1\r\nHost: 127.0.0.1:") for one in asked)
    assert all(b"\r\nAuthorization: Basic eA==\r\n" in one for one in asked)


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        pytest.param([b""], http.client.RemoteDisconnected, id="nothing"),
        pytest.param([usual()[:20], b""], http.client.HTTPException, id="half a head"),
        pytest.param([usual()[:-3], b""], HTTPError, id="half a body"),
        pytest.param([b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b""], http.client.BadStatusLine, id="another protocol"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"], TooMuchError, id="too much"),
        pytest.param([b"x" * 70_000, b""], http.client.HTTPException, id="no head at all"),
    ],
)
def test_a_broken_answer_is_an_error_and_the_connection_is_closed(pieces: list[bytes], error: type[Exception]) -> None:
    with server(pieces, [usual()]) as (line, asked):
        with pytest.raises(error):
            line.post(b"<a/>")
        assert line.post(b"<b/>").content == BODY
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (usual(), True),
        (usual(BODY, b"Set-Cookie: a=b"), False),
        (usual().replace(b"200", b"500"), False),
        (usual().replace(b"200", b"302"), False),
    ],
)
def test_only_a_simple_answer_is_taken_without_a_further_look(answer: bytes, good: bool) -> None:
    with server([answer]) as (line, _):
        found = line.post(b"")
        assert found.good is good
        assert found.content == BODY


def test_a_connection_that_ended_while_idle_is_opened_again() -> None:
    with server([usual(), b""], [usual(b"again")]) as (line, asked):
        line.post(b"<a/>")
        connection = line._connection
        assert connection.sock.recv(1) == b""
        assert line.post(b"<b/>").content == b"again"
    assert len(asked) == 2
