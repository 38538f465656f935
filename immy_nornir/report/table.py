"""A Report as CSV (RFC 4180, with a head): one row for each action, and one for a session that has none.

For spreadsheets: what one would take for a formula gets an apostrophe before it, as they do themselves, wherever one
that splits cells in another way (at semicolons, tabs, lines) would see it begin.
Times are ISO 8601 in UTC. JSON has everything; job output and sums are only there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from immy_nornir.report.model import ActionPart, Report, SessionPart
from immy_nornir.report.words import iso

_SESSION = ("tenant", "computer", "session", "type", "play", "status", "reason", "reboots", "session_seconds")
_ACTION = (
    "action",
    "action_type",
    "why",
    "found",
    "desired",
    "after",
    "version",
    "outcome",
    "outcome_reason",
    "text",
    "message",
    "planned_phase",
    "phase",
    "attempts",
    "reboot_owed",
    "began_at",
    "ended_at",
    "seconds",
    "deployment",
)

_ABOUT = ("item_title", "tenant_title", "operating_system", "serial", "last_contact")

COLUMNS = (*_SESSION, *_ACTION, *_ABOUT)
"""The head; later versions add columns at the end."""


def text(report: Report) -> str:
    """The report's actions as CSV text, lines ending with CR LF."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for tenant in report.tenants:
        for computer in tenant.computers:
            tail = [cell(tenant.title), cell(computer.system), cell(computer.serial), iso(computer.seen_at)]
            for session in computer.sessions:
                writer.writerows([*row, *tail] for row in _rows(session))
    return stream.getvalue()


def _rows(one: SessionPart) -> Iterator[list[str]]:
    head = [
        *(cell(text) for text in (one.tenant, one.computer, one.id, one.type, one.play, one.status.value, one.text)),
        str(one.reboots),
        _length(one.seconds),
    ]
    for action in one.actions:
        yield [*head, *_action(action), cell(action.title)]
    if not one.actions:
        yield [*head, *("" for _ in _ACTION), ""]


def _action(one: ActionPart) -> Iterator[str]:
    words = (one.id, one.type, one.why, one.found, one.desired, one.after, one.version or "")
    end = (one.outcome or one.status, one.outcome_reason or one.held or "", one.text, one.message)
    yield from (cell(text) for text in (*words, *end))
    yield str(one.planned_phase)
    yield "" if one.phase is None else str(one.phase)
    yield str(one.attempts)
    yield "yes" if one.reboot_owed else ""
    yield iso(one.began_at)
    yield iso(one.ended_at)
    yield _length(one.seconds)
    yield cell(one.deployment)


def _length(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f}"


_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What a formula begins with; spreadsheets take the full-width forms for the same."""
_FORMULA = re.compile(rf"(^|[;\t\r\n])((?:[^\S\t\r\n]|[\u00ad\u200b-\u200d\u2060\"'])*)(?=[{_SIGNS}])")
"""At the begin of a cell, behind blanks, quotes and what nobody sees."""
_COMMAND = re.compile(r"^[\t\r\n]")


def cell(text: str) -> str:
    """A text as a cell that no spreadsheet runs."""
    if not text or (text[0].isalnum() and text.isalnum()):
        return text
    text = _FORMULA.sub(lambda found: f"{found[1]}'{found[2]}", text)
    return _COMMAND.sub(lambda found: f"'{found[0]}", text)
