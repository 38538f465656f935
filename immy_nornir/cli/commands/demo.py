"""`immy demo`: full maintenance of the sample fleet on simulated computers; it writes into the state folder only."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import click

from immy_nornir.children import run_ours
from immy_nornir.cli import startup
from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError
from immy_nornir.history.own_files import make_folder, write_own
from immy_nornir.text import json

PLAYBOOK = Path("playbooks") / "full.yml"
_PACE = ("--install-seconds", "0.3", "--reboot-seconds", "2", "--slow-seconds", "0.1")
PASSWORD = "IMMY_LAB_PASSWORD"  # noqa: S105 - the name of a variable


@click.command()
@click.option("--playbook", default=str(PLAYBOOK), show_default=True, help="What to run on the simulated fleet.")
@click.pass_context
def demo(ctx: click.Context, playbook: str) -> None:
    """Run the sample fleet's full maintenance on simulated computers.

    Starts the lab (simulated Windows computers on 127.0.0.0/8 that speak real WS-Management), runs the playbook with
    live progress, and stops the lab. It writes only into the state folder.
    """
    root = startup.root_of(ctx)
    if not (root / playbook).exists():
        raise UsageError(
            f"there is no {playbook} in {root}", "immy init DIR makes a sample fleet; then immy -C DIR demo"
        )
    state = startup.state_of(ctx, root)
    os.environ.setdefault(PASSWORD, secrets.token_urlsafe(12))
    immy = [sys.executable, "-m", "immy_nornir", "-C", str(root)]
    sources = [str(root / "inventory"), *_other_ports(root, state)]
    inventory = [word for source in sources for word in ("-i", source)]
    say("All computers of this demo are simulated: a lab on 127.0.0.0/8 speaks WS-Management for them.", err=True)
    up = [*immy, "lab", "up", "--detach", "--state", str(state), *_PACE, *inventory]
    if run_ours(up):
        raise UsageError("the lab did not start", "another lab may run in this folder: immy lab down")
    signal.signal(signal.SIGTERM, _stop)
    try:
        run = [*immy, "--state", str(state), "run", playbook, "--yes", *inventory]
        code = run_ours(run)
    except KeyboardInterrupt:
        code = 130
    finally:
        run_ours([*immy, "lab", "down", "--state", str(state)], quiet=True)
    say("Computers that did not pass are wrong on purpose: one for each way in which a computer can misbehave.")
    say("Try next:")
    command = "immy" if shutil.which("immy") else startup.near(Path(sys.argv[0]))
    for line in (
        "immy sessions list --run last",
        "immy sessions show sd-chair-1",
        "immy explain sd-xray-1 software/firefox",
    ):
        say(f"  {line.replace('immy', command, 1)}")
    ctx.exit(0 if code in (0, 1) else code)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of handlers
    """Leave as by Ctrl-C, so that the lab is ended."""
    raise KeyboardInterrupt


def _other_ports(root: Path, state: Path) -> list[str]:
    """An inventory that moves the sample's computers to free ports, where another program has theirs."""
    ports = {port: port if _is_free(port) else _free_port() for port in (5985, 5986)}
    if all(old == new for old, new in ports.items()):
        return []
    fleet, _ = startup.load(root, ())
    hosts = {
        one.name: {"ansible_port": new, "ansible_winrm_scheme": "https" if old == 5986 else "http"}
        for one in fleet.inventory.computers.values()
        for old, new in ports.items()
        if one.variables.get("ansible_port") == old
    }
    make_folder(state)
    path = state / "demo-ports.yml"
    write_own(path, json.line({"all": {"hosts": hosts}}))
    return [str(path)]


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        if sys.platform != "win32":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("0.0.0.0", port))  # noqa: S104 - free at all addresses; it does not listen
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
