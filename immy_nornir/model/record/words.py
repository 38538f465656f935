"""One word for one fact: what a person reads for the words of the record, on every screen. Values only.

`docs/words.md` shows them; a test holds it, and the report, against this. Programs get the record's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.record.session import Outcome, OutcomeReason, Status, WaitKind
from immy_nornir.model.record.status import STATUSES as STATUSES  # noqa: PLC0414 - one of these tables


def process_of(owner: str) -> str:
    """An owner of sessions, which is called MACHINE-PID-ID, for people: `process 812 on desk`; others as they are."""
    parts = owner.rsplit("-", 2)
    return f"process {parts[1]} on {parts[0]}" if len(parts) == 3 and parts[1].isdigit() else owner


OUTCOMES: Mapping[Outcome, str] = {
    Outcome.SUCCESS: "done",
    Outcome.FAILED: "failed",
    Outcome.UNKNOWN: "unknown",
    Outcome.SKIPPED: "skipped",
    Outcome.CANCELLED: "cancelled",
    Outcome.NOT_COMPLIANT: "not compliant",
    Outcome.LEFT: "left",
    Outcome.NOTHING: "nothing to do",
}
ACTIONS: Mapping[ActionType, str] = {
    **{one: one.value for one in ActionType},
    ActionType.NONE: "nothing to do",
    ActionType.UNDETERMINED: "not decided",
}
WAITS: Mapping[WaitKind, str] = {
    **{one: one.value for one in WaitKind},
    WaitKind.CONNECTIVITY: "computer",
    WaitKind.SLOT: "room",
    WaitKind.PREFLIGHT: "not ready",
    WaitKind.PROMPT: "question",
}
WAITS_FOR: Mapping[WaitKind, str] = {
    WaitKind.JOB: "what is under way there",
    WaitKind.REBOOT: "the computer to start again",
    WaitKind.WINDOW: "its maintenance window",
    WaitKind.CONNECTIVITY: "the computer to answer again",
    WaitKind.RETRY: "another try",
    WaitKind.PAUSE: "the end of a pause",
    WaitKind.SLOT: "a slot of a limit, or room on this machine",
    WaitKind.APPROVAL: "an approval",
    WaitKind.BRAKES: "the brakes of its run",
    WaitKind.PREFLIGHT: "the computer to be ready",
    WaitKind.HOLD: "the end of a hold",
    WaitKind.TURN: "an earlier wave",
    WaitKind.PROMPT: "an answer of the people there",
    WaitKind.LOGON: "its user to log on",
}
"""After `waits for`."""
REASONS: Mapping[OutcomeReason, str] = {one: one.value.replace("_", " ") for one in OutcomeReason}

STATES: Mapping[str, str] = {
    "planned": "not begun",
    "running": "under way",
    "retry": "waits for another try",
    "ended": "ended",
    "unfinished": "not ended",
}
"""Where an action without an outcome is."""

RUNS: Mapping[str, str] = {"running": "running", "ended": "ended", "interrupted": "interrupted"}
"""How far a run is."""

_WORDS: Mapping[type, Mapping[StrEnum, str]] = {
    Status: STATUSES,  # type: ignore[dict-item]  # keys of a mapping are no supertype of theirs
    Outcome: OUTCOMES,  # type: ignore[dict-item]
    ActionType: ACTIONS,  # type: ignore[dict-item]
    WaitKind: WAITS,  # type: ignore[dict-item]
    OutcomeReason: REASONS,  # type: ignore[dict-item]
}


def word(fact: StrEnum) -> str:
    """A word of the record for people; one without a word of its own is itself, with spaces."""
    return _WORDS.get(type(fact), {}).get(fact) or fact.value.replace("_", " ")


_ORDERED = ("paused by ", "cancelling", "a reboot was ordered", "the computer is ")
"""How a sentence begins that tells by itself why a session waits."""


def waits(about: str) -> str:
    """That a session waits for something, unless the words tell already why it does."""
    return about if about.startswith(_ORDERED) else f"waits for {about}"


def said(word_: str, kind: type[StrEnum]) -> str:
    """As `word`, of a word as the history keeps it; one that is not known here, of a newer history, with spaces."""
    try:
        return word(kind(word_))
    except ValueError:
        return word_.replace("_", " ")
