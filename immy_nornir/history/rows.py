"""The rows that the history answers with, and what is wrong with one that a row of the file does not make.

SQLite keeps what it is given: a text where a number belongs, a word that nobody knows. Such a row costs itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from immy_nornir.model.record.status import Status

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run."""

    id: str
    started_at: float
    ended_at: float | None
    command: str
    playbook: str
    fleet: str
    commit: str
    user: str
    machine: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action of a session, as planned and as it ended."""

    id: str
    item: str
    type: str
    reason: str
    why: str
    desired: str
    found: str
    version: str | None
    deployment: str
    held: str | None
    planned_phase: int
    phase: int | None
    attempts: int
    status: str
    outcome: str | None
    outcome_reason: str | None
    message: str
    after: str
    reboot_owed: bool
    began_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session; `status` is interrupted where its process died without a word."""

    id: str
    run_id: str
    computer: str
    tenant: str
    type: str
    play: str
    status: Status
    reason: str
    stage: str
    waiting: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    owner: str
    reboots: int
    actions: tuple[ActionRow, ...] = ()
    reboot_reasons: tuple[tuple[str, str], ...] = ()
    """(why, outcome) of each reboot."""
    planned_phases: tuple[tuple[str, ...], ...] = ()
    """Ids of actions between the planned reboots; an empty first phase: a reboot before anything is done."""
    phases: tuple[tuple[str, ...], ...] = ()
    """Ids of the actions that were begun, between the reboots that there were."""
    end_reason: str = ""
    """A word of EndReason; empty while it has not ended, and in records from before ends had codes."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One entry of a session's log."""

    seq: int
    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job with what it wrote."""

    job_id: str
    action_id: str
    attempt: int
    step: int
    state: str
    exit_code: int | None
    error: str
    seconds: float | None
    output: str
    intended_at: float
    ended_at: float | None


_LAST_PHASE = 10_000


def words() -> Mapping[str, tuple[str, ...]]:
    """The words that a field of an action may be."""
    from immy_nornir.model.plan import Held, Reason
    from immy_nornir.model.playbooks import ActionType
    from immy_nornir.model.record.session import Outcome, OutcomeReason

    kinds = {"type": ActionType, "reason": Reason, "held": Held, "outcome": Outcome, "outcome_reason": OutcomeReason}
    return {name: tuple(kind) for name, kind in kinds.items()}


def wrong_words(action: ActionRow) -> list[str]:
    """What of an action's row nobody knows, though it has the type of its field."""
    wrong = [
        f"{name} is {value!r:.60}"
        for name, known in words().items()
        if (value := getattr(action, name)) is not None and value not in known
    ]
    if not 0 <= action.planned_phase <= _LAST_PHASE or not 0 <= (action.phase or 0) <= _LAST_PHASE:
        wrong.append("its phase is no phase")
    return wrong


_SQL = {"str": ("text",), "int": ("integer",), "float": ("real", "integer"), "bool": ("integer",)}


def damaged_where(kind: type, columns: Sequence[str], words: Mapping[str, Sequence[str]]) -> str:
    """The condition, in SQL, that finds the rows of the file that are damaged."""
    tests = []
    for name in columns:
        of_type, _, none = kind.__dataclass_fields__[name].type.partition(" | ")  # type: ignore[attr-defined]
        if of_type in _SQL:
            types = (*_SQL[of_type], *(("null",) if none else ()))
            tests.append(f"typeof({name}) NOT IN ({', '.join(map(repr, types))})")
        if name in words:
            tests.append(f"{name} NOT IN ({', '.join(repr(str(one)) for one in words[name])})")
    if "planned_phase" in columns:
        tests += [f"{name} NOT BETWEEN 0 AND {_LAST_PHASE}" for name in ("planned_phase", "phase")]
    return " OR ".join(tests)


_EMPTY: Mapping[str, tuple[tuple[type, ...], object]] = {
    "str": ((str,), ""),
    "int": ((int,), 0),
    "float": ((int, float), 0.0),
    "bool": ((int,), False),
    "str | None": ((str, type(None)), None),
    "int | None": ((int, type(None)), None),
    "float | None": ((int, float, type(None)), None),
}
"""What a field may hold in the file, and what stands for it where it holds something else."""


def whole(kind: type[T], values: Mapping[str, Any], damage: Callable[[str], object]) -> T:
    """A row of its kind; what has not the type of its field is told to `damage`, and left empty."""
    made = dict(values)
    for name, field in kind.__dataclass_fields__.items():  # type: ignore[attr-defined]  # kinds are dataclasses
        if name in values and field.type in _EMPTY:
            types, empty = _EMPTY[field.type]
            if not isinstance(values[name], types):
                damage(f"{name} is {values[name]!r:.60}")
                made[name] = empty
            elif field.type == "bool":
                made[name] = bool(values[name])
    return kind(**made)


def known(value: Any) -> Any:
    """What is asked with; a word of the command line holds its bytes where the locale could not read them."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "surrogateescape" if not _HALVES.search(value) else "replace").decode(
        "utf-8", "replace"
    )


_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters that stand for no byte."""
