"""`immy` as a real process that need not read all its modules first: it is forked from one that has.

Most of what a small run costs is Python reading modules, and the tests start hundreds of them. What comes out is a
child of the test like any other, with its own id, session, streams, environment and folder, to be waited for and
killed. `make soak` starts every one from nothing, and so does what Python reads at its start or what this does not know
(another platform, limits set before the start).
"""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

IMMY = [sys.executable, "-m", "immy_nornir"]
COLD = "IMMY_TEST_COLD_STARTS"
"""Where this is set, every process starts from nothing."""
ROOT = Path(__file__).resolve().parent.parent
_KNOWN = {"args", "cwd", "env", "start_new_session", "stdin", "stdout", "stderr", "text", "encoding", "errors"}
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER: the next parent of what loses its own."""


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """What Python itself reads when it starts."""
    return {k: v for k, v in environment.items() if k.startswith(("PYTHON", "LC_", "LD_")) or k in {"LANG", "TZ"}}


class Popen(subprocess.Popen[Any]):
    """A process whose words begin with those of `IMMY`; forked where that makes no difference."""

    def __init__(self, args: Sequence[str], **more: Any) -> None:
        self._forked = can_fork(args, more)
        super().__init__(args, **more)

    def _execute_child(self, *given: Any) -> None:
        """Where the standard library forks and executes."""
        if not self._forked:
            super()._execute_child(*given)  # type: ignore[misc]
            return
        args, cwd, env, pipes, new_session = given[0], given[5], given[6], given[10:16], given[21]
        streams = [number if one == -1 else one for number, one in enumerate((pipes[0], pipes[3], pipes[5]))]
        request = {
            "words": list(args[len(IMMY) :]),
            "folder": os.fspath(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
            "new_session": new_session,
        }
        self.pid = _starter().start(request, streams)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def can_fork(args: Sequence[str], more: Mapping[str, Any]) -> bool:
    """Whether a fork is what the start of these words would be."""
    environment = more.get("env") or os.environ
    return (
        sys.platform == "linux"
        and COLD not in os.environ
        and list(args[: len(IMMY)]) == IMMY
        and set(more) <= _KNOWN
        and _of_python(environment) == _of_python(os.environ)
        and Path(more.get("cwd") or ".").is_dir()
    )


def run(
    args: Sequence[str], *, timeout: float, stdin: str | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with both streams captured as text."""
    given = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    pipe = subprocess.PIPE
    with Popen(args, stdin=given, stdout=pipe, stderr=pipe, encoding="utf-8", **more) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(args, process.returncode, out, err)


class _Starter:
    """The process that has read everything; it ends with the test process, whose end of the socket it hears."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.warm", str(its.fileno())]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[its.fileno()], start_new_session=True
        )
        its.close()

    def start(self, request: Mapping[str, Any], streams: Sequence[int]) -> int:
        """The id of a new child of this process."""
        libc = ctypes.CDLL(None, use_errno=True)
        with self._lock:
            libc.prctl(_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._ours, [json.dumps(request).encode()], streams)
                return int(self._ours.recv(64))
            finally:
                libc.prctl(_SUBREAPER, 0, 0, 0, 0)


@functools.cache
def _starter() -> _Starter:
    return _Starter()


# --- in the process that has read everything ----------------------------------------------------------------------


def _serve(theirs: socket.socket) -> None:
    import immy_nornir

    for module in pkgutil.walk_packages(immy_nornir.__path__, "immy_nornir."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    # Nothing more comes once the tests have ended.
    for message, streams in iter(lambda: socket.recv_fds(theirs, 1 << 20, 3)[:2], (b"", [])):
        reader, writer = os.pipe()
        between = os.fork()
        if not between:
            child = os.fork()
            if child:
                os.write(writer, str(child).encode())
                os._exit(0)
            theirs.close()
            for one in (reader, writer):
                os.close(one)
            _become(json.loads(message), streams)
            return
        # Its child is the test's from the moment on that the one between them has ended.
        os.waitpid(between, 0)
        theirs.send(os.read(reader, 64))
        for one in (reader, writer, *streams):
            os.close(one)


def _become(request: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Be what `python -m immy_nornir` is when its first line runs."""
    if request["new_session"]:
        os.setsid()
    for number, one in enumerate(streams):
        os.dup2(one, number)
    os.closerange(3, max(streams) + 1)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    time.tzset()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        raw = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 - as long as the process
        lines = number == 2 or raw.isatty()
        new = io.TextIOWrapper(raw, encoding=old.encoding, errors=old.errors, line_buffering=bool(number) and lines)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    sys.path[0] = request["folder"]
    sys.argv = ["immy", *request["words"]]
    runpy.run_module("immy_nornir", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
