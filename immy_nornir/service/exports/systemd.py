"""Jobs -> units of systemd: the service that needs nothing else, and a timer with a service for each job.

Sources: systemd.time(7) (calendar events with a time zone, from version 235), systemd.service(5) (quoting of command
lines, `%` and `$` doubled), systemd.timer(5).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from immy_nornir.decide.schedules.calendars import ALL_MONTHS, Calendar
from immy_nornir.service.exports.jobs import Job, by_hours

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def units(jobs: Sequence[Job], service: Sequence[str], folder: str, user: str = "") -> dict[str, str]:
    """File -> text; `service` is the command of the service, `folder` where commands run, `user` as whom."""
    files = {"immy-schedule.service": _service(service, folder, user)}
    for job in jobs:
        head = [f"# {_line(one)}" for one in (job.title, f"when: {job.schedule.when}", *job.remarks)]
        if job.refused:
            files[f"immy-{job.name}.timer"] = _text(*head, f"# not exported: {_line(job.refused)}")
        else:
            files[f"immy-{job.name}.timer"] = _text(*head, *_timer(job))
            files[f"immy-{job.name}.service"] = _text(*head, *_started(job, folder, user))
    return files


def _service(command_: Sequence[str], folder: str, user: str) -> str:
    return _text(
        "# The service: it begins what is due, and needs none of the timers. Enable either this, or timers.",
        "[Unit]",
        "Description=immy: schedules of a fleet",
        *_AFTER_NETWORK,
        "",
        "[Service]",
        "Type=exec",
        *_as(user),
        f"WorkingDirectory={_path(folder)}",
        f"ExecStart={command(command_)}",
        "# The first signal lets nothing new begin; what runs on computers goes on there.",
        "KillMode=mixed",
        "TimeoutStopSec=5min",
        "Restart=on-failure",
        "RestartSec=30s",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    )


def _timer(job: Job) -> Iterator[str]:
    yield from ("[Unit]", f"Description={_path(_line(job.title))}", "", "[Timer]")
    yield from (f"OnCalendar={one}" for one in calendar_events(job))
    yield "AccuracySec=1s"
    yield "# What was missed while this machine was off is not made up for; immy schedule run does it."
    yield from ("Persistent=false", "", "[Install]", "WantedBy=timers.target")


def _started(job: Job, folder: str, user: str) -> Iterator[str]:
    yield from ("[Unit]", f"Description={_path(_line(job.title))}", *_AFTER_NETWORK, "", "[Service]")
    yield "# While it is at work the timer starts no second one."
    yield from ("Type=oneshot", *_as(user), f"WorkingDirectory={_path(folder)}", f"ExecStart={command(job.words)}")
    yield "# Deferred sessions are left, and computers that were away, are no failures."
    yield "SuccessExitStatus=5 6"


_AFTER_NETWORK: Final = ("Wants=network-online.target", "After=network-online.target")


def _as(user: str) -> Iterator[str]:
    """As whom it runs: the history and the secrets are that user's."""
    if user:
        yield f"User={_path(user)}"
    else:
        yield "# Without User= it runs as root, who then owns the history. Say the user who runs immy here by hand."
        yield "#User=NAME"
    yield "# Variables that hold secrets, one NAME=VALUE in a line, in a file that only its owner can read:"
    yield "#EnvironmentFile=/etc/immy/environment"


def next_steps(folder: str, names: Sequence[str], user: str) -> Iterator[str]:
    """What an administrator types to have these files, in `folder`, work."""
    if not user:
        yield "choose as whom they run (who can read the fleet, and owns its .immy), and export again with --user NAME"
    yield f"sudo cp {shlex.quote(folder)}/immy-* /etc/systemd/system/"
    yield "sudo systemctl daemon-reload"
    yield "sudo systemctl enable --now immy-schedule.service    # the service: it needs no timer"
    if timers := [name for name in names if name.endswith(".timer")]:
        yield f"or, instead of it: sudo systemctl enable --now {' '.join(timers)}"
    yield "references such as env:NAME need their variables there: EnvironmentFile= in the units"


def calendar_events(job: Job) -> Iterator[str]:
    """What stands behind OnCalendar=."""
    for one in job.moments:
        yield f"{one.told[:16]}:00 {job.zone}"
    for one_calendar in job.calendars:
        yield from _events(one_calendar, job.zone)


def _events(one: Calendar, zone: str) -> Iterator[str]:
    weekdays = ",".join(_DAYS[day] for day in sorted(one.weekdays))
    months = "*" if one.months == ALL_MONTHS else ",".join(f"{month:02}" for month in sorted(one.months))
    days = ",".join(f"{day:02}" for day in sorted(one.days)) or "*"
    for hours, minutes in by_hours(one.times):
        at_hours = "*" if len(hours) == 24 else ",".join(f"{hour:02}" for hour in hours)
        at = f"{at_hours}:{','.join(f'{minute:02}' for minute in minutes)}:00"
        yield f"{f'{weekdays} ' if weekdays else ''}*-{months}-{days} {at} {zone}"


def command(words: Sequence[str]) -> str:
    """A command line as systemd reads it: nothing in a word is expanded."""
    return " ".join(quoted(word) for word in words)


def quoted(word: str) -> str:
    """One word, in double quotes where it needs them."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    escaped = "".join(f"\\x{ord(each):02x}" if ord(each) < 32 or ord(each) == 127 else each for each in escaped)
    return escaped if word and all(each.isalnum() or each in "-_./:=,@+" for each in word) else f'"{escaped}"'


def _path(folder: str) -> str:
    return folder.replace("%", "%%")


def _line(text: str) -> str:
    return " ".join(text.split())


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"
