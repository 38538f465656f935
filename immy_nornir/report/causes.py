"""Why things did not go well, each reason told once: shared by computers, by items, by whole sessions; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from immy_nornir.model.record.session import Outcome, OutcomeReason
from immy_nornir.report import words
from immy_nornir.report.model import ActionPart, Card, CardLine, Cause, SessionPart

TOLD = 20
"""So many shared reasons are told; what comes after them is told at each computer."""


def not_compliant(sessions: Sequence[SessionPart]) -> tuple[Cause, ...]:
    """What audits found not to be so, by item, with the first one's sentence."""
    computers: dict[str, dict[str, ActionPart]] = defaultdict(dict)
    for one in sessions:
        for action in one.actions:
            if action.outcome == Outcome.NOT_COMPLIANT:
                computers[action.id].setdefault(one.computer, action)
    found = []
    for item, by_name in computers.items():
        first = next(iter(by_name.values()))
        example = first.message or first.why
        found.append(Cause(item, Outcome.NOT_COMPLIANT.value, first.text, example, tuple(by_name), first.title or item))
    return tuple(sorted(found, key=lambda cause: (-len(cause.computers), cause.item)))


def shared(sessions: Sequence[SessionPart]) -> tuple[Cause, ...]:
    """What went wrong on more than one computer: by items and reason, or by the session's own reason."""
    computers: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    examples: dict[tuple[str, str, str], str] = {}
    titles: dict[str, str] = {}
    for one in sessions:
        bad = [action for action in one.bad_actions if action.outcome_reason != OutcomeReason.DEPENDENCY]
        titles |= {action.item: action.title for action in bad if action.title}
        keys = [((action.item, action.outcome or "", action.text), action.message) for action in bad]
        contact = words.contact_sentence(one.reason)
        own = ("", one.status.value, contact or one.text), one.reason if contact else ""
        for key, example in keys or [own]:
            computers[key][one.computer] = None
            examples.setdefault(key, example)
    together: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (item, outcome, text), names in computers.items():
        if len(names) > 1:
            together[outcome, text, examples[item, outcome, text], tuple(names)].append(item)
    found = [
        Cause(", ".join(items), outcome, text, example, names, ", ".join(titles.get(one, one) for one in items))
        for (outcome, text, example, names), items in together.items()
    ]
    return tuple(sorted(found, key=lambda cause: (-len(cause.computers), cause.item, cause.outcome, cause.text)))


def cards(sessions: Sequence[SessionPart], told: Sequence[Cause]) -> tuple[Card, ...]:
    """The sessions, with those together that have the same reasons; what `told` tells of is only named."""
    known = {(item, cause.outcome, cause.text) for cause in told[:TOLD] for item in cause.item.split(", ")}
    groups: dict[tuple[object, ...], list[SessionPart]] = defaultdict(list)
    for one in sessions:
        lines = _lines(one.bad_actions, known)
        # Counts of what was done besides are no reason.
        reason = "" if lines else words.contact_sentence(one.reason) or one.text
        groups[one.tenant, one.status, reason, lines].append(one)
    return tuple(Card(tuple(found), _lines(found[0].bad_actions, known)) for found in groups.values())


def _lines(actions: Iterable[ActionPart], known: set[tuple[str, str, str]]) -> tuple[CardLine, ...]:
    lines: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in actions:
        outcome = one.outcome or ""
        is_known = (one.item, outcome, one.text) in known
        lines[outcome, "" if is_known else one.text, "" if is_known else one.message].append(
            words.item_name(one.id, one.title)
        )
    return tuple(CardLine(outcome, tuple(names), text, message) for (outcome, text, message), names in lines.items())
