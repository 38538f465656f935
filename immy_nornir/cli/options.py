"""Options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path

import click

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
