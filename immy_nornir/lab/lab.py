"""The lab: computers, listeners, certificate and log, in an event loop in a thread of its own.

Place in the flow: specs -> `Lab` -> listening WS-Management on 127.0.0.0/8. It knows nothing of inventories.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from immy_nornir.errors import UsageError
from immy_nornir.lab.backed.machine import BackedMachine
from immy_nornir.lab.journal import Event, Journal, read_events
from immy_nornir.lab.listening import sockets_at
from immy_nornir.lab.simulated.machine import SimulatedMachine
from immy_nornir.lab.spec import ComputerSpec, Knobs
from immy_nornir.lab.wsman.certificate import make_certificate, server_context
from immy_nornir.lab.wsman.computer import Gate, LabComputer, Site
from immy_nornir.lab.wsman.connection import Connection
from immy_nornir.lab.wsman.trouble import Trouble

if TYPE_CHECKING:
    import ssl

    from immy_nornir.lab.machine import Machine
    from immy_nornir.model.values import Json

T = TypeVar("T")
_SWEEP_SECONDS = 5.0
_BACKLOG = 4096
_NOBODY = "127.0.0.1"
"""Where a lab without computers listens."""


class Lab:
    """A simulated fleet that speaks WS-Management.

    Computers answer at their own addresses on `port` and `https_port` (0: a free port; `https_port` None: no https), or
    at ports of their own. With `powershell` their command lines really run in that PowerShell; else they are
    simulated. Use it as a context manager, or `start` and `stop`. Without a folder a temporary one is made, which
    `stop` removes. It listens at the addresses of its computers and no others, with a socket for each; with `listen`
    at that address instead (0.0.0.0: one socket for all of them, which other machines see, though it turns them away).
    Raises UsageError when two computers have one address, or a port cannot be had.
    """

    def __init__(
        self,
        computers: Iterable[ComputerSpec],
        *,
        port: int = 0,
        https_port: int | None = 0,
        knobs: Knobs | None = None,
        folder: Path | None = None,
        powershell: Sequence[str] | None = None,
        listen: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.specs = tuple(computers)
        self.port = port
        self.https_port = https_port
        self.powershell = tuple(powershell) if powershell else None
        self.listen = listen
        self.computers: dict[str, LabComputer] = {}
        self._knobs = knobs or Knobs()
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="immy-lab-"))
        self.log_path = self.folder / "lab.log.jsonl"
        self.certificate_path = self.folder / "certificate.pem"
        self._now = now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._journal: Journal | None = None
        self._servers: list[asyncio.Server] = []
        self._places: dict[tuple[str, int | None], LabComputer] = {}
        self._events: list[Event] = []
        self._ends = Gate()

    def start(self) -> Self:
        """Listen; returns when every port answers."""
        if self.powershell and sys.platform == "win32":
            raise UsageError(
                "backed computers need Linux or macOS", "leave out --powershell: simulated ones run here too"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="immy-lab", daemon=True)
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything that runs and free the ports; may be repeated."""
        if self._loop is None or self._thread is None:
            return
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        asyncio.run_coroutine_threadsafe(self._close(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        self._events = read_events(self.log_path)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def events(self, event: str | None = None, computer: str | None = None) -> list[Event]:
        """What the lab did so far, oldest first, of one kind and one computer if asked; works after `stop` too."""
        events = read_events(self.log_path) if self._loop else self._events or read_events(self.log_path)
        return [
            one
            for one in events
            if (event is None or one["event"] == event) and (computer is None or one["computer"] == computer)
        ]

    def shells(self) -> dict[str, int]:
        """Open shells by computer; computers without any are left out."""

        async def count() -> dict[str, int]:
            return {name: len(one.service.shells) for name, one in self.computers.items() if one.service.shells}

        return self._call(count())

    def status(self) -> dict[str, Json]:
        """Ports, paths, and how many computers, connections and shells (by computer) there are now."""

        async def look() -> dict[str, Json]:
            every = self.computers.values()
            shells: dict[str, Json] = {one.spec.name: len(one.service.shells) for one in every if one.service.shells}
            return {
                "port": self.port,
                "https_port": self.https_port,
                "log": str(self.log_path),
                "certificate": str(self.certificate_path) if self.certificate_path.exists() else None,
                "powershell": list(self.powershell) if self.powershell else None,
                "computers": len(self.computers),
                "up": sum(one.up for one in every),
                "connections": sum(len(one.connections) for one in every),
                "shells": shells,
            }

        return self._call(look())

    def reboot(self, name: str, reason: str = "the lab was told to") -> None:
        """Cut a computer's power for a moment: it reboots without asking anybody."""

        async def go() -> None:
            self.computers[name].power_cut(reason)

        self._call(go())

    def trouble(self, name: str, trouble: Trouble) -> Trouble:
        """From now on a computer has this trouble; what is given back counts how often it was met."""

        async def begin() -> None:
            self.computers[name].troubles.append(trouble)

        self._call(begin())
        return trouble

    def hold(self) -> None:
        """From now on nothing that takes its time ends, until `release`: jobs of simulated computers run on, and who
        reboots stays away. What is said of them stays true.
        """

        async def close() -> None:
            self._ends.closed = True

        self._call(close())

    def release(self) -> None:
        """Let end what was held back, and all that comes later when its time is over."""

        async def open_again() -> None:
            self._ends.open()

        self._call(open_again())

    # --- inside the loop ------------------------------------------------------------------------------------

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise UsageError("the lab is not running", "start it first")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._journal = Journal(self.log_path, self._now)
        site = Site(loop, self._now, self._journal, self._knobs, self.folder, self._ends)
        for spec in self.specs:
            place = (spec.address, spec.port)
            if spec.name in self.computers or place in self._places:
                raise UsageError(
                    f"two computers of the lab are '{spec.name}' or live at {spec.address}", "give each its own"
                )
            computer = LabComputer(spec, site, self._machine)
            self.computers[spec.name] = self._places[place] = computer
        context: ssl.SSLContext | None = None
        if self.https_port is not None or any(spec.tls for spec in self.specs):
            make_certificate(self.folder, {spec.address for spec in self.specs}, time.time())
            context = server_context(self.certificate_path)
        shared = [spec.address for spec in self.specs if spec.port is None]
        self.port = await self._listen(self.port, None, shared)
        if self.https_port is not None:
            self.https_port = await self._listen(self.https_port, context, shared)
        for port, tls in sorted({(spec.port, spec.tls) for spec in self.specs if spec.port is not None}):
            own = [spec.address for spec in self.specs if (spec.port, spec.tls) == (port, tls)]
            await self._listen(port, context if tls else None, own)
        loop.call_later(_SWEEP_SECONDS, self._sweep)
        self._journal.write(
            "lab_started", "", port=self.port, https_port=self.https_port, computers=len(self.computers)
        )

    def _machine(self, computer: LabComputer) -> Machine:
        return BackedMachine(computer, self.powershell) if self.powershell else SimulatedMachine(computer)

    async def _listen(self, port: int, context: ssl.SSLContext | None, addresses: Iterable[str]) -> int:
        """Listen at a port of these addresses; the port, which is the same at all of them."""
        loop, tls = asyncio.get_running_loop(), context is not None
        found = [self.listen] if self.listen is not None else sorted(set(addresses)) or [_NOBODY]
        for one in sockets_at(found, port):
            server = await loop.create_server(
                lambda: Connection(self._find, loop, tls=tls), sock=one, ssl=context, backlog=_BACKLOG
            )
            self._servers.append(server)
        return int(self._servers[-1].sockets[0].getsockname()[1])

    def _find(self, address: str, port: int, tls: bool) -> LabComputer | None:  # noqa: FBT001
        own = self._places.get((address, port))
        if own is not None:
            return own if own.spec.tls == tls else None
        return self._places.get((address, None)) if port in (self.port, self.https_port) else None

    def _sweep(self) -> None:
        if self._loop is None:
            return
        for computer in self.computers.values():
            for shell_id in computer.service.sweep():
                computer.log("shell_expired", shell=shell_id)
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for computer in self.computers.values():
            computer.close()
        await asyncio.sleep(0)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._journal:
            self._journal.write("lab_stopped", "")
            self._journal.close()
