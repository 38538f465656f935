"""Other programs that this machine runs for us, and what they inherit of the operator's shell: what they need.

The one door to them beside the runners of computers (remote): a variable of the environment may hold a secret.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


# --- programs that are fed ------------------------------------------------------------------------------------------

_TAIL = 2000
"""So much of what a fed program says at its end is kept, in bytes."""
_TURN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Fed:
    """How a program ended that was fed."""

    code: int | None
    """None where it was ended here: its time was over, or somebody stops."""
    said: str
    """The last that it wrote to its error stream."""


def feed(
    words: Sequence[str],
    data: bytes,
    seconds: float,
    folder: Path,
    more: Mapping[str, str] | None = None,
    stopped: threading.Event | None = None,
) -> Fed:
    """Run a program, give it bytes on its standard input, and wait for its end, at most so many seconds.

    What it writes to its standard output is dropped, however much it is. When its time is over, or `stopped` is set, it
    is ended with all that it has started (on Windows alone). Raises: ImmyError where it cannot be started.
    """
    try:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=clean_environment() | dict(more or {}),
            cwd=folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its words cannot be those of a program"
        raise ImmyError(f"'{words[0]}' cannot be started: {str(reason).lower()}") from None
    tail = bytearray()

    def write() -> None:
        assert process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(OSError), process.stdin as pipe:  # who does not read it may still do what it should
            pipe.write(data)

    def read() -> None:
        assert process.stderr is not None  # noqa: S101 - asked for above
        with process.stderr as pipe:
            for piece in iter(lambda: os.read(pipe.fileno(), 65536), b""):
                tail.extend(piece)
                del tail[:-_TAIL]

    # A child of it may keep the pipes open: nobody waits for these.
    threads = [threading.Thread(target=one, daemon=True) for one in (write, read)]
    for one in threads:
        one.start()
    code = _end_of(process, seconds, stopped)
    threads[1].join(_TURN_SECONDS)
    return Fed(code, bytes(tail).decode("utf-8", "replace"))


def _end_of(process: subprocess.Popen[bytes], seconds: float, stopped: threading.Event | None) -> int | None:
    left = seconds
    try:
        while left > 0 and not (stopped is not None and stopped.is_set()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(min(left, _TURN_SECONDS))
            left -= _TURN_SECONDS
        return None
    finally:
        if process.poll() is None:
            if sys.platform != "win32":
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
