"""`immy new software|task NAME`: a skeleton that lints clean, to change into the real thing; nothing is overwritten."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click

from immy_nornir.cli import startup
from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError

_NAME = r"[a-z0-9][a-z0-9_.+-]*"
_PLATFORMS = ("windows", "linux", "macos")

_SOFTWARE = {
    "windows": """\
title: {title}
publisher: Example Ltd
# How it is found: its name among the installed programs (Settings, Apps), and who made it.
detect: {{display_name: "{title}*", publisher: "Example Ltd"}}
# What is installed, newest first. Get-FileHash FILE says the sum. Or, instead of versions: winget: Vendor.Product
versions:
  - version: "1.0"
    url: https://example.com/{name}-1.0.msi
    sha256: "{zeros}"
""",
    "linux": """\
title: {title}
# The package's name. Or, instead of a package: detect, versions and install with scripts of your own.
apt: {name}
""",
    "macos": """\
title: {title}
# The package's name. Or, instead of a package: detect, versions and install with scripts of your own.
brew: {name}
""",
}
_TASK = """\
title: {title}
platform: {platform}
parameters:
  folder: {{type: text, default: '{folder}'}}
# get tells what is there, test whether it is as it should be, set makes it so. Only set may change anything.
get: get.{ending}
test: test.{ending}
set: set.{ending}
"""
_POWERSHELL = {
    "get": "param($folder)\nif (Test-Path -LiteralPath $folder -PathType Container) { 'there' } else { 'missing' }\n",
    "test": "param($folder)\nTest-Path -LiteralPath $folder -PathType Container\n",
    "set": "param($folder)\n$null = New-Item -ItemType Directory -Path $folder -Force\n",
}
_SHELL = {
    "get": '# A parameter NAME is the variable IMMY_NAME.\ntest -d "$IMMY_FOLDER" && echo there || echo missing\n',
    "test": '# It ends with 0 when the computer is as it should be, with 1 when it is not.\ntest -d "$IMMY_FOLDER"\n',
    "set": 'mkdir -p "$IMMY_FOLDER"\n',
}

_platform = click.option(
    "--platform", type=click.Choice(_PLATFORMS), default="windows", show_default=True, help="What it is for."
)


@click.group()
def new() -> None:
    """Write the files of a new software or task, to change into the real thing."""


@new.command()
@click.argument("name")
@_platform
@click.pass_context
def software(ctx: click.Context, name: str, platform: str) -> None:
    """Write tasks/software/NAME/software.yml.

    NAME is what deployments call it: software/NAME. Files that exist are left as they are, and nothing is written.
    """
    text = _SOFTWARE[platform].format(name=_checked(name), title=_title(name), zeros="0" * 64)
    _write(startup.root_of(ctx), f"software/{name}", Path("tasks/software", name), {"software.yml": text})


@new.command()
@click.argument("name")
@_platform
@click.pass_context
def task(ctx: click.Context, name: str, platform: str) -> None:
    """Write tasks/maintenance/NAME/task.yml with its scripts get, test and set.

    NAME is what deployments call it: task/NAME. Files that exist are left as they are, and nothing is written.
    """
    ending, scripts = ("ps1", _POWERSHELL) if platform == "windows" else ("sh", _SHELL)
    folder = rf"C:\ProgramData\{_checked(name)}" if platform == "windows" else f"/var/lib/{_checked(name)}"
    about = _TASK.format(title=_title(name), platform=platform, folder=folder, ending=ending)
    files = {"task.yml": about, **{f"{purpose}.{ending}": text for purpose, text in scripts.items()}}
    _write(startup.root_of(ctx), f"task/{name}", Path("tasks/maintenance", name), files)


def _checked(name: str) -> str:
    """The name. Raises UsageError where it is none that a deployment and a folder can have."""
    if not re.fullmatch(_NAME, name):
        near = re.sub(r"[^a-z0-9_.+-]+", "_", name.partition("/")[2] or name.lower()).strip("_.+-").lower()
        raise UsageError(
            f"'{name}' is no name: small letters, digits, and _ . + - between them",
            f"did you mean '{near}'?" if near else "",
        )
    return name


def _title(name: str) -> str:
    return re.sub(r"[_-]+", " ", name).capitalize()


def _write(root: Path, item: str, folder: Path, files: Mapping[str, str]) -> None:
    if not (root / "tasks").is_dir() and not (root / "inventory").exists():
        raise UsageError(f"{root} is no fleet's folder: it has neither tasks nor inventory", "go there, or use -C DIR")
    if (root / folder).exists() or (root / folder).is_symlink():
        raise UsageError(f"{folder} is there already; nothing was written", "choose another name, or remove it first")
    try:
        (root / folder).mkdir(parents=True)
        for name, text in files.items():
            (root / folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from None
    wish = "state: latest" if item.startswith("software/") else "mode: audit"
    say(f"{folder} holds {', '.join(files)}. What next:", err=True)
    say("  change them, and look: immy lint", err=True)
    say(f"  deploy it in playbooks/deployments/: - {{item: {item}, target: COMPUTERS, {wish}}}", err=True)
