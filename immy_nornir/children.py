"""Other programs that this machine runs for us, and what they inherit of the operator's shell: what they need.

The one door to them beside the runners of computers (remote): a variable of the environment may hold a secret.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from immy_nornir.errors import ImmyError

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
    try:
        return git_or_raise(folder, *arguments)
    except GitError:
        return ""


class GitError(ImmyError):
    """Git said no, was too slow, or is not there."""


def git_or_raise(folder: Path, *arguments: str, seconds: float = 10.0, remote: bool = False) -> str:
    """What Git says of a folder; `remote`: with what it needs to speak to another machine as this user.

    Raises: GitError with its last line, without names and passwords of addresses.
    """
    quiet = [word for setting in _GIT_QUIET for word in ("-c", setting)]
    environment = clean_environment() | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_SOURCE": _NO_ATTRIBUTES,
    }
    if remote:
        environment |= {name: os.environ[name] for name in _GIT_REMOTE if name in os.environ}
        environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    command = ["git", *quiet, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise GitError("there is no git on this machine", "install git") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        why = f"no answer in {seconds:.0f} s" if isinstance(error, subprocess.TimeoutExpired) else str(error.strerror)
        raise GitError(f"git {arguments[0]}: {why}") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.strip().splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        told = next((line for line in said if line.startswith(("fatal:", "error:"))), said[-1])
        raise GitError(f"git {arguments[0]}: {_USER_INFO.sub('//', told)}")
    return done.stdout.strip()


_GIT_REMOTE = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GIT_SSH_COMMAND", "GIT_SSH", "GIT_ASKPASS", "XDG_CONFIG_HOME")
_USER_INFO = re.compile(r"//[^\s'\"]*@")


def run_ours(command: Sequence[str], *, quiet: bool = False) -> int:
    """Run immy itself, which needs the secrets of its environment; its exit code."""
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode
