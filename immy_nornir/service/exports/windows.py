"""Jobs -> tasks of the Windows Task Scheduler, as XML that `schtasks /create /xml FILE /tn NAME` reads.

Sources: Task Scheduler schema elements (learn.microsoft.com: calendarTriggerType, timeTrigger, settingsType): a time
without a zone is by the clock of the machine, one with Z an instant; at most 48 triggers; elements in this order.
Command lines are those that C programs read (CommandLineToArgvW).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

from immy_nornir.decide.schedules.calendars import ALL_MONTHS, DAYS, MONTHS, Calendar
from immy_nornir.service.exports.jobs import MOST_TRIGGERS, Job

_SPACE: Final = "http://schemas.microsoft.com/windows/2004/02/mit/task"


def tasks(jobs: Sequence[Job], folder: str, now: float, user: str = "") -> dict[str, str]:
    """File -> text, which has to be written as UTF-16; `user` is as whom they run."""
    files = {}
    for job in jobs:
        triggers, remarks, refused = _triggers(job, now)
        name = f"immy-{job.name}"
        if refused:
            text = f"{job.title}\nwhen: {job.schedule.when}\nnot exported: {refused}\n"
            files[f"{name}.txt"] = text
        else:
            files[f"{name}.xml"] = _task(job, triggers, [*job.remarks, *remarks], folder, user)
    return files


def _triggers(job: Job, now: float) -> tuple[list[str], list[str], str]:
    """Triggers, what has to be known about them, and why there are none."""
    if job.refused:
        return [], [], job.refused
    if job.moments or any(one.days and one.weekdays and not _nth(one) for one in job.calendars):
        found = [
            f"<TimeTrigger><StartBoundary>{datetime.fromtimestamp(one.due_at, UTC):%Y-%m-%dT%H:%M:%SZ}</StartBoundary>"
            "<Enabled>true</Enabled></TimeTrigger>"
            for one in job.coming
        ]
        return found, [f"these are single times, the last of them {job.coming[-1].told}: export again before that"], ""
    clock = f"times are by the clock of the machine that runs the task, which has to be that of {job.zone}"
    found = [one for each in job.calendars for one in _calendar(each, now)]
    if len(found) > MOST_TRIGGERS:
        return [], [], f"it needs {len(found)} triggers, and a task has {MOST_TRIGGERS} at the most"
    return found, [clock], ""


def _nth(one: Calendar) -> int:
    """Which of a month's weeks the days are; 0 where they are none, or only in part."""
    first = min(one.days, default=0)
    whole = first % 7 == 1 and first <= 22 and one.days == frozenset(range(first, first + 7))
    return (first + 6) // 7 if whole else 0


def _calendar(one: Calendar, now: float) -> Iterator[str]:
    for at in one.times:
        start = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}T{at // 60:02}:{at % 60:02}:00"
        yield (
            f"<CalendarTrigger><StartBoundary>{start}</StartBoundary><Enabled>true</Enabled>{_days(one)}</CalendarTrigger>"
        )


def _days(one: Calendar) -> str:
    weekdays = _listed("DaysOfWeek", (DAYS[day].capitalize() for day in sorted(one.weekdays)))
    months = _listed("Months", (MONTHS[month - 1].capitalize() for month in sorted(one.months)))
    if one.weekdays and one.days:
        weeks = f"<Weeks><Week>{_nth(one)}</Week></Weeks>"
        return f"<ScheduleByMonthDayOfWeek>{weeks}{weekdays}{months}</ScheduleByMonthDayOfWeek>"
    if one.days or (not one.weekdays and one.months != ALL_MONTHS):
        days = "".join(f"<Day>{day}</Day>" for day in sorted(one.days or range(1, 32)))
        return f"<ScheduleByMonth><DaysOfMonth>{days}</DaysOfMonth>{months}</ScheduleByMonth>"
    if one.weekdays and one.months != ALL_MONTHS:
        weeks = "<Weeks>" + "".join(f"<Week>{week}</Week>" for week in (1, 2, 3, 4, "Last")) + "</Weeks>"
        return f"<ScheduleByMonthDayOfWeek>{weeks}{weekdays}{months}</ScheduleByMonthDayOfWeek>"
    if one.weekdays:
        return f"<ScheduleByWeek><WeeksInterval>1</WeeksInterval>{weekdays}</ScheduleByWeek>"
    return "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>"


def _listed(name: str, words: Iterator[str]) -> str:
    return f"<{name}>{''.join(f'<{word} />' for word in words)}</{name}>"


def _task(job: Job, triggers: Sequence[str], remarks: Sequence[str], folder: str, user: str) -> str:
    about = _clean("; ".join([job.title, f"when: {job.schedule.when}", *remarks]))
    arguments = " ".join(argument(word) for word in job.words[1:])
    lines = [
        '<?xml version="1.0" encoding="UTF-16"?>',
        f'<Task version="1.2" xmlns="{_SPACE}">',
        f"  <RegistrationInfo><Description>{about}</Description></RegistrationInfo>",
        "  <Triggers>",
        *(f"    {one}" for one in triggers),
        "  </Triggers>",
        *_principal(user),
        "  <Settings>",
        "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>",
        "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>",
        "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>",
        "    <StartWhenAvailable>false</StartWhenAvailable>",
        "    <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>",
        "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>",
        "  </Settings>",
        '  <Actions Context="Author">' if user else "  <Actions>",
        f"    <Exec><Command>{_clean(job.words[0])}</Command>",
        f"      <Arguments>{_clean(arguments)}</Arguments>",
        f"      <WorkingDirectory>{_clean(folder)}</WorkingDirectory></Exec>",
        "  </Actions>",
        "</Task>",
    ]
    return "\r\n".join(lines) + "\r\n"


def _principal(user: str) -> list[str]:
    """As whom it runs; with a password that the import asks for, so that it runs with nobody logged on."""
    if not user:
        return []
    who = f"<UserId>{_clean(user)}</UserId><LogonType>Password</LogonType><RunLevel>LeastPrivilege</RunLevel>"
    return [f'  <Principals><Principal id="Author">{who}</Principal></Principals>']


def next_steps(folder: str, names: Sequence[str], user: str) -> Iterator[str]:
    """What an administrator types to have these files, in `folder`, work."""
    whom = user or "DOMAIN\\USER"
    for name in names:
        if name.endswith(".xml"):
            path = argument(f"{folder}\\{name}")
            yield f"schtasks /create /tn {name.removesuffix('.xml')} /xml {path} /ru {argument(whom)} /rp *"
    yield "it asks for the password; with it the task runs when nobody is logged on"
    if not user:
        yield "choose as whom it runs: who can read the fleet, and owns its .immy; --user writes it into the files"
    yield "references such as env:NAME need variables of that user or of the system: setx /m NAME VALUE"


def _clean(text: str) -> str:
    """Text of an element; what XML cannot hold is left out."""
    held = (one for one in text if ord(one) >= 32 and not 0xD800 <= ord(one) < 0xE000 and one not in "\ufffe\uffff")
    return escape("".join(held))


def argument(word: str) -> str:
    """One word of a command line as C programs on Windows read it."""
    if word and not any(one in ' \t\n\v"' for one in word):
        return word
    found, slashes = "", 0
    for one in word:
        if one == "\\":
            slashes += 1
            continue
        found += "\\" * (2 * slashes + 1 if one == '"' else slashes) + one
        slashes = 0
    return f'"{found}{chr(92) * (2 * slashes)}"'
