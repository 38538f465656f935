"""Options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from immy_nornir.cli import completing


def _keep(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Where cli.vault finds it: all that loads a fleet needs it, and no command by itself."""
    ctx.ensure_object(dict)[parameter.name] = value
    return value


def vault(command: Any) -> Any:
    """The options for passwords of Ansible's vault, with Ansible's names."""
    for option in (
        click.option(
            "--vault-id",
            "vault_ids",
            multiple=True,
            metavar="LABEL@SOURCE",
            expose_value=False,
            callback=_keep,
            help="A password of Ansible's vault: a file, a script, env:NAME or prompt; may be repeated.",
        ),
        click.option(
            "--vault-password-file",
            "vault_files",
            multiple=True,
            metavar="PATH",
            expose_value=False,
            callback=_keep,
            help="A file or a script with a password of Ansible's vault; may be repeated.",
        ),
    ):
        command = option(command)
    return command


sources = click.option(
    "-i",
    "--inventory",
    "sources",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Inventory instead of inventory/; may be repeated.",
)
form = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="As text for people, or as JSON for programs.",
)
extra = click.option(
    "-e",
    "--extra-vars",
    "extra",
    multiple=True,
    metavar="VARIABLES",
    help="Variables, over all others: NAME=VALUE (several, split by spaces), YAML or JSON, or @FILE with either; a "
    "value secret: env:X is a reference.",
)
workers = click.option(
    "-f",
    "--workers",
    type=click.IntRange(1, 512),
    default=32,
    show_default=True,
    help="Computers at work at the same time.",
)

ORDER_SECONDS = 10.0


def choosing(command: Any) -> Any:
    """The options that choose sessions."""
    for option in (
        click.argument("names", nargs=-1, metavar="[SESSION|COMPUTER]...", shell_complete=completing.sessions),
        click.option("--run", "run_id", metavar="RUN", shell_complete=completing.runs, help="All of a run, or `last`."),
        click.option("--tenant", shell_complete=completing.tenants, help="All of this tenant."),
        click.option("--all", "everything", is_flag=True, help="All that have not ended."),
    ):
        command = option(command)
    return command


def ordering(command: Any) -> Any:
    """The options that every order has."""
    for option in (
        click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the record."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask, however many they are."),
        click.option(
            "--wait",
            type=click.FloatRange(0),
            default=ORDER_SECONDS,
            show_default=True,
            metavar="SECONDS",
            help="How long an answer is waited for.",
        ),
    ):
        command = option(command)
    return command
