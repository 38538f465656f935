"""What computers said to a command, for people and for programs; and each line of it as it comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from immy_nornir.cli import startup
from immy_nornir.cli.door import say
from immy_nornir.decide.runs.likeness import Alike, Said, differing, normal, put_together
from immy_nornir.model.record.entries import JobEnded, JobSeen, Stamped
from immy_nornir.model.record.session import Status
from immy_nornir.model.record.words import word
from immy_nornir.text.plain import and_more, counted

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.history.queries import JobRow
    from immy_nornir.session.engine import Engine, Listener
    from immy_nornir.session.live import LiveSession

_NAMED = 8
_LINES = 100
_ONE_EACH = 40
"""So many computers that said one line each are shown one by one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One session with its command's job, where it came to one."""

    live: LiveSession
    job: JobRow | None

    @property
    def said(self) -> Said:
        """For putting together."""
        live, job = self.live, self.job
        address = live.engine.computer(live.computer).variables.get("ansible_host")
        names = (live.computer.partition(".")[0], *((address,) if isinstance(address, str) else ()))
        told = next((action.message for action in live.recap.actions if action.message), live.recap.message)
        why = "" if live.recap.status is Status.PASSED else told
        code, text = (None, "") if job is None else (job.exit_code, job.output)
        return Said(live.computer, word(live.recap.status), code, text, names, why)

    @property
    def plain(self) -> dict[str, Any]:
        """For programs."""
        live, job = self.live, self.job
        about = {"computer": live.computer, "tenant": live.spec.tenant, "session": live.id}
        ended = {"status": live.recap.status.value, "reason": live.recap.message}
        if job is None:
            return {**about, **ended, "exit_code": None, "error": "", "seconds": None, "output": ""}
        more = {"exit_code": job.exit_code, "error": job.error, "seconds": job.seconds, "output": job.output}
        return {**about, **ended, **more}


def outcomes_of(engine: Engine, sessions: Sequence[LiveSession]) -> list[Outcome]:
    """What came of each session."""
    engine.history.flush()
    with engine.history.read() as reader:
        return [Outcome(live, next(iter(reader.jobs(live.id)[-1:]), None)) for live in sessions]


def lines_of(outcomes: Sequence[Outcome], *, verbose: bool) -> Iterator[str]:
    """What was said, most computers first; then the computers that it did not come to, with the reason."""
    for alike in put_together(one.said for one in outcomes if one.job is not None):
        yield from _of_group(alike, verbose=verbose)
    reasons: dict[str, list[str]] = {}
    for one in outcomes:
        if one.job is None:
            recap = one.live.recap
            reasons.setdefault(f"{word(recap.status)}: {recap.message}", []).append(one.live.computer)
    for why, names in reasons.items():
        yield f"{_listed(names)}: {why}"


def _of_group(alike: Alike, *, verbose: bool) -> Iterator[str]:
    same = len(alike.groups) == 1
    names = [one.computer for group in alike.groups for one in group]
    how = "" if alike.count == 1 else f"{counted(alike.count, 'computer')} said {'the same' if same else 'alike'}: "
    yield f"{how}{_listed(names)}{_ended(alike.first)}"
    if not same and (verbose or (alike.count <= _ONE_EACH and "\n" not in normal(alike.first.text))):
        for one in sorted((one for group in alike.groups for one in group), key=lambda one: names.index(one.computer)):
            text = normal(one.text)
            yield from ([f"    {one.computer}: {text}"] if "\n" not in text else _text(one, f"{one.computer}: "))
        return
    marked = frozenset[int]() if same else differing(alike)
    if marked:
        yield f"    (as {alike.first.computer} said it; ~ where others differ)"
    lines = normal(alike.first.text).split("\n") if normal(alike.first.text) else []
    shown = lines if verbose else lines[:_LINES]
    yield from (f"  {'~' if number in marked else ' '} {line}" for number, line in enumerate(shown))
    if lines[len(shown) :]:
        yield f"    [{len(lines) - len(shown):,} more lines; -v shows all]"


def _text(one: Said, head: str) -> Iterator[str]:
    yield f"    {head}"
    yield from (f"      {line}" for line in normal(one.text).split("\n"))


def _ended(one: Said) -> str:
    if one.why:
        return f" ({one.status}: {one.why})"
    return f" (exit code {one.exit_code})" if one.exit_code else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + and_more(len(names) - _NAMED)


def counts_of(outcomes: Sequence[Outcome]) -> str:
    """How many computers ended how."""
    found: dict[str, int] = {}
    for one in outcomes:
        name = word(one.live.recap.status)
        found[name] = found.get(name, 0) + 1
    return ", ".join(f"{number:,} {name}" for name, number in sorted(found.items(), key=lambda each: -each[1]))


def next_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What goes on with what has not ended."""
    left = sum(one.live.recap.status is Status.INTERRUPTED and one.live.refused is None for one in outcomes)
    return startup.next_commands(left, sum(one.live.recap.deferred for one in outcomes))


class AsItComes:
    """A listener that also says what a command writes, line by line, behind the name of its computer."""

    def __init__(self, inner: Listener) -> None:
        self._inner = inner
        self._lock = threading.Lock()

    def __call__(self, state: State, stamped: Stamped) -> None:
        """Tell one entry."""
        entry = stamped.entry
        if isinstance(entry, JobSeen | JobEnded) and entry.output:
            with self._lock:
                for line in entry.output.splitlines():
                    say(f"{state.spec.computer} | {line}", err=True)
        self._inner(state, stamped)
