"""`immy report`: a run as HTML, Markdown, JSON or CSV; options -> build -> render -> stdout or a file."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immy_nornir.cli import completing
from immy_nornir.cli.door import say
from immy_nornir.cli.startup import root_of, state_of
from immy_nornir.errors import ImmyError, UsageError
from immy_nornir.text.plain import and_more

if TYPE_CHECKING:
    from immy_nornir.history.queries import JobRow, Reader, RunRow, SessionRow
    from immy_nornir.report.render import Audience, Format

_ENDINGS: Mapping[str, Format] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
    ".csv": "csv",
}
_SHOWN = 5


@click.command()
@click.argument("run", required=False, shell_complete=completing.runs)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json", "csv"]),
    help="[default: by the ending of --output; else markdown on a terminal, html in a pipe]",
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file."
)
@click.option(
    "--tenant",
    metavar="NAME",
    shell_complete=completing.tenants,
    help="Only this tenant's computers, and nothing of other tenants or of the operator.",
)
@click.option(
    "--for",
    "audience",
    type=click.Choice(["operator", "customer"]),
    default="operator",
    show_default=True,
    help="Whom it is for. A customer's has plain sentences and says who acts next; it is one of one tenant.",
)
@click.pass_context
def report(
    ctx: click.Context,
    run: str | None,
    form: Format | None,
    output: Path | None,
    tenant: str | None,
    audience: Audience,
) -> None:
    """Show a run as a report.

    RUN is the id of a run, or its beginning; without it, the newest run is shown. The HTML is one file that needs
    nothing else. A fleet's own reports/report.html.j2 or reports/report.md.j2 takes the place of the shipped template,
    and so do customer.html.j2 and customer.md.j2 for customers.
    """
    from immy_nornir.history.queries import Reader
    from immy_nornir.history.store import FILE
    from immy_nornir.report.build import build
    from immy_nornir.report.render import render, render_for_customer

    root = root_of(ctx)
    chosen: Format = form or _format_for(output)
    with Reader(state_of(ctx, root) / FILE) as reader:
        row = run_named(reader, run)
        sessions = _sessions(reader, row, tenant)
        if audience == "customer" and tenant is None:
            tenant = _only_tenant(row, sessions)
        jobs = {} if audience == "customer" else _jobs(reader, sessions, everything=chosen == "json")
        about = reader.about(sessions, tenant or "")
    made = build(row, sessions, jobs, generated_at=time.time(), only_tenant=tenant or "", about=about)
    own = root / "reports"
    show = render_for_customer if audience == "customer" else render
    _write(show(made, chosen, templates_folder=own if own.is_dir() else None), output)


def _only_tenant(run: RunRow, sessions: Iterable[SessionRow]) -> str:
    """The one tenant of a run. Raises UsageError where there are more, or none."""
    tenants = sorted({one.tenant for one in sessions})
    if len(tenants) == 1:
        return tenants[0]
    if not tenants:
        raise UsageError(f"run {run.id} has no computer, so there is no customer to report to", "name another run")
    raise UsageError(
        f"run {run.id} has several tenants", f"name one with --tenant; {_listed('its', tenants, 'tenant')}"
    )


def _format_for(output: Path | None) -> Format:
    if output is not None:
        if output.suffix.lower() not in _ENDINGS:
            endings = ", ".join(_ENDINGS)
            problem = f"{output} does not say by its ending what to write"
            raise UsageError(problem, f"end it with {endings}, or use --format")
        return _ENDINGS[output.suffix.lower()]
    return "markdown" if sys.stdout.isatty() else "html"


def run_named(reader: Reader, wanted: str | None) -> RunRow:
    """The run that is meant. Raises UsageError, with the ids that come nearest."""
    runs = reader.runs(limit=1 if wanted is None else None)
    if wanted is None:
        if not runs:
            raise UsageError("the history holds no run yet", "immy run makes one")
        return runs[0]
    found = [one for one in runs if one.id == wanted] or [one for one in runs if one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        more = and_more(len(found) - _SHOWN)
        shown = ", ".join(one.id for one in found[:_SHOWN])
        raise UsageError(f"'{wanted}' is the beginning of several runs: {shown}{more}", "give more of the id")
    ids = [one.id for one in runs]
    near = difflib.get_close_matches(wanted, ids, _SHOWN) or [one for one in ids if wanted.startswith(one)]
    what = "the nearest" if near else "the newest"
    raise UsageError(f"there is no run '{wanted}'", _listed(what, near or ids, "run") if ids else "immy run makes one")


def _sessions(reader: Reader, run: RunRow, tenant: str | None) -> list[SessionRow]:
    """The run's sessions with their actions. Raises UsageError when the tenant has none."""
    from immy_nornir.history.queries import Asked

    sessions = reader.sessions(Asked(run_id=run.id, tenant=tenant), actions=True)
    if tenant is not None and not sessions:
        tenants = sorted({one.tenant for one in reader.sessions(Asked(run_id=run.id))})
        near = difflib.get_close_matches(tenant, tenants, _SHOWN)
        advice = _listed("the nearest" if near else "its", near or tenants, "tenant") if tenants else ""
        raise UsageError(f"run {run.id} has no computer of tenant '{tenant}'", advice)
    return sessions


def _listed(what: str, names: Sequence[str], noun: str) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{what} {noun}{'s are' if len(names) > 1 else ' is'} {shown}"


def _jobs(reader: Reader, sessions: Iterable[SessionRow], *, everything: bool) -> dict[str, list[JobRow]]:
    """Jobs by session: of all that had any, or only where something failed or goes on."""
    return {
        one.id: reader.jobs(one.id)
        for one in sessions
        if any(action.attempts and (everything or action.outcome in (None, "failed")) for action in one.actions)
    }


def _write(text: str, output: Path | None) -> None:
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise ImmyError(
                f"{output} cannot be written: {error.strerror}", "give a file in a folder that exists"
            ) from error
        say(f"report written to {output}", err=True)
    elif sys.stdout.isatty():
        say(text, nl=False)
    else:
        # A pipe gets UTF-8, as the document says of itself, whatever the system's own encoding is.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()
