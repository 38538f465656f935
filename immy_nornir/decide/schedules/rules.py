"""The text of a schedule's `when` -> its rule; each text is read once."""

from __future__ import annotations

from functools import lru_cache

from immy_nornir.decide.schedules.calendars import Rule, ScheduleError
from immy_nornir.decide.schedules.cron import is_cron, parse_cron
from immy_nornir.decide.schedules.recurrence import Recurrence, as_instant
from immy_nornir.decide.schedules.rrule_text import is_rrule, parse_rrule
from immy_nornir.decide.schedules.words import parse_words

_LONGEST = 1_000


@lru_cache(maxsize=512)
def rule_of(text: str) -> Rule:
    """The rule that a text says: cron, RFC 5545, or words. Raises ScheduleError with what to try."""
    said = text.strip()
    if len(said) > _LONGEST:
        raise ScheduleError(f"'{said[:40]}...' is no time of a schedule: more than {_LONGEST:,} characters")
    if is_rrule(said):
        return parse_rrule(said)
    return parse_cron(said) if is_cron(said) else parse_words(said)


def over_at(rule: Rule) -> float | None:
    """The instant after which a rule does not come, where it says one."""
    return as_instant(rule.until) if isinstance(rule, Recurrence) else None
