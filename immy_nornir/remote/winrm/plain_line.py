"""Messages that need no sealing -> whole answers over one kept connection, at a tenth of a session's time.

urllib3 opens and verifies the connection; what nearly all answers of WinRM look like is read here, HTTP/1.1 with the
length of the body, and http.client reads all others. Not here: what a status means, and how long a whole answer may
take.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import IncompleteRead
from urllib3.util import parse_url
from urllib3.util.connection import is_connection_dropped

from immy_nornir.remote.winrm.exchange_limits import MAXIMUM_BYTES, TooMuchError, bounded, cut

SOCKET_OPTIONS = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
_PIECE = 65_536
_HEAD_BYTES = 65_536
_STATUS = b"HTTP/1.1 "
_UNUSUAL = frozenset({"transfer-encoding", "content-encoding", "upgrade", "trailer"})
_OK, _WITHOUT_BODY = 200, frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; its body as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes
    goes_on: bool = False
    """Whether the connection can be used again."""
    usual: bool = False

    @property
    def good(self) -> bool:
        """Whether there is nothing to it but its content."""
        return self.usual and self.status == _OK and not any(name == "set-cookie" for name, _ in self.headers)

    def response(self) -> HTTPResponse:
        """The same for urllib3, which takes encodings of the body off."""
        headers = HTTPHeaderDict(self.headers)
        return HTTPResponse(io.BytesIO(self.content), headers, self.status, preload_content=False, decode_content=False)


class PlainLine:
    """One connection to one computer, opened at the first message, and again after it was closed."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeouts: tuple[float, float],
        context: ssl.SSLContext | None,
        pin: str | None,
    ) -> None:
        """`timeouts`: seconds to connect, and seconds from one byte of an answer to the next."""
        parts = parse_url(url)
        self._connect_seconds, self._read_seconds = timeouts
        common: dict[str, Any] = {"timeout": self._connect_seconds, "socket_options": SOCKET_OPTIONS}
        host = (parts.host or "").strip("[]")
        self._connection: Any
        if context is None:
            self._connection = HTTPConnection(host, parts.port, **common)
        else:
            reqs = "CERT_NONE" if context.verify_mode is ssl.CERT_NONE else "CERT_REQUIRED"
            self._connection = HTTPSConnection(
                host, parts.port, ssl_context=context, cert_reqs=reqs, assert_fingerprint=pin, **common
            )
        lines = [f"POST {parts.request_uri} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")

    def cut(self) -> None:
        """End whatever is under way; from any thread."""
        cut(self._connection)

    def close(self) -> None:
        """Close the socket; may be repeated."""
        self._connection.close()

    def post(self, body: bytes) -> Answer:
        """Send one message and read its whole answer.

        Raises what sockets raise, http.client.HTTPException, urllib3's HTTPError, TooMuchError; the connection is
        closed then.
        """
        connection = self._connection
        try:
            if connection.sock is None or is_connection_dropped(connection):
                connection.close()
                connection.timeout = self._connect_seconds
                connection.connect()
            connection.sock.settimeout(self._read_seconds)
            connection.sock.sendall(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            answer = _answer(connection.sock)
        except BaseException:
            connection.close()
            raise
        if not answer.goes_on:
            connection.close()
        return answer


def _answer(sock: Any) -> Answer:
    data = bytearray()
    end = -1
    while end < 0:
        piece = sock.recv(_PIECE)
        if not piece:
            ended = http.client.IncompleteRead(bytes(data))
            raise ended if data else http.client.RemoteDisconnected("the connection ended without an answer")
        data += piece
        end = data.find(b"\r\n\r\n")
        if end < 0 and (len(data) > _HEAD_BYTES or b"\n\n" in data):
            return _by_the_library(sock, bytes(data))
    read = _usual(bytes(data[:end]))
    if read is None:
        return _by_the_library(sock, bytes(data))
    status, headers, length, goes_on = read
    if length > MAXIMUM_BYTES:
        raise TooMuchError
    start = end + 4
    while len(data) - start < length:
        piece = sock.recv(_PIECE)
        if not piece:
            raise IncompleteRead(len(data) - start, length - (len(data) - start))
        data += piece
    whole = len(data) - start == length
    return Answer(status, headers, bytes(data[start : start + length]), goes_on and whole, usual=True)


def _usual(head: bytes) -> tuple[int, tuple[tuple[str, str], ...], int, bool] | None:
    """Status, headers, length of the body, whether the connection stays; None where anything is not as usual."""
    first, *lines = head.decode("latin-1").split("\r\n")
    number = first[len(_STATUS) : len(_STATUS) + 3]
    if not head.startswith(_STATUS) or not number.isdecimal() or first[len(_STATUS) + 3 : len(_STATUS) + 4].strip():
        return None
    headers: list[tuple[str, str]] = []
    lengths: list[str] = []
    goes_on = True
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.lower(), value.strip()
        if not colon or not name or name != name.strip() or name in _UNUSUAL:
            return None
        if name == "content-length":
            lengths.append(value)
        elif name == "connection":
            goes_on = value.lower() == "keep-alive"
        headers.append((name, value))
    status = int(number)
    if (
        status < _OK
        or status in _WITHOUT_BODY
        or len(lengths) != 1
        or not (lengths[0].isascii() and lengths[0].isdigit())
    ):
        return None
    return status, tuple(headers), int(lengths[0]), goes_on


class _Begun(io.RawIOBase):
    """A socket's bytes, after those that were read already; as http.client asks a socket for them."""

    def __init__(self, sock: Any, begun: bytes) -> None:
        self._sock = sock
        self._begun = begun

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._begun:
            size = min(len(buffer), len(self._begun))
            buffer[:size], self._begun = self._begun[:size], self._begun[size:]
            return size
        return int(self._sock.recv_into(buffer))

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def _by_the_library(sock: Any, begun: bytes) -> Answer:
    source: Any = _Begun(sock, begun)
    answer = http.client.HTTPResponse(source, method="POST")
    answer.begin()
    body = b"".join(bounded(lambda: iter(lambda: answer.read(_PIECE), b""))())
    return Answer(answer.status, tuple((name.lower(), value) for name, value in answer.headers.items()), body)
