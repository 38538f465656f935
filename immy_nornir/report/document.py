"""A Report as a JSON document; keys are stable: later versions add keys, and `schema_version` rises when one changes.

    schema_version   1
    generated_at     when the report was made
    weakly_masked    computers with a secret that is short or a common word: masked only as a whole word
    only_tenant      the tenant that the report was narrowed to, or null; then what is the operator's is empty in run,
                     and ids of sessions and jobs are made of the run's id and the computer's name
    run              id, command, playbook, fleet, commit, user, machine, status, note, started_at, ended_at, seconds
    totals           computers, sessions, actions, by_status {status: computers}, by_outcome {outcome or "unfinished":
                     actions}, reboots, reboots_owed (computers); the maps hold only what is there
    causes []        reasons that several computers share: item ("" where the session itself failed), outcome, text,
                     example, computers [], title (of the item)
    not_compliant [] what audits found, by item; keys as in causes
    tenants []       name, title, totals (as above), computers []:
      computers []   name, status (the worst of its sessions), system, serial, last_contact (or null), primary_user,
                   sessions []:
        sessions []  id, type, play, status, reason, text, end_reason, stage, waiting, created_at, started_at,
                     ended_at, seconds, reboots, reboot_list [{why, outcome}],
                     counts {outcome or "unfinished": actions}, actions []:
          actions [] id, item, title, type, reason, why, found, desired, after, version, deployment, held,
                     planned_phase, phase, attempts, status, outcome, outcome_reason, message, text,
                     reboot_owed, began_at, ended_at, seconds, jobs [] (where output was asked for):
            jobs []  id, attempt, step, state, exit_code, error, seconds, output, began_at, ended_at

`immy report --for customer` writes another document, which `customer` describes.

Times are ISO 8601 in UTC (`2026-11-23T05:20:00Z`), `seconds` are lengths of time; both are null where there is none.
Statuses, outcomes and reasons are the history's words; `text` is the same for people and may be worded anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from immy_nornir.model.values import Json
from immy_nornir.report.model import (
    ActionPart,
    Cause,
    ComputerPart,
    JobPart,
    Report,
    RunPart,
    SessionPart,
    TenantPart,
    Totals,
)
from immy_nornir.report.words import iso
from immy_nornir.text import json


def document(report: Report) -> dict[str, Json]:
    """The whole report as plain JSON values."""
    return {**_head(report), "tenants": [_tenant(one) for one in report.tenants]}


def text(report: Report) -> str:
    """The document as text that ends with a newline: indented, with one line for each session of a computer."""
    return "".join(_pieces(report))


def _pieces(report: Report) -> Iterator[str]:
    # json's own indentation is written in Python and takes seconds for 10,000 computers; a line for each does not.
    head = json.indented(_head(report), ascii=False)
    yield head.removesuffix("\n}")
    yield ',\n  "tenants": ['
    for number, tenant in enumerate(report.tenants):
        yield ",\n    {\n" if number else "\n    {\n"
        yield f'      "name": {_line(tenant.name)},\n      "title": {_line(tenant.title)},\n'
        yield f'      "totals": {_line(_totals(tenant.totals))},\n'
        yield '      "computers": ['
        for place, computer in enumerate(tenant.computers):
            yield ",\n        " if place else "\n        "
            yield _line(_computer(computer))
        yield "\n      ]\n    }"
    yield "\n  ]\n}\n" if report.tenants else "]\n}\n"


def _line(value: Json) -> str:
    return json.line(value, ascii=False)


def _head(report: Report) -> dict[str, Json]:
    return {
        "schema_version": report.schema_version,
        "generated_at": iso(report.generated_at),
        "only_tenant": report.only_tenant or None,
        "weakly_masked": list(report.weak_secrets),
        "run": _run(report.run),
        "totals": _totals(report.totals),
        "causes": [_cause(one) for one in report.causes],
        "not_compliant": [_cause(one) for one in report.not_compliant],
    }


def _time(at: float | None) -> str | None:
    return iso(at) or None


def _length(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _run(run: RunPart) -> dict[str, Json]:
    return {
        "id": run.id,
        "command": run.command,
        "playbook": run.playbook,
        "fleet": run.fleet,
        "commit": run.commit,
        "user": run.user,
        "machine": run.machine,
        "status": run.status,
        "note": run.note,
        "started_at": _time(run.started_at),
        "ended_at": _time(run.ended_at),
        "seconds": _length(run.seconds),
    }


def _totals(totals: Totals) -> dict[str, Json]:
    return {
        "computers": totals.computers,
        "sessions": totals.sessions,
        "actions": totals.actions,
        "by_status": dict(totals.by_status),
        "by_outcome": dict(totals.by_outcome),
        "reboots": totals.reboots,
        "reboots_owed": totals.reboots_owed,
    }


def _cause(cause: Cause) -> dict[str, Json]:
    return {
        "item": cause.item,
        "outcome": cause.outcome,
        "text": cause.text,
        "example": cause.example,
        "computers": list(cause.computers),
        "title": cause.title,
    }


def _tenant(tenant: TenantPart) -> dict[str, Json]:
    return {
        "name": tenant.name,
        "title": tenant.title,
        "totals": _totals(tenant.totals),
        "computers": [_computer(one) for one in tenant.computers],
    }


def _computer(computer: ComputerPart) -> dict[str, Json]:
    return {
        "name": computer.name,
        "status": computer.status.value,
        "system": computer.system,
        "serial": computer.serial,
        "last_contact": _time(computer.seen_at),
        "primary_user": computer.primary_user,
        "sessions": [_session(one) for one in computer.sessions],
    }


def _session(one: SessionPart) -> dict[str, Json]:
    return {
        "id": one.id,
        "type": one.type,
        "play": one.play,
        "status": one.status.value,
        "reason": one.reason,
        "text": one.text,
        "end_reason": one.end_reason,
        "stage": one.stage,
        "waiting": one.waiting,
        "created_at": _time(one.created_at),
        "started_at": _time(one.started_at),
        "ended_at": _time(one.ended_at),
        "seconds": _length(one.seconds),
        "reboots": one.reboots,
        "reboot_list": [{"why": reboot.why, "outcome": reboot.outcome} for reboot in one.reboot_list],
        "counts": dict(one.counts),
        "actions": [_action(action) for action in one.actions],
    }


def _action(one: ActionPart) -> dict[str, Json]:
    return {
        "id": one.id,
        "item": one.item,
        "title": one.title,
        "type": one.type,
        "reason": one.reason,
        "why": one.why,
        "found": one.found,
        "desired": one.desired,
        "after": one.after,
        "version": one.version,
        "deployment": one.deployment,
        "held": one.held,
        "planned_phase": one.planned_phase,
        "phase": one.phase,
        "attempts": one.attempts,
        "status": one.status,
        "outcome": one.outcome,
        "outcome_reason": one.outcome_reason,
        "message": one.message,
        "text": one.text,
        "reboot_owed": one.reboot_owed,
        "began_at": _time(one.began_at),
        "ended_at": _time(one.ended_at),
        "seconds": _length(one.seconds),
        "jobs": [_job(job) for job in one.jobs],
    }


def _job(one: JobPart) -> dict[str, Json]:
    return {
        "id": one.id,
        "attempt": one.attempt,
        "step": one.step,
        "state": one.state,
        "exit_code": one.exit_code,
        "error": one.error,
        "seconds": _length(one.seconds),
        "output": one.output,
        "began_at": _time(one.began_at),
        "ended_at": _time(one.ended_at),
    }
