"""HTTP of one connection to a computer of the lab: framing, authentication, sealing, delays and bad manners.

Flow: bytes -> one request at a time -> Guard -> ShellService -> reply. Only peers on 127.0.0.0/8 are heard.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from immy_nornir.lab.spec import Misbehaviour
from immy_nornir.lab.wsman import soap
from immy_nornir.lab.wsman.auth import CHALLENGES, SEALED_TYPE, Allowed, Challenge, Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from immy_nornir.lab.wsman.computer import LabComputer

PLAIN_TYPE = "application/soap+xml;charset=UTF-8"
_DRIP_SECONDS = 0.5
_MAX_REQUEST = 4 * 1024 * 1024
_PAGE = b"<html><head><title>Sign in</title></head><body><h1>Welcome & enjoy</h1></body></html>"
_REASONS = {200: "", 400: "Bad Request", 401: "", 404: "Not Found", 413: "Request Entity Too Large", 500: ""}


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(
        self, find: Callable[[str, int, bool], LabComputer | None], loop: asyncio.AbstractEventLoop, *, tls: bool
    ) -> None:
        self._find = find
        self._loop = loop
        self._tls = tls
        self._buffer = bytearray()
        self._busy = False
        self._sealed = False
        self._kind = PLAIN_TYPE
        self._close_after = False
        self._transport: asyncio.Transport | None = None
        self._computer: LabComputer | None = None
        self._guard: Guard | None = None
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find the computer that lives at this address; nobody there is a reset."""
        self._transport = cast("asyncio.Transport", transport)
        here, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if not peer or not str(peer[0]).startswith("127.") or not str(here[0]).startswith("127."):
            self.reset()
            return
        self._address = f"{here[0]}:{here[1]}"
        computer = self._find(here[0], here[1], self._tls)
        if computer is None or not computer.up or computer.spec.does(Misbehaviour.OFF):
            self.reset()
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._computer = computer
        self._guard = Guard(computer.accounts)
        computer.connections.add(self)
        computer.log("connected", tls=self._tls)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection; shells stay until they are deleted, idle or the computer goes down."""
        if self._computer:
            self._computer.connections.discard(self)
        self._transport = None

    def reset(self) -> None:
        """Close with a TCP reset, as a computer that loses power or refuses."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect bytes; go on when a request is whole."""
        self._buffer += data
        self._advance()

    def _advance(self) -> None:
        if self._busy or self._transport is None or self._computer is None:
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > 65536:
                self._refuse(400)
            return
        headers = _headers(bytes(self._buffer[:end]))
        length = headers.get("content-length", "0")
        if not length.isdigit() or "transfer-encoding" in headers:
            self._refuse(400)
            return
        if int(length) > _MAX_REQUEST:
            self._refuse(413)
            return
        whole = end + 4 + int(length)
        if len(self._buffer) < whole:
            return
        body = bytes(self._buffer[end + 4 : whole])
        del self._buffer[:whole]
        self._busy = True
        self._request(headers, body)

    def _refuse(self, status: int) -> None:
        self._busy = self._close_after = True
        self._reply(status, b"")

    def _request(self, headers: dict[str, str], body: bytes) -> None:
        computer, guard = self._computer, self._guard
        if computer is None or guard is None:
            return
        self._close_after = headers.get("connection", "").lower() == "close"
        if computer.spec.does(Misbehaviour.HANG):
            computer.log("hung")
            return
        if not headers[""].split(" ")[1:2] or not headers[""].split(" ")[1].lower().startswith("/wsman"):
            self._reply(404, b"")
            return
        verdict = guard.judge(headers.get("authorization", ""))
        if isinstance(verdict, Challenge):
            self._reply(401, b"", (verdict.header,))
            return
        if not isinstance(verdict, Allowed):
            if verdict.said:
                computer.log("auth_refused", account=verdict.account)
            self._reply(401, b"", CHALLENGES)
            return
        self._sealed = headers.get("content-type", "").startswith("multipart/encrypted")
        if self._sealed:
            try:
                body = guard.unseal(body)
            except ValueError:
                computer.log("seal_broken")
                self._sealed = False
                self._reply(400, b"")
                return
        if not body:
            self._reply(200, b"")
            return
        if b"/windows/shell/Receive" in body and computer.shall_drop():
            computer.log("dropped")
            self._loop.call_later(0.05, self.reset)
            return
        self._kind = PLAIN_TYPE
        trouble = computer.trouble_with(body) if computer.troubles else None
        if trouble is None or trouble.clear:
            self._sealed = self._sealed and trouble is None
            computer.service.handle(body, verdict.account, self._address, self._reply)
        elif trouble.reset:
            self.reset()
        elif trouble.fault:
            subcode, text = "w:InternalError", "The lab was told to say so."
            self._reply(500, soap.fault("", trouble.fault, subcode, text, computer.spec.name))
        else:
            self._kind, self._sealed = trouble.kind, self._sealed and trouble.kind != "text/html"
            self._reply(trouble.status, trouble.body)

    def _reply(self, status: int, envelope: bytes, challenges: tuple[str, ...] = ()) -> None:
        delay = self._computer.reply_delay if self._computer else 0.0
        if delay > 0:
            self._loop.call_later(delay, self._send, status, envelope, challenges)
        else:
            self._send(status, envelope, challenges)

    def _send(self, status: int, envelope: bytes, challenges: tuple[str, ...]) -> None:
        if self._transport is None or self._computer is None or self._transport.is_closing():
            return
        spec, kind = self._computer.spec, self._kind
        cut = False
        if spec.misbehave and envelope:
            cut = spec.does(Misbehaviour.CUT_OFF) and b"<rsp:ReceiveResponse>" in envelope
            if spec.does(Misbehaviour.GARBAGE):
                envelope, kind, self._sealed = _PAGE, "text/html", False
        if self._sealed and envelope and self._guard:
            envelope, kind = self._guard.seal(envelope), SEALED_TYPE
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", "Server: Microsoft-HTTPAPI/2.0"]
        if envelope:
            lines.append(f"Content-Type: {kind}")
        lines += [f"WWW-Authenticate: {one}" for one in challenges]
        lines.append(f"Content-Length: {len(envelope)}")
        if self._close_after:
            lines.append("Connection: close")
        data = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + envelope
        if spec.does(Misbehaviour.DRIP):
            self._drip(data)
            return
        if cut:
            self._computer.log("cut_off")
            self._transport.write(data[: len(data) - len(envelope) // 2])
            self._transport.close()
            return
        self._transport.write(data)
        if self._close_after:
            self._transport.close()
            return
        self._busy = False
        if self._buffer:
            self._loop.call_soon(self._advance)

    def _drip(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data[:1])
            self._loop.call_later(_DRIP_SECONDS, self._drip, data[1:])


def _headers(head: bytes) -> dict[str, str]:
    """Header names in lower case; the request line under the empty name."""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {"": first}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers
