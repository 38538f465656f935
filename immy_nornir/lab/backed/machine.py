"""A backed computer: its command lines really run, in the PowerShell that the lab was given.

Implements Machine over processes. Registry, services, scheduled tasks and boots are files of the computer's folder,
which `windows.psm1` and the PowerShell's own registry work on. POSIX only. Of the misbehaviours, `corrupt` and
`slow_detection` are for simulated computers alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.lab import bundle
from immy_nornir.lab.backed.processes import kill_group, kill_marked
from immy_nornir.lab.commandline import encoded_script, translate
from immy_nornir.lab.simulated.state import CHASSIS, State
from immy_nornir.lab.spec import Misbehaviour
from immy_nornir.model.wire import REQUEST_MAGIC
from immy_nornir.text import json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from immy_nornir.lab.machine import Sink
    from immy_nornir.lab.wsman.computer import LabComputer
    from immy_nornir.model.values import Json

_KEPT = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "TERM", "PWSH_COVERAGE"})
"""Of our own environment, what a computer sees; nothing else, for it may hold secrets."""
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_PATIENCE_SECONDS = 5.0
_CHUNK = 65536


class BackedMachine:
    """One backed computer's inside."""

    def __init__(self, computer: LabComputer, powershell: Sequence[str]) -> None:
        self.computer = computer
        self.powershell = list(powershell)
        self.folder = computer.site.folder / "computers" / computer.spec.name
        self.state = State(computer.spec, computer.site.now())
        self._running: set[BackedProcess] = set()
        self._prepare()
        self._patience = 0.0
        self._poll = computer.site.loop.call_later(_POLL_SECONDS, self._look)

    def _prepare(self) -> None:
        for name in ("ProgramData", "Temp", "tasks"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.module = self.folder / "modules" / "ImmyLab" / "ImmyLab.psm1"
        self.module.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).with_name("windows.psm1"), self.module)
        for path, file in self.computer.spec.files.items():
            name = path.replace("\\", "/")
            if name.lower().startswith("%programdata%/"):
                target = self.folder / "ProgramData" / name[len("%programdata%/") :]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(str(file.get("content", "")) if isinstance(file, dict) else str(file), "utf-8")
        self._write("services.json", {name: self.state.service(name) for name in self.computer.spec.services})
        self._save_boot()

    def _save_boot(self) -> None:
        spec, state = self.computer.spec, self.state
        imposter = spec.does(Misbehaviour.IMPOSTER)
        name = f"{spec.name}-other" if imposter else spec.name
        uuid = f"{'f' * 7}e{spec.identity_uuid[8:]}" if imposter else spec.identity_uuid
        for key, value in (
            (r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName", "ComputerName"),
            (r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters", "Hostname"),
        ):
            state.registry.set(key, value, name)
        zones = r"HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation"
        state.registry.set(zones, "TimeZoneKeyName", spec.time_zone)
        self._write("registry.json", state.registry.content())
        roles = {"workstation": (1, 1), "server": (3, 3), "domain_controller": (2, 5)}
        product_type, domain_role = roles.get(spec.role, (1, 1))
        machine: dict[str, Json] = {
            "name": name,
            "uuid": uuid,
            "boot_time": state.boot_time,
            "os": spec.os,
            "version": f"{spec.version}" if spec.version.count(".") > 1 else f"{spec.version}.{spec.build}",
            "build": spec.build,
            "os_architecture": "32-bit" if spec.architecture == "x86" else "64-bit",
            "product_type": product_type,
            "domain_role": domain_role,
            "memory_gb": spec.memory_gb,
            "disk_free_gb": spec.disk_free_gb,
            "manufacturer": spec.manufacturer,
            "model": spec.model,
            "serial": spec.serial or f"LAB{spec.identity_uuid[:8].upper()}",
            "domain": spec.domain,
            "users": list(spec.users),
            "chassis_type": CHASSIS.get(spec.chassis, 3),
            "address": spec.address,
            "drivers": dict(spec.drivers),
        }
        self._write("machine.json", machine)

    def _write(self, name: str, value: object) -> None:
        part = self.folder / f"{name}.part"
        part.write_text(json.indented(value, 1), "utf-8")
        part.replace(self.folder / name)

    def environment(self, shell: Mapping[str, str]) -> dict[str, str]:
        """What a command line of this computer sees."""
        spec, site = self.computer.spec, self.computer.site
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}
        data, temp = str(self.folder / "ProgramData"), str(self.folder / "Temp")
        user = spec.username.rpartition("\\")[2]
        own = {
            "PWSH_REGISTRY": str(self.folder / "registry.json"),
            "ProgramData": data,
            "ALLUSERSPROFILE": data,
            # .NET does not ask the variable ProgramData where this folder is; without this, all would share one spool.
            "IMMY_SPOOL": str(self.folder / "ProgramData" / "immy" / "spool"),
            "COMPUTERNAME": spec.name,
            "USERNAME": user,
            "TEMP": temp,
            "TMP": temp,
            "TMPDIR": temp,
            "PSModulePath": str(self.folder / "modules"),
            "IMMY_LAB_FOLDER": str(self.folder),
            "IMMY_LAB_COMPUTER": spec.name,
            "IMMY_LAB_LOG": str(site.journal.path),
            "IMMY_LAB_POWERSHELL": json.line(self.powershell),
            "IMMY_LAB_MODULE": str(self.module),
            "IMMY_LAB_PYTHON": sys.executable,
        }
        if spec.edition:
            own["PWSH_EDITION"] = spec.edition
        if spec.does(Misbehaviour.CONSTRAINED):
            own["PWSH_LANGUAGE_MODE"] = "ConstrainedLanguage"
        return {**kept, **shell, **own}

    def start(self, command_line: str, environment: Mapping[str, str], sink: Sink) -> BackedProcess:
        """Start a command line as a process group of its own."""
        module = None if self.computer.spec.does(Misbehaviour.CONSTRAINED) else self.module
        command = translate(command_line, self.powershell, module)
        script = encoded_script(command_line)
        is_bundle = script is not None and REQUEST_MAGIC in script
        if not is_bundle:
            self.computer.log("command", command=(script or command_line)[:200])
        process = BackedProcess(self, command, self.environment(environment), sink, is_bundle=is_bundle)
        self._running.add(process)
        process.task.add_done_callback(lambda _: self._running.discard(process))
        return process

    def _look(self) -> None:
        loop = self.computer.site.loop
        self._poll = loop.call_later(_POLL_SECONDS, self._look)
        asked = self.folder / "reboot"
        if not self.computer.up or not asked.exists():
            self._patience = loop.time() + _PATIENCE_SECONDS
            return
        try:
            wish = json.parse(asked.read_text("utf-8-sig"))
        except ValueError:
            return
        # Windows, too, lets programs end: who asked has its answer before the computer goes down.
        if any(process.is_bundle for process in self._running) and loop.time() < self._patience:
            return
        asked.unlink(missing_ok=True)
        self.computer.ask_reboot(float(wish.get("delay") or 0), str(wish.get("reason") or ""))

    def went_down(self) -> None:
        """Every process of the computer ends, tasks too."""
        for process in list(self._running):
            process.end()
        for task in sorted((self.folder / "tasks").glob("*.pid")):
            self.computer.log("job_lost", job_id=task.stem.rpartition("%5C")[2])
        self._end_all()

    def came_up(self) -> None:
        """A new boot, over the registry as the last one left it."""
        for path in (self.folder / "tasks").glob("*.pid"):
            path.unlink(missing_ok=True)
        (self.folder / "reboot").unlink(missing_ok=True)
        registry = json.parse((self.folder / "registry.json").read_text("utf-8-sig"))
        self.state.load_registry(registry)
        services = json.parse((self.folder / "services.json").read_text("utf-8-sig"))
        self.state.services = {name.lower(): str(value["state"]) for name, value in services.items()}
        self.state.reboot(self.computer.site.now())
        self._write("services.json", {name: self.state.service(name) for name in services})
        self._save_boot()

    def close(self) -> None:
        """End every process."""
        self._poll.cancel()
        for process in list(self._running):
            process.end()
        self._end_all()

    def _end_all(self) -> None:
        """End what left our process groups: tasks, and whatever carries this computer's folder in its environment."""
        for path in (self.folder / "tasks").glob("*.pid"):
            with contextlib.suppress(OSError, ValueError):
                kill_group(int(path.read_text()))
        kill_marked(f"IMMY_LAB_FOLDER={self.folder}".encode())


class BackedProcess:
    """One real process with everything below it."""

    def __init__(
        self, machine: BackedMachine, command: list[str], environment: dict[str, str], sink: Sink, *, is_bundle: bool
    ) -> None:
        self._machine = machine
        self._sink = sink
        self.is_bundle = is_bundle
        self._stdin = bytearray()
        self._ended = False
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._process: asyncio.subprocess.Process | None = None
        self.task = machine.computer.site.loop.create_task(self._run(command, environment))

    def write(self, data: bytes, *, end: bool) -> None:
        """Hand bytes to the process's stdin."""
        if data:
            self._input.put_nowait(data)
        if self.is_bundle:
            self._stdin += data
        if end:
            self._input.put_nowait(None)
            if self.is_bundle:
                self._log_request()

    def _log_request(self) -> None:
        computer = self._machine.computer
        try:
            request = bundle.decode(bytes(self._stdin))
        except bundle.BundleError as error:
            computer.log("bundle_refused", error=str(error))
            return
        finally:
            self._stdin.clear()
        computer.log("request", operations=len(request.operations))
        for operation in request.operations:
            computer.log_operation(operation)

    def end(self) -> None:
        """Kill the whole group."""
        if self._ended:
            return
        self._ended = True
        if self._process is not None and self._process.returncode is None:
            kill_group(self._process.pid)
        elif self._process is None:
            self.task.cancel()
        self._sink.done(1)

    async def _run(self, command: list[str], environment: dict[str, str]) -> None:
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                cwd=environment["TEMP"],
                start_new_session=True,
            )
        except OSError as error:
            self._sink.output("stderr", f"{command[0]}: {error.strerror}\r\n".encode())
            self._sink.done(9009)
            return
        if self._ended:
            kill_group(process.pid)
        helpers = [
            asyncio.ensure_future(self._feed(process)),
            asyncio.ensure_future(self._read("stdout", process.stdout)),
            asyncio.ensure_future(self._read("stderr", process.stderr)),
        ]
        try:
            code = await process.wait()
            # What it wrote last is still in the pipes; a grandchild may hold them open for ever.
            await asyncio.wait(helpers[1:], timeout=_GRACE_SECONDS)
        finally:
            for helper in helpers:
                helper.cancel()
        if not self._ended:
            self._ended = True
            kill_group(process.pid)
            self._sink.done(code if code >= 0 else 1)

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        stdin = process.stdin
        if stdin is None:
            return
        try:
            while (data := await self._input.get()) is not None:
                stdin.write(data)
                await stdin.drain()
        except ConnectionError:
            return
        finally:
            stdin.close()

    async def _read(self, name: str, pipe: asyncio.StreamReader | None) -> None:
        spec = self._machine.computer.spec
        if pipe is None:
            return
        if name == "stdout" and spec.does(Misbehaviour.NOISE):
            self._sink.output("stdout", b"WARNING: profile says hello\r\n")
        while data := await pipe.read(_CHUNK):
            if self._ended or spec.does(Misbehaviour.EMPTY):
                continue
            self._sink.output(name, data)
