"""`immy schedule export`: files for other schedulers, and what has to be done with them."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import options
from immy_nornir.cli.commands.scheduling.schedule import known_of, named
from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError

if TYPE_CHECKING:
    from immy_nornir.decide.schedules import Member
    from immy_nornir.model.playbooks import Fleet


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--to", "kind", type=click.Choice(["systemd", "cron", "windows"]), required=True, help="For whom.")
@click.option("--out", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Write files into DIR.")
@click.option(
    "--user",
    metavar="NAME",
    default="",
    callback=lambda _context, _option, value: _user(value),
    help="As whom it runs: whoever can read the fleet, and owns its state folder.",
)
@options.sources
@options.vault
@click.pass_context
def export(
    ctx: click.Context, names: tuple[str, ...], kind: str, out: Path | None, user: str, sources: tuple[Path, ...]
) -> None:
    """Write the schedules, or those called NAME, for systemd, cron or the Windows Task Scheduler.

    They call `immy run` with the same arguments. For systemd there is also the unit of `immy schedule run`, which needs
    none of the others. What such a scheduler cannot do is said in the files.
    """
    from immy_nornir.service.exports import jobs as jobs_
    from immy_nornir.service.exports.cron import crontab
    from immy_nornir.service.exports.systemd import units
    from immy_nornir.service.exports.windows import tasks

    known, now = known_of(ctx, sources), time.time()
    chosen = [one for name in names for one in named(known.schedules, name)] if names else list(known.schedules)
    program, folder = _program(ctx), str(known.root.absolute())
    more = tuple(word for one in sources for word in ("-i", str(one.absolute())))
    made = (
        jobs_.jobs_of(one.schedule, one.parts, program, now, more, _groups(known.fleet, one.members)) for one in chosen
    )
    jobs = jobs_.unlike([job for each in made for job in each])
    if kind == "systemd":
        files = units(jobs, [*program, "schedule", "run", *more], folder, user)
    elif kind == "cron":
        files = {"immy.crontab": crontab(jobs, folder)}
    else:
        files = tasks(jobs, folder, now, user)
    _write(files, out, kind)
    for job in jobs:
        if job.refused:
            say(f"immy: not exported: {job.title}: {job.refused}", err=True)
    _say_next(kind, out, [one for one in files if not _is_refused(one, jobs)], user)


def _write(files: Mapping[str, str], out: Path | None, kind: str) -> None:
    for name, text in files.items():
        if out is None:
            if len(files) > 1:
                say(f"# --- {name}" if kind != "windows" else f"<!-- {name} -->")
            say(text.replace("\r\n", "\n"), nl=False)
            continue
        out.mkdir(parents=True, exist_ok=True)
        path = out / name
        path.write_text(text, encoding="utf-16" if name.endswith(".xml") else "utf-8", newline="")
        say(str(path))


def _is_refused(file: str, jobs: Sequence[Any]) -> bool:
    return any(job.refused and file.rpartition(".")[0] == f"immy-{job.name}" for job in jobs)


def _say_next(kind: str, out: Path | None, names: Sequence[str], user: str) -> None:
    """What has to be typed yet; where nothing was written, how it is written."""
    from immy_nornir.service.exports import cron, systemd, windows

    if out is None:
        say("nothing was written: --out DIR writes files, and says what to do with them", err=True)
        return
    if kind == "cron":
        steps = cron.next_steps(str(out / names[0]), user)
    else:
        steps = (systemd if kind == "systemd" else windows).next_steps(str(out), names, user)
    say("What next:", err=True)
    for step in steps:
        say(f"  {step}", err=True)


def _user(name: str) -> str:
    if any(ord(one) < 32 for one in name):
        raise UsageError("a user's name has one line")
    return name


def _groups(fleet: Fleet, members: Sequence[Member]) -> dict[str, set[str]]:
    """The groups of some computers, with those of them that each holds."""
    found: dict[str, set[str]] = {}
    for one in members:
        computer = fleet.inventory.computers.get(one.name)
        for group in computer.groups if computer is not None else ():
            found.setdefault(group, set()).add(one.name)
    return found


def _program(ctx: click.Context) -> list[str]:
    """The command that runs immy, as another program has to call it."""
    found = shutil.which("immy")
    words = [found] if found is not None else [sys.executable, "-m", "immy_nornir"]
    state = ctx.obj.get("state") if ctx.obj else None
    return [*words, "--state", str(state)] if state is not None else words
