"""The command `immy`: all commands, each imported only when it is used, and the one place where errors end.

Expected errors print one line and what to try; a bug of ours prints one line and writes a log file; Ctrl-C is 130.
"""

from __future__ import annotations

import errno
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir import __version__
from immy_nornir.cli.door import say_error
from immy_nornir.errors import FilesError, ImmyError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name, which is also that of its module and function -> first line of its help, which tests hold against the command.
COMMANDS: dict[str, str] = {
    "run": "Run a playbook, or one maintenance type on a pattern.",
    "exec": "Run a command on computers, and show what they say, put together.",
    "explain": "Why an item is deployed to a computer as it is, or not at all.",
    "lint": "Check all files of the fleet; exit code 2 when there are errors.",
    "schema": "Print the JSON Schemas of the fleet's files, for editors.",
    "inventory": "Show computers, groups and variables as the inventory's files give them.",
    "freeze": "Change nothing on computers, a tenant's for instance, until a time or until `immy unfreeze`.",
    "unfreeze": "Lift freezes; sessions that somebody stays for go on by themselves, the others when they are resumed.",
    "sessions": "Look at maintenance sessions, give them orders, and take up interrupted ones.",
    "watch": "Watch a run, or a computer, that is at work in any process, until it has ended.",
    "runs": "Look at runs: the sessions that one command started together.",
    "doctor": "Look computers over, from their name to pending reboots: what is wrong, and what to type.",
    "computers": "Say something of single computers.",
    "schedule": "Begin work by itself: when schedules are due, the service that begins them, and how others can.",
    "report": "Show a run as a report.",
    "tell": "Tell people and programs what happened: see what was told, test a channel, try again what waits.",
    "test": "Try one item out on one computer, as if a deployment aimed it there.",
    "lab": "Start and stop simulated computers, to try everything without Windows.",
    "demo": "Run the sample fleet's full maintenance on simulated computers.",
    "completion": "Print the script that lets a shell complete commands, options, computers, items, sessions.",
    "new": "Write the files of a new software or task, to change into the real thing.",
    "init": "Copy the sample fleet to a new folder.",
}
_FOLDERS = {
    **dict.fromkeys(("exec", "test"), "by_hand"),
    **dict.fromkeys(("freeze", "unfreeze"), "holding"),
    **dict.fromkeys(("init", "new", "schema", "lint"), "files"),
    **dict.fromkeys(("schedule", "tell"), "scheduling"),
    **dict.fromkeys(("sessions", "watch"), "at_sessions"),
}
"""Commands whose modules lie in a folder of their own."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are called, so that help and completion start at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        folder = f"{_FOLDERS[cmd_name]}." if cmd_name in _FOLDERS else ""
        module = importlib.import_module(f"immy_nornir.cli.commands.{folder}{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands and options; no command is imported for it."""
        from click.shell_completion import CompletionItem

        if incomplete and not incomplete[0].isalnum():
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=about) for name, about in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"There is no command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="immy %(version)s")
@click.option(
    "-C",
    "--fleet",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Work as if started in DIR.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of what immy writes. [default: .immy]",
)
@click.pass_context
def immy(ctx: click.Context, fleet: Path | None, state: Path | None) -> None:
    """Maintenance sessions for fleets of computers: resolve, detect, plan, execute with reboots, verify, report.

    Exit codes: 0 all fine; 1 some session did not pass; 2 usage or files; 3 a bug of immy; 4 changes are pending
    (--check); 5 only deferred sessions are left; 6 all that were reached passed, some computers were away;
    130 interrupted. It is the first of 3, 130, 1, 6, 5, 4, 0 that is so.
    """
    try:
        if state is not None:
            state = state.absolute()
        if fleet is not None:
            os.chdir(fleet)
        root = Path.cwd()
    except OSError as error:
        what = f"the folder {fleet}" if fleet is not None else "the current folder"
        raise UsageError(f"{what} cannot be used: {error.strerror}", "go to a folder that exists") from error
    ctx.ensure_object(dict)
    ctx.obj |= {"root": root, **({"state": state} if state is not None else {})}


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; its exit code."""
    known: dict[str, Path] = {}
    if "_IMMY_COMPLETE" in os.environ:
        importlib.import_module("immy_nornir.cli.commands.completion").prepare(os.environ)
    try:
        code: Any = immy.main(args=arguments, prog_name="immy", standalone_mode=False, obj=known)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort:
        say_error("immy: stopped")
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except FilesError as error:
        for problem in error.problems:
            say_error(str(problem))
        say_error(f"immy: {error.message}; nothing was run")
        return error.exit_code
    except ImmyError as error:
        say_error(f"immy: {error.message}")
        if error.advice:
            say_error(f"      try: {error.advice}")
        return error.exit_code
    except KeyboardInterrupt:
        say_error("immy: stopped")
        return 130
    except SystemExit as ended:  # click's answer to a pipe that nobody reads
        return ended.code if isinstance(ended.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the last resort: one line for the operator, the rest into a file
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            where = f"{error.filename} " if error.filename else "the output "
            say_error(f"immy: {where}cannot be written: {error.strerror}")
            return 2
        from immy_nornir.history.own_files import keep_bug

        say_error(f"immy: this is a bug of immy; {keep_bug(known.get('state', Path('.immy')))}")
        return 3
    return code if isinstance(code, int) else 0


_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)
