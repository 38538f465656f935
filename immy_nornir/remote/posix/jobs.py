"""A job for a POSIX computer as a step of a request, and what the spool said as the model's JobStatus.

Between `connection` and `program`; the programs of each kind of work come from `job_programs`. It sends nothing.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from shlex import quote

from immy_nornir.errors import DeclinedError, GarbledError
from immy_nornir.model.facts import Boot
from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobResult, JobSpec, JobState, JobStatus, Lease
from immy_nornir.remote.posix.job_programs import work_of
from immy_nornir.remote.posix.program import Part, Step, encoded, pairs, source
from immy_nornir.remote.posix.results import Rows, rows_of
from immy_nornir.remote.posix.shell_values import parsed, variables
from immy_nornir.remote.windows.connection import job_result_from
from immy_nornir.text import json

LONGEST_WAIT = 20.0


def folder_of(job_id: str) -> str:
    """The name of a job's folder: `/` as `-`; raises DeclinedError for an id that is no file name."""
    folder = job_id.replace("/", "-")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._@+=-]{0,199}", folder):
        raise DeclinedError(f"{job_id[:80]!r} cannot be a job's id", "letters, digits, . _ @ + = - and slashes")
    return folder


def _lease(lease: Lease | None, function: str, *more: str) -> str:
    """The line that asks for a lease first; nothing without one."""
    if lease is None:
        return ""
    told = (
        quote(lease.history),
        quote(lease.session),
        str(lease.epoch),
        str(int(lease.seconds)),
        encoded(lease.holder),
        quote(lease.ended or "-"),
    )
    return " ".join((function, *told, *more)) + "\n"


def start_step(spec: JobSpec, wait_seconds: float, spool: Mapping[str, str], lease: Lease | None = None) -> Step:
    """The step that creates and starts a job; raises DeclinedError for work that POSIX cannot do."""
    try:
        work = work_of(spec)
        secrets = variables(spec.secrets)
    except (ValueError, KeyError, TypeError) as error:
        raise DeclinedError(f"job {spec.job_id}: {error}") from error
    wait = _wait(wait_seconds)
    words = (
        folder_of(spec.job_id),
        encoded(_spec_text(spec)),
        encoded(source("tools.sh", "supervisor.sh")),
        encoded(work.program),
        f"'{pairs(work.variables)}'",
        str(max(1, spec.deadline_seconds)),
        f"'{_user(spec.context)}'",
        wait,
    )
    program = "immy_job_start " + " ".join(words) + "\n"
    if lease is not None:
        age = "-" if spec.detected_seconds is None else str(int(spec.detected_seconds))
        folder = folder_of(spec.job_id)
        program = (
            f"{_lease(lease, 'immy_lease_enter', age)}immy_find_spool {folder}\n"
            f"if [ $immy_again = 1 ] && [ ! -d \"$immy_job\" ]; then printf 'state\\tlook_again\\n'; else\n"
            f"{program}immy_lease_job {folder}\nfi\ntrue\n"
        )
    return Step(Part.JOBS, program, 30 + float(wait), spool, secrets)


def _spec_text(spec: JobSpec) -> str:
    fields: dict[str, Json] = {
        "job_id": spec.job_id,
        "kind": spec.kind,
        "work": dict(spec.work),
        "context": spec.context,
        "deadline_seconds": spec.deadline_seconds,
        "item": spec.item,
        "action": spec.action,
    }
    return json.indented(fields, 1) + "\n"


def _user(context: str) -> str:
    if context == "system":
        return ""
    user = context.removeprefix("user:")
    if user == context or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}", user):
        raise DeclinedError(f"{context!r} is no context of a job", "system or user:NAME")
    return user


def _wait(seconds: float) -> str:
    return f"{min(max(seconds, 0.0), LONGEST_WAIT):.2f}"


def wait_step(
    job_id: str, offset: int, wait_seconds: float, spool: Mapping[str, str], lease: Lease | None = None
) -> Step:
    """The step that asks the spool, or waits for a change."""
    wait = _wait(wait_seconds)
    program = f"immy_job_wait {folder_of(job_id)} {max(0, int(offset))} {wait}\n"
    return Step(Part.JOBS, _lease(lease, "immy_lease_renew") + program, 30 + float(wait), spool)


def release_step(lease: Lease, spool: Mapping[str, str]) -> Step:
    """The step that lets a lease go, if it is still this one."""
    return Step(Part.JOBS, _lease(lease, "immy_lease_leave"), 30, spool)


def stop_step(job_id: str, spool: Mapping[str, str]) -> Step:
    """The step that ends a job's whole tree."""
    return Step(Part.JOBS, f"immy_job_stop {folder_of(job_id)}\n", 60, spool)


def reboot_step(
    boot: Boot, delay_seconds: int, reason: str, spool: Mapping[str, str], lease: Lease | None = None
) -> Step:
    """The step that asks for a reboot if the computer is still in `boot`; at least two seconds later."""
    boot_id = boot.id if boot.id and re.fullmatch(r"[A-Za-z0-9-]+", boot.id) else "-"
    time = "-" if boot.time is None else f"{boot.time:.0f}"
    # A first character of ours keeps a reason from being read as an option.
    text = encoded(f"immy: {reason}".replace("\0", ""))
    before = f"{_lease(lease, 'immy_lease_enter', '-')}immy_lease_idle\n" if lease is not None else ""
    program = f"{before}immy_reboot {boot_id} {time} {max(2, int(delay_seconds))} {text}\n"
    return Step(Part.JOBS, program, 30, spool)


def status_of(text: str, offset: int) -> JobStatus:
    """What job.start and job.wait print; raises GarbledError when it is not that."""
    rows = rows_of(text)
    seen = {row[0]: row[1] for row in rows if len(row) > 1}
    try:
        state = JobState(seen["state"])
        data = b64decode(seen.get("output", ""), validate=True)
        size = int(seen.get("size", "0"))
        result = _result(seen, rows) if state is JobState.FINISHED else None
    except (KeyError, ValueError) as error:
        raise GarbledError(f"the spool's answer about a job is not what it should be: {text[:200]!r}") from error
    ended = state in (JobState.FINISHED, JobState.LOST) and offset + len(data) >= size
    if not ended:
        data = _whole_characters(data)
    return JobStatus(state, data.decode("utf-8", "replace"), offset + len(data), result, "created" in seen, size)


def _whole_characters(data: bytes) -> bytes:
    """Without a UTF-8 character that is cut at the end; the next answer begins with it."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 2 if byte >> 5 == 6 else 3 if byte >> 4 == 14 else 4 if byte >> 3 == 30 else 1
        return data[:-back] if length > back else data
    return data


def _result(seen: Mapping[str, str], rows: Rows) -> JobResult | None:
    """A job's last word; None where it has not its form."""
    try:
        word = json.parse_answer(b64decode(seen["result"], validate=True).decode("utf-8", "replace"))
    except ValueError:
        return None
    if job_result_from(word) is None:
        return None
    changes: list[Json] = [_change(row) for row in rows if row[0] == "change" and len(row) == 4]
    value: Json = changes or word.get("value")
    if value is None and "last" in seen:
        value = _last_line(b64decode(seen["last"]).decode("utf-8", "replace"))
    return job_result_from({**word, "value": value})


def _change(row: Sequence[str]) -> Json:
    name, before, after = (b64decode(word).decode("utf-8", "replace") for word in row[1:])
    return {"name": name, "before": json.parse_answer(before), "after": json.parse_answer(after)}


def _last_line(line: str) -> Json:
    try:
        return parsed(line)[1]
    except ValueError:
        return None
