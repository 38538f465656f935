"""Servers that are no WinRM and answer without an end: bounded in time and in memory."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from immy_nornir.errors import GarbledError, TransportError, TransportTimeoutError
from immy_nornir.model.protocols import Address
from immy_nornir.remote.winrm.transport import connect
from tests.remote.winrm.test_transport import PASSWORD, PLAIN, RealClock, Vault
from tests.waiting import all_end

pytestmark = pytest.mark.slow


@contextmanager
def server(answer: Callable[[socket.socket, threading.Event], object]) -> Iterator[int]:
    """A listening port; who connects gets `answer`."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = listening.accept()
                    with peer, suppress(OSError):
                        peer.recv(65536)
                        answer(peer, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
    all_end([thread])


def drip(peer: socket.socket, over: threading.Event) -> None:
    """A byte now and then: each of them ends a read before its time-out."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.3):
        peer.sendall(b" ")


def drip_headers(peer: socket.socket, over: threading.Event) -> None:
    """Headers without an end."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nServer: ")
    while not over.wait(0.3):
        peer.sendall(b"x")


def flood(peer: socket.socket, over: threading.Event) -> None:
    """Content without an end, as quick as it goes."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    while not over.is_set():
        peer.sendall(piece)


SHORT = {"ansible_winrm_scheme": "http", "ansible_winrm_read_timeout_sec": 2, "ansible_winrm_operation_timeout_sec": 1}


@pytest.mark.parametrize(
    ("answer", "transport", "error", "words"),
    [
        (drip, "basic", TransportTimeoutError, "not whole after 8 s"),
        (drip_headers, "ntlm", TransportTimeoutError, "not whole after 8 s"),
        (flood, "basic", GarbledError, "more than 64,000,000 bytes"),
        (flood, "ntlm", GarbledError, "more than 64,000,000 bytes"),
    ],
)
def test_an_answer_without_an_end_is_given_up(
    answer: Callable[[socket.socket, threading.Event], object],
    transport: str,
    error: type[TransportError],
    words: str,
) -> None:
    with server(answer) as port:
        settings = {**PLAIN, **SHORT, "ansible_winrm_transport": transport}
        connection = connect(Address("pc", "winrm", "127.0.0.1", port, "u", PASSWORD, settings), Vault(), RealClock())
        with pytest.raises(error, match=words):
            connection.identify()
        connection.close()
