"""A simulated computer: reads bundles itself and executes every operation in Python against its State.

Implements Machine. Times (PowerShell's start, scripts, jobs) are slept away in the lab's loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from immy_nornir.lab import bundle
from immy_nornir.lab.commandline import encoded_script, powershell_arguments
from immy_nornir.lab.simulated.jobs import Spool
from immy_nornir.lab.simulated.reading import OperationError, read
from immy_nornir.lab.simulated.state import State
from immy_nornir.lab.spec import Misbehaviour
from immy_nornir.model.wire import REQUEST_MAGIC, Effect, Read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immy_nornir.lab.machine import Sink
    from immy_nornir.lab.wsman.computer import LabComputer
    from immy_nornir.model.values import Json

_FLUSH_SECONDS = 1.0
CONSTRAINED = "constrained_language"


class SimulatedMachine:
    """One simulated computer's inside."""

    def __init__(self, computer: LabComputer) -> None:
        self.computer = computer
        self.state = State(computer.spec, computer.site.now())
        self.spool = Spool(computer, self.state)
        self._running: set[SimulatedProcess] = set()

    def start(self, command_line: str, environment: Mapping[str, str], sink: Sink) -> SimulatedProcess:  # noqa: ARG002 - nothing here reads the environment
        """Start a command line: the bundle's bootstrap waits for its request, others are answered at once."""
        process = SimulatedProcess(self, command_line, sink)
        self._running.add(process)
        process.task.add_done_callback(lambda _: self._running.discard(process))
        return process

    def went_down(self) -> None:
        """End everything; jobs without a result are lost."""
        for process in list(self._running):
            process.end()
        self.spool.lose_all()

    def came_up(self) -> None:
        """A new boot."""
        self.state.reboot(self.computer.site.now())

    def close(self) -> None:
        """End everything."""
        for process in list(self._running):
            process.end()
        self.spool.close()


def _is_expected(operation: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether a request goes on after this operation: docs/wire.md, `expect`."""
    expected = (operation.get("params") or {}).get("expect")
    if operation.get("op") != Read.IDENTITY or expected is None:
        return True
    told = answer.get("result")
    if not isinstance(told, dict):
        return False
    return all(_plain(told.get(name)) == _plain(value) for name, value in expected.items())


def _plain(value: object) -> str:
    return ("" if value is None else str(value)).strip("{} ").lower()


class SimulatedProcess:
    """One command line in a simulated computer."""

    def __init__(self, machine: SimulatedMachine, command_line: str, sink: Sink) -> None:
        self._machine = machine
        self._sink = sink
        self._stdin = bytearray()
        loop = machine.computer.site.loop
        self._whole: asyncio.Future[None] = loop.create_future()
        self.task = loop.create_task(self._run(command_line))

    def write(self, data: bytes, *, end: bool) -> None:
        """Collect stdin."""
        self._stdin += data
        if end and not self._whole.done():
            self._whole.set_result(None)

    def end(self) -> None:
        """Stop where it is."""
        if not self.task.done():
            self.task.cancel()
            self._sink.done(1)

    async def _run(self, command_line: str) -> None:
        knobs = self._machine.computer.site.knobs
        started = self._machine.computer.site.loop.time()
        script = encoded_script(command_line)
        if script is not None and REQUEST_MAGIC in script:
            await self._whole
            rest = knobs.powershell_start - (self._machine.computer.site.loop.time() - started)
            if rest > 0:
                await asyncio.sleep(rest)
            await self._bundle()
            return
        if powershell_arguments(command_line) is not None and knobs.powershell_start:
            await asyncio.sleep(knobs.powershell_start)
        self._plain(command_line, script)

    def _plain(self, command_line: str, script: str | None) -> None:
        spec = self._machine.computer.spec
        text = (script if script is not None else command_line).strip()
        self._machine.computer.log("command", command=text[:200])
        word = text.split()[0].lower().removesuffix(".exe") if text else ""
        out, code = "", 0
        match word:
            case "hostname" | "$env:computername":
                out = spec.name
            case "whoami":
                out = spec.username.lower() if "\\" in spec.username else f"{spec.name}\\{spec.username}".lower()
            case "ver":
                out = f"Microsoft Windows [Version {spec.version}]"
            case "echo" | "write-output":
                out = text.partition(" ")[2].strip("'\"")
            case "exit" if text.split()[1:2] and text.split()[1].isdigit():
                code = int(text.split()[1])
            case _:
                self._sink.output("stderr", f"{spec.name} is simulated and cannot run: {text[:200]}\r\n".encode())
                code = 1
        if out:
            self._sink.output("stdout", out.encode() + b"\r\n")
        self._sink.done(code)

    async def _bundle(self) -> None:
        computer = self._machine.computer
        spec = computer.spec
        if spec.does(Misbehaviour.EMPTY):
            computer.log("empty")
            self._sink.done(0)
            return
        try:
            request = bundle.decode(bytes(self._stdin))
        except bundle.BundleError as error:
            computer.log("bundle_refused", error=str(error))
            self._finish(bundle.refusal(bundle.NO_NONCE, "damaged_request"))
            return
        if spec.does(Misbehaviour.CONSTRAINED):
            computer.log("constrained")
            self._finish(bundle.refusal(bundle.NO_NONCE, CONSTRAINED))
            return
        computer.log("request", operations=len(request.operations))
        await self._execute(request)

    async def _execute(self, request: bundle.Bundle) -> None:
        loop = self._machine.computer.site.loop
        noise = self._machine.computer.spec.does(Misbehaviour.NOISE)
        parts: list[bytes] = [b"WARNING: profile says hello\r\n\xff\xfe\r\n"] if noise else []
        flushed = loop.time()
        untouched: list[str] = []
        for number, operation in enumerate(request.operations):
            answer = await self._answer(operation)
            parts.append(bundle.frame(request.nonce, answer))
            if not _is_expected(operation, answer):
                untouched = [str(one.get("id")) for one in request.operations[number + 1 :]]
                break
            if noise:
                parts.append(b"#IMMY is not a frame\r\nstray \x00 text\r\n")
            if loop.time() - flushed >= _FLUSH_SECONDS:
                self._sink.output("stdout", self._spoiled(b"".join(parts)))
                parts, flushed = [], loop.time()
        parts.append(bundle.end_frame(request.nonce, len(request.operations) - len(untouched), untouched))
        if noise:
            parts.append(b"goodbye\r\n")
        self._finish(b"".join(parts))

    def _finish(self, data: bytes) -> None:
        self._sink.output("stdout", self._spoiled(data))
        self._sink.done(0)

    def _spoiled(self, data: bytes) -> bytes:
        if not self._machine.computer.spec.does(Misbehaviour.CORRUPT):
            return data
        return b"\n".join(line[:-9] + b"!" + line[-8:] if len(line) > 9 else line for line in data.split(b"\n"))

    async def _answer(self, operation: dict[str, Any]) -> dict[str, Json]:
        computer = self._machine.computer
        id_, name = str(operation.get("id")), str(operation.get("op"))
        params = operation.get("params") or {}
        computer.log_operation(operation)
        before = computer.site.loop.time()
        try:
            if name == Read.SCRIPT:
                limit = float(operation.get("timeout") or 60)
                if not await self._script_time(limit):
                    return bundle.answer(id_, status="timed_out", error=f"ended after {limit:g} s", seconds=limit)
            if name in list(Effect):
                result = await self._machine.spool.effect(name, params)
            else:
                result = read(self._machine.state, name, params, computer.site.now())
        except (OperationError, ValueError, KeyError, TypeError) as error:
            text = f"parameter {error} is missing" if isinstance(error, KeyError) else str(error)
            return bundle.answer(id_, status="failed", error=text, seconds=computer.site.loop.time() - before)
        return bundle.answer(id_, result, seconds=computer.site.loop.time() - before)

    async def _script_time(self, limit: float) -> bool:
        computer = self._machine.computer
        seconds = computer.site.knobs.script_seconds
        if computer.spec.does(Misbehaviour.SLOW_DETECTION):
            seconds += computer.site.knobs.slow_seconds
        if seconds > 0:
            await asyncio.sleep(min(seconds, limit))
        return seconds <= limit
