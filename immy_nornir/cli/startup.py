"""What several commands need: the fleet loaded or every problem told, the state folder, the engine of a process."""

from __future__ import annotations

import dataclasses
import gc
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli.door import known_secrets, say
from immy_nornir.errors import FilesError, UsageError
from immy_nornir.text.files import read_file

# Commands that only look at the history need no fleet: they start twice as quickly without its model.
if TYPE_CHECKING:
    from types import FrameType

    from immy_nornir.history.store import History
    from immy_nornir.model.inventory import Computer, Inventory
    from immy_nornir.model.places import Problem
    from immy_nornir.model.playbooks import Fleet, Playbook
    from immy_nornir.model.protocols import Connect, Secrets
    from immy_nornir.secrets.vault import Vault
    from immy_nornir.session.engine import Engine
    from immy_nornir.text.redaction.redact import Redactor

STATE = ".immy"


def root_of(ctx: click.Context, playbook: Path | None = None) -> Path:
    """The fleet's folder: above the `playbooks` folder that holds the playbook, else the current one."""
    if playbook is not None:
        for parent in playbook.absolute().parents:
            if parent.name == "playbooks":
                return parent.parent
    return Path(ctx.obj["root"]) if ctx.obj else Path.cwd()


def state_of(ctx: click.Context, root: Path) -> Path:
    """The state folder: `--state`, else `.immy` beside the fleet."""
    given = ctx.obj.get("state") if ctx.obj else None
    return Path(given) if given is not None else root / STATE


def load(
    root: Path,
    sources: Sequence[Path],
    playbook: Path | None = None,
    *,
    checked: bool = True,
    quiet: bool = False,
    warn: bool = False,
    vault: Vault | None = None,
    scheduled: Callable[[Fleet], list[Problem]] | None = None,
) -> tuple[Fleet, Playbook | None]:
    """The fleet and a playbook; not `checked`: files that can be read, but may contradict each other.

    `quiet`: they were read before, and what stops nothing was said. `warn`: say how many
    warnings there are. `vault` is that of the command where none is given. `scheduled` is of commands that are about
    the schedules: what it finds in them stops like all else; for others their errors are warnings, which are said.

    Raises: FilesError with every problem, when one of them is an error.
    """
    from immy_nornir.cli.vault import current, references_of
    from immy_nornir.fleet.checks.fleet import check_fleet
    from immy_nornir.fleet.checks.rules import is_tie
    from immy_nornir.fleet.inventory.draft import UNREAD
    from immy_nornir.fleet.load import load_fleet, load_playbook, playbook_files
    from immy_nornir.fleet.strays import told_once
    from immy_nornir.model.places import Level
    from immy_nornir.text.plain import counted

    if not sources and not (root / "inventory").exists():
        raise UsageError(f"there is no inventory in {root}", "go to the fleet's folder, or use -C DIR or -i INVENTORY")
    vault = current() if vault is None else vault
    fleet, problems = load_fleet(root, list(sources) or None, vault)
    book = None
    if playbook is not None:
        if not playbook.exists():
            near = [str(one.relative_to(root)) for one in playbook_files(root)]
            raise UsageError(f"there is no playbook {playbook}", f"there are {', '.join(near)}" if near else "")
        book, more = load_playbook(root, playbook)
        problems = [*problems, *more]
    if checked:
        problems = [*problems, *check_fleet(fleet, [book] if book is not None else [])]
    problems = told_once(root, problems)
    known = set(problems)
    problems = [*problems, *scheduled(fleet)] if scheduled is not None else [_of_schedules(one) for one in problems]
    _refuse(problems)
    # Only this item fails, on the computers where both hold; only what needs the file fails.
    told = (one for one in problems if is_tie(one) or one.message.startswith(UNREAD) or one not in known)
    for one in sorted({one for one in told if not quiet and one.level is not Level.NOTE}):
        say(f"{one}", err=True)
    if warn and (count := sum(one.level is Level.WARNING for one in problems)):
        say(f"{counted(count, 'warning')} in the files: immy lint", err=True)
    vault.learn(references_of(fleet, book))
    return fleet, book


def _of_schedules(problem: Problem) -> Problem:
    """A problem as whoever runs something else meets it: an error of the schedules stops the schedules only."""
    from immy_nornir.fleet.load import SCHEDULES
    from immy_nornir.model.places import Level

    if problem.level is not Level.ERROR or problem.place.file.rpartition(".")[0] != SCHEDULES:
        return problem
    return dataclasses.replace(problem, level=Level.WARNING)


def load_book(root: Path, fleet: Fleet, playbook: Path, vault: Vault) -> Playbook:
    """A playbook of a fleet that is loaded. Raises: FilesError with every problem, when one of them is an error."""
    from immy_nornir.cli.vault import references_of
    from immy_nornir.fleet.checks.fleet import check_fleet
    from immy_nornir.fleet.load import load_playbook

    book, problems = load_playbook(root, playbook)
    _refuse([*problems, *check_fleet(fleet, [book])])
    vault.learn(references_of(fleet, book))
    return book


def _refuse(problems: Iterable[Problem]) -> None:
    from immy_nornir.fleet.checks.rules import is_tie
    from immy_nornir.model.places import Level

    found = sorted(set(problems))
    if any(one.level is Level.ERROR and not is_tie(one) for one in found):
        raise FilesError([one for one in found if one.level is not Level.NOTE])


def computers_of(inventory: Inventory, names: Iterable[str]) -> list[Computer]:
    """Computers by name; `localhost` exists though no file names it."""
    from immy_nornir.fleet.inventory.load import computer_named

    return [computer_named(inventory, name) for name in names]


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` arguments as a map; the last of a name holds."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"'{text}' is not NAME=VALUE")
        found[name] = value
    return found


def known_computers(inventory: Inventory, names: Iterable[str]) -> tuple[dict[str, Computer], list[str]]:
    """Computers by name, and the names that the inventory does not have."""
    found: dict[str, Computer] = {}
    unknown: list[str] = []
    for name in sorted(names):
        try:
            found[name] = computers_of(inventory, [name])[0]
        except KeyError:
            unknown.append(name)
    return found, unknown


def read_lines(path: str) -> list[str]:
    """The lines of a file that a pattern names with `@`."""
    try:
        return read_file(Path(path)).decode("utf-8").splitlines()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "a pattern's @FILE names a file of computers"
        ) from error


def engine_of(
    root: Path,
    state: Path,
    fleet: Fleet,
    implicit: Mapping[str, Computer],
    sources: Sequence[Path] = (),
    history: History | None = None,
    scheduled: Callable[[Fleet], list[Problem]] | None = None,
) -> Any:
    """The engine of this process, with its history open for writing; `sources`, `scheduled` as the fleet was loaded."""
    from immy_nornir.cli.fleet_files import FleetFiles
    from immy_nornir.cli.vault import current
    from immy_nornir.decide.resolve.winning_deployments import Targets
    from immy_nornir.fleet.inventory.addresses import address_of
    from immy_nornir.history.store import History
    from immy_nornir.remote.connect import connect
    from immy_nornir.secrets import SecretStore
    from immy_nornir.session.engine import Engine, SystemClock

    clock = SystemClock()
    redactor = known_secrets()
    vault = current()
    vault.passwords.ask_now()  # while nothing else happens on the terminal
    secrets = SecretStore(redactor, root=root, vault=vault)
    files = FleetFiles(
        root,
        sources,
        fleet,
        lambda: load(root, sources, quiet=True, vault=vault, scheduled=scheduled)[0],
        lambda now, path: load_book(root, now, path, vault),
    )
    return Engine(
        fleet,
        history if history is not None else History(state, clock, redactor.clean),
        clock,
        secrets,
        redactor,
        lambda address: connect(anchored(address, root), secrets, clock),
        lambda computer: address_of(computer, secrets.reveal),
        Targets.of(fleet),
        names=implicit,
        frozen=lambda _computer: frozen_by(root),
        play_of=files.play_of,
        reload=files.reload,
    )


def way_of(root: Path) -> tuple[Connect, Secrets, Redactor]:
    """How computers are reached by a command that only looks: no history is opened, nothing is written."""
    from immy_nornir.cli.vault import current
    from immy_nornir.remote.connect import connect
    from immy_nornir.secrets import SecretStore
    from immy_nornir.session.engine import SystemClock

    redactor, vault = known_secrets(), current()
    vault.passwords.ask_now()
    secrets, clock = SecretStore(redactor, root=root, vault=vault), SystemClock()
    return lambda address: connect(anchored(address, root), secrets, clock), secrets, redactor


def tell_damage(engine: Engine) -> bool:
    """Say what was found damaged in the history, and what was done about it; whether anything was."""
    damaged = engine.history.damaged
    for told in list(damaged.values())[:_TOLD]:
        say(f"immy: {told}", err=True)
    if len(damaged) > _TOLD:
        say(f"immy: and {len(damaged) - _TOLD} more; immy sessions list shows them", err=True)
    return bool(damaged)


_TOLD = 10


def close(engine: Engine) -> None:
    """Close the history of this process, and say where what could not be stored in it is."""
    engine.history.close()
    journal = engine.history.left_in_journal()
    if journal is not None:
        told = "the history could not be written at the end; what it lacks is taken in by the next immy that starts"
        say(f"immy: {told}: {near(journal)}", err=True)


FREEZE = "FREEZE"


def frozen_by(root: Path) -> str:
    """Why the fleet is frozen: the file and its first line; empty where it is not."""
    file = root / FREEZE
    try:
        if not file.exists():
            return ""
    except OSError as error:  # who cannot look does not act
        return f"whether the fleet is frozen cannot be seen: {file}: {error.strerror}"
    try:
        why = read_file(file).decode("utf-8", "replace").strip().splitlines()
    except OSError:
        why = []  # whatever it is, it says no
    return f"the fleet is frozen by {file}{f': {why[0]}' if why else ''}"


_PATHS = (
    "ansible_winrm_ca_trust_path",
    "ansible_winrm_cert_pem",
    "ansible_winrm_cert_key_pem",
    "ansible_ssh_private_key_file",
)


def anchored(address: Any, root: Path) -> Any:
    """Relative paths in connection variables are meant from the fleet's folder."""
    changed = {
        name: str(root / value)
        for name in _PATHS
        if isinstance(value := address.settings.get(name), str)
        and value
        and not value.startswith("~")
        and not Path(value).is_absolute()
        and "/" in value
    }
    return dataclasses.replace(address, settings={**address.settings, **changed}) if changed else address


def who() -> tuple[str, str]:
    """The user and the machine that this runs as and on."""
    import getpass
    import platform

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return user, platform.node()


def commit_of(root: Path) -> str:
    """The fleet's Git commit, with `+changes` where files differ from it; empty without Git."""
    from immy_nornir.children import git

    head = git(root, "rev-parse", "HEAD")
    return f"{head}+changes" if head and git(root, "status", "--porcelain", "--untracked-files=no") else head


def on_interrupt(levels: Sequence[Callable[[str], None]]) -> Callable[[], None]:
    """Call the next of `levels` with the name of each Ctrl-C, SIGTERM and SIGHUP; returns what puts the old behaviour
    back.
    """
    pending = list(levels)

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of handlers
        if pending:  # after the last of them a process that is ending is not disturbed any more
            pending.pop(0)("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    hangup = getattr(signal, "SIGHUP", None)  # a terminal that goes away; `nohup` ignores it, and so it stays
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.signal(number, handle) for number in numbers}

    def restore() -> None:
        for number, old in before.items():
            signal.signal(number, old)

    return restore


def collect_rarely() -> None:
    """Before many sessions: the fleet stays for ever, and looking through all of it again and again costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def ignore_interrupts() -> None:
    """A process that was stopped, has written everything and only has to exit does so with its own exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def is_terminal() -> bool:
    """Whether somebody can be asked: both standard input and error are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def near(path: Path) -> str:
    """A path as it is written from here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):  # the current folder may be gone
        return str(path)


def command(words: str) -> str:
    """A command as it has to be typed here: with the folders and the inventory that this one was given."""
    context = click.get_current_context(silent=True)
    if context is None:
        return f"immy {words}"
    given, own = context.find_root().params, context.params
    root, sources = given.get("fleet"), [str(one) for one in own.get("sources") or ()]
    if (fleet := root_of(context, own.get("playbook"))) != root_of(context):  # a playbook of another fleet was named
        root, sources = fleet, [str(Path(one).absolute()) for one in sources]
    parts = ["immy"]
    for option, value in (("-C", root), ("--state", given.get("state"))):
        parts += [option, str(value)] if value is not None else []
    return shlex.join([*parts, *shlex.split(words), *(word for one in sources for word in ("-i", one))])


def next_commands(interrupted: int, waiting: int) -> Iterator[str]:
    """The commands that go on with so many sessions that have not ended."""

    def count(number: int, word: str) -> str:
        return f"{number:,} {word} session" + ("" if number == 1 else "s")

    if interrupted:
        yield f"  next: {command('sessions resume')}  (takes up {count(interrupted, 'interrupted')})"
    if waiting:
        said = f"goes on with {count(waiting, 'waiting')}, where it is time"
        yield f"  next: {command('sessions resume --due')}  ({said})"
