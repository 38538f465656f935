"""The spool of a simulated computer: jobs that outlive connections, their effects on the State, and reboots.

Job ids are idempotent as docs/wire.md says. Every effect is in the lab's log when it begins and when it has ended.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from immy_nornir.lab.simulated.effects import Outcome, carry_out, printed
from immy_nornir.lab.simulated.lease import LeaseFile
from immy_nornir.lab.simulated.people import SILENT, answered
from immy_nornir.lab.simulated.reading import OperationError
from immy_nornir.lab.spec import Misbehaviour
from immy_nornir.model.wire import Effect, JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immy_nornir.lab.simulated.state import State
    from immy_nornir.lab.wsman.computer import LabComputer
    from immy_nornir.model.values import Json

_MAX_WAIT = 20.0
_MAX_OUTPUT = 256 * 1024
_REBOOTS_BY_ITSELF = 1641


@dataclass(eq=False)
class Job:
    """One folder of the spool."""

    job_id: str
    spec: dict[str, Any]
    state: JobState = JobState.STARTING
    output: bytes = b""
    result: dict[str, Json] | None = None
    timer: asyncio.TimerHandle | None = None
    started: float = 0.0
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def at_work(self) -> bool:
        """Whether it has neither ended nor been lost."""
        return self.state in (JobState.STARTING, JobState.RUNNING)


class Spool:
    """All jobs of one computer."""

    def __init__(self, computer: LabComputer, state: State) -> None:
        self.jobs: dict[str, Job] = {}
        self._computer = computer
        self._state = state
        self._runs: dict[str, int] = {}
        self.lease = LeaseFile(computer.site.now)

    async def effect(self, name: str, params: Mapping[str, Any]) -> Json:
        """Execute one effect operation; raises OperationError."""
        lease = params.get("lease")
        match name:
            case Effect.JOB_START:
                return await self._start(params)
            case Effect.LEASE_RELEASE:
                self.lease.leave(lease)
                return {"released": True}
            case Effect.JOB_WAIT:
                self.lease.renew(lease)
                return await self._wait(str(params["job_id"]), int(params.get("from") or 0), params, created=False)
            case Effect.JOB_OUTPUT:
                return _chunk(self._job(params), int(params.get("from") or 0))
            case Effect.JOB_STOP:
                return self._stop(params)
            case Effect.REBOOT:
                return self._reboot(params)
            case _:
                raise OperationError(f"unknown effect '{name}'")

    def lose_all(self) -> None:
        """The computer goes down: what has no result never gets one."""
        for job in self.jobs.values():
            if job.at_work:
                self._settle(job, JobState.LOST, None)
                self._computer.log("job_lost", job_id=job.job_id, item=job.spec.get("item"))

    def close(self) -> None:
        """Stop all timers."""
        for job in self.jobs.values():
            if job.timer:
                job.timer.cancel()

    async def _start(self, params: Mapping[str, Any]) -> Json:
        spec = dict(params["job"])
        job_id = str(spec["job_id"])
        created = _folder(job_id) not in self.jobs
        again = self.lease.enter(params.get("lease"), params.get("detected_seconds"), self._at_work)
        if again and created:
            state = JobState.LOOK_AGAIN.value
            return {"state": state, "output": "", "next_offset": 0, "result": None, "created": False}
        busy = self._rival(spec.get("item")) if created else None
        if busy is not None:
            said = base64.b64encode(_folder(busy.job_id).encode()).decode()
            return {"state": JobState.BUSY.value, "output": said, "next_offset": 0, "result": None, "created": False}
        if created:
            job = Job(job_id, spec, started=self._computer.site.loop.time())
            self.jobs[_folder(job_id)] = job
            self._computer.log("job_created", job_id=job_id, item=spec.get("item"), kind=spec.get("kind"))
            self._begin(job)
        return await self._wait(job_id, 0, params, created=created)

    def _at_work(self, session: str) -> str:
        """The name of a job that is at work, of a session or of any."""
        names = (name for name, job in self.jobs.items() if job.at_work)
        return next((name for name in names if not session or name.startswith(f"{session}-")), "")

    def _rival(self, item: object) -> Job | None:
        return next((one for one in self.jobs.values() if item and one.at_work and one.spec.get("item") == item), None)

    def _begin(self, job: Job) -> None:
        job.state = JobState.RUNNING
        job.output = printed(self._state.spec.prints.get(str(job.spec.get("item") or job.spec.get("kind") or "")))
        if job.spec.get("kind") == "ask":
            self._ask(job)
            return
        self._log(job, "installer_started")
        seconds = self._computer.site.knobs.install_seconds
        deadline = float(job.spec.get("deadline_seconds") or 3600)
        if seconds > deadline:
            job.timer = self._computer.site.loop.call_later(deadline, self._too_late, job)
        elif seconds > 0:
            job.timer = self._computer.site.loop.call_later(seconds, self._end, job)
        else:
            self._end(job)

    def _ask(self, job: Job) -> None:
        """The user answers after a moment, or the question closes at its time."""
        params = (job.spec.get("work") or {}).get("params") or {}
        user = str(job.spec.get("context") or "").removeprefix("user:")
        code = answered(self._state.spec, user, params, self._runs.get(user, 0))
        self._runs[user] = self._runs.get(user, 0) + 1
        seconds = float(params.get("seconds") or 0) if code == SILENT else self._computer.site.knobs.answer_seconds
        job.timer = self._computer.site.loop.call_later(seconds, self._answer, job, user, code)

    def _answer(self, job: Job, user: str, code: int) -> None:
        if job.state is JobState.RUNNING:
            self._settle(job, JobState.FINISHED, Outcome(code))
            self._computer.log("answered", job_id=job.job_id, user=user, code=code)

    def _too_late(self, job: Job) -> None:
        self._settle(job, JobState.FINISHED, Outcome(None, error="deadline"))
        self._log(job, "installer_finished", exit_code=None, error="deadline")

    def _end(self, job: Job) -> None:
        self._computer.site.ends.pass_through(lambda: self._finish(job))

    def _finish(self, job: Job) -> None:
        if job.state is not JobState.RUNNING:  # stopped, or lost in a reboot, while it was held back
            return
        item = str(job.spec.get("item") or "")
        run = self._runs.get(item, 0)
        self._runs[item] = run + 1
        outcome = carry_out(self._state, job.spec, run)
        self._settle(job, JobState.FINISHED, outcome)
        self._log(job, "installer_finished", exit_code=outcome.exit_code, error=outcome.error)
        if outcome.exit_code == _REBOOTS_BY_ITSELF:
            self._computer.ask_reboot(self._computer.site.knobs.hard_reboot_delay, f"the installer of {item}", 0.0)

    def _settle(self, job: Job, state: JobState, outcome: Outcome | None) -> None:
        if job.timer:
            job.timer.cancel()
        job.state = state
        if outcome is not None:
            job.output += outcome.output.encode()
            job.result = {
                "exit_code": outcome.exit_code,
                "error": outcome.error,
                "seconds": round(self._computer.site.loop.time() - job.started, 3),
                "value": outcome.value,
            }
        job.settled.set()

    def _log(self, job: Job, event: str, **fields: Json) -> None:
        work = job.spec.get("work") or {}
        action = "uninstall" if work.get("uninstall") else str(work.get("action") or "")
        spec = job.spec
        self._computer.log(
            event, job_id=job.job_id, item=spec.get("item"), kind=spec.get("kind"), action=action, **fields
        )

    async def _wait(self, job_id: str, offset: int, params: Mapping[str, Any], *, created: bool) -> Json:
        seconds = min(float(params.get("wait_seconds") or 0), _MAX_WAIT)
        job = self.jobs.get(_folder(job_id))
        if job and seconds > 0 and not job.settled.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(job.settled.wait(), seconds)
        chunk = _chunk(job, offset)
        state = job.state if job else JobState.ABSENT
        result = job.result if job else None
        if result is not None and self._computer.spec.does(Misbehaviour.TORN_RESULTS):
            result = {"seconds": result["seconds"]}
        return {"state": state.value, **chunk, "result": result, "created": created}

    def _job(self, params: Mapping[str, Any]) -> Job | None:
        return self.jobs.get(_folder(str(params["job_id"])))

    def _stop(self, params: Mapping[str, Any]) -> Json:
        job = self._job(params)
        if job and job.at_work:
            self._settle(job, JobState.FINISHED, Outcome(None, error="stopped"))
            self._log(job, "job_stopped")
        return {"stopped": True}

    def _reboot(self, params: Mapping[str, Any]) -> Json:
        boot = params.get("boot") or {}
        if not self._is_current(boot):
            raise OperationError("the computer is in another boot than the one to be ended")
        self.lease.enter(params.get("lease"), None, self._at_work)
        working = self._at_work("") if params.get("lease") else ""
        if working:
            raise OperationError(f"the job {working} is at work there")
        self._computer.ask_reboot(float(params.get("delay_seconds") or 0), str(params.get("reason") or ""))
        return {"asked": True}

    def _is_current(self, boot: Mapping[str, Any]) -> bool:
        if boot.get("id") is not None:
            return str(boot["id"]) == str(self._state.boot_id)
        return boot.get("time") is None or abs(float(boot["time"]) - self._state.boot_time) <= 60.0


def _folder(job_id: str) -> str:
    return job_id.replace("/", "-")


def _chunk(job: Job | None, offset: int) -> dict[str, Json]:
    output = job.output if job else b""
    data = output[offset : offset + _MAX_OUTPUT]
    return {"output": base64.b64encode(data).decode(), "next_offset": offset + len(data), "size": len(output)}
