"""What came of one item that was tried out, part by part: from the record of its session, for people and programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from immy_nornir.decide.plan.actions import told
from immy_nornir.decide.plan.by_hand import by_hand
from immy_nornir.decide.plan.job_steps import Step, steps_of
from immy_nornir.decide.plan.trials import download_step, is_download
from immy_nornir.decide.steps.state import State, fold
from immy_nornir.model.facts import Finding
from immy_nornir.model.items import Context, ExitMeaning, Item, Requirements
from immy_nornir.model.record.entries import (
    ActionEnded,
    Detected,
    Finished,
    JobEnded,
    JobIntended,
    JobSeen,
    Planned,
    RebootEnded,
    RebootIntended,
    Resolved,
    Verified,
)
from immy_nornir.model.record.words import word
from immy_nornir.text.plain import plain

if TYPE_CHECKING:
    from immy_nornir.model.plan import Desire
    from immy_nornir.model.record.entries import Stamped
    from immy_nornir.model.record.session import SessionSpec


def parts_of(spec: SessionSpec, items: Mapping[str, Item], entries: Sequence[Stamped]) -> Iterator[dict[str, Any]]:
    """What was done, in its order, each as a map with the word `part`."""
    state, outputs = State(spec, items), dict[str, list[str]]()
    before = 0.0
    for stamped in entries:
        state = fold(state, stamped)
        match stamped.entry:
            case Resolved(desires):
                yield from ({"part": "requirements", **_requirements(one, items)} for one in desires)
            case Detected(findings) | Verified(findings):
                word_ = "detect" if isinstance(stamped.entry, Detected) else "detect again"
                yield from ({"part": word_, **_finding(one), "seconds": stamped.at - before} for one in findings)
            case Planned(plan):
                for one in plan.actions:
                    why = one.held_why if one.held is not None else one.why
                    yield {"part": "plan", "item": one.id, "action": word(one.type), "why": why}
            case JobIntended() as job:
                yield {"part": "run", **_job(state, items, job)}
            case JobSeen(job_id, output):
                outputs.setdefault(job_id, []).append(output)
            case JobEnded() as job:
                text = "".join([*outputs.pop(job.job_id, []), job.output])
                yield {"part": "ran", "job": job.job_id, **_end(state, items, job), "output": text}
            case ActionEnded() as ended:
                finding = {} if ended.finding is None else {"found": told(ended.finding)}
                message = {"outcome": word(ended.outcome), "why": ended.message or word(ended.reason)}
                yield {"part": "verdict", "item": ended.action_id, **message, **finding}
            case RebootIntended(number, why):
                yield {"part": "reboot", "number": number, "why": why}
            case RebootEnded(number, identity, message):
                yield {"part": "reboot", "number": number, "why": message or ("done" if identity else "it is not back")}
            case Finished(status, message):
                yield {"part": "end", "status": status.value, "why": message}
            case _:
                pass
        before = stamped.at


def _requirements(desire: Desire, items: Mapping[str, Item]) -> dict[str, Any]:
    item = items.get(desire.definition)
    against = desire.not_applicable or desire.unknown or desire.error
    verdict = (
        "not met" if desire.not_applicable else "unknown" if desire.unknown else "wrong" if desire.error else "met"
    )
    named = {} if item is None else _named(item.requirements)
    because = [str(one) for one in desire.requested_by]
    return {"item": desire.id, "verdict": verdict, "why": against, "requires": named, "requested_by": because}


def _named(needs: Requirements) -> dict[str, Any]:
    return {
        one.name: plain(value)
        for one in dataclasses.fields(needs)
        if (value := getattr(needs, one.name)) not in (None, ())
    }


def _finding(finding: Finding) -> dict[str, Any]:
    changes = [f"{one.name}: {plain(one.before)} -> {plain(one.after)}" for one in finding.changes]
    name = f"{finding.item}#{finding.instance}" if finding.instance else finding.item
    about = {"version": finding.version, "sound": finding.sound, "value": finding.value, "message": finding.message}
    return {"item": name, "found": told(finding), "changes": changes, **about}


def _step(state: State, item: Item, job: JobIntended) -> Step | None:
    plan = state.actions[job.actions[0]].plan
    if is_download(state.spec.trial):
        return download_step(plan, item)
    steps = steps_of(plan, item, state.findings.get(plan.id))
    return steps[job.step] if job.step < len(steps) else None


def _job(state: State, items: Mapping[str, Item], job: JobIntended) -> dict[str, Any]:
    plan = state.actions[job.actions[0]].plan
    item = items.get(plan.definition)
    step = None if item is None else _step(state, item, job)
    who = "a user who is logged on" if plan.context is Context.USER else "the system account"
    lines = [] if step is None else list(by_hand(step))
    name = "" if step is None else step.name
    return {"item": plan.id, "job": job.job_id, "step": name, "attempt": job.attempt, "as": who, "commands": lines}


def _end(state: State, items: Mapping[str, Item], job: JobEnded) -> dict[str, Any]:
    result = job.result
    if result is None:
        return {"exit_code": None, "meaning": "lost", "error": job.message, "seconds": None}
    action = state.job.actions[0] if state.job is not None and state.job.actions else ""
    item = items.get(state.actions[action].plan.definition) if action in state.actions else None
    codes = {} if item is None else item.exit_codes
    code = result.exit_code
    meaning = "not started" if code is None else codes.get(code, ExitMeaning.FAILED).value.replace("_", " ")
    return {"exit_code": code, "meaning": meaning, "error": result.error, "seconds": result.seconds}


def lines_of(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The parts for people."""
    for one in parts:
        yield from _lines(one)


def _lines(one: Mapping[str, Any]) -> Iterator[str]:
    match one["part"]:
        case "requirements":
            because = f" ({', '.join(one['requested_by'])})" if one["requested_by"] else ""
            yield f"requirements of {one['item']}{because}: {one['verdict']}{_more(one['why'])}"
            yield from (f"    {name}: {value}" for name, value in one["requires"].items())
        case "detect" | "detect again":
            value = "" if one["value"] is None else f"; value: {plain(one['value'])}"
            sound = (
                "" if one["sound"] is None else "; its test says that it is " + ("sound" if one["sound"] else "broken")
            )
            yield f"{one['part']} {one['item']}: {one['found']}{sound}{value}{_more(one['message'])}"
            yield from (f"    {change}" for change in one["changes"])
        case "plan":
            yield f"plan for {one['item']}: {one['action']}: {one['why']}"
        case "run":
            yield f"{one['step'] or 'job'} of {one['item']}, attempt {one['attempt']}, as {one['as']}:"
            yield from (f"    > {line}" for line in one["commands"])
        case "ran":
            code = "no exit code" if one["exit_code"] is None else f"exit code {one['exit_code']}"
            took = "" if one["seconds"] is None else f" after {one['seconds']:.1f} s"
            yield from (f"    | {line}" for line in one["output"].splitlines())
            yield f"    {code} ({one['meaning']}){took}{_more(one['error'])}"
        case "verdict":
            found = f"; there now: {one['found']}" if "found" in one else ""
            yield f"{one['item']}: {one['outcome']}: {one['why']}{found}"
        case "reboot":
            yield f"reboot {one['number']}: {one['why']}"
        case _:
            yield f"{one['status'].replace('_', ' ')}: {one['why']}"


def _more(text: str) -> str:
    return f": {text}" if text else ""
