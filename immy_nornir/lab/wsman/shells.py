"""WS-Management's shells of one computer: Create, Command, Send, Receive, Signal, Delete, Identify.

Flow: an opened envelope -> `ShellService.handle` -> a reply, at once or when there is something to say. What runs
behind a command is a Machine's business; HTTP and authentication are the connection's.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from immy_nornir.lab.wsman import soap

if TYPE_CHECKING:
    import asyncio

    from immy_nornir.lab.machine import Machine, Process

Answer = Callable[[int, bytes], None]
"""Called once with the HTTP status and the envelope."""

MAX_SHELLS = 30
MAX_PROCESSES = 25
IDLE_TIMEOUT = 7200.0
MAX_COMMAND_LINE = 8191
_ABORTED = "The I/O operation has been aborted because of either a thread exit or an application request."


@dataclass(eq=False)
class Waiter:
    """A Receive that waits for output."""

    request: soap.Request
    answer: Answer
    timer: asyncio.TimerHandle


class Command:
    """One command of a shell; collects what its process writes until a Receive takes it."""

    def __init__(self, command_id: str) -> None:
        self.id = command_id
        self.process: Process | None = None
        self.exit_code: int | None = None
        self.waiter: Waiter | None = None
        self.machine_name = ""
        self._pending: list[tuple[str, bytes]] = []

    def output(self, stream: str, data: bytes) -> None:
        """Take bytes of the process; a waiting Receive answers with them."""
        self._pending.append((stream, data))
        self._wake()

    def done(self, exit_code: int) -> None:
        """The process ended."""
        if self.exit_code is None:
            self.exit_code = exit_code
            self._wake()

    @property
    def has_news(self) -> bool:
        """Whether a Receive has something to answer with."""
        return bool(self._pending) or self.exit_code is not None

    def take(self, limit: int) -> tuple[list[tuple[str, bytes]], int | None]:
        """At most `limit` bytes in order, and the exit code once nothing is left."""
        taken: dict[str, list[bytes]] = {}
        while self._pending and limit > 0:
            stream, data = self._pending.pop(0)
            if len(data) > limit:
                self._pending.insert(0, (stream, data[limit:]))
                data = data[:limit]
            limit -= len(data)
            taken.setdefault(stream, []).append(data)
        streams = [(stream, b"".join(parts)) for stream, parts in taken.items()]
        return streams, None if self._pending else self.exit_code

    def _wake(self) -> None:
        if self.waiter:
            waiter, self.waiter = self.waiter, None
            waiter.timer.cancel()
            answer_receive(self, waiter.request, waiter.answer)

    def fail(self, code: int, text: str) -> None:
        """Answer a waiting Receive with a fault."""
        if self.waiter:
            waiter, self.waiter = self.waiter, None
            waiter.timer.cancel()
            waiter.answer(500, soap.fault(waiter.request.message_id, code, _subcode(code), text, self.machine_name))


def answer_receive(command: Command, request: soap.Request, answer: Answer) -> None:
    """Answer a Receive with what there is; as much as fits the client's envelope as base64."""
    room = max((request.max_envelope - 4096) * 3 // 4, 1024)
    streams, exit_code = command.take(room)
    answer(200, soap.received(request, command.id, streams, exit_code))


@dataclass(eq=False)
class Shell:
    """One shell: its environment and commands."""

    id: str
    owner: str
    idle_timeout: float
    environment: dict[str, str]
    touched: float
    commands: dict[str, Command] = field(default_factory=dict)

    def close(self) -> None:
        """End everything in it."""
        for command in self.commands.values():
            if command.process:
                command.process.end()
            command.fail(995, _ABORTED)
        self.commands.clear()


class ShellService:
    """All shells of one computer."""

    def __init__(self, name: str, machine: Machine, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.shells: dict[str, Shell] = {}
        self.refusals_left = 0
        """How many of the next shells are refused, whatever the quota says."""
        self.denials_left = 0
        """How many shells are denied after the first one."""
        self._let_in = False
        self._machine = machine
        self._loop = loop
        self._actions: dict[str, Callable[[soap.Request, str, str, Answer], None]] = {
            f"{soap.TRANSFER}/Create": self._create,
            f"{soap.SHELL}/Command": self._command,
            f"{soap.SHELL}/Send": self._send,
            f"{soap.SHELL}/Receive": self._receive,
            f"{soap.SHELL}/Signal": self._signal,
            f"{soap.TRANSFER}/Delete": self._delete,
        }

    def handle(self, body: bytes, owner: str, address: str, answer: Answer) -> soap.Request | None:
        """Answer one envelope; returns the request as it was read, None when it could not be."""
        try:
            request = soap.read_request(body)
        except soap.SoapError as error:
            answer(
                500,
                soap.fault(
                    "", soap.RESOURCE_NOT_FOUND, "w:SchemaValidationError", f"The request is no XML: {error}", self.name
                ),
            )
            return None
        if request.action == "Identify":
            answer(200, soap.IDENTIFIED)
            return request
        action = self._actions.get(request.action)
        if action is None:
            self._fault(request, soap.ACTION_NOT_SUPPORTED, "The action is not supported by the service.", answer)
        else:
            action(request, owner, address, answer)
        return request

    def sweep(self) -> list[str]:
        """Close shells that were idle for longer than they may; returns their ids."""
        now = self._loop.time()
        late = [
            shell
            for shell in self.shells.values()
            if now - shell.touched > shell.idle_timeout and not any(one.waiter for one in shell.commands.values())
        ]
        for shell in late:
            self.shells.pop(shell.id).close()
        return [shell.id for shell in late]

    def close(self) -> None:
        """The computer goes down: every shell ends."""
        for shell in list(self.shells.values()):
            shell.close()
        self.shells.clear()

    def _create(self, request: soap.Request, owner: str, address: str, answer: Answer) -> None:
        if request.resource and request.resource != soap.CMD_RESOURCE:
            text = "The service cannot process the request: there is no such resource on this computer."
            self._fault(request, soap.RESOURCE_NOT_FOUND, text, answer)
            return
        if self._let_in and self.denials_left:
            self.denials_left -= 1
            self._fault(request, soap.ACCESS_DENIED, "Access is denied.", answer)
            return
        crowded = self.refusals_left > 0
        self.refusals_left -= crowded
        if crowded or sum(shell.owner == owner for shell in self.shells.values()) >= MAX_SHELLS:
            text = (
                "The WS-Management service cannot process the request. The maximum number of concurrent shells for this"
                " user has been exceeded. Close existing shells or raise the quota for this user."
            )
            self._fault(request, soap.SHELL_QUOTA, text, answer)
            return
        idle = request.find("IdleTimeOut")
        idle_timeout = soap.seconds_of(idle.text or "", IDLE_TIMEOUT) if idle is not None else IDLE_TIMEOUT
        environment = {one.get("Name", ""): one.text or "" for one in request.find_all("Variable")}
        self._let_in = True
        shell_id = str(uuid.uuid4()).upper()
        self.shells[shell_id] = Shell(shell_id, owner, idle_timeout, environment, self._loop.time())
        answer(200, soap.created(request, shell_id, owner, address, idle_timeout))

    def _command(self, request: soap.Request, _owner: str, _address: str, answer: Answer) -> None:
        shell = self._shell(request, answer)
        if shell is None:
            return
        if len(shell.commands) >= MAX_PROCESSES:
            text = "The request cannot be processed. The maximum number of processes per shell has been reached."
            self._fault(request, soap.PROCESS_QUOTA, text, answer)
            return
        line = request.find("CommandLine")
        words = [(one.text or "") for one in line] if line is not None else []
        wanted = line.get("CommandId") if line is not None else None
        command = Command(wanted or str(uuid.uuid4()).upper())
        command.machine_name = self.name
        shell.commands[command.id] = command
        text = " ".join(word for word in words if word)
        body = f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"
        answer(200, soap.reply(request, f"{soap.SHELL}/CommandResponse", body))
        if len(text) > MAX_COMMAND_LINE:
            command.output("stderr", b"The command line is too long.\r\n")
            command.done(1)
            return
        command.process = self._machine.start(text, shell.environment, command)

    def _send(self, request: soap.Request, _owner: str, _address: str, answer: Answer) -> None:
        for stream in request.find_all("Stream"):
            command = self._find(request, stream, answer)
            if command is None:
                return
            if command.process and command.exit_code is None:
                data = base64.b64decode(stream.text or "")
                command.process.write(data, end=stream.get("End", "").lower() in ("true", "1"))
        answer(200, soap.reply(request, f"{soap.SHELL}/SendResponse", "<rsp:SendResponse/>"))

    def _receive(self, request: soap.Request, _owner: str, _address: str, answer: Answer) -> None:
        desired = request.find("DesiredStream")
        command = self._find(request, desired, answer)
        if command is None:
            return
        if command.has_news:
            answer_receive(command, request, answer)
            return
        command.fail(soap.OPERATION_TIMEOUT, "Another Receive took this one's place.")
        timer = self._loop.call_later(request.operation_timeout, self._timed_out, command)
        command.waiter = Waiter(request, answer, timer)

    def _timed_out(self, command: Command) -> None:
        text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout."
        command.fail(soap.OPERATION_TIMEOUT, text)

    def _signal(self, request: soap.Request, _owner: str, _address: str, answer: Answer) -> None:
        command = self._find(request, request.find("Signal"), answer)
        if command is None:
            return
        code = request.find("Code")
        word = ((code.text or "") if code is not None else "").rpartition("/")[2]
        if command.process and (command.exit_code is None or word == "terminate"):
            command.process.end()
        if word == "terminate":
            shell = self.shells[request.shell_id]
            shell.commands.pop(command.id, None)
            command.fail(995, _ABORTED)
        answer(200, soap.reply(request, f"{soap.SHELL}/SignalResponse", "<rsp:SignalResponse/>"))

    def _delete(self, request: soap.Request, _owner: str, _address: str, answer: Answer) -> None:
        shell = self._shell(request, answer)
        if shell is not None:
            self.shells.pop(shell.id).close()
            answer(200, soap.reply(request, f"{soap.TRANSFER}/DeleteResponse", ""))

    def _shell(self, request: soap.Request, answer: Answer) -> Shell | None:
        shell = self.shells.get(request.shell_id.upper())
        if shell is None:
            text = (
                f"The request for the Windows Remote Shell with ShellId {request.shell_id} failed because"
                " the shell was not found on the server. Possible causes are: the specified ShellId is incorrect or the"
                " shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the"
                " operation."
            )
            self._fault(request, soap.SHELL_NOT_FOUND, text, answer)
            return None
        shell.touched = self._loop.time()
        return shell

    def _find(self, request: soap.Request, element: Any, answer: Answer) -> Command | None:
        shell = self._shell(request, answer)
        if shell is None:
            return None
        command = shell.commands.get((element.get("CommandId") or "") if element is not None else "")
        if command is None:
            text = "The Windows Remote Shell received a request for a command identifier that does not exist."
            self._fault(request, soap.SHELL_NOT_FOUND, text, answer)
        return command

    def _fault(self, request: soap.Request, code: int, text: str, answer: Answer) -> None:
        answer(500, soap.fault(request.message_id, code, _subcode(code), text, self.name))


def _subcode(code: int) -> str:
    match code:
        case soap.OPERATION_TIMEOUT:
            return "w:TimedOut"
        case soap.ACCESS_DENIED:
            return "w:AccessDenied"
        case soap.SHELL_NOT_FOUND:
            return "w:InvalidSelectors"
        case soap.SHELL_QUOTA | soap.PROCESS_QUOTA:
            return "w:QuotaLimit"
        case soap.ACTION_NOT_SUPPORTED:
            return "a:ActionNotSupported"
        case _:
            return "w:InternalError"
