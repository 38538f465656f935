"""A Report -> HTML, Markdown, JSON or CSV text; pure but for reading templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from immy_nornir.model.record.session import Outcome
from immy_nornir.report import causes, customer, document, table, templates, words
from immy_nornir.report.model import UNFINISHED, Report

Format = Literal["html", "markdown", "json", "csv"]
FORMATS: tuple[Format, ...] = ("html", "markdown", "json", "csv")

Audience = Literal["operator", "customer"]

CUSTOMER_HTML = "customer.html.j2"
CUSTOMER_MARKDOWN = "customer.md.j2"
HTML = "report.html.j2"
MARKDOWN = "report.md.j2"

ALWAYS = (Outcome.SUCCESS, Outcome.FAILED, Outcome.SKIPPED, Outcome.LEFT)
"""Outcomes that have a column in every table; the others only where the run has them."""

LISTED_HTML = 200
"""Computers that need attention which are listed one by one; the rest is found in the tables."""

LISTED_MARKDOWN = 50
OPEN_TABLES = 200
"""Up to so many computers the tenants' tables are unfolded."""


def render(report: Report, format: Format, *, templates_folder: Path | None = None) -> str:  # noqa: A002 - as --format
    """The report as text: HTML in one file without scripts or references, Markdown for tickets, all of it as JSON,
    or its actions as CSV.

    A `report.html.j2` or `report.md.j2` in `templates_folder` takes the place of the shipped one.
    Raises: FilesError when such a template cannot be read or expanded.
    """
    if format == "json":
        return document.text(report)
    if format == "csv":
        return table.text(report)
    name, listed = (HTML, LISTED_HTML) if format == "html" else (MARKDOWN, LISTED_MARKDOWN)
    values = {
        "report": report,
        "columns": columns(report),
        "several_plays": report.totals.sessions > report.totals.computers,
        "listed": listed,
        "unfold": report.totals.computers <= OPEN_TABLES,
        "statuses": list(words.STATUSES),
        "causes_told": causes.TOLD,
        "title": title(report),
    }
    return templates.expand(name, templates_folder, values)


def render_for_customer(report: Report, format: Format, *, templates_folder: Path | None = None) -> str:  # noqa: A002 - as --format
    """The report of one tenant as its people read it: no ids, no words of the trade, and who acts next.

    A `customer.html.j2` or `customer.md.j2` in `templates_folder` takes the place of the shipped one.
    Raises: ValueError for a report that was not narrowed to a tenant; FilesError as `render`.
    """
    if not report.only_tenant:
        raise ValueError("a report for a customer is one of a tenant")
    found = customer.customer_report(report)
    if format == "json":
        return customer.json_text(found)
    if format == "csv":
        return customer.csv_text(found)
    name, listed = (CUSTOMER_HTML, LISTED_HTML) if format == "html" else (CUSTOMER_MARKDOWN, LISTED_MARKDOWN)
    values: dict[str, Any] = {"report": found, "listed": listed, "unfold": len(found.computers) <= OPEN_TABLES}
    return templates.expand(name, templates_folder, values)


def columns(report: Report) -> list[tuple[str, str]]:
    """(outcome, label) of the tables' count columns."""
    shown = [one for one in (*Outcome, UNFINISHED) if one in ALWAYS or one in report.totals.by_outcome]
    return [(str(one), words.outcome_word(one)) for one in shown if one != Outcome.NOTHING]


def title(report: Report) -> str:
    """What was run, in few words."""
    if report.only_tenant:
        return f"Maintenance of {words.tenant_title(report.only_tenant)}"
    return report.run.playbook or report.run.command or report.run.id
