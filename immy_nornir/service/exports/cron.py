"""Jobs -> lines of a crontab.

Cron knows the machine's zone only (CRON_TZ is cronie's: others take it for a variable and start at a wrong time), and
no day of the month that is also one of the week. So a line looks every quarter of an hour, the unit of all zones,
whether it is due by the clock of the job's zone, which `date` tells. Sources: crontab(5) of cronie and of Debian, where
`%` ends a command.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from immy_nornir.decide.schedules.calendars import ALL_MONTHS, Calendar
from immy_nornir.service.exports.jobs import Job

_LONGEST: Final = 900
"""Cron's lines have 1,000 characters at the most, in most of them."""


def crontab(jobs: Sequence[Job], folder: str) -> str:
    """The text of a crontab of a user."""
    lines = [
        "# Lines for a user's crontab (crontab -e). Each looks every quarter of an hour whether its time has come by",
        "# the clock of its zone. What cron cannot do: a time that a clock change skips does not come, one that it",
        "# repeats comes twice; what was missed is not made up for; two of one job may be at work at once.",
        "# immy schedule run does better in all of it.",
        "# Variables that hold secrets, which cron does not have by itself, stand here: NAME=VALUE.",
        "SHELL=/bin/sh",
    ]
    for job in jobs:
        lines.append("")
        lines += [f"# {_line(one)}" for one in (job.title, f"when: {job.schedule.when}", *job.remarks)]
        if job.refused:
            lines.append(f"# not exported: {_line(job.refused)}")
            continue
        made = _lines(job, folder)
        if any(len(one) > _LONGEST for one in made):
            lines.append(f"# not exported: a line of it is longer than {_LONGEST} characters, which cron cuts off")
            continue
        lines.append(f"# the clock is that of {job.zone}")
        lines += made
    return "\n".join(lines) + "\n"


def next_steps(path: str, user: str) -> Iterator[str]:
    """What an administrator types to have this file work."""
    whose = f" -u {shlex.quote(user)}" if user else ""
    yield f"crontab{whose} -l    # what is there: if anything, add these lines to it by crontab{whose} -e; else:"
    yield f"crontab{whose} {shlex.quote(path)}"
    if not user:
        yield "it runs as whoever types that: a user who can read the fleet, and owns its .immy"
    yield "cron sets few variables: those that hold secrets stand above the lines, as NAME=VALUE"


def _lines(job: Job, folder: str) -> list[str]:
    command = f"cd {shlex.quote(folder)} && {shlex.join(job.words)}".replace("%", "\\%")
    if job.moments:
        days: dict[str, list[str]] = {}
        for one in job.moments:
            days.setdefault(one.told[11:16], []).append(one.told[:10])
        return [
            _line_of([int(at[3:])], job.zone, [("\\%F", some), ("\\%H:\\%M", [at])], command)
            for at, all_days in days.items()
            for some in (all_days[start : start + 30] for start in range(0, len(all_days), 30))
        ]
    return [_line_of({at % 60 for at in one.times}, job.zone, _tests(one), command) for one in job.calendars]


def _tests(one: Calendar) -> list[tuple[str, list[str]]]:
    """Formats of `date`, with what each has to give."""
    tests = []
    if one.months != ALL_MONTHS:
        tests.append(("\\%m", [f"{month:02}" for month in sorted(one.months)]))
    if one.days:
        tests.append(("\\%d", [f"{day:02}" for day in sorted(one.days)]))
    if one.weekdays:
        tests.append(("\\%u", [str(day + 1) for day in sorted(one.weekdays)]))
    times = [f"{at // 60:02}:{at % 60:02}" for at in one.times]
    minutes = sorted({at % 60 for at in one.times})
    if len(times) == 24 * len(minutes):  # each hour
        return [*tests, ("\\%M", [f"{minute:02}" for minute in minutes])]
    return [*tests, ("\\%H:\\%M", times)]


def _line_of(minutes: Iterable[int], zone: str, tests: Sequence[tuple[str, list[str]]], command: str) -> str:
    """One line: `date` is asked once, so that all tests are of one moment."""
    looks = sorted({(minute + quarter) % 60 for minute in minutes for quarter in (0, 15, 30, 45)})
    when = "*" if len(looks) == 60 else ",".join(map(str, looks))
    format_ = " ".join(one for one, _ in tests)
    cases = "".join(f"case ${number} in {'|'.join(wanted)}) " for number, (_, wanted) in enumerate(tests, 1))
    ends = ";; esac" * len(tests)
    return f"{when} * * * * set -- $(TZ={shlex.quote(zone)} date '+{format_}'); {cases}{command} {ends}"


def _line(text: str) -> str:
    return " ".join(text.split())
