"""`immy exec`: a command by hand on many computers, with a record, and what they said put together."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, startup, streams
from immy_nornir.cli.commands.by_hand.held import code_of, end_held, held_now
from immy_nornir.cli.commands.run import begin, refuse_frozen, reports_of, work_on
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.summary import exit_code, record_code
from immy_nornir.errors import UsageError
from immy_nornir.text import json
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immy_nornir.model.record.session import ByHand, SessionSpec
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.runs import LiveRun, PlayRun

SCHEMA_VERSION = 1
_LONGEST = 1_000_000


@click.command("exec")
@click.argument("pattern", shell_complete=completing.patterns)
@click.argument("words", nargs=-1, metavar="[-- COMMAND]...", type=click.UNPROCESSED)
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run this file there; what follows -- are its arguments.",
)
@click.option(
    "--shell",
    type=click.Choice(["powershell", "cmd", "sh"]),
    help="Who reads it. [default: PowerShell on Windows, sh elsewhere]",
)
@click.option(
    "--context",
    type=click.Choice(["system", "user"]),
    default="system",
    show_default=True,
    help="As whom: as items are run (SYSTEM on Windows, elsewhere who connects), or as the user who is logged on.",
)
@click.option(
    "--timeout",
    type=click.IntRange(1, 7 * 86400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="So long it may take on a computer, which then ends it.",
)
@options.sources
@options.vault
@click.option("--limit", metavar="PATTERN", shell_complete=completing.patterns, help="Only these of the computers.")
@click.option("--window", default="now", metavar="WHEN", help="As of immy run; without it at once.")
@click.option(
    "--offline",
    type=click.Choice(["skip", "apply_on_connect"]),
    default="skip",
    show_default=True,
    help="What to do about computers that are off.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Stay until deferred sessions (window, computer off, held) have ended. [default: held computers are left out]",
)
@options.workers
@click.option("--per-tenant", type=click.IntRange(0), default=0, help="At most so many of one tenant at the same time.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before it is run on several computers.")
@click.option("-q", "--quiet", is_flag=True, help="No progress; only what was said, and what has to be asked.")
@click.option("-v", "--verbose", is_flag=True, help="What computers write as it comes, and at the end all of it.")
@options.form
@click.pass_context
def command(ctx: click.Context, /, pattern: str, words: tuple[str, ...], form: str, **given: Any) -> None:
    """Run a command on computers, and show what they say, put together.

    One word is a line for the shell: immy exec servers -- 'df -h | tail -1'. Several are a program and its arguments,
    which no shell reads: immy exec pc1 -- Restart-Service -Name Spooler. It is a job like any other: a lost connection
    does not end it, nothing runs it twice, and its session has its record.
    """
    if given["quiet"] and given["verbose"]:
        raise UsageError("-q and -v contradict each other", "give one of them")
    hand = _by_hand(words, **given)
    root = startup.root_of(ctx)
    refuse_frozen(root, "remove the file first: a command can change anything")
    fleet, _ = startup.load(root, given["sources"])
    play = _play(fleet, pattern, given["limit"])
    implicit = {one.name: one for one in play.computers if one.name not in fleet.inventory.computers}
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, implicit, given["sources"])
    try:
        run = _begin(engine, root, play, hand, given)
        code = _run(engine, run, form, quiet=given["quiet"], verbose=given["verbose"])
    finally:
        startup.close(engine)
    if engine.stop.level:
        startup.ignore_interrupts()
    ctx.exit(code)


exec = command  # noqa: A001 - commands are found by their names


def _by_hand(words: tuple[str, ...], script: Path | None, shell: str | None, context: str, **given: Any) -> ByHand:
    from immy_nornir.model.items import Context
    from immy_nornir.model.record.session import ByHand
    from immy_nornir.text.files import read_file

    text = None
    if script is not None:
        try:
            text = read_file(script).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{script} cannot be read: {error}", "a script is a file of text in UTF-8") from error
        if not text.strip():
            raise UsageError(f"{script} is empty")
    elif not words or not words[0].strip():
        raise UsageError("there is no command to run", "immy exec PATTERN -- COMMAND, or --script FILE")
    if sum(map(len, words)) + len(text or "") > _LONGEST:
        raise UsageError(f"a command of more than {_LONGEST:,} characters is none", "put the data into a file there")
    if any("\0" in one for one in (*words, text or "")):
        raise UsageError("the command holds a NUL, which no shell takes")
    name = "" if script is None else script.name
    return ByHand(words, text, name, shell or "", Context(context), given["timeout"])


def _play(fleet: Any, pattern: str, limit: str | None) -> PlayRun:
    from immy_nornir.decide.plan.commands import COMMAND_TYPE
    from immy_nornir.decide.resolve import patterns
    from immy_nornir.model.places import Place
    from immy_nornir.model.playbooks import Play
    from immy_nornir.session.runs import PlayRun

    names = patterns.select(fleet.inventory, pattern, limit, read_file=startup.read_lines)
    if not names:
        raise UsageError("no computer is selected", "immy inventory list PATTERN shows what a pattern selects")
    play = Play("by hand", pattern, Place("command line"), COMMAND_TYPE.name)
    return PlayRun(play, COMMAND_TYPE, startup.computers_of(fleet.inventory, names))


def _begin(engine: Engine, root: Path, play: PlayRun, hand: ByHand, given: Any) -> LiveRun:
    """Ask, then store the run with its sessions; nothing has begun yet."""
    from immy_nornir.cli.extra_vars import without_values
    from immy_nornir.history.store import new_id
    from immy_nornir.model.record.run import Approved, Pace, RunSpec
    from immy_nornir.session.before.specs import Asking
    from immy_nornir.session.taking import taking_up

    run_id = new_id(engine.clock.now())
    asking = Asking({"reboot": "skip", "window": given["window"], "offline": given["offline"], **_over(given)})
    taking_up.make_specs(engine, run_id, [play], asking)
    play.specs = [dataclasses.replace(spec, by_hand=hand) for spec in play.specs]
    held = held_now(engine, play.specs)
    by = ask([one for one in play.specs if one.computer not in held], hand, yes=given["yes"])
    user, machine = startup.who()
    spec = RunSpec(
        run_id,
        shlex.join(["immy", *without_values(sys.argv[1:])]),
        "",
        str(root),
        startup.commit_of(root),
        user,
        machine,
        options=asking.options,
        pace=Pace(given["workers"], given["per_tenant"], wait=given["wait"]),
    )
    approved = Approved(by, len(play.specs) - len(held))
    run = begin(engine, spec, [play], approved, yes=True, quiet=given["quiet"])
    end_held(run.sessions.values(), held)
    return run


def _over(given: Any) -> dict[str, str]:
    """Without a word about later it is done now or not at all."""
    now = given["window"] == "now" and given["offline"] == "skip" and not given["wait"]
    return {"window_over": "miss"} if now else {}


def ask(specs: Sequence[SessionSpec], hand: ByHand, *, yes: bool) -> str:
    """Who says that it may be run. Raises: UsageError where nobody does."""
    from immy_nornir.decide.plan.commands import line_of

    if yes or len(specs) == 1:
        return "--yes" if yes else "the operator"
    tenants = len({spec.tenant for spec in specs})
    where = f"{counted(len(specs), 'computer')} of {counted(tenants, 'tenant')}"
    if not startup.is_terminal():
        raise UsageError(f"it would run on {where}, and nobody is here to be asked", "add --yes")
    say(f"  {line_of(hand)}", err=True)
    if not click.confirm(f"Run this on {where}?", err=True):
        raise UsageError("not run: the operator said no")
    return "the operator"


def _run(engine: Engine, run: LiveRun, form: str, *, quiet: bool, verbose: bool) -> int:
    from immy_nornir.cli.live import said

    sessions = list(run.sessions.values())
    silent = quiet or (len(sessions) == 1 and not verbose)
    work_on(engine, run, quiet=silent, verbose=verbose, also=said.AsItComes if verbose else lambda each: each)
    reports_of(engine, run, wanted=False)
    outcomes = said.outcomes_of(engine, sessions)
    with streams.outlived():
        if form == "json":
            rows = [one.plain for one in outcomes]
            document = {"schema_version": SCHEMA_VERSION, "run": run.state.spec.id, "computers": rows}
            say_json(json.indented(document))
        else:
            for line in said.lines_of(outcomes, verbose=verbose):
                say(line)
            total = counted(len(sessions), "computer")
            say(f"run {run.state.spec.id}: {total}: {said.counts_of(outcomes)}", err=True)
            for line in said.next_lines(outcomes):
                say(line, err=True)
    return record_code(engine, code_of(exit_code(sessions, False), sessions))
