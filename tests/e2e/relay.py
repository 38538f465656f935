"""A relay between immy and a computer of the lab that keeps what goes by: what a listener on the line would see."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Relay:
    """Listens on 127.0.0.1, passes every connection on to one address, and keeps all bytes of both directions."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._seen = bytearray()
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.close()

    @property
    def seen(self) -> bytes:
        """All bytes that went by."""
        return bytes(self._seen)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                target = socket.create_connection(self._target)
                self._open += [client, target]
                for source, sink in ((client, target), (target, client)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
