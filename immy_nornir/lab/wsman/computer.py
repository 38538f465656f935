"""One computer of the lab as its network sees it: up or away, its connections, its shells, its machine and its log."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from immy_nornir.lab.spec import ComputerSpec, Knobs, Misbehaviour
from immy_nornir.lab.wsman.auth import Accounts
from immy_nornir.lab.wsman.shells import ShellService
from immy_nornir.lab.wsman.trouble import Trouble

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from immy_nornir.lab.journal import Journal
    from immy_nornir.lab.machine import Machine
    from immy_nornir.model.values import Json

_PATIENCE_SECONDS = 10.0
"""How long a computer that shall reboot waits for those who are connected to leave."""


@dataclass(slots=True)
class Gate:
    """What may be held back until somebody lets it go on."""

    closed: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def pass_through(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` now, or when the gate is opened."""
        if self.closed:
            self.waiting.append(go_on)
        else:
            go_on()

    def open(self) -> None:
        """Let everything go on that waits."""
        self.closed = False
        waiting, self.waiting = self.waiting, []
        for go_on in waiting:
            go_on()


class Connected(Protocol):
    """Who is connected to a computer, as far as the computer cares."""

    def reset(self) -> None:
        """Close with a TCP reset; may be repeated."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """What all computers of one lab share: the loop that everything runs in, time, the log, the knobs and a folder."""

    loop: asyncio.AbstractEventLoop
    now: Callable[[], float]
    journal: Journal
    knobs: Knobs
    folder: Path
    ends: Gate = field(default_factory=Gate)
    """Where what takes its time passes before it ends: jobs of simulated computers, and the absence after a reboot."""


class LabComputer:
    """A computer; every method but `log` belongs to the lab's loop."""

    def __init__(self, spec: ComputerSpec, site: Site, make_machine: Callable[[LabComputer], Machine]) -> None:
        self.spec = spec
        self.site = site
        self.up = True
        self.connections: set[Connected] = set()
        password = secrets.token_hex(16) if spec.does(Misbehaviour.REFUSE_PASSWORD) else spec.password
        self.accounts = Accounts(spec.username, password, spec.name, spec.domain, site.folder)
        self.machine = make_machine(self)
        self.service = ShellService(spec.name, self.machine, site.loop)
        self.service.denials_left = 2 if spec.does(Misbehaviour.MOODY) else 0
        self.service.refusals_left = 2 if spec.does(Misbehaviour.CROWDED) else 0
        self.reply_delay = site.knobs.reply_delay
        if spec.does(Misbehaviour.SLOW):
            self.reply_delay += site.knobs.slow_seconds
        self.troubles: list[Trouble] = []
        self._last_operation = ""
        self._drops_left = 1 if spec.does(Misbehaviour.DROPS) else 0
        self._timers: list[asyncio.TimerHandle] = []

    def log(self, event: str, **fields: Json) -> None:
        """Write an event of this computer."""
        self.site.journal.write(event, self.spec.name, **fields)

    def trouble_with(self, message: bytes) -> Trouble | None:
        """The trouble that takes this message, if one does."""
        return next((one for one in self.troubles if one.meets(message, self._last_operation)), None)

    def shall_drop(self) -> bool:
        """Whether this Receive is the one whose connection drops."""
        if self._drops_left:
            self._drops_left -= 1
            return True
        return False

    def ask_reboot(self, delay: float, reason: str, patience: float = _PATIENCE_SECONDS) -> None:
        """Go down after `delay` seconds, but not before who asked has its answer; asked twice, it goes down once.

        Whoever is connected after `delay` may still read its answer, and has `patience` seconds to leave.
        """
        self.log("reboot_asked", delay=delay, reason=reason)
        if not self._timers:
            loop, soonest = self.site.loop, max(delay, 0.1 + 5 * self.reply_delay)
            ends = loop.time() + soonest + patience
            self._timers.append(loop.call_later(soonest, self._go_down_when_left, reason, ends))

    def power_cut(self, reason: str) -> None:
        """Go down at once."""
        if self.up:
            for timer in self._timers:
                timer.cancel()
            self._go_down(reason, 1)

    def log_operation(self, operation: dict[str, Any]) -> None:
        """Write the event of one operation of a bundle."""
        params = operation.get("params") or {}
        job = params.get("job") or {}
        fields = {"item": params.get("item") or job.get("item"), "purpose": params.get("purpose")}
        job_id = params.get("job_id") or job.get("job_id")
        if job_id:
            fields["job_id"] = job_id
        self._last_operation = str(operation.get("op"))
        self.log("operation", op=operation.get("op"), **fields)

    def _go_down_when_left(self, reason: str, ends: float) -> None:
        loop = self.site.loop
        if self.connections and loop.time() < ends:
            self._timers[:] = [loop.call_later(0.05, self._go_down_when_left, reason, ends)]
        else:
            self._go_down(reason, 1)

    def _go_down(self, reason: str, times: int) -> None:
        self.log("reboot", reason=reason)
        self.up = False
        self._timers.clear()
        self.service.close()
        self.machine.went_down()
        for connection in list(self.connections):
            connection.reset()
        if self.spec.does(Misbehaviour.NEVER_BACK):
            self.log("never_back")
            return
        self._timers.append(self.site.loop.call_later(self.site.knobs.reboot_seconds, self._end_absence, reason, times))

    def _end_absence(self, reason: str, times: int) -> None:
        self.site.ends.pass_through(lambda: self._come_up(reason, times))

    def _come_up(self, reason: str, times: int) -> None:
        self._timers.clear()
        self.machine.came_up()
        self.up = True
        self.log("booted")
        if times == 1 and self.spec.does(Misbehaviour.REBOOT_TWICE):
            again = max(self.site.knobs.reboot_seconds, 0.2)
            self._timers.append(self.site.loop.call_later(again, self._go_down, reason, 2))

    def close(self) -> None:
        """The lab stops."""
        self.up = False
        for timer in self._timers:
            timer.cancel()
        self.service.close()
        self.machine.close()
        for connection in list(self.connections):
            connection.reset()
