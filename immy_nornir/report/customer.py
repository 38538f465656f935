"""A Report of one tenant -> what its people read: titles, plain sentences, who acts next; as values, JSON and CSV.

Sees only a report that was narrowed to the tenant, and of that no text that the history holds beside names, titles and
versions: all sentences are from `customer_words`.

The JSON document: schema_version, audience ("customer"), customer, run, started_at, ended_at, generated_at, status,
counts {changed, checked, skipped, failed, open}, computers_in_order, computers_total, matters [] (next, please, text,
what [], computers []), computers [] (name, status, text, next, please, operating_system, serial, last_contact,
restarts, counts, work [] (what, result, text, found, now, next, please)).
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from immy_nornir.model.playbooks import CHANGING, ActionType
from immy_nornir.model.record.session import Outcome, Status
from immy_nornir.model.values import Json
from immy_nornir.report import customer_words, words
from immy_nornir.report.customer_words import Next, Told
from immy_nornir.report.model import ActionPart, ComputerPart, Report, SessionPart
from immy_nornir.report.table import cell
from immy_nornir.text import json

SCHEMA_VERSION = 1

CHANGED, CHECKED, SKIPPED, FAILED, OPEN = RESULTS = ("changed", "checked", "skipped", "failed", "open")
"""What becomes of one item: `checked` is looked at and nothing done, `open` has not ended."""

_RESULTS: Mapping[str, str] = {
    Outcome.SUCCESS: CHANGED,
    Outcome.FAILED: FAILED,
    Outcome.UNKNOWN: FAILED,
    Outcome.SKIPPED: SKIPPED,
    Outcome.CANCELLED: SKIPPED,
    Outcome.NOT_COMPLIANT: CHECKED,
    Outcome.LEFT: SKIPPED,
    Outcome.NOTHING: CHECKED,
}


@dataclass(frozen=True, slots=True)
class Work:
    """One item on one computer."""

    what: str
    result: str
    told: Told
    found: str
    now: str


@dataclass(frozen=True, slots=True)
class CustomerComputer:
    """One computer; `told` says how its maintenance went as a whole."""

    name: str
    status: str
    label: str
    told: Told
    system: str
    serial: str
    seen_at: float | None
    restarts: int
    counts: Mapping[str, int]
    work: tuple[Work, ...]

    def of(self, result: str) -> tuple[Work, ...]:
        """The work with one result."""
        return tuple(one for one in self.work if one.result == result)


@dataclass(frozen=True, slots=True)
class Matter:
    """What is still open, told once for all items and computers that it concerns."""

    next: Next
    please: str
    text: str
    what: tuple[str, ...]
    computers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustomerReport:
    """A run as the customer reads it."""

    customer: str
    run: str
    status: str
    started_at: float
    ended_at: float | None
    generated_at: float
    counts: Mapping[str, int]
    matters: tuple[Matter, ...]
    computers: tuple[CustomerComputer, ...]

    @property
    def in_order(self) -> int:
        """How many computers have nothing open."""
        return sum(one.status == Status.PASSED and not _open_matters(one) for one in self.computers)

    def turns(self) -> tuple[tuple[str, tuple[Matter, ...]], ...]:
        """(heading, matters) by who acts next, the customer first."""
        by_next = {turn: tuple(one for one in self.matters if one.next is turn) for turn in Next}
        return tuple((customer_words.NEXT[turn], found) for turn, found in by_next.items() if found)


def customer_report(report: Report) -> CustomerReport:
    """The report for the customer that it was narrowed to."""
    computers = tuple(_computer(one) for tenant in report.tenants for one in tenant.computers)
    return CustomerReport(
        words.tenant_title(report.only_tenant),
        report.run.id,
        report.run.status,
        report.run.started_at,
        report.run.ended_at,
        report.generated_at,
        _sum(one.counts for one in computers),
        _matters(computers),
        computers,
    )


def _computer(part: ComputerPart) -> CustomerComputer:
    # Of several sessions the worst is the one to tell of.
    first = next(one for one in part.sessions if one.status is part.status)
    work = tuple(_work(action) for one in part.sessions if _counts(one, part) for action in one.actions)
    numbers = Counter(one.result for one in work)
    computer = CustomerComputer(
        part.name,
        part.status.value,
        customer_words.status_label(part.status),
        customer_words.session(first.status, first.end_reason, first.reason, first.waiting),
        part.system,
        part.serial,
        part.seen_at,
        sum(one.reboots for one in part.sessions),
        {result: numbers[result] for result in RESULTS},
        work,
    )
    if part.status is Status.PASSED and _open_matters(computer):
        return replace(computer, label=customer_words.OPEN[0], told=customer_words.OPEN[1])
    return computer


def _counts(one: SessionPart, part: ComputerPart) -> bool:
    """What a newer session does again counts there."""
    return one.status is not Status.SUPERSEDED or len(part.sessions) == 1


def _work(one: ActionPart) -> Work:
    told = customer_words.end(one.outcome, one.outcome_reason, one.held, one.status)
    if one.reboot_owed and told.next is Next.NOBODY:
        told = customer_words.OUTCOME_REASONS["reboot_pending"]
    result = OPEN if one.outcome is None else _RESULTS.get(one.outcome, FAILED)
    if result == CHANGED and one.type not in CHANGING:
        result = CHECKED
    if result == CHANGED and told.next is Next.NOBODY and one.type in customer_words.ACTIONS:
        told = Told(f"{customer_words.ACTIONS[one.type]}.", Next.NOBODY)
    versions = one.item.startswith("software/")
    found, now = (one.found, one.after) if versions and result == CHANGED else ("", "")
    now = "removed" if now and one.type == ActionType.UNINSTALL else now
    return Work(words.item_title(one.id, one.title), result, told, found, now)


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return {result: total[result] for result in RESULTS}


def _open_matters(one: CustomerComputer) -> list[tuple[str, Told]]:
    """(item or nothing, what is told) of everything open on a computer."""
    found = [
        (work.what, work.told)
        for work in one.work
        if work.told.next is not Next.NOBODY or work.result in (FAILED, SKIPPED)
    ]
    alone = not any(told.next is not Next.NOBODY for _, told in found)
    if one.status != Status.PASSED and (alone or one.told.next is Next.CUSTOMER):
        found.append(("", one.told))
    return found


def _matters(computers: Sequence[CustomerComputer]) -> tuple[Matter, ...]:
    by_told: dict[tuple[Told, str], dict[str, None]] = defaultdict(dict)
    for one in computers:
        for what, told in _open_matters(one):
            by_told[told, what][one.name] = None
    # Items with the same to tell on the same computers stand together.
    together: dict[tuple[Told, tuple[str, ...]], list[str]] = defaultdict(list)
    for (told, what), names in by_told.items():
        together[told, tuple(names)] += [what] if what else []
    found = [
        Matter(told.next, told.please, told.text, tuple(items), names) for (told, names), items in together.items()
    ]
    return tuple(sorted(found, key=lambda one: (list(Next).index(one.next), -len(one.computers), one.text)))


# --- JSON and CSV ------------------------------------------------------------------------------------------------


def document(report: CustomerReport) -> dict[str, Json]:
    """The report as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "audience": "customer",
        "customer": report.customer,
        "run": report.run,
        "status": report.status,
        "started_at": words.iso(report.started_at),
        "ended_at": words.iso(report.ended_at) or None,
        "generated_at": words.iso(report.generated_at),
        "computers_total": len(report.computers),
        "computers_in_order": report.in_order,
        "counts": dict(report.counts),
        "matters": [
            {
                "next": one.next.value,
                "please": one.please,
                "text": one.text,
                "what": list(one.what),
                "computers": list(one.computers),
            }
            for one in report.matters
        ],
        "computers": [_computer_json(one) for one in report.computers],
    }


def _computer_json(one: CustomerComputer) -> dict[str, Json]:
    return {
        "name": one.name,
        "status": one.label,
        "text": one.told.text,
        "next": one.told.next.value,
        "please": one.told.please,
        "operating_system": one.system,
        "serial": one.serial,
        "last_contact": words.iso(one.seen_at) or None,
        "restarts": one.restarts,
        "counts": dict(one.counts),
        "work": [
            {
                "what": work.what,
                "result": work.result,
                "text": work.told.text,
                "found": work.found,
                "now": work.now,
                "next": work.told.next.value,
                "please": work.told.please,
            }
            for work in one.work
        ],
    }


def json_text(report: CustomerReport) -> str:
    """The document as text."""
    return json.indented(document(report), ascii=False) + "\n"


COLUMNS = (
    "customer", "computer", "status", "operating_system", "serial", "last_contact", "restarts", "what", "result",
    "text", "found", "now", "next", "please",
)  # fmt: skip
"""The head of the CSV: a row for each item of a computer, and one for a computer without any."""


def csv_text(report: CustomerReport) -> str:
    """The computers with what was done as CSV text, lines ending with CR LF."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for one in report.computers:
        head = [cell(text) for text in (report.customer, one.name, one.label, one.system, one.serial)]
        head += [words.iso(one.seen_at), str(one.restarts)]
        writer.writerows([*head, *(cell(text) for text in row)] for row in _csv_rows(one))
    return stream.getvalue()


def _csv_rows(one: CustomerComputer) -> Iterator[tuple[str, ...]]:
    for work in one.work:
        told = work.told
        yield work.what, work.result, told.text, work.found, work.now, told.next.value, told.please
    if not one.work:
        yield "", "", one.told.text, "", "", one.told.next.value, one.told.please
