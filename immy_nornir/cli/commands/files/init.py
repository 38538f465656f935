"""`immy init DIR`: a fleet repository to begin with, the sample that the demo runs."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import click

import immy_nornir
from immy_nornir.cli.door import say
from immy_nornir.errors import UsageError

FOLDERS = ("inventory", "playbooks", "tasks", "reports")
_IGNORED = "# What immy writes: history, reports, logs, the lab's certificate.\n.immy/\n"


def sample_root() -> Path:
    """Where the sample fleet is: inside an installed package, or the root of a checkout. Raises UsageError."""
    package = Path(immy_nornir.__file__).parent
    for root in (package / "sample", package.parent):
        if all((root / folder).is_dir() for folder in FOLDERS):
            return root
    raise UsageError("the sample fleet is not in this installation", "install immy-nornir again")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Copy the sample fleet to a new folder.

    It is a working fleet repository, the one that the demo runs, to change into your own.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "name a new folder; nothing was written")
    root = sample_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS:
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from None
    say(f"A fleet of three tenants is in {folder}. Its computers are simulated. What next:", err=True)
    for command in (f"cd {shlex.quote(str(folder))}", "immy lint", "immy demo"):
        say(f"  {command}")
