"""What an error comes from, however it was wrapped."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import ssl
from collections.abc import Callable

import pytest
import requests
import urllib3.exceptions

from immy_nornir.errors import AuthenticationError, HistoryError, SecretError, UnreachableError, lacking

FULL = os.strerror(errno.EMFILE)


def full() -> OSError:
    return OSError(errno.EMFILE, FULL)


def _within(outer: Exception, inner: Exception) -> Exception:
    """As raised `from None` while the inner one was handled."""
    outer.__context__, outer.__suppress_context__ = inner, True
    return outer


def _from(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


LACKS: dict[str, tuple[Callable[[], Exception], str]] = {
    "files of this process": (full, FULL),
    "files of this machine": (lambda: OSError(errno.ENFILE, os.strerror(errno.ENFILE)), os.strerror(errno.ENFILE)),
    "buffers of the network": (lambda: OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)), os.strerror(errno.ENOBUFS)),
    "memory, as the kernel says it": (lambda: OSError(errno.ENOMEM, "Cannot allocate"), "Cannot allocate"),
    "memory, as Python says it": (MemoryError, "no memory"),
    "memory, as the resolver says it": (lambda: socket.gaierror(socket.EAI_MEMORY, "Memory"), "no memory"),
    "threads": (lambda: RuntimeError("can't start new thread"), "no more threads"),
    "processes": (lambda: BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "Resource temporarily"),
    "an import of machine code": (lambda: ImportError(f"_krb5.so: cannot open shared object file: {FULL}"), FULL),
    "a codec that is imported late": (lambda: _within(LookupError("unknown encoding: utf-16-be"), full()), FULL),
    "a connection of urllib3": (
        lambda: requests.ConnectionError(
            urllib3.exceptions.MaxRetryError(
                None,  # type: ignore[arg-type]
                "/wsman",
                _from(urllib3.exceptions.NewConnectionError(None, "Failed"), full()),  # type: ignore[arg-type]
            )
        ),
        FULL,
    ),
    "a connection that broke off": (
        lambda: requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", full())),
        FULL,
    ),
    "TLS": (lambda: _within(ssl.SSLError("unknown error"), full()), FULL),
    "a database": (lambda: _from(HistoryError("cannot be read"), full()), FULL),
    "a secret's file": (lambda: _within(SecretError("file:x: it cannot be read"), full()), FULL),
    "an authentication": (lambda: _within(AuthenticationError("no ticket"), full()), FULL),
    "an error of ours in the second place": (
        lambda: _within(UnreachableError("pc1"), _from(RuntimeError("wrapped"), full())),
        FULL,
    ),
}
OTHERS: dict[str, Exception] = {
    "a connection that is refused": ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    "a time-out": TimeoutError("timed out"),
    "a full disk, which has a way of its own": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "no rights": PermissionError(errno.EACCES, "Permission denied"),
    "a name that there is not": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    "a library that is not installed": ImportError("No module named 'gssapi'"),
    "a bug": RuntimeError("dictionary changed size during iteration"),
    "a locked database": sqlite3.OperationalError("database is locked"),
    "what a computer says of itself": UnreachableError(f"pc1: socket: {FULL}"),
}


@pytest.mark.parametrize("name", LACKS)
def test_what_this_machine_lacks_is_seen_through_every_wrapping(name: str) -> None:
    make, told = LACKS[name]
    assert lacking(make()).startswith(told)


@pytest.mark.parametrize("name", OTHERS)
def test_other_troubles_are_not_taken_for_a_lack(name: str) -> None:
    assert lacking(OTHERS[name]) == ""


def test_errors_that_hold_each_other_are_looked_through_once() -> None:
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__context__, other.__context__ = other, one
    assert lacking(one) == ""
