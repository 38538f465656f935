"""`immy lab up|status|down`: a simulated fleet for the inventory's computers on 127.0.0.0/8."""

from __future__ import annotations

import ipaddress
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from immy_nornir.cli import options
from immy_nornir.cli.door import say, say_json
from immy_nornir.errors import FilesError, ImmyError, UsageError
from immy_nornir.history.own_files import make_folder, open_own
from immy_nornir.lab.control import CERTIFICATE_FILE, Control, ask
from immy_nornir.lab.fleet import FleetSpecs, specs_of_inventory
from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import Knobs
from immy_nornir.model.places import Level
from immy_nornir.text import json

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0

_state = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".immy"),
    show_default=True,
    help="Folder of what immy writes.",
)


def _address(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else str(ipaddress.IPv4Address(value))
    except ValueError:
        raise UsageError(f"'{value}' is no address", "write it like 0.0.0.0") from None


_seconds = click.FloatRange(min=0)


@click.group()
def lab() -> None:
    """Start and stop simulated computers, to try everything without Windows."""


@lab.command()
@click.option(
    "-i",
    "--inventory",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="File or folder of the inventory; may be repeated. [default: inventory]",
)
@options.vault
@_state
@click.option("--port", type=click.IntRange(0, 65535), help="For http; 0: any free one. [default: the inventory's]")
@click.option(
    "--https-port", type=click.IntRange(0, 65535), help="For https; 0: any free one. [default: the inventory's]"
)
@click.option(
    "--listen",
    metavar="ADDRESS",
    callback=_address,
    help="Listen there; 0.0.0.0: at all addresses of this machine, with one socket. [default: the computers' own, "
    "in 127.0.0.0/8]",
)
@click.option(
    "--powershell", metavar="COMMAND", help="Run command lines in this PowerShell instead of simulating them."
)
@click.option("--reply-delay", type=_seconds, default=0.0, metavar="SECONDS", help="Added to every reply.")
@click.option("--powershell-start", type=_seconds, default=0.0, metavar="SECONDS", help="Start of PowerShell.")
@click.option("--script-seconds", type=_seconds, default=0.0, metavar="SECONDS", help="One script operation.")
@click.option("--install-seconds", type=_seconds, default=0.0, metavar="SECONDS", help="One job.")
@click.option("--reboot-seconds", type=_seconds, default=1.0, metavar="SECONDS", help="How long a reboot takes.")
@click.option("--slow-seconds", type=_seconds, default=1.0, metavar="SECONDS", help="What a slow computer adds.")
@click.option("--detach", is_flag=True, help="Return when it is up; `immy lab down` ends it.")
def up(
    inventory: tuple[Path, ...],
    state: Path,
    port: int | None,
    https_port: int | None,
    listen: str | None,
    powershell: str | None,
    reply_delay: float,
    powershell_start: float,
    script_seconds: float,
    install_seconds: float,
    reboot_seconds: float,
    slow_seconds: float,
    *,
    detach: bool,
) -> None:
    """Start a computer for every one of the inventory whose address lies in 127.0.0.0/8.

    They are reached from this machine only. Their password is the inventory's; that of the sample fleet is what
    IMMY_LAB_PASSWORD says, in this shell and in those that run immy on them.
    """
    running = ask(state, "status")
    if running:
        raise UsageError(f"a lab is running already (process {running['pid']})", "end it with: immy lab down")
    if detach:
        _detach(sys.argv[1:], state)
        return
    fleet = _load(inventory)
    knobs = Knobs(
        reply_delay=reply_delay,
        powershell_start=powershell_start,
        script_seconds=script_seconds,
        install_seconds=install_seconds,
        reboot_seconds=reboot_seconds,
        slow_seconds=slow_seconds,
    )
    ports = (fleet.port if port is None else port, fleet.https_port if https_port is None else https_port)
    folder = state / "lab"
    make_folder(state)
    make_folder(folder, inside=True)
    program = shlex.split(powershell) if powershell else None
    _serve(
        Lab(
            fleet.specs,
            port=ports[0],
            https_port=ports[1],
            knobs=knobs,
            folder=folder.resolve(),
            powershell=program,
            listen=listen,
        ),
        state,
    )


def _load(sources: Sequence[Path]) -> FleetSpecs:
    # The loaders are imported when they are needed: `status` and `down` answer at once.
    from immy_nornir.cli import vault
    from immy_nornir.fleet.inventory.addresses import address_of
    from immy_nornir.fleet.inventory.load import load_inventory
    from immy_nornir.secrets.store import SecretStore
    from immy_nornir.text.redaction.redact import Redactor

    paths = list(sources) or [Path("inventory")]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"there is no inventory at {', '.join(missing)}", "name it with -i")
    opened = vault.current()
    inventory, problems = load_inventory(paths, vault=opened)
    if any(problem.level is Level.ERROR for problem in problems):
        raise FilesError(problems)
    reveal = SecretStore(Redactor(), vault=opened).reveal
    return specs_of_inventory(inventory, lambda computer: address_of(computer, reveal), reveal)


def _serve(running: Lab, state: Path) -> None:
    running.start()
    control = None
    try:
        # A request to end the process ends what its computers started, too.
        signal.signal(signal.SIGTERM, _interrupt)
        shutil.copyfile(running.certificate_path, state / CERTIFICATE_FILE)
        control = Control(running, state)
        control.start()
        say(_sentence(running.status(), os.getpid()), err=True)
        # A wait without a time-out cannot be interrupted on every system.
        while not control.stopped.wait(1.0):
            pass
    except KeyboardInterrupt:
        say("the lab stops", err=True)
    finally:
        running.stop()
        if control is not None:
            control.close()


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _detach(arguments: Sequence[str], state: Path) -> None:
    own = [one for one in arguments[arguments.index("up") :] if one != "--detach"]
    make_folder(state)
    output = state / "lab.out"
    flags: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with os.fdopen(open_own(output, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", "from immy_nornir.cli.commands.lab import main; main()", *own],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            **flags,
        )
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        answer = ask(state, "status")
        if answer and answer["pid"] == process.pid:
            say(_sentence(answer, process.pid), err=True)
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    text = output.read_text("utf-8", "replace").strip()
    raise UsageError(f"the lab did not start: {text or 'it said nothing'}", f"its output is in {output}")


@lab.command()
@_state
@options.form
def status(state: Path, form: str) -> None:
    """Say whether a lab is running, and what is open in it; exit code 1 when none is."""
    answer = ask(state, "status")
    if answer and "port" not in answer:
        answer = None
    if form == "json":
        say_json(json.indented({"schema_version": 1, "running": answer is not None, **(answer or {})}, 1))
    elif answer is None:
        say("no lab is running")
    else:
        say(_sentence(answer, answer["pid"]))
        say(f"log: {answer['log']}")
        for name, count in answer["shells"].items():
            say(f"{name}: {count} open shell(s)")
    if answer is None:
        sys.exit(1)


@lab.command()
@_state
def down(state: Path) -> None:
    """End the lab."""
    if ask(state, "down") is None:
        say("no lab is running", err=True)
        return
    end = time.monotonic() + _STOP_SECONDS
    while ask(state, "status") is not None:
        if time.monotonic() > end:
            raise UsageError("the lab does not end", "look at its output in the state folder")
        time.sleep(0.05)
    say("the lab is down", err=True)


def _sentence(answer: dict[str, Any], pid: int) -> str:
    kind = "backed by " + " ".join(answer["powershell"]) if answer["powershell"] else "simulated"
    return (
        f"lab: {answer['up']} of {answer['computers']} computers are up, {kind};"
        f" http port {answer['port']}, https port {answer['https_port']}, process {pid}"
    )


def main() -> None:
    """Run the group by itself, as the detached process does."""
    try:
        lab(prog_name="immy lab")
    except ImmyError as error:
        say(str(error), err=True)
        sys.exit(error.exit_code)
