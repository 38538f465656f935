"""`immy test`: one item on one computer, for whoever writes it: part by part, with what ran and what it said."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, startup, streams
from immy_nornir.cli.door import say, say_json
from immy_nornir.errors import UsageError
from immy_nornir.text import json

if TYPE_CHECKING:
    from pathlib import Path

    from immy_nornir.model.record.session import Trial
    from immy_nornir.session.engine import Engine
    from immy_nornir.session.runs import LiveRun, PlayRun

SCHEMA_VERSION = 1
_PARTS = ("requirements", "detect", "download", "install", "uninstall")


@click.command()
@click.argument("item", shell_complete=completing.items)
@click.option(
    "--on",
    "computer",
    required=True,
    metavar="COMPUTER",
    shell_complete=completing.computers,
    help="Where.",
)
@click.option("--only", "part", type=click.Choice(_PARTS), help="This part alone, and nothing that the item asks for.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter, over its deployment's.")
@options.sources
@options.vault
@options.extra
@click.option(
    "--reboot",
    type=click.Choice(["skip", "automatic", "force"]),
    default="skip",
    show_default=True,
    help="What to do about needed reboots.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before something is changed.")
@click.option("-v", "--verbose", is_flag=True, help="A line for every entry while it is at work.")
@options.form
@click.pass_context
def test(ctx: click.Context, /, item: str, computer: str, part: str | None, form: str, **given: Any) -> None:
    """Try one item out on one computer, as if a deployment aimed it there.

    Without --only the whole life of it: requirements, detection, installation with what it asks for, detection again.
    For a task, detect runs its get and test, install its set. Each part says what ran, what it said, how it ended and
    how long it took. Made for a computer of the lab, or one that may break.
    """
    from immy_nornir.cli.commands.run import refuse_frozen
    from immy_nornir.cli.summary import exit_code, record_code
    from immy_nornir.decide.plan.trials import type_of

    root = startup.root_of(ctx)
    fleet, _ = startup.load(root, given["sources"])
    trial = _trial(fleet, item, part, given["params"])
    if type_of(trial.part).executes:
        refuse_frozen(root, "remove the file, or use --only detect")
    play = _play(fleet, computer, trial)
    implicit = {one.name: one for one in play.computers if one.name not in fleet.inventory.computers}
    engine = startup.engine_of(root, startup.state_of(ctx, root), fleet, implicit, given["sources"])
    try:
        run = _work(engine, root, play, trial, given)
        lives = list(run.sessions.values())
        with streams.outlived():
            _show(engine, run, form)
        code = record_code(engine, exit_code(lives, False))
    finally:
        startup.close(engine)
    if engine.stop.level:
        startup.ignore_interrupts()
    ctx.exit(code)


def _trial(fleet: Any, item: str, part: str | None, params: tuple[str, ...]) -> Trial:
    from immy_nornir.cli.commands.explain import item_named
    from immy_nornir.cli.extra_vars import given_variables
    from immy_nornir.decide.plan.trials import wrong_part
    from immy_nornir.model.record.session import Part, Trial

    name = item_named(fleet, item)
    trial = Trial(name, Part(part or Part.ALL), given_variables(params))
    if wrong := wrong_part(trial.part, name):
        raise UsageError(wrong)
    known = {name for one in fleet.library.items[name].values() for name in one.parameters}
    for unknown in sorted(trial.params.keys() - known):
        has = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise UsageError(f"{name} has no parameter '{unknown}'", has)
    return trial


def _play(fleet: Any, computer: str, trial: Trial) -> PlayRun:
    from immy_nornir.decide.plan.trials import TEST, type_of
    from immy_nornir.decide.resolve import patterns
    from immy_nornir.model.places import Place
    from immy_nornir.model.playbooks import Play
    from immy_nornir.session.runs import PlayRun

    names = patterns.select(fleet.inventory, computer, None, read_file=startup.read_lines)
    if len(names) != 1:
        raise UsageError(f"'{computer}' is {len(names)} computers", "an item is tried out on one: immy run is for many")
    play = Play(f"test of {trial.item}", computer, Place("command line"), TEST)
    return PlayRun(play, type_of(trial.part), startup.computers_of(fleet.inventory, names))


def _work(engine: Engine, root: Path, play: PlayRun, trial: Trial, given: Any) -> LiveRun:
    from immy_nornir.cli.approving.approval import approve
    from immy_nornir.cli.commands.by_hand.held import held_now
    from immy_nornir.cli.commands.run import begin, reports_of, work_on
    from immy_nornir.cli.extra_vars import given_variables, without_values
    from immy_nornir.history.store import new_id
    from immy_nornir.model.record.run import RunSpec
    from immy_nornir.session.before.preview import preview
    from immy_nornir.session.before.specs import Asking
    from immy_nornir.session.taking import taking_up

    run_id = new_id(engine.clock.now())
    options_ = {"reboot": given["reboot"], "window": "now", "offline": "skip", "window_over": "miss"}
    asking = Asking(options_, (), given_variables(given["extra"]))
    taking_up.make_specs(engine, run_id, [play], asking)
    play.specs = [dataclasses.replace(spec, trial=trial) for spec in play.specs]
    held_now(engine, play.specs, "--only detect looks, and changes nothing")
    approved = approve(preview(engine, play.specs), yes=given["yes"], quiet=True)
    user, machine = startup.who()
    command = shlex.join(["immy", *without_values(sys.argv[1:])])
    about = (run_id, command, "", str(root), startup.commit_of(root), user, machine)
    spec = RunSpec(*about, options=asking.options, vars=asking.vars)
    run = begin(engine, spec, [play], approved, yes=given["yes"], quiet=True)
    work_on(engine, run, quiet=not given["verbose"], verbose=given["verbose"])
    reports_of(engine, run, wanted=False)
    return run


def _show(engine: Engine, run: LiveRun, form: str) -> None:
    from immy_nornir.cli.live.trial import lines_of, parts_of

    engine.history.flush()
    [live] = run.sessions.values()
    with engine.history.read() as reader:
        record = reader.record(live.id)
    parts = list(parts_of(*record)) if record is not None else []
    if form == "json":
        about = {"run": run.state.spec.id, "session": live.id, "status": live.recap.status.value}
        say_json(json.indented({"schema_version": SCHEMA_VERSION, **about, "parts": parts}))
        return
    for line in lines_of(parts):
        say(line)
    if live.recap.reason is None:
        say(f"{live.recap.status}: {live.recap.message}")
    say(f"  session: {live.id}", err=True)
