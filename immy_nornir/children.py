"""Other programs that this machine runs for us, and what they inherit of the operator's shell: what they need.

The one door to them beside the runners of computers (remote): a variable of the environment may hold a secret.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR", "IMMY_SPOOL", "XDG_RUNTIME_DIR")
_KEPT_ON_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE")
_KEPT_STARTS = ("LANG", "LC_")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy")

_GIT_QUIET = ("core.fsmonitor=false", "core.hooksPath=", "core.attributesFile=", "diff.external=")
"""A fleet's `.git/config` may name programs; asking for its commit runs none of them."""
_NO_ATTRIBUTES = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Git's empty tree: with it no file's attributes hold, and none of the filters that they name runs."""


def clean_environment() -> dict[str, str]:
    """The environment for programs of ours: without what the operator's shell holds for others, secrets above all."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT
        or name.startswith(_KEPT_STARTS)
        or name.lower() in _PROXIES
        or name.upper() in _KEPT_ON_WINDOWS
    }


def git(folder: Path, *arguments: str) -> str:
    """What Git says of a folder; empty where there is no Git, or it says no."""
    quiet = [word for setting in _GIT_QUIET for word in ("-c", setting)]
    environment = clean_environment() | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_SOURCE": _NO_ATTRIBUTES,
    }
    command = ["git", *quiet, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def run_ours(command: Sequence[str], *, quiet: bool = False) -> int:
    """Run immy itself, which needs the secrets of its environment; its exit code."""
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode
