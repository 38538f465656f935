"""WinRM by pywinrm's Protocol, and the only owner of pywinrm, requests and what lies below them.

A Transport under `channel`: bytes to the stdin of a new PowerShell process, its streams back. SOAP bodies are made
from templates here (five times cheaper than pywinrm's) and sent by pywinrm, which authenticates and encrypts.
Not here: what the bytes mean; whether a request may be repeated.
"""

from __future__ import annotations

import base64
import contextlib
import math
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import winrm.exceptions

from immy_nornir.errors import (
    DroppedError,
    GarbledError,
    TransportError,
    TransportTimeoutError,
)
from immy_nornir.model.protocols import RawAnswer
from immy_nornir.remote.windows import powershell
from immy_nornir.remote.windows.connection import PowerShellConnection
from immy_nornir.remote.winrm import orphans
from immy_nornir.remote.winrm.endpoint import Endpoint, close_sockets, endpoint_of, open_protocol
from immy_nornir.remote.winrm.envelopes import SHELL, Envelope, EnvelopeError, read_envelope
from immy_nornir.remote.winrm.errors import FOREIGN, CrowdedError, Stage, TooLargeError, is_passing, mapped, not_wsman
from immy_nornir.remote.winrm.exchange_limits import MAXIMUM_BYTES

if TYPE_CHECKING:
    from winrm.protocol import Protocol

    from immy_nornir.model.protocols import Address, Clock, Secrets

SEND_BYTES = 96_000
"""Raw bytes of one Send: pywinrm's header promises envelopes of at most 153,600 bytes."""
SMALLEST_SEND_BYTES = 6_000
"""Where smaller messages are asked for than this, something is wrong."""
SHELL_IDLE_SECONDS = 300
PAUSES = (0.05, 1.0)
"""Before a computer is asked for output again that answered at once without news: the first, and the longest."""

_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"'
    ' xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"'
    f' xmlns:rsp="{SHELL}"><env:Header>'
    "<a:To>http://windows-host:5985/wsman</a:To><a:ReplyTo>"
    '<a:Address mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>'
    '</a:ReplyTo><w:MaxEnvelopeSize mustUnderstand="true">153600</w:MaxEnvelopeSize>'
    "<a:MessageID>uuid:{message}</a:MessageID>"
    '<w:Locale mustUnderstand="false" xml:lang="en-US"/><p:DataLocale mustUnderstand="false" xml:lang="en-US"/>'
    "<w:OperationTimeout>PT{seconds}S</w:OperationTimeout>"
    f'<w:ResourceURI mustUnderstand="true">{SHELL}/cmd</w:ResourceURI>'
    '<a:Action mustUnderstand="true">{action}</a:Action>{more}</env:Header><env:Body>{body}</env:Body></env:Envelope>'
)
_OPTION = '<w:Option Name="{0}">{1}</w:Option>'
_CREATE_OPTIONS = (
    f"<w:OptionSet>{_OPTION.format('WINRS_NOPROFILE', 'FALSE')}{_OPTION.format('WINRS_CODEPAGE', 65001)}</w:OptionSet>"
)
_CREATE_BODY = (
    "<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
    f"<rsp:IdleTimeOut>PT{SHELL_IDLE_SECONDS}S</rsp:IdleTimeOut></rsp:Shell>"
)
# Without FALSE for the first, a process cannot read what is sent to its stdin.
_COMMAND_OPTIONS = (
    f"<w:OptionSet>{_OPTION.format('WINRS_CONSOLEMODE_STDIN', 'FALSE')}"
    f"{_OPTION.format('WINRS_SKIP_CMDSHELL', 'FALSE')}</w:OptionSet>"
)


@dataclass(slots=True)
class _Streams:
    """What was read of one command so far."""

    stdout: list[bytes] = field(default_factory=list)
    stderr: list[bytes] = field(default_factory=list)
    size: int = 0
    exit_code: int | None = None
    done: bool = False


class WinrmTransport:
    """One kept connection, opened at the first request, with one kept shell; a PowerShell process for each request."""

    platform_hint = "powershell"

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._protocol: Protocol | None = None
        self._shell = ""
        self._finished = ""
        """A command that ended and was not cleaned up yet; closing the shell does that too."""
        self._lost_one = False
        """Whether the shell of a connection that was dropped may still be there."""
        self._authentication = 0
        self._send_bytes = SEND_BYTES

    def __repr__(self) -> str:
        return f"WinrmTransport({self._endpoint.url})"

    def request(self, payload: bytes, deadline_seconds: float, first_seconds: float = math.inf) -> RawAnswer:
        """Start PowerShell, send the payload on its stdin, read until it ends; the deadline counts the whole.

        Raises UnreachableError, AuthenticationError, CertificateError, RefusedError before anything ran;
        TransportTimeoutError when the deadline passes, or nothing at all came within `first_seconds`; DroppedError
        when the connection ended on the way;
        GarbledError for nonsense.
        """
        began = self._clock.monotonic()
        deadline = began + deadline_seconds
        try:
            command = self._start(deadline)
        except TransportError as error:
            error.nothing_sent = True
            raise
        try:
            self._send(command, payload, deadline)
            answer = self._receive(command, deadline, min(began + first_seconds, deadline))
        except DroppedError:
            self._drop()
            raise
        except BaseException:
            self._terminate(command)
            raise
        self._finished = command
        return answer

    def close(self) -> None:
        """Delete the shell and close the socket; never raises."""
        self._leave()
        # The computer ends idle shells by itself, and what is left is tried again at the next contact.
        with contextlib.suppress(*FOREIGN, TransportError):
            if self._protocol is None and self._lost_one:
                # A new connection for shells that a broken one left; not for long, the computer may be away.
                quick = replace(self._endpoint, operation_seconds=4, read_seconds=5)
                self._protocol = open_protocol(quick, self._endpoint.methods[self._authentication])
            self._bury()
        self._abandon()

    # --- opening --------------------------------------------------------------------------------------------

    def _start(self, deadline: float) -> str:
        """A new PowerShell process in the kept shell; a connection that died idle is never replaced here.

        Whoever answers at its address now may be another computer: the next request opens a new connection, and its
        caller asks for the computer's identity first.
        """
        if self._protocol is None:
            self._open(deadline)
        try:
            return self._command(deadline)
        except DroppedError:
            self._drop()
            raise

    def _open(self, deadline: float) -> None:
        """Connect by the first way of authentication that the computer takes."""
        while True:
            method = self._endpoint.methods[self._authentication]
            try:
                self._protocol = open_protocol(self._endpoint, method)
                self._shell = self._create_with_room(deadline)
            except TransportError as error:
                self._abandon()
                if error.kind != "authentication" or self._authentication + 1 >= len(self._endpoint.methods):
                    raise
                self._authentication += 1
            else:
                break

    def _create_with_room(self, deadline: float) -> str:
        """A new shell; those that were left before make room for it."""
        try:
            return self._create(deadline)
        except CrowdedError:
            if not self._bury():
                raise
        return self._create(deadline)

    def _create(self, deadline: float) -> str:
        shell = self._post(Stage.OPEN, f"{_TRANSFER}/Create", _CREATE_OPTIONS, _CREATE_BODY, deadline).shell
        if not shell:
            raise GarbledError(f"{self._endpoint.host} opened a shell without telling its id")
        return shell

    def _command(self, deadline: float) -> str:
        if self._finished:
            finished, self._finished = self._finished, ""
            # Only its place in the shell is not free then; a connection that ended says so at the next message.
            with contextlib.suppress(TransportError):
                self._signal(finished, deadline)
        arguments = escape(" ".join(powershell.arguments()))
        body = (
            f"<rsp:CommandLine><rsp:Command>powershell</rsp:Command><rsp:Arguments>{arguments}</rsp:Arguments>"
            "</rsp:CommandLine>"
        )
        command = self._post(Stage.START, f"{SHELL}/Command", self._selector(_COMMAND_OPTIONS), body, deadline).command
        if not command:
            raise GarbledError(f"{self._endpoint.host} started a command without telling its id")
        return command

    # --- one request ----------------------------------------------------------------------------------------

    def _send(self, command: str, payload: bytes, deadline: float) -> None:
        """Send it in pieces, in smaller ones where those are too large: the runner runs nothing that is not whole."""
        start = 0
        while start < max(len(payload), 1):
            size = self._send_bytes
            chunk, is_last = payload[start : start + size], start + size >= len(payload)
            body = (
                f'<rsp:Send><rsp:Stream Name="stdin" CommandId="{escape(command)}" End="{str(is_last).lower()}">'
                f"{base64.b64encode(chunk).decode('ascii')}</rsp:Stream></rsp:Send>"
            )
            try:
                self._post(Stage.SEND, f"{SHELL}/Send", self._selector(), body, deadline)
            except TooLargeError as error:
                if size <= SMALLEST_SEND_BYTES:
                    # With more to come the request is not whole there, whatever became of this piece.
                    raise DroppedError(error.message, error.advice) if is_last else error from None
                self._send_bytes = size // 4
                continue
            start += size

    def _receive(self, command: str, deadline: float, first: float) -> RawAnswer:
        streams = _Streams()
        body = (
            f'<rsp:Receive><rsp:DesiredStream CommandId="{escape(command)}">stdout stderr</rsp:DesiredStream>'
            "</rsp:Receive>"
        )
        pause, longest = PAUSES
        while not streams.done:
            asked, known = self._clock.monotonic(), streams.size
            if asked >= (deadline if known else first):
                message = f"{self._endpoint.host} did not finish the request in time"
                raise TransportTimeoutError(message, output=b"".join(streams.stdout))
            answer = self._poll(body, deadline)
            if answer is not None and not answer.received:
                raise GarbledError(f"{self._endpoint.host} answered the question for output with something else")
            if answer is not None:
                _collect(answer, streams)
            if streams.size > MAXIMUM_BYTES:
                raise GarbledError(f"{self._endpoint.host} answered more than {MAXIMUM_BYTES} bytes")
            news = streams.size > known or streams.done
            pause = PAUSES[0] if news else min(pause * 2, longest)
            if not news and self._clock.monotonic() - asked < longest:
                self._clock.sleep(pause)
        return RawAnswer(b"".join(streams.stdout), b"".join(streams.stderr), streams.exit_code)

    def _poll(self, body: str, deadline: float) -> Envelope | None:
        """One Receive; None when nothing came within the operation time-out, which is normal."""
        try:
            return self._post(Stage.RECEIVE, f"{SHELL}/Receive", self._selector(), body, deadline)
        except TransportTimeoutError:
            return None

    # --- cleaning up ----------------------------------------------------------------------------------------

    def _terminate(self, command: str) -> None:
        """End a command that is given up; where even that fails the whole connection is given up."""
        try:
            self._signal(command, self._clock.monotonic() + self._endpoint.operation_seconds)
        except TransportError:
            self._drop()

    def _signal(self, command: str, deadline: float) -> None:
        body = f'<rsp:Signal CommandId="{escape(command)}"><rsp:Code>{SHELL}/signal/terminate</rsp:Code></rsp:Signal>'
        self._post(Stage.START, f"{SHELL}/Signal", self._selector(), body, deadline)

    def _bury(self) -> bool:
        """Delete the shells that were left on this computer; whether there was one that is not there any more."""
        shells = () if self._protocol is None else orphans.taken(self._endpoint)
        buried = 0
        try:
            for shell in shells:
                _delete(self._protocol, shell)
                buried += 1
        except (*FOREIGN, TransportError):
            pass
        finally:
            for shell in shells[buried:]:
                orphans.left(self._endpoint, shell)
        self._lost_one = self._lost_one and buried < len(shells)
        return buried > 0

    def _leave(self) -> None:
        """The shell is to be deleted when there is an occasion."""
        if self._shell:
            orphans.left(self._endpoint, self._shell)
        self._shell, self._finished = "", ""

    def _drop(self) -> None:
        """Forget a connection that failed. Its sealed context must never be used again."""
        self._lost_one = self._lost_one or bool(self._shell)
        self._leave()
        self._abandon()

    def _abandon(self) -> None:
        protocol = self._protocol
        self._protocol, self._shell, self._finished = None, "", ""
        if protocol is not None:
            with contextlib.suppress(*FOREIGN):
                close_sockets(protocol)
                protocol.transport.close_session()

    # --- posting --------------------------------------------------------------------------------------------

    def _selector(self, more: str = "") -> str:
        return f'{more}<w:SelectorSet><w:Selector Name="ShellId">{escape(self._shell)}</w:Selector></w:SelectorSet>'

    def _post(self, stage: Stage, action: str, more: str, body: str, deadline: float) -> Envelope:
        """Send one message; every foreign exception leaves here as one of ours."""
        if self._protocol is None:
            raise DroppedError(f"the connection to {self._endpoint.host} was closed")
        left = deadline - self._clock.monotonic()
        seconds = max(1, min(self._endpoint.operation_seconds, int(left) + 1))
        try:
            answer = self._protocol.send_message(_message(action, more, body, seconds))
        except FOREIGN as error:
            raise mapped(error, stage, self._endpoint) from None
        try:
            return read_envelope(answer)
        except EnvelopeError as error:
            raise not_wsman(answer, stage, self._endpoint, error.beyond) from None


def _message(action: str, more: str, body: str, seconds: int) -> str:
    return _ENVELOPE.format(message=uuid.uuid4(), seconds=seconds, action=action, more=more, body=body)


def _delete(protocol: Protocol | None, shell: str) -> None:
    """Delete a shell; one that is not there is no error."""
    if protocol is None:
        return
    more = f'<w:SelectorSet><w:Selector Name="ShellId">{escape(shell)}</w:Selector></w:SelectorSet>'
    try:
        protocol.send_message(_message(f"{_TRANSFER}/Delete", more, "", 10))
    except winrm.exceptions.WSManFaultError as error:
        if is_passing(error):
            raise


def _collect(answer: Envelope, streams: _Streams) -> None:
    """Add what came."""
    for name, data in answer.streams:
        streams.size += len(data)
        (streams.stderr if name == "stderr" else streams.stdout).append(data)
    streams.done = streams.done or answer.done
    if answer.exit_code is not None:
        streams.exit_code = answer.exit_code


def connect(address: Address, secrets: Secrets, clock: Clock) -> PowerShellConnection:
    """A connection to a Windows computer; it opens at its first request.

    Raises UsageError for connection variables that cannot be, SecretError, AuthenticationError where no user or
    password is given or a way of authentication is not installed, RefusedError for Basic over plain HTTP.
    """
    return PowerShellConnection(WinrmTransport(endpoint_of(address, secrets), clock))
