"""Texts of schedules -> rules: cron beside cronsim, RFC 5545 beside dateutil, words beside both, what is refused."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from cronsim import CronSim, CronSimError
from dateutil.rrule import rrulestr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from immy_nornir.decide.schedules import next_occasion, occasions, rule_of
from immy_nornir.decide.schedules.calendars import DAYS, LAST, MONTHS, Calendar, ScheduleError, words_of
from immy_nornir.model.control.schedules import Schedule
from immy_nornir.model.places import Place
from tests.samples import examples

START = datetime(2026, 1, 1)  # noqa: DTZ001 - a wall clock
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: the libraries take minutes for some of the smaller cases."""


def walls(text: str, days: int = 400) -> list[datetime]:
    return list(rule_of(text).walls(START.date(), START.date() + timedelta(days=days)))


# --- cron ---------------------------------------------------------------------------------------------------------


def field(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str) | (st.sampled_from(names) if names else st.nothing())
    # Of `1-1/5` cronsim makes `1/5`.
    two = st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True)
    span = two.map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(1, 9)
    stepped = st.tuples(st.just("*") | span | st.integers(low, high).map(str), step).map(
        lambda two: f"{two[0]}/{two[1]}"
    )
    one = st.just("*") | number | span | stepped
    return st.just("*") | st.lists(one, min_size=1, max_size=3).map(",".join)


CRON = st.tuples(
    field(0, 59),
    field(0, 23),
    field(1, 31) | st.sampled_from(["L", "LW", "1,L", "15"]),
    field(1, 12, ("JAN", "feb", "Dec")),
    field(0, 6, ("MON", "fri", "Sun")) | st.sampled_from(["MON#2", "5L", "sun#5,tue", "7", "FRI-7"]),
)


@given(CRON)
@settings(max_examples=examples(60), phases=QUICK)
def test_cron_fields_mean_what_cronsim_makes_of_them(fields: tuple[str, ...]) -> None:
    text = " ".join(fields)
    try:
        expected = list(itertools.islice(CronSim(text, START - timedelta(seconds=1)), 40))
    except CronSimError:  # days that none of the months has
        expected = []
    end = min(expected[-1] if len(expected) == 40 else START + timedelta(days=2000), START + timedelta(days=2000))
    found = list(itertools.islice(rule_of(text).walls(START.date(), end.date()), 40))
    assert found == [one for one in expected if one.date() <= end.date()]


@pytest.mark.parametrize(
    ("macro", "line"),
    [("@daily", "0 0 * * *"), ("@HOURLY", "0 * * * *"), ("@weekly", "0 0 * * sun"), ("@yearly", "0 0 1 jan *")],
)
def test_macros_of_cron(macro: str, line: str) -> None:
    assert walls(macro) == walls(line) != []


# --- RFC 5545 -----------------------------------------------------------------------------------------------------

TIMES = st.sampled_from(["BYHOUR=2;BYMINUTE=30", "BYHOUR=0,12,23;BYMINUTE=15,45", "BYHOUR=7"])
POSITION = st.sampled_from(["", ";BYSETPOS=1", ";BYSETPOS=-1", ";BYSETPOS=2,-2"])
DAY_PARTS = {
    "YEARLY": ["BYMONTHDAY=-1,15", "BYDAY=20MO,-1FR", "BYYEARDAY=1,100,-1", "BYWEEKNO=1,20,53,-1;BYDAY=MO,SU",
               "BYMONTH=3;BYDAY=-1SU", "BYMONTH=2,3;BYMONTHDAY=29,30", "BYDAY=TH"],
    "MONTHLY": ["BYDAY=2TU", "BYDAY=-1FR,1MO", "BYMONTHDAY=31", "BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=TU",
                "BYDAY=MO,TU,WE,TH,FR", "BYMONTH=1,7;BYMONTHDAY=-1", "BYMONTHDAY=13;BYDAY=FR"],
    "WEEKLY": ["BYDAY=MO,FR", "BYDAY=SU", "BYMONTH=1,12;BYDAY=WE,SA"],
    "DAILY": ["BYDAY=MO,TU", "BYMONTH=6", "BYMONTHDAY=1,2,-1", "BYMONTH=2;BYMONTHDAY=29"],
}  # fmt: skip


@st.composite
def rrules(draw: st.DrawFn) -> tuple[str, str]:
    freq = draw(st.sampled_from([*DAY_PARTS, "HOURLY", "MINUTELY"]))
    earliest = datetime(2023 if freq in DAY_PARTS else 2025, 12, 1)  # noqa: DTZ001
    start = draw(st.datetimes(earliest, datetime(2026, 6, 1))).replace(second=0, microsecond=0)  # noqa: DTZ001
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 5))}"]
    if freq in DAY_PARTS:
        days = draw(st.sampled_from([*DAY_PARTS[freq], ""]))
        parts += [one for one in (days, draw(st.sampled_from(["", "WKST=SU", "WKST=WE"]))) if one]
        # Of the week of DTSTART dateutil counts from its day on, the RFC from the week's beginning.
        parts.append(draw(TIMES) + (draw(POSITION) if days and freq != "WEEKLY" else ""))
    else:
        parts.append(draw(st.sampled_from(["BYDAY=MO", "BYMONTHDAY=1,-1", "BYMONTH=2"])))
        parts[1] = f"INTERVAL={draw(st.sampled_from([1, 5, 7, 90]))}"
    parts.append(draw(st.sampled_from(["COUNT=7", "UNTIL=20260810T120000", "UNTIL=20270101", "WKST=MO"])))
    said = f"{start:%Y%m%dT%H%M00}"
    rule = ";".join(dict.fromkeys(";".join(parts).split(";")))
    if rule.count("WKST") > 1:
        rule = rule.removesuffix(";WKST=MO")
    return said, rule


@given(rrules())
@settings(max_examples=examples(60), phases=QUICK)
def test_rules_of_rfc_5545_mean_what_dateutil_makes_of_them(said: tuple[str, str]) -> None:
    start, rule = said
    library = rule.replace("UNTIL=20270101", "UNTIL=20270101T235900")
    until = START + timedelta(days=800)
    oracle = rrulestr(f"DTSTART:{start}\nRRULE:{library}")
    coming = itertools.takewhile(lambda one: one < until, oracle.xafter(START, inc=True))
    expected = list(itertools.islice(coming, 60))
    found = rule_of(f"DTSTART:{start} RRULE:{rule}").walls(START.date(), until.date() - timedelta(days=1))
    assert list(itertools.islice(found, 60)) == expected


def test_an_end_in_utc_is_an_instant() -> None:
    text = "DTSTART:20260101T120000 RRULE:FREQ=DAILY;UNTIL=20260103T113000Z"
    for zone, number in (("Europe/Berlin", 3), ("America/New_York", 2), ("Asia/Kathmandu", 3)):
        begin = START.replace(tzinfo=UTC).timestamp() - 86400
        due = [one.told for one in occasions(schedule_of(text, zone), [""], begin, begin + 10 * 86400)]
        assert len(due) == number, (zone, due)


# --- words --------------------------------------------------------------------------------------------------------

CALENDARS = st.builds(
    Calendar,
    times=st.lists(st.integers(0, 1439), min_size=1, max_size=6, unique=True).map(lambda some: tuple(sorted(some))),
    months=st.just(frozenset(range(1, 13))) | st.frozensets(st.integers(1, 12), min_size=1, max_size=3),
    shift=st.sampled_from([0, 0, 3, -1, 14]),
)
KINDS = st.one_of(
    st.fixed_dictionaries({"weekdays": st.frozensets(st.integers(0, 6), min_size=1, max_size=6)}),
    st.fixed_dictionaries({"days": st.frozensets(st.sampled_from([1, 2, 15, 31, LAST]), min_size=1)}),
    st.fixed_dictionaries(
        {"nths": st.frozensets(st.tuples(st.integers(0, 6), st.sampled_from([1, 2, 5, LAST])), min_size=1, max_size=4)}
    ),
    st.fixed_dictionaries({"workdays": st.frozensets(st.sampled_from([1, LAST]), min_size=1)}),
)


@given(CALENDARS, KINDS)
@settings(max_examples=examples(60))
def test_what_is_told_in_words_is_read_as_the_same(one: Calendar, kind: dict[str, frozenset[int]]) -> None:
    import dataclasses

    known = dataclasses.replace(one, **kind)  # type: ignore[arg-type]
    told = words_of(known)
    rule = rule_of(told)
    low, high = date(2026, 1, 1), date(2028, 3, 1)
    expected = [low + timedelta(days=n) for n in range((high - low).days) if known.holds(low + timedelta(days=n))]
    assert sorted({wall.date() for wall in rule.walls(low, high - timedelta(days=1))}) == expected, told


SAME = [
    ("every weekday at 06:30", "30 6 * * 1-5"),
    ("weekdays 6:30", "30 6 * * mon-fri"),
    ("Mon-Fri 22:00, 23:30 and 4:00", "0 22 * * 1-5|30 23 * * 1-5|0 4 * * 1-5"),
    ("daily 04:00", "0 4 * * *"),
    ("22:00", "0 22 * * *"),
    ("every day at noon", "0 12 * * *"),
    ("weekends at midnight", "0 0 * * 6,0"),
    ("every Monday and Thursday at 22:00", "0 22 * * 1,4"),
    ("fri to mon 22:00", "0 22 * * 5,6,0,1"),
    ("first sunday of the month 03:00", "0 3 * * sun#1"),
    ("on the 1st and 3rd Monday of every month at 3:00", "0 3 * * 1#1,1#3"),
    ("last friday of march and september 18:00", "0 18 * 3,9 5L"),
    ("Patch Tuesday 22:00", "0 22 * * 2#2"),
    ("a week before patch tuesday at 22:00", "0 22 1-7 * */7|FREQ=MONTHLY;BYDAY=1TU;BYHOUR=22"),
    ("day 1 and 15 of the month 05:00", "0 5 1,15 * *"),
    ("the 15th of the month at 05:00", "0 5 15 * *"),
    ("first of the month 03:00", "0 3 1 * *"),
    ("monthly 03:00", "0 3 1 * *"),
    ("last day of the month 23:30", "30 23 L * *"),
    ("last workday of the month 18:00", "0 18 LW * *"),
    ("weekdays of july 03:00", "0 3 * 7 1-5"),
    ("every 15 minutes", "*/15 * * * *"),
    ("every 6 hours from 01:30", "30 1,7,13,19 * * *"),
    ("hourly", "@hourly"),
    ("FREQ=MONTHLY;BYDAY=2TU;BYHOUR=22;BYMINUTE=0", "0 22 * * 2#2"),
]


@pytest.mark.parametrize(("words", "lines"), SAME)
def test_words_mean_what_cron_says(words: str, lines: str) -> None:
    if "FREQ" in lines:
        lines = lines.partition("|")[2]
    assert walls(words) == sorted(one for line in lines.split("|") for one in walls(line)) != []


def test_days_after_patch_tuesday_are_counted_and_not_named() -> None:
    """The first of May 2026 is a Friday: three days after the second Tuesday comes the third Friday."""
    found = [one for one in walls("Patch Tuesday + 3 days at 22:00") if one.month == 5]
    assert found == walls("3 days after patch tuesday 22:00")[4:5] == [datetime(2026, 5, 15, 22, 0)]  # noqa: DTZ001


# --- what is refused, and what it costs ---------------------------------------------------------------------------

REFUSED = [
    ("", "no time of the day", "daily 04:00"),
    ("every monday", "says no time of the day", "daily 04:00"),
    ("mondya 22:00", "'mondya'", "did you mean 'monday'?"),
    ("25:00", "no time of the day", "23:59"),
    ("every 7 minutes", "same times each day", "15 minutes"),
    ("sixth monday of the month 03:00", "'sixth'", "did you mean 'fifth'?"),
    ("monday of the month 03:00", "'monday'", "daily"),
    ("day 32 of the month 03:00", "32", "1 to 31"),
    ("patch tuesday + 60 days 22:00", "60 days", "31"),
    ("first monday and day 3 of the month 03:00", "several kinds", "each"),
    ("x" * 400, "more than", ""),
    ("x" * 4000, "more than", ""),
    ("0 24 * * *", "'24' is no hour", "0 to 23"),
    ("* * * *", "4 fields", "five fields"),
    ("0 0 * * * *", "6 fields", "five fields"),
    ("0 3 * * fri-mon", "ends before it begins", "write it as two"),
    ("0 3 * janx *", "'janx' is no month", "did you mean 'jan'?"),
    ("*/0 * * * *", "whole number", ""),
    ("0 3 * * mon#6", "five", ""),
    ("0 3 ? * *", "'?' is no day of the month", ""),
    ("0\u0663 3 * * *", "", ""),
    ("@dayly", "'@dayly'", "did you mean '@daily'?"),
    ("@reboot", "no time", "@daily"),
    ("FREQ=SECONDLY", "once a minute", "MINUTELY"),
    ("FREQ=DAILY;BYHOUR=2;BYSECOND=30", "once a minute", ""),
    ("FREQ=DAILY", "no time of the day", "BYHOUR"),
    ("FREQ=WEEKLY;BYHOUR=2", "no day", "BYDAY"),
    ("FREQ=DALY;BYHOUR=1", "FREQ=DALY", "did you mean DAILY?"),
    ("FREQ=DAILY;BYHUOR=1", "'BYHUOR'", "did you mean 'BYHOUR'?"),
    ("FREQ=DAILY;BYHOUR=24", "'24'", ""),
    ("FREQ=DAILY;INTERVAL=0;BYHOUR=1", "'0'", ""),
    ("FREQ=DAILY;INTERVAL=2;BYHOUR=1", "where it begins", "DTSTART"),
    ("FREQ=WEEKLY;BYDAY=2MO;BYHOUR=1", "numbered days", ""),
    ("FREQ=YEARLY;BYWEEKNO=3;BYHOUR=1", "which day", "BYDAY"),
    ("FREQ=DAILY;COUNT=1;UNTIL=20270101;BYHOUR=1", "exclude each other", ""),
    ("DTSTART:20260105T220000Z RRULE:FREQ=DAILY", "in UTC", "zone:"),
    ("DTSTART;TZID=Europe/Berlin:20260105T220000 RRULE:FREQ=DAILY", "zone of its own", "zone:"),
    ("DTSTART:20261305T220000 RRULE:FREQ=DAILY", "is no time", "20260131T220000"),
    ("RRULE:FREQ=DAILY;BYHOUR=1 EXDATE:20260101", "no place", ""),
    ("DTSTART:20260105T220000", "no RRULE", ""),
]


@pytest.mark.parametrize(("text", "what", "advice"), REFUSED)
def test_what_cannot_be_understood_is_named_with_what_to_try(text: str, what: str, advice: str) -> None:
    with pytest.raises(ScheduleError) as raised:
        rule_of(text)
    assert what in raised.value.message
    assert advice in raised.value.advice


WORDS = (
    "every",
    "day",
    "first",
    "of",
    "the",
    "month",
    "+",
    "3",
    "days",
    "and",
    ",",
    "22:00",
    "at",
    *DAYS,
    *MONTHS,
    "*",
    "-",
)


@given(
    st.text(max_size=60)
    | st.text("0123456789*/,-#L fri:;=", max_size=40)
    | st.lists(st.sampled_from(WORDS)).map(" ".join)
)
@settings(max_examples=examples(150))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = rule_of(text)
    except ScheduleError:
        return
    assert rule.words
    list(itertools.islice(rule.walls(date(2026, 1, 1), date(2026, 3, 1)), 100))


NEVER = [
    "0 0 30 2 *",
    "0 0 31 2,4,6,9,11 *",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1",
    "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
    "DTSTART:20250101T000000 RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
    "DTSTART:19700101T000000 RRULE:FREQ=MINUTELY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=30",
    "DTSTART:20250101T000000 RRULE:FREQ=DAILY;COUNT=9999;BYMONTH=2;BYMONTHDAY=30",
    "DTSTART:20250101T000000 RRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=300;UNTIL=20250201",
    "fifth sunday of february + 1 day 03:00",
]


@pytest.mark.parametrize("text", [*NEVER, "DTSTART:19700101T000000 RRULE:FREQ=MINUTELY;INTERVAL=99999", "* * * * *"])
def test_rules_that_never_come_and_rules_that_always_come_cost_little(text: str) -> None:
    began = time.process_time()
    found = next_occasion(schedule_of(text, "Europe/Berlin"), [""], START.replace(tzinfo=UTC).timestamp())
    assert time.process_time() - began < 2.0
    if text in NEVER[:-1]:
        assert found is None


def schedule_of(text: str, zone: str) -> Schedule:
    return Schedule("x", Place("playbooks/schedules.yml"), text, zone=zone)
