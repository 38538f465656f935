"""The end of a command that ran sessions: exit code, summary, reports; for `run` and `sessions resume`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.cli import startup
from immy_nornir.cli.approving.plan import plan_lines, plan_of
from immy_nornir.cli.door import say, say_json
from immy_nornir.decide.runs import exit_code as exit_codes
from immy_nornir.errors import HistoryError
from immy_nornir.model.record.session import Status
from immy_nornir.model.record.words import word
from immy_nornir.report.words import count
from immy_nornir.text import json
from immy_nornir.text.plain import and_more

if TYPE_CHECKING:
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.live import LiveSession

SCHEMA_VERSION = 1
_OPEN = (Status.CREATED, Status.RUNNING, Status.WAITING, Status.INTERRUPTED)


def exit_code(sessions: Sequence[LiveSession], check: bool) -> int:
    """The command's exit code by the statuses of its sessions."""
    return exit_codes.exit_code([_became(live) for live in sessions], check=check)


def _became(live: LiveSession) -> exit_codes.Became:
    recap = live.recap
    return exit_codes.Became(
        recap.status,
        recap.reason,
        elsewhere=live.refused is not None and recap.reason is None,
        deferred=recap.deferred,
        did=any(one.attempted for one in recap.actions) or recap.reboots > 0,
        pending=_pending(live),
    )


def record_code(engine: Engine, code: int) -> int:
    """The exit code, worse than that of the sessions where their record is not whole, which is said."""
    hole = engine.history.hole()
    if not hole:
        return code
    say(f"immy: the history of this run is not whole: {hole}", err=True)
    return code if code in (1, 130) else 1


def _pending(live: LiveSession) -> bool:
    recap = live.recap
    return recap.reboots_planned > 0 or any(one.changing and one.outcome is None for one in recap.actions)


def write_report(engine: Engine, run_id: str, session_ids: Sequence[str]) -> Path:
    """The run's HTML report in the state folder."""
    from immy_nornir.history.own_files import make_folder, write_own
    from immy_nornir.history.queries import Asked
    from immy_nornir.report.build import build
    from immy_nornir.report.render import render

    engine.history.flush(_REPORT_SECONDS)
    with engine.history.read() as reader:
        run = reader.runs(run_id=run_id)[0]
        rows = reader.sessions(Asked(run_id), actions=True)
        others = sorted(set(session_ids) - {row.id for row in rows})  # of earlier runs, taken up again
        rows += reader.sessions_of(others, actions=True)
        jobs = {row.id: reader.jobs(row.id) for row in rows if row.status is not Status.PASSED}
        about = reader.about(rows)
    path = engine.history.folder / "reports" / f"{run_id}.html"
    make_folder(path.parent, inside=True)
    made = build(run, rows, jobs, generated_at=engine.clock.now(), about=about)
    write_own(path, render(made, "html"))
    return path


_REPORT_SECONDS = 30.0
"""So long a report waits for another program that holds the history; `immy report` makes it later."""


def end_left_runs(engine: Engine) -> None:
    """End the runs whose sessions have all ended, but whose process died before it could write that; with reports."""
    from immy_nornir.session.taking.taking_up import end_run, runs_without_end

    for run_id in runs_without_end(engine):
        try:
            if end_run(engine, run_id):
                report = write_report(engine, run_id, ())
                say(f"run {run_id} had ended unseen; its report: {startup.near(report)}", err=True)
        except (HistoryError, OSError) as error:
            say(f"immy: the end of run {run_id} was not written down: {error}", err=True)


def end_runs(engine: Engine, run_ids: Iterable[str]) -> list[Path]:
    """For runs whose sessions were taken up again: the end of those that have ended now, and new reports of all."""
    from immy_nornir.history.queries import Asked
    from immy_nornir.session.taking.taking_up import end_run

    reports = []
    for run_id in dict.fromkeys(run_ids):
        try:
            engine.history.flush(_REPORT_SECONDS)
            with engine.history.read() as reader:
                left = reader.sessions(Asked(run_id, statuses=_OPEN))
            if not left:
                end_run(engine, run_id)
            reports.append(write_report(engine, run_id, ()))
        except (HistoryError, OSError) as error:
            say(f"immy: the end of run {run_id} was not written down: {error}", err=True)
    return reports


RESUMED = "resumed"
"""Stands for the run where sessions of several runs were taken up."""


def show_summary(
    engine: Engine,
    run_id: str,
    sessions: Sequence[LiveSession],
    reports: Sequence[Path],
    form: str,
    *,
    planned: bool = False,
    verbose: bool = False,
) -> None:
    """What became of every computer: counts, then those that need attention; or everything as JSON.

    `planned`: the sessions only planned, and their plans are told, with `verbose` computer by computer.
    """
    from immy_nornir.plugins.tasks import summary

    if form == "json":
        rows = [{"computer": one.computer, "tenant": one.spec.tenant, **summary(one)} for one in sessions]
        document = {
            "schema_version": SCHEMA_VERSION,
            "run": run_id,
            "history": str(engine.history.path),
            "report": str(reports[-1]) if reports else None,
            "sessions": rows,
        }
        say_json(json.indented(document, default=str))
        return
    recaps = [live.recap for live in sessions]
    statuses = Counter(one.status for one in recaps)
    outcomes = Counter(one.outcome for recap in recaps for one in recap.actions if one.outcome is not None)
    reboots = sum(one.reboots for one in recaps)
    said = ", ".join(f"{n} {word(s)}" for s, n in statuses.most_common())
    say(f"{run_id if run_id == RESUMED else f'run {run_id}'}: {count(len(sessions), 'computer')}: {said}")
    told = ", ".join(f"{n} {word(o)}" for o, n in outcomes.most_common())
    if open_actions := sum(1 for recap in recaps for one in recap.actions if one.outcome is None):
        told += f"{', ' if told else ''}{open_actions} not done"
    say(f"  actions: {told or 'none'}; reboots: {reboots}")
    plans = [plan_of(live.computer, live.recap) for live in sessions] if planned else []
    for line in plan_lines(plans, verbose=verbose):
        say(line)
    if verbose and not planned:
        for line in _done(sessions):
            say(line)
    for text, names in _attention(sessions).items():
        shown = ", ".join(names[:8]) + and_more(len(names) - 8)
        say(f"  {shown}: {text}")
    say(f"  history: {startup.near(engine.history.path)}")
    for report in reports:
        say(f"  report:  {startup.near(report)}")
    left = sum(live.recap.status is Status.INTERRUPTED and live.refused is None for live in sessions)
    for line in startup.next_commands(left, sum(live.recap.deferred for live in sessions)):
        say(line)


def _done(sessions: Sequence[LiveSession]) -> Iterator[str]:
    """What became of each computer and of each of its actions."""
    for live in sessions:
        yield f"  {live.computer}: {word(live.recap.status)}: {live.recap.message}"
        for one in live.recap.actions:
            outcome = "not ended" if one.outcome is None else word(one.outcome)
            yield f"    {one.id}: {word(one.type)}: {outcome}" + (f": {one.message}" if one.message else "")


def _attention(sessions: Sequence[LiveSession]) -> dict[str, list[str]]:
    """Computers that did not pass, together where the reason is the same."""
    found: dict[str, list[str]] = {}
    for live in sessions:
        recap = live.recap
        if recap.status is not Status.PASSED:
            found.setdefault(f"{word(recap.status)}: {recap.message}", []).append(live.computer)
    return found
