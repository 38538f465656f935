"""`playbooks/blackouts.yml` -> dates at which nothing begins, each for the computers of a pattern.

All that reach a computer hold, in no order: none takes the place of another, as a variable of a nearer group would
(decision 31). Not here: which computers a pattern reaches, and what is past.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from immy_nornir.decide.times.dates import parse_span
from immy_nornir.decide.times.time_zones import WindowError
from immy_nornir.fleet.deployments import PATTERN, joined
from immy_nornir.model.control.holds import Blackout, DateSpan
from immy_nornir.model.places import Place
from immy_nornir.shapes.files import Source, is_inside, relative
from immy_nornir.shapes.forms import Built, Form, Key, ListOf, Record
from immy_nornir.shapes.scalars import TEXT, Schema, Text, Unreadable
from immy_nornir.text.files import read_file
from immy_nornir.text.yaml import Node

STEM: Final = "blackouts"


class _Dates:
    """One span of dates, with its place."""

    wants = "dates such as 2026-12-24 or 2026-12-24..2027-01-02"

    def read(self, node: Node, source: Source) -> DateSpan:
        text = Text(self.wants).read(node, source)
        try:
            return _placed(parse_span(text), source.place(node))
        except WindowError as error:
            source.error(node, error.message, error.advice)
            raise Unreadable from None

    def schema(self) -> Schema:
        return Text(self.wants, r"\s*\d{4}-\d\d-\d\d.*").schema()


def _placed(span: DateSpan, place: Place) -> DateSpan:
    return DateSpan(span.text, span.begins, span.ends, place)


HOSTS = Key("hosts", PATTERN, "Pattern of computers and groups; all if not said.")
DATES = Key("dates", ListOf(_Dates(), single=True), "Dates, from..to, or dates with times; a last date counts whole.")
FILE = Key("file", TEXT, "A file beside this one with more dates, one a line; # begins a comment.")
REASON = Key("reason", TEXT, "Why; whoever waits for it is told.", required=True)


def _blackout(record: Record) -> Blackout:
    reason = record.get(REASON)
    dates = record.take(DATES, ())
    name = record.get(FILE)
    if name is not None:
        dates = (*dates, *_of_file(record, name))
    elif not record.has(DATES):
        record.error(None, "a blackout without dates", "add 'dates: 2026-12-24..2027-01-02', or 'file: PATH'")
    hosts = record.get(HOSTS)
    pattern = "all" if hosts is None else joined(hosts)
    if not (hosts is None and record.has(HOSTS)):  # a pattern that cannot be read is not all computers
        return Blackout(pattern, dates, reason or "", record.place(), record.place(HOSTS))
    raise Unreadable


def _of_file(record: Record, name: str) -> Iterator[DateSpan]:
    """The dates of a file below the fleet; each line is judged by itself."""
    source = record.source
    folder = source.path.parent
    path = folder / PurePosixPath(name)
    if not is_inside(folder, path):  # what lies elsewhere would not be seen to change
        record.error(FILE, f"'{name}' does not lie in {relative(source.root, folder)}/", "move it there")
        return
    file = relative(source.root, path)
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines()
    except OSError as error:
        record.error(
            FILE, f"'{file}' cannot be read: {error.strerror}", "the path counts from the folder of blackouts.yml"
        )
        return
    except UnicodeDecodeError:
        record.error(FILE, f"'{file}' is not UTF-8", "save it with the encoding UTF-8")
        return
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        place = Place(file, number)
        try:
            if text:
                yield _placed(parse_span(text), place)
        except WindowError as error:
            source.error(place, error.message, error.advice)


BLACKOUTS = ListOf(Built(Form("a blackout", (HOSTS, DATES, FILE, REASON)), _blackout))


def read_blackouts(node: Node, source: Source) -> tuple[Blackout, ...]:
    """The blackouts of the file."""
    try:
        return BLACKOUTS.read(node, source)
    except Unreadable:
        return ()
